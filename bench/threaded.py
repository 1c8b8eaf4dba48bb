#!/usr/bin/python3
"""A server like the original system's: it owns the port, and has a thread for each connection.

    threaded.py ADDRESS PORT
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


socketserver.TCPServer.request_queue_size = 1024
socketserver.ThreadingTCPServer((sys.argv[1], int(sys.argv[2])), Connection).serve_forever()
