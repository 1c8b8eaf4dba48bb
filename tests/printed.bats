#!/usr/bin/env bats
# What README, timesvc(8), the lab and the examples print for a machine without systemd, run as printed; what
# they print for systemd is in systemd.bats and dropins.bats. To be run in `isolated`.

load helpers
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export SUPERVISOR=tcpserver # for converse
    SCRATCH=$BATS_FILE_TMPDIR
    shipped
    # s6-run goes into /etc.
    mkdir "$SCRATCH/upper" "$SCRATCH/work"
    mount -t overlay none /etc -o "lowerdir=/etc,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work"
}

setup() {
    cd "$TREE" || return
}

teardown() {
    [ -z "${SERVER:-}" ] || kill -- "-$SERVER" 2>/dev/null || true
    retry listeners 0
}

# listeners COUNT: so many sockets listen at the port.
listeners() {
    [ "$(ss -Hltn 'sport = 45000' | wc -l)" -eq "$1" ]
}

# serve_by COMMANDS: in a process group of its own, which teardown ends.
serve_by() {
    env -u ADDRESS setsid bash -euc "$1" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- </dev/null &
    SERVER=$!
    retry listeners 1 || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
}

# masked: each digit looks like every other, as from one run to the next.
masked() {
    tr -d '\r' | tr 0-9 9
}

# as_shown FILE: its commands print what it shows behind each.
as_shown() {
    local text command shown typed
    text=$(<"$1")
    while IFS= read -r command; do
        shown=${text#*"$ $command"$'\n'}
        shown=${shown%%$'\n'[\$\`]*}
        # Some lines are what the person types in a conversation by hand.
        typed=$(grep -xE 'TIME|QUIT|.*\?' <<<"$shown") || true
        run bash -c "$command" <<<"$typed"
        assert_equal "$status: $(masked <<<"$output")" \
            "0: $(grep -vxF "$typed" <<<"$shown" | masked)" || return
    done < <(sed -n 's/^\$ //p' "$1")
}

@test "the README's first command serves, and its transcripts are what a client sees" {
    serve_by "$(printed README.md 'this serves port 45000')"
    as_shown README.md
}

# segments: what tshark prints, without mere acknowledgments, which may come or not.
segments() {
    tr -s '\t ' ' ' | sed 's/ $//' | grep -vE 'A···· [0-9]+ [0-9]+$' | masked
}

# captured FROM FILE: from this line of the capture on there are the file's segments.
captured() {
    [[ $(tail -n "+$1" capture | segments) = *"$(segments <"$2")"* ]]
}

@test "the lab's programs, conversations and captures are what it shows" {
    # A port of the kernel's choice, a time, a duration, a count of replies differ each time.
    masked() {
        perl -pe 's/\r//; s/\[::ffff:([\d.]+)\]/$1/g; s/\b(?!4500\d)[3-6]\d{4}\b/port/g; s/(3\d3\d3a){2}3\d3\d/time/g;
            s/(\d\d:){2}\d\d/time/g; s/ \d\d ms/ long/; s/ \d ms/ short/; s/ +/ /g;
            s/^\d{4,5}$/some/ unless /^8000$/'
    }
    checkout "$BATS_TEST_TMPDIR/lab"
    cd "$BATS_TEST_TMPDIR/lab"
    run -0 bash -euc "$(printed docs/lab.md 'and these:')"
    awk '/^```/ { open = !open; n += open; next }
        open { print >sprintf("block%02d", n) }' docs/lab.md
    local block from program
    for program in nagle server; do
        cp "$(grep -lx "# $program.py" block*)" "$program.py"
    done
    serve_by "sudo() { \"\$@\"; }
        $(printed docs/lab.md 'until Ctrl-C:') >capture &
        $(printed docs/lab.md 'in the simplest way') &
        $(printed docs/lab.md 'have it judged:') &
        $(printed docs/lab.md 'start the server:')"
    capturing() { connect 'send:QUIT' eof && test -s capture; }
    retry capturing
    for block in block*; do
        case $(head -n 1 "$block") in
            '$ tshark '*) ;; # experiment.bats runs it
            '$ '*)
                from=$(($(wc -l <capture) + 1))
                as_shown "$block" || as_shown "$block" # again: the machine may be busy
                ;;
            4*) retry captured "$from" "$block" || fail "$(cat "$block" capture)" ;;
        esac
    done
}

