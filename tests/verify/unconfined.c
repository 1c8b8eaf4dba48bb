/*
 * timesvc with a sandbox that holds nothing back, for what has to open files and map
 * memory while it runs or at its end: gcov(1) and the sanitizers.
 */
#include <sys/syscall.h>

#undef SYS_seccomp
#define SYS_seccomp SYS_sched_yield /* which always succeeds */

#ifdef COVERAGE
#define _exit dump_and_exit
#endif

#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static

#ifdef COVERAGE
/* gcov would write what it has counted at exit(3), which the program avoids. */
void __gcov_dump(void);
void dump_and_exit(int status)
{
    __gcov_dump();
    _Exit(status);
}
#endif

#ifdef FOUND
/* Where the sanitizers write to: not to standard error, which may be the peer's. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return FOUND;
}
const char *__ubsan_default_options(void)
    __attribute__((alias("__asan_default_options")));
#endif
