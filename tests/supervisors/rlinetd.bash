# rlinetd, for which no file is shipped.
choose_address() {
    shipped
    cat >"$SCRATCH/rlinetd.conf" <<'END'
service "timesvc" {
    port "45000";
    protocol tcp;
    user "nobody";
    exec "/usr/local/sbin/timesvc-static";
    instances 1024;
}
END
}

supervise() {
    superserver rlinetd rlinetd -d -f "$SCRATCH/rlinetd.conf" \
        -p "$TESTS"/.superservers/rlinetd/usr/lib/*/rlinetd/libparse.so
}
