#!/usr/bin/env bats
# The drop-ins of examples/ for a real systemd, each installed by the very commands that it
# begins with. Run beside the container, like systemd.bats.

load helpers
source "$TESTS/container.bash"
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export -f inside
}

teardown() {
    # Restarted more than five times in ten seconds, a unit fails (StartLimitBurst=).
    inside bash -c 'rm -rf /etc/systemd/system/*timesvc*.d; systemctl daemon-reload
        systemctl restart timesvc.socket; systemctl reset-failed timesvc.socket'
    ip address flush to 192.0.2.0/24 dev timesvc
}

# dropped_in EXAMPLE: what its first lines say is done, in the directory that it is in.
dropped_in() {
    run -0 inside bash -euc "cd /root/timesvc/examples; $(example_commands "$1")"
    assert_output ''
    run -0 inside systemd-analyze verify --man=no timesvc.socket timesvc@1.service
    assert_output ''
}

# journal_has TEXT: one of timesvc's records.
journal_has() {
    inside journalctl --no-pager --output=cat --identifier="$1" | grep -qF -- "$2"
}

# serves HOST PORT [FROM]: within two seconds.
serves() {
    [[ $(printf 'TIME\r\nQUIT\r\n' | nc -N -w 2 ${3:+-s "$3"} "$1" "$2") = JAM\ * ]]
}

@test "options.conf logs each request, and has the program take its time limit" {
    dropped_in options.conf
    # shellcheck disable=SC2016 # the inner shell's to expand
    local words='tr "\0" " " <"/proc/$(systemctl show --property=MainPID --value "timesvc@*" | grep "^[1-9]")/cmdline"'
    converse 'send:TIME' 'expect:JAM %T' "run:inside bash -c '$words' >'$BATS_TEST_TMPDIR/words'" \
        'send:\nFOO\n' 'expect:\r\nInvalid request\r\n' 'send:QUIT' eof
    assert_equal "$(<"$BATS_TEST_TMPDIR/words")" '/usr/local/sbin/timesvc -v -t 600 '
    retry journal_has timesvc "request peer=$SOURCE port="
    retry journal_has timesvc ' request=FOO'
    retry journal_has timesvc ' end=quit requests=3 invalid=1 '
}

@test "another-port.conf serves that port in place of 45000" {
    dropped_in another-port.conf
    serves "$HOST" 4500
    run ! nc -z "$HOST" 45000
}

@test "some-networks.conf serves those, and gives others no answer" {
    ip address add 192.0.2.1/24 dev timesvc
    inside ip route replace 192.0.2.0/24 dev host0
    serves "$HOST" 45000 192.0.2.1
    dropped_in some-networks.conf
    run ! serves "$HOST" 45000 192.0.2.1
    serves "$HOST" 45000 "$SOURCE"
    serves "$HOST6" 45000
}

@test "client-limits.conf lets one address have four connections" {
    dropped_in client-limits.conf
    run -0 "$TESTS/flood.py" hold "$ADDRESS" 10 "$SOURCE" \
        "$TESTS/peer.py" connect --from "$OTHER_SOURCE" "$ADDRESS" 'send:TIME' 'expect:JAM %T'
    assert_output '4 answered'
}

@test "time-zone.conf tells the time of that place" {
    local before
    dropped_in time-zone.conf
    before=$(TZ=WIB-7 date +%H:%M)
    run -0 bash -c "printf TIME | nc -q 1 $HOST 45000"
    # The minute may end meanwhile.
    [[ $output = "JAM $before:"* ]] || assert_output --partial "JAM $(TZ=WIB-7 date +%H:%M):"
}

@test "static.conf serves by the program without a library, and the journal has its records" {
    dropped_in static.conf
    # shellcheck disable=SC2016 # the inner shell's to expand
    local program='readlink "/proc/$(systemctl show --property=MainPID --value "timesvc@*")/exe"'
    converse 'send:TIME' 'expect:JAM %T' \
        "run:inside bash -c '$program' >'$BATS_TEST_TMPDIR/program'" 'send:\nFOO\n' \
        'expect:\r\nInvalid request\r\n' 'send:QUIT' eof
    assert_equal "$(<"$BATS_TEST_TMPDIR/program")" /usr/local/sbin/timesvc-static
    retry journal_has timesvc-static "ended peer=$SOURCE port="
    retry journal_has timesvc-static ' end=quit requests=3 invalid=1 '
    run -0 inside systemd-analyze security --no-pager --threshold=30 timesvc@1.service
}

@test "most-sandboxed.conf confines all that can be, and serves and logs as ever" {
    dropped_in most-sandboxed.conf
    run -0 inside systemd-analyze security --no-pager --threshold=2 timesvc@1.service
    converse 'send:TIME' 'expect:JAM %T' 'send:\nFOO\nBAR\n' \
        'expect:\r\nInvalid request\r\nInvalid request\r\n' half-close eof
    retry journal_has timesvc ' end=eof requests=3 invalid=2 '
    inside journalctl --no-pager --output=cat --priority=warning _PID=1 >"$BATS_TEST_TMPDIR/warnings"
    run ! grep 'timesvc@' "$BATS_TEST_TMPDIR/warnings"
}

@test "proxy-only.conf and proxy.conf let the proxy alone tell who the client is" {
    ip address add 192.0.2.10/24 dev timesvc
    inside ip route replace 192.0.2.0/24 dev host0
    dropped_in proxy.conf
    dropped_in proxy-only.conf
    run ! nc -z -w 2 "$HOST" 45000
    run -0 "$TESTS/peer.py" connect --from 192.0.2.10 "$ADDRESS" \
        'send:PROXY TCP4 198.51.100.7 10.45.0.2 4711 45000\r\nTIME' 'expect:JAM %T' 'send:QUIT' eof
    retry journal_has timesvc 'ended peer=198.51.100.7 port=4711 end=quit '
}

@test "cpu-share.conf gives all connections together a share of the processors" {
    dropped_in cpu-share.conf
    converse 'send:TIME' 'expect:JAM %T' \
        "run:inside systemctl show system-timesvc.slice >'$BATS_TEST_TMPDIR/slice'
         inside systemctl show --property=Slice 'timesvc@*' >>'$BATS_TEST_TMPDIR/slice'"
    run -0 cat "$BATS_TEST_TMPDIR/slice"
    assert_line Slice=system-timesvc.slice
    assert_line CPUWeight=10
    assert_line CPUQuotaPerSecUSec=1s
}
