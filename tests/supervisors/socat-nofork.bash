# socat, which becomes the program: the connection itself is passed.
supervise() {
    leash socat "TCP-LISTEN:${1##*:},bind=${1%:*},reuseaddr,fork" "EXEC:${*:2},nofork"
}
