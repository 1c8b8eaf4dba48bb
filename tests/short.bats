#!/usr/bin/env bats
# Reads and writes that do less than they were asked to, as read(2) and write(2) may: a
# preloaded library sees to that.

load helpers

setup_file() {
    need short.so
}

# shortly COUNT OVER STEP...: no call reads or writes more than so many bytes.
shortly() {
    START=(env LD_PRELOAD="$TESTS/verify/short.so" SHORT="$1")
    launch --over "$2" "${@:3}" -- --sandbox=off --log=syslog
}

@test "reads and writes of every length lose no byte and double none" {
    local length over
    for over in unix pipes; do
        for ((length = 1; length <= 48; length++)); do
            shortly "$length" "$over" 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:FOO\r\nTIME' \
                'expect:Invalid request\r\nJAM %T' 'send:\r\nTIME\r\nQUIT\r\n' \
                'expect:\r\nJAM %T\r\n' eof
        done
    done
}

@test "reads and writes of any length keep thousands of replies in order" {
    local length
    for length in 1 2 3 5 7 13 14 15 16 17 18 31 4095 4096 4097; do
        shortly "$length" unix pump:5000 half-close eof
    done
}

@test "a reply of many writes is whole" {
    shortly 1 unix 'send:FOO\n*500' "expect:$(printf 'Invalid request\\r\\n%.0s' {1..500})" \
        half-close eof
}
