/*
 * The sandbox's filter, run as Linux would run it, on any architecture: qemu(1) emulates
 * processors, but no seccomp(2).
 *
 *     judge <CALLS   is every call that the program makes behind seccomp(2) allowed?
 *                    They come from calls.c, and have to end with the program
 *     judge --all    is every call allowed that is needed, and no other?
 */
#define main timesvc_main
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its filter is static
#undef main

#include <link.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The header of this program's own file, by the linker: it tells the architecture. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static uint32_t architecture(void)
{
    return __ehdr_start.e_machine | (sizeof(long) == 8 ? __AUDIT_ARCH_64BIT : 0) |
           (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __AUDIT_ARCH_LE : 0);
}

_Noreturn static void fail(const char *why, const struct seccomp_data *call)
{
    printf("%s: call %d (%#llx, %#llx, ..., %#llx) of architecture %#x\n", why, call->nr,
           call->args[0], call->args[1], call->args[5], call->arch);
    exit(EXIT_FAILURE);
}

static bool allows(const struct seccomp_data *call)
{
    uint32_t word = 0;

    for (size_t i = 0; i < COUNT(sandbox_filter); i++) {
        const struct sock_filter *at = &sandbox_filter[i];
        switch (at->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&word, (const char *)call + at->k, sizeof word);
            break;
        case BPF_JMP | BPF_JEQ | BPF_K: i += word == at->k ? at->jt : at->jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: i += word >= at->k ? at->jt : at->jf; break;
        case BPF_JMP | BPF_JGT | BPF_K: i += word > at->k ? at->jt : at->jf; break;
        case BPF_RET | BPF_K:
            if (at->k == SECCOMP_RET_ALLOW || at->k == SECCOMP_RET_KILL_PROCESS)
                return at->k == SECCOMP_RET_ALLOW;
            fail("neither allowed nor killed", call);
        default: fail("an instruction of a kind that this does not know", call);
        }
    }
    fail("the filter comes to no end", call);
}

/* What the sandbox is to allow. The kernel takes these arguments for an int. */
static bool is_needed(const struct seccomp_data *call)
{
    const int fd = (int)call->args[0];

    if (call->arch != architecture())
        return false;
    switch (call->nr) {
    case SYS_read: return fd == 0;
    case SYS_write: return fd == 1 || fd == 2;
    case SYS_sendto: return fd >= 1 && fd <= 3 && (int)call->args[5] == 0;
    case SYS_shutdown: return fd == 1 && (int)call->args[1] == SHUT_WR;
    case PPOLL:
    case SYS_clock_gettime:
    case SYS_setitimer:
    case SYS_rt_sigprocmask:
    case SYS_rt_sigreturn:
    case SYS_exit_group:
#ifdef SYS_clock_gettime64
    case SYS_clock_gettime64:
#endif
#ifdef SYS_sigreturn
    case SYS_sigreturn:
#endif
        return true;
    default: return false;
    }
}

/* So many numbers, with every argument that the filter could look at. */
static void judge_numbers(int first, int count, uint32_t arch)
{
    static const uint64_t words[] = {0, 1, 2, 3, 4, 1ULL << 32};
    const size_t n = COUNT(words);

    for (size_t i = 0; i < (size_t)count * n * n * n; i++) {
        const struct seccomp_data call = {
            .nr = first + (int)(i / (n * n * n)),
            .arch = arch,
            .args = {words[i % n], words[i / n % n], [5] = words[i / n / n % n]},
        };
        bool allowed = allows(&call);
        if (allowed != is_needed(&call))
            fail(allowed ? "allowed" : "forbidden", &call);
    }
}

static void judge_all(void)
{
    /* What is no number of a call: those of x32, ARM's own, the ends. */
    static const int bases[] = {0, 0x40000000, 0x0f0000, INT_MIN, -512, INT_MAX - 511};

    for (size_t i = 0; i < COUNT(bases); i++)
        judge_numbers(bases[i], 512, architecture());
    for (uint32_t bit = 1; bit != 0; bit <<= 1)
        judge_numbers(0, 512, architecture() ^ bit);
}

static bool read_call(struct seccomp_data *call)
{
    char line[256], *at = line;

    if (!fgets(line, sizeof line, stdin))
        return false;
    call->nr = (int)strtol(at, &at, 10);
    for (int i = 0; i < 6; i++)
        call->args[i] = (unsigned long)strtoull(at, &at, 10); /* qemu extends the sign */
    return true;
}

static void judge_calls(void)
{
    struct seccomp_data call = {.arch = architecture()};
    bool inside = false;

    while (read_call(&call)) {
        if (inside && !allows(&call))
            fail("forbidden", &call);
        inside = inside || call.nr == SYS_seccomp;
    }
    if (!inside || call.nr != SYS_exit_group)
        fail("the calls do not go from seccomp to exit_group", &call);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--all") == 0)
        judge_all();
    else
        judge_calls();
    return EXIT_SUCCESS;
}
