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
    local size=$((RANDOM + 1000)) peer='peer=(127\.0\.0\.1|10\.45\.0\.1) port=[0-9]+'
    local known='address, port' record='' place=''
    # A socket in the file system has no address to tell.
    [ "$SUPERVISOR" != s6-ipcserver ] || peer=peer=unix known='no, unix'
    connect "send:x*$size" 'send:\n' 'expect:Invalid request\r\n' 'send:QUIT' eof
    retry find_record " received=$((size + 5)) "
    report log "$place"
    assert_regex "$record" "ended $peer end=quit "
    report peer "$known"
}
