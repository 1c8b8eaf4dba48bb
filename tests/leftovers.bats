#!/usr/bin/env bats
# What the tests have done to the machine that they ran on: nothing. To be run last.

load helpers

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
}

# nothing_since FILE RUN: the run has left nothing behind since `leftovers` wrote the file, nor
# in the directory for temporary files.
nothing_since() {
    "$TESTS/leftovers" "$2" >"$BATS_TEST_TMPDIR/now"
    run -0 comm -3 <(sort "$1") <(sort "$BATS_TEST_TMPDIR/now")
    assert_output ''
    run -0 find "$(dirname "$BEFORE")" -mindepth 1 -maxdepth 1 -name 'tmp.*'
    assert_output ''
}

@test "the tests have left no process, mount, file, cgroup or changed device node behind" {
    nothing_since "$BEFORE" "$TIMESVC_RUN"
}

# interrupted PATTERN FILE...: run these tests until the output has the pattern, then press
# Ctrl-C, which a terminal sends to each process of the foreground.
interrupted() {
    local log=$BATS_TEST_TMPDIR/log pid status=0
    "$TESTS/leftovers" 0.0 >"$BATS_TEST_TMPDIR/before"
    env --default-signal=INT setsid "$TESTS/run" "${@:2}" >"$log" 2>&1 3>&- &
    pid=$!
    retry grep -qE "$1" "$log"
    kill -INT -- "-$pid"
    wait "$pid" || status=$?
    assert_equal "$status" 130
    nothing_since "$BATS_TEST_TMPDIR/before" "$(sed -n 's/^# run //p' "$log")"
}

@test "nor do tests that were interrupted" {
    interrupted '^ok 2' wire.bats
}

@test "nor do tests in namespaces and containers that were interrupted" {
    skip_unless_root 'makes namespaces'
    interrupted 'systemd-bookworm' systemd.bats
    interrupted 'xinetd' share.bats
}
