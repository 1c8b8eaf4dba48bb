# The connection comes as standard input and output.
supervise() {
    leash systemd-socket-activate --accept --inetd -l "$@"
}
