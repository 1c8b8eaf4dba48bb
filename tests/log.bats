#!/usr/bin/env bats
# The log: one record a connection, where the operator looks.

# shellcheck disable=SC2016 # what the shells inside are to expand

load helpers

# in_journal HOW COMMAND...: run it beside a journald of its own, see tests/journal.
in_journal() {
    skip_unless_root 'starts a journald in a mount namespace'
    run -0 --separate-stderr "$TESTS/isolated" "$TESTS/journal" "$@"
}

# logged HOW COMMAND...: the same; $output is then what the journal got, as text.
logged() {
    in_journal "$@"
    run -0 python3 "$TESTS/journal_fields.py" <<<"$output"
}

# --- Standard error

@test "a record on standard error says who, what and how it ended" {
    launch 'send:TIME\r\nFOO\r\nTIME\r\nQUIT\r\n' \
        'expect:JAM %T\r\nInvalid request\r\nJAM %T\r\n' eof --
    assert_output --regexp '^timesvc\[[0-9]+\]: ended peer=127\.0\.0\.1 port=[0-9]+ end=quit requests=4 invalid=1 received=23 sent=45 seconds=0\.[0-9]{3}$'
}

@test "-q logs no connection, but does log a fault" {
    launch 'send:TIME\r\nFOO\r\nQUIT\r\n' 'expect:JAM %T\r\nInvalid request\r\n' eof -- -q
    assert_output ''
    run -71 bash -c "echo TIME | '$TIMESVC' --quiet 2>&1 >/dev/full"
    assert_output --partial 'fault peer=local reason=write: No space left on device'
}

@test "-v logs the connection, each request and each reply" {
    launch 'send:TIME\r\nFOO\r\n\r\nTI' \
        'expect:JAM %T\r\nInvalid request\r\nInvalid request\r\nInvalid request' \
        'send:QUIT\n' eof -- -v
    run sed -E 's/^timesvc\[[0-9]+\]: (\w+) peer=127\.0\.0\.1 port=[0-9]+/\1/
        s/..:..:..$/hh:mm:ss/; s/ received=.*//' <<<"$output"
    assert_output 'connected
request request=TIME
reply reply=JAM hh:mm:ss
request request=FOO
reply reply=Invalid request
request request=
reply reply=Invalid request
request request=TI
reply reply=Invalid request
request request=QUIT
ended end=quit requests=5 invalid=3'
}

@test "what a client sent is escaped, and cut to 64 bytes, before it is logged" {
    launch 'send:\x1b[31m%n\\\x00\xff\nx\ty end=quit\r\n' 'send:z*63' 'send:\rabc\r\n' \
        'send:y*64' 'send:\r\n' 'send:x*1000' 'send:\r\nQUIT\n' \
        "expect:$(printf 'Invalid request\\r\\n%.0s' {1..5})" eof -- -v
    run sed -n 's/.* request=//p' <<<"$output"
    assert_output --regexp '^\\x1b\[31m%n\\x5c\\x00\\xff
x\\x09y\\x20end=quit
z{63}\\x0d
y{64}
x{64}
QUIT$'
}

@test "the transcript tells a request apart from its terminator" {
    launch 'dribble:TIME\r\nA\r\r\n' 'expect:JAM %T\r\nInvalid request\r\n' \
        'send:B\r' 'expect:Invalid request' 'send:\nTIME' 'expect:\r\nJAM %T' \
        'send:\rC\n' 'expect:Invalid request\r\n' 'send:D' 'expect:Invalid request' \
        'send:\r\nE\n' 'expect:\r\nInvalid request\r\n' 'send:QUIT' eof -- -v
    run sed -n 's/.* request=//p' <<<"$output"
    assert_output $'TIME\nA\\x0d\nB\\x0d\nTIME\n\\x0dC\nD\nE\nQUIT'
}

