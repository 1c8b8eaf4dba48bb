#!/usr/bin/env python3
"""A peer that talks to timesvc by a script, byte for byte, and waits for nothing forever.

usage: peer.py connect [--from HOST] ADDRESS STEP...
       peer.py launch [--over tcp|tcp6|mapped|linklocal|unix|pipes|split|terminal|listener|datagrams]
                      [--stderr peer|closed|pipe] [--status N] [--nonblock yes] STEP... -- PROGRAM [ARGUMENT...]

connect talks, from HOST if that is given, to what listens at HOST:PORT, or at a path. launch is a
supervisor in small: it starts the program on a connection of its own (split: its output is a pipe),
talks to it, expects it to exit (with status 0 unless told otherwise), and prints what it wrote to
standard error.

Steps, done in order; the first that fails ends the script with status 1:

  send:BYTES        send, with \\r \\n \\0 \\xHH; send:BYTES*COUNT repeats
  urgent:BYTE       send it out of band (URG)
  dribble:BYTES     send them one at a time, each in a segment of its own
  expect:BYTES      receive just these; %T stands for a time hh:mm:ss
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
  sip:RATE*SECONDS  for so long send all requests that are taken, and read RATE bytes a second
  trickle:SECONDS   send a byte each tenth of a second, for so long or until none is taken
  pause:SECONDS     neither send nor receive
  midsecond         wait for the middle of a second of the clock
  tells-now         receive JAM hh:mm:ss, with the second that it is

and for launch alone:

  lean:KB           the program's peak memory is less, but for $WATCHER_KB of a sanitizer
  held:KB           the kernel holds no more for its socket, received and unsent together
  calm              no signal is pending for it
  signal:NAME       signal the program, e.g. TERM
  prompt            its replies do not wait for us to acknowledge the one before (TCP_NODELAY)
  exits             the program ends while we keep our end open
"""
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
import time
import tty

PATIENCE = 10  # seconds, for anything that should come


class Failure(Exception):
    pass


def unescape(text):
    return text.encode('latin-1').decode('unicode_escape').encode('latin-1')


