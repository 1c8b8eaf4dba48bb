# socat, which passes the bytes on, through pipes.
supervise() {
    leash socat "TCP-LISTEN:${1##*:},bind=${1%:*},reuseaddr,fork" "EXEC:${*:2},pipes"
}
