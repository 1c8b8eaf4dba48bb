# tcpserver of ucspi-tcp: -v reports each exit status.
supervise() {
    exec tcpserver -v -RHl0 127.0.0.1 "$@"
}
