#!/usr/bin/env bats
# The log: one record a connection, where the operator looks.

load helpers

# in_journal COMMAND...: run it beside a journald of its own; standard error of what it starts
# may lead to that journal.
in_journal() {
    skip_unless_root 'starts a journald in a mount namespace'
    run --separate-stderr "$TESTS/isolated" "$TESTS/journal" "$@"
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
    launch 'send:TIME\r\nFOO\r\n\r\nTIME' \
        'expect:JAM %T\r\nInvalid request\r\nInvalid request\r\nJAM %T' \
        'send:TI' 'expect:Invalid request' 'send:QUIT\n' eof -- -v
    local who='^timesvc\[[0-9]+\]: ' peer=' peer=127.0.0.1 port=[0-9]+'
    assert_line --index 0 --regexp "${who}connected$peer$"
    assert_line --index 1 --regexp "${who}request$peer request=TIME$"
    assert_line --index 2 --regexp "${who}reply$peer reply=JAM ..:..:..$"
    assert_line --index 3 --regexp "${who}request$peer request=FOO$"
    assert_line --index 4 --regexp "${who}reply$peer reply=Invalid request$"
    assert_line --index 5 --regexp "${who}request$peer request=$"
    assert_line --index 7 --regexp "${who}request$peer request=TIME$"
    assert_line --index 9 --regexp "${who}request$peer request=TI$"
    assert_line --index 11 --regexp "${who}request$peer request=QUIT$"
    assert_line --index 12 --regexp "${who}ended$peer end=quit requests=6 invalid=3 "
    assert_equal "${#lines[@]}" 13
}

@test "the first 64 bytes of a request are shown as they came" {
    launch 'send:z*63' 'send:\rabc\r\n' 'expect:Invalid request\r\n' 'send:y*64' 'send:\r\n' \
        'expect:Invalid request\r\n' 'send:QUIT' eof -- -v
    assert_line --index 1 --regexp ' request=z{63}\\x0d$'
    assert_line --index 3 --regexp ' request=y{64}$'
}

@test "what a client sent is escaped, and cut, before it is logged" {
    launch 'send:\x1b[31m%n\\\x00\xff\nx\ty end=quit\r\n' 'expect:Invalid request\r\nInvalid request\r\n' \
        'send:z*1000' 'send:\r\n' 'expect:Invalid request\r\n' 'send:QUIT' eof -- -v
    assert_line --index 1 --regexp ' request=\\x1b\[31m%n\\x5c\\x00\\xff$'
    assert_line --index 3 --regexp ' request=x\\x09y\\x20end=quit$'
    assert_line --index 5 --regexp ' request=z{64}$'
}

@test "the transcript tells a request apart from its terminator" {
    launch 'dribble:TIME\r\nA\r\r\n' 'expect:JAM %T\r\nInvalid request\r\n' \
        'send:B\r' 'expect:Invalid request' 'send:\nTIME' 'expect:\r\nJAM %T' \
        'send:\rC\n' 'expect:Invalid request\r\n' 'send:D' 'expect:Invalid request' \
        'send:\r\nE\n' 'expect:\r\nInvalid request\r\n' 'send:QUIT' eof -- -v
    assert_line --index 1 --regexp ' request=TIME$'
    assert_line --index 3 --regexp ' request=A\\x0d$'
    assert_line --index 5 --regexp ' request=B\\x0d$'
    assert_line --index 9 --regexp ' request=\\x0dC$'
    assert_line --index 13 --regexp ' request=E$'
}

@test "a log that nobody reads does not hold the client up, nor a signal" {
    mkfifo "$BATS_TEST_TMPDIR/log"
    exec {log}<>"$BATS_TEST_TMPDIR/log"
    dd if=/dev/zero of="$BATS_TEST_TMPDIR/log" bs=4096 count=32 oflag=nonblock status=none || true
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(bash -c 'exec "${@:2}" 2>"$1"' bash "$BATS_TEST_TMPDIR/log")
    launch 'send:TIME\r\n*1000' 'expect:JAM %T\r\n' within:2 signal:TERM exits within:1 -- -v
    exec {log}>&-
}

