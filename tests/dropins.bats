#!/usr/bin/env bats
# The drop-ins of examples/ for a real systemd, each installed by the very commands that it
# begins with. Run beside the container, like systemd.bats.

load helpers
source "$TESTS/container.bash"
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export -f inside
    # One more network to the container, with a stranger and a proxy.
    ip address add 192.0.2.1/24 dev timesvc
    ip address add 192.0.2.10/24 dev timesvc
    inside ip route add 192.0.2.0/24 dev host0
}

teardown() {
    inside bash -c 'rm -rf /etc/systemd/system/*timesvc*.d; systemctl daemon-reload
        systemctl restart timesvc.socket'
}

# dropped_in EXAMPLE: as it says at its top.
dropped_in() {
    run -0 inside bash -euc "cd /root/timesvc/examples; $(example_commands "$1")
        systemd-analyze verify --man=no timesvc.socket timesvc@1.service"
    assert_output ''
}

# journal_has IDENTIFIER TEXT
journal_has() {
    inside journalctl --no-pager --output=cat --identifier="$1" | grep -qF -- "$2"
}

@test "options.conf logs each request, and 40,000 of them hide no record" {
    dropped_in options.conf
    converse 'send:TIME' 'expect:JAM %T' 'send:\nFOO' 'expect:\r\nInvalid request' 'send:QUIT' eof
    retry journal_has timesvc ' request=FOO'
    converse pump:40000 'send:QUIT' eof
    retry journal_has timesvc ' requests=40001 '
}

@test "options in /etc/default/timesvc count from the next connection on" {
    inside bash -c 'echo "TIMESVC_OPTIONS=-v -t 600" >/etc/default/timesvc'
    converse 'send:BAR\n' 'expect:Invalid request\r\n' 'send:QUIT' eof
    inside rm /etc/default/timesvc
    retry journal_has timesvc ' request=BAR'
}

@test "a drop-in that names the program and its options, as for 1.0.0, goes on working" {
    inside mkdir /etc/systemd/system/timesvc@.service.d
    inside bash -c 'printf "%s\n" "[Service]" ExecStart= "ExecStart=/usr/local/sbin/timesvc -v -t 600" \
        >/etc/systemd/system/timesvc@.service.d/options.conf; systemctl daemon-reload'
    converse 'send:BAZ\n' 'expect:Invalid request\r\n' 'send:QUIT' eof
    retry journal_has timesvc ' request=BAZ'
}

@test "another-port.conf serves that port in place of 45000" {
    dropped_in another-port.conf
    ADDRESS=$HOST:4500 converse 'send:TIME' 'expect:JAM %T'
    run ! nc -z "$HOST" 45000
}

@test "some-networks.conf serves those, and gives others no answer" {
    nc -z -w 2 -s 192.0.2.1 "$HOST" 45000
    dropped_in some-networks.conf
    run ! nc -z -w 2 -s 192.0.2.1 "$HOST" 45000
    nc -z -s "$SOURCE" "$HOST" 45000
    nc -z "$HOST6" 45000
}

@test "client-limits.conf lets one address have four connections" {
    dropped_in client-limits.conf
    run -0 "$TESTS/flood.py" hold "$ADDRESS" 10 "$SOURCE" \
        "$TESTS/peer.py" connect --from "$OTHER_SOURCE" "$ADDRESS" 'send:TIME' 'expect:JAM %T'
    assert_output '4 answered'
}

# forgotten: systemd knows no instance any more, not even a failed one.
forgotten() {
    [ -z "$(inside systemctl list-units --all --no-legend 'timesvc@*')" ]
}

@test "lifetime.conf ends a conversation in time, with its record, and no unit stays failed" {
    dropped_in lifetime.conf
    inside bash -c 'sed -i s/=10min/=3/ /etc/systemd/system/timesvc@.service.d/lifetime.conf
        systemctl daemon-reload'
    converse 'send:TIME' 'expect:JAM %T' quiet:2 'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' \
        eof within:4
    retry journal_has timesvc ' end=terminated requests=2 '
    retry forgotten
}

