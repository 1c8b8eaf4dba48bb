#!/usr/bin/env bats
# What README and timesvc(8) print for one machine without a service manager, run as printed; what
# they print for systemd is in systemd.bats. Port 45000 has to be free, as it is in `isolated`.

load helpers
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    SCRATCH=$BATS_FILE_TMPDIR
    shipped
}

teardown() {
    [ -z "${SERVER:-}" ] || stop_group
}

teardown_file() {
    umount /usr/local/sbin
}

stop_group() {
    kill -- "-$SERVER" 2>/dev/null || true
}

listening() {
    [ -n "$(ss -Hltn 'sport = 45000')" ]
}

not_listening() {
    ! listening
}

# serve_as_printed FILE TEXT: in a process group of its own, which teardown ends.
serve_as_printed() {
    retry not_listening
    cd "$TREE" || return
    env -u ADDRESS setsid bash -c "$(printed "$1" "$2")" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- </dev/null &
    SERVER=$!
    retry listening || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
}

REPLY='^(JAM|Invalid request)'

# replay COMMAND SHOWN: it prints what is shown. In a conversation by hand the lines that are no
# replies are what the person types.
replay() {
    local typed='' expected=$2
    if [[ $1 = 'nc -C '* ]]; then
        typed=$(grep -vE "$REPLY" <<<"$2")
        expected=$(grep -E "$REPLY" <<<"$2")
    fi
    run -0 bash -c "$1" <<<"$typed"
    assert_equal "$(masked <<<"${output//$'\r'/}")" "$(masked <<<"$expected")"
}

@test "the README's first command serves, and its transcripts are what a client sees" {
    serve_as_printed README.md 'this serves port 45000'
    local line command='' shown='' count=0
    while IFS= read -r line; do
        if [[ $line != '$ '* ]]; then
            shown+=$line$'\n'
            continue
        fi
        [ -z "$command" ] || replay "$command" "${shown%$'\n'}"
        command=${line#'$ '} shown=
        count=$((count + 1))
    done < <(transcripts "$TREE/README.md"; echo '$ end')
    [ "$count" -ge 4 ]
    # Who has the port, as in its section on trouble.
    run -0 bash -c "$(grep -oE "ss -ltnp '[^']*'" "$TREE/README.md")"
    assert_output --partial '"systemd-socket-"'
}

@test "the manual page's conversation without a supervisor is one" {
    run -0 --separate-stderr bash -c "$(printed timesvc.8 'without a supervisor')"
    assert_output --regexp $'^JAM [0-9:]{8}\r\nInvalid request\r$'
    assert_regex "$stderr" 'ended peer=local end=quit requests=3 invalid=1 '
}

# told: the reply that the manual page's client gets.
told() {
    run -0 bash -c "$(printed timesvc.8 '.Xr nc 1 :')"
    assert_output --regexp $'^JAM [0-9:]{8}\r$'
}

@test "tcpserver serves as the README and the manual page have it" {
    serve_as_printed README.md '**tcpserver**'
    told
    stop_group
    serve_as_printed timesvc.8 'for at most 1024 connections'
    told
}

@test "tcpserver serves another time zone, with a transcript, as the manual page has it" {
    serve_as_printed timesvc.8 'minute of silence:'
    local before after
    before=$(TZ=Asia/Jakarta date +%H)
    told
    after=$(TZ=Asia/Jakarta date +%H)
    [[ $output = "JAM $before:"* || $output = "JAM $after:"* ]]
    retry grep -q 'request peer=127.0.0.1 .* request=TIME' "$BATS_TEST_TMPDIR/log"
}
