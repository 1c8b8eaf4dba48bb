#!/usr/bin/env bats
# What the program can no longer do once it talks to a client. The program under test is a
# build that does what the client says: tests/verify/forbidden.c.

load helpers

FORBIDDEN=(open socket connect sendto execve fork ptrace mmap kill)

# A status of -31 is the signal SIGSYS.
dies_by_sigsys() {
    launch --over "${OVER:-pipes}" --status -31 "send:$1\n" eof --
    assert_output ''
}

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
    local act OVER
    for OVER in pipes tcp; do
        for act in "${FORBIDDEN[@]}"; do
            dies_by_sigsys "$act"
        done
    done
}

# bats test_tags=build
@test "a handler that reads, writes, sends or shuts down what is not its to dies" {
    # The client is 0 and 1; 2 is standard error, 3 the log. Named are the first, the second and the
    # sixth argument: of sendto, that is the length of an address.
    local call
    for call in 'read '{1,2,3} 'write '{0,3} 'sendto '{0,4,'1 0 16'} 'shutdown '{0,2,3}' 1' 'shutdown 1 '{0,2}; do
        dies_by_sigsys "call $call"
    done
    # Between pipes, what is its to do fails or does nothing, and is answered.
    for call in 'read 0' 'write '{1,2} 'sendto '{1,2,3} 'shutdown 1 1'; do
        launch --over pipes "send:call $call\n" 'expect:Invalid request\r\n' --
    done
}

# bats test_tags=build
@test "what is no act is answered, without the sandbox each act is survived" {
    launch 'send:nothing\n' 'expect:Invalid request\r\n' --
    local act
    for act in open socket connect kill mmap; do
        launch "send:$act\n" 'expect:Invalid request\r\n' -- --sandbox=off
    done
}

# bats test_tags=build
@test "system calls of the other ABIs of an x86-64 kernel are as forbidden" {
    [ "$(uname -m)" = x86_64 ] || return 0 # elsewhere there is but one
    dies_by_sigsys foreign
    # getpid, of x32: bit 30.
    dies_by_sigsys "number $((0x40000000 + 39))"
}

# bats test_tags=build
@test "every other system call is forbidden" {
    [ "$(uname -m)" = x86_64 ] || return 0 # the numbers are x86-64's
    # rt_sigprocmask rt_sigreturn setitimer clock_gettime exit_group ppoll. The others that it needs
    # are forbidden, too, of descriptor -1. 335 and 336 are the kernel's own, for uprobes.
    local allowed=' 14 15 38 228 231 271 ' number
    for number in {0..334} {337..470}; do
        [[ $allowed = *" $number "* ]] || echo "number $number"
    done >"$BATS_TEST_TMPDIR/forbidden"
    # Each in a process of its own; 159 is SIGSYS, as a shell tells it.
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 --separate-stderr xargs -a "$BATS_TEST_TMPDIR/forbidden" -d '\n' -P 2 -I % bash -c '
        status=0
        "$1" <<<"$2" >/dev/null 2>&1 || status=$?
        [ "$status" -eq 159 ] || echo "$2 ended with status $status"' bash "$TIMESVC" %
    assert_output ''
}

# traced STEP... -- [OPTION...]: a conversation; its system calls go to the file $calls.
traced() {
    calls=$BATS_TEST_TMPDIR/calls
    START=(strace -D -qq -o "$calls")
    launch "$@"
}

# assert_confined: before it entered the sandbox it read nothing of the client's, behind that
# it made no call but the allowed.
assert_confined() {
    run grep -cE '^seccomp\(SECCOMP_SET_MODE_FILTER, .* = 0$' "$calls"
    assert_output 1
    run sed '/^seccomp(/,$d; /^read(0/!d' "$calls"
    assert_output ''
    run -0 bash -c "sed '1,/^seccomp(/d; s/[(].*//; /^[-+]/d' '$calls' | sort -u | grep -vxE \
        'ppoll|read|write|sendto|shutdown|clock_gettime|setitimer|rt_sigprocmask|rt_sigreturn|exit_group' || true"
    assert_output ''
}

# bats test_tags=long
@test "a conversation makes the allowed system calls alone, and reads nothing before" {
    TIMESVC=$PROGRAM
    traced 'send:TIME' 'expect:JAM %T' 'send:\r\nFOO\r\nQUI' 'expect:\r\nInvalid request\r\nInvalid request' \
        'send:\r\nQUIT\r\n' 'expect:\r\n' eof -- -v
    assert_confined
    assert_output ''
    traced --over pipes 'send:TIME\r\n' half-close 'expect:JAM %T\r\n' eof --
    assert_confined
    traced 'send:TIME\r\n' 'expect:JAM %T\r\n' eof -- -t 1
    assert_confined
    traced 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof --
    assert_confined
    traced 'send:TIME\r\n' 'expect:JAM %T\r\n' reset --
    assert_confined
    traced half-close eof -- --log=syslog
    assert_confined
    traced half-close eof -- --log=journal
    assert_confined
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
