#!/usr/bin/env bats
# What a real systemd does with the shipped units, installed and enabled as the README says.
# Run in a network namespace beside the container's, and beside nothing else.

load helpers
source "$TESTS/container.bash"
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export -f inside printed
    export TREE
}

teardown() {
    # What a test added to the units is taken away again.
    local added
    for added in "$SCRATCH"/root/etc/systemd/system/timesvc*.d; do
        [ -e "$added" ] || continue
        rm -r "$added"
        inside systemctl daemon-reload
        inside systemctl restart timesvc.socket
    done
}

JAM='JAM [0-2][0-9]:[0-5][0-9]:[0-6][0-9]'

# instances: those that systemd knows of, in whatever state.
instances() {
    inside systemctl list-units --all --plain --no-legend 'timesvc@*' | awk '{ print $1 }'
}

no_instance() {
    [ -z "$(instances)" ]
}

# ended WORD: how many conversations have a record that they ended so.
ended() {
    inside journalctl --no-pager --output=cat --identifier=timesvc | grep -c " end=$1 "
}

# has_ended COUNT WORD: so many have. journald may take its time.
has_ended() {
    [ "$(ended "$2")" -eq "$1" ]
}

# messages_about UNIT: what systemd itself has said about it.
messages_about() {
    inside journalctl --no-pager --output=cat _PID=1 "UNIT=$1"
}

# killed_by_sigsys: how many handlers were.
killed_by_sigsys() {
    inside journalctl --no-pager --output=cat _PID=1 | grep -cE 'code=(killed|dumped), status=31/SYS' || true
}

are_killed() {
    [ "$(killed_by_sigsys)" -eq "$1" ]
}

# unit_with LINE...: until the end of the test, the handler's unit has these as well.
unit_with() {
    mkdir -p "$SCRATCH/root/etc/systemd/system/timesvc@.service.d"
    printf '%s\n' '[Service]' "$@" >"$SCRATCH/root/etc/systemd/system/timesvc@.service.d/with.conf"
    inside systemctl daemon-reload
}

# serve_instead PROGRAM [OPTION...]: until the end of the test.
serve_instead() {
    install "$1" "$SCRATCH/root/usr/local/sbin/instead"
    unit_with ExecStart= "ExecStart=/usr/local/sbin/instead ${*:2}"
}

@test "systemd has no complaint about the units" {
    run -0 inside systemctl is-enabled timesvc.socket
    run -0 inside systemd-analyze verify --man=no timesvc.socket timesvc@1.service
    assert_output ''
    inside journalctl --no-pager --output=cat --priority=warning _PID=1 >"$BATS_TEST_TMPDIR/warnings"
    run ! grep -E 'timesvc|poll-limit' "$BATS_TEST_TMPDIR/warnings"
}

@test "nc is answered over IPv4 and IPv6" {
    local host
    for host in "$HOST" "$HOST6"; do
        run -0 bash -c "printf 'TIME\r\nQUIT\r\n' | nc -N $host 45000"
        assert_output --regexp "^$JAM"
    done
}

# journal_has TEXT: a record of timesvc's has it among its fields; it goes to $output.
journal_has() {
    output=$(inside journalctl --output=json --identifier=timesvc |
        "$TESTS/journal_fields.py" | grep -F "$1")
}

@test "the journal has the peer's address, and each other field of the record" {
    "$TESTS/peer.py" connect "$ADDRESS" 'send:FOO\r\n\r\nTIME\r\n' \
        'expect:Invalid request\r\nInvalid request\r\nJAM %T\r\n' half-close eof
    retry journal_has ' TIMESVC_INVALID=2 '
    assert_output --regexp '^5 c105066b50794c4f818e0a165c558908 ended peer=10\.45\.0\.1 .* TIMESVC_END=eof TIMESVC_INVALID=2 TIMESVC_PEER=10\.45\.0\.1 TIMESVC_PORT=[0-9]+ TIMESVC_RECEIVED=13 TIMESVC_REQUESTS=3 TIMESVC_SECONDS=[0-9.]+ TIMESVC_SENT=48$'
    "$TESTS/peer.py" connect "[$HOST6]:45000" 'send:QUIT\r\n' eof
    retry journal_has ' TIMESVC_PEER=fd45::1 '
}

