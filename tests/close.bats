#!/usr/bin/env bats
# How a connection ends: closing, draining, limits, signals. Each test that launches expects
# exit status 0 and reads the record.

load helpers

# --- QUIT and the end of input

@test "a QUIT that the end of input completes counts as QUIT" {
    launch 'send:QUIT' half-close eof --
    assert_output --partial ' end=quit '
}

# bats test_tags=remote
@test "replies are not lost to what the client sends after QUIT" {
    launch 'send:TIME\r\nQUIT\r\njunk' 'send:junk*10000' half-close 'expect:JAM %T\r\n' eof --
    recorded ' received=12 '
}

# bats test_tags=long
@test "a client that does not close after QUIT is drained for two seconds, whatever it sends" {
    local meanwhile
    for meanwhile in pause:0 trickle:9 'send:x*65536'; do
        launch 'send:QUIT\r\n' eof "$meanwhile" exits after:1.8 within:3 --
        assert_output --partial ' end=quit '
    done
}

@test "a client that sends less than 64 KiB after QUIT, and closes, is waited for no longer" {
    launch 'send:QUIT\r\n' eof 'send:x*65535' half-close exits within:1 --
}

# bats test_tags=remote
@test "a client that goes on sending after QUIT is cut off after two seconds" {
    launch 'send:QUIT\r\n' eof trickle:9 after:1.8 within:3.5 --
}

# bats test_tags=bare
@test "of what a client keeps sending after QUIT little is read" {
    START=(strace -D -qq -o "$BATS_TEST_TMPDIR/calls" -e trace=read)
    launch 'send:QUIT\r\n' deaf:1000000 exits --
    run awk -F ' = ' '/^read\(0,/ { read += $2 } END { print read }' "$BATS_TEST_TMPDIR/calls"
    # 64 KiB, and what came together with QUIT.
    ((output > 65536 && output <= 2 * 65536))
}

# bats test_tags=long,remote
@test "replies are not lost to more than 64 KiB after QUIT, if read within two seconds" {
    launch 'send:TIME\r\n*5000' 'send:QUIT\r\n' 'send:x*200000' pause:1 \
        "expect:$(printf 'JAM %%T\\r\\n%.0s' {1..5000})" --
    recorded ' end=quit '
}

# --- The time limit

# bats test_tags=long
@test "a client that sends nothing is closed after the time limit" {
    launch eof after:1 within:2.5 -- -t 1
    assert_output --partial ' end=idle requests=0 '
    # Each byte starts it anew, and a tail is answered before it.
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' quiet:1.2 'send:TIME\r\n' 'expect:JAM %T\r\n' \
        quiet:1.2 'send:FOO' 'expect:Invalid request' eof after:2 -- -t 2
    assert_output --partial ' end=idle requests=3 '
}

