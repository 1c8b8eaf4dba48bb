#!/usr/bin/env bats
# Fair shares, where the shipped configuration sets them: run under systemd and xinetd.

load helpers
source "$TESTS/container.bash"

setup_file() {
    # Should this file be killed, all connections end at one moment, see flood.py.
    serve_with --sandbox=off
}

@test "one source gets no more than 128 connections, all together 1024, and no refusal is a line in the log" {
    local command=(true) source=${SOURCE:-127.0.0.1} host
    for host in {11..19}; do # nested, so that all hold theirs at once
        command=("$TESTS/flood.py" hold "$ADDRESS" 140 "${source%.*}.$host" "${command[@]}")
    done
    run -0 "${command[@]}"
    assert_output "$(printf '128 answered\n%.0s' {1..8}; echo '0 answered')"
    run -0 journal --all
    refute_output --regexp 'FAIL: timesvc|dropping connection'
}
