# inetd of GNU inetutils, with the shipped line and the options that go with it.
choose_address() {
    shipped
}

supervise() {
    local options
    read -ra options < <(sed -n 's/^#.*INETD_OPTS="\(.*\)"/\1/p' "$SHIPPED/inetd.conf.example")
    superserver inetutils-inetd inetutils-inetd -d --environment \
        --pidfile="$SCRATCH/inetd.pid" "${options[@]}" "$SHIPPED/inetd.conf.example"
}
