#!/usr/bin/env bats
# The bench itself, in seconds: what it prints is no measurement.

load helpers

bench() {
    run "$TREE/bench/run" -r 1 -s 0.05 -n 3 "$@"
}

@test "a bench measures each program, and compares ours with its target" {
    skip_unless_root 'makes namespaces'
    bench -l 20
    assert_success
    assert_line 'failed conversations: 0'
    local peer
    for peer in 'the floor' timesvc-static '... with --sandbox=off' 'the floor, linked' timesvc \
        'Python handler' 'shell handler' 'Python server' xinetd 'no look'; do
        assert_line --regexp "^  $peer.* [1-9][0-9.,]* "
    done
    for peer in 'connections, one client' 'connections, 8 clients'; do
        assert_line --regexp "^  $peer +timesvc-static / floor +[0-9.]+ .*≥ 0.92"
        assert_line --regexp "^  $peer +timesvc / linked +[0-9.]+ .*≥ 0.93"
    done
    assert_line --regexp '^  round trip between .* timesvc-static / floor +[0-9.]+ .*≥ 0.97'
    assert_line --regexp '^  pipelined replies +timesvc-static / unparsed +[0-9.]+ .*≥ 0.85'
    assert_line --regexp '^  pipelined, in .* timesvc-static / unparsed +[0-9.]+ .*≥ 0.5'
    assert_line --regexp '^  idle connection, private .* timesvc-static +[0-9.]+ .*≤ 20'
    assert_line --regexp '^  idle connection, private .* timesvc +[0-9.]+ .*≤ 260'
    assert_output --regexp 'held at once.*--sandbox=off .* 20 +[0-9.]+ +20 +20'
    assert_output --regexp 'system calls of timesvc-static .*  execve .* exit_group'
}

@test "a bench fails where a program answers wrongly" {
    skip_unless_root 'makes namespaces'
    local program=$BATS_TEST_TMPDIR/wrong
    printf '#!/bin/sh\nread -r request; printf "JAM 1:2:3\\r\\n"\n' >"$program"
    chmod +x "$program"
    bench -p "$program"
    assert_failure 1
    assert_line --partial 'a wrong reply'
    assert_line --regexp '^failed conversations: [1-9]'
}

@test "timesvc is compared with a program that is linked to the same libraries" {
    needed() { readelf -d "$1" | grep NEEDED; }
    run -0 diff <(needed "$TIMESVC") <(needed "$TREE/bench/linked")
}

@test "a bench of units measures the shipped one, the least and the most of them" {
    skip_unless_root 'boots a container'
    run -0 "$TREE/bench/systemd" -r 1 -s 0.5 -o "$BATS_TEST_TMPDIR" bookworm
    local unit
    for unit in 'the floor, in a bare unit' 'timesvc, the unit as shipped' \
        '... with static.conf' '... with most-sandboxed.conf'; do
        assert_line --regexp "^  $unit +[0-9.]+ +[0-9.]+ +[0-9.]+ \([0-9.]+-[0-9.]+\) +[0-9]+$"
    done
    assert_line --regexp '^  as shipped: ≤ 3.0 times the bare unit, exposure ≤ 3.0: '
    assert_line 'failed conversations: 0'
    grep -q '"exposure": 3.0' "$BATS_TEST_TMPDIR/results-systemd.json"
}
