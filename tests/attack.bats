#!/usr/bin/env bats
# What a client may do to do harm: run under systemd and inetd. Each attack comes from an
# address of its own, by which its record is found.

load helpers
source "$TESTS/container.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export -f inside journal ended serve_others handlers are_lean retry
    export TESTS NETWORK=10.45.0
    if [[ $SUPERVISOR != systemd-* ]]; then # else the cable has these addresses
        local host
        for host in 3 {11..16}; do
            ip address add "$NETWORK.$host/32" dev lo
        done
    fi
    serve_with -t 7
}

# Whatever the attack was, no handler is left, and none had a fault.
teardown() {
    retry no_handler
    run journal -t timesvc
    refute_output --partial ' reason='
}

# handlers: their directories below /proc.
handlers() {
    find /proc/[0-9]*/exe -maxdepth 0 -lname '*/timesvc*.real' -printf '%h\n' 2>/dev/null
}

no_handler() {
    [ -z "$(handlers)" ]
}

# are_lean: there are handlers, and none ever had 8 MB.
are_lean() {
    local peaks
    peaks=$(handlers | sed 's,$,/status,' | xargs -r grep -h ^VmHWM | tr -dc '0-9\n')
    [ -n "$peaks" ] && [ "$(sort -n <<<"$peaks" | tail -n 1)" -lt 8192 ]
}

# ended HOST WORD: the conversation with NETWORK.HOST ended so.
ended() {
    journal -t timesvc | grep -q "^ended peer=$NETWORK\.$1 .* end=$2 "
}

# serve_others: other clients are answered, without delay.
serve_others() {
    "$TESTS/peer.py" connect --from "$NETWORK.3" "$ADDRESS" \
        'send:TIME\r\n' 'expect:JAM %T\r\n' within:2 'send:QUIT\r\n' eof
}

# attack HOST STEP...: as peer.py says, from NETWORK.HOST.
attack() {
    run -0 "$TESTS/peer.py" connect --from "$NETWORK.$1" "$ADDRESS" "${@:2}"
}

@test "ten bytes a minute hold up no one" {
    attack 11 'send:F' 'expect:Invalid request' run:serve_others quiet:5 \
        'send:F' 'expect:Invalid request' run:serve_others quiet:5 \
        run:are_lean 'send:\r\nQUIT\r\n' 'expect:\r\n' eof
    retry ended 11 quit
}

@test "a client that has stopped, and reads no more, is left after the time limit" {
    attack 12 deaf:1000000 run:serve_others run:are_lean 'run:retry ended 12 stalled' within:12
}

@test "a million invalid requests have a million replies, and make no one else wait" {
    yes FOO | head -n 1000000 | nc -N -s "$NETWORK.14" "$HOST" "$PORT" |
        grep -cx $'Invalid request\r' >"$BATS_TEST_TMPDIR/replies" 3>&- &
    retry are_lean
    serve_others
    wait $!
    assert_equal "$(<"$BATS_TEST_TMPDIR/replies")" 1000000
    retry ended 14 eof
}

@test "a reset at any moment harms no one" {
    local byte sent=''
    attack 15 reset
    for byte in T I M E '\r' '\n' F O O '\r' '\n' T I M E Q U I T '\r' '\n'; do
        sent+=$byte
        attack 15 "send:$sent" reset
        attack 15 "send:TIME\r\n$sent" 'expect:JAM %T\r\n' reset
    done
    serve_others
    retry ended 15 reset
    run journal -t timesvc
    refute_line --regexp "peer=$NETWORK\.15 .* end=(idle|stalled|terminated)"
}

# Its address is taken away from it, so it neither acknowledges nor resets any more.
@test "a client that vanished without a FIN is given up" {
    local ending=idle
    if [[ $SUPERVISOR = systemd-* ]]; then
        # Three seconds instead of two hours and eleven minutes.
        mkdir -p "$SCRATCH/root/etc/systemd/system/timesvc.socket.d"
        printf '[Socket]\nKeepAlive%s\n' TimeSec=1 IntervalSec=1 Probes=2 \
            >"$SCRATCH/root/etc/systemd/system/timesvc.socket.d/attack.conf"
        inside systemctl daemon-reload
        inside systemctl restart timesvc.socket
        ending=reset
    fi
    attack 16 'send:TIME\r\n' 'expect:JAM %T\r\n' "run:ip address flush to $NETWORK.16" \
        run:serve_others "run:retry ended 16 $ending" within:12
}
