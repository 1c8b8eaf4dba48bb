# As from a systemd socket unit with Accept=no: the listening socket itself is passed.
supervise() {
    leash systemd-socket-activate -l "$@"
}
