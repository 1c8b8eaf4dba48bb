#!/usr/bin/env bats
# Other architectures, and times to come.

load helpers

# The processors, as qemu(1) names them, and their compilers' names.
CPUS=(aarch64:aarch64-linux-gnu riscv64:riscv64-linux-gnu arm:arm-linux-gnueabihf
    i386:i686-linux-gnu s390x:s390x-linux-gnu)

# tells_in_2040 COMMAND...: on a clock that is set to then.
tells_in_2040() {
    run --separate-stderr bash -c 'printf "TIME\n" | "$@"' bash \
        env LD_PRELOAD="$(echo /usr/lib/*/faketime/libfaketime.so.1)" TZ=UTC \
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

@test "on an architecture that the sandbox does not know, the log says so" {
    START=(qemu-s390x)
    TIMESVC=$TESTS/verify/timesvc-s390x-linux-gnu
    launch 'send:QUIT\n' eof --
    assert_line --partial ' reason=Function not implemented'
    assert_line --partial ' end=quit '
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
