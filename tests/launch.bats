#!/usr/bin/env bats
# What a supervisor may hand over, in descriptors, environment and arguments; exit statuses.

load helpers

# tells ZONE [OPTION...]: the program's TIME is the time in that zone.
tells() {
    local zone=$1 began ended second
    shift
    began=$(date +%s)
    run --separate-stderr bash -c 'printf "TIME\n" | "$@"' bash "${START[@]}" "$TIMESVC" "$@"
    ended=$(date +%s)
    assert_success
    for ((second = began; second <= ended; second++)); do
        [ "$output" != "JAM $(TZ=$zone date --date="@$second" +%T)"$'\r' ] || return 0
    done
    fail "got $output, and it is $(TZ=$zone date +%T)"
}

# --- Descriptors

# bats test_tags=long
@test "the conversation goes over a TCP socket, a socketpair and pipes" {
    local over
    for over in tcp unix pipes; do
        launch --over "$over" 'send:TIME\r\nFOO' 'expect:JAM %T\r\nInvalid request' \
            'send:QUIT' eof --
    done
}

@test "the conversation goes over files" {
    printf 'TIME\nFOO\nTIME' >"$BATS_TEST_TMPDIR/requests"
    "$TIMESVC" <"$BATS_TEST_TMPDIR/requests" >"$BATS_TEST_TMPDIR/replies"
    run cat "$BATS_TEST_TMPDIR/replies"
    assert_output --regexp $'^JAM ..:..:..\r\nInvalid request\r\nJAM ..:..:..$'
}

@test "a person at a terminal is told what to type" {
    run script --quiet --return --command "'$TIMESVC'" /dev/null < <(printf 'QUIT\n')
    assert_line --partial 'timesvc: type TIME or QUIT, and Enter'
    run script --quiet --return --command "'$TIMESVC' 2>/dev/null" /dev/null < <(printf 'QUIT\n')
    refute_output --partial 'type TIME'
}

@test "the conversation goes over a terminal" {
    run script --quiet --return --command "'$TIMESVC'" /dev/null < <(printf 'TIME\nQUIT\n')
    assert_success
    assert_output --regexp 'JAM [0-9:]{8}'
    assert_output --partial 'ended peer=local end=quit requests=2'
}

# bats test_tags=long
@test "an inherited O_NONBLOCK changes nothing" {
    local over
    for over in tcp unix pipes; do
        launch --nonblock yes --over "$over" pump:100000 'send:FOO' 'expect:Invalid request' \
            after:1 'send:QUIT' eof --
    done
}

@test "a closed standard error changes nothing for the client" {
    launch --stderr closed 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof -- -v
}

# bats test_tags=bare
@test "inherited descriptors are closed" {
    exec {extra}</dev/null
    coproc PROGRAM { exec "$TIMESVC" 2>/dev/null; }
    local program=$PROGRAM_PID
    exec {extra}<&-
    echo TIME >&"${PROGRAM[1]}"
    read -r -t 10 <&"${PROGRAM[0]}"
    run ls "/proc/$program/fd"
    assert_output $'0\n1\n2\n3'
    run readlink "/proc/$program/fd/3"
    assert_output 'anon_inode:[signalfd]'
    echo QUIT >&"${PROGRAM[1]}"
    wait "$program"
}

@test "LISTEN_FDS that are none, or of no process, are not taken" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(sh -c 'LISTEN_PID=$$ LISTEN_FDS=0 exec "$@"' sh)
    launch 'send:TIME' 'expect:JAM %T' half-close eof --
    START=(env LISTEN_PID=1)
    launch 'send:TIME' 'expect:JAM %T' half-close eof --
}

# beside_listen_fds PID COUNT: start the program with these LISTEN_FDS, and a descriptor 3 that
# is a connection, but one whose peer is gone. PID may tell of the program's own number, by %d.
beside_listen_fds() {
    START=(python3 -c 'import os, socket, sys
ours, theirs = socket.socketpair()
ours.close()
os.dup2(theirs.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=sys.argv[1].replace("%d", str(os.getpid())), LISTEN_FDS=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])' "$@")
}

# bats test_tags=long
@test "LISTEN_FDS that are another process's, or no numbers, are not taken" {
    local pid count
    for pid in 1 %dx x%d -%d '' 99999999999999999999; do
        beside_listen_fds "$pid" 1
        launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    done
    for count in 1x x -1 '' 99999999999999999999; do
        beside_listen_fds %d "$count"
        launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    done
    beside_listen_fds %d 1
    launch eof --
}