@test "500 connections of every ending leave no instance behind" {
    serve_instead "$TREE/timesvc" -t 1
    local ending word before
    for ending in quit/quit eof/eof abort/reset wait/idle; do
        word=${ending#*/}
        before=$(ended "$word") || true
        run -0 "$TESTS/flood.py" burst "$ADDRESS" 500 100 "${ending%/*}"
        assert_output --partial '500 answered'
        retry no_instance
        retry has_ended $((before + 500)) "$word"
    done
    run -0 inside systemctl list-units --failed --plain --no-legend 'timesvc*'
    assert_output ''
}

@test "stopping an instance closes its conversation cleanly" {
    local instance before
    before=$(ended terminated) || true
    "$TESTS/peer.py" connect "$ADDRESS" 'send:TIME' 'expect:JAM %T' \
        "run:inside systemctl list-units --plain --no-legend 'timesvc@*' >'$BATS_TEST_TMPDIR/list'
         inside systemctl stop 'timesvc@*'" eof within:3
    read -r instance _ <"$BATS_TEST_TMPDIR/list"
    run -0 messages_about "$instance"
    assert_output --partial 'Deactivated successfully.'
    refute_output --partial 'status='
    retry no_instance
    # Not asked for by its unit: journald may look for that once the process has gone.
    retry has_ended $((before + 1)) terminated
}

@test "a handler is a user of its own, without capabilities, and confined" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    local look='cat "/proc/$(systemctl show --property=MainPID --value "timesvc@*")/status"'
    converse 'send:TIME' 'expect:JAM %T' \
        "run:inside bash -c '$look' >'$BATS_TEST_TMPDIR/status'" 'send:QUIT' eof
    run -0 sed 's/[[:space:]]\+/ /g' "$BATS_TEST_TMPDIR/status"
    local user
    user=$(inside id -u timesvc)
    assert_line "Uid: $user $user $user $user"
    assert_line 'CapEff: 0000000000000000'
    assert_line 'CapBnd: 0000000000000000'
    assert_line 'NoNewPrivs: 1'
    assert_line 'Seccomp: 2'
}

@test "systemd-analyze gives the unit an exposure of no more than 3.0" {
    run -0 inside systemd-analyze security --no-pager --threshold=30 timesvc@1.service
    run -1 inside systemd-analyze security --no-pager --threshold=20 timesvc@1.service
}

# attempts: under the unit, a shell tries what a handler has no need of, and says what it could.
attempts() {
    printf '%s\n' "echo x >/dev/udp/$SOURCE/9 && echo sent" '(:) && echo forked' \
        >"$SCRATCH/root/usr/local/sbin/attempts"
    unit_with ExecStart= 'ExecStart=/bin/bash /usr/local/sbin/attempts' "$@"
    run -0 timeout 20 nc -d "$HOST" 45000
}

@test "the unit lets a handler start no process and send no packet of its own" {
    attempts
    assert_output ''
    run -0 inside journalctl --no-pager --output=cat --identifier=bash
    assert_output --partial 'fork: Function not implemented'
    assert_output --partial 'Address family not supported'
    # The list of system calls is not all that stands in the way of packets.
    attempts SystemCallFilter= RestrictAddressFamilies=
    assert_output 'forked'
    attempts SystemCallFilter= RestrictAddressFamilies= IPAddressDeny=
    assert_output $'sent\nforked'
}

