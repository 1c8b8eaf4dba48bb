/*
 * A plugin of qemu(1): each system call that the emulated program asks for, before it is
 * made, as a line "NUMBER ARGUMENT..." in a file:
 *
 *     qemu-arm -plugin tests/verify/calls.so,to=FILE PROGRAM
 *
 * qemu's -strace would not do: it shows what socketcall(2) does under the names of
 * others.
 */
#define _GNU_SOURCE /* strdup(3) */

#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1 /* that of qemu 7 and 8 */
#endif

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* From qemu-plugin.h, which Debian does not have. */
typedef void callback(uint64_t id, unsigned cpu, int64_t number, uint64_t a0, uint64_t a1,
                      uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                      uint64_t a7);
extern void qemu_plugin_register_vcpu_syscall_cb(uint64_t id, callback *called);
extern int qemu_plugin_version;
extern int qemu_plugin_install(uint64_t id, const void *info, int count,
                               const char *const *options);

int qemu_plugin_version = PLUGIN_VERSION;

static const char *file;

/* The file is opened for each line: the program closes what it did not open itself. */
static void called(uint64_t id, unsigned cpu, int64_t number, uint64_t a0, uint64_t a1,
                   uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                   uint64_t a7)
{
    FILE *to = fopen(file, "a");

    (void)id, (void)cpu, (void)a6, (void)a7;
    if (!to)
        return;
    fprintf(to, "%lld %llu %llu %llu %llu %llu %llu\n", (long long)number,
            (unsigned long long)a0, (unsigned long long)a1, (unsigned long long)a2,
            (unsigned long long)a3, (unsigned long long)a4, (unsigned long long)a5);
    fclose(to);
}

int qemu_plugin_install(uint64_t id, const void *info, int count,
                        const char *const *options)
{
    (void)info, (void)count;
    file = strdup(strchr(options[0], '=') + 1);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
