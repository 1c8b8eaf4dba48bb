#!/bin/sh
# Serve under tcpserver (Debian: ucspi-tcp) as the user nobody, in the foreground; the log goes to
# standard error. SIGTERM ends tcpserver alone: open conversations go on.
#
#     sh tcpserver.sh
#
# -R, -H and -l0 look up no names, which would delay each connection; -c is how many there may be
# at once, -b how many may wait to be accepted.
exec setpriv --reuid nobody --regid nogroup --clear-groups \
    tcpserver -RHl0 -c 1024 -b 512 0 45000 /usr/local/sbin/timesvc-static
