#!/usr/bin/env bats
# `conformance` finds what a server does wrong, and nothing else, whatever the server does.

load helpers

unset TZ
export LIMIT=180 # other tests are run at the same time

# judge SERVER...: by what this command serves, at the port that it prints; with $PART.
judge() {
    local port=$BATS_TEST_TMPDIR/port
    rm -f "$port"
    (leash "$@") >"$port" 2>/dev/null 3>&- &
    SERVER=$!
    retry test -s "$port"
    # shellcheck disable=SC2086 # nothing, or a word
    BATS_LIB_PATH=/nowhere run "$TESTS/conformance" "127.0.0.1:$(<"$port")" ${PART:-}
    kill "$SERVER"
    wait "$SERVER" || true
}

# fails WHICH TEST...: of core this student's server fails just these.
fails() {
    PART=core judge "$TESTS/student.py" "$1"
    assert_equal "$(judged 'not ok')" "$(printf '%s\n' "${@:2}")"
    [[ $status -ne 0 || $# -eq 1 ]]
}

# judged VERDICT: the tests with this one.
judged() {
    sed -n "s/^$1 [0-9]* //p" <<<"$output"
}

# Of core.
ANSWERED='TIME CR LF is answered JAM hh:mm:ss CR LF, and with nothing more'
RIGHT='the time is right'
UNTIL_QUIT='a conversation goes on until QUIT; then the server closes first, without a reply'
PIECES='a request may come in pieces'
ONE_PIECE='several requests may come in one piece'
WRONG='a wrong request does not end the conversation'
LONG='nor does a long one, or one that is no text'
FIFTY='fifty clients are served at once, even if the first says nothing'
ALL=("$ANSWERED" "$RIGHT" "$UNTIL_QUIT" "$PIECES" "$ONE_PIECE" "$WRONG" "$LONG" "$FIFTY")

@test "timesvc under tcpserver keeps the whole contract" {
    TZ=Asia/Jakarta judge tcpserver -1 -c 1024 -RHl0 127.0.0.1 0 "$TIMESVC"
    assert_success
    assert_equal "$(judged 'not ok')" ''
    assert_output --regexp '
# core: what the protocol asks    8 of  8
# clients without terminators     9 of  9
# timesvc.s own contract         11 of 11$'
}

@test "a server in another time zone is right, unless TZ says which it should be" {
    fails right
    local there=(env TZ=Asia/Kathmandu "$TESTS/student.py" right)
    PART=core judge "${there[@]}"
    assert_success
    TZ=Asia/Jakarta PART=core judge "${there[@]}"
    assert_failure 1
    assert_equal "$(judged 'not ok')" "$RIGHT"
}

@test "a server that takes each receive for a request keeps next to nothing" {
    judge "$TESTS/student.py" by-reads
    assert_failure 1
    assert_equal "$(judged ok)" 'a CR at the end of input is no terminator'
    assert_line --partial "expect:JAM %T\r\n failed, after send:TIME\r\n: got b'Invalid reques'"
}

@test "one fault in a server fails the tests that are about it" {
    fails late "$RIGHT"
    fails one-at-a-time "$FIFTY"
    fails unforgiving "$WRONG" "$LONG"
}

@test "a server that answers too little or too much fails core" {
    fails no-terminator "${ALL[@]}"
    fails one-line-too-many "$ANSWERED" "$UNTIL_QUIT" "$PIECES" "$ONE_PIECE" "$WRONG" "$LONG"
    fails floods "${ALL[@]}"
}

@test "a server that hangs or resets fails core" {
    fails silent "${ALL[@]}"
    assert_line '# expect:JAM %T\r\n failed, after send:TIME\r\n: got nothing'
    fails resets "${ALL[@]}"
}

@test "a server that never comes to an end is judged all the same" {
    LIMIT=20 judge "$TESTS/student.py" drips
    assert_equal "$(grep -c '^not ok' <<<"$output")" 28
    assert_output --partial 'core: what the protocol asks    0 of  8'
    ((SECONDS < 60))
}

@test "without an address, or without a server there, conformance says so in one line" {
    run -64 "$TESTS/conformance"
    assert_output 'conformance: which server? For instance: make conformance ADDRESS=127.0.0.1:45000'
    run -69 "$TESTS/conformance" 127.0.0.1:9
    assert_output 'conformance: cannot connect to 127.0.0.1:9: [Errno 111] Connection refused'
}
