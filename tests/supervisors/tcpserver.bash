# tcpserver of ucspi-tcp: -v reports each exit status.
supervise() {
    leash tcpserver -v -RHl0 127.0.0.1 "$@"
}
