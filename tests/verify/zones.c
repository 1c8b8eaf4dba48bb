/*
 * What timesvc replies to TIME in the zone TZ, now and then: reads times as date(1) has
 * them, @SECONDS, and prints TZ and the reply at each.
 */
#define _GNU_SOURCE
#define _TIME_BITS        64
#define _FILE_OFFSET_BITS 64

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

int main(void)
{
    char line[32], reply[] = TIME_REPLY;

    clock_init(false);
    while (fgets(line, sizeof line, stdin)) {
        told = strtoll(line + 1, NULL, 10);
        clock_read(0, reply);
        printf("%s %.*s\n", getenv("TZ"), (int)strcspn(reply, TERMINATOR), reply);
    }
    return 0;
}
