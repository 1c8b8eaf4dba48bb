#!/usr/bin/env bats
# What the operator finds in the log. Run under every supervisor that has a port.

load helpers
source "$TESTS/container.bash"

# find_record PATTERN: it goes to $record, and the place where it was found to $place.
find_record() {
    record=$(grep -Em 1 "$1" "$SERVER_LOG") && place='standard error' && return
    record=$(journal -t timesvc _TRANSPORT=syslog | grep -Em 1 "$1") && place=syslog && return
    record=$(journal -t timesvc _TRANSPORT=journal | grep -Em 1 "$1") && place='the journal'
}

@test "the log says who a conversation was with and how it ended" {
    local invalid=$((RANDOM % 900 + 100)) record='' place=''
    run -0 "$TESTS/peer.py" connect "$ADDRESS" "send:\n*$invalid" \
        "expect:$(printf 'Invalid request\\r\\n%.0s' $(seq $invalid))" 'send:QUIT\r\n' eof
    retry find_record "end=quit .* invalid=$invalid "
    report log "$place"
    case $SUPERVISOR in
        s6-ipcserver) # a socket in the file system has no address to tell
            assert_regex "$record" 'ended peer=unix end=quit '
            report peer 'no, unix'
            ;;
        *)
            assert_regex "$record" 'ended peer=(127\.0\.0\.1|10\.45\.0\.1) port=[0-9]+ end=quit '
            report peer 'address, port'
            ;;
    esac
}
