#!/usr/bin/env bats
# What a client sends, and what it gets: terminated requests. Run under every supervisor.

load helpers

@test "TIME is answered JAM hh:mm:ss" {
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof
}

@test "LF alone is a terminator, too" {
    converse 'send:TIME\n' 'expect:JAM %T\r\n' 'send:QUIT\n' eof
}

@test "QUIT is not answered, and the server closes first" {
    converse 'send:QUIT\r\n' eof
}

@test "any other request is answered Invalid request, and the connection stays open" {
    converse 'send:FOO\r\n' 'expect:Invalid request\r\n' \
        'send:TIMES\r\n' 'expect:Invalid request\r\n' \
        'send:TIM\r\n' 'expect:Invalid request\r\n' \
        'send:QUITE\r\n' 'expect:Invalid request\r\n' \
        'send:QUI\r\n' 'expect:Invalid request\r\n' \
        'send:TIMEQUIT\r\n' 'expect:Invalid request\r\n' \
        'send:TIQU\r\n' 'expect:Invalid request\r\n' \
        'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "the empty request is invalid" {
    converse 'send:\r\n' 'expect:Invalid request\r\n' 'send:\n' 'expect:Invalid request\r\n'
}

@test "case counts" {
    converse 'send:time\r\n' 'expect:Invalid request\r\n' \
        'send:Time\r\n' 'expect:Invalid request\r\n' \
        'send:TIMe\r\n' 'expect:Invalid request\r\n' \
        'send:quit\r\n' 'expect:Invalid request\r\n'
}

@test "blanks count" {
    converse 'send: TIME\r\n' 'expect:Invalid request\r\n' \
        'send:TIME \r\n' 'expect:Invalid request\r\n' \
        'send:\tTIME\r\n' 'expect:Invalid request\r\n' \
        'send:QUIT \r\n' 'expect:Invalid request\r\n'
}

@test "a CR that no LF follows is part of the request" {
    converse 'send:TIME\r\r\n' 'expect:Invalid request\r\n' \
        'send:TI\rME\r\n' 'expect:Invalid request\r\n' \
        'send:\rTIME\n' 'expect:Invalid request\r\n' \
        'send:QUIT\r\r\n' 'expect:Invalid request\r\n' \
        'send:\r\r\n' 'expect:Invalid request\r\n'
}

@test "NUL and bytes beyond ASCII are as invalid as any other" {
    converse 'send:\x00TIME\r\n' 'expect:Invalid request\r\n' \
        'send:TIM\x00E\r\n' 'expect:Invalid request\r\n' \
        'send:TIM\xc5\r\n' 'expect:Invalid request\r\n' \
        'send:\xff\xfe\n' 'expect:Invalid request\r\n'
}

@test "requests sent at once are answered in their order" {
    converse 'send:TIME\r\nFOO\r\n\r\ntime\r\nTIME\nQUIT\r\nTIME\r\n' \
        'expect:JAM %T\r\nInvalid request\r\nInvalid request\r\nInvalid request\r\nJAM %T\r\n' \
        eof
}

@test "requests after QUIT are not answered" {
    converse 'send:QUIT\r\nTIME\r\nFOO\r\n' eof
}

@test "requests may come one byte at a time" {
    converse 'dribble:TIME\r\nFOO\r\nTIME\n\r\nQUIT' \
        'expect:JAM %T\r\nInvalid request\r\nJAM %T\r\nInvalid request\r\n' eof
}

@test "a request of 10 MB gets one reply" {
    converse 'send:x*10000000' 'send:\r\n' 'expect:Invalid request\r\n' \
        'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "many requests in random cuts get as many replies" {
    converse "pump:$(most_at_once 100000)" 'send:QUIT\r\n' eof
}

@test "a client that ends its input gets all replies, then the end" {
    converse 'send:TIME\r\nTIME\r\nFOO\r\n' half-close \
        "$(last 'JAM %T\r\nJAM %T\r\nInvalid request\r\n')" eof
}

@test "a client that sends nothing and ends its input gets nothing" {
    converse half-close eof
}