class Peer:
    """Our end of the connection: a socket, or a pair of pipes."""

    def __init__(self, source, sink, program=None, began=None):
        self.source = source
        self.sink = sink
        self.program = program
        self.began = self.before = began or time.monotonic()
        os.set_blocking(sink.fileno(), False)
        os.set_blocking(source.fileno(), False)

    def do(self, step):
        verb, _, argument = step.partition(':')
        act = getattr(self, 'do_' + verb.replace('-', '_'), None)
        if act is None:
            raise Failure('no such step')
        if verb not in ('after', 'within'):
            self.before, self.began = self.began, time.monotonic()
        act(*([argument] if argument else []))

    # Receiving

    def receive(self, most, patience=PATIENCE):
        """Some bytes; b'' at the end of input; None if nothing comes."""
        if not select.select([self.source], [], [], patience)[0]:
            return None
        try:
            return os.read(self.source.fileno(), most)
        except ConnectionResetError as error:
            raise Failure('the connection was reset') from error

    def do_expect(self, text):
        pattern = re.escape(unescape(text)).replace(b'%T', rb'[0-2]\d:[0-5]\d:[0-6]\d')
        wanted = len(unescape(text)) + 6 * text.count('%T')  # hh:mm:ss is 6 longer than %T
        got = b''
        while len(got) < wanted:
            some = self.receive(wanted - len(got))
            if not some:
                break
            got += some
        if not re.fullmatch(pattern, got):
            raise Failure(f'got {got!r}')

    def do_some_of(self, text):
        whole = unescape(text).replace(b'%T', b'00:00:00')
        got = b''
        try:
            while some := self.receive(1 << 16):
                got += some
        except Failure:
            some = b''
        if some is None or not whole.startswith(re.sub(rb'\d', b'0', got)):
            raise Failure(f'got {got!r}')

    def do_quiet(self, seconds):
        got = self.receive(4096, float(seconds))
        if got is not None:
            raise Failure(f'got {got!r}')

    def do_eof(self):
        got = self.receive(4096)
        if got != b'':
            raise Failure('nothing came, not even the end' if got is None else f'got {got!r}')

    # Sending

    def send_some(self, data):
        try:
            return os.write(self.sink.fileno(), data)
        except BlockingIOError:
            return 0

    def send(self, data):
        data = memoryview(data)
        while data:
            if not select.select([], [self.sink], [], PATIENCE)[1]:
                raise Failure(f'cannot send: {len(data)} bytes are left')
            data = data[self.send_some(data):]

    def do_send(self, text):
        data, star, count = text.rpartition('*')
        self.send(unescape(data) * int(count) if star else unescape(text))

    def do_urgent(self, text):
        self.sink.send(unescape(text), socket.MSG_OOB)

    def do_dribble(self, text):
        if isinstance(self.sink, socket.socket) and self.sink.family == socket.AF_INET:
            self.sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in unescape(text):
            self.send(bytes([byte]))
            time.sleep(0.002)  # lets the reader in between; how long does not matter

    def do_deaf(self, count):
        requests = memoryview(b'TIME\r\n' * 1000)
        sent, most = 0, int(count) * len(b'TIME\r\n')
        while sent < most and select.select([], [self.sink], [], 0.3)[1]:
            at = sent % len(requests)
            try:
                sent += self.send_some(requests[at:at + most - sent])
            except ConnectionError:
                return

    def do_stale(self, seconds):
        group, count = b'\n\n\nTIME\n', 2048  # 16 KB that bring 130 KB, more than pipes hold
        size = count * len(b'Invalid request\r\n' * 3 + b'JAM hh:mm:ss\r\n')
        self.send(group * count)
        time.sleep(float(seconds))  # the time that is to pass
        got = b''
        while len(got) < size:
            got += self.receive(size) or b'?' * size
        told, now = got[-10:-2].decode(), time.time()
        if told not in (time.strftime('%T', time.localtime(now - age)) for age in (0, 1, 2)):
            raise Failure(f'the last reply told {told} at {time.ctime(now)}')

    def do_sip(self, text):
        rate, seconds = text.split('*')
        requests = memoryview(b'TIME\r\n' * 40000)
        began = time.monotonic()
        sent = received = 0
        while (now := time.monotonic() - began) < float(seconds):
            due = int(now * float(rate)) - received
            readable, writable, _ = select.select([self.source] if due > 0 else [], [self.sink],
                                                  [], 0.05)
            if writable:
                sent += self.send_some(requests[sent % len(requests):])
            if readable:
                some = self.receive(min(due, 1 << 20))
                if not some:
                    raise Failure(f'the end came after {received} bytes, {now:.1f} s')
                received += len(some)
            if due <= 0:
                time.sleep(0.01)

    def do_trickle(self, seconds):
        began = time.monotonic()
        while time.monotonic() - began < float(seconds):
            try:
                self.send_some(b'x')
            except ConnectionError:
                return
            time.sleep(0.1)

    def do_pause(self, seconds):
        time.sleep(float(seconds))

    def do_midsecond(self):
        time.sleep((1.5 - time.time() % 1) % 1)

    def do_tells_now(self):
        told = self.receive(12)
        if told != time.strftime('JAM %T').encode():
            raise Failure(f'got {told!r} at {time.ctime()}')

    def do_half_close(self):
        if self.sink is self.source:
            self.sink.shutdown(socket.SHUT_WR)
        else:
            self.sink.close()

    def do_run(self, command):
        if subprocess.run(['bash', '-c', command], check=False).returncode != 0:
            raise Failure('it failed')

    def do_reset(self):
        self.sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sink.close()

    def do_pump(self, count):
        """Requests whose replies do not depend on where they are cut."""
        replies = {b'TIME\r\n': b'J', b'TIME\n': b'J', b'FOO\r\n': b'I', b'\r\n': b'I',
                   b'time\n': b'I', b'TI\x00ME\r\n': b'I', b'FOO\r\r\n': b'I'}
        seed = int(os.environ.get('SEED', random.randrange(1 << 32)))
        draw = random.Random(seed)
        requests = draw.choices(list(replies), k=int(count))
        data = memoryview(b''.join(requests))
        wanted = b''.join(replies[request] for request in requests)
        got, rest = [], b''
        deadline = time.monotonic() + 120
        received = 0
        while received < len(wanted):
            if time.monotonic() > deadline:
                raise Failure(f'{received} of {count} replies came, SEED={seed}')
            readable, writable, _ = select.select([self.source], [self.sink] if data else [],
                                                  [], PATIENCE)
            if writable:
                data = data[self.send_some(data[:draw.randint(1, 1 << draw.randint(1, 16))]):]
            if readable:
                lines = (rest + (self.receive(1 << 16) or b'')).split(b'\r\n')
                rest = lines.pop()
                for line in lines:
                    if not re.fullmatch(rb'JAM \d\d:\d\d:\d\d|Invalid request', line):
                        raise Failure(f'got {line!r}, SEED={seed}')
                got.append(b''.join(line[:1] for line in lines))
                received += len(lines)
            if not readable and not writable:
                raise Failure(f'{received} of {count} replies came, SEED={seed}')
        if b''.join(got) != wanted or rest:
            raise Failure(f'the replies are not in the order of the requests, SEED={seed}')

    # Time, and the program

    def do_after(self, seconds):
        took = time.monotonic() - self.before
        if took < float(seconds) - 0.05:
            raise Failure(f'it took {took:.3f} s')

    def do_within(self, seconds):
        took = time.monotonic() - self.before
        if took > float(seconds) + float(os.environ.get('WATCHER_SECONDS', '0')):
            raise Failure(f'it took {took:.3f} s')

    def do_lean(self, most):
        with open(f'/proc/{self.program.pid}/status', encoding='ascii') as status:
            peak = int(re.search(r'VmHWM:\s*(\d+)', status.read())[1])
        if peak >= int(most) + int(os.environ.get('WATCHER_KB', '0')):
            raise Failure(f'{peak} KB')

    def do_held(self, most):
        host, port = self.source.getsockname()[:2]
        sockets = subprocess.run(['ss', '-tmnH', f'dst {host} dport = :{port}'], check=True,
                                 capture_output=True, encoding='ascii').stdout
        received, unsent = map(int, re.search(r'skmem:\(r(\d+),.*?,w(\d+),', sockets).groups())
        if received + unsent > int(most) * 1024:
            raise Failure(f'{received} bytes received, {unsent} unsent')

    def do_calm(self):
        with open(f'/proc/{self.program.pid}/status', encoding='ascii') as status:
            pending = re.findall(r'(?:Sig|Shd)Pnd:\s*(\w+)', status.read())
        if any(int(signals, 16) for signals in pending):
            raise Failure(f'signals are pending: {pending}')

    def do_prompt(self):
        pidfd_getfd = 438  # by number: Python has no wrapper
        theirs = ctypes.CDLL(None, use_errno=True).syscall(
            pidfd_getfd, os.pidfd_open(self.program.pid), 1, 0)
        with socket.socket(fileno=theirs) as end:
            if not end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):
                raise Failure('they wait')

    def do_exits(self):
        try:
            self.program.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise Failure('it runs on') from error

    def blocks(self, number):
        with open(f'/proc/{self.program.pid}/status', encoding='ascii') as status:
            return int(re.search(r'SigBlk:\s*(\w+)', status.read())[1], 16) >> number - 1 & 1

    def do_signal(self, name):
        number = getattr(signal, 'SIG' + name)
        deadline = time.monotonic() + PATIENCE
        # The first that the program does; before, it is a shell's or a loader's to end.
        while (name not in ('STOP', 'CONT', 'KILL') and not self.blocks(number) and
               time.monotonic() < deadline):
            time.sleep(0.01)
        self.program.send_signal(number)


