#!/usr/bin/env bats
# What a client gets that sends no terminator, or sends it late. Run under every supervisor.
# bats file_tags=remote

load helpers

@test "TIME and QUIT without a terminator are handled at once, without one" {
    converse 'send:\n' 'expect:Invalid request\r\n' 'send:TIME' 'expect:JAM %T' within:0.7 \
        quiet:1.2 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof within:0.7
}

@test "any other tail is answered after a second of silence, without a terminator" {
    converse 'send:FOO' 'expect:Invalid request' after:1 quiet:1.2 'send:TIME' 'expect:JAM %T' \
        "send:x*$(most_at_once 1000000)" 'expect:Invalid request' 'send:TIME' 'expect:JAM %T'
}

@test "each byte starts the second of silence anew" {
    converse 'send:TI' quiet:0.7 'send:M' quiet:0.7 'send:E' 'expect:JAM %T' \
        'send:F' quiet:0.7 'send:O' 'expect:Invalid request' after:1
}

@test "a request with a second of silence inside counts as two" {
    converse 'send:TI' 'expect:Invalid request' 'send:ME\r\n' 'expect:Invalid request\r\n'
}

@test "the terminator of an answered tail brings the reply's own, however late" {
    converse 'send:TIME' 'expect:JAM %T' quiet:2 'send:\r\n' 'expect:\r\n' \
        'send:TIME' 'expect:JAM %T' 'send:\n' 'expect:\r\n' \
        'send:TIME' 'expect:JAM %T' 'send:\r' quiet:1.5 'send:\n' 'expect:\r\n' quiet:1.2 \
        'send:FOO' 'expect:Invalid request' 'send:\r\n' 'expect:\r\n' \
        'send:FOO\r' 'expect:Invalid request' 'send:\n' 'expect:\r\n' \
        'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "what is no terminator after an answered tail, or a second one, begins a new request" {
    converse 'send:TIME' 'expect:JAM %T' 'send:TIME\r\n' 'expect:JAM %T\r\n' \
        'send:TIME' 'expect:JAM %T' 'send:\rTIME\r\n' 'expect:Invalid request\r\n' \
        'send:TIME' 'expect:JAM %T' 'send:\r' quiet:0.1 'send:X\r\n' 'expect:Invalid request\r\n' \
        'send:TIME' 'expect:JAM %T' 'send:\r\n\r\n' 'expect:\r\nInvalid request\r\n'
}

@test "TIME or QUIT and half a terminator is handled after a second of silence" {
    converse 'send:TIME\r' quiet:0.7 'expect:JAM %T' 'send:\n' 'expect:\r\n' \
        'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r' quiet:0.7 eof
}

@test "a tail at the end of input is handled at once" {
    converse 'send:TIME' half-close "$(last 'JAM %T')" eof
    converse 'send:FOO' half-close "$(last 'Invalid request')" within:0.7 eof
    converse 'send:TIME\r\nTI' half-close "$(last 'JAM %T\r\nInvalid request')" within:0.7 eof
    # The terminator that is owed never comes.
    converse 'send:TIME' 'expect:JAM %T' half-close eof
}

@test "a CR at the end of input is no terminator" {
    converse 'send:TIME\r' half-close "$(last 'Invalid request')" eof
    converse 'send:TIME' 'expect:JAM %T' 'send:\r' half-close "$(last 'Invalid request')" eof
    converse 'send:QUIT\r' half-close "$(last 'Invalid request')" eof
}