@test "time-zone.conf tells the time of that place" {
    dropped_in time-zone.conf
    TZ=WIB-7 converse 'send:TIME\r\n' 'expect:JAM %T\r\n' midsecond 'send:TIME' tells-now
}

@test "static.conf serves by the program without a library, and the journal has its records" {
    dropped_in static.conf
    converse 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof
    retry journal_has timesvc ": ended peer=$SOURCE port="
}

@test "most-sandboxed.conf confines all that can be, and serves and logs as ever" {
    local began=$EPOCHSECONDS
    dropped_in most-sandboxed.conf
    run -0 inside systemd-analyze security --no-pager --threshold=2 timesvc@1.service
    converse 'send:TIME\nFOO\nBAR' 'expect:JAM %T\r\nInvalid request\r\nInvalid request' \
        half-close eof
    retry journal_has timesvc ' end=eof requests=3 invalid=2 '
    run -0 inside journalctl --no-pager --output=cat --since="@$began" --priority=warning _PID=1
    refute_output --partial 'timesvc@'
}

@test "proxy-only.conf and proxy.conf let the proxy alone tell who the client is" {
    dropped_in proxy.conf
    dropped_in proxy-only.conf
    run ! nc -z -w 2 "$HOST" 45000
    run -0 "$TESTS/peer.py" connect --from 192.0.2.10 "$ADDRESS" \
        'send:PROXY TCP4 198.51.100.7 10.45.0.2 4711 45000\r\nTIME' 'expect:JAM %T' 'send:QUIT' eof
    retry journal_has timesvc 'ended peer=198.51.100.7 port=4711 end=quit '
    # Of all clients it may have as many connections as there are.
    run -0 inside systemctl show --property=MaxConnectionsPerSource timesvc.socket
    assert_output MaxConnectionsPerSource=1024
}

@test "where IPAddressDeny= has no effect, the socket does not start, but only-from.nft protects" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    BPF='' run -0 "$TESTS/isolated" "$TESTS/under" "$SUPERVISOR" bash -uc '
        source "$1/serving.bash"
        source "$1/container.bash"
        source "$1/pages.bash"
        knock() {
            nc -z -w 2 -s "$1" "$HOST" 45000 && echo "$1 is served" || echo "$1 is not"
        }
        ip address add 192.0.2.1/24 dev timesvc
        inside ip route add 192.0.2.0/24 dev host0
        for example in proxy-only.conf some-networks.conf; do
            inside bash -c "cd /root/timesvc/examples; $(example_commands $example)" 2>/dev/null
            knock 192.0.2.1
            inside rm "/etc/systemd/system/timesvc.socket.d/$example"
            # For the next one the attempt fails, but not by IPAddressDeny=.
            inside ip route replace unreachable 127.0.0.2 table local
        done
        retry journal --unit=timesvc.socket --grep="no effect" | uniq
        inside bash -c "systemctl daemon-reload; systemctl restart timesvc.socket"
        knock 192.0.2.1
        cd "$TREE/examples"
        nsenter --target "$LEADER" --net bash -c "$(example_commands only-from.nft)"
        knock 192.0.2.1
        knock "$SOURCE"' bash "$TESTS"
    assert_output "$(printf '%s\n' '192.0.2.1 is not' '192.0.2.1 is not' \
        'IPAddressDeny= has no effect here' '192.0.2.1 is served' '192.0.2.1 is not' \
        "$SOURCE is served")"
}

@test "cpu-share.conf gives all connections together a share of the processors" {
    dropped_in cpu-share.conf
    converse 'send:TIME' 'expect:JAM %T' \
        "run:inside systemctl show system-timesvc.slice; inside systemctl show -p Slice 'timesvc@*'"
    assert_line Slice=system-timesvc.slice
    assert_line CPUWeight=10
    assert_line CPUQuotaPerSecUSec=1s
    # The bounds that are shipped hold beside it.
    assert_line MemoryMax=2147483648
    assert_line TasksMax=2048
}
