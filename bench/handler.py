#!/usr/bin/python3
"""What one would write in Python for the same supervisor: one process for each connection."""
import sys
import time

for line in sys.stdin.buffer:
    request = line.rstrip(b"\r\n")
    if request == b"QUIT":
        break
    reply = time.strftime("JAM %H:%M:%S") if request == b"TIME" else "Invalid request"
    sys.stdout.write(reply + "\r\n")
    sys.stdout.flush()
