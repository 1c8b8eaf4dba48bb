#!/usr/bin/env bats
# The sandbox, where a supervisor started the program: the build that does what the client says.

load helpers

@test "a handler under inetd that does what is forbidden dies without a reply" {
    local act
    for act in open socket connect sendto execve fork ptrace mmap kill \
        'call read 2' 'call write 0' 'call shutdown 2 1'; do
        converse "send:$act\n" eof
    done
    converse 'send:nothing\n' 'expect:Invalid request\r\n' 'send:QUIT\n' eof
}