@test "of several descriptors in LISTEN_FDS the first connection is taken" {
    # As with systemd's OpenFile=: a file, two other sockets, the connection, and another one.
    cat >"$BATS_TEST_TMPDIR/pass.py" <<'END'
import os, socket, sys
connection = os.dup(0)
listener = socket.create_server(('127.0.0.1', 0))
datagrams = socket.socket(type=socket.SOCK_DGRAM)
null = os.open('/dev/null', os.O_RDWR)
another, _ = socket.socketpair()
passed = [null, datagrams.fileno(), listener.fileno(), connection, another.fileno()]
for fd in passed:
    os.dup2(fd, fd + 20)
for number, fd in enumerate(passed):
    os.dup2(fd + 20, 3 + number)
os.dup2(null, 0)
os.dup2(null, 1)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)))
os.execv(sys.argv[1], sys.argv[1:])
END
    START=(python3 "$BATS_TEST_TMPDIR/pass.py")
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    assert_output --partial 'ended peer=127.0.0.1 '
}

@test "where none in LISTEN_FDS is a connection, standard input may be it" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3</dev/null' sh)
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    assert_output --partial 'ended peer=127.0.0.1 '
}

# bats test_tags=bare
@test "libsystemd is asked only for what LISTEN_FDS passes, and missed only then" {
    [[ $TIMESVC != *static* ]] || return 0 # has it in no case
    : >"$BATS_TEST_TMPDIR/libsystemd.so.0"
    START=(env LD_LIBRARY_PATH="$BATS_TEST_TMPDIR")
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    # shellcheck disable=SC2016 # the inner shell's to expand
    START+=(sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0' sh)
    launch --status 71 eof --
    assert_output --partial 'fault reason=libsystemd.so.0: '
}

# bats test_tags=bare,preload
@test "nothing of a preloaded library runs after the conversation" {
    [[ $TIMESVC != *static* ]] || return 0 # preloads none
    echo '#include <fcntl.h>
        __attribute__((destructor)) void last(void) { open("/dev/null", O_RDONLY); }' |
        gcc -shared -fPIC -x c - -o "$BATS_TEST_TMPDIR/last.so"
    START=(env LD_PRELOAD="$BATS_TEST_TMPDIR/last.so")
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
}

# bats test_tags=bare,long
@test "a request of 10 MB costs no memory" {
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' lean:4000 'send:x*10000000' lean:4000 \
        'send:\r\n' 'expect:Invalid request\r\n' lean:4000 'send:QUIT\r\n' eof --
    assert_output --partial ' requests=3 invalid=1 received=10000014 '
}

# bats test_tags=long
@test "a million requests in random cuts get a million replies" {
    launch pump:1000000 'send:QUIT' eof --
    assert_output --partial ' end=quit requests=1000001 '
}

# --- Nothing but replies reaches the client

@test "the client, being standard error, gets replies only, whatever is logged" {
    launch --stderr peer 'send:TIME\r\nFOO\r\nQUIT\r\n' \
        'expect:JAM %T\r\nInvalid request\r\n' eof -- -v
    launch --stderr peer 'send:TIME\r\nFOO\r\nQUIT\r\n' \
        'expect:JAM %T\r\nInvalid request\r\n' eof -- -v --log=stderr
    launch --stderr peer --over pipes 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof -- -v
}

@test "the client, being standard error, gets no complaint of bad usage" {
    launch --stderr peer --status 64 eof -- --bogus
    launch --stderr peer --status 64 eof -- -t
    launch --stderr peer --status 64 eof -- --help
}

@test "the client, being standard error, gets nothing even where there is no conversation" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(sh -c 'exec "$@" <&- >&-' sh)
    launch --stderr peer --status 78 eof --
    launch --stderr peer --status 78 eof -- --log=stderr
    START=(python3 -c 'import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
os.dup2(listener.fileno(), 0)
os.dup2(listener.fileno(), 1)
os.execv(sys.argv[1], sys.argv[1:])')
    launch --stderr peer --status 78 eof --
}

# --- Environment, signals, arguments

@test "an empty environment changes nothing" {
    START=(env -i)
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
}

@test "SIGPIPE may be ignored or not" {
    local how
    for how in ignore default; do
        START=(env "--$how-signal=PIPE")
        launch deaf:10000000 reset exits --
        assert_output --partial ' end=reset '
        run --separate-stderr bash -c 'yes TIME | { "$@"; echo $? >&2; } | head -n 1' \
            bash "${START[@]}" "$TIMESVC"
        assert_regex "$stderr" $'\n0$'
    done
}

@test "the time is local: TZ=Asia/Jakarta" {
    START=(env TZ=Asia/Jakarta)
    tells Asia/Jakarta
}

@test "the time is local: zones with daylight saving, on either side of the equator" {
    local zone
    for zone in Europe/Berlin America/New_York Australia/Sydney EST5EDT,M3.2.0,M11.1.0; do
        START=(env "TZ=$zone")
        tells "$zone"
    done
}

@test "the time is that of /etc/localtime without TZ, and without an environment" {
    START=(env -u TZ)
    tells "$(readlink -f /etc/localtime | sed 's|.*/zoneinfo/|:|')"
    START=(env -i)
    tells "$(readlink -f /etc/localtime | sed 's|.*/zoneinfo/|:|')"
}

# every_zone: the names below zoneinfo, but those with leap seconds, of which musl knows nothing.
every_zone() {
    find -L /usr/share/zoneinfo -type f -printf '%P\n' | grep -vE '\.|^right/|^leap|^tzdata|^posixrules$'
}

# bats test_tags=build
@test "the time is date's, for each zone that has a name, over the year to come" {
    need zones zones-static
    local seconds program=$TESTS/verify/zones zone
    seconds=$(seq "$(date +%s)" 604800 "$(date +%s --date='next year')")
    [[ $TIMESVC != *static* ]] || program+=-static
    every_zone >"$BATS_TEST_TMPDIR/zones"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/zones")" -gt 300 ]
    # shellcheck disable=SC2086 # each is an argument
    printf '@%s\n' $seconds >"$BATS_TEST_TMPDIR/seconds"
    while read -r zone; do
        TZ=$zone date -f "$BATS_TEST_TMPDIR/seconds" +"$zone JAM %T"
    done <"$BATS_TEST_TMPDIR/zones" >"$BATS_TEST_TMPDIR/date"
    # shellcheck disable=SC2086 # each is an argument
    "$program" $seconds <"$BATS_TEST_TMPDIR/zones" >"$BATS_TEST_TMPDIR/ours"
    run diff "$BATS_TEST_TMPDIR/date" "$BATS_TEST_TMPDIR/ours"
    assert_output ''
}

