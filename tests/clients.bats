#!/usr/bin/env bats
# Clients as people use them, against the program under a supervisor that has a port.

load helpers

setup_file() {
    serve
}

teardown_file() {
    stop_serving
}

JAM='JAM [0-2][0-9]:[0-5][0-9]:[0-6][0-9]'

@test "nc gets a reply to each request, and nothing more" {
    run --separate-stderr bash -c \
        "printf 'TIME\r\nFOO\r\n\r\ntime\r\nTIME\nQUIT\r\nTIME\r\n' |
         nc -N 127.0.0.1 $PORT | od -An -c | tr -d ' \n'"
    assert_success
    local jam='JAM[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\r\\n' invalid='Invalidrequest\\r\\n'
    assert_output --regexp "^$jam$invalid$invalid$invalid$jam$"
}

@test "nc that ends its input gets the replies all the same" {
    run bash -c "printf 'TIME\nFOO\n' | nc -N 127.0.0.1 $PORT"
    assert_success
    assert_line --index 0 --regexp "^$JAM"
    assert_line --index 1 --regexp '^Invalid request'
}

@test "nc that leaves without QUIT is answered" {
    run bash -c "printf TIME | nc -q 1 127.0.0.1 $PORT"
    assert_success
    assert_output --regexp "^$JAM$"
}

@test "nc typed by a person gets replies as the lines are typed, one by one" {
    coproc CLIENT { nc 127.0.0.1 "$PORT"; }
    local client=$CLIENT_PID
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

@test "ten clients talk at once" {
    local clients=() i
    for i in {1..10}; do
        "$TESTS/peer.py" connect "$PORT" 'send:TIME' 'expect:JAM %T' quiet:1 \
            'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT' eof &
        clients+=($!)
    done
    for i in "${clients[@]}"; do wait "$i"; done
}

@test "the original client, which sends no terminator, gets each reply in one receive" {
    run "$TESTS/original_client.py" "$PORT"
    assert_success
    assert_line --index 0 --regexp "^TIME b'$JAM'$"
    assert_line --index 1 "FOO b'Invalid request'"
    assert_line --index 2 --regexp "^TIME b'$JAM'$"
    assert_line --index 3 "QUIT b''"
}
