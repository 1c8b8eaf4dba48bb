#!/usr/bin/env bats
# The original system's experiment: a server and two clients, each a host of its own, and the
# packets captured at the server. To be run where mounts, network and processes are private.

load helpers
load hosts

SERVER_HOST=172.16.16.101
SILENT=172.16.16.102 # the original client, which sends no terminators
BRISK=172.16.16.103  # a line client

# captured WORD: a datagram sent now has come to the file, and so has what went before it.
captured() {
    on "$BRISK" bash -c "echo $1 >/dev/udp/$SERVER_HOST/45000"
    grep -qs "$1" "$BATS_FILE_TMPDIR/capture"
}

# both_ended: tcpserver reports that two programs have exited.
both_ended() {
    [ "$(grep -c '^tcpserver: end ' "$SERVER_LOG")" -eq 2 ]
}

# client HOST STEP...: what it did not expect goes to the test log; the packets are the judge.
client() {
    on "$1" "$TESTS/peer.py" connect "$SERVER_HOST:45000" "${@:2}" | sed "s/^/# $1: /"
}

# The captured segments, a line each: seconds, from, to, flags, bytes of payload, payload.
read_capture() {
    local fields=(frame.time_relative ip.src ip.dst tcp.flags tcp.len data.text)
    local time from to flags bytes payload start flag names
    tshark -r "$BATS_FILE_TMPDIR/capture" -Y tcp -d tcp.port==45000,data \
        -o data.show_as_text:TRUE -T fields "${fields[@]/#/-e}" |
        while IFS=$'\t' read -r time from to flags bytes payload; do
            time=$((10#${time/./} / 1000000)) # milliseconds, from nanoseconds
            start=${start:-$time}
            names=
            for flag in SYN:0x02 FIN:0x01 RST:0x04 PSH:0x08 ACK:0x10; do
                ! ((flags & ${flag#*:})) || names+=,${flag%:*}
            done
            printf -v time %04d $((time - start))
            printf '%s\t' "${time::-3}.${time: -3}" "$from" "$to" "${names#,}" "$bytes"
            echo "$payload"
        done
}

print_segments() {
    {
        printf '%s\t' time from to flags bytes payload
        echo
        cat "$BATS_FILE_TMPDIR/segments"
    } | awk -F '\t' '{
        row = sprintf("# %6s  %-13s  %-13s  %-7s  %5s  %s", $1, $2, $3, $4, $5, $6)
        sub(/ +$/, "", row)
        print row
    }'
}

setup_file() {
    SERVER_LOG=$BATS_FILE_TMPDIR/server
    lay_network "$SERVER_HOST" "$SILENT" "$BRISK"
    (leash ip netns exec "$SERVER_HOST" tcpserver -v -RHl0 "$SERVER_HOST" 45000 "$TIMESVC") \
        >"$SERVER_LOG" 2>&1 3>&- &
    export SERVER=$!
    (leash ip netns exec "$SERVER_HOST" tshark -i eth0 -f 'port 45000' \
        -w "$BATS_FILE_TMPDIR/capture") >"$BATS_FILE_TMPDIR/tshark" 2>&1 3>&- &
    export TSHARK=$!
    retry listens_on "$SERVER_HOST"
    retry captured begin

    # Five seconds are longer than every timer of the program but the time limit: a tail's
    # second, the drain's two.
    client "$SILENT" quiet:5 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof >&3 &
    local silent=$!
    retry grep -q "from $SILENT" "$SERVER_LOG"
    client "$BRISK" 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof >&3
    wait "$silent"

    retry both_ended || sed 's/^/# /' "$SERVER_LOG" >&3
    retry captured end
    read_capture >"$BATS_FILE_TMPDIR/segments"
    [ -s "$BATS_FILE_TMPDIR/segments" ]
    print_segments >&3
}

teardown_file() {
    stop_serving
    SERVER=${TSHARK:-} stop_serving
}

# segments CLIENT FIELDS [CONDITION]: these fields of its conversation, where that holds.
segments() {
    awk -F '\t' "{ time = \$1; from = \$2; to = \$3; flags = \$4; bytes = \$5; payload = \$6 }
        (from == \"$1\" || to == \"$1\") && (${3:-1}) { print $2 }" "$BATS_FILE_TMPDIR/segments"
}

@test "a connection begins with the three-way handshake" {
    local client
    for client in "$SILENT" "$BRISK"; do
        run segments "$client" 'from, flags, bytes'
        assert_line --index 0 "$client SYN 0"
        assert_line --index 1 "$SERVER_HOST SYN,ACK 0"
        assert_line --index 2 "$client ACK 0"
    done
}

@test "TIME of 4 bytes is answered with 12 bytes, QUIT of 4 with none, each in one segment" {
    run segments "$SILENT" 'from, bytes, payload' 'bytes > 0'
    assert_output --regexp "^$SILENT 4 TIME
$SERVER_HOST 12 JAM [0-9]{2}:[0-9]{2}:[0-9]{2}
$SILENT 4 QUIT\$"
}

@test "TIME CR LF of 6 bytes is answered with 14 bytes, QUIT CR LF of 6 with none" {
    run segments "$BRISK" 'from, bytes, payload' 'bytes > 0'
    assert_output --regexp "^$BRISK 6 TIME\\\\r\\\\n
$SERVER_HOST 14 JAM [0-9]{2}:[0-9]{2}:[0-9]{2}\\\\r\\\\n
$BRISK 6 QUIT\\\\r\\\\n\$"
}

@test "a client that is silent for five seconds after the handshake is waited for" {
    run segments "$SILENT" flags 'time < 5'
    assert_output $'SYN\nSYN,ACK\nACK'
    run segments "$SILENT" 'from, payload' 'time >= 5'
    assert_line --index 0 "$SILENT TIME"
}

@test "a client is served while another is silent" {
    # Who sent each SYN and each payload.
    run awk -F '\t' '$4 == "SYN" || $5 > 0 { print $2 }' "$BATS_FILE_TMPDIR/segments"
    assert_output "$SILENT
$BRISK
$BRISK
$SERVER_HOST
$BRISK
$SILENT
$SERVER_HOST
$SILENT"
}

@test "after QUIT the server's FIN goes first, then the client's" {
    local client
    for client in "$SILENT" "$BRISK"; do
        run segments "$client" 'from, payload' 'payload ~ /^QUIT/ || flags ~ /FIN/'
        assert_output --regexp "^$client QUIT.*
$SERVER_HOST 
$client \$"
    done
}

# shown CLIENT: what docs/wire.md has of its conversation, but for mere acknowledgments.
shown() {
    awk -v client="$1" '($2 == client || $3 == client) && ($5 > 0 || $4 != "ACK") {
        row = $2 " " $4 " " $5 " "
        $1 = $2 = $3 = $4 = $5 = ""
        sub(/^ +/, "")
        print row $0 }' "$TREE/docs/wire.md"
}

@test "docs/wire.md shows these conversations" {
    local client at='s/[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/hh:mm:ss/'
    for client in "$SILENT" "$BRISK"; do
        run -0 sed "$at" < <(segments "$client" 'from, flags, bytes, payload' \
            'bytes > 0 || flags != "ACK"')
        assert_output "$(shown "$client" | sed "$at")"
    done
}

@test "no connection is reset" {
    local client
    for client in "$SILENT" "$BRISK"; do
        run segments "$client" flags
        assert_line SYN
        refute_line --partial RST
    done
}
