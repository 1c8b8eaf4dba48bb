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

static time_t set_to;

#define main                      timesvc_main
#define clock_gettime(clock, now) (*(now) = (struct timespec){.tv_sec = set_to})
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

int main(int argc, char **argv)
{
    char zone[256], reply[] = TIME_REPLY;

    while (fgets(zone, sizeof zone, stdin)) {
        zone[strcspn(zone, "\n")] = '\0';
        fflush(stdout);
        if (fork() > 0) { /* a zone is loaded once in a process */
            wait(NULL);
            continue;
        }
        setenv("TZ", zone, 1);
        clock_init(false);
        for (int i = 1; i < argc; i++) {
            set_to = strtoll(argv[i], NULL, 10);
            clock_read(0, reply);
            printf("%s %.*s\n", zone, (int)strcspn(reply, TERMINATOR), reply);
        }
        fflush(stdout);
        _exit(0);
    }
    return 0;
}