def tcp_pair(over):
    """The two ends of one loopback connection; the kernel picks a free port."""
    ours, theirs = {'tcp': ('127.0.0.1', '127.0.0.1'), 'tcp6': ('::1', '::1'),
                    'mapped': ('127.0.0.1', '::'), 'linklocal': ('fe80::1%1', 'fe80::1')}[over]
    family = socket.AF_INET6 if ':' in theirs else socket.AF_INET
    address = (theirs, 0, 0, 1) if over == 'linklocal' else (theirs, 0)  # lo is number 1
    with socket.create_server(address, family=family,
                              dualstack_ipv6=over == 'mapped') as listener:
        ours = socket.create_connection((ours, listener.getsockname()[1]))
        return ours, listener.accept()[0]


def connection(over):
    """Our source and sink, the program's standard input and output."""
    if over == 'pipes':
        (their_in, our_sink), (our_source, their_out) = os.pipe(), os.pipe()
        return (os.fdopen(our_source, 'rb', 0), os.fdopen(our_sink, 'wb', 0),
                os.fdopen(their_in, 'rb', 0), os.fdopen(their_out, 'wb', 0))
    if over == 'split':
        (ours, theirs), (our_source, their_out) = tcp_pair('tcp'), os.pipe()
        return os.fdopen(our_source, 'rb', 0), ours, theirs, os.fdopen(their_out, 'wb', 0)
    if over == 'listener':
        theirs = socket.create_server(('127.0.0.1', 0))
        ours = socket.create_connection(theirs.getsockname())
    elif over == 'terminal':
        ours, theirs = (os.fdopen(end, 'r+b', 0) for end in os.openpty())
        tty.setraw(theirs)
    elif over == 'datagrams':
        ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
    elif over == 'unix':
        ours, theirs = socket.socketpair()
    else:
        ours, theirs = tcp_pair(over)
    return ours, ours, theirs, theirs


