#!/usr/bin/env bats
# HAProxy, with examples/haproxy.cfg as it is, in front of three hosts, and a client: each a
# network namespace. To be run where mounts, network and processes are private.

load helpers
load hosts

PROXY=192.0.2.10
declare -gA HANDLER=([one]=192.0.2.11 [two]=192.0.2.12 [three]=192.0.2.13)
CLIENT=192.0.2.20

# ask COMMAND: HAProxy's answer.
ask() {
    socat - UNIX-CONNECT:/run/haproxy/admin.sock <<<"$1" 2>/dev/null
}

# is STATE NAME...: that is what HAProxy takes these servers for.
is() {
    local name
    for name in "${@:2}"; do
        ask 'show stat' | cut -d , -f 1,2,18 | grep -qxE "time,$name,$1" || return 1
    done
}

# The user and the directory that Debian's package makes.
lay_haproxy_out() {
    { cat /etc/passwd; echo 'haproxy:x:64999:64999::/nonexistent:/usr/sbin/nologin'; } \
        >"$BATS_FILE_TMPDIR/passwd"
    { cat /etc/group; echo 'haproxy:x:64999:'; } >"$BATS_FILE_TMPDIR/group"
    mount --bind "$BATS_FILE_TMPDIR/passwd" /etc/passwd
    mount --bind "$BATS_FILE_TMPDIR/group" /etc/group
    mount -t tmpfs none /var/lib
    mkdir /var/lib/haproxy /run/haproxy
}

# keep COMMAND...: run it until the end of the file, with its output in a file named OUTPUT.
keep() {
    (leash "$@") >"$BATS_FILE_TMPDIR/$OUTPUT" 2>&1 3>&- &
    SERVERS+=" $!"
}

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true SERVERS=
    local name host
    lay_network "$PROXY" "${HANDLER[@]}" "$CLIENT"
    for name in "${!HANDLER[@]}"; do
        host=${HANDLER[$name]}
        OUTPUT=$name keep ip netns exec "$host" tcpserver -RHl0 "$host" 45000 \
            "$TIMESVC" --proxy -v
        retry listens_on "$host"
    done
    lay_haproxy_out
    OUTPUT=haproxy keep ip netns exec "$PROXY" \
        "$TESTS/.superservers/haproxy/usr/sbin/haproxy" -db -f "$TREE/examples/haproxy.cfg"
    retry is UP "${!HANDLER[@]}" || { cat "$BATS_FILE_TMPDIR/haproxy" >&2; return 1; }
}

teardown_file() {
    local SERVER
    for SERVER in $SERVERS; do
        stop_serving
    done
}

# converse STEP...: the client's conversation, through the proxy.
converse() {
    run on "$CLIENT" "$TESTS/peer.py" connect "$PROXY:45000" "$@"
    assert_success
}

# ended NAME: how many conversations of the client have ended on that host.
ended() {
    grep -cE ": ended peer=$CLIENT port=[0-9]+ end=quit requests=2 invalid=0 " \
        "$BATS_FILE_TMPDIR/$1" || true
}

# ended_at_least COUNT NAME
ended_at_least() {
    [ "$(ended "$2")" -ge "$1" ]
}

# connect_for COUNT: so many conversations of the client, one after the other, with a line for
# each: when it began, and whether the time came. Or until it is ended, where COUNT is -1.
# Becomes that: to be called in a subshell.
connect_for() {
    # shellcheck disable=SC2016 # the inner shell's to expand
    exec ip netns exec "$CLIENT" timeout 60 bash -c '
        for ((n = 0; n != $2; n++)); do
            began=$EPOCHREALTIME reply=
            if exec {time}<>"/dev/tcp/$1/45000"; then
                printf "TIME\r\nQUIT\r\n" >&$time
                read -r -t 10 reply <&$time
                exec {time}>&-
            fi
            [[ $reply =~ ^JAM\ ..:..:.. ]] && echo "$began ok" || echo "$began failed"
        done' bash "$PROXY" "$1" 2>/dev/null
}

