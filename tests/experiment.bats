#!/usr/bin/env bats
# make experiment, and what it shows. It makes private namespaces itself.

load helpers

# The experiment runs once, as a user would start it; the tests look at what it left.
setup_file() {
    skip_unless_root 'makes namespaces'
    export COPY=$BATS_FILE_TMPDIR/copy
    checkout "$COPY"
    make -s -C "$COPY" experiment >"$COPY.output" || { cat "$COPY.output"; return 1; }
    sed 's/^/# /' "$COPY.output" >&3
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# comparable: the segments but for mere acknowledgments, without what differs each time.
comparable() {
    awk '$2 ~ /^172/ && $4 != "ACK"' | sed -E 's/^ *[0-9.]+//; s/..:..:../hh:mm:ss/'
}

@test "a silent client without terminators and a brisk one are served as docs/lab.md shows" {
    run -0 comparable <"$COPY.output"
    assert_output "$(comparable <"$TREE/docs/lab.md")"
}

@test "the experiment's diagram has an arrow for each packet, with its time and payload" {
    run -0 grep -E '^[0-9]+\.[0-9]{3}  ' "$COPY/experiment.svg"
    assert_output "$(awk 'NR > 1 {
        payload = $6 " " $7
        sub(/ $/, "", payload)
        sub(/\\r\\n/, " CR LF", payload)
        print $1 "  " ($5 ? $5 " bytes: " payload : $4)
    }' "$COPY.output")"
}

@test "the experiment's capture has the packets printed, and the names of the hosts" {
    run -0 --separate-stderr tshark -2 -N n -r "$COPY/experiment.pcapng" \
        -T fields -e ip.src_host -e tcp.len
    assert_output "$(awk 'NR > 1 { print $2 "\t" $5 }' "$COPY.output" |
        sed 's/^172.16.16.101/server/; s/^172.16.16./client-/')"
}

# masked: without what differs from one run to the next.
masked() {
    sed -E 's/[0-9]+/9/g; s/ +/ /g'
}

# dissect OPTION...: with the dissector, as an ordinary user: not every tshark loads it for root.
dissect() {
    run -0 --separate-stderr unshare --user --map-user=65534 tshark -2 \
        -X "lua_script:$TREE/examples/wireshark/timesvc.lua" "$@"
}

@test "the dissector shows the experiment in Wireshark as docs/lab.md does" {
    local command
    command=$(sed -n 's/^\$ tshark//p' "$TREE/docs/lab.md")
    cd "$COPY"
    # shellcheck disable=SC2086 # each word is one
    dissect $command
    assert_equal "$(masked <<<"$output")" \
        "$(sed '1,/^\$ tshark/d; /^```/,$d' "$TREE/docs/lab.md" | masked)"
    # What it finds is what was sent.
    dissect -r experiment.pcapng -Y timesvc.time -T fields -e timesvc.time
    assert_output "$(grep -o '..:..:..' "$COPY.output")"
}

# marked WORD: a datagram sent now has come to the file.
marked() {
    echo "$1" >"/dev/udp/127.0.0.1/$PORT"
    grep -qs "$1" capture
}

@test "the dissector puts requests together that were cut, takes apart what came in one segment" {
    SUPERVISOR=tcpserver serve
    (leash dumpcap -q -i lo -f "port $PORT" -w capture) >log 2>&1 3>&- &
    local dumpcap=$!
    retry marked begin
    connect 'send:TIME' 'expect:JAM %T' 'send:\n' 'expect:\r\n' \
        'dribble:FOO\r\n' 'expect:Invalid request\r\n' \
        'send:BAR' 'expect:Invalid request' 'dribble:\r\n' 'expect:\r\n' \
        'send:TIME\r\n\nTIME\nQUIT\r\nTIME' 'expect:JAM %T\r\nInvalid request\r\nJAM %T\r\n' eof
    retry marked end
    stop_serving
    SERVER=$dumpcap stop_serving
    local capture=(-r capture -d "tcp.port==$PORT,timesvc" -T fields -E 'separator=|')
    dissect "${capture[@]}" -Y timesvc -e timesvc.unfinished -e timesvc.request \
        -e timesvc.time -e timesvc.invalid -e timesvc.terminator -e timesvc.ignored
    output=${output//??:??:??/hh:mm:ss} assert_output - <<'END'
|TIME|||none|
||hh:mm:ss||none|
||||LF|
||||CR LF|
F|||||
FO|||||
FOO|||||
FOO\r|||||
|FOO|||CR LF|
|||Invalid request|CR LF|
|BAR|||none|
|||Invalid request|none|
\r|||||
||||CR LF|
||||CR LF|
|TIME,,TIME,QUIT|||CR LF,LF,LF,CR LF|TIME
||hh:mm:ss,hh:mm:ss|Invalid request|CR LF,CR LF,CR LF|
END
    # Also if only requests were captured.
    tshark -r capture -Y "tcp.dstport == $PORT" -w requests 2>log
    dissect "${capture[@]/%capture/requests}" -Y timesvc.request -e timesvc.request \
        -e timesvc.terminator
    assert_output $'TIME|none\nFOO|CR LF\nBAR|none\nTIME,,TIME,QUIT|CR LF,LF,LF,CR LF'
    # Each reply, with the time that it took, belongs to its request.
    dissect "${capture[@]}" -Y timesvc.request -e frame.number
    local requests=$output
    dissect "${capture[@]}" -Y timesvc.response_time -e timesvc.request_in -E occurrence=f
    assert_output "$requests"
    dissect "${capture[@]}" -Y 'timesvc.response_time >= 1' -e timesvc.invalid -e timesvc.terminator
    assert_output 'Invalid request|none'
}

@test "Ctrl-C ends the experiment, and nothing is left of it" {
    run -124 env --default-signal=INT WORD="$BATS_TEST_TMPDIR" timeout --signal=INT 3 \
        "$TESTS/experiment"
    assert_output ''
    run -0 ip netns list
    refute_output --partial 172.16.16.
    assert_equal "$(grep -lzsxF "WORD=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ)" ''
    run -0 ls
    assert_output ''
}

@test "make clean removes what the experiment wrote, and git does not see it" {
    checkout copy
    touch copy/experiment.{pcapng,svg}
    git -C copy init -q
    run -0 git -C copy status --porcelain -uall
    refute_output --partial experiment.pcapng
    make -s -C copy clean
    run ! ls copy/experiment.*
}

@test "the experiment says in a line who has to start it, or what is missing" {
    run -1 unshare --user --map-user=65534 "$TESTS/experiment"
    assert_output "$TESTS/experiment: become root first: hosts are made, as network namespaces"
    local tool
    mkdir bin
    ln -s "$(type -P bash)" "$(type -P dirname)" "$(type -P id)" bin
    for tool in tcpserver ip tshark mscgen python3; do
        PATH=$PWD/bin run -1 "$TESTS/experiment"
        assert_output "$TESTS/experiment: there is no $tool: run ./setup.sh experiment first"
        ln -s "$(type -P true)" "bin/$tool"
    done
}
