#!/usr/bin/env bats
# What a real systemd does with the shipped units, installed and enabled as the README says.
# Run in a network namespace beside the container's, and beside nothing else.

load helpers
source "$TESTS/container.bash"
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export -f inside printed
    export TREE TESTS
}

# What a test added to the units is taken away again.
teardown() {
    rm -rf "$SCRATCH"/root/etc/systemd/system/timesvc*.d
    inside systemctl daemon-reload
    inside systemctl restart timesvc.socket
}

# journal_has TEXT: a record of timesvc's has it among its fields; it goes to $output.
journal_has() {
    output=$(inside journalctl --output=json --identifier=timesvc |
        "$TESTS/journal_fields.py" | grep -F "$1")
}

# ended WORD: the records of the conversations that ended so.
ended() {
    journal TIMESVC_END="$1"
}

instances() {
    inside systemctl list-units --all --plain --no-legend 'timesvc@*'
}

# serve_instead COMMAND [LINE...]: until the end of the test; the unit has these lines, too.
serve_instead() {
    mkdir -p "$SCRATCH/root/etc/systemd/system/timesvc@.service.d"
    printf '%s\n' '[Service]' ExecStart= "ExecStart=$1" "${@:2}" \
        >"$SCRATCH/root/etc/systemd/system/timesvc@.service.d/instead.conf"
    inside systemctl daemon-reload
}

@test "systemd has no complaint about the units" {
    run -0 inside systemd-analyze verify --man=no timesvc.socket timesvc@1.service
    assert_output ''
    run -0 journal --priority=warning _PID=1
    refute_output --regexp 'timesvc|poll-limit'
}

@test "systemd-analyze gives the unit an exposure of no more than 3.0" {
    run -0 inside systemd-analyze security --no-pager --threshold=30 timesvc@1.service
}

@test "over IPv4 and IPv6 the journal has the peer's address, and each other field of the record" {
    converse 'send:FOO\r\n\r\nTIME\r\n' 'expect:Invalid request\r\nInvalid request\r\nJAM %T\r\n' \
        half-close eof
    retry journal_has ' TIMESVC_INVALID=2 '
    assert_output --regexp '^5 c105066b50794c4f818e0a165c558908 ended peer=10\.45\.0\.1 port='
    assert_output --partial ' TIMESVC_END=eof TIMESVC_INVALID=2 TIMESVC_PEER=10.45.0.1 '
    assert_output --regexp ' TIMESVC_PORT=[0-9]+ TIMESVC_RECEIVED=13 TIMESVC_REQUESTS=3 '
    assert_output --regexp ' TIMESVC_SECONDS=[0-9.]+ TIMESVC_SENT=48$'
    ADDRESS="[$HOST6]:45000" answers
    retry journal_has ' TIMESVC_PEER=fd45::1 '
}

# told: what the journal has about connections, by timesvc and by systemd.
told() {
    journal | grep -E '^ended|timesvc@'
}

# adds COUNT: ten connections add so many of these lines.
adds() {
    local before
    before=$(told | wc -l)
    run -0 "$TESTS/flood.py" burst "$ADDRESS" 10 4 quit
    retry counts 0 instances
    inside journalctl --sync
    counts $((before + $1)) told
}

@test "a connection adds one line to the journal; with a drop-in also those of systemd" {
    adds 10
    serve_instead /usr/local/sbin/timesvc LogLevelMax=info
    adds 30
}

@test "IPv4 and IPv6 are served where net.ipv6.bindv6only is 1, too" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    inside bash -euc 'cd /proc/sys/net/ipv6; was=$(<bindv6only); echo 1 >bindv6only
        systemctl restart timesvc.socket; echo "$was" >bindv6only'
    answers
    ADDRESS="[$HOST6]:45000" answers
}

