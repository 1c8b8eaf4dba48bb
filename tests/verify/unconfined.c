/*
 * timesvc with a sandbox that holds nothing back, for what has to open files and map
 * memory while it runs or at its end: gcov(1) and the sanitizers.
 */
#include <sys/syscall.h>

#undef SYS_seccomp
#define SYS_seccomp SYS_sched_yield /* which always succeeds */

#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static

#ifdef FOUND
/* Where the sanitizers write to: not to standard error, which may be the peer's. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return FOUND;
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return FOUND;
}
#endif
