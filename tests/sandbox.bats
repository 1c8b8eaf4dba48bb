#!/usr/bin/env bats
# What the program can no longer do once it talks to a client. The program under test is a
# build that does what the client says: tests/verify/forbidden.c.

load helpers

setup_file() {
    need timesvc-forbidden timesvc-static-forbidden
}

setup() {
    PROGRAM=$TIMESVC
    case $TIMESVC in
        *-static) TIMESVC=$TESTS/verify/timesvc-static-forbidden ;;
        *) TIMESVC=$TESTS/verify/timesvc-forbidden ;;
    esac
}

# bats test_tags=build
@test "a handler on a pipe or socket that opens, connects, starts or signals anything dies" {
    local over act
    for over in pipes tcp; do
        for act in open socket connect sendto execve fork ptrace mmap kill; do
            # The signal SIGSYS.
            launch --over "$over" --status -31 "send:$act\n" eof --
            assert_output ''
        done
    done
    # It is the sandbox that it dies of.
    for act in open socket connect mmap kill; do
        launch "send:$act\n" 'expect:Invalid request\r\n' -- --sandbox=off
    done
}

# bats test_tags=build
@test "a handler that reads, writes, sends or shuts down what is not its to dies" {
    # The client is 0 and 1; 2 is standard error, 3 the log. Named are the first, the second and the
    # sixth argument: of sendto, that is the length of an address.
    local call
    for call in 'read '{1,2,3} 'write '{0,3} 'sendto '{0,4,'1 0 16'} 'shutdown '{0,2,3}' 1' \
        'shutdown 1 '{0,2}; do
        launch --over pipes --status -31 "send:$call\n" eof --
    done
    # Between pipes, what is its to do fails or does nothing, and is answered.
    for call in 'read 0' 'write '{1,2} 'sendto '{1,2,3} 'shutdown 1 1'; do
        launch --over pipes "send:$call\n" 'expect:Invalid request\r\n' --
    done
}

# bats test_tags=build
@test "every other system call is forbidden, and so are those of the other ABIs of x86-64" {
    [ "$(uname -m)" = x86_64 ] || return 0 # the numbers are x86-64's
    # rt_sigprocmask rt_sigreturn setitimer clock_gettime exit_group ppoll. The others that it needs
    # are forbidden, too, of descriptor -1. 335 and 336 are the kernel's own, for uprobes. Bit 30
    # makes getpid one of x32.
    local allowed=' 14 15 38 228 231 271 ' number
    for number in {0..334} {337..470} $((0x40000000 + 39)); do
        [[ $allowed = *" $number "* ]] || echo "number $number"
    done >"$BATS_TEST_TMPDIR/forbidden"
    # Without 32-bit calls in the kernel there is nothing to forbid: it dies by SIGSEGV.
    ! "$TIMESVC" --sandbox=off <<<foreign >/dev/null 2>&1 ||
        echo foreign >>"$BATS_TEST_TMPDIR/forbidden"
    # Each in a process of its own; 159 is SIGSYS, as a shell tells it.
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 --separate-stderr xargs -a "$BATS_TEST_TMPDIR/forbidden" -d '\n' -P 2 -I % bash -c '
        status=0
        "$1" <<<"$2" >/dev/null 2>&1 || status=$?
        [ "$status" -eq 159 ] || echo "$2 ended with status $status"' bash "$TIMESVC" %
    assert_output ''
}

# That it makes no other call inside, every test shows: it would die.
@test "a handler reads nothing of the client's before it is in the sandbox" {
    TIMESVC=$PROGRAM
    START=(strace -D -qq -o "$BATS_TEST_TMPDIR/calls")
    local option
    for option in --verbose --proxy; do
        launch 'send:PROXY UNKNOWN\r\nQUIT\r\n' half-close -- "$option"
        run -0 grep -m 1 -E '^read\(0,|^seccomp\(SECCOMP_SET_MODE_FILTER, .* = 0$' \
            "$BATS_TEST_TMPDIR/calls"
        assert_output --partial seccomp
    done
}

@test "a stopped and continued handler goes on" {
    TIMESVC=$PROGRAM
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:STOP signal:CONT \
        'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof --
}

@test "a handler of an ordinary user enters the sandbox, too" {
    TIMESVC=$PROGRAM
    [ "$(id -u)" -ne 0 ] || START=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' -- --sandbox=required
}

@test "with --sandbox=required a kernel without seccomp serves no one, with auto it does and says so" {
    TIMESVC=$PROGRAM
    START=(strace -D -qq -o /dev/null -e inject=seccomp:error=ENOSYS)
    launch --status 71 'send:TIME\r\n' eof -- --sandbox=required
    assert_output --partial 'fault peer=127.0.0.1'
    assert_output --partial 'reason=seccomp: Function not implemented'
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    assert_output --partial 'unsandboxed peer=127.0.0.1'
    assert_output --partial 'end=quit'
}
