#!/usr/bin/env bats
# Other architectures, and times to come.

load helpers

# The processors, as qemu(1) names them, and their compilers' names.
CPUS=(aarch64:aarch64-linux-gnu riscv64:riscv64-linux-gnu arm:arm-linux-gnueabihf
    i386:i686-linux-gnu s390x:s390x-linux-gnu)

setup_file() {
    local names=("${CPUS[@]#*:}")
    need calls.so "${names[@]/#/timesvc-}" "${names[@]/#/judge-}" "judge-$(gcc -print-multiarch)"
}

# tells_in_2040 COMMAND...: on a clock that is set to then. TZ is a rule, not a file's name, which
# the program would put in place of the environment that the clock is set by.
tells_in_2040() {
    run --separate-stderr bash -c 'printf "TIME\n" | "$@"' bash \
        env LD_PRELOAD="$(echo /usr/lib/*/faketime/libfaketime.so.1)" TZ=UTC0 \
        FAKETIME='@2040-02-29 03:14:08' FAKETIME_DONT_FAKE_MONOTONIC=1 "$@" --sandbox=off
    assert_success
    assert_output --regexp $'^JAM 03:14:(08|09|10)\r$'
}

@test "the time is right after 2038" {
    tells_in_2040 "$TIMESVC"
}

@test "the time is right after 2038 on every architecture, 32-bit ones included" {
    local cpu
    for cpu in "${CPUS[@]}"; do
        tells_in_2040 "qemu-${cpu%:*}" "$TESTS/verify/timesvc-${cpu#*:}"
    done
}

# judged STEP... -- [OPTION...]: a conversation with $TIMESVC on the processor $CPU. Of each system
# call that it makes in the sandbox, the filter of that architecture is asked.
judged() {
    rm -f "$BATS_TEST_TMPDIR/calls"
    local START=("${BEFORE[@]}" "qemu-$CPU" -plugin "$TESTS/verify/calls.so,to=$BATS_TEST_TMPDIR/calls")
    launch "$@"
    assert_allowed
}

assert_allowed() {
    run "qemu-$CPU" "$TESTS/verify/judge-$COMPILER" <"$BATS_TEST_TMPDIR/calls"
    assert_success
}

# conversations_stay_inside CPU COMPILER PROGRAM
conversations_stay_inside() {
    local CPU=$1 COMPILER=$2 TIMESVC=$3 BEFORE=()
    judged 'send:TIME\r\nFOO\r\nQUIT\r\n' 'expect:JAM %T\r\nInvalid request\r\n' eof -- --timeout=0
    judged 'send:TIME' 'expect:JAM %T' 'send:FOO' 'expect:Invalid request' after:1 half-close eof -- -v
    judged --over pipes 'send:PROXY UNKNOWN\r\nTIME\r\n' half-close 'expect:JAM %T\r\n' eof -- --proxy
    judged 'send:TIME\r\n' 'expect:JAM %T\r\n' eof after:1 -- --timeout=1
    judged deaf:100000 exits -- --timeout=1
    judged 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof --
    # Standard error may be a file, or a pipe that nobody reads: there, a signal ends the wait.
    # shellcheck disable=SC2016 # the inner shell's to expand
    BEFORE=(bash -c 'exec "${@:2}" 2>"$1"' bash "$BATS_TEST_TMPDIR/log")
    judged 'send:TIME\r\n' 'expect:JAM %T\r\n' reset --
    rm "$BATS_TEST_TMPDIR/log"
    mkfifo "$BATS_TEST_TMPDIR/log"
    exec {log}<>"$BATS_TEST_TMPDIR/log"
    dd if=/dev/zero of="$BATS_TEST_TMPDIR/log" bs=4096 count=32 oflag=nonblock status=none || true
    judged 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof -- -v
    exec {log}>&-
}

@test "a conversation makes only calls that its sandbox allows: timesvc" {
    conversations_stay_inside "$(uname -m)" "$(gcc -print-multiarch)" "$TREE/timesvc"
}

@test "a conversation makes only calls that its sandbox allows: timesvc-static" {
    conversations_stay_inside "$(uname -m)" "$(gcc -print-multiarch)" "$TREE/timesvc-static"
}

@test "a conversation makes only calls that its sandbox allows: aarch64" {
    conversations_stay_inside aarch64 aarch64-linux-gnu "$TESTS/verify/timesvc-aarch64-linux-gnu"
}

@test "a conversation makes only calls that its sandbox allows: riscv64" {
    conversations_stay_inside riscv64 riscv64-linux-gnu "$TESTS/verify/timesvc-riscv64-linux-gnu"
}

@test "a conversation makes only calls that its sandbox allows: arm" {
    conversations_stay_inside arm arm-linux-gnueabihf "$TESTS/verify/timesvc-arm-linux-gnueabihf"
}

@test "a conversation makes only calls that its sandbox allows: i386" {
    conversations_stay_inside i386 i686-linux-gnu "$TESTS/verify/timesvc-i686-linux-gnu"
}

@test "a conversation makes only calls that its sandbox allows: s390x" {
    conversations_stay_inside s390x s390x-linux-gnu "$TESTS/verify/timesvc-s390x-linux-gnu"
}

@test "the sandbox allows the calls to the journal and to syslog, on every architecture" {
    skip_unless_root 'starts a journald in a mount namespace'
    local native cpu
    native=$(uname -m):$(gcc -print-multiarch)
    for cpu in "${CPUS[@]}"; do
        echo "$cpu:$TESTS/verify/timesvc-${cpu#*:}"
    done >"$BATS_TEST_TMPDIR/programs"
    printf '%s\n' "$native:$TREE/timesvc" "$native:$TREE/timesvc-static" >>"$BATS_TEST_TMPDIR/programs"
    cat >"$BATS_TEST_TMPDIR/each" <<'END'
while IFS=: read -r cpu compiler program; do
    for log in journal syslog; do
        rm -f calls
        echo TIME | "qemu-$cpu" -plugin "$TESTS/verify/calls.so,to=calls" "$program" "--log=$log" | grep -q JAM
        "qemu-$cpu" "$TESTS/verify/judge-$compiler" <calls
    done
done <programs
END
    cd "$BATS_TEST_TMPDIR"
    export TESTS
    run "$TESTS/isolated" bash -e each
    assert_success
    # Without a socket, the records would have come here.
    assert_output ''
}

@test "the sandbox forbids all calls but the needed, on every architecture" {
    local cpu
    for cpu in "$(uname -m):$(gcc -print-multiarch)" "${CPUS[@]}"; do
        run "qemu-${cpu%:*}" "$TESTS/verify/judge-${cpu#*:}" --all
        assert_success
    done
}

@test "a 32-bit program serves in its sandbox" {
    [ "$(uname -m)" = x86_64 ] || skip "needs a processor that runs i386 programs"
    TIMESVC=$TESTS/verify/timesvc-i686-linux-gnu
    local over
    for over in tcp pipes; do
        launch --over "$over" 'send:TIME\n' 'expect:JAM %T\r\n' pump:2000 'send:FOO' \
            'expect:Invalid request' 'send:QUIT' eof -- --sandbox=required
    done
    launch 'send:TIME\n' 'expect:JAM %T\r\n' eof after:1 -- --sandbox=required --timeout=1
    launch 'send:TIME\n' 'expect:JAM %T\r\n' signal:TERM eof -- --sandbox=required
}
