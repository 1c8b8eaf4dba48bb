#!/usr/bin/env bats
# timesvc-tcpserver.service, installed and enabled under a real systemd. Run beside the container.

load helpers
source "$TESTS/container.bash"
source "$TESTS/pages.bash"

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export -f inside
}

SERVICE=timesvc-tcpserver.service

# are SOCKET SERVICE: whether each is.
are() {
    run inside systemctl is-active timesvc.socket $SERVICE
    assert_output "$1"$'\n'"$2"
}

@test "systemd has no complaint about the service, and gives it an exposure of no more than 1.0" {
    run -0 inside systemd-analyze verify --man=no $SERVICE
    assert_output ''
    run -0 inside systemd-analyze security --no-pager --threshold=10 $SERVICE
}

@test "of socket and service the one that is started takes the place of the other" {
    inside systemctl start timesvc.socket
    are active inactive
    answers
    as_printed timesvc.socket.8 'Serve by tcpserver'
    are inactive active
    retry answers
}

@test "clients over IPv4 and IPv6 are served" {
    answers
    ADDRESS="[$HOST6]:45000" answers
}

@test "options in /etc/default/timesvc count from the next start on" {
    inside bash -c 'echo TIMESVC_OPTIONS=-v >/etc/default/timesvc'
    inside systemctl restart $SERVICE
    retry converse 'send:BAR\n' 'expect:Invalid request\r\n' 'send:QUIT' eof
    inside rm /etc/default/timesvc
    inside systemctl restart $SERVICE
    retry nc -z "$HOST" 45000
    journal TIMESVC_REQUEST=BAR | grep .
}

@test "a stop ends the conversations, each with its record" {
    run -0 "$TESTS/flood.py" hold "$ADDRESS" 20 "$SOURCE" bash -c "inside systemctl stop $SERVICE"
    assert_output '20 answered'
    retry counts 20 journal TIMESVC_END=terminated
    inside systemctl start $SERVICE
    retry nc -z "$HOST" 45000
}

@test "of 5000 connections as fast as they come each has its record" {
    local answered
    run -0 "$TESTS/flood.py" burst "$ADDRESS" 5000 100 eof
    answered=${output%% *}
    assert_equal "$answered" 5000
    retry counts 5000 journal TIMESVC_END=eof TIMESVC_RECEIVED=6
}