# bats test_tags=long
@test "a log that is slow does not hold up a signal" {
    # It takes 4 KB each 20 ms: what is logged waits, but no record for a tenth of a second.
    cd "$BATS_TEST_TMPDIR"
    cat >slow.py <<'END'
import os, time
open("ready", "w").close()
while os.read(0, 4096):
    open("begun", "w").close()
    time.sleep(0.02)
END
    cat >start <<'END'
exec 2> >(exec python3 slow.py)
for _ in {1..500}; do [ ! -e ready ] || exec "$@"; sleep 0.02; done
END
    START=(bash start)
    launch 'send:TIME\r\n*8000' "run:timeout 5 sh -c 'until [ -e begun ]; do sleep 0.02; done'" \
        signal:TERM exits within:2 -- -v
    # As slowly as the first 107 bytes may be read, by which a header might come.
    rm ready begun
    launch 'send:PROXY UNKNOWN\r\n' 'send:\n*90' \
        "run:timeout 5 sh -c 'until [ -e begun ]; do sleep 0.02; done'" \
        signal:TERM exits within:2 -- --proxy -v
}

# soon STEP... -- COMMAND...: so quickly once in five tries, as what is too slow never is.
soon() {
    local try
    for try in {1..5}; do
        ! "$TESTS/peer.py" launch "$@" || return 0
    done
    fail "not in $try tries"
}

# as_full: $full is a pipe that takes nothing.
as_full() {
    full=$BATS_TEST_TMPDIR/log
    mkfifo "$full"
    exec {log}<>"$full"
    dd if=/dev/zero of="$full" bs=4096 count=32 oflag=nonblock status=none || true
}

@test "a log that nobody reads delays the first reply by a tenth of a second, and no other" {
    local full log
    as_full
    # shellcheck disable=SC2016 # the inner shell's to expand
    soon 'send:TIME\r\n' 'expect:JAM %T\r\n' within:0.18 -- bash -c 'exec "${@:2}" 2>"$1"' bash "$full" "$TIMESVC" -v
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(bash -c 'exec "${@:2}" 2>"$1"' bash "$full")
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:TIME\r\n*50' within:2 \
        "expect:$(printf 'JAM %%T\\r\\n%.0s' {1..50})" within:2 calm 'send:QUIT' eof -- -v
    exec {log}>&-
}

@test "handlers that share a log which nobody reads each go on" {
    # The reader makes room for one record now and then: more handlers wait for that than fit.
    cat >"$BATS_TEST_TMPDIR/share.py" <<'END'
import os, subprocess, sys, threading
read, write = os.pipe()
os.set_blocking(write, False)
while True:
    try:
        os.write(write, b'x' * 4096)
    except BlockingIOError:
        break
os.set_blocking(write, True)
ended = threading.Event()
def drip():
    while not ended.wait(0.02):
        os.read(read, 4096)
        os.write(write, b'x' * 3900)
thread = threading.Thread(target=drip, daemon=True)
thread.start()
handlers = [subprocess.Popen([*sys.argv[1:], '-v'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=write)
            for _ in range(20)]
statuses = [handler.communicate(b'TIME\nQUIT\n', timeout=5) and handler.returncode for handler in handlers]
print(statuses.count(0), 'ended')
os._exit(0)
END
    run -0 timeout 20 python3 "$BATS_TEST_TMPDIR/share.py" "$TIMESVC"
    assert_output '20 ended'
}

@test "a fault is logged even to a log that took no record before" {
    # The log is full, then read; meanwhile the transcript finds that it is stuck.
    cat >"$BATS_TEST_TMPDIR/fault.py" <<'END'
import os, subprocess, sys, time
def waits(where):
    with open(f'/proc/{handler.pid}/wchan') as wchan:
        return where in wchan.read()
read, write = os.pipe()
os.set_blocking(write, False)
while True:
    try:
        os.write(write, b'x' * 4096)
    except BlockingIOError:
        break
os.set_blocking(write, True)
handler = subprocess.Popen([sys.argv[1], '-v'], stdin=subprocess.PIPE, stdout=open('/dev/full', 'w'), stderr=write)
for _ in range(500): # until the record is given up, and requests are waited for
    if waits('poll'):
        break
    time.sleep(0.01)
os.read(read, 1 << 20)
handler.stdin.write(b'TIME\n')
handler.stdin.close()
print(handler.wait(5), os.read(read, 1 << 16).decode())
END
    run -0 timeout 20 python3 "$BATS_TEST_TMPDIR/fault.py" "$TIMESVC"
    assert_output --partial '71 timesvc['
    assert_output --partial 'fault peer=local reason=write: No space left on device'
    assert_output --partial ' end=fault '
}

@test "a journald that hangs does not hold the client up" {
    local how
    for how in journal syslog; do
        in_journal stuck "$TIMESVC" -v "--log=$how"
        assert_success
        assert_output '3000 replies, status 0'
    done
}

@test "a journald and a standard error that hang, both, delay the first reply by a tenth of a second" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    in_journal stuck-twice bash -c 'for try in 1 2 3 4 5; do
        ! "$0" launch "send:TIME\r\n" "expect:JAM %T\r\n" within:0.18 "send:TIME\r\n" "expect:JAM %T\r\n" \
            signal:TERM exits within:1 -- bash -c "exec \"\$@\" 2>/run/full" bash "$1" -v --log=journal || exit 0
    done
    exit 1' "$TESTS/peer.py" "$TIMESVC"
    assert_success
}

