/*
 * What timesvc replies to TIME in other zones, now and then: reads names of zones, and
 * prints for each, and for each argument, a number of seconds since 1970, the name and
 * the reply.
 */
#define _GNU_SOURCE
#define _TIME_BITS        64
#define _FILE_OFFSET_BITS 64

#include <sys/wait.h>
#include <time.h>

static int clock_told(clockid_t clock, struct timespec *now);

#define main                      timesvc_main
#define clock_gettime(clock, now) clock_told(clock, now)
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

static long long told;

static int clock_told(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){.tv_sec = told};
    return 0;
}

static void print_replies(const char *zone, char **seconds)
{
    char reply[] = TIME_REPLY;

    setenv("TZ", zone, 1);
    clock_init(false);
    for (; *seconds; seconds++) {
        told = strtoll(*seconds, NULL, 10);
        clock_read(0, reply);
        printf("%s %.*s\n", zone, (int)strcspn(reply, TERMINATOR), reply);
    }
}

int main(int argc, char **argv)
{
    char zone[256];

    while (argc > 0 && fgets(zone, sizeof zone, stdin)) {
        zone[strcspn(zone, "\n")] = '\0';
        fflush(stdout);
        if (fork() == 0) { /* a zone is loaded once in a process */
            print_replies(zone, argv + 1);
            fflush(stdout);
            _exit(0);
        }
        wait(NULL);
    }
    return 0;
}