def play(peer, steps):
    for step in steps:
        try:
            peer.do(step)
        except (Failure, OSError) as failure:
            print(f'step {step!r} failed: {failure}')
            return 1
    return 0


def launch(words):
    options = {'--over': 'tcp', '--stderr': 'pipe', '--status': '0',
               '--nonblock': 'no'}
    while words and words[0] in options:
        options[words[0]] = words[1]
        words = words[2:]
    at = words.index('--')
    steps, command = words[:at], words[at + 1:]
    source, sink, stdin, stdout = connection(options['--over'])
    os.set_blocking(stdin.fileno(), options['--nonblock'] == 'no')
    os.set_blocking(stdout.fileno(), options['--nonblock'] == 'no')
    stderr = {'peer': stdout, 'pipe': subprocess.PIPE, 'closed': None}[options['--stderr']]
    if options['--stderr'] == 'closed':
        command = ['sh', '-c', 'exec "$@" 2>&-', 'sh', *command]
    began = time.monotonic()  # before the program's own clock starts
    with subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr) as program:
        stdin.close()
        stdout.close()
        failed = 1
        try:
            failed = play(Peer(source, sink, program, began), steps)
            sink.close()
            _, record = program.communicate(timeout=PATIENCE)
            print((record or b'').decode('latin-1'), end='')
        except subprocess.TimeoutExpired:
            print('the program does not end')
            failed = 1
        finally:
            program.kill()
    if program.returncode != int(options['--status']):
        print(f'the program ended with status {program.returncode}')
        return 1
    return failed


def connect(address, source):
    if address.startswith('/'):
        ours = socket.socket(socket.AF_UNIX)
        ours.connect(address)
        return ours
    host, _, port = address.rpartition(':')
    return socket.create_connection((host.strip('[]'), int(port)), PATIENCE, source)


def main():
    how, words = sys.argv[1], sys.argv[2:]
    if how == 'launch':
        return launch(words)
    source = None
    if words[0] == '--from':
        source, words = (words[1], 0), words[2:]
    with connect(words[0], source) as ours:
        return play(Peer(ours, ours), words[1:])


if __name__ == '__main__':
    sys.exit(main())