@test "a handler that does what is forbidden dies by SIGSYS, which the journal tells" {
    need timesvc-forbidden
    serve_instead "$TESTS/verify/timesvc-forbidden"
    local act before
    for act in open socket connect sendto execve fork ptrace mmap kill; do
        before=$(killed_by_sigsys)
        converse "send:$act\n" eof
        retry no_instance
        retry are_killed $((before + 1))
    done
    converse 'send:nothing\n' 'expect:Invalid request\r\n' 'send:QUIT\n' eof
}

@test "what a client sends makes no field or record of its own in the journal" {
    serve_instead "$TREE/timesvc" -v
    converse 'send:x\x1b[31m%n\x00\xff\rPRIORITY=0\rMESSAGE=evil\n' 'expect:Invalid request\r\n' \
        'send:PRIORITY=0\nMESSAGE=evil\n' 'expect:Invalid request\r\nInvalid request\r\n' \
        'send:QUIT\n' eof
    retry journal_has 'TIMESVC_REQUEST=x\x1b[31m%n\x00\xff\x0dPRIORITY=0\x0dMESSAGE=evil'
    retry journal_has 'TIMESVC_REQUEST=MESSAGE=evil'
    run -0 inside journalctl --no-pager --output=cat MESSAGE=evil
    assert_output ''
    run -0 inside journalctl --no-pager --output=cat --priority=0 --identifier=timesvc
    assert_output ''
}