@test "connections are spread over all three hosts" {
    local name
    run -0 connect_for 60
    refute_output --partial failed
    for name in "${!HANDLER[@]}"; do
        retry ended_at_least 10 "$name"
    done
}

@test "a client that sends no terminators is served as without a proxy" {
    converse 'send:TIME' 'expect:JAM %T' 'send:\r\n' 'expect:\r\n' 'send:FOO' \
        'expect:Invalid request' 'send:QUIT' eof
}

@test "a host's log names the client, and the proxy where that asks for itself" {
    local name
    for name in "${!HANDLER[@]}"; do
        retry grep -qE ": ended peer=$CLIENT port=[0-9]+ end=quit requests=2 " \
            "$BATS_FILE_TMPDIR/$name"
        retry grep -qE ": ended peer=$PROXY port=[0-9]+ end=quit requests=2 " \
            "$BATS_FILE_TMPDIR/$name"
    done
}

# in_conversation: the host that the client converses with.
in_conversation() {
    ask 'show sess' | sed -nE "s/.* src=$CLIENT:.* srv=([a-z]+) .*/\1/p" | grep .
}

# in_no_conversation: what it had is over for HAProxy, too.
in_no_conversation() {
    ! in_conversation
}

# drain: take the host out of service that the client converses with; the file "drained" gets
# its name. The client's next connections go elsewhere.
drain() {
    local name before
    name=$(in_conversation)
    echo "$name" >"$BATS_FILE_TMPDIR/drained"
    ask "set server time/$name state drain"
    retry is DRAIN "$name"
    before=$(ended "$name")
    ! connect_for 12 | grep failed
    [ "$(ended "$name")" -eq "$before" ]
}

@test "a host that is drained finishes its conversations and gets no other" {
    export -f ask is in_conversation drain ended connect_for on retry
    export CLIENT PROXY
    retry in_no_conversation
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n' 'run:set -e; drain' \
        'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof
    local name
    name=$(<"$BATS_FILE_TMPDIR/drained")
    ask "set server time/$name state ready"
    retry is UP "$name"
}

# all_well COUNT FROM: that many conversations began later than that, and none of them failed.
all_well() {
    awk -v from="$2" -v count="$1" '$1 > from { n++; bad += $2 != "ok" }
        END { exit !(n >= count && bad == 0) }' "$BATS_TEST_TMPDIR/load"
}

@test "a host that dies in the middle of a load fails no connection, once the check has noticed" {
    connect_for -1 >"$BATS_TEST_TMPDIR/load" 3>&- &
    local load=$! noticed
    retry all_well 20 0
    ip -n "${HANDLER[two]}" link set eth0 down
    retry is DOWN two
    noticed=$EPOCHREALTIME
    retry all_well 100 "$noticed"
    kill "$load"
    wait "$load" || true
    ip -n "${HANDLER[two]}" link set eth0 up
    retry is UP two
    # The one conversation that the host had is lost with it, if there was one.
    # shellcheck disable=SC2016 # the fields are those of awk
    run -0 awk -v noticed="$noticed" '
        { late = $1 > noticed; n[late]++; bad[late] += $2 != "ok" }
        END {
            printf "%d connections after the check had noticed, %d failed; ", n[1], bad[1]
            printf "before, %d of %d\n", bad[0], n[0]
            exit bad[1] > 0 || bad[0] > 1
        }' "$BATS_TEST_TMPDIR/load"
    echo "# $output" >&3
}

@test "a conversation with a host that dies is ended within ten seconds" {
    retry in_no_conversation
    # Perhaps by RST: the client sees that it has to connect anew.
    on "$CLIENT" "$TESTS/peer.py" connect "$PROXY:45000" \
        'send:TIME\r\n' 'expect:JAM %T\r\n' some-of:x within:9.9 3>&- &
    local conversation=$! name
    retry in_conversation
    name=$(in_conversation)
    ip -n "${HANDLER[$name]}" link set eth0 down
    wait "$conversation"
    ip -n "${HANDLER[$name]}" link set eth0 up
    retry is UP "$name"
}
