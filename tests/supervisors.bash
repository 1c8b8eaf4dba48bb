# How each supervisor is started with the program, for serving.bash. The real systemds are started
# by container.bash.

# leash COMMAND...: become the command, which gets SIGTERM if the shell that started us dies.
leash() {
    exec setpriv --pdeathsig TERM "$@"
}

# superserver NAME ARGUMENT...: become the one that setup.sh has unpacked.
superserver() {
    local root=$TESTS/.superservers/$SUPERVISOR
    leash env LD_LIBRARY_PATH="$root/usr/lib/$(gcc -print-multiarch)" "$root/usr/sbin/$1" "${@:2}"
}

# supervise: become $SUPERVISOR, which serves $ADDRESS with $TIMESVC.
supervise() {
    local listen=TCP-LISTEN:$PORT,bind=$HOST,reuseaddr,fork exec="EXEC:\\\"$TIMESVC\\\"" options
    case $SUPERVISOR in
        # The connection comes as descriptor 3, as from a unit without StandardInput=socket; as
        # standard input and output; or, as with Accept=no, the listening socket comes itself.
        *-activate) leash systemd-socket-activate --accept -l "$ADDRESS" "$TIMESVC" ;;
        *-activate-inetd) leash systemd-socket-activate --accept --inetd -l "$ADDRESS" "$TIMESVC" ;;
        *-activate-once) leash systemd-socket-activate -l "$ADDRESS" "$TIMESVC" ;;
        # -v: they report each exit status.
        tcpserver) leash tcpserver -v -RHl0 "$HOST" "$PORT" "$TIMESVC" ;;
        tcpsvd) leash tcpsvd -v -l localhost "$HOST" "$PORT" "$TIMESVC" ;;
        s6-ipcserver) leash s6-ipcserver -v "$ADDRESS" "$TIMESVC" ;;
        # -d: in the foreground. The last word is argv[0].
        mini-inetd) leash mini-inetd -d "$ADDRESS" "$TIMESVC" "$TIMESVC" ;;
        # These pass the bytes on, through a socketpair or pipes; but nofork, the connection itself.
        socat) leash socat "$listen" "$exec" ;;
        socat-pipes) leash socat "$listen" "$exec,pipes" ;;
        socat-nofork) leash socat "$listen" "$exec,nofork" ;;
        ncat) leash ncat -l -k -m 1000 "$HOST" "$PORT" --exec "${TIMESVC// /\\ }" ;;
        # With what is shipped, but for rlinetd.
        xinetd)
            superserver xinetd -dontfork -pidfile "$SCRATCH/pid" -f "$SHIPPED/xinetd.d/timesvc"
            ;;
        openbsd-inetd) superserver inetd -i "$SHIPPED/inetd.conf.example" ;;
        inetutils-inetd)
            options=$(sed -n 's/^#.*INETD_OPTS="\(.*\)"/\1/p' "$SHIPPED/inetd.conf.example")
            # shellcheck disable=SC2086 # each word is one
            superserver inetutils-inetd -d --environment --pidfile="$SCRATCH/pid" $options \
                "$SHIPPED/inetd.conf.example"
            ;;
        rlinetd)
            echo 'service "timesvc" { port "45000"; protocol tcp; user "nobody"; instances 1024;
                exec "/usr/local/sbin/timesvc-static"; }' >"$SCRATCH/rlinetd.conf"
            superserver rlinetd -d -f "$SCRATCH/rlinetd.conf" \
                -p "$TESTS"/.superservers/rlinetd/usr/lib/*/rlinetd/libparse.so
            ;;
    esac
}
