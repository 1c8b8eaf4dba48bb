#!/usr/bin/env bats
# Clients as people use them, most of which end their output before they read. Run under every
# supervisor that has a port and bears that.

load helpers

JAM='JAM [0-2][0-9]:[0-5][0-9]:[0-6][0-9]'
DIALOGUE='TIME\r\nFOO\r\nTIME\nQUIT\r\n'

# gets_replies COMMAND...: a client that sends its standard input is shown the replies.
gets_replies() {
    # shellcheck disable=SC2016 # the inner shell's to expand
    run --separate-stderr bash -c 'printf "$1" | timeout 10 "${@:2}"' bash "$DIALOGUE" "$@"
    assert_success
    assert_output --regexp "^$JAM"$'\r\n''Invalid request'$'\r\n'"$JAM"$'\r'"$"
}

@test "netcat-openbsd gets a reply to each request, and nothing more" {
    run --separate-stderr bash -c \
        "printf 'TIME\r\nFOO\r\n\r\ntime\r\nTIME\nQUIT\r\nTIME\r\n' |
         nc.openbsd -N $HOST $PORT | od -An -c | tr -d ' \n'"
    assert_success
    local jam='JAM[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\r\\n' invalid='Invalidrequest\\r\\n'
    assert_output --regexp "^$jam$invalid$invalid$invalid$jam$"
}

@test "netcat-openbsd that ends its input gets the replies all the same" {
    run bash -c "printf 'TIME\nFOO\n' | nc.openbsd -N $HOST $PORT"
    assert_success
    assert_line --index 0 --regexp "^$JAM"
    assert_line --index 1 --regexp '^Invalid request'
}

@test "netcat-openbsd that leaves without QUIT is answered" {
    run bash -c "printf TIME | nc.openbsd -q 2 $HOST $PORT"
    assert_success
    assert_output --regexp "^$JAM$"
}

@test "netcat-openbsd that a person types into shows the replies line by line" {
    coproc CLIENT { nc.openbsd "$HOST" "$PORT"; }
    local client=$CLIENT_PID reply
    echo TIME >&"${CLIENT[1]}"
    read -r -t 10 reply <&"${CLIENT[0]}"
    assert_regex "$reply" "^$JAM"
    echo FOO >&"${CLIENT[1]}"
    read -r -t 10 reply <&"${CLIENT[0]}"
    assert_regex "$reply" '^Invalid request'
    echo QUIT >&"${CLIENT[1]}"
    local typing=${CLIENT[1]}
    exec {typing}>&-
    wait "$client"
}

@test "netcat-traditional gets the replies" {
    gets_replies nc.traditional "$HOST" "$PORT"
}

@test "ncat gets the replies" {
    gets_replies ncat "$HOST" "$PORT"
}

@test "socat gets the replies" {
    gets_replies socat -t 10 - "TCP:$HOST:$PORT"
}

@test "nc of busybox gets the replies" {
    gets_replies busybox nc "$HOST" "$PORT"
}

@test "telnet, in line mode, shows the replies and that the server closed" {
    # It is left a terminal and an open input, as a person would leave it.
    coproc CLIENT { script -qec "telnet $HOST $PORT" /dev/null; }
    local client=$CLIENT_PID shown='' line screen
    exec {screen}<&"${CLIENT[0]}" # which bash closes as soon as telnet has ended
    echo 'TIME' >&"${CLIENT[1]}"
    while read -r -t 10 -u "$screen" line; do
        shown+=$line$'\n'
        case $line in
            JAM*) echo 'time?' >&"${CLIENT[1]}" ;;
            Invalid*) echo QUIT >&"${CLIENT[1]}" ;;
            *closed*) break ;;
        esac
    done
    exec {screen}<&-
    wait "$client" || true
    assert_regex "$shown" "$JAM"
    assert_regex "$shown" 'Invalid request'
    assert_regex "$shown" 'Connection closed by foreign host'
}

@test "bash gets the replies through /dev/tcp" {
    local reply server
    exec {server}<>"/dev/tcp/$HOST/$PORT"
    echo TIME >&"$server"
    read -r -t 10 reply <&"$server"
    assert_regex "$reply" "^$JAM"$'\r$'
    echo BASH >&"$server"
    read -r -t 10 reply <&"$server"
    assert_equal "$reply" $'Invalid request\r'
    echo QUIT >&"$server"
    run ! read -r -t 10 reply <&"$server"
    exec {server}>&-
}

@test "Python's socket gets the replies" {
    run python3 - "$HOST" "$PORT" <<'END'
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
    server.sendall(b'TIME\r\nFOO\r\nQUIT\r\n')
    with server.makefile('rb') as replies:
        print(replies.readlines())
END
    assert_success
    assert_output --regexp "^\[b'$JAM\\\\r\\\\n', b'Invalid request\\\\r\\\\n'\]$"
}

@test "ten clients talk at once" {
    local clients=() i
    for i in {1..10}; do
        "$TESTS/peer.py" connect "$ADDRESS" 'send:TIME' 'expect:JAM %T' quiet:1 \
            'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT' eof &
        clients+=($!)
    done
    for i in "${clients[@]}"; do wait "$i"; done
}

@test "a client that sends urgent data is served like any other" {
    # socat and ncat lose the urgent byte; the request is invalid with it and without.
    run "$TESTS/peer.py" connect "$ADDRESS" 'send:FO' 'urgent:O' 'send:\r\nTIME\r\n' \
        'expect:Invalid request\r\nJAM %T\r\n' 'send:QUIT' eof
    assert_success
}

@test "the original client, which sends no terminator, gets each reply in one receive" {
    run "$TESTS/original_client.py" "$HOST" "$PORT"
    assert_success
    assert_line --index 0 --regexp "^TIME b'$JAM'$"
    assert_line --index 1 "FOO b'Invalid request'"
    assert_line --index 2 --regexp "^TIME b'$JAM'$"
    assert_line --index 3 "QUIT b''"
}
