#!/usr/bin/env bats
# Reads and writes that do less than they were asked to, as read(2) and write(2) may: a
# preloaded library sees to that.

load helpers

@test "reads and writes of every length lose no byte, double none and keep their order" {
    need short.so
    local length over
    for length in {1..32} 4095 4096 4097; do
        START=(env LD_PRELOAD="$TESTS/verify/short.so" SHORT="$length")
        for over in unix pipes; do
            launch --over "$over" 'send:FOO\r\nTIME' 'expect:Invalid request\r\nJAM %T' \
                'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' pump:2000 half-close eof \
                -- --sandbox=off
        done
    done
}