@test "500 connections of every ending leave no instance behind" {
    serve_instead '/usr/local/sbin/timesvc -t 1'
    local ending word before
    for ending in quit/quit eof/eof abort/reset wait/idle; do
        word=${ending#*/}
        before=$(ended "$word" | wc -l)
        run -0 "$TESTS/flood.py" burst "$ADDRESS" 500 50 "${ending%/*}"
        assert_output --partial '500 answered'
        retry counts 0 instances
        retry counts $((before + 500)) ended "$word"
    done
}

@test "a handler is a user of its own, without capabilities, and confined" {
    converse 'send:TIME' 'expect:JAM %T' \
        "run:handler=\$(inside systemctl show --property=MainPID --value 'timesvc@*')
         inside cat /proc/\$handler/status >'$BATS_TEST_TMPDIR/status'" 'send:QUIT' eof
    run -0 tr '\t' ' ' <"$BATS_TEST_TMPDIR/status"
    local user
    user=$(inside id -u timesvc)
    assert_line "Uid: $user $user $user $user"
    assert_line 'CapEff: 0000000000000000'
    assert_line 'CapBnd: 0000000000000000'
    assert_line 'NoNewPrivs: 1'
    assert_line 'Seccomp: 2'
}

# attempts: under the unit, a shell tries what a handler has no need of, and says what it could.
attempts() {
    printf '%s\n' "echo x >/dev/udp/$SOURCE/9 && echo sent" '(:) && echo forked' \
        >"$SCRATCH/root/usr/local/sbin/attempts"
    serve_instead '/bin/bash /usr/local/sbin/attempts' "$@"
    run -0 timeout 20 nc -d "$HOST" 45000
}

@test "the unit lets a handler start no process and send no packet of its own" {
    attempts
    assert_output ''
    run -0 journal -t bash
    assert_output --partial 'fork: Function not implemented'
    assert_output --partial 'Address family not supported'
    # The list of system calls is not all that stands in the way of packets.
    attempts SystemCallFilter= RestrictAddressFamilies=
    assert_output 'forked'
    attempts SystemCallFilter= RestrictAddressFamilies= IPAddressDeny=
    assert_output $'sent\nforked'
}

killed_by_sigsys() {
    journal _PID=1 | grep -E 'code=(killed|dumped), status=31/SYS'
}

@test "a handler that does what is forbidden dies by SIGSYS, which the journal tells" {
    need timesvc-forbidden
    install "$TESTS/verify/timesvc-forbidden" "$SCRATCH/root/usr/local/sbin"
    serve_instead /usr/local/sbin/timesvc-forbidden
    local act
    for act in open socket connect sendto execve fork ptrace mmap kill; do
        converse "send:$act\n" eof
    done
    retry counts 9 killed_by_sigsys
}

@test "what a client sends makes no field or record of its own in the journal" {
    serve_instead '/usr/local/sbin/timesvc -v'
    converse 'send:x\x1b[31m%n\x00\xff\rPRIORITY=0\rMESSAGE=evil\n' 'expect:Invalid request\r\n' \
        'send:PRIORITY=0\nMESSAGE=evil\n' 'expect:Invalid request\r\nInvalid request\r\n' \
        'send:QUIT\n' eof
    retry journal_has 'TIMESVC_REQUEST=x\x1b[31m%n\x00\xff\x0dPRIORITY=0\x0dMESSAGE=evil'
    retry journal_has 'TIMESVC_REQUEST=MESSAGE=evil'
    run -0 journal MESSAGE=evil
    assert_output ''
}

@test "a restart of the socket, and a new installation, leave a live conversation alone" {
    converse 'send:TIME' 'expect:JAM %T' 'run:inside systemctl restart timesvc.socket' \
        'send:\r\nTIME' 'expect:\r\nJAM %T' 'run:inside make -C /root/timesvc -s install' \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
    answers
}

@test "a conversation whose instance is restarted by hand goes on, and has one record" {
    converse 'send:unique\n' 'expect:Invalid request\r\n' \
        "run:! inside systemctl restart 'timesvc@*'" 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof
    retry counts 1 journal TIMESVC_RECEIVED=15
    retry counts 0 ended terminated
}

@test "a new /etc/localtime counts from the next connection on" {
    TZ=UTC converse 'send:TIME' 'expect:JAM %T' \
        'run:inside ln -sf /usr/share/zoneinfo/Asia/Jakarta /etc/localtime' \
        'send:\r\n' 'expect:\r\n' midsecond 'send:TIME' tells-now
    TZ=Asia/Jakarta converse midsecond 'send:TIME' tells-now
}

@test "however often it is restarted, the socket listens" {
    inside bash -euc 'for _ in {1..8}; do systemctl restart timesvc.socket; done'
    answers
}

@test "more connections than PollLimit lets through by default are not slowed down" {
    # Those beyond the source's share are refused at once, which takes no time.
    run -0 "$TESTS/flood.py" hold "$ADDRESS" 128 "$SOURCE" \
        timeout 5 "$TESTS/flood.py" burst "$ADDRESS" 600 100 quit
    assert_line --index 0 '128 answered'
}

# refused: how many connections systemd has counted as such.
refused() {
    inside systemctl status timesvc.socket | sed -n 's/.* Refused: //p'
}

@test "an address that has its share and asks on delays no one else, and fills no journal" {
    local at_once=8 before usual most slowest
    run -0 "$TESTS/flood.py" queue "$ADDRESS" 50 "$OTHER_SOURCE"
    read -r usual _ <<<"${lines[1]}"
    # Before 255 systemd cannot pause, and on a slow machine the pause is over when it has refused one:
    # it starts others between two that it refuses, if at all.
    [[ $SUPERVISOR != systemd-bookworm && $usual -le 20 ]] || at_once=1
    before=$(refused)
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 "$TESTS/flood.py" hold "$ADDRESS" 128 "$SOURCE" bash -c '
        "$TESTS/flood.py" burst "$ADDRESS" 30000 "$0" quit >/dev/null &
        "$TESTS/flood.py" queue "$ADDRESS" 150 "$OTHER_SOURCE"
        kill $!' $at_once
    assert_line --index 0 '128 answered'
    assert_line --index 1 '150 answered'
    read -r most slowest <<<"${lines[2]}"
    # A machine that is busy itself takes longer anyway.
    (((most <= 50 || most <= 4 * usual) && slowest <= 1000)) ||
        fail "they waited for up to $most and $slowest ms, else for $usual"
    (($(refused) > before + 100))
    run -0 journal
    refute_output --partial 'dropping connection'
}

@test "for 128 connections that read nothing the kernel holds at most 64 MB, and no unit fails" {
    run -0 "$TESTS/flood.py" deaf "$ADDRESS" 128 "$SOURCE" \
        nsenter --net="/proc/$LEADER/ns/net" ss -tmnH 'sport = :45000'
    assert_line --index 0 '128 answered'
    # skmem:(r0,rb131072,t0,tb87040,f0,w0,o0,bl0,d0), see ss(8).
    # shellcheck disable=SC2016 # awk's to expand
    run -0 awk -F '[^0-9]+' '/skmem/ { sum += $2 + $6 + $7 + $8 + $9 } END { print sum }' \
        < <(printf '%s\n' "${lines[@]}" | grep -o 'skmem.*')
    ((output <= 64 << 20)) || fail "it holds $output bytes"
    run inside systemctl list-units --failed --plain --no-legend '*timesvc*'
    assert_output ''
}

@test "the commands printed for the service and its log do what they say" {
    as_printed timesvc.socket.8 'Serve now'
    converse 'send:TIME' 'expect:JAM %T' reset
    retry journal_has ' TIMESVC_END=reset '
    as_printed README.md '**systemd**: one command'
    assert_output --partial 'Subject: A connection to the time service ended'
    as_printed timesvc.socket.8 'reset:'
    assert_line --regexp 'timesvc\[[0-9]+\]: ended .* end=reset '
    as_printed timesvc.socket.8 'how many have been'
    assert_output --regexp 'Accepted: [0-9]+; Connected: 0'
    assert_output --partial 'Listen: [::]:45000 (Stream)'
    assert_output --partial 'Active: active (listening) since '
    assert_output --partial 'Docs: man:timesvc.socket(8)'
}

@test "the commands printed for the end end conversations and the service" {
    local before
    before=$(ended terminated | wc -l)
    # shellcheck disable=SC2016 # peer.py's shell's to expand
    converse 'send:TIME' 'expect:JAM %T' \
        'run:inside bash -c "$(printed timesvc.socket.8 "End the service")"' eof within:3
    retry counts $((before + 1)) ended terminated
    retry counts 0 instances
    run ! nc -z "$HOST" 45000
}
