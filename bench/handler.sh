#!/bin/sh
# What one would write in shell for the same supervisor: one process for each connection.
cr=$(printf '\r')
while read -r request; do
    case $request in
        "TIME$cr") printf '%s\r\n' "$(date '+JAM %H:%M:%S')" ;;
        "QUIT$cr") exit ;;
        *) printf 'Invalid request\r\n' ;;
    esac
done