# --- Who the peer is

# bats test_tags=long
@test "a peer through a socketpair or pipe is named by its supervisor, else by what it is" {
    local names
    for names in REMOTE_HOST/REMOTE_PORT REMOTE_ADDR/REMOTE_PORT TCPREMOTEIP/TCPREMOTEPORT \
        SOCAT_PEERADDR/SOCAT_PEERPORT NCAT_REMOTE_ADDR/NCAT_REMOTE_PORT; do
        START=(env "${names%/*}=192.0.2.7" "${names#*/}=4711")
        launch --over pipes half-close --
        assert_output --partial ': ended peer=192.0.2.7 port=4711 end=eof'
        launch --over unix half-close --
        assert_output --partial ': ended peer=192.0.2.7 port=4711 end=eof'
    done
    for names in 0 -1 65536 x; do
        START=(env REMOTE_ADDR=192.0.2.7 "REMOTE_PORT=$names")
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
    START=(env REMOTE_HOST=192.0.2.6 REMOTE_ADDR=192.0.2.7)
    launch half-close eof --
    assert_output --partial ': ended peer=127.0.0.1 port='
    START=(env REMOTE_ADDR=192.0.2.7 REMOTE_PORT=4711)
    launch half-close eof --
    assert_output --partial ': ended peer=127.0.0.1 port='
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
[fe80::1%7] fe80::1%7
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
    # shellcheck disable=SC2016 # the inner shell's to expand
    unshared --net sh -c 'ip link set lo up
        ip address add fe80::1/64 dev lo nodad
        exec "$@"' sh "$TESTS/peer.py" launch --over linklocal half-close eof -- "$TIMESVC"
    assert_output --partial ': ended peer=fe80::1%1 port='
}

# bats test_tags=long
@test "behind the exec of stunnel the peer is the one that stunnel serves" {
    # On loopback addresses of their own: stunnel's connection is from 127.0.0.1, too.
    cd "$BATS_TEST_TMPDIR"
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -keyout key.pem -out key.pem 2>/dev/null
    choose_address
    cat >stunnel.conf <<END
foreground = yes
pid =
cert = $BATS_TEST_TMPDIR/key.pem
[timesvc]
accept = $ADDRESS
exec = $TIMESVC
execArgs = timesvc --log=stderr
END
    leash stunnel stunnel.conf >stunnel.log 2>&1 3>&- &
    local server=$!
    retry grep -q 'Configuration successful' stunnel.log
    run -0 timeout 10 socat -t 5 - "OPENSSL:$ADDRESS,verify=0,bind=127.0.0.7" <<<$'TIME\nQUIT'
    assert_output --partial 'JAM '
    retry grep -q 'ended peer=' stunnel.log
    kill "$server"
    run grep 'ended peer=' stunnel.log
    assert_output --regexp ': ended peer=127\.0\.0\.7 port=[0-9]+ end=quit '
}

# bats test_tags=bare
@test "a peer that was gone before the program started is unknown" {
    START=(strace -D -qq -o /dev/null -e inject=getpeername:error=ENOTCONN)
    launch half-close eof -- --sandbox=off
    assert_output --partial ': ended peer=unknown end=eof'
    # So is one of a family that has no address to show, such as vsock(7).
    START=(strace -D -qq -o /dev/null -e inject=getpeername:retval=0)
    launch half-close eof -- --sandbox=off
    assert_output --partial ': ended peer=unknown end=eof'
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
    in_journal stream "$TIMESVC" -v
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line '6 013e1b6091724176b4dbeb4523aa31fa connected peer=local TIMESVC_PEER=local'
    assert_line --partial 'request peer=local request=FOO\x1b TIMESVC_PEER=local TIMESVC_REQUEST=FOO\x1b'
    assert_line --regexp '^5 c105066b50794c4f818e0a165c558908 ended peer=local .* TIMESVC_END=quit TIMESVC_INVALID=1 TIMESVC_PEER=local TIMESVC_RECEIVED=18 TIMESVC_REQUESTS=3 TIMESVC_SECONDS=0\.[0-9]+ TIMESVC_SENT=31$'
}

