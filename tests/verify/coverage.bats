#!/usr/bin/env bats
# For coverage alone: faults.bats and sandbox.bats in short, for programs that make system calls
# of their own at their end, and whose sandbox is sched_yield(2), see unconfined.c.

load ../helpers

TALK=('send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof)

# with CALL ERROR WHEN [STEP...] -- [OPTION...]: that one call fails. The time zone has no file,
# so that the first read is of the client's.
with() {
    START=(env TZ=UTC0 strace -D -qq -o /dev/null -e "inject=$1:error=$2:when=$3")
    launch "${@:4}"
}

@test "reads and replies that fail" {
    local error
    for error in EINTR EAGAIN; do
        with read "$error" 1 "${TALK[@]}" --
        with read "$error" 2 'send:QUIT\r\n' eof --
        with read "$error" 1 'send:PROXY UNKNOWN\r\nQUIT\r\n' eof -- --proxy
        with sendto "$error" 1 "${TALK[@]}" --
        with write "$error" 1 --over pipes "${TALK[@]}" --
        # Of a log that was stuck only the last record is tried again.
        with write "$error" 1 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof -- --verbose
    done
    for error in EBADF EFAULT EINVAL EISDIR ENOMEM ENOBUFS ENOSPC EDQUOT EFBIG; do
        with read "$error" 1 --status 71 'send:TIME\r\n' eof --
    done
    with read EIO 2 'send:QUIT\r\n' eof --
    with read ECONNRESET 1 'send:PROXY UNKNOWN\r\nQUIT\r\n' -- --proxy
    with read EFAULT 1 --status 71 'send:PROXY UNKNOWN\r\nQUIT\r\n' -- --proxy
    with sendto EPIPE 1 'send:FOO\r\n*9000' --
}

@test "other calls that fail" {
    with ppoll EINTR 1 "${TALK[@]}" --
    # So late that the second of silence is over.
    with ppoll EINTR:delay_exit=1500000 2 'send:FOO' 'expect:Invalid request' half-close eof --
    with ppoll EFAULT 1 --status 71 'send:TIME\r\n' eof --
    with ppoll EFAULT 1 --status 71 'send:PROXY UNKNOWN\r\n' eof -- --proxy
    with ppoll EFAULT 2 --status 71 'send:QUIT\r\n' eof --
    with signalfd4 EMFILE 1 --status 71 'send:TIME\r\n' eof --
    with getpeername EINVAL 1 'send:QUIT\r\n' eof --
    with getpeername ENOTCONN 1 'send:QUIT\r\n' eof --
    with socket EMFILE 1 'send:QUIT\r\n' eof -- --log=syslog
    with sched_yield ENOSYS 1 --status 71 'send:TIME\r\n' eof -- --sandbox=required
    with sched_yield ENOSYS 1 'send:QUIT\r\n' eof --
    with sched_yield ENOSYS 1 'send:QUIT\r\n' eof -- --quiet
    with prctl EINVAL 1 'send:QUIT\r\n' eof --
}
