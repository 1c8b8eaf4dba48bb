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
                        while the command runs; they end one after another: that a thousand may
                        end at one moment was tried on some kernels only, see SECURITY.md
       flood.py deaf ...
                        the same, but they go on asking, and read nothing
       flood.py queue ADDRESS COUNT SOURCE
                        COUNT conversations, one after another, from the address SOURCE

All print how many were answered; queue also, within how many milliseconds nine in ten were,
and all.
"""
from concurrent.futures import ThreadPoolExecutor
import contextlib
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


def converse(address, ending, source=None):
    """Whether the time was told."""
    try:
        with socket.create_connection(address, PATIENCE, source) as ours:
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


def queue(address, count, source):
    took = []
    for _ in range(count):
        began = time.monotonic()
        if converse(address, 'quit', (source, 0)):
            took.append(1000 * (time.monotonic() - began))
    print(f'{len(took)} answered')
    took.sort()
    print(f'{took[len(took) * 9 // 10]:.0f} {took[-1]:.0f}')
    return 0


def deafen(ours):
    """Ask until no more is taken."""
    ours.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while ours.send(b'TIME\r\n' * 10000):
            pass


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
        if sys.argv[1] == 'deaf':
            list(pool.map(deafen, connections))
    print(f'{len(connections)} answered', flush=True)
    status = subprocess.run(command, check=False).returncode
    for ours in connections:
        ours.close()
        time.sleep(0.003)
    return status


def main():
    host, _, port = sys.argv[2].rpartition(':')
    how = {'burst': burst, 'hold': hold, 'deaf': hold, 'queue': queue}[sys.argv[1]]
    return how((host, int(port)), int(sys.argv[3]), *sys.argv[4:])


if __name__ == '__main__':
    sys.exit(main())
