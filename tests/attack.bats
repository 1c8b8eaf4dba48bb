#!/usr/bin/env bats
# What a client may do to do harm: run under systemd and inetd. Each attack comes from an
# address of its own, by which its record is found.

load helpers

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    load_sources
    export -f records recorded serve_others are_lean retry
    serve_with -t 7
}

teardown_file() {
    serve_as_shipped
}

# Whatever the attack was, no handler is left, none has failed, and none had a fault.
teardown() {
    retry no_handler
    run records
    refute_output --partial ' reason='
    if [[ $SUPERVISOR = systemd-* ]]; then
        run -0 inside systemctl list-units --failed --plain --no-legend 'timesvc*'
        assert_output ''
    fi
}

# load_sources: an attacker's network, which depends on the supervisor.
load_sources() {
    export TESTS NETWORK OTHER_SOURCE
    if [[ $SUPERVISOR = systemd-* ]]; then
        source "$TESTS/container.bash"
        export -f inside
        NETWORK=10.45.0
    else
        NETWORK=127.0.0 OTHER_SOURCE=127.0.0.2
    fi
}

# handlers: their directories below /proc.
handlers() {
    find /proc/[0-9]*/exe -maxdepth 0 -lname '*/timesvc*.real' -printf '%h\n' 2>/dev/null
}
export -f handlers

no_handler() {
    [ -z "$(handlers)" ]
}

# are_lean: there are handlers, and none ever had 8 MB.
are_lean() {
    local peaks
    peaks=$(handlers | sed 's,$,/status,' | xargs -r grep -h ^VmHWM | tr -dc '0-9\n')
    [ -n "$peaks" ] && [ "$(sort -n <<<"$peaks" | tail -n 1)" -lt 8192 ]
}

# records: all that timesvc has logged here.
records() {
    case $SUPERVISOR in
        systemd-*) inside journalctl --no-pager --output=cat --identifier=timesvc ;;
        *) journalctl --directory=/run/log/journal --no-pager --output=cat --identifier=timesvc ;;
    esac
}

# recorded HOST WORDS: the conversation with NETWORK.HOST ended in one of these ways, a|b.
recorded() {
    records | grep -qE "^ended peer=$NETWORK\.$1 .* end=($2) "
}

# serve_others: other clients are answered, without delay.
serve_others() {
    "$TESTS/peer.py" connect --from "$OTHER_SOURCE" "$ADDRESS" \
        'send:TIME\r\n' 'expect:JAM %T\r\n' within:2 'send:QUIT\r\n' eof
}

# attack HOST STEP...: as peer.py says, from NETWORK.HOST.
attack() {
    run "$TESTS/peer.py" connect --from "$NETWORK.$1" "$ADDRESS" "${@:2}"
    assert_success
}

@test "ten bytes a minute hold up no one" {
    attack 11 'send:F' 'expect:Invalid request' run:serve_others quiet:5 \
        'send:F' 'expect:Invalid request' run:serve_others quiet:5 \
        run:are_lean 'send:\r\nQUIT\r\n' 'expect:\r\n' eof
    retry recorded 11 quit
}

@test "a client that never reads is left after the time limit" {
    attack 12 deaf:1000000 run:serve_others run:are_lean 'run:retry recorded 12 stalled' within:12
}

@test "100 MB without a terminator are one request" {
    attack 13 'send:x*100000000' run:serve_others run:are_lean 'expect:Invalid request' half-close eof
    retry recorded 13 eof
}

@test "a million invalid requests have a million replies, and make no one else wait" {
    yes FOO | head -n 1000000 | nc -N -s "$NETWORK.14" "${ADDRESS%:*}" "${ADDRESS##*:}" |
        sort | uniq -c >"$BATS_TEST_TMPDIR/replies" 3>&- &
    local client=$!
    retry are_lean
    serve_others
    wait "$client"
    run -0 cat "$BATS_TEST_TMPDIR/replies"
    assert_output --regexp $'^ *1000000 Invalid request\r$'
    retry recorded 14 eof
}

@test "a reset at any moment harms no one" {
    local conversation='TIME\r\nFOO\r\nTIMEQUIT\r\n' byte sent='' bytes
    run -0 grep -oE '\\.|.' <<<"$conversation"
    bytes=("${lines[@]}")
    attack 15 reset
    for byte in "${bytes[@]}"; do
        sent+=$byte
        attack 15 "send:$sent" reset
        attack 15 "send:TIME\r\n$sent" 'expect:JAM %T\r\n' reset
    done
    serve_others
    retry recorded 15 reset
    run records
    refute_line --regexp "peer=$NETWORK\.15 .* end=(idle|stalled|terminated)"
}

# Its address is taken away from it, so it neither acknowledges nor resets any more.
vanish() {
    local link=timesvc
    [[ $SUPERVISOR = systemd-* ]] || link=lo
    ip address delete "$1" dev "$link"
}

@test "a client that vanished without a FIN is given up" {
    export -f vanish
    if [[ $SUPERVISOR = systemd-* ]]; then
        # Three seconds instead of two hours and eleven minutes.
        mkdir -p "$SCRATCH/root/etc/systemd/system/timesvc.socket.d"
        printf '[Socket]\nKeepAlive%s\n' TimeSec=1 IntervalSec=1 Probes=2 \
            >"$SCRATCH/root/etc/systemd/system/timesvc.socket.d/attack.conf"
        inside systemctl daemon-reload
        inside systemctl restart timesvc.socket
        attack 16 'send:TIME\r\n' 'expect:JAM %T\r\n' "run:vanish $NETWORK.16/24" \
            run:serve_others 'run:retry recorded 16 reset' within:6
    else
        ip address add 10.46.0.16/32 dev lo
        NETWORK=10.46.0 attack 16 'send:TIME\r\n' 'expect:JAM %T\r\n' 'run:vanish 10.46.0.16/32' \
            run:serve_others 'run:NETWORK=10.46.0 retry recorded 16 idle' within:12
    fi
}

@test "a stopped client is left after the time limit" {
    yes TIME | nc -s "$NETWORK.17" "${ADDRESS%:*}" "${ADDRESS##*:}" >/dev/null 3>&- &
    local client=$!
    retry are_lean
    kill -STOP "$client"
    serve_others
    run retry recorded 17 'stalled|idle'
    kill -KILL "$client"
    assert_success
}
