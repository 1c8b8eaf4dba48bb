/*
 * stack COMMAND...: become this command, with seven seccomp filters: timesvc adds the
 * eighth, and has as many as under its unit. These allow everything.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = 1, .filter = &allow};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (int i = 0; i < 7; i++)
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    return argc > 1 ? execvp(argv[1], argv + 1) : 64;
}
