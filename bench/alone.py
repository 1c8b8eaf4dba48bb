#!/usr/bin/env python3
"""A handler on a TCP connection, without a supervisor: what it costs, as JSON.

    alone.py memory COMMAND...         what is its own once it has answered and waits
    alone.py instructions COMMAND...   how many it executes for TIME and QUIT, by valgrind(1)
    alone.py calls COMMAND...          which system calls it makes for them, by strace(1)

Fails if a reply is wrong.
"""
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile

PATIENCE = 20  # seconds
REPLY = re.compile(rb"JAM \d\d:\d\d:\d\d\r\n")
# A handler runs more than once: what several have in common is no connection's own, and where
# a stack begins in its page, by which it may have one more, is random.
INSTANCES = 15
# As a supervisor hands it over, not as whoever runs this has it: it lies on the stack.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "REMOTE_ADDR": "127.0.0.1"}


def start(command):
    """The process, and our end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname(), PATIENCE)
        theirs, _ = listener.accept()
    with theirs:
        return subprocess.Popen(command, stdin=theirs, stdout=theirs, env=ENVIRONMENT,
                                stderr=subprocess.DEVNULL), ours


def ask(connection, requests):
    """Send them, the first of which is TIME, and check its reply."""
    connection.sendall(requests)
    reply = b""
    while not reply.endswith(b"\n"):
        more = connection.recv(100)
        if not more:
            break
        reply += more
    if not REPLY.fullmatch(reply):
        sys.exit(f"a wrong reply: {reply!r}")


def finish(process, connection):
    """After QUIT."""
    if connection.recv(1):
        sys.exit("more than a reply")
    connection.close()
    process.wait(PATIENCE)


def watched(watcher, command):
    """What the watcher writes about a conversation, to the file its last option names."""
    with tempfile.NamedTemporaryFile() as log:
        process, connection = start([*watcher[:-1], watcher[-1] + log.name, *command])
        ask(connection, b"TIME\r\nQUIT\r\n")
        finish(process, connection)
        return log.read().decode()


def instructions(command):
    report = watched(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                      "--log-file="], command)
    return {"instructions": int(re.search(r"Collected : (\d+)", report)[1])}


def calls(command):
    report = watched(["strace", "-qq", "-o"], command)
    return {"calls": re.findall(r"^(\w+)\(", report, re.MULTILINE)}


def kilobytes(path, name):
    """A field of a file of proc(5)."""
    with open(path, encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return int(fields[name].split()[0])


def memory(command):
    instances = [start(command) for _ in range(INSTANCES)]
    for _, connection in instances:
        ask(connection, b"TIME\r\n")
    pids = [process.pid for process, _ in instances]
    found = {
        # Not Private_Clean: pages of files, which no other instance happened to touch.
        "private_kb": statistics.median(
            kilobytes(f"/proc/{pid}/smaps_rollup", "Private_Dirty") for pid in pids),
        "page_tables_kb": statistics.median(
            kilobytes(f"/proc/{pid}/status", "VmPTE") for pid in pids),
    }
    for process, connection in instances:
        connection.sendall(b"QUIT\r\n")
        finish(process, connection)
    return found


what = {"memory": memory, "instructions": instructions, "calls": calls}[sys.argv[1]]
print(json.dumps({"failed": 0, **what(sys.argv[2:])}))
