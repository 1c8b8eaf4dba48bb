#!/usr/bin/env bats
# --proxy: the header of the PROXY protocol, version 1, that a proxy in front begins with.
# Each test that launches expects exit status 0 and reads the record.

load helpers

V4='PROXY TCP4 192.0.2.7 198.51.100.1 56324 45000\r\n'

# refused STEP...: the connection is closed without a byte, and the record says so.
refused() {
    launch "$@" eof exits -- --proxy
    assert_output --regexp ': ended peer=127\.0\.0\.1 port=[0-9]+ end=refused requests=0 invalid=0 received=[0-9]+ sent=0 '
}

# malformed BYTES...: the same for each of these lines, through a pipe, which is faster.
malformed() {
    local line
    for line; do
        # shellcheck disable=SC2016 # the inner shell's to expand
        run -0 --separate-stderr bash -c 'printf %b "$1" | "$2" --proxy' bash "$line" "$TIMESVC"
        assert_output ''
        assert_regex "$stderr" ': ended peer=local end=refused requests=0 invalid=0 .* sent=0 '
    done
}

# named PEER HEADER: that is whom the record names.
named() {
    launch "send:$2" 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof -- --proxy
    assert_output --partial ": ended $1 end=quit requests=2 invalid=0 "
}

# --- A header

# bats test_tags=long
@test "the record names the peer that the header names, not the proxy" {
    named 'peer=192.0.2.7 port=56324' "$V4"
    named 'peer=255.255.255.255 port=65535' \
        'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'
    # The proxy does not know the port.
    named 'peer=192.0.2.7' 'PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n'
    local over
    for over in pipes unix; do
        launch --over "$over" "send:$V4" 'send:TIME' 'expect:JAM %T' half-close eof -- --proxy
        assert_output --partial ': ended peer=192.0.2.7 port=56324 end=eof '
    done
}

@test "the header's peer may have an IPv6 address" {
    named 'peer=2001:db8::7 port=56324' 'PROXY TCP6 2001:db8::7 2001:db8::1 56324 45000\r\n'
    local full=ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    named "peer=$full port=65535" "PROXY TCP6 $full $full 65535 65535\\r\\n"
    named 'peer=192.0.2.7 port=1' 'PROXY TCP6 ::ffff:192.0.2.7 ::1 1 0\r\n'
}

# bats test_tags=long
@test "a proxy that does not know its peer, such as for a health check, is the peer" {
    local rest
    for rest in '' ' ' ' TCP9 none of this counts' ' 192.0.2.7 198.51.100.1 56324 45000'; do
        launch "send:PROXY UNKNOWN$rest\\r\\n" 'send:TIME\r\nQUIT' 'expect:JAM %T\r\n' eof \
            -- --proxy
        assert_output --regexp ': ended peer=127\.0\.0\.1 port=[0-9]+ end=quit requests=2 '
    done
}

@test "the header may come a byte at a time, and the conversation later" {
    launch "dribble:$V4" quiet:1.5 'send:TIME' 'expect:JAM %T' 'send:QUIT' eof -- --proxy
    assert_output --partial ': ended peer=192.0.2.7 port=56324 end=quit requests=2 '
}

# bats test_tags=long
@test "requests in the header's segment are answered, whole ones and a tail" {
    launch "send:${V4}TIME" 'expect:JAM %T' 'send:\r\n' 'expect:\r\n' "send:$V4" \
        'expect:Invalid request\r\n' 'send:QUIT' eof -- --proxy
    assert_output --partial ' end=quit requests=3 invalid=1 '
    launch --over pipes "send:${V4}TIME\\r\\nFOO\\r\\nTIME" half-close \
        'expect:JAM %T\r\nInvalid request\r\nJAM %T' eof -- --proxy
    assert_output --partial ' end=eof requests=3 invalid=1 '
}

@test "10000 requests right after the header are answered" {
    launch "send:$V4" pump:10000 'send:QUIT\r\n' eof -- --proxy
    assert_output --partial ': ended peer=192.0.2.7 port=56324 end=quit requests=10001 '
    # Of a file each read is full.
    { printf %b "$V4" && yes TIME | head -n 9000; } >"$BATS_TEST_TMPDIR/input"
    run -0 --separate-stderr "$TIMESVC" --proxy <"$BATS_TEST_TMPDIR/input"
    assert_equal "$(grep -c '^JAM ' <<<"$output")" 9000
    assert_regex "$stderr" ' end=eof requests=9000 invalid=0 '
}

@test "the transcript begins with the header's peer" {
    launch "send:${V4}TIME\\r\\nQUIT\\r\\n" 'expect:JAM %T\r\n' eof -- --proxy -v
    assert_line --index 0 --partial ': connected '
    run ! grep -vE ' peer=192\.0\.2\.7 port=56324( |$)' <<<"$output"
}

# --- None