@test "a fault is an error in the journal" {
    in_journal stream "$TIMESVC" --bogus
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^3 .*fault reason=bad usage, see timesvc --help: --bogus'
}

@test "a fault is in the journal, cut, however long the word that is wrong" {
    in_journal stream "$TIMESVC" "--$(printf %04000d 0)"
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^3 .*fault reason=bad usage, see timesvc --help: --0{300,480} '
}

@test "that standard input is closed is told to the journal, too" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    in_journal stream bash -c 'exec "$0" <&-' "$TIMESVC"
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^3 d0231a46ed2d4e21bc7da588fc811aee fault .*reason=standard input or output is closed'
}

@test "records go to syslog where standard error is the client's" {
    in_journal syslog "$TIMESVC"
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^5 - ended peer=(local|unix) end=quit requests=3 invalid=1 .* SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=timesvc$'
}

@test "records go to syslog on demand" {
    in_journal stream "$TIMESVC" --log=syslog
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^5 - ended peer=local .* SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=timesvc$'
}

# with_stream COMMAND...: start it with the $JOURNAL_STREAM that tells of its standard error.
with_stream() {
    JOURNAL_STREAM=$(stat -Lc %d:%i /dev/fd/2) exec "$@"
}

@test "records go to standard error where that is the journal's, and journald has no socket" {
    [ ! -S /run/systemd/journal/socket ] || skip 'there is a journald'
    export -f with_stream
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(bash -c 'with_stream "$@"' bash)
    launch half-close --
    assert_output --regexp '^timesvc.*: ended peer=127.* end=eof'
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(bash -c 'with_stream "$0" "$@" 2>&-')
    launch half-close --
    assert_output ''
}

@test "records go to syslog where there is no journal to take them" {
    in_journal no-journal "$TIMESVC" --log=journal
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^5 - ended peer=local end=quit .* SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=timesvc'
}

@test "records go to standard error on demand" {
    in_journal stream "$TIMESVC" --log=stderr
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^6 - timesvc.*: ended peer=local '
}

@test "a JOURNAL_STREAM that tells of another file is not standard error's" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    in_journal stream bash -c 'JOURNAL_STREAM=1:1 exec "$0"' "$TIMESVC"
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^6 - timesvc.*: ended peer=local '
}

@test "standard error is the client's only on the same file system" {
    # Two files of the same number, each on a file system of its own.
    # shellcheck disable=SC2016 # the inner shell's to expand
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
    local root=$BATS_TEST_TMPDIR
    mkdir -p "$root/usr/lib/systemd/catalog" "$root/var/lib/systemd/catalog"
    cp "$TREE/etc/catalog/timesvc.catalog" "$root/usr/lib/systemd/catalog"
    run -0 journalctl --root="$root" --update-catalog
    run -0 journalctl --root="$root" --dump-catalog c105066b50794c4f818e0a165c558908
    assert_output --partial 'Subject: A connection to the time service ended'
    # What the program says, it says with an identifier that is explained.
    in_journal stream "$TIMESVC" -v
    local said=$output
    in_journal stream "$TIMESVC" --bogus
    run python3 "$TESTS/journal_fields.py" <<<"$said"$'\n'"$output"
    local _ id kind
    while read -r _ id kind _; do
        echo "$kind"
        sed -n "/^-- $id\$/,/^-- /p" "$TREE/etc/catalog/timesvc.catalog" | grep '^Subject: '
    done <<<"$output" | paste - - | sort -u >"$BATS_TEST_TMPDIR/explained"
    run cat "$BATS_TEST_TMPDIR/explained"
    assert_output "connected	Subject: A peer connected to the time service
ended	Subject: A connection to the time service ended
fault	Subject: The time service failed
reply	Subject: The time service replied
request	Subject: The time service got a request"
}
