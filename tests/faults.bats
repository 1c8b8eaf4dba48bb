#!/usr/bin/env bats
# System calls that fail, one at a time: strace(1) puts the error in their place. It does so by
# another call, which the sandbox forbids: --sandbox=off. Run with timesvc-static, whose calls
# are its own and not its loader's.

load helpers

# The conversation of these tests: what the client sends and gets, and its record.
TALK=('send:TIME\r\n' 'expect:JAM %T\r\n' 'send:FOO\r\nTIME' 'expect:Invalid request\r\nJAM %T'
    'send:\r\nQUIT\r\n' 'expect:\r\n' eof)
RECORD=' end=quit requests=4 invalid=1 received=23 sent=45 '

# All requests at once, so that the end may come at any moment; the client gets some of the
# replies, each once and in order, and the end.
HURRY=('send:TIME\r\nFOO\r\nTIME\r\nQUIT\r\n' 'some-of:JAM %T\r\nInvalid request\r\nJAM %T\r\n')

# failing CALL ERROR WHEN STEP... -- [OPTION...]: launch; this occurrence of the call fails.
failing() {
    START=(strace -D -qq -o "$BATS_TEST_TMPDIR/calls" -e trace="$1" -e "inject=$1:error=$2:when=$3")
    launch "${@:4}" --sandbox=off
    grep -q '(INJECTED)' "$BATS_TEST_TMPDIR/calls" # an error that hit nothing would prove nothing
}

# unnoticed CALL ERROR...: whichever occurrence fails, and with whichever error, the client gets
# what it should, and so does the log.
unnoticed() {
    local count error when
    START=(strace -D -qq -o "$BATS_TEST_TMPDIR/calls")
    launch "${TALK[@]}" -- --sandbox=off
    count=$(grep -c "^$1(" "$BATS_TEST_TMPDIR/calls")
    for error in "${@:2}"; do
        for ((when = 1; when <= count; when++)); do
            failing "$1" "$error" "$when" "${TALK[@]}" --
            assert_output --partial "$RECORD"
        done
    done
}

# ends STATUS RECORD CALL ERROR...: with whichever error the call fails first, the program ends
# with this status and record.
ends() {
    local error
    for error in "${@:4}"; do
        failing "$3" "$error" 1 --status "$1" "${HURRY[@]}" --
        assert_output --regexp "$2"
    done
}

# bats test_tags=long
@test "a call that is interrupted, or to be tried again, changes nothing" {
    unnoticed read EINTR EAGAIN
    unnoticed sendto EINTR EAGAIN
    unnoticed ppoll EINTR
    local error
    for error in EINTR EAGAIN; do
        failing read "$error" 1 'send:PROXY UNKNOWN\r\nQUIT\r\n' eof -- --proxy
        assert_output --partial ' end=quit '
    done
}

@test "a wait that is interrupted goes on for what is left of it, be that nothing" {
    START=(strace -D -qq -o /dev/null -e inject=ppoll:error=EINTR:delay_exit=1500000:when=2)
    launch 'send:FOO' 'expect:Invalid request' after:1 half-close eof -- --sandbox=off
    assert_output --partial ' end=eof requests=1 invalid=1 '
}

# bats test_tags=long
@test "an error that the network reports ends the conversation, and is no fault" {
    local error
    for error in ECONNRESET ETIMEDOUT EHOSTUNREACH ENETUNREACH ECONNREFUSED EPIPE; do
        ends 0 ' end=reset ' read "$error"
        failing read "$error" 2 "${HURRY[@]}" -- # in the drain
        assert_output --partial ' end=quit '
    done
    ends 0 ' end=reset ' sendto ECONNRESET ETIMEDOUT EHOSTUNREACH ENETUNREACH EPIPE ENOTCONN \
        ECONNREFUSED ENOPROTOOPT EACCES
}

# bats test_tags=long
@test "an error of the system is a fault, with status 71" {
    ends 71 ' reason=read: ' read EBADF EFAULT EINVAL ENOMEM
    ends 71 ' reason=write: ' sendto EBADF EFAULT EINVAL ENOMEM ENOBUFS
    ends 71 ' reason=ppoll: ' ppoll EFAULT EINVAL ENOMEM
    failing ppoll ENOMEM 1+ --status 71 "${HURRY[@]}" -- # also if it stays so
    assert_output --partial ' reason=ppoll: '
    ends 71 ' reason=signalfd: ' signalfd4 EINVAL EMFILE ENFILE ENODEV ENOMEM
}

@test "a connection that cannot be read any more is not drained" {
    failing read EIO 2+ 'send:QUIT\r\n' eof 'send:x' exits within:1 --
    assert_output --partial ' end=quit '
}

# bats test_tags=long
@test "what only makes the program's start less tidy does not keep it from serving" {
    ends 0 ' end=quit ' close_range EINVAL EMFILE ENOMEM ENOSYS
    ends 0 ' end=quit ' getsockopt EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK
    ends 0 'peer=(local|unknown) end=quit ' getpeername EBADF EINVAL ENOBUFS ENOTCONN ENOTSOCK
    ends 0 ' end=quit ' open EACCES EMFILE ENFILE ENOENT ENOMEM
    ends 0 ' end=quit ' mmap EACCES EAGAIN ENFILE ENOMEM
    ends 0 ' end=quit ' setitimer EFAULT EINVAL
    ends 0 ' end=quit ' shutdown EBADF EINVAL ENOTCONN ENOTSOCK
}

# bats test_tags=long
@test "a log that fails changes neither the conversation nor the exit status" {
    local error
    for error in EAGAIN EBADF EFBIG EINTR EIO ENOSPC EPIPE; do
        failing write "$error" 1 "${TALK[@]}" --
        assert_output ''
    done
}
