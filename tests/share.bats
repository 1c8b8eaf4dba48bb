#!/usr/bin/env bats
# Fair shares, where the shipped configuration sets them: run under systemd and xinetd.

load helpers

@test "one source gets no more than 128 connections, and another is served meanwhile" {
    run "$TESTS/flood.py" hold "$ADDRESS" 1100 "${OTHER_SOURCE:-127.0.0.2}" \
        "$TESTS/peer.py" connect "$ADDRESS" 'send:TIME\r\n' 'expect:JAM %T\r\n' within:2
    assert_success
    assert_output '128 answered'
}
