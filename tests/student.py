#!/usr/bin/env python3
"""A server as students write it: right, or with one fault, for conformance.bats.

usage: student.py WHICH       serve a port of 127.0.0.1, and print its number
"""
import functools
import socket
import struct
import sys
import threading
import time


def told(late=0):
    return time.strftime('JAM %T', time.localtime(time.time() - late)).encode()


def by_lines(ours, end=b'\r\n', forgiving=True, late=0):
    for line in ours.makefile('rb'):
        if line == b'TIME\r\n':
            ours.sendall(told(late) + end)
        elif forgiving and line != b'QUIT\r\n':
            ours.sendall(b'?' + end)
        else:
            break


def by_reads(ours):
    """Takes what one receive brings for one request, as most do at first."""
    while data := ours.recv(32).decode():
        if data == 'TIME':
            ours.sendall(told())
        elif data == 'QUIT':
            break
        else:
            ours.sendall(b'Invalid request')


def silent(ours):
    while ours.recv(4096):
        pass


def floods(ours):
    while True:
        ours.sendall(b'?\r\n' * 1000)


def drips(ours):
    while True:
        ours.sendall(b'J')
        time.sleep(0.2)


def resets(ours):
    ours.recv(32)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


SERVERS = {
    'right': by_lines,
    'one-at-a-time': by_lines,
    'no-terminator': functools.partial(by_lines, end=b''),
    'one-line-too-many': functools.partial(by_lines, end=b'\r\n\r\n'),
    'late': functools.partial(by_lines, late=5),
    'unforgiving': functools.partial(by_lines, forgiving=False),
    'by-reads': by_reads,
    'silent': silent,
    'floods': floods,
    'drips': drips,
    'resets': resets,
}


def serve(ours):
    with ours:
        SERVERS[sys.argv[1]](ours)


with socket.create_server(('127.0.0.1', 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        if sys.argv[1] == 'one-at-a-time':
            serve(connection)
        else:
            threading.Thread(target=serve, args=[connection], daemon=True).start()
