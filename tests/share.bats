#!/usr/bin/env bats
# Fair shares, where the shipped configuration sets them: run under systemd and xinetd.

load helpers

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export OTHER_SOURCE=${OTHER_SOURCE:-127.0.0.2}
    # Should this file be killed, all connections end at one moment, see flood.py.
    serve_with --sandbox=off
}

teardown_file() {
    serve_as_shipped
}

@test "one source gets no more than 128 connections, and another is served meanwhile" {
    run "$TESTS/flood.py" hold "$ADDRESS" 1100 "$OTHER_SOURCE" \
        "$TESTS/peer.py" connect "$ADDRESS" 'send:TIME\r\n' 'expect:JAM %T\r\n' within:2
    assert_success
    assert_output '128 answered'
}

@test "all sources together get no more than 1024 connections" {
    local command=(true) host
    for host in {11..19}; do # nested, so that all hold theirs at once
        command=("$TESTS/flood.py" hold "$ADDRESS" 128 "${OTHER_SOURCE%.*}.$host" "${command[@]}")
    done
    run -0 "${command[@]}"
    assert_equal "$(awk '{ sum += $1 } END { print sum }' <<<"$output")" 1024
}
