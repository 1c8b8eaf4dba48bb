#!/usr/bin/env bats
# The examples for a machine without systemd, each as it is and started by the very commands that
# it begins with. Port 45000 and a network of our own: run in `isolated`.

load helpers
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export SUPERVISOR=tcpserver # for converse
    SCRATCH=$BATS_FILE_TMPDIR
    shipped
    # As is what the commands change in /etc.
    mkdir "$SCRATCH/upper" "$SCRATCH/work"
    mount -t overlay none /etc -o "lowerdir=/etc,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work"
}

teardown() {
    [ -z "${SERVER:-}" ] || kill -- "-$SERVER" 2>/dev/null || true
    retry not_listening
}

teardown_file() {
    umount /etc /usr/local/sbin
}

listening() {
    [ -n "$(ss -Hltn 'sport = 45000')" ]
}

not_listening() {
    ! listening
}

# serve_by EXAMPLE: in a process group of its own, which teardown ends.
serve_by() {
    cd "$TREE/examples" || return
    setsid bash -euc "$(example_commands "$1")" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- </dev/null &
    SERVER=$!
    retry listening || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
}

# listener: the process that listens at the port.
listener() {
    ss -Hltnp 'sport = 45000' | sed -n 's/.*pid=\([0-9]*\).*/\1/p'
}

# is_served_by_nobody: the conversation, the log, and whom the handler is run as.
is_served_by_nobody() {
    # shellcheck disable=SC2016 # peer.py's shell's to expand
    converse 'send:TIME' 'expect:JAM %T' \
        "run:ps -o user= --ppid $(listener) >'$BATS_TEST_TMPDIR/user'" \
        'send:\r\nFOO\r\n' 'expect:\r\nInvalid request\r\n' 'send:QUIT\r\n' eof
    assert_equal "$(<"$BATS_TEST_TMPDIR/user")" nobody
    retry grep -q 'ended peer=127.0.0.1 .* end=quit requests=3 invalid=1 ' "$BATS_TEST_TMPDIR/log"
}

@test "tcpserver.sh serves as nobody" {
    serve_by tcpserver.sh
    is_served_by_nobody
}

restarted() {
    local now
    now=$(listener)
    [ -n "$now" ] && [ "$now" != "$1" ]
}

@test "s6-run serves as nobody, and again after its tcpserver was killed" {
    serve_by s6-run
    is_served_by_nobody
    local before
    before=$(listener)
    kill -KILL "$before"
    retry restarted "$before"
    is_served_by_nobody
}

# answered FROM: of 60 clients there, so many.
answered() {
    "$TESTS/flood.py" hold "$ADDRESS" 60 "$1" true | sed 's/ answered//'
}

@test "rate-limit.nft lets one address have its share of connections, and others theirs" {
    serve_by tcpserver.sh
    assert_equal "$(answered 127.0.0.2)" 60
    converse 'send:TIME' 'expect:JAM %T' "run:cd '$TREE/examples'; $(example_commands rate-limit.nft)" \
        'send:\r\n' 'expect:\r\n'
    local count
    count=$(answered 127.0.0.2)
    echo "$count were answered"
    [ "$count" -ge 20 ] && [ "$count" -le 40 ]
    converse 'send:TIME' 'expect:JAM %T'
    nft delete table inet timesvc
    assert_equal "$(answered 127.0.0.2)" 60
}

@test "every example is tried by a test, by its name" {
    local example
    for example in "$TREE"/examples/*; do
        grep -qwF -- "${example##*/}" "$TESTS"/*.bats || fail "no test names $example"
    done
}
