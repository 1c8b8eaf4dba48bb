#!/usr/bin/env bats
# How a connection ends: closing, draining, limits, signals. Each test that launches expects
# exit status 0 and reads the record.

load helpers

# --- QUIT and the end of input

@test "the record says that the client sent QUIT" {
    launch 'send:TIME\r\nFOO\r\nQUIT\r\n' 'expect:JAM %T\r\nInvalid request\r\n' eof --
    assert_output --regexp ' end=quit requests=3 invalid=1 received=17 sent=31 seconds=0\.[0-9]+$'
}

@test "the record says that the client ended its input" {
    launch 'send:TIME\r\n' half-close 'expect:JAM %T\r\n' eof --
    assert_output --partial ' end=eof requests=1 invalid=0 '
}

@test "a QUIT that the end of input completes counts as QUIT" {
    launch 'send:QUIT' half-close eof --
    assert_output --partial ' end=quit '
}

@test "replies are not lost to what the client sends after QUIT" {
    launch 'send:TIME\r\nQUIT\r\njunk' 'send:junk*10000' half-close 'expect:JAM %T\r\n' eof --
    assert_output --partial ' received=12 '
}

@test "QUIT after 60 KB of junk closes" {
    launch 'send:junk*15000' 'send:\r\nQUIT\r\n' 'expect:Invalid request\r\n' eof --
    assert_output --partial ' end=quit requests=2 invalid=1 received=60008 sent=17 '
}

@test "a client that does not close after QUIT is drained for two seconds" {
    launch 'send:QUIT\r\n' exits after:2 within:3 eof --
    assert_output --partial ' end=quit '
}

# bats test_tags=long
@test "a client that keeps sending after QUIT is left after two seconds" {
    launch 'send:QUIT\r\n' eof trickle:9 after:1.8 within:3 --
    launch 'send:QUIT\r\n' eof 'send:x*65536' exits after:1.8 within:3 --
}

# replies COUNT: what so many TIME CR LF bring.
replies() {
    printf 'JAM %%T\\r\\n%.0s' $(seq "$1")
}

# bats test_tags=bare
@test "of what a client keeps sending after QUIT little is read" {
    START=(strace -D -qq -o "$BATS_TEST_TMPDIR/calls" -e trace=read)
    launch 'send:QUIT\r\n' deaf:1000000 exits --
    run awk -F ' = ' '/^read\(0,/ { read += $2 } END { print read }' "$BATS_TEST_TMPDIR/calls"
    # 64 KiB, and what came together with QUIT.
    ((output > 65536 && output <= 2 * 65536))
}

# bats test_tags=long
@test "replies are not lost to more than 64 KiB after QUIT, if read within two seconds" {
    launch 'send:TIME\r\n*1000' 'send:QUIT\r\n' 'send:x*200000' pause:1 "expect:$(replies 1000)" --
    launch 'send:TIME\r\n*5000' 'send:QUIT\r\n' 'send:x*100000' pause:0.5 "expect:$(replies 2000)" \
        'send:x*100000' pause:0.5 "expect:$(replies 3000)" --
    assert_output --partial ' end=quit '
}

# --- The time limit

@test "a client that sends nothing is closed after the time limit" {
    launch eof after:1 within:2.5 -- -t 1
    assert_output --partial ' end=idle requests=0 '
}

@test "each byte starts the time limit anew" {
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' quiet:0.8 'send:TIME\r\n' 'expect:JAM %T\r\n' \
        quiet:0.8 'send:QUIT\r\n' eof -- -t 1
    assert_output --partial ' end=quit '
}

@test "a tail is answered before a time limit of a second" {
    launch 'send:FOO' 'expect:Invalid request' eof after:1 -- -t 1
    assert_output --partial ' end=idle requests=1 '
}

@test "a client that reads nothing is closed after the time limit" {
    launch deaf:10000000 exits within:5 -- -t 1
    assert_output --partial ' end=stalled '
}

# bats test_tags=long
@test "a client that reads slowly, but all along, is not closed by the time limit" {
    launch sip:80000*13 reset -- -t 10
    refute_output --partial ' end=stalled '
}

# bats test_tags=long
@test "a client that reads more slowly yet is not closed by a short time limit" {
    launch sip:27000*12 reset -- -t 5
    refute_output --partial ' end=stalled '
}

@test "the kernel holds little for a client that reads nothing" {
    launch deaf:10000000 held:384 reset --
}

@test "the kernel holds little for a client that stops reading at full speed" {
    launch sip:1000000000*2 deaf:10000000 held:384 reset --
}