@test "restarting the socket unit leaves a live conversation alone" {
    converse 'send:TIME' 'expect:JAM %T' 'run:inside systemctl restart timesvc.socket' \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "installing the files anew leaves a live conversation alone" {
    converse 'send:TIME' 'expect:JAM %T' 'run:inside make -C /root/timesvc -s install' \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "a socket unit with Accept=no is told so in the journal" {
    inside bash -c 'cd /run/systemd/system
        printf "[Socket]\nListenStream=45001\n" >mistaken.socket
        printf "[Service]\nExecStart=/usr/local/sbin/timesvc\nStandardInput=socket\n" >mistaken.service
        systemctl daemon-reload; systemctl start mistaken.socket'
    nc -z "$HOST" 45001
    retry journal_has 'fault reason=standard input is not a connection: set ListenStream= and Accept=yes (systemd)'
    assert_output --regexp '^3 '
    retry grep -q 'status=78' <(messages_about mistaken.service)
    inside systemctl stop mistaken.socket
}

@test "more connections than PollLimit lets through are not slowed down" {
    # Those beyond the source's share are refused at once, which takes no time.
    run -0 "$TESTS/flood.py" hold "$ADDRESS" 128 "$SOURCE" \
        timeout 3 "$TESTS/flood.py" burst "$ADDRESS" 600 100 quit
    assert_line --index 0 '128 answered'
}

# as_printed FILE TEXT: run the commands behind that sentence in the container, as root.
as_printed() {
    run -0 inside bash -euc "sudo() { \"\$@\"; }
$(printed "$1" "$2")"
}

@test "the commands printed for the service and its log do what they say" {
    as_printed timesvc.socket.8 'Serve now'
    local before
    before=$(ended reset) || true
    "$TESTS/peer.py" connect "$ADDRESS" 'send:TIME' 'expect:JAM %T' reset
    retry has_ended $((before + 1)) reset
    as_printed README.md '**systemd**: one command'
    assert_output --partial 'Subject: A connection to the time service ended'
    as_printed timesvc.8 '.Xr timesvc.socket 8 :'
    assert_output --regexp 'timesvc\[[0-9]+\]: ended peer=10\.45\.0\.1 '
    as_printed timesvc.socket.8 'reset:'
    assert_line --regexp 'timesvc\[[0-9]+\]: ended .* end=reset '
    as_printed timesvc.socket.8 'how many have been'
    assert_output --regexp 'Accepted: [0-9]+; Connected: 0'
}

@test "the commands printed for the end end conversations and the service" {
    # shellcheck disable=SC2016 # peer.py's shell's to expand
    converse 'send:TIME' 'expect:JAM %T' \
        'run:inside bash -c "$(printed timesvc.socket.8 "End the service")"' eof within:3
    run ! nc -z "$HOST" 45000
    inside systemctl --quiet enable --now timesvc.socket
    run -0 inside systemctl list-units --failed --plain --no-legend 'timesvc*'
    assert_output ''
}

# follow EXAMPLE: do as it says at its top, as root in the container.
follow() {
    inside bash -ec "cd /root/timesvc/examples; $(sed -n 's/^#     //p' "$TREE/examples/$1")"
}

@test "with proxy.conf and proxy-only.conf none but the proxy is served, and its client is logged" {
    ip address add 192.0.2.10/24 dev timesvc
    inside ip address add 192.0.2.11/24 dev host0
    follow proxy.conf
    follow proxy-only.conf
    run -0 "$TESTS/peer.py" connect --from 192.0.2.10 192.0.2.11:45000 \
        'send:PROXY TCP4 203.0.113.9 192.0.2.10 56324 45000\r\nTIME\r\n' 'expect:JAM %T\r\n' \
        'send:QUIT\r\n' eof
    retry journal_has 'ended peer=203.0.113.9 port=56324 end=quit requests=2'
    run -0 "$TESTS/peer.py" connect --from 192.0.2.10 192.0.2.11:45000 'send:TIME\r\n' eof
    retry journal_has 'TIMESVC_END=refused'
    # Anyone else's packets are dropped.
    run -1 nc -z -w 1 "$HOST" 45000
    # As many connections at once as there may be in all.
    run -0 inside systemctl show --property=MaxConnectionsPerSource,MaxConnections timesvc.socket
    assert_line MaxConnections=1024
    assert_line MaxConnectionsPerSource=1024

    inside rm -r /etc/systemd/system/timesvc.socket.d
    inside systemctl daemon-reload
    inside systemctl restart timesvc.socket
    ip address del 192.0.2.10/24 dev timesvc
}

# unpack PACKAGE: into the container, as if installed there.
unpack() {
    tar -c -C "$TESTS/.superservers/$1" . |
        tar -x -C "$SCRATCH/root" --no-same-owner --keep-directory-symlink
}

# serves_as_printed FILE TEXT: and what it added to the configuration is taken away again.
serves_as_printed() {
    as_printed "$1" "$2"
    retry nc -z "$HOST" 45000
    converse 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof
    rm -f "$SCRATCH/root/etc/xinetd.d/timesvc"
    : >"$SCRATCH/root/etc/inetd.conf"
}

@test "the commands printed for xinetd and inetd do what they say" {
    [ "$SUPERVISOR" = systemd-bookworm ] || return 0 # those unpacked are Debian 12's
    local lib
    lib=/usr/lib/$(gcc -print-multiarch)
    # What they need: netbase, libwrap0, libevent-2.1-7, and of procps kill(1).
    cp /etc/{protocols,services} "$SCRATCH/root/etc"
    cp -L "$lib"/lib{wrap,event-2.1}.so.* "$SCRATCH/root/$lib"
    printf '#!/bin/sh\nkill "$@"\n' >"$SCRATCH/root/usr/bin/kill"
    chmod 755 "$SCRATCH/root/usr/bin/kill"
    inside systemctl --quiet disable --now timesvc.socket
    unpack xinetd
    inside systemctl daemon-reload
    inside systemctl start xinetd
    serves_as_printed README.md '**xinetd**'
    serves_as_printed timesvc.8 'with the installed stanza:'
    inside systemctl stop xinetd
    unpack openbsd-inetd
    inside systemctl daemon-reload
    inside systemctl start inetd
    serves_as_printed README.md '**inetd**'
    serves_as_printed timesvc.8 'with the installed line:'
    inside systemctl stop inetd
    inside systemctl --quiet enable --now timesvc.socket
}
