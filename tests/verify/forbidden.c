/*
 * timesvc, made to attempt what its sandbox forbids: the program as it is, but that it
 * does what the peer says. What is read, if it names an act below, is done; so is "number
 * N", where N is that of a system call, and "call NAME A B F" with the first, second and
 * sixth argument. Where the sandbox holds, the process ends by SIGSYS.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static ssize_t read_and_act(int fd, char *buffer, size_t size);

#define main                   timesvc_main
#define read(fd, buffer, size) read_and_act(fd, buffer, size)
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main
#undef read

static const struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
static const struct sockaddr *const address = (const struct sockaddr *)&nowhere;

static void act_open(void)
{
    open("/dev/null", O_RDONLY);
}

static void act_socket(void)
{
    socket(AF_UNIX, SOCK_DGRAM, 0);
}

static void act_connect(void)
{
    (void)connect(STDIN_FILENO, address, sizeof nowhere);
}

static void act_sendto(void)
{
    sendto(STDOUT_FILENO, "", 1, MSG_NOSIGNAL, address, sizeof nowhere);
}

static void act_execve(void)
{
    char *const nothing[] = {NULL};
    execve("/bin/true", nothing, nothing);
}

static void act_fork(void)
{
    if (fork() == 0)
        _exit(0);
}

static void act_ptrace(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void act_mmap(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void act_kill(void)
{
    kill(0, 0);
}

/* The way of 32-bit programs into a 64-bit x86 kernel: there, 3 is read; here, close. */
static void act_foreign(void)
{
#ifdef __x86_64__
    long result = 3;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(-1) : "memory");
#else
    abort();
#endif
}

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    {"open", act_open},       {"socket", act_socket}, {"connect", act_connect},
    {"sendto", act_sendto},   {"execve", act_execve}, {"fork", act_fork},
    {"ptrace", act_ptrace},   {"mmap", act_mmap},     {"kill", act_kill},
    {"foreign", act_foreign},
};

/* What the sandbox allows with some arguments. All others are 0: nothing comes of it. */
static void call(const char *word)
{
    static const struct {
        const char *name;
        long number;
    } calls[] = {
        {"read", SYS_read},
        {"write", SYS_write},
        {"sendto", SYS_sendto},
        {"shutdown", SYS_shutdown},
    };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        size_t length = strlen(calls[i].name);
        if (strncmp(word, calls[i].name, length) != 0)
            continue;
        char *at = NULL;
        long first = strtol(word + length, &at, 10);
        long second = strtol(at, &at, 10), sixth = strtol(at, &at, 10);
        syscall(calls[i].number, first, second, 0L, 0L, 0L, sixth);
    }
}

static void act_on(const char *word)
{
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(word, acts[i].name) == 0)
            acts[i].act();
    if (strncmp(word, "number ", 7) == 0)
        syscall(strtol(word + 7, NULL, 10), -1L, -1L, -1L, -1L, 0L, 0L);
    if (strncmp(word, "call ", 5) == 0)
        call(word + 5);
}

static ssize_t read_and_act(int fd, char *buffer, size_t size)
{
    char word[32] = "";
    ssize_t length = read(fd, buffer, size);

    if (length > 0) {
        memcpy(word, buffer,
               (size_t)length < sizeof word ? (size_t)length : sizeof word - 1);
        word[strcspn(word, "\r\n")] = '\0';
        act_on(word);
    }
    return length;
}

int main(int argc, char **argv)
{
    return timesvc_main(argc, argv);
}
