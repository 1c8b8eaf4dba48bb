/*
 * timesvc, made to attempt what its sandbox forbids: the program as it is, but that a
 * line of the peer's with the name of a call below makes that call. Numbers behind it are
 * its first, second and sixth argument; all others are 0, so that nothing comes of it.
 * "number N" makes call N. Where the sandbox holds, the process ends by SIGSYS.
 */
#define _GNU_SOURCE

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static ssize_t read_and_act(int fd, char *buffer, size_t size);

#define read(fd, buffer, size) read_and_act(fd, buffer, size)
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef read

static const struct {
    const char *name;
    long number;
} calls[] = {
    {"open", SYS_openat},   {"socket", SYS_socket}, {"connect", SYS_connect},
    {"execve", SYS_execve}, {"fork", SYS_clone},    {"ptrace", SYS_ptrace},
    {"mmap", SYS_mmap},     {"kill", SYS_kill},     {"read", SYS_read},
    {"write", SYS_write},   {"sendto", SYS_sendto}, {"shutdown", SYS_shutdown},
};

/* The way of 32-bit programs into a 64-bit x86 kernel: there, 3 is read; here, close. */
static void call_foreign(void)
{
#ifdef __x86_64__
    long result = 3;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(-1) : "memory");
#else
    abort();
#endif
}

static void act_on(const char *line)
{
    if (strncmp(line, "number ", 7) == 0)
        syscall(strtol(line + 7, NULL, 10), -1L, -1L, -1L, -1L, 0L, 0L);
    if (strcmp(line, "foreign") == 0)
        call_foreign();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const char *name = strstr(line, calls[i].name);
        char *rest = NULL;
        if (!name)
            continue;
        long first = strtol(name + strlen(calls[i].name), &rest, 10);
        long second = strtol(rest, &rest, 10), sixth = strtol(rest, &rest, 10);
        syscall(calls[i].number, first, second, 0L, 0L, 0L, sixth);
    }
}

static ssize_t read_and_act(int fd, char *buffer, size_t size)
{
    ssize_t length = read(fd, buffer, size);

    if (length > 0) {
        char line[32];
        snprintf(line, sizeof line, "%.*s", (int)length, buffer);
        line[strcspn(line, "\r\n")] = '\0';
        act_on(line);
    }
    return length;
}
