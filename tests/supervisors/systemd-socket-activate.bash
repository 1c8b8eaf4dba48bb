# The connection comes as descriptor 3, as from a systemd unit without StandardInput=socket.
supervise() {
    leash systemd-socket-activate --accept -l "$@"
}
