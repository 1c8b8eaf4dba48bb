# As from a systemd socket unit with Accept=no: the listening socket itself is passed.
supervise() {
    local port=$1
    shift
    leash systemd-socket-activate -l "127.0.0.1:$port" "$@"
}
