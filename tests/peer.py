#!/usr/bin/env python3
"""A peer that talks to timesvc by a script, byte for byte, and waits for nothing forever.

usage: peer.py connect [--from HOST] ADDRESS STEP...
       peer.py launch [--over HOW] [--stderr peer|closed|pipe] [--status N] [--nonblock yes]
                      STEP... -- PROGRAM [ARGUMENT...]

connect talks, from HOST if that is given, to what listens at HOST:PORT, or at a path. launch is a
supervisor in small: it starts the program on a connection of its own, talks to it, expects it to
exit (with status 0 unless told otherwise), and prints what it wrote to standard error. HOW is tcp,
tcp6, mapped, linklocal, unix, pipes, split (its output is a pipe), terminal, listener or datagrams.

Steps, done in order; the first that fails ends the script with status 1:

  send:BYTES        send, with \\r \\n \\0 \\xHH; send:BYTES*COUNT repeats
  urgent:BYTE       send it out of band (URG)
  dribble:BYTES     send them one at a time, each in a segment of its own
  expect:BYTES      receive just these; %T stands for a time hh:mm:ss
  until:BYTES       receive whatever comes before these, and them
  some-of:BYTES     receive what these begin with, perhaps nothing, and the end, perhaps by RST
  quiet:SECONDS     receive nothing for so long
  after:SECONDS     no less than so long has gone by since the step before the last began
  within:SECONDS    ... no more, but for $WATCHER_SECONDS that valgrind needs to start
  half-close        end our output
  eof               receive the end of input, and nothing before it
  run:COMMAND       meanwhile run it, by bash; it has to succeed
  reset             abort the connection (RST)
  deaf:COUNT        send COUNT requests, or as many as are taken, and read no reply
  stale:SECONDS     send a batch, read nothing for so long, then read every reply: the last
                    tells the time of now, not of then
  pump:COUNT        send COUNT requests in random cuts, check every reply
  sip:RATE*SECONDS  for so long send all that is taken, and read RATE bytes a second
  trickle:SECONDS   send a byte each tenth of a second, for so long or until none is taken
  pause:SECONDS     neither send nor receive
  midsecond         wait for the middle of a second of the clock
  tells-now         receive JAM hh:mm:ss, with the second that it is
  about-now         receive JAM hh:mm:ss CR LF, two seconds from now at most; unless TZ is set, in
                    whatever time zone: they differ by quarters of an hour
  crowd:COUNT       meanwhile so many more clients ask, all at once, and are answered

With PATIENCE= it waits so many seconds, not 10, for what should come, and connect ends after five
times as many at the latest.

For launch alone:

  lean:KB           the program's peak memory is less, but for $WATCHER_KB of a sanitizer
  held:KB           the kernel holds no more for its socket, received and unsent together
  calm              no signal is pending for it, and SIGALRM is blocked
  signal:NAME       signal the program, e.g. TERM
  prompt            its replies do not wait for us to acknowledge the one before (TCP_NODELAY)
  exits             the program ends while we keep our end open
"""
import contextlib
import ctypes
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tty

PATIENCE = float(os.environ.get('PATIENCE', '10'))  # seconds, for anything that should come


def unescape(text):
    return text.encode('latin-1').decode('unicode_escape').encode('latin-1')


def reply(text):
    """What is expected, at midnight."""
    return unescape(text).replace(b'%T', b'00:00:00')


def at_midnight(got):
    return re.sub(rb'[0-2]\d:[0-5]\d:[0-6]\d', b'00:00:00', got)


