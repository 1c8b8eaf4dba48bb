#!/bin/sh
# A check for Nagios, Icinga and the like (Debian: monitoring-plugins-basic): ask a host for the time.
# It is critical if another answer comes, or none within three seconds.
#
#     sh check-tcp.sh 127.0.0.1
#
# -E makes the -s and -q after it interpret \r and \n. With QUIT the record has end=quit.
exec /usr/lib/nagios/plugins/check_tcp -H "$1" -p 45000 -t 3 -M crit \
    -E -s 'TIME\r\n' -e 'JAM ' -q 'QUIT\r\n'
