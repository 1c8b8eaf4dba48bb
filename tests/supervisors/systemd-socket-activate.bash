# The connection comes as descriptor 3, as from a systemd unit without StandardInput=socket.
supervise() {
    local port=$1
    shift
    leash systemd-socket-activate --accept -l "127.0.0.1:$port" "$@"
}