class Peer:
    """Our end of the connection: a socket, or a pair of pipes."""

    def __init__(self, source, sink, program=None, began=None):
        self.source = source
        self.sink = sink
        self.program = program
        self.ended = False  # their output, to us
        self.began = self.before = began or time.monotonic()
        os.set_blocking(sink.fileno(), False)
        os.set_blocking(source.fileno(), False)

    def do(self, step):
        verb, *argument = step.split(':', 1)
        if verb not in ('after', 'within'):
            self.before, self.began = self.began, time.monotonic()
        getattr(self, 'do_' + verb.replace('-', '_'))(*argument)

    # Receiving

    def receive(self, most, patience=PATIENCE):
        """Some bytes; b'' at the end of input; None if nothing comes."""
        if select.select([self.source], [], [], patience)[0]:
            some = os.read(self.source.fileno(), most)
            self.ended = not some
            return some
        return None

    def told(self, got):
        return f"got {got or 'nothing'}{', then the end' * self.ended}"

    def receive_all(self, size):
        """So many bytes, or those before the end."""
        got = bytearray()
        while len(got) < size and (some := self.receive(min(size - len(got), 1 << 16))):
            got += some
        return bytes(got)

    def do_expect(self, text):
        wanted = reply(text)
        got = self.receive_all(len(wanted))
        assert at_midnight(got) == wanted, self.told(got)

    def do_until(self, text):
        got, wanted = b'', reply(text)
        while not at_midnight(got).endswith(wanted):
            some = self.receive(4096)
            assert some and len(got) < 1 << 16, self.told(got)
            got += some

    def do_some_of(self, text):
        got = b''
        with contextlib.suppress(ConnectionResetError):
            while (some := self.receive(1 << 16)) != b'':
                assert some, f'no end after {got!r}'
                got += some
        assert reply(text).startswith(re.sub(rb'\d', b'0', got)), f'got {got!r}'

    def do_quiet(self, seconds):
        got = self.receive(4096, float(seconds))
        assert got is None, f'got {got!r}'

    def do_eof(self):
        got = self.receive(4096)
        assert got == b'', self.told(got)

    def do_tells_now(self):
        got = self.receive_all(12)
        assert got == time.strftime('JAM %T').encode(), f'got {got!r} at {time.ctime()}'

    def do_about_now(self):
        got, now = self.receive_all(14), time.localtime()
        assert at_midnight(got) == b'JAM 00:00:00\r\n', self.told(got)
        hours, minutes, seconds = map(int, got[4:12].split(b':'))
        zone = 86400 if 'TZ' in os.environ else 900
        ahead = ((hours - now.tm_hour) * 3600 + (minutes - now.tm_min) * 60 + seconds - now.tm_sec)
        assert min(ahead % zone, -ahead % zone) <= 2, f'got {got!r} at {time.strftime("%T %Z", now)}'

    # Sending

    def send_some(self, data):
        try:
            return os.write(self.sink.fileno(), data)
        except BlockingIOError:
            return 0

    def send(self, data, patience=PATIENCE):
        """Returns what is left when no more was taken for so long."""
        data = memoryview(data)
        while data and select.select([], [self.sink], [], patience)[1]:
            data = data[self.send_some(data):]
        return data

    def do_send(self, text):
        data, star, count = text.rpartition('*')
        left = self.send(unescape(data) * int(count) if star else unescape(text))
        assert not left, f'{len(left)} bytes are not taken'

    def do_urgent(self, text):
        self.sink.send(unescape(text), socket.MSG_OOB)

    def do_dribble(self, text):
        if isinstance(self.sink, socket.socket) and self.sink.family != socket.AF_UNIX:
            self.sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in unescape(text):
            self.send(bytes([byte]))
            time.sleep(0.002)  # lets the reader in between; how long does not matter

    def do_deaf(self, count):
        with contextlib.suppress(ConnectionError):
            for _ in range(int(count) // 1000):
                if self.send(b'TIME\r\n' * 1000, 0.3):
                    break

    def do_trickle(self, seconds):
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < self.began + float(seconds):
                self.send_some(b'x')
                time.sleep(0.1)

    def do_half_close(self):
        if self.sink is self.source:
            self.sink.shutdown(socket.SHUT_WR)
        else:
            self.sink.close()

    def do_reset(self):
        self.sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sink.close()

    # Both, and time

    def do_stale(self, seconds):
        count = 2048  # 16 KB that bring 130 KB, more than pipes hold
        self.send(b'\n\n\nTIME\n' * count)
        time.sleep(float(seconds))  # the time that is to pass
        got = self.receive_all(len(b'Invalid request\r\n' * 3 + b'JAM hh:mm:ss\r\n') * count)
        told, now = got[-10:-2].decode(), time.time()
        assert told in [time.strftime('%T', time.localtime(now - age)) for age in (0, 1, 2)], \
            f'the last reply told {told} at {time.ctime(now)}'

    def do_sip(self, text):
        rate, seconds = map(float, text.split('*'))
        self.send_some(b'TIME\r\n')
        received = len(self.receive(1, PATIENCE))  # it may be slow to start
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            self.send_some(b'TIME\r\n' * 40000)
            if (due := int(now * rate) - received) > 0:
                some = self.receive(min(due, 1 << 20), 0.05)
                assert some != b'', f'the end came after {received} bytes, {now:.1f} s'
                received += len(some or b'')
            else:
                time.sleep(0.01)

    def do_pump(self, count):
        """Requests whose replies do not depend on where they are cut."""
        seed = int(os.environ.get('SEED', random.randrange(1 << 32)))
        draw = random.Random(seed)
        requests = draw.choices([b'TIME\r\n', b'TIME\n', b'FOO\r\n', b'\r\n', b'time\n',
                                 b'TI\x00ME\r\n', b'FOO\r\r\n'], k=int(count))
        wanted = b''.join(b'JAM 00:00:00\r\n' if request in (b'TIME\r\n', b'TIME\n') else
                          b'Invalid request\r\n' for request in requests)

        def send():
            data = memoryview(b''.join(requests))
            with contextlib.suppress(OSError):
                while data:
                    size = draw.randint(1, 1 << draw.randint(1, 16))
                    self.send(data[:size])
                    data = data[size:]

        threading.Thread(target=send, daemon=True).start()
        got = self.receive_all(len(wanted))
        assert at_midnight(got) == wanted, \
            f'{len(got)} bytes came of {len(wanted)}, or wrong ones, SEED={seed}'

    def do_after(self, seconds):
        took = time.monotonic() - self.before
        assert took >= float(seconds) - 0.05, f'it took {took:.3f} s'

    def do_within(self, seconds):
        took = time.monotonic() - self.before
        most = float(seconds) + float(os.environ.get('WATCHER_SECONDS', '0'))
        assert took <= most, f'it took {took:.3f} s'

    def do_pause(self, seconds):
        time.sleep(float(seconds))

    def do_midsecond(self):
        time.sleep((1.5 - time.time() % 1) % 1)

    def do_run(self, command):
        subprocess.run(['bash', '-c', command], check=True)

    def do_crowd(self, count):
        with contextlib.ExitStack() as end:
            connections = [end.enter_context(socket.create_connection(
                self.source.getpeername()[:2], PATIENCE)) for _ in range(int(count))]
            crowd = [Peer(ours, ours) for ours in connections]
            for peer in crowd:
                peer.do_send('TIME\r\n')
            for peer in crowd:
                peer.do_expect('JAM %T\r\n')

    # The program

    def status(self, field):
        with open(f'/proc/{self.program.pid}/status', encoding='ascii') as status:
            return re.search(rf'^{field}:\s*(\w+)', status.read(), re.MULTILINE)[1]

    def do_lean(self, most):
        peak = int(self.status('VmHWM'))
        assert peak < int(most) + int(os.environ.get('WATCHER_KB', '0')), f'{peak} KB'

    def their_end(self):
        pidfd_getfd = 438  # by number: Python has no wrapper
        return socket.socket(fileno=ctypes.CDLL(None, use_errno=True).syscall(
            pidfd_getfd, os.pidfd_open(self.program.pid), 1, 0))

    def do_held(self, most):
        so_meminfo = 55  # what ss(8) shows as skmem, among it r and w
        with self.their_end() as end:
            memory = end.getsockopt(socket.SOL_SOCKET, so_meminfo, 6 * 4)
        received, *_, unsent = struct.unpack('6I', memory)
        assert received + unsent <= int(most) * 1024, f'{received} bytes received, {unsent} unsent'

    def do_calm(self):
        pending = self.status('SigPnd'), self.status('ShdPnd')
        assert not any(int(signals, 16) for signals in pending), f'signals are pending: {pending}'
        assert int(self.status('SigBlk'), 16) >> signal.SIGALRM - 1 & 1, 'SIGALRM is not blocked'

    def do_prompt(self):
        with self.their_end() as end:
            assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 'they wait'

    def do_exits(self):
        self.program.wait(PATIENCE)

    def do_signal(self, name):
        number = getattr(signal, 'SIG' + name)
        # Once the program has blocked it; before, it is a shell's or a loader's to end.
        while (name not in ('STOP', 'CONT') and time.monotonic() < self.began + PATIENCE and
               not int(self.status('SigBlk'), 16) >> number - 1 & 1):
            time.sleep(0.01)
        self.program.send_signal(number)


def tcp_pair(over):
    """The two ends of one loopback connection; the kernel picks a free port."""
    ours, theirs = {'tcp6': ('::1', '::1'), 'mapped': ('127.0.0.1', '::'),
                    'linklocal': ('fe80::1%1', 'fe80::1%1')}.get(over, ('127.0.0.1', '127.0.0.1'))
    family, _, _, _, address = socket.getaddrinfo(theirs, 0)[0]
    listener = socket.create_server(address, family=family, dualstack_ipv6=over == 'mapped')
    ours = socket.create_connection((ours, listener.getsockname()[1]))
    return ours, listener if over == 'listener' else listener.accept()[0]


def pipe():
    source, sink = os.pipe()
    return open(source, 'rb', 0), open(sink, 'wb', 0)


def connection(over):
    """Our source and sink, the program's standard input and output."""
    if over in ('pipes', 'split'):
        source, stdout = pipe()
        stdin, sink = pipe() if over == 'pipes' else reversed(tcp_pair(over))
        return source, sink, stdin, stdout
    if over == 'terminal':
        ours, theirs = (open(end, 'r+b', 0) for end in os.openpty())
        tty.setraw(theirs)
    elif over in ('unix', 'datagrams'):
        kind = socket.SOCK_STREAM if over == 'unix' else socket.SOCK_DGRAM
        ours, theirs = socket.socketpair(type=kind)
    else:
        ours, theirs = tcp_pair(over)
    return ours, ours, theirs, theirs


def brief(text):
    return text if len(text) <= 200 else text[:200] + '...'


def play(peer, steps):
    for before, step in zip(['the start', *steps], steps):
        try:
            peer.do(step)
        except (AssertionError, OSError, subprocess.SubprocessError) as failure:
            print(f'{brief(step)} failed, after {brief(before)}: {brief(str(failure))}')
            return 1
    return 0


def launch(options, words):
    at = words.index('--')
    steps, command = words[:at], words[at + 1:]
    source, sink, stdin, stdout = connection(options['--over'])
    for end in stdin, stdout:
        os.set_blocking(end.fileno(), options['--nonblock'] == 'no')
    stderr = {'peer': stdout, 'pipe': subprocess.PIPE, 'closed': None}[options['--stderr']]
    if options['--stderr'] == 'closed':
        command = ['sh', '-c', 'exec "$@" 2>&-', 'sh', *command]
    began = time.monotonic()  # before the program's own clock starts
    with subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr) as program:
        stdin.close()
        stdout.close()
        try:
            failed = play(Peer(source, sink, program, began), steps)
            sink.close()
            _, record = program.communicate(timeout=PATIENCE)
            print((record or b'').decode('latin-1'), end='')
        finally:
            program.kill()
    if program.returncode != int(options['--status']):
        print(f'the program ended with status {program.returncode}')
        return 1
    return failed


def open_to(address, source):
    if address.startswith('/'):
        ours = socket.socket(socket.AF_UNIX)
        ours.connect(address)
        return ours
    host, _, port = address.rpartition(':')
    return socket.create_connection((host.strip('[]'), int(port)), PATIENCE, source and (source, 0))


def out_of_time(*_):
    raise TimeoutError('it took too long')


def connect(source, address, *steps):
    if 'PATIENCE' in os.environ:
        signal.signal(signal.SIGALRM, out_of_time)
        signal.setitimer(signal.ITIMER_REAL, 5 * PATIENCE)
    try:
        ours = open_to(address, source)
    except (OSError, ValueError) as failure:
        print(f'cannot connect to {address}: {failure}')
        return 1
    with ours:
        return play(Peer(ours, ours), steps)


def main():
    how, *words = sys.argv[1:]
    options = {'--from': None, '--over': 'tcp', '--stderr': 'pipe', '--status': '0',
               '--nonblock': 'no'}
    while words[0] in options:
        options[words[0]] = words[1]
        words = words[2:]
    if how == 'launch':
        return launch(options, words)
    return connect(options['--from'], *words)


if __name__ == '__main__':
    sys.exit(main())
