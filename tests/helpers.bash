# What the tests share. $TIMESVC is the program under test, $SUPERVISOR what starts it: a file
# in supervisors/, or "pipes" or "unix", where peer.py itself does.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(dirname "$TESTS")
TIMESVC=${TIMESVC:-$TREE/timesvc}
SUPERVISOR=${SUPERVISOR:-unix}

# retry COMMAND...: until it succeeds, for ten seconds at most.
retry() {
    local deadline=$((SECONDS + 10))
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

# skip_unless_root WHY: in CI nothing is skipped.
skip_unless_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root: $1"
}

# listens PID PORT: the process owns a socket that listens on the port. That the port answers
# would not say whose it is, and would count as a connection.
listens() {
    local inodes
    inodes=$(awk -v port="$(printf ':%04X$' "$2")" \
        '$2 ~ port && $4 == "0A" { print "socket:[" $10 "]" }' /proc/net/tcp /proc/net/tcp6)
    [ -n "$inodes" ] && find "/proc/$1/fd" -printf '%l\n' 2>/dev/null | grep -qxF "$inodes"
}

# leash COMMAND...: become the command, which gets SIGTERM if the shell that started us dies.
leash() {
    exec setpriv --pdeathsig TERM "$@"
}

# serve [OPTION...]: start $SUPERVISOR with the program on a port of its own, $PORT. Who binds
# a port has it, so a taken one is noticed, and another tried.
serve() {
    SERVER_LOG=$(mktemp "$BATS_FILE_TMPDIR/server.XXXXXX")
    # shellcheck source=tests/supervisors/tcpserver.bash
    source "$TESTS/supervisors/$SUPERVISOR.bash"
    local try
    for try in {1..20}; do
        PORT=$((RANDOM % 10000 + 20000))
        (supervise "$PORT" "$TIMESVC" "$@") >"$SERVER_LOG" 2>&1 3>&- &
        SERVER=$!
        until listens "$SERVER" "$PORT"; do
            kill -0 "$SERVER" 2>/dev/null || continue 2
            sleep 0.01
        done
        export SERVER_LOG SERVER PORT
        return
    done
    echo "no free port after $try tries" >&2
    cat "$SERVER_LOG" >&2
    return 1
}

# End what serve started.
stop_serving() {
    [ -n "${SERVER:-}" ] || return 0
    kill "$SERVER" 2>/dev/null || true
    wait "$SERVER" 2>/dev/null || true
}

has_no_port() {
    [ "$SUPERVISOR" = pipes ] || [ "$SUPERVISOR" = unix ]
}

# converse STEP...: talk to the program under $SUPERVISOR, as peer.py says.
converse() {
    if has_no_port; then
        run "$TESTS/peer.py" launch --over "$SUPERVISOR" "$@" -- "$TIMESVC"
    else
        run "$TESTS/peer.py" connect "$PORT" "$@"
    fi
    assert_success
}

# launch [OPTION...] STEP... -- [OPTION...]: start the program with these options; $output is
# then what it wrote to standard error.
launch() {
    local words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    run "$TESTS/peer.py" launch "${words[@]}" -- "${START[@]}" "$TIMESVC" "$@"
    assert_success
}
