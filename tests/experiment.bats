#!/usr/bin/env bats
# The original system's experiment: a server and two clients, each a host of its own, and the
# packets captured at the server. To be run where mounts, network and processes are private.

load helpers
load hosts

SERVER_HOST=172.16.16.101
SILENT=172.16.16.102 # the original client, which sends no terminators
BRISK=172.16.16.103  # a line client

setup() {
    CAPTURE=$BATS_TEST_TMPDIR/capture SERVER_LOG=$BATS_TEST_TMPDIR/server
    lay_network "$SERVER_HOST" "$SILENT" "$BRISK"
    (leash ip netns exec "$SERVER_HOST" tcpserver -v -RHl0 "$SERVER_HOST" 45000 "$TIMESVC") \
        >"$SERVER_LOG" 2>&1 3>&- &
    SERVER=$!
    (leash ip netns exec "$SERVER_HOST" tshark -i eth0 -f 'port 45000' -w "$CAPTURE") \
        >"$BATS_TEST_TMPDIR/tshark" 2>&1 3>&- &
    TSHARK=$!
    retry listens_on "$SERVER_HOST"
    retry captured begin
}

teardown() {
    stop_serving
    SERVER=$TSHARK stop_serving
}

# captured WORD: a datagram sent now has come to the file, and so has what went before it.
captured() {
    on "$BRISK" bash -c "echo $1 >/dev/udp/$SERVER_HOST/45000"
    grep -qs "$1" "$CAPTURE"
}

# client HOST STEP...
client() {
    on "$1" "$TESTS/peer.py" connect "$SERVER_HOST:45000" "${@:2}"
}

# print_segments: those captured, as docs/lab.md shows them.
print_segments() {
    local fields=(frame.time_relative ip.src ip.dst tcp.flags tcp.len data.text)
    local time from to flags bytes payload start flag names
    printf '%6s  %-13s  %-13s  %-7s  %5s  %s\n' time from to flags bytes payload
    tshark -r "$CAPTURE" -Y tcp -d tcp.port==45000,data \
        -o data.show_as_text:TRUE -T fields "${fields[@]/#/-e}" |
        while IFS=$'\t' read -r time from to flags bytes payload; do
            time=$((10#${time/./} / 1000000)) # milliseconds, from nanoseconds
            start=${start:-$time}
            names=
            for flag in SYN:0x02 FIN:0x01 RST:0x04 PSH:0x08 ACK:0x10; do
                ! ((flags & ${flag#*:})) || names+=,${flag%:*}
            done
            printf -v time %04d $((time - start))
            printf '%6s  %-13s  %-13s  %-7s  %5s  %s\n' "${time::-3}.${time: -3}" \
                "$from" "$to" "${names#,}" "$bytes" "$payload"
        done | sed 's/ *$//'
}

# comparable: the segments but for mere acknowledgments, without what differs each time.
comparable() {
    awk '$2 ~ /^172/ && $4 != "ACK"' | sed -E 's/^ *[0-9.]+//; s/..:..:../hh:mm:ss/'
}

@test "a silent client without terminators and a brisk one are served as docs/lab.md shows" {
    # Five seconds are longer than every timer of the program but the time limit: a tail's
    # second, the drain's two.
    client "$SILENT" quiet:5 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof &
    local silent=$!
    retry grep -q "from $SILENT" "$SERVER_LOG"
    client "$BRISK" 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof
    wait "$silent"
    retry captured end
    print_segments >"$BATS_TEST_TMPDIR/segments"
    sed 's/^/# /' "$BATS_TEST_TMPDIR/segments" >&3
    run -0 comparable <"$BATS_TEST_TMPDIR/segments"
    assert_output "$(comparable <"$TREE/docs/lab.md")"
}
