#!/usr/bin/env bats
# HAProxy, with examples/haproxy.cfg as it is, in front of three hosts, and a client: each a
# network namespace. To be run in `isolated`.

load helpers
load hosts
source "$TESTS/pages.bash"

PROXY=192.0.2.10
CLIENT=192.0.2.20

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    local name number=10
    cd "$BATS_FILE_TMPDIR" || return
    lay_network "$PROXY" 192.0.2.1{1..3} "$CLIENT"
    for name in one two three; do
        number=$((number + 1))
        on 192.0.2.$number tcpserver -RHl0 0 45000 "$TIMESVC" --proxy >$name 2>&1 3>&- &
    done
    # The user and the directories that Debian's package makes.
    mkdir upper work
    mount -t overlay none /etc -o lowerdir=/etc,upperdir=upper,workdir=work
    mount -t tmpfs none /var/lib
    useradd --system haproxy
    mkdir /var/lib/haproxy /run/haproxy
    on "$PROXY" "$TESTS/.superservers/haproxy/usr/sbin/haproxy" -db \
        -f "$TREE/examples/haproxy.cfg" >haproxy 2>&1 3>&- &
    retry listens_on "$PROXY"
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
}

# converse STEP...: the client's conversation, through the proxy.
converse() {
    run on "$CLIENT" "$TESTS/peer.py" connect "$PROXY:45000" "$@"
    assert_success
}

# set_state STATE NAME...: of these hosts, as the example says at its top.
set_state() {
    local name
    for name in "${@:2}"; do
        bash -c "$(example_commands haproxy.cfg | sed -n "/state $1/s/one/$name/p")" >/dev/null
    done
}
export TREE # for them in a `run:` of peer.py
export -f set_state example_commands

# has_ended COUNT PATTERN NAME: that host has a record of so many conversations.
has_ended() {
    [ "$(grep -cE ": ended peer=$2 " "$3")" -ge "$1" ]
}

@test "connections go to all hosts, whose logs name the client, and the proxy where that checks" {
    local name
    for _ in {1..9}; do
        converse 'send:TIME' 'expect:JAM %T' 'send:\r\n' 'expect:\r\n' 'send:QUIT' eof
    done
    for name in one two three; do
        retry has_ended 2 "$CLIENT port=[0-9]+ end=quit requests=2" $name
        retry has_ended 2 "$PROXY port=[0-9]+ end=quit requests=2" $name
    done
}

@test "a host that is drained finishes its conversation and gets no other" {
    set_state drain two three
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n' \
        "run:set -e; set_state drain one; set_state ready two
         for i in {1..5}; do '$TESTS/peer.py' connect $PROXY:45000 'send:QUIT' eof; done" \
        'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof
    retry has_ended 1 "$CLIENT .* requests=3" one
    retry has_ended 5 "$CLIENT .* requests=1" two
}

@test "a conversation with a host that dies is ended within ten seconds, others go elsewhere" {
    set_state drain two three
    set_state ready one
    # Perhaps by RST: the client sees that it has to connect anew.
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n' 'run:ip -n 192.0.2.11 link set eth0 down' \
        some-of:x within:9.9
    set_state ready two three
    retry grep -q 'Server time/one is DOWN, ' haproxy
    for _ in {1..6}; do
        converse 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof
    done
    ip -n 192.0.2.11 link set eth0 up
    retry grep -q 'Server time/one is UP, ' haproxy
}