@test "the manual page's conversation without a supervisor is one" {
    run -0 --separate-stderr bash -c "$(printed timesvc.8 'without a supervisor')"
    assert_output --regexp $'^JAM [0-9:]{8}\r\nInvalid request\r$'
    assert_regex "$stderr" 'ended peer=local end=quit requests=3 invalid=1 '
}

@test "tcpserver serves by the one command of README and manual page" {
    local command
    command=$(printed README.md '**tcpserver**')
    assert_equal "$(printed timesvc.8 'for at most 1024 connections')" "$command"
    serve_by "$command"
    run -0 bash -c "$(printed timesvc.8 '.Xr nc 1 :')"
    assert_output --regexp $'^JAM [0-9:]{8}\r$'
}

@test "tcpserver serves another time zone, with a transcript, as the manual page has it" {
    serve_by "$(printed timesvc.8 'minute of silence:')"
    TZ=Asia/Jakarta converse 'send:TIME\r\n' 'expect:JAM %T\r\n' midsecond 'send:TIME' tells-now
    retry grep -q 'request peer=127.0.0.1 .* request=TIME' "$BATS_TEST_TMPDIR/log"
}

# serves_as_nobody: and logs.
serves_as_nobody() {
    converse 'send:TIME' 'expect:JAM %T' 'run:ps -o user= -C timesvc-static' 'send:QUIT' eof
    assert_output nobody
    retry grep -q 'ended peer=127.0.0.1 .* end=quit requests=2 ' "$BATS_TEST_TMPDIR/log"
}

# ends_by COMMAND: it serves no more, but a conversation goes on.
ends_by() {
    export -f retry listeners
    converse 'send:TIME' 'expect:JAM %T' "run:$1; retry listeners 0" \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT' eof
}

@test "tcpserver.sh serves as nobody, and leaves conversations alone when it is ended" {
    serve_by "cd examples; $(example_commands tcpserver.sh)"
    serves_as_nobody
    ends_by "kill \$(pgrep -o tcpserver)"
}

@test "s6-run serves as nobody, again after its tcpserver was killed, and ends like tcpserver.sh" {
    serve_by "cd examples; $(example_commands s6-run)"
    kill -KILL "$(pgrep -o tcpserver)"
    retry converse 'send:QUIT' eof
    serves_as_nobody
    ends_by 's6-svc -d /etc/s6/timesvc'
}

# answered SOURCE...: of 60 clients at these addresses, so many.
answered() {
    local source sum=0
    for source; do
        sum=$((sum + $("$TESTS/flood.py" hold "$ADDRESS" $((60 / $#)) "$source" true | tr -dc 0-9)))
    done
    echo "$sum"
}

# limited SOURCE...: rate-limit.nft counts them as one client, and gives that its share.
limited() {
    assert_equal "$(answered "$@")" 60
    converse 'send:TIME' 'expect:JAM %T' "run:cd examples; $(example_commands rate-limit.nft)" \
        'send:\r\n' 'expect:\r\n'
    local count
    count=$(answered "$@")
    ((count >= 20 && count <= 40)) || fail "$count were answered"
    converse 'send:TIME' 'expect:JAM %T'
    nft delete table inet timesvc
    assert_equal "$(answered "$@")" 60
}

@test "rate-limit.nft lets one address have its share of connections, and others theirs" {
    serve_by "cd examples; $(example_commands tcpserver.sh)"
    limited 127.0.0.2
}

@test "rate-limit.nft lets all addresses of an IPv6 network, which may be one host's, share one" {
    local source sources=(fd45::{1..3})
    for source in "${sources[@]}"; do
        ip address add "$source/128" dev lo
    done
    serve_by "make run"
    ADDRESS=::1:45000 limited "${sources[@]}"
}

@test "rate-limit.nft and only-from.nft, loaded again, replace what they have loaded" {
    local file once
    cd examples
    for file in *.nft; do
        run -0 bash -euc "$(example_commands "$file"); nft --terse list ruleset"
        once=$output
        run -0 bash -euc "$(example_commands "$file"); nft --terse list ruleset"
        assert_equal "$output" "$once"
    done
    nft flush ruleset
}
