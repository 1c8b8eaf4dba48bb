# socat, which passes the bytes on, through a socketpair.
supervise() {
    leash socat "TCP-LISTEN:${1##*:},bind=${1%:*},reuseaddr,fork" "EXEC:${*:2}"
}