@test "a client that reads nothing is closed after the time limit" {
    local over
    for over in tcp pipes; do
        launch --over "$over" deaf:10000000 exits within:5 -- -t 1
        assert_output --partial ' end=stalled '
    done
    # A pipe holds 64 KiB, pipe(7): more was not sent.
    [[ $output =~ sent=([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -le 65536 ]
}

@test "a terminal that takes no more ends by the time limit and by SIGTERM, too" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    START=(sh -c 'stty opost && exec "$0" "$@"') # so that a part of a write may fit
    launch --over terminal deaf:1000000 exits within:5 -- -t 1
    assert_output --partial ' end=stalled '
    launch --over terminal deaf:1000000 signal:TERM exits within:2.5 --
    assert_output --partial ' end=terminated '
}

# bats test_tags=long
@test "a client that reads slowly, but all along, is not closed by the time limit" {
    launch sip:27000*12 reset -- -t 5
    refute_output --partial ' end=stalled '
    launch sip:80000*12 reset -- -t 10
    refute_output --partial ' end=stalled '
}

@test "the kernel holds little for a client that reads nothing, also at once after full speed" {
    launch deaf:10000000 held:384 reset --
    launch sip:1000000000*2 deaf:10000000 held:384 reset --
}

# bats test_tags=bare
@test "a reply that had to wait, for the client to read or for silence, tells the time of then" {
    launch --over pipes stale:4 'send:QUIT' eof --
    launch midsecond 'send:TIME\r' tells-now --
}

@test "a time limit of 0 is none, and one of a year is far" {
    local limit
    for limit in 0 31536000; do
        launch quiet:1.5 'send:TIME\r\n' 'expect:JAM %T\r\n' -- -t "$limit"
    done
}

# bats test_tags=remote
@test "an urgent byte is a byte like others" {
    local over steps=('send:TI' urgent:M 'send:E\r\n' 'expect:JAM %T\r\n' urgent:X
        'expect:Invalid request')
    [ "$SUPERVISOR" != remote ] || { connect "${steps[@]}"; return; }
    for over in tcp unix; do
        launch --over "$over" "${steps[@]}" eof after:1 -- -t 2
        assert_output --partial ' end=idle requests=2 invalid=1 received=7 '
    done
}

@test "a reply does not wait for the client to acknowledge the one before" {
    launch 'send:TIME' 'expect:JAM %T' prompt 'send:QUIT' eof --
}

# --- The client goes away

@test "a client that resets the connection ends it, also where replies go elsewhere" {
    local over
    for over in tcp split; do
        launch --over "$over" 'send:TIME\r\n' 'expect:JAM %T\r\n' reset exits within:2 --
        assert_output --partial ' end=reset requests=1 '
    done
}

@test "a client that goes away under a full load ends it, whether SIGPIPE is ignored or not" {
    local how
    for how in ignore default; do
        START=(env "--$how-signal=PIPE")
        launch deaf:10000000 reset exits within:2 --
        assert_output --partial ' end=reset '
        # The same through pipes, whose reader goes away.
        run --separate-stderr bash -c 'yes TIME | { "$@"; echo $? >&2; } | head -n 1' \
            bash "${START[@]}" "$TIMESVC"
        assert_output --partial 'JAM '
        assert_regex "$stderr" $' end=reset .*\n0$'
    done
}

@test "a terminal that hangs up is a client that is gone" {
    launch --over terminal 'send:TIME' 'expect:JAM %T' 'send:FOO' quiet:0.5 --
    assert_output --partial ' end=reset requests=2 '
}

# --- Signals

# bats test_tags=long
@test "SIGTERM, SIGINT, SIGHUP and SIGQUIT end the conversation within a second" {
    # Even if the parent ignored or blocked them.
    START=(env '--ignore-signal=TERM,INT' '--block-signal=HUP,QUIT')
    local name
    for name in TERM INT HUP QUIT; do
        launch 'send:TIME\r\n' 'expect:JAM %T\r\n' "signal:$name" eof within:1 exits within:1 --
        assert_output --partial ' end=terminated requests=1 '
    done
}

# bats test_tags=bare,long
@test "no other signal does anything" {
    local name signals=()
    for name in USR1 USR2 ALRM PIPE CHLD URG WINCH TSTP TTIN TTOU IO PROF VTALRM XCPU XFSZ SYS \
        TRAP; do
        signals+=("signal:$name")
    done
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' "${signals[@]}" 'send:TIME' 'expect:JAM %T' \
        'send:QUIT' eof --
    assert_output --partial ' end=quit requests=3 '
}

@test "a timer, a mask and a signal of the parent change nothing" {
    START=(python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGUSR1})
os.kill(os.getpid(), signal.SIGALRM)
os.kill(os.getpid(), signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
os.execv(sys.argv[1], sys.argv[1:])')
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:FOO' 'expect:Invalid request' 'send:QUIT' \
        eof -- -v
    assert_output --partial ' end=quit requests=3 '
}

@test "after a signal, too, a client is drained, for what is left of a second" {
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof exits after:0.5 within:1 --
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' signal:TERM eof half-close exits within:0.4 --
    launch 'send:QUIT\r\n' eof signal:TERM exits after:0.5 within:1 --
    assert_output --partial ' end=quit '
}

# valgrind itself blocks signals, so that it does not show when the program does.
# bats test_tags=bare
@test "a signal ends the conversation with a client that reads nothing, or never stops sending" {
    launch 'send:TIME\r\n' 'expect:JAM %T\r\n' deaf:10000000 signal:TERM exits within:1 --
    assert_output --partial ' end=terminated '
    run -0 bash -c "yes TIME | timeout --preserve-status 1 '$TIMESVC' 2>&1 >/dev/null"
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
