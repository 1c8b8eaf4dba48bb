#!/usr/bin/env python3
"""More connections than anyone needs.

usage: flood.py burst ADDRESS COUNT AT_ONCE ENDING...
                        COUNT connections, no more than AT_ONCE under way, that end in turn so:
                          close   at once, without a word
                          reset   at once, by RST
                          abort   by RST, once TIME was answered
                          quit    by TIME and QUIT
                          eof     by TIME and the end of our output
                          wait    by TIME, and the server's time limit
       flood.py hold ADDRESS COUNT SOURCE COMMAND...
                        COUNT connections, from the address SOURCE, ask once and are then idle
                        while the command runs; they end one after another, since Linux 6.18
                        hangs where a thousand sandboxed processes exit at one moment

burst ends when each connection has, or when all have been silent for three seconds. Both print
how many were answered.
"""
import resource
import selectors
import socket
import struct
import subprocess
import sys
import time

PATIENCE = 3  # seconds


def start(address, source=None):
    host, _, port = address.rpartition(':')
    ours = socket.socket()
    if source:
        ours.bind((source, 0))
    ours.setblocking(False)
    ours.connect_ex((host, int(port)))
    return ours


def abort(ours):
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    ours.close()


class Burst:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.answered = 0

    def connected(self, ending, ours):
        """Say what is to be said; a refused connection fails here."""
        self.selector.unregister(ours)
        try:
            if ending == 'close':
                ours.close()
            elif ending == 'reset':
                abort(ours)
            else:
                ours.send(b'TIME\r\nQUIT\r\n' if ending == 'quit' else b'TIME\r\n')
                if ending == 'eof':
                    ours.shutdown(socket.SHUT_WR)
                self.selector.register(ours, selectors.EVENT_READ, (self.readable, ending))
        except OSError:
            ours.close()

    def readable(self, ending, ours):
        try:
            got = ours.recv(100)
        except OSError:
            got = b''
        self.answered += got.startswith(b'JAM ')
        if not got or ending == 'abort':
            self.selector.unregister(ours)
            abort(ours) if got else ours.close()

    def run(self, address, count, at_once, endings):
        begun = 0
        while begun < count or self.selector.get_map():
            while begun < count and len(self.selector.get_map()) < at_once:
                self.selector.register(start(address), selectors.EVENT_WRITE,
                                       (self.connected, endings[begun % len(endings)]))
                begun += 1
            ready = self.selector.select(PATIENCE)
            for key, _ in ready:
                act, ending = key.data
                act(ending, key.fileobj)
            if not ready:  # what is under way waits for a server that does not answer
                for key in list(self.selector.get_map().values()):
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
        return self.answered


def hold(address, count, source, command):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asking = [start(address, source) for _ in range(count)]
    deadline = time.monotonic() + 10
    held = []
    for ours in asking:
        ours.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            ours.sendall(b'TIME\r\n')
            if ours.recv(100).startswith(b'JAM '):
                held.append(ours)
        except OSError:
            pass  # refused
    print(f'{len(held)} answered', flush=True)
    status = subprocess.run(command, check=False).returncode
    for ours in held:
        ours.close()
        time.sleep(0.003)
    return status


def main():
    how, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if how == 'hold':
        return hold(address, count, sys.argv[4], sys.argv[5:])
    began = time.monotonic()
    answered = Burst().run(address, count, int(sys.argv[4]), sys.argv[5:])
    print(f'{answered} answered in {time.monotonic() - began:.1f} s')
    return 0


if __name__ == '__main__':
    sys.exit(main())
