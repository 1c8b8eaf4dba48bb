#!/usr/bin/env bats
# Other architectures, and times to come.

load helpers

# The processors, as qemu(1) names them, and their compilers' names.
FOREIGN=('aarch64 aarch64-linux-gnu' 'riscv64 riscv64-linux-gnu' 'arm arm-linux-gnueabihf'
    'i386 i686-linux-gnu' 's390x s390x-linux-gnu')
NATIVE="$(uname -m) $(gcc -print-multiarch)"

setup_file() {
    need calls.so "${FOREIGN[@]/#* /timesvc-}" "${FOREIGN[@]/#* /judge-}" "${NATIVE/#* /judge-}"
}

# programs: each of them, with its processor and its compiler.
programs() {
    local foreign
    for foreign in "${FOREIGN[@]}"; do
        echo "$foreign $TESTS/verify/timesvc-${foreign#* }"
    done
    echo "$NATIVE $TREE/timesvc"
    echo "$NATIVE $TREE/timesvc-static"
}

# judged STEP... -- [OPTION...]: a conversation with each program, started by $BEFORE. Of each
# system call that it makes in the sandbox, the filter of its architecture is asked. What all
# of them wrote to standard error is in $records.
judged() {
    local cpu compiler program calls=$BATS_TEST_TMPDIR/calls
    while read -r cpu compiler program; do
        rm -f "$calls"
        START=("${BEFORE[@]}" "qemu-$cpu" -plugin "$TESTS/verify/calls.so,to=$calls")
        TIMESVC=$program launch "$@"
        records+=$output
        run -0 "qemu-$cpu" "$TESTS/verify/judge-$compiler" <"$calls"
    done < <(programs)
}

@test "the time is right after 2038 on every architecture, 32-bit ones included" {
    # TZ is a rule, not a file's name, which the program would put in place of the environment that
    # the clock is set by.
    export TZ=UTC0 FAKETIME='@2040-02-29 03:14:08' FAKETIME_DONT_FAKE_MONOTONIC=1
    local library cpu program
    library=$(echo /usr/lib/*/faketime/libfaketime.so.1)
    while read -r cpu _ program; do
        run -0 --separate-stderr env LD_PRELOAD="$library" "qemu-$cpu" "$program" --sandbox=off \
            <<<TIME
        assert_output --regexp $'^JAM 03:14:(08|09|10)\r$'
    done < <(programs)
}

@test "on every architecture a conversation makes only calls that its sandbox allows" {
    judged 'send:TIME\r\nFOO' 'expect:JAM %T\r\nInvalid request' after:1 half-close eof -- -v
    judged --over pipes 'send:PROXY UNKNOWN\r\nTIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof -- --proxy
}

@test "on every architecture, with a client that reads nothing, or at a signal, too" {
    judged deaf:100000 exits -- --timeout=1
    judged 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof --
}

@test "on every architecture, with a log that takes nothing, too" {
    # Standard error is a full pipe: a signal ends the wait.
    local log=$BATS_TEST_TMPDIR/log
    mkfifo "$log"
    exec {full}<>"$log"
    dd if=/dev/zero of="$log" bs=4096 count=32 oflag=nonblock status=none || true
    # shellcheck disable=SC2016 # the inner shell's to expand
    BEFORE=(bash -c 'exec "${@:2}" 2>"$1"' bash "$log")
    judged 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof -- -v
    exec {full}>&-
}

@test "on every architecture, with a log that is the journal or syslog, too" {
    skip_unless_root 'starts a journald in a mount namespace'
    BEFORE=("$TESTS/isolated")
    local log records=
    for log in journal syslog; do
        judged 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof -- "--log=$log"
    done
    assert_equal "$records" '' # they would be there without a socket
}

@test "the sandbox forbids all calls but the needed, on every architecture" {
    local cpu
    for cpu in "$NATIVE" "${FOREIGN[@]}"; do
        run -0 "qemu-${cpu% *}" "$TESTS/verify/judge-${cpu#* }" --all
    done
}

@test "a 32-bit program serves in its sandbox" {
    [ "$(uname -m)" = x86_64 ] || skip "needs a processor that runs i386 programs"
    TIMESVC=$TESTS/verify/timesvc-i686-linux-gnu
    local over
    run "$TIMESVC" --version
    [ "$status" -ne 126 ] || return 0 # the kernel runs no i386 programs
    for over in tcp pipes; do
        launch --over "$over" 'send:TIME\n' 'expect:JAM %T\r\n' pump:2000 'send:FOO' \
            'expect:Invalid request' signal:TERM eof -- --sandbox=required
    done
    launch 'send:TIME\n' 'expect:JAM %T\r\n' eof after:1 -- --sandbox=required --timeout=1
}