@test "the zone is looked for in TZDIR" {
    mkdir "$BATS_TEST_TMPDIR/zones"
    cp /usr/share/zoneinfo/Asia/Jakarta "$BATS_TEST_TMPDIR/zones/Here"
    START=(env "TZDIR=$BATS_TEST_TMPDIR/zones" TZ=Here)
    tells Asia/Jakarta
    START=(env "TZDIR=$BATS_TEST_TMPDIR/zones" TZ=:Here)
    tells Asia/Jakarta
}

@test "an empty TZ, and one that names no zone, is UTC" {
    local zone
    for zone in '' : Nowhere/Land; do
        START=(env "TZ=$zone")
        tells UTC
    done
}

@test "-u tells UTC" {
    START=(env TZ=Asia/Jakarta)
    tells UTC -u
    tells UTC --utc
}

# bats test_tags=bare,long
@test "argv[0] may be empty" {
    START=(bash -c 'exec -a "" "$@"' bash)
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    assert_output --regexp '^timesvc\[[0-9]+\]: ended '
    launch eof after:1 within:2 -- --timeout=1
}

# bats test_tags=bare,long
@test "an option in the place of argv[0] is an option" {
    START=(env TZ=Asia/Jakarta bash -c 'exec -a -u "$@"' bash)
    tells UTC
    START=(bash -c 'exec -a --bogus "$@"' bash)
    launch --status 64 eof --
    START=(bash -c 'exec -a -t "$@"' bash)
    launch eof after:1 within:2 -- 1
}

# --- Exit statuses that say who is at fault

# bats test_tags=long
@test "bad usage ends with 64 and names the option and its value" {
    local word
    for word in --bogus -x -t1x -t-1 -t --timeout=99999999999 -t99999999999999999999 --log=nowhere --log extra; do
        launch --status 64 eof -- "$word"
        assert_output --partial "fault reason=bad usage, see timesvc --help: $word"
    done
    launch --status 64 eof -- -u -qx
    assert_output --partial ': -qx'
    launch --status 64 eof -- -vt 1x -u
    assert_output --partial ': -vt 1x'
    launch --status 64 eof -- --log nowhere
    assert_output --partial ': --log nowhere'
    launch --status 64 eof -- --timeout=1x -u
    assert_output --regexp ': --timeout=1x$'
    launch --status 64 eof -- "--$(printf '%04000d' 0)"
    assert_output --partial 'fault reason=bad usage'
}

@test "a listening socket as standard input ends with 78 and says what to change" {
    launch --over listener --status 78 exits --
    assert_output --partial 'fault reason=standard input is not a connection: set '
}

@test "a listening socket passed by LISTEN_FDS ends with 78 and says what to change" {
    SUPERVISOR=systemd-socket-activate-once
    serve
    nc -z 127.0.0.1 "$PORT" || true # it may be reset at once
    local ended=0
    wait "$SERVER" || ended=$?
    assert_equal "$ended" 78
    run cat "$SERVER_LOG"
    assert_output --partial 'fault reason=standard input is not a connection: set '
}

