/*
 * floor - the least that a program can do and still look like timesvc to a client that
 * asks for the time and quits. It has no libc, knows one reply, and looks at a Q alone.
 * What it costs is the cost of the machine, the kernel and the supervisor, which nothing
 * that is started for each connection gets below.
 */

enum { READ = 0, WRITE = 1, EXIT = 60 }; /* system calls of x86-64 */

static long call(long number, long first, const char *second, long third)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}

/* Where the kernel starts it (ld's -e). Requests come whole. */
_Noreturn void floor_start(void)
{
    char requests[sizeof "TIME\r\nQUIT\r\n"] = {0};

    while (call(READ, 0, requests, sizeof requests) > 0 && requests[0] != 'Q') {
        call(WRITE, 1, "JAM 00:00:00\r\n", 14);
        if (requests[6] == 'Q')
            break;
    }
    for (;;)
        call(EXIT, 0, requests, 0);
}
