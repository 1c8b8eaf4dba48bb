#!/usr/bin/env bats
# What a supervisor may hand over, in descriptors, environment and arguments; exit statuses.

# shellcheck disable=SC2016 # what the shells inside are to expand

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

@test "the conversation goes over files" {
    printf 'TIME\nFOO\nTIME' >"$BATS_TEST_TMPDIR/requests"
    "$TIMESVC" <"$BATS_TEST_TMPDIR/requests" >"$BATS_TEST_TMPDIR/replies"
    run cat "$BATS_TEST_TMPDIR/replies"
    assert_output --regexp $'^JAM ..:..:..\r\nInvalid request\r\nJAM ..:..:..$'
}

@test "the conversation goes over a terminal, where a person is told what to type" {
    run -0 script --quiet --return --command "'$TIMESVC'" /dev/null < <(printf 'TIME\nQUIT\n')
    assert_line --partial 'timesvc: type TIME or QUIT, and Enter'
    assert_output --regexp 'JAM [0-9:]{8}'
    assert_output --partial 'ended peer=local end=quit requests=2'
    run script --quiet --return --command "'$TIMESVC' 2>/dev/null" /dev/null < <(printf 'QUIT\n')
    refute_output --partial 'type TIME'
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

# bats test_tags=long
@test "LISTEN_FDS that are none, another process's, or no numbers, are not taken" {
    # Descriptor 3 is the connection: if it is not taken, the program has an empty input.
    local environment passed=' exec "$@" 3<&0 </dev/null >/dev/null'
    for environment in LISTEN_PID={1,'$$x','x$$','-$$','',99999999999999999999}' LISTEN_FDS=1' \
        'LISTEN_PID=$$ LISTEN_FDS='{0,1x,x,-1,'',99999999999999999999} \
        LISTEN_FDS=1 'LISTEN_PID=$$'; do
        START=(env -u LISTEN_PID -u LISTEN_FDS sh -c "$environment$passed" sh)
        launch eof --
        assert_output --partial ' ended peer=local end=eof '
    done
    START=(sh -c "LISTEN_PID=\$\$ LISTEN_FDS=1$passed" sh)
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
}

@test "of several descriptors in LISTEN_FDS the first connection is taken" {
    # As with systemd's OpenFile=: from 3 on a file, two other sockets, the connection, another.
    START=(python3 -c 'import os, socket, sys
null = os.open("/dev/null", os.O_RDWR)
datagrams = socket.socket(type=socket.SOCK_DGRAM)
listener = socket.create_server(("127.0.0.1", 0))
os.dup(0)
another = socket.socketpair()
for fd in range(3, 8):
    os.set_inheritable(fd, True)
os.dup2(null, 0)
os.dup2(null, 1)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="5")
os.execv(sys.argv[1], sys.argv[1:])')
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    assert_output --partial 'ended peer=127.0.0.1 '
}

@test "where none in LISTEN_FDS is a connection, standard input may be it" {
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

# --- Nothing but replies reaches the client

@test "the client, being standard error, gets replies only, whatever is logged" {
    local talk=('send:TIME\r\nFOO\r\nQUIT\r\n' 'expect:JAM %T\r\nInvalid request\r\n' eof)
    launch --stderr peer "${talk[@]}" -- -v
    launch --stderr peer "${talk[@]}" -- -v --log=stderr
    launch --stderr peer --over pipes "${talk[@]}" -- -v
}

@test "the client, being standard error, gets no complaint of bad usage, or of a wrong setup" {
    local word
    for word in --bogus -t --help; do
        launch --stderr peer --status 64 eof -- "$word"
    done
    START=(sh -c 'exec "$@" <&- >&-' sh)
    for word in --log=auto --log=stderr; do
        launch --stderr peer --status 78 eof -- "$word"
    done
}

# --- Environment, signals, arguments

@test "the time is that of TZ, a zone or a rule, or else UTC" {
    local zone
    for zone in Asia/Jakarta Europe/Berlin Australia/Sydney EST5EDT,M3.2.0,M11.1.0; do
        START=(env "TZ=$zone")
        tells "$zone"
    done
    for zone in '' : Nowhere/Land; do
        START=(env "TZ=$zone")
        tells UTC
    done
}

@test "the time is that of /etc/localtime without TZ, and without an environment" {
    local without
    for without in -uTZ -i; do
        START=(env "$without")
        tells "$(readlink -f /etc/localtime | sed 's|.*/zoneinfo/|:|')"
    done
}

# bats test_tags=build
@test "the time is date's, for each zone that has a name, over the year to come" {
    need zones zones-static
    cd "$BATS_TEST_TMPDIR"
    local seconds program=$TESTS/verify/zones zone
    [[ $TIMESVC != *static* ]] || program+=-static
    seconds=$(seq "$(date +%s)" 604800 "$(date +%s --date='next year')")
    # shellcheck disable=SC2086 # each is an argument
    printf '@%s\n' $seconds >seconds
    # But those with leap seconds, of which musl knows nothing.
    find -L /usr/share/zoneinfo -type f -printf '%P\n' |
        grep -vE '\.|^right/|^leap|^tzdata|^posixrules$' >zones
    [ "$(wc -l <zones)" -gt 300 ]
    while read -r zone; do
        TZ=$zone date -f seconds +"$zone JAM %T"
    done <zones >theirs
    # shellcheck disable=SC2086 # each is an argument
    "$program" $seconds <zones >ours
    run -0 diff theirs ours
}

@test "the zone is looked for in TZDIR" {
    cp /usr/share/zoneinfo/Asia/Jakarta "$BATS_TEST_TMPDIR/Here"
    local zone
    for zone in Here :Here; do
        START=(env "TZDIR=$BATS_TEST_TMPDIR" "TZ=$zone")
        tells Asia/Jakarta
    done
}

@test "-u tells UTC, and -- ends the options" {
    START=(env TZ=Asia/Jakarta)
    tells UTC -u
    tells UTC --utc --
}

# bats test_tags=bare,long
@test "argv[0] may be empty, and an option in its place is an option" {
    START=(bash -c 'exec -a "" "$@"' bash)
    launch eof after:1 -- --timeout=1
    assert_output --regexp '^timesvc\[[0-9]+\]: ended '
    START=(env TZ=Asia/Jakarta bash -c 'exec -a -u "$@"' bash)
    tells UTC
    START=(bash -c 'exec -a --bogus "$@"' bash)
    launch --status 64 eof --
    START=(bash -c 'exec -a -t "$@"' bash)
    launch eof after:1 -- 1
}

# --- Exit statuses that say who is at fault

# bats test_tags=long
@test "bad usage ends with 64 and names the option and its value" {
    local words wrong
    for words in --bogus -x -t1x -t-1 -t --timeout=99999999999 -t99999999999999999999 \
        --timeout= --log=nowhere --log '--log nowhere' extra '-u -qx' '-vt 1x -u' '--timeout=1x -u' \
        '-- extra -u' '-u -- -x'; do
        wrong=${words#-u } wrong=${wrong#-- } wrong=${wrong% -u}
        # shellcheck disable=SC2086 # each is an argument
        launch --status 64 eof -- $words
        assert_output --regexp "fault reason=bad usage, see timesvc --help: $wrong\$"
    done
    launch --status 64 eof -- "--$(printf '%04000d' 0)"
    assert_output --partial 'fault reason=bad usage'
}

@test "a listening or a datagram socket as standard input ends with 78 and says what to change" {
    local over
    for over in listener datagrams; do
        launch --over "$over" --status 78 exits --
        assert_output --partial 'fault reason=standard input is not a connection: set '
    done
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
    START=(bash -c 'exec 3<>/dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' bash)
    launch --over pipes --status 78 exits --
    assert_output --partial 'fault reason=standard input is not a connection: set '
}

# bats test_tags=bare
@test "a file that may not grow is a fault where replies go to it, and none where the log does" {
    cd "$BATS_TEST_TMPDIR"
    run -71 bash -c 'ulimit -f 0; exec "$0" <<<TIME 2>/dev/null >out' "$TIMESVC"
    run -0 bash -c 'ulimit -f 0; exec "$0" <<<TIME 2>log' "$TIMESVC"
    assert_output --partial 'JAM '
}

# bats test_tags=bare
@test "a background job of a terminal that stops such from writing serves all the same" {
    run -0 timeout 10 script --quiet --return --command "stty tostop
        bash -mc 'echo TIME | \"$TIMESVC\" -q & wait \$!'" /dev/null </dev/null
    assert_output --partial 'JAM '
}

# bats test_tags=bare
@test "a closed standard input or output, or a closed one of LISTEN_FDS, ends with 78 and says so" {
    local command
    for command in 'exec "$0" <&-' 'exec "$0" >&- <<<TIME' \
        'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" </dev/null 3<&-'; do
        run -78 --separate-stderr bash -c "$command" "$TIMESVC"
        assert_regex "$stderr" 'fault reason=standard input or output is closed'
    done
}

@test "a reader of standard error that is gone does not change the exit status" {
    run -0 bash -c "{ '$TIMESVC' --bogus </dev/null 2>&3; echo \$? >&4; } 3>&1 4>&2 | :"
    assert_output 64
}

# Which program it is depends on how it is linked: the watchers link both alike.
# bats test_tags=linked
@test "--help shows the options, --version the version" {
    local option
    for option in --help -h; do
        run -0 "$TIMESVC" "$option"
        assert_line --index 0 --partial 'usage: timesvc '
    done
    for option in --version -V; do
        run -0 "$TIMESVC" "$option"
        assert_output --regexp "^${TIMESVC##*/} [0-9]+\.[0-9]+\.[0-9]+$"
    done
    run -71 bash -c "'$TIMESVC' --version >/dev/full"
}
