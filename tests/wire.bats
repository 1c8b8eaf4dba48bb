#!/usr/bin/env bats
# What a client sends, and what it gets: terminated requests. Run under every supervisor.
# bats file_tags=remote

load helpers

@test "TIME is answered JAM hh:mm:ss, whether it ends with CR LF or with LF alone" {
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:TIME\n' 'expect:JAM %T\r\n' \
        'send:QUIT\n' eof
}

@test "QUIT is not answered, and the server closes first" {
    converse 'send:QUIT\r\n' eof
}

@test "any other request is answered Invalid request, and the connection stays open" {
    local request steps=() requests=(
        '' FOO TIM TIMES QUI QUITE TIQU TIMEQUIT
        time Time TIMe quit                         # case counts
        ' TIME' 'TIME ' '\tTIME' 'QUIT '            # blanks count
        'TIME\r' 'TI\rME' '\rTIME' 'QUIT\r' '\r'    # so does a CR that no LF follows
        '\x00TIME' 'TIM\x00E' 'TIM\xc5' '\xff\xfe') # and what is no text
    for request in "${requests[@]}"; do
        steps+=("send:$request\\r\\n" 'expect:Invalid request\r\n')
    done
    converse "${steps[@]}" 'send:\n' 'expect:Invalid request\r\n' \
        'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "requests sent at once are answered in their order, and none after QUIT" {
    converse 'send:TIME\r\nFOO\r\n\r\ntime\r\nTIME\nQUIT\r\nTIME\r\nFOO\r\n' \
        'expect:JAM %T\r\nInvalid request\r\nInvalid request\r\nInvalid request\r\nJAM %T\r\n' \
        eof
}

@test "requests may come one byte at a time" {
    converse 'dribble:TIME\r\nFOO\r\nTIME\n\r\nQUIT' \
        'expect:JAM %T\r\nInvalid request\r\nJAM %T\r\nInvalid request\r\n' eof
}

@test "many requests in random cuts get as many replies" {
    converse "pump:$(most_at_once 100000)" 'send:QUIT\r\n' eof
}

@test "a client that ends its input gets all replies, if any, then the end" {
    converse 'send:TIME\r\nTIME\r\nFOO\r\n' half-close \
        "$(last 'JAM %T\r\nJAM %T\r\nInvalid request\r\n')" eof
    converse half-close eof
}
