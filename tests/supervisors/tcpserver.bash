# tcpserver of ucspi-tcp: -v reports each exit status.
supervise() {
    leash tcpserver -v -RHl0 "${1%:*}" "${1##*:}" "${@:2}"
}