@test "a client that reads nothing from a pipe is closed after the time limit" {
    launch --over pipes deaf:10000000 exits within:5 -- -t 1
    assert_output --partial ' end=stalled '
    # A pipe holds 64 KiB, pipe(7): more was not sent.
    [[ $output =~ sent=([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -le 65536 ]
}

@test "a reply that had to wait for the client to read tells the time of then" {
    launch --over pipes stale:4 'send:QUIT' eof --
}

# bats test_tags=bare
@test "a reply that had to wait for silence tells the time of then" {
    launch midsecond 'send:TIME\r' tells-now --
}

@test "a time limit of 0 is none, and one of a year is far" {
    launch quiet:1.5 'send:TIME\r\n' 'expect:JAM %T\r\n' -- -t 0
    launch quiet:1.5 'send:TIME\r\n' 'expect:JAM %T\r\n' -- -t 31536000
}

@test "an urgent byte is a byte like others" {
    local how
    for how in tcp unix; do
        launch --over "$how" 'send:TI' urgent:M 'send:E\r\n' 'expect:JAM %T\r\n' \
            urgent:X 'expect:Invalid request' eof after:1 -- -t 2
        assert_output --partial ' end=idle requests=2 invalid=1 received=7 '
    done
}

@test "a reply does not wait for the client to acknowledge the one before" {
    launch 'send:TIME' 'expect:JAM %T' prompt 'send:QUIT' eof --
}

# --- The client goes away

@test "a client that resets the connection ends it" {
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' reset exits within:2 --
    assert_output --partial ' end=reset requests=1 '
}

@test "a client that resets the connection ends it, also where replies go elsewhere" {
    launch --over split 'send:TIME\r\n' 'expect:JAM %T\r\n' reset exits within:2 --
    assert_output --partial ' end=reset requests=1 '
}

@test "a client that resets the connection under a full load ends it" {
    launch deaf:10000000 reset exits within:2 --
    assert_output --partial ' end=reset '
}

@test "a reader that goes away ends a conversation through pipes" {
    run -0 --separate-stderr bash -c "yes TIME | { '$TIMESVC'; echo \$? >&2; } | head -n 1"
    assert_output --partial 'JAM '
    assert_regex "$stderr" ' end=reset .*
0$'
}

@test "a terminal that hangs up is a client that is gone" {
    launch --over terminal 'send:TIME' 'expect:JAM %T' 'send:FOO' quiet:0.5 --
    assert_output --partial ' end=reset requests=2 '
}

# --- Signals

# bats test_tags=long
@test "SIGTERM, SIGINT, SIGHUP and SIGQUIT end the conversation within a second" {
    local name
    for name in TERM INT HUP QUIT; do
        launch 'send:TIME\r\n' 'expect:JAM %T\r\n' "signal:$name" eof within:1 exits within:1 --
        assert_output --partial ' end=terminated requests=1 '
    done
}

@test "signals end the conversation even if the parent ignored or blocked them" {
    START=(env --ignore-signal=TERM)
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof exits within:1 --
    assert_output --partial ' end=terminated '
    START=(env --block-signal=INT --block-signal=HUP)
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:HUP eof exits within:1 --
    assert_output --partial ' end=terminated '
}

# bats test_tags=bare,long
@test "no other signal does anything" {
    local name signals=()
    for name in USR1 USR2 ALRM PIPE CHLD URG WINCH TSTP TTIN TTOU IO PROF VTALRM XCPU XFSZ SYS TRAP; do
        signals+=("signal:$name")
    done
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' "${signals[@]}" 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof --
    assert_output --partial ' end=quit requests=3 '
}

@test "a timer, a mask and a signal of the parent change nothing" {
    cat >"$BATS_TEST_TMPDIR/inherit.py" <<'END'
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGUSR1})
os.kill(os.getpid(), signal.SIGALRM)
os.kill(os.getpid(), signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
os.execv(sys.argv[1], sys.argv[1:])
END
    START=(python3 "$BATS_TEST_TMPDIR/inherit.py")
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:FOO' 'expect:Invalid request' 'send:QUIT' eof -- -v
    assert_output --partial ' end=quit requests=3 '
}

@test "after a signal, too, a client is drained, so that it gets what is on the way" {
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof exits after:0.5 within:1 --
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof half-close exits within:0.4 --
}

@test "a signal during the drain leaves it what is left of a second" {
    launch 'send:QUIT\r\n' eof signal:TERM exits after:0.5 within:1 --
    assert_output --partial ' end=quit '
}

# valgrind itself blocks signals, so that it does not show when the program does.
# bats test_tags=bare
@test "a signal ends the conversation with a client that reads nothing" {
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' deaf:10000000 signal:TERM exits within:1 --
    assert_output --partial ' end=terminated '
}

@test "a signal ends the conversation with a client that never stops sending" {
    yes TIME | { exec "$TIMESVC" >"$BATS_TEST_TMPDIR/replies" 2>"$BATS_TEST_TMPDIR/record"; } 3>&- &
    local program=$!
    retry test -s "$BATS_TEST_TMPDIR/replies"
    kill -TERM "$program"
    wait "$program"
    run cat "$BATS_TEST_TMPDIR/record"
    assert_output --partial ' end=terminated '
}

# bats test_tags=bare
@test "a signal does not take away the reply to a request just read" {
    # Once it has answered, the program is held up between the next request and its reply.
    START=(strace -D -qq -o /dev/null -e inject=ppoll:delay_enter=1000000:when=3)
    local begin=('send:\n' 'expect:Invalid request\r\n')
    launch "${begin[@]}" 'send:TIME' quiet:0.3 signal:TERM 'expect:JAM %T' eof --
    launch "${begin[@]}" 'send:TIME' quiet:0.3 half-close signal:TERM 'expect:JAM %T' eof --
    launch "${begin[@]}" 'send:QUIT' quiet:0.3 signal:TERM eof --
    assert_output --partial ' end=quit '
}

@test "a signal does not take away the replies that are due" {
    launch 'send:TIME\r\nTIME\r\nTIME' 'expect:JAM %T\r\n' signal:TERM \
        'expect:JAM %T\r\nJAM %T' eof --
}
