#!/usr/bin/env bats
# Clients as people use them, most of which end their output before they read. Run under every
# supervisor that has a port and bears that.

load helpers

JAM='JAM [0-2][0-9]:[0-5][0-9]:[0-6][0-9]'

# gets_replies COMMAND...: a client that sends its standard input is shown the replies.
gets_replies() {
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 --separate-stderr bash -c 'printf "TIME\r\nFOO\r\nTIME\nQUIT\r\n" | timeout 10 "$@"' \
        bash "$@"
    assert_output --regexp "^$JAM"$'\r\n''Invalid request'$'\r\n'"$JAM"$'\r'"$"
}

@test "netcat in each of its kinds, socat and bash get the replies" {
    gets_replies nc.openbsd -N "$HOST" "$PORT"
    gets_replies nc.traditional "$HOST" "$PORT"
    gets_replies ncat "$HOST" "$PORT"
    gets_replies busybox nc "$HOST" "$PORT"
    gets_replies socat -t 10 - "TCP:$HOST:$PORT"
    gets_replies bash -c "exec 3<>/dev/tcp/$HOST/$PORT; cat >&3; cat <&3"
}

@test "telnet, in line mode, shows the replies and that the server closed" {
    # It is left a terminal and an open input, as a person would leave it.
    coproc CLIENT { script -qec "telnet $HOST $PORT" /dev/null; }
    local screen
    exec {screen}<&"${CLIENT[0]}" # which bash closes as soon as telnet has ended
    printf '%s\n' TIME 'time?' QUIT >&"${CLIENT[1]}"
    run -0 timeout 10 cat <&"$screen"
    assert_output --regexp "$JAM.*Invalid request.*Connection closed by foreign host"
}

@test "a client is served while ten others are connected" {
    run -0 "$TESTS/flood.py" hold "$ADDRESS" 10 "${SOURCE:-$HOST}" \
        "$TESTS/peer.py" connect "$ADDRESS" 'send:TIME' 'expect:JAM %T'
    assert_output '10 answered'
}

@test "the original client, which sends no terminator, gets each reply in one receive" {
    run -0 python3 - "$HOST" "$PORT" <<'END'
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
    for request in b'TIME', b'FOO', b'TIME', b'QUIT':
        server.sendall(request)
        print(server.recv(64))
END
    assert_output --regexp "^b'$JAM'"$'\n'"b'Invalid request'"$'\n'"b'$JAM'"$'\n'"b''\$"
}
