#!/usr/bin/env bats
# What every server of the protocol has to do, whoever wrote it. Run by `conformance` alone.
# bats file_tags=remote

load helpers

@test "TIME CR LF is answered JAM hh:mm:ss CR LF, and with nothing more" {
    connect 'send:TIME\r\n' 'expect:JAM %T\r\n' quiet:0.3
}

@test "the time is right" {
    connect 'send:TIME\r\n' about-now
}

@test "a conversation goes on until QUIT; then the server closes first, without a reply" {
    connect 'send:TIME\r\n' 'expect:JAM %T\r\n' pause:0.3 'send:TIME\r\n' 'expect:JAM %T\r\n' \
        'send:QUIT\r\n' eof
}

@test "a request may come in pieces" {
    connect 'send:TI' pause:0.2 'send:ME\r\n' until:'JAM %T\r\n' \
        'send:TIME' pause:0.2 'send:\r\n' until:'JAM %T\r\n' \
        'send:TIME\r' pause:0.2 'send:\n' until:'JAM %T\r\n' \
        'dribble:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof
}

@test "several requests may come in one piece" {
    connect 'send:TIME\r\nTIME\r\n' 'expect:JAM %T\r\nJAM %T\r\n' \
        'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof
}

@test "a wrong request does not end the conversation" {
    local request
    for request in FOO time '' 'TIME FOO'; do
        connect "send:$request\r\n" pause:0.2 'send:TIME\r\n' 'until:JAM %T\r\n' quiet:0.2
    done
}

@test "nor does a long one, or one that is no text" {
    connect 'send:x*1000' 'send:\r\n' pause:0.2 'send:TIME\r\n' 'until:JAM %T\r\n' quiet:0.2
    connect 'send:\x00\xff\xfe\r\n' pause:0.2 'send:TIME\r\n' 'until:JAM %T\r\n' quiet:0.2
}

@test "fifty clients are served at once, even if the first says nothing" {
    connect crowd:49 'send:TIME\r\n' 'expect:JAM %T\r\n'
}
