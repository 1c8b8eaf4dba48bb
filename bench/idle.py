#!/usr/bin/env python3
"""The private memory of idle connections, all held at once: the median, as JSON.

    idle.py CONNECTIONS ADDRESS PORT SERVER

SERVER is the process that starts a handler for each. Each is asked for the time twice, at its
begin and once all are there; fails if a reply is wrong.
"""
import json
import re
import socket
import statistics
import sys

REPLY = re.compile(rb"JAM \d\d:\d\d:\d\d\r\n")


def ask(connection):
    connection.write(b"TIME\r\n")
    connection.flush()
    reply = connection.readline()
    if not REPLY.fullmatch(reply):
        sys.exit(f"a wrong reply: {reply!r}")


def leave(connection):
    connection.write(b"QUIT\r\n")
    connection.flush()
    if connection.read():
        sys.exit("more than a reply")
    connection.close()


def handlers(server):
    with open(f"/proc/{server}/task/{server}/children", encoding="ascii") as file:
        return set(file.read().split())


def private_kb(pid):
    """Not what is clean: pages of files, which no other process happened to touch."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"Private_Dirty: +(\d+) kB", file.read())[1])


def main():
    count, address, port, server = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    socket.setdefaulttimeout(20)
    others = handlers(server)
    held = []
    for _ in range(count):
        held.append(socket.create_connection((address, port)).makefile("rwb"))
        ask(held[-1])
    private = [private_kb(pid) for pid in handlers(server) - others]
    for connection in held:
        ask(connection)
    for connection in held:
        leave(connection)
    print(json.dumps({"private_kb": statistics.median(private)}))


main()
