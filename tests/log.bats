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

@test "a journald that hangs does not hold the client up" {
    local how
    for how in journal syslog; do
        in_journal stuck "$TIMESVC" -v "--log=$how"
        assert_success
        assert_output '3000 replies, status 0'
    done
}

# --- Who the peer is

@test "a peer through a socketpair or pipe is named by its supervisor, else by what it is" {
    local names
    for names in REMOTE_ADDR/REMOTE_PORT TCPREMOTEIP/TCPREMOTEPORT \
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
    START=(env REMOTE_ADDR=192.0.2.7 REMOTE_PORT=4711)
    launch half-close eof --
    assert_output --partial ': ended peer=127.0.0.1 port='
}

@test "a name in the environment is escaped, too" {
    START=(env REMOTE_ADDR=$'evil\n\e[31m end=quit' REMOTE_PORT=)
    launch --over pipes half-close --
    assert_output --partial 'ended peer=evil\x0a\x1b[31m\x20end=quit end=eof'
}

# bats test_tags=bare
@test "a peer that was gone before the program started is unknown" {
    START=(strace -D -qq -o /dev/null -e inject=getpeername:error=ENOTCONN)
    launch half-close eof -- --sandbox=off
    assert_output --partial ': ended peer=unknown end=eof'
}

@test "an IPv4 peer on an IPv6 socket is shown as IPv4, an IPv6 peer as IPv6" {
    [ -e /proc/net/if_inet6 ] || skip 'this machine has no IPv6'
    launch --over mapped half-close eof --
    assert_output --partial ': ended peer=127.0.0.1 port='
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
    assert_line --regexp '^6 c105066b50794c4f818e0a165c558908 ended peer=local .* TIMESVC_END=quit TIMESVC_INVALID=1 TIMESVC_PEER=local TIMESVC_RECEIVED=18 TIMESVC_REQUESTS=3 TIMESVC_SECONDS=0\.[0-9]+ TIMESVC_SENT=31$'
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
    assert_line --regexp '^3 .*fault reason=bad usage, see timesvc --help: --0{126} '
}

@test "records go to syslog where standard error is the client's" {
    in_journal syslog "$TIMESVC"
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^6 - ended peer=(local|unix) end=quit requests=3 invalid=1 .* SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=timesvc$'
}

@test "records go to syslog on demand" {
    in_journal stream "$TIMESVC" --log=syslog
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^6 - ended peer=local .* SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=timesvc$'
}

@test "records go to a syslog that takes a stream, each ended by a NUL" {
    in_journal syslog-stream "$TIMESVC"
    assert_success
    assert_output --regexp '^<30>[A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8} timesvc\[[0-9]+\]: ended peer=local end=quit .*\^@$'
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
    assert_output --regexp '^<6>ended peer=127.* end=eof'
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(bash -c 'with_stream "$0" "$@" 2>&-')
    launch half-close --
    assert_output ''
}

@test "records go to syslog where there is no journal to take them" {
    in_journal no-journal "$TIMESVC" --log=journal
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^6 - ended peer=local end=quit .* SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=timesvc'
}

@test "records go to standard error on demand" {
    in_journal stream "$TIMESVC" --log=stderr
    assert_success
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --regexp '^6 - ended peer=local '
    in_journal stream "$TIMESVC" --log=stderr --wrong
    run python3 "$TESTS/journal_fields.py" <<<"$output"
    assert_line --partial '3 - fault reason=bad usage'
}

@test "the catalog explains each kind of record" {
    run -0 grep -oE '"[0-9a-f]{32}"' "$TREE/timesvc.c"
    local id
    assert_equal "${#lines[@]}" 6
    for id in "${lines[@]}"; do
        run -0 grep -c "^-- ${id//\"/}$" "$TREE/etc/catalog/timesvc.catalog"
    done
    # A catalog below a root of its own, so that the machine's is left alone.
    local root=$BATS_TEST_TMPDIR
    mkdir -p "$root/usr/lib/systemd/catalog" "$root/var/lib/systemd/catalog"
    cp "$TREE/etc/catalog/timesvc.catalog" "$root/usr/lib/systemd/catalog"
    run -0 journalctl --root="$root" --update-catalog
    run -0 journalctl --root="$root" --dump-catalog c105066b50794c4f818e0a165c558908
    assert_output --partial 'Subject: A connection to the time service ended'
}
