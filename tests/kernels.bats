#!/usr/bin/env bats
# What depends on the kernel, with $KERNEL of tests/.kernels: for each test an emulated machine with
# two processors boots it, with little but the programs, and serves a client in the end.

load helpers

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true MACHINE=$BATS_FILE_TMPDIR/machine
    local programs=(timesvc-forbidden timesvc-static-forbidden stack) files
    need "${programs[@]}"
    mkdir -p "$MACHINE"/{proc,sys,dev,tmp,run/log/journal,run/systemd/journal,usr/{bin,sbin,lib,lib64}}
    cp -a --parents /bin /sbin /lib /lib64 "$MACHINE" # links
    mapfile -t files < <(type -P bash busybox tcpserver journalctl systemd-{cat,socket-activate}
        ls /lib/systemd/systemd-journald /usr/lib/*/libsystemd.so.0)
    # shellcheck disable=SC2046 # each word is a library
    cp -L --parents "${files[@]}" $(ldd "${files[@]}" | grep -o '/[^ :]* ' | sort -u) \
        /etc/localtime "$MACHINE"
    (cd "$TREE" && cp --parents timesvc timesvc-static tests/{journal,serving.bash,supervisors.bash} \
        "${programs[@]/#/tests/verify/}" "$MACHINE")
}

# machine FUNCTION...: boot one that runs the first, with the others at hand. If the kernel panics or
# hangs, or a command fails, its last line is missing. With two threads qemu itself breaks about one
# boot of 6.12 in 100, while the kernel patches its code ("Oops: int3"): a machine that has not come to
# init is booted again, twice at most.
machine() {
    (echo '#!/usr/bin/bash' && declare -f init await ask accepting "$@" && echo "init $1") >"$MACHINE/init"
    chmod 755 "$MACHINE/init"
    (cd "$MACHINE" && find . | busybox cpio -o -H newc) >"$BATS_TEST_TMPDIR/initramfs" 2>/dev/null
    for _ in {1..3}; do
        run timeout --foreground 200 qemu-system-x86_64 -accel tcg,thread=multi -smp 2 -m 2000 \
            -nographic -nic none -no-reboot -kernel "$TESTS/.kernels/$KERNEL" \
            -initrd "$BATS_TEST_TMPDIR/initramfs" -append 'console=ttyS0 panic=-1 quiet' </dev/null
        [[ $output != *'The kernel has booted'* ]] || break
    done
    assert_line --regexp '^Linux [^ ]+ survived: JAM [0-2][0-9]:[0-5][0-9]:[0-6][0-9].$'
}

# All else is run by process 1 of the machine, which ends with the first command that fails.

init() {
    set -euo pipefail
    export PATH=/usr/bin:/usr/sbin
    /usr/bin/busybox --install -s
    trap 'echo "The end: ${FUNCNAME[*]}: $BASH_COMMAND" && poweroff -f' EXIT
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t devtmpfs dev /dev
    ln -s /proc/self/fd /dev
    stty -onlcr </dev/console
    printf '\nThe kernel has booted.\n' # below what the BIOS said
    ifconfig lo up
    ulimit -n 2048
    "$1"
    dmesg | grep -E 'BUG:|WARNING:|stall|blocked for' && exit 1
    # Not 45000, which a client of the flood may have had as its own port.
    systemd-socket-activate --accept -l 127.0.0.1:4500 /timesvc &
    await ask 4500
    echo "Linux $(uname -r) survived: $(ask 4500)"
}

# await COMMAND...: until it succeeds. It may take an emulator some time, which machine() limits.
await() {
    until "$@" >/dev/null 2>&1; do
        sleep 0.1
    done
}

# ask PORT: what TIME is answered.
ask() {
    local reply
    { printf 'TIME\r\nQUIT\r\n' >&3 && read -r reply <&3 && echo "$reply"; } 3<>"/dev/tcp/127.0.0.1/$1"
}

# accepting COMMAND...: start tcpserver with it.
accepting() {
    tcpserver -c 1024 -RHl0 127.0.0.1 4501 "$@" 2>/tmp/log &
    SERVER=$!
    await ask 4501
}

# logged: the journal has what both programs sent it, and syslog.
logged() {
    [ "$(journalctl -D /run/log/journal -o json -t timesvc | grep -o '_TRANSPORT":"[a-z]*' |
        cut -c 14- | sort | xargs)" = 'journal journal syslog syslog' ]
}

conversations() {
    local program
    tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
    mount -t cgroup2 none /sys/fs/cgroup
    ln -s /run/systemd/journal/dev-log /dev/log
    /lib/systemd/systemd-journald &
    await test -S /dev/log -a -S /run/systemd/journal/stdout
    for program in /timesvc /timesvc-static; do
        printf 'TIME\r\nQUIT\r\n' | $program 2>&1 >/tmp/replies | grep ' ended .* end=quit requests=2'
        grep '^JAM ..:..:..' /tmp/replies
        /tests/journal syslog $program >/dev/null
        /tests/journal stream $program >/dev/null
    done
    await logged
}

@test "both programs tell the time, and log to standard error, syslog and the journal" {
    machine conversations logged
}

forbidden() {
    local program act status
    for program in /tests/verify/timesvc{,-static}-forbidden; do
        [ "$($program <<<nothing)" = $'Invalid request\r' ]
        for act in open socket connect execve fork ptrace mmap kill 'read 1' 'shutdown 0 1'; do
            status=0
            $program <<<"$act" || status=$?
            [ $status = 159 ] # SIGSYS, as a shell tells it
        done
    done
}

@test "a handler that does what is forbidden dies" {
    machine forbidden
}

# With 8 filters each, as under the unit on x86-64. A client that leaves with a reply unread sends RST.
at_one_moment() {
    local end client clients
    set -m # the server and its handlers are a process group
    for end in RST KILL; do
        accepting /tests/verify/stack /timesvc-static
        (
            for client in {1..1024}; do
                exec {client}<>/dev/tcp/127.0.0.1/4501
                printf 'TIME\r\nTIME\r\n' >&$client
                clients+=("$client")
            done
            for client in "${clients[@]}"; do
                read -r <&"$client"
            done
            [ "$(grep -l 'Seccomp_filters:.8' /proc/[0-9]*/status | wc -l)" = 1024 ]
            [ $end = RST ] || kill -KILL -- -$SERVER
        )
        await eval '! pidof timesvc-static'
        [ $end = KILL ] || [ "$(grep -c end=reset /tmp/log)" = 1024 ]
        kill -KILL $SERVER || true
        wait $SERVER || true
    done
}

@test "1024 handlers may end at one moment, by RST or by SIGKILL" {
    machine at_one_moment
}

flood() {
    local _ answered
    accepting /timesvc-static
    answered=$(for _ in {1..10}; do
        for _ in {1..150}; do
            ask 4501
            : <>/dev/tcp/127.0.0.1/4501
        done &
    done | grep -c ^JAM)
    [ "$answered" = 1500 ]
}

@test "in a flood of 3000 connections, half of them silent, each client that asks is answered" {
    machine flood
}
