# ncat, which passes the bytes on, through pipes.
supervise() {
    leash ncat -l -k -m 1000 "${1%:*}" "${1##*:}" --exec "${*:2}"
}
