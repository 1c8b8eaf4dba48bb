# The connection comes as standard input and output.
supervise() {
    local port=$1
    shift
    leash systemd-socket-activate --accept --inetd -l "127.0.0.1:$port" "$@"
}