@test "a file that LISTEN_FDS passes, and no connection, ends with 78 and says what to change" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(bash -c 'exec 3<>/dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' bash)
    launch --over pipes --status 78 exits --
    assert_output --partial 'fault reason=standard input is not a connection: set '
}

@test "a datagram socket as standard input ends with 78 and says what to change" {
    launch --over datagrams --status 78 exits --
    assert_output --partial 'fault reason=standard input is not a connection: set '
}

@test "a full disk behind standard output ends with 71 and says so" {
    run bash -c "echo TIME | '$TIMESVC' 2>&1 >/dev/full"
    assert_failure 71
    assert_output --partial 'end=fault'
    assert_output --partial 'fault peer=local reason=write: No space left on device'
}

# bats test_tags=bare
@test "a file that may not grow is a fault where replies go to it, and none where the log does" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -71 bash -c 'ulimit -f 0; exec "$0" <<<TIME 2>/dev/null >"$1"' "$TIMESVC" "$BATS_TEST_TMPDIR/out"
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 bash -c 'ulimit -f 0; exec "$0" <<<TIME 2>"$1"' "$TIMESVC" "$BATS_TEST_TMPDIR/log"
    assert_output --partial 'JAM '
}

# bats test_tags=bare
@test "a background job of a terminal that stops such from writing serves all the same" {
    cat >"$BATS_TEST_TMPDIR/background.py" <<'END'
import os, pty, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    modes = termios.tcgetattr(1)
    modes[3] |= termios.TOSTOP
    termios.tcsetattr(1, termios.TCSANOW, modes)
    requests, client = os.pipe()
    os.write(client, b'TIME\nQUIT\n')
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.dup2(requests, 0)
        os.execv(sys.argv[1], [sys.argv[1], '-q'])
    _, status = os.waitpid(job, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(job, 9)
    os._exit(os.WIFSTOPPED(status))
got = b''
try:
    while some := os.read(terminal, 4096):
        got += some
except OSError:
    pass
sys.stdout.buffer.write(got)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
    run -0 timeout 10 python3 "$BATS_TEST_TMPDIR/background.py" "$TIMESVC"
    assert_output --partial 'JAM '
}

# bats test_tags=bare
@test "a closed standard input or output ends with 78 and says so" {
    run -78 --separate-stderr bash -c "exec '$TIMESVC' <&-"
    assert_regex "$stderr" 'fault reason=standard input or output is closed'
    run -78 --separate-stderr bash -c "exec '$TIMESVC' >&- <<<TIME"
    assert_regex "$stderr" 'fault reason=standard input or output is closed'
}

# bats test_tags=bare,long
@test "an error that the network reports is not ours, one of the system is" {
    # strace makes a call fail by putting another in its place, which the sandbox forbids.
    local error
    for error in ECONNREFUSED ENOPROTOOPT EHOSTUNREACH ETIMEDOUT EACCES; do
        START=(strace -D -qq -o /dev/null -e inject=sendto:error="$error":when=1)
        launch 'send:TIME\r\n' eof -- --sandbox=off
        assert_output --partial ' end=reset '
    done
    START=(strace -D -qq -o /dev/null -e inject=sendto:error=ENOBUFS:when=1)
    launch --status 71 'send:TIME\r\n' eof -- --sandbox=off
    assert_output --partial 'reason=write: '
}

@test "a reader of standard error that is gone does not change the exit status" {
    run -0 bash -c "{ '$TIMESVC' --bogus </dev/null 2>&3; echo \$? >&4; } 3>&1 4>&2 | :"
    assert_output 64
}

# bats test_tags=bare
@test "a LISTEN_FDS descriptor that is not open ends with 78" {
    run -78 --separate-stderr bash -c \
        "LISTEN_FDS=1 LISTEN_PID=\$\$ exec '$TIMESVC' </dev/null 3<&-"
    assert_regex "$stderr" 'fault reason=standard input or output is closed'
}

@test "-- ends the options" {
    launch send:TIME half-close 'expect:JAM %T' eof -- --quiet --
    assert_output ''
}

# --- What a person asks

@test "--help shows the options, --version the version" {
    run -0 "$TIMESVC" --help
    assert_line --index 0 --partial 'usage: timesvc '
    run -0 "$TIMESVC" -h
    assert_line --index 0 --partial 'usage: timesvc '
    run -0 "$TIMESVC" --version
    assert_output --regexp "^${TIMESVC##*/} [0-9]+\.[0-9]+\.[0-9]+$"
    run -71 bash -c "'$TIMESVC' --version >/dev/full"
    run -0 "$TIMESVC" -V
}
