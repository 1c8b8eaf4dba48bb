/*
 * A library to preload: read(2), write(2) and send(2) that do no more than $SHORT bytes
 * at a time, as any of them may.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Without _GNU_SOURCE unistd.h has it not. */
long syscall(long number, ...);

static size_t shorter(size_t length)
{
    const char *most = getenv("SHORT");
    size_t limit = most ? strtoul(most, NULL, 10) : length;
    return length < limit ? length : limit;
}

ssize_t read(int fd, void *bytes, size_t length)
{
    return syscall(SYS_read, fd, bytes, shorter(length));
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return syscall(SYS_write, fd, bytes, shorter(length));
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    /* The log's records are datagrams: these are sent whole or not at all. */
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    size_t most = type == SOCK_STREAM ? shorter(length) : length;
    return syscall(SYS_sendto, fd, bytes, most, flags, (void *)NULL, (size_t)0);
}
