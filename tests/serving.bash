# Start a supervisor with the program, and end it: for the tests and for `under`.

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(dirname "$TESTS")
TIMESVC=${TIMESVC:-$TREE/timesvc}
source "$TESTS/supervisors.bash"

# retry COMMAND...: until it succeeds, for 15 seconds at most.
retry() {
    local deadline=$((SECONDS + 15))
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

# listens PID: the process owns a socket that listens. That an address answers would not say whose
# it is, and would count as a connection.
listens() {
    find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n' |
        grep -qwFf - <(cat /proc/net/{tcp,tcp6,unix} 2>/dev/null |
            awk '/ 0A / { print $10 } / 00010000 / { print $7 }') # in the state LISTEN
}

# choose_address: a port of the supervisor's own, unless it is told another place.
choose_address() {
    export HOST=127.0.0.1 PORT=$((RANDOM % 10000 + 20000))
    export ADDRESS=$HOST:$PORT
    case $SUPERVISOR in
        s6-ipcserver) ADDRESS=$SCRATCH/socket ;;
        xinetd | openbsd-inetd | inetutils-inetd | rlinetd) shipped ;;
    esac
}

# serve: start $SUPERVISOR with the program, at $ADDRESS, with files in $SCRATCH.
serve() {
    SCRATCH=${SCRATCH:-$BATS_FILE_TMPDIR}
    SERVER_LOG=$(mktemp "$SCRATCH/server.XXXXXX")
    RELEASE=${SUPERVISOR#*-}
    UNIT=timesvc.socket
    [[ $SUPERVISOR = systemd-* ]] || UNIT=timesvc-tcpserver.service
    # shellcheck source=tests/container.bash
    [[ ! $RELEASE =~ ^(bookworm|trixie)$ ]] || source "$TESTS/container.bash"
    start
    export SERVER_LOG SERVER
}

# start: who binds a port has it, so a taken one is noticed, and another tried.
start() {
    local try
    for try in {1..20}; do
        choose_address
        supervise >"$SERVER_LOG" 2>&1 3>&- &
        SERVER=$!
        until listens "$SERVER"; do
            kill -0 "$SERVER" 2>/dev/null || continue 2
            sleep 0.01
        done
        return
    done
    echo "no free address after $try tries" >&2
    cat "$SERVER_LOG" >&2
    return 1
}

# End what serve started, and the programs that are still serving: a flood leaves connections
# whose FIN was lost.
stop_serving() {
    [ -n "${SERVER:-}" ] || return 0
    # shellcheck disable=SC2046 # each is a process
    kill "$SERVER" $(cat "/proc/$SERVER/task/$SERVER/children") 2>/dev/null || true
    wait "$SERVER" 2>/dev/null || true
}

# shipped: install timesvc as a user would, with the programs where the shipped files name
# them, and those below $SHIPPED. Only inside `isolated`: it mounts.
shipped() {
    make -C "$TREE" install DESTDIR="$SCRATCH/installed" >"$SCRATCH/install.log"
    # The program under test may be a build of the tests' own.
    install "$TIMESVC" "$SCRATCH/installed/usr/local/sbin/timesvc-static"
    mount --bind "$SCRATCH/installed/usr/local/sbin" /usr/local/sbin
    export SHIPPED=$SCRATCH/installed/usr/local/share/doc/timesvc
    export HOST=127.0.0.1 PORT=45000 ADDRESS=127.0.0.1:45000
}
