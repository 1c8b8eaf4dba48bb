#!/usr/bin/env python3
"""The client of the original system: no terminators, one receive a request.

usage: original_client.py HOST PORT

Sends TIME, FOO, TIME, QUIT; prints what each receive brought, and that the server closed first.
"""
import socket
import sys


def main():
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as server:
        server.settimeout(10)
        for request in (b'TIME', b'FOO', b'TIME', b'QUIT'):
            server.sendall(request)
            # The original receives once, into a small buffer, and takes that for the reply.
            print(request.decode(), server.recv(64), flush=True)
        # The receive behind QUIT brought b'', the server's FIN, before we closed.


if __name__ == '__main__':
    main()
