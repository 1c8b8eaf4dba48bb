#!/usr/bin/env bats
# For coverage alone: faults.bats and sandbox.bats in short, for programs that make system calls
# of their own at their end, and whose sandbox is sched_yield(2), see unconfined.c.

load ../helpers

# with CALL ERROR [STEP...] -- [OPTION...]: the first such call fails.
with() {
    START=(strace -D -qq -o /dev/null -e "inject=$1:error=$2:when=1")
    launch "${@:3}"
}

@test "calls that fail" {
    with poll EINTR 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof --
    with poll EFAULT --status 71 'send:TIME\r\n' eof --
    with signalfd4 EMFILE --status 71 'send:TIME\r\n' eof --
    with sendto EAGAIN 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof --
    with sendto EINTR 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof --
    with sendto EFAULT --status 71 'send:TIME\r\n' eof --
    with setitimer EINVAL 'send:QUIT\r\n' eof --
    with getpeername EINVAL 'send:QUIT\r\n' eof --
    with sched_yield ENOSYS --status 71 'send:TIME\r\n' eof -- --sandbox=required
    with sched_yield ENOSYS 'send:QUIT\r\n' eof --
    with sched_yield ENOSYS 'send:QUIT\r\n' eof -- --quiet
}