# bats test_tags=long
@test "a connection without a header is closed, unanswered" {
    local step
    # The fifth would be version 2.
    for step in 'send:TIME\r\n' 'send:TIME' 'send:QUIT\r\n' 'send:\r\n' \
        'send:\r\n\r\n\x00\r\nQUIT\n' half-close; do
        refused "$step"
    done
    refused 'send:PROXY TCP4 192.0.2.7 198.51.100.1 56324 45000\r' half-close
    assert_output --partial ' received=46 '
    launch --stderr peer 'send:TIME\r\n' eof -- --proxy -v
    # At its first wrong byte, or once it is whole, not after five seconds.
    launch send:TIME eof within:2 -- --proxy
    launch 'send:PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n' eof within:2 -- --proxy
    launch 'send:PROXY TCP4 1.2.3.4 1.2.3.4 1 01\r\n' eof within:2 -- --proxy
}

# bats test_tags=long
@test "a header is no longer than 107 bytes" {
    local filler verb
    filler=$(printf 'x%.0s' {1..91})
    for verb in send dribble; do
        launch "$verb:PROXY UNKNOWN $filler\\r\\n" 'send:TIME' 'expect:JAM %T' half-close eof \
            -- --proxy
    done
    refused "send:PROXY UNKNOWN x$filler\\r\\n"
    refused "send:PROXY UNKNOWN $filler$filler"
}

# bats test_tags=long
@test "a header has all its words, and no other" {
    malformed {PROXY,'PROXY ',' PROXY UNKNOWN','PROXY  UNKNOWN'}'\r\n' \
        {'proxy UNKNOWN',PROXYxUNKNOWN}'\r\n' \
        'PROXY '{UNKNOWNS,unknown,'UNKNOWN\x00',TCP4,'TCP4 ','TCP5 1.2.3.4 1.2.3.4 1 1'}'\r\n' \
        'PROXY TCP4 1.2.3.4 1.2.3.4 1'{,' 1 ',' 1 1',' 1\r',' 1\x00'}'\r\n' \
        'PROXY TCP4'{'  ','\t'}'1.2.3.4 1.2.3.4 1 1\r\n' \
        'PROXY UNKNOWN'{,' x','\x00',' x\x00'}'\n' 'PROXY TCP4 1.2.3.4 1.2.3.4 1 11\n'
}

# bats test_tags=long
@test "the header's addresses are of its family, and well-formed" {
    local address
    for address in 1.2.3 1.2.3.256 1.2.3.4.5 01.2.3.4 0x1.2.3.4 1.2.3.4/8 ::1 example.org ''; do
        malformed "PROXY TCP4 "{"$address 1.2.3.4","1.2.3.4 $address"}' 1 1\r\n'
    done
    for address in 1.2.3.4 ::1::1 12345::1 1:2:3:4:5:6:7 fe80::1%lo '[::1]' ''; do
        malformed "PROXY TCP6 "{"$address ::1","::1 $address"}' 1 1\r\n'
    done
}

# bats test_tags=long
@test "the header's ports are decimal, up to 65535, without leading zeros" {
    local port
    for port in 65536 99999 4294967297 01 00 -1 +1 0x1 1a x ''; do
        malformed "PROXY TCP4 1.2.3.4 1.2.3.4 "{"$port 1","1 $port"}'\r\n'
    done
}

# bats test_tags=long
@test "nothing of a header that is malformed reaches the log" {
    refused 'send:PROXY TCP4 1.2.3.4\nforged 1.2.3.4 1 1\r\n'
    refute_output --partial forged
    refused 'send:PROXY TCP4 evil\x1b[31m 1.2.3.4 1 1\r\n'
    refute_output --partial evil
    launch 'send:PROXY UNKNOWN evil peer=192.0.2.9\r\n' half-close eof -- --proxy -v
    refute_output --partial evil
}

# bats test_tags=long
@test "a header that is not whole within five seconds, or the time limit, is none" {
    launch 'send:PROXY' quiet:3 'send: TCP4' eof after:1 within:2.5 half-close exits \
        -- --proxy -t 0
    assert_output --regexp ' end=refused requests=0 .* seconds=5\.'
    launch eof after:1 within:2 -- --proxy -t 1
    assert_output --partial ' end=refused '
}

# --- Other ends

# bats test_tags=bare
@test "a signal ends the wait for the header" {
    launch 'send:PROXY TC' quiet:0.2 signal:TERM eof within:1 exits within:1 -- --proxy
    assert_output --partial ' end=terminated requests=0 invalid=0 received=8 sent=0 '
}

@test "a proxy that resets the connection before the header is gone" {
    launch 'send:PROXY TC' quiet:0.2 reset exits within:1 -- --proxy
    assert_output --partial ' end=reset '
}

@test "without --proxy a header is a request, and an invalid one" {
    launch "send:$V4" 'expect:Invalid request\r\n' 'send:QUIT' eof --
    assert_output --regexp ': ended peer=127\.0\.0\.1 port=[0-9]+ end=quit requests=2 invalid=1 '
}
