#!/usr/bin/python3
"""A server like the original system's: it owns the port, and has a thread for each connection.

    threaded.py ADDRESS PORT

No program is started for a connection: it is quick to answer and holds little, and one fault
or one leak in it is everybody's.
"""
import socketserver
import sys
import time


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            request = line.rstrip(b"\r\n")
            if request == b"QUIT":
                break
            reply = time.strftime("JAM %H:%M:%S") if request == b"TIME" else "Invalid request"
            self.wfile.write(reply.encode() + b"\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


with Server((sys.argv[1], int(sys.argv[2])), Connection) as server:
    server.serve_forever()
