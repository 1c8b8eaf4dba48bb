#!/usr/bin/env bats
# The examples for monitoring and for TLS, with the real tools. Hosts are network namespaces, where
# port 45000 of 127.0.0.1 is each one's own. To be run in `isolated`.

load helpers
load hosts
source "$TESTS/pages.bash"

CLIENT=192.0.2.20

# answering HOST COMMAND...: there, to each connection.
answering() {
    on "$1" tcpserver -RHl0 127.0.0.1 45000 "${@:2}" >>"$SCRATCH/$1" 2>&1 3>&- &
}

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true SCRATCH=$BATS_FILE_TMPDIR
    local number host
    cd "$SCRATCH" || return
    # The packages, as if they were installed, and started nothing.
    mkdir upper work
    mount -t overlay none /usr -o \
        "lowerdir=/usr$(printf ':%s' "$TESTS"/.superservers/{monit,prometheus,nginx,libnginx}*/usr)"
    mount -t overlay none /etc -o upperdir=upper,workdir=work,\
"lowerdir=/etc$(printf ':%s' "$TESTS"/.superservers/{monit,prometheus,nginx}*/etc)"
    mount -t tmpfs none /var/lib
    mount -t tmpfs none /var/log
    mkdir /var/l{ib,og}/nginx /var/lib/monit
    ln -s /usr/share/nginx/modules-available/mod-stream.conf /etc/nginx/modules-enabled/50.conf
    shipped
    lay_network 192.0.2.{11..13} "$CLIENT"
    for number in {11..13} 20; do
        ip -n "192.0.2.$number" address add "fd45::$number/64" dev eth0 nodad
    done
    for host in right silent wrong absent; do
        ip netns add $host
    done
    ip -all netns exec ip link set lo up >/dev/null
    bash -euc "$(example_commands stunnel.conf | sed '/^install/,$d')" # the certificate
    answering right "$TIMESVC"
    answering silent sh -c 'cat >/dev/null'
    answering wrong sh -c 'echo Invalid request; cat >/dev/null'
    answering 192.0.2.11 "$TIMESVC" --proxy
    answering 192.0.2.13 "$TIMESVC" --proxy
}

# systemctl VERB... UNIT: no systemd is here, so start what the unit does.
systemctl() {
    local unit=${!#}
    case $unit in
        stunnel@*) stunnel4 "/etc/stunnel/${unit#*@}.conf" ;;
        nginx) nginx -g 'daemon off;' ;;
        *) "$unit" --config.file /etc/prometheus/blackbox.yml ;;
    esac >>"$SCRATCH/$HOST" 2>&1 3>&- &
    retry eval "ss -Hltn | grep -qE ':(45001|9115) '"
}

# monit reload: no daemon is here, so do what it would do next.
monit() {
    command monit -Iv validate || true
}

# as_printed EXAMPLE HOST: its commands, there, beside the installed examples.
as_printed() {
    local -x HOST=$2
    cd "$SHIPPED/examples" || return
    run on "$2" bash -euc "$(declare -f retry systemctl monit; example_commands "$1")"
}

# judges EXAMPLE GOOD BAD: the status and output of its commands where timesvc answers, and elsewhere.
judges() {
    local host expected=$2
    for host in right silent wrong absent; do
        as_printed "$1" $host
        assert_regex "$status $output" "$expected"
        expected=$3
    done
    retry grep -q 'end=quit requests=2 invalid=0 ' "$SCRATCH/right"
    : >"$SCRATCH/right"
}

@test "check_tcp is content with timesvc alone, not with silence, another answer or no server" {
    judges check-tcp.sh '^0 TCP OK' '^2 '
}

@test "the blackbox exporter is content with timesvc alone" {
    judges blackbox.yml '^0 .*probe_success 1$' '^0 .*probe_success 0$'
}

@test "monit is content with timesvc alone" {
    judges monit.conf 'connection succeeded' 'failed protocol test'
}

# fronts EXAMPLE HOST: by TLS a client gets the time, and what is due once it has ended its output,
# and the log names it, for IPv4 and IPv6.
fronts() {
    local client server=$2 port=400${2##*.}
    as_printed "$1" "$2"
    assert_success
    for client in "$CLIENT" fd45::20; do
        run -0 on "$CLIENT" socat -t 5 - "OPENSSL:$server:45001,verify=0,sourceport=$port" \
            < <(printf 'TIME\nFOO')
        assert_output --regexp $'^JAM [0-9:]{8}\r\nInvalid request$'
        retry grep -q "ended peer=$client port=$port end=eof requests=2 " "$SCRATCH/$2"
        server=[fd45::${2##*.}] port=401${2##*.}
    done
}

@test "behind stunnel, which sends PROXY headers, timesvc tells the time by TLS, and logs the client" {
    fronts stunnel.conf 192.0.2.11
}

@test "started by stunnel, timesvc tells the time by TLS, and logs the client, not failed handshakes" {
    local lines
    fronts stunnel-exec.conf 192.0.2.12
    lines=$(wc -l <"$SCRATCH/192.0.2.12")
    on "$CLIENT" bash -c 'for _ in {1..10}; do nc -N 192.0.2.12 45001 <<<TIME >/dev/null; done'
    assert_equal "$(wc -l <"$SCRATCH/192.0.2.12")" "$lines"
}

@test "behind nginx timesvc tells the time by TLS, and logs the client" {
    fronts nginx.conf 192.0.2.13
}
