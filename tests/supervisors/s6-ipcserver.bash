# s6-ipcserver, on a socket in the file system.
choose_address() {
    export ADDRESS=$SCRATCH/socket
}

supervise() {
    leash s6-ipcserver -v "$@"
}
