# A real systemd, that of Debian $RELEASE, booted in a container; start() installs timesvc in it
# as a user would, and enables $UNIT. For `under`, inside `isolated`: the tests run outside the container, in
# another network namespace, and find $LEADER, the container's process 1.

# inside COMMAND...: run it in the container, and nowhere else. --root: if nspawn was started in a
# chroot, the root of the container's mount namespace is that of the machine outside.
inside() {
    [ "/proc/$LEADER/root" -ef "$SCRATCH/root" ] || { echo "process $LEADER is in no container" >&2; return 1; }
    nsenter --target "$LEADER" --all --root --wd -- env -i LC_ALL=C \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# apt WORD...: apt as a user types it, but for the answer to its question.
apt() {
    inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" 2>&1
}

# journal MATCH...: the messages in the container's journal, or else in that of `isolated`.
journal() {
    local command=(journalctl --directory=/run/log/journal)
    [ -z "${LEADER:-}" ] || command=(inside journalctl)
    "${command[@]}" --quiet --no-pager --output=cat "$@" 2>/dev/null
}

# counts COUNT COMMAND...: it prints so many lines. journald may take its time.
counts() {
    [ "$("${@:2}" | wc -l)" -eq "$1" ]
}

# as_printed FILE TEXT: as root, the commands that pages.bash finds there.
as_printed() {
    run -0 inside bash -euc "sudo() { \"\$@\"; }
$(printed "$1" "$2")"
}

# answers: a client is served.
answers() {
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof
}

# booted: the container's process 1 is the child of nspawn, in the end: the first one has helped it
# to be, and is gone. Its number goes to LEADER.
booted() {
    LEADER=$(<"/proc/$SERVER/task/$SERVER/children")
    LEADER=${LEADER%% *}
    [ -n "$LEADER" ] &&
        [[ $(inside systemctl is-system-running 2>/dev/null) =~ running|degraded ]]
}

# A cable between us and the container, with both families, and more addresses of ours.
lay_cable() {
    local host
    ip link add timesvc type veth peer name host0 netns "$LEADER"
    for host in 1 3 {11..19}; do
        ip address add "10.45.0.$host/24" dev timesvc
    done
    ip address add fd45::1/64 dev timesvc nodad
    ip link set timesvc up
    inside ip address add 10.45.0.2/24 dev host0
    inside ip address add fd45::2/64 dev host0 nodad
    inside ip link set host0 up
    inside ip link set lo up
    export HOST=10.45.0.2 HOST6=fd45::2 PORT=45000 ADDRESS=10.45.0.2:45000
    export SOURCE=10.45.0.1 OTHER_SOURCE=10.45.0.3
}

# bare: the release as it comes, booted for the first time (machine-id(5)), and reachable. With an
# empty $BPF it has no more than most containers: without bpf(2), IPAddressDeny= has no effect.
bare() {
    mkdir -p "$SCRATCH/root/"
    tar -xf "$TESTS/.roots/$RELEASE.tar" -C "$SCRATCH/root"
    rm -f "$SCRATCH/root/etc/machine-id"
    echo uninitialized >"$SCRATCH/root/etc/machine-id"
    systemd-nspawn --quiet --boot --directory="$SCRATCH/root" \
        --machine="timesvc-$RELEASE" --private-network --register=no --keep-unit --console=pipe \
        --link-journal=no --system-call-filter="${BPF-bpf}" >"$SERVER_LOG" 2>&1 3>&- </dev/null &
    SERVER=$!
    retry booted
    # As systemd sets it on a machine; by default journald's socket holds 10 records.
    nsenter --target "$LEADER" --net sysctl --quiet --write net.unix.max_dgram_qlen=512
    lay_cable
    export LEADER
}

start() {
    bare
    mkdir "$SCRATCH/root/root/timesvc"
    tar -c -C "$TREE" --exclude=.git --exclude=./tests --exclude=./timesvc \
        --exclude=./timesvc-static . | tar -x --no-same-owner -C "$SCRATCH/root/root/timesvc"
    inside make -C /root/timesvc install >"$SCRATCH/install.log" 2>&1 ||
        { cat "$SCRATCH/install.log"; return 1; }
    inside systemctl --quiet enable --now "$UNIT"
    retry nc -z "$HOST" 45000
}

# An orderly shutdown would take longer than it teaches: nspawn ends it all.
stop_serving() {
    [ -n "${SERVER:-}" ] || return 0
    kill -KILL "$LEADER" "$SERVER" 2>/dev/null || true
    wait "$SERVER" 2>/dev/null || true
}
