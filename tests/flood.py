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
                        while the command runs; they end one after another: that
                        a thousand may end at one moment was tried of some kernels only, see
                        SECURITY.md

Both print how many were answered.
"""
from concurrent.futures import ThreadPoolExecutor
import itertools
import resource
import socket
import struct
import subprocess
import sys
import time

PATIENCE = 10  # seconds, for a reply: a flooded systemd starts its first handlers slowly


def ask(ours, request=b'TIME\r\n'):
    ours.sendall(request)
    return ours.recv(100).startswith(b'JAM ')


def converse(address, ending):
    """Whether the time was told."""
    try:
        with socket.create_connection(address, PATIENCE) as ours:
            if ending == 'close':
                return False
            if ending in ('reset', 'abort'):
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                return ending == 'abort' and ask(ours)
            answered = ask(ours, b'TIME\r\nQUIT\r\n' if ending == 'quit' else b'TIME\r\n')
            if ending == 'eof':
                ours.shutdown(socket.SHUT_WR)
            while ours.recv(100):
                pass
            return answered
    except OSError:
        return False


def burst(address, count, at_once, *endings):
    began = time.monotonic()
    with ThreadPoolExecutor(int(at_once)) as pool:
        answers = pool.map(converse, [address] * count, itertools.cycle(endings))
    print(f'{sum(answers)} answered in {time.monotonic() - began:.1f} s')
    return 0


def hold(address, count, source, *command):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def held(_):
        try:
            ours = socket.create_connection(address, PATIENCE, (source, 0))
            return ours if ask(ours) else None
        except OSError:  # refused
            return None

    with ThreadPoolExecutor(count) as pool:
        connections = [ours for ours in pool.map(held, range(count)) if ours]
    print(f'{len(connections)} answered', flush=True)
    status = subprocess.run(command, check=False).returncode
    for ours in connections:
        ours.close()
        time.sleep(0.003)
    return status


def main():
    host, _, port = sys.argv[2].rpartition(':')
    how = {'burst': burst, 'hold': hold}[sys.argv[1]]
    return how((host, int(port)), int(sys.argv[3]), *sys.argv[4:])


if __name__ == '__main__':
    sys.exit(main())
