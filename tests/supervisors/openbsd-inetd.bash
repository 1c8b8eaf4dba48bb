# inetd of openbsd-inetd, with the shipped line.
choose_address() {
    shipped
}

supervise() {
    superserver openbsd-inetd inetd -i "$SHIPPED/inetd.conf.example"
}
