# tcpsvd of ipsvd.
supervise() {
    leash tcpsvd -v -l localhost "${1%:*}" "${1##*:}" "${@:2}"
}
