# xinetd, with the shipped stanza.
choose_address() {
    shipped
}

supervise() {
    superserver xinetd xinetd -dontfork -pidfile "$SCRATCH/xinetd.pid" -f "$SHIPPED/xinetd.d/timesvc"
}
