# mini-inetd of tcputils: -d keeps it in the foreground, the second name is argv[0].
supervise() {
    leash mini-inetd -d "$1" "$2" "${@:2}"
}