# bats test_tags=long
@test "a log that is slow does not hold up a signal" {
    # It takes 4 KB each 20 ms: what is logged waits, but no record for a tenth of a second.
    cd "$BATS_TEST_TMPDIR"
    START=(python3 -c 'import os, sys, time
read, write = os.pipe()
if os.fork():
    os.dup2(write, 2)
    os.execv(sys.argv[1], sys.argv[1:])
os.close(write)
while os.read(read, 4096):
    open("begun", "w").close()
    time.sleep(0.02)')
    export -f retry
    launch 'send:TIME\r\n*8000' 'run:retry test -e begun' signal:TERM exits within:2 -- -v
}

# full_log: standard error is $FULL, a pipe that takes nothing.
full_log() {
    FULL=$BATS_TEST_TMPDIR/log
    mkfifo "$FULL"
    exec {log}<>"$FULL" # until the test ends
    dd if=/dev/zero of="$FULL" bs=4096 count=32 oflag=nonblock status=none || true
    START=(bash -c 'exec "${@:2}" 2>"$1"' bash "$FULL")
}

@test "a log that nobody reads delays the first reply by a tenth of a second, and nothing else" {
    BATS_TEST_RETRIES=30 # what is too slow never is quick, a busy machine is in the end
    full_log
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' within:0.18 'send:TIME\r\n*50' within:2 \
        "expect:$(printf 'JAM %%T\\r\\n%.0s' {1..50})" within:2 calm \
        'send:TIME\r\n*1000' signal:TERM exits within:1 -- -v
}

# bats test_tags=bare
@test "handlers that share a log which nobody reads each go on" {
    full_log
    # A reader makes room for one record now and then: more handlers wait for that than fit.
    run -0 timeout 20 bash -c '
        while head -c 4096 >/dev/null; do printf %03900d 0 >&0; sleep 0.02; done <>"$1" &
        seq 20 | xargs -P 20 -I % timeout 5 sh -c "printf \"TIME\nQUIT\n\" | \"$2\" -v 2>\"$1\"" |
            grep -c "^JAM "
        kill "$!"' bash "$FULL" "$TIMESVC"
    assert_output 20
}

@test "a fault is logged even to a log that took no record before" {
    full_log
    START+=(bash -c 'exec "$@" >/dev/full' bash)
    # It is read once the transcript has found that it is stuck.
    launch --over pipes --status 71 pause:0.5 \
        "run:dd if='$FULL' of=/dev/null iflag=nonblock status=none || true" \
        'send:TIME\n' exits -- -v
    run dd if="$FULL" iflag=nonblock status=none
    assert_output --partial 'fault peer=local reason=write: No space left on device'
    assert_output --partial ' end=fault '
}

@test "a journald that hangs does not hold the client up" {
    local where
    for where in journal syslog; do
        in_journal stuck "$TIMESVC" -v "--log=$where"
        assert_output '3000 replies, status 0'
    done
}

@test "a journald and a standard error that hang, both, delay the first reply by a tenth of a second" {
    BATS_TEST_RETRIES=30 # what is too slow never is quick, a busy machine is in the end
    in_journal stuck-twice "$TESTS/peer.py" launch 'send:TIME\r\n' 'expect:JAM %T\r\n' within:0.18 \
        'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM exits within:1 -- \
        bash -c 'exec "$0" -v --log=journal 2>/run/full' "$TIMESVC"
}

# --- Who the peer is

# bats test_tags=long
@test "a peer through a socketpair or pipe is named by its supervisor, else by what it is" {
    local names over port
    for names in REMOTE_HOST/REMOTE_PORT REMOTE_ADDR/REMOTE_PORT TCPREMOTEIP/TCPREMOTEPORT \
        SOCAT_PEERADDR/SOCAT_PEERPORT NCAT_REMOTE_ADDR/NCAT_REMOTE_PORT; do
        START=(env "${names%/*}=192.0.2.7" "${names#*/}=4711")
        for over in pipes unix; do
            launch --over "$over" half-close --
            assert_output --partial ': ended peer=192.0.2.7 port=4711 end=eof'
        done
    done
    for port in 0 -1 65536 x; do
        START=(env REMOTE_ADDR=192.0.2.7 "REMOTE_PORT=$port")
        launch --over pipes half-close --
        assert_output --partial ': ended peer=192.0.2.7 end=eof'
    done
    START=(env REMOTE_ADDR= TCPREMOTEIP=192.0.2.8)
    launch --over pipes half-close --
    assert_output --partial ': ended peer=192.0.2.8 end=eof'
    START=()
    launch --over pipes half-close --
    assert_output --partial ': ended peer=local end=eof'
    launch --over unix half-close --
    assert_output --partial ': ended peer=unix end=eof'
}

@test "a TCP peer is named by the connection, not by the environment" {
    local variable
    for variable in REMOTE_HOST=192.0.2.6 REMOTE_PORT=4711; do
        START=(env REMOTE_ADDR=192.0.2.7 "$variable")
        launch half-close eof --
        assert_output --partial ': ended peer=127.0.0.1 port='
    done
}

# bats test_tags=long
@test "an address in the environment is shown like any other" {
    local name shown
    while read -r name shown; do
        START=(env "SOCAT_PEERADDR=$name" SOCAT_PEERPORT=4711)
        launch --over unix half-close --
        assert_output --partial ": ended peer=$shown port=4711 end=eof"
    done <<'END'
[0000:0000:0000:0000:0000:ffff:7f00:0001] 127.0.0.1
::ffff:192.0.2.7 192.0.2.7
[2001:0db8:0000:0000:0000:0000:0000:0001] 2001:db8::1
fe80::1%lo fe80::1%1
[fe80::1%17] fe80::1%17
END
}

# bats test_tags=long
@test "what is no address in the environment is no peer" {
    local name
    for name in $'evil\n\e[31m end=quit' '' example.org 1.2.3 '[::1' ::1::1; do
        START=(env "TCPREMOTEIP=$name" TCPREMOTEPORT=4711 NCAT_REMOTE_ADDR=192.0.2.9)
        launch --over pipes half-close --
        assert_output --regexp ': ended peer=(192\.0\.2\.9|::1 port=4711) end=eof'
        refute_output --partial evil
    done
}

# unshared OPTION... COMMAND...: in namespaces of its own, which not everyone may make everywhere.
unshared() {
    local as=()
    [ "$(id -u)" -eq 0 ] || as=(--user --map-root-user)
    unshare "${as[@]}" --net true 2>/dev/null || skip 'no namespace can be made here'
    run -0 unshare "${as[@]}" "$@"
}

@test "a link-local peer is shown with the number of its interface" {
    [ -e /proc/net/if_inet6 ] || skip 'this machine has no IPv6'
    START=()
    unshared --net sh -c 'busybox ip link set lo up
        busybox ip address add fe80::1/64 dev lo
        exec "$@"' sh "$TESTS/peer.py" launch --over linklocal half-close eof -- "$TIMESVC"
    assert_output --partial ': ended peer=fe80::1%1 port='
}

@test "a TCP peer on this host is the one that REMOTE_HOST and REMOTE_PORT name: stunnel's client" {
    START=(env REMOTE_HOST=192.0.2.6 REMOTE_PORT=4711)
    launch half-close eof --
    assert_output --partial ': ended peer=192.0.2.6 port=4711 end=eof'
}

# bats test_tags=bare
@test "a peer that was gone before the program started is unknown" {
    # So is one of a family that has no address to show, such as vsock(7).
    local how
    for how in error=ENOTCONN retval=0; do
        START=(strace -D -qq -o /dev/null -e "inject=getpeername:$how")
        launch half-close eof -- --sandbox=off
        assert_output --partial ': ended peer=unknown end=eof'
    done
}

@test "an IPv4 peer on an IPv6 socket is shown as IPv4, an IPv6 peer as IPv6" {
    [ -e /proc/net/if_inet6 ] || skip 'this machine has no IPv6'
    launch --over mapped half-close eof --
    assert_output --partial ': ended peer=127.0.0.1 port='
    # Not by the variables of stunnel, which is on this host and comes from 127.0.0.1.
    START=(env REMOTE_HOST=192.0.2.6 REMOTE_PORT=4711)
    launch --over tcp6 half-close eof --
    assert_output --partial ': ended peer=::1 port='
}

# --- The journal and syslog

@test "in the journal each record has its fields" {
    logged stream "$TIMESVC" -v
    assert_line '5 013e1b6091724176b4dbeb4523aa31fa connected peer=local TIMESVC_PEER=local'
    assert_line --partial 'request peer=local request=FOO\x1b TIMESVC_PEER=local TIMESVC_REQUEST=FOO\x1b'
    assert_line --regexp '^5 c105066b50794c4f818e0a165c558908 ended peer=local .* TIMESVC_END=quit TIMESVC_INVALID=1 TIMESVC_PEER=local TIMESVC_RECEIVED=18 TIMESVC_REQUESTS=3 TIMESVC_SECONDS=0\.[0-9]+ TIMESVC_SENT=31$'
}

@test "a fault is an error in the journal, cut, however long the word that is wrong" {
    logged stream "$TIMESVC" --bogus
    assert_line --regexp '^3 .*fault reason=bad usage, see timesvc --help: --bogus'
    logged stream "$TIMESVC" "--$(printf %04000d 0)"
    assert_line --regexp '^3 .*fault reason=bad usage, see timesvc --help: --0{300,480} '
}

# bats test_tags=bare
@test "that standard input is closed is told to the journal, too" {
    logged stream bash -c 'exec "$0" <&-' "$TIMESVC"
    assert_line --regexp '^3 d0231a46ed2d4e21bc7da588fc811aee fault .*reason=standard input or output is closed'
}

# bats test_tags=bare
@test "records go to syslog where standard error is the client's, or closed, and on demand" {
    local record='^5 - ended peer=(local|unix) end=quit requests=3 invalid=1 .*'
    record+=' SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=timesvc$'
    logged syslog "$TIMESVC"
    assert_line --regexp "$record"
    logged syslog bash -c 'exec "$0" 2>&-' "$TIMESVC"
    assert_line --regexp "$record"
    logged stream "$TIMESVC" --log=syslog
    assert_line --regexp "$record"
}

@test "records go to the journal on demand, even if standard error is closed, or else to syslog" {
    logged syslog bash -c 'exec "$0" --log=journal 2>&-' "$TIMESVC"
    assert_line --regexp '^5 c105066b50794c4f818e0a165c558908 ended peer=local '
    logged no-journal "$TIMESVC" --log=journal
    assert_line --regexp '^5 - ended peer=local end=quit .* SYSLOG_IDENTIFIER=timesvc$'
}

@test "records go to standard error where that is the journal's, and journald has no socket" {
    [ ! -S /run/systemd/journal/socket ] || skip 'there is a journald'
    START=(bash -c 'JOURNAL_STREAM=$(stat -Lc %d:%i /dev/fd/2) exec "$@"' bash)
    launch half-close --
    assert_output --regexp '^timesvc.*: ended peer=127.* end=eof'
}

@test "records go to standard error on demand, and where JOURNAL_STREAM tells of another file" {
    logged stream "$TIMESVC" --log=stderr
    assert_line --regexp '^6 - timesvc.*: ended peer=local '
    logged stream bash -c 'JOURNAL_STREAM=1:1 exec "$0"' "$TIMESVC"
    assert_line --regexp '^6 - timesvc.*: ended peer=local '
}

@test "standard error is the client's only on the same file system" {
    # Two files of the same number, each on a file system of its own.
    unshared --mount sh -c 'cd "$1"
        mkdir one two
        mount -t tmpfs none one
        mount -t tmpfs none two
        echo TIME >one/file
        : >two/file
        "$2" <one/file >/dev/null 2>two/file
        stat -c %i one/file two/file
        cat two/file' sh "$BATS_TEST_TMPDIR" "$TIMESVC"
    assert_equal "${lines[0]}" "${lines[1]}"
    assert_line --index 2 --partial ': ended peer=local end=eof'
}

@test "the catalog explains each kind of record" {
    # A catalog below a root of its own, so that the machine's is left alone.
    local root=$BATS_TEST_TMPDIR said id kind
    mkdir -p "$root"/{usr,var}/lib/systemd/catalog
    cp "$TREE/etc/catalog/timesvc.catalog" "$root/usr/lib/systemd/catalog"
    journalctl --root="$root" --update-catalog
    logged stream "$TIMESVC" -v
    said=$output
    logged stream "$TIMESVC" --bogus
    while read -r _ id kind _; do
        echo "$kind: $(journalctl --root="$root" --dump-catalog "$id" | sed -n 's/^Subject: //p')"
    done <<<"$said"$'\n'"$output" | sort -u >"$BATS_TEST_TMPDIR/explained"
    run cat "$BATS_TEST_TMPDIR/explained"
    assert_output 'connected: A peer connected to the time service
ended: A connection to the time service ended
fault: The time service failed
reply: The time service replied
request: The time service got a request'
}
