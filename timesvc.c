/*
 * timesvc - tell the time on one connection, for a supervisor that owns the port.
 *
 * A supervisor (systemd, inetd, xinetd, tcpserver ...) accepts TCP connections and runs
 * one timesvc for each, the connection on standard input and output. timesvc never
 * listens, never forks, and holds a constant amount of memory whatever its peer does.
 *
 * The protocol. A request is the bytes before a terminator, CR LF or LF alone:
 *
 *     TIME            is answered  JAM hh:mm:ss CR LF  (local time, 24 hours)
 *     QUIT            is not answered; timesvc closes, and its FIN goes first
 *     anything else   is answered  Invalid request CR LF
 *
 * The clients of the original system send no terminator and expect none. They and line
 * clients are served by one rule set:
 *
 *   1. Input left over once all that came is read is a tail. A tail that is just TIME or
 *      QUIT is handled at once, any other after a second of silence; at the end of input
 *      every tail is handled at once.
 *   2. A tail's reply goes out without its CR LF, which is owed: if the next bytes are
 *      CR LF or LF they end the request already answered, and the owed CR LF follows.
 *      Else they begin a new request.
 *   3. A CR is half a terminator only if LF follows. Silence does not settle that: the
 *      tail TIME CR is answered like TIME. The end of input does: there it is invalid.
 *
 * So one input stream gives one output stream, however it is cut into segments and
 * however long a request waits for its terminator.
 *
 * The end. After QUIT or the end of input the write side is shut down and what the peer
 * still sends is drained, so that no RST destroys replies in flight. A peer that neither
 * sends nor takes a byte for the time limit is closed. SIGTERM, SIGINT and SIGHUP close
 * within a second. The exit status (sysexits.h) is 0 for all that a peer or a signal can
 * cause, 64 for bad usage, 71 where the system failed us, 78 when started wrongly. Each
 * connection leaves one log record; no diagnostic ever reaches the peer.
 *
 * With --proxy a proxy in front has to begin with a header that names the peer (PROXY
 * protocol, version 1). A connection without one is closed, unanswered.
 *
 * The sections, in the order a connection lives: protocol, clock, connection, text,
 * supervisor, PROXY protocol, log, sandbox, options, main. HAVE_LIBSYSTEMD, in the
 * section supervisor, is the one difference between the program timesvc and the static
 * program timesvc-static.
 */
#define _GNU_SOURCE          /* syscall(2), strsep(3), strnlen(3) */
#define _TIME_BITS        64 /* 32-bit platforms tell the time after 2038, too ... */
#define _FILE_OFFSET_BITS 64 /* ... which needs this one, feature_test_macros(7) */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define TIMESVC_VERSION "1.0.0"

/* The limits. Times are in nanoseconds, sizes in bytes. */
#define SECOND       INT64_C(1000000000)
#define MILLISECOND  (SECOND / 1000)
#define FOREVER      INT64_MAX
#define TAIL_SILENCE SECOND            /* before a tail is handled as it stands */
#define TIME_LIMIT   (3600 * SECOND)   /* without a byte read or written (-t) */
#define DRAIN_LIMIT  (2 * SECOND)      /* for the peer's FIN after ours ... */
#define DRAIN_BYTES  65536             /* ... and this many bytes before it */
#define GRACE        (7 * SECOND / 10) /* from a signal to the end, all included */
#define LOG_PATIENCE (SECOND / 10)     /* for a log that takes no record */
#define PROXY_LIMIT  (5 * SECOND)      /* for a proxy's header, from the start (-p) */
#define INPUT_SIZE   49152             /* a batch, one read: 8192 times TIME CR LF ... */
#define OUTPUT_SIZE  122880            /* ... and all their replies, in one write */
#define EXCERPT_SIZE 64                /* of a request in the transcript */
#define REASON_SIZE  128               /* of a word of the command line in a record */
#define TEXT_SIZE    2048              /* of a log record, as the log takes it */

/*
 * ---- Protocol: bytes in, bytes out ------------------------------------------------
 *
 * Pure: no I/O, no clock of its own. What has come of the current request is one state.
 */

#define TERMINATOR      "\r\n"
#define TIME_REPLY_SIZE (sizeof "JAM hh:mm:ss" - 1)
#define INVALID_REPLY   "Invalid request"
#define REPLY_MAX       (sizeof INVALID_REPLY TERMINATOR - 1) /* the most one byte brings */

enum state {
    START, /* no byte of a request yet */
    T,
    TI,
    TIM,
    TIME,    /* so much of TIME */
    TIME_CR, /* ... and what may be half its terminator */
    Q,
    QU,
    QUI,
    QUIT,
    QUIT_CR,
    INVALID, /* neither, whatever follows */
    OWED,    /* a tail was answered, its terminator has not come */
    OWED_CR, /* ... but what may be half of it */
    CLOSED,  /* QUIT was handled: nothing more is read or answered */
};

struct output {
    size_t length;
    char bytes[OUTPUT_SIZE];
};

struct protocol {
    enum state state;
    const char *time_reply; /* TIME_REPLY_SIZE bytes, kept right by the owner */
    uint64_t requests;      /* handled; of those ... */
    uint64_t invalid;       /* ... were invalid */

    /* For a transcript; NULL for none. Called for each request, before its reply is
       queued; of an invalid request it gets the first bytes, and for QUIT no reply. */
    void (*handled)(void *context, const char *request, size_t length, const char *reply);
    void *context;
    size_t excerpt_length;
    char excerpt[EXCERPT_SIZE];
};

/* The state after a byte that is not LF. */
static enum state protocol_next(enum state state, char byte)
{
    switch (state) {
    case START: return byte == 'T' ? T : byte == 'Q' ? Q : INVALID;
    case T: return byte == 'I' ? TI : INVALID;
    case TI: return byte == 'M' ? TIM : INVALID;
    case TIM: return byte == 'E' ? TIME : INVALID;
    case TIME: return byte == '\r' ? TIME_CR : INVALID;
    case Q: return byte == 'U' ? QU : INVALID;
    case QU: return byte == 'I' ? QUI : INVALID;
    case QUI: return byte == 'T' ? QUIT : INVALID;
    case QUIT: return byte == '\r' ? QUIT_CR : INVALID;
    case OWED: return byte == '\r' ? OWED_CR : protocol_next(START, byte);
    case CLOSED: return CLOSED;
    case TIME_CR:
    case QUIT_CR:
    case INVALID:
    case OWED_CR: break;
    }
    return INVALID;
}

/* What a state says of the request it stands for, once that has ended. */
static enum state protocol_request(enum state state)
{
    switch (state) {
    case TIME:
    case TIME_CR: return TIME;
    case QUIT:
    case QUIT_CR: return QUIT;
    default: return INVALID;
    }
}

/* The caller keeps REPLY_MAX bytes of room. */
static void output_add(struct output *out, const char *bytes, size_t length)
{
    memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

/* Remember the first bytes of the current request, for the transcript. */
static void protocol_remember(struct protocol *p, char byte)
{
    if (p->state == START)
        p->excerpt_length = 0;
    if (p->excerpt_length < EXCERPT_SIZE)
        p->excerpt[p->excerpt_length++] = byte;
}

/* Tell the transcript of a request and the reply it is about to get. */
static void protocol_report(struct protocol *p, enum state request, const char *reply,
                            bool terminated)
{
    size_t length = p->excerpt_length;
    if (request != INVALID)
        length = sizeof "TIME" - 1; /* as long as QUIT: what follows is the terminator */
    else if (terminated && length > 0 && p->excerpt[length - 1] == '\r')
        length--;
    p->handled(p->context, p->excerpt, length, reply);
    p->excerpt_length = 0;
}

/* Handle the current request. Without its terminator, the reply's is owed. */
static void protocol_answer(struct protocol *p, struct output *out, bool terminated)
{
    enum state request = protocol_request(p->state);
    const char *reply = request == TIME ? p->time_reply : INVALID_REPLY;

    if (p->handled)
        protocol_report(p, request, request == QUIT ? NULL : reply, terminated);
    p->requests++;
    if (request == QUIT) {
        p->state = CLOSED;
        return;
    }
    if (request == INVALID)
        p->invalid++;
    p->state = terminated ? START : OWED;
    output_add(out, reply, strlen(reply));
    if (terminated)
        output_add(out, TERMINATOR, sizeof TERMINATOR - 1);
}

static void protocol_byte(struct protocol *p, struct output *out, char byte)
{
    if (p->handled && byte != '\n')
        protocol_remember(p, byte);
    if (byte != '\n') {
        p->state = protocol_next(p->state, byte);
    } else if (p->state == OWED || p->state == OWED_CR) {
        output_add(out, TERMINATOR, sizeof TERMINATOR - 1);
        p->state = START;
    } else {
        protocol_answer(p, out, true);
    }
}

/*
 * The short way for what nearly all clients send: TIME CR LF, whole, again and again. It
 * does what protocol_byte does with these bytes. The caller keeps REPLY_MAX bytes of
 * room. Returns how many bytes were taken. How many requests there can be is reckoned
 * first, so that the loop looks at nothing but the input.
 */
static size_t protocol_times(struct protocol *p, struct output *out, const char *input,
                             size_t length)
{
    static const char request[] = "TIME" TERMINATOR;
    const size_t size = sizeof request - 1;
    char reply[TIME_REPLY_SIZE + sizeof TERMINATOR - 1];
    size_t room = (OUTPUT_SIZE - REPLY_MAX - out->length) / sizeof reply;
    size_t most = length / size < room ? length / size : room;
    size_t count = 0;

    if (p->state != START || p->handled)
        return 0;
    memcpy(reply, p->time_reply, TIME_REPLY_SIZE);
    memcpy(reply + TIME_REPLY_SIZE, TERMINATOR, sizeof TERMINATOR - 1);
    char *end = out->bytes + out->length;
    while (count < most && memcmp(input + count * size, request, size) == 0)
        memcpy(end + count++ * sizeof reply, reply, sizeof reply);
    out->length += count * sizeof reply;
    p->requests += count;
    return count * size;
}

/*
 * Take input until it ends, the output is full, or QUIT was handled. Returns how many
 * bytes were taken; replies are added to out. With a transcript one reply is all it
 * takes: that may be slow, and the owner has more to look after.
 */
static size_t protocol_feed(struct protocol *p, struct output *out, const char *input,
                            size_t length)
{
    const size_t full = p->handled ? 1 : OUTPUT_SIZE - REPLY_MAX + 1;
    size_t taken = 0;
    while (taken < length && p->state != CLOSED && out->length < full) {
        size_t times = protocol_times(p, out, input + taken, length - taken);
        if (times == 0)
            protocol_byte(p, out, input[taken++]);
        taken += times;
    }
    return taken;
}

/* How long the peer may be silent, in nanoseconds, before protocol_tail is due. */
static int64_t protocol_patience(const struct protocol *p)
{
    switch (p->state) {
    case START:
    case OWED:
    case OWED_CR: /* its LF may still come, and nothing is due to the peer before */
    case CLOSED: return FOREVER;
    case TIME:
    case QUIT: return 0;
    default: return TAIL_SILENCE;
    }
}

/*
 * The peer fell silent for that long, or its input has ended: handle the tail, if any. At
 * the end of input a CR last in it was no terminator.
 */
static void protocol_tail(struct protocol *p, struct output *out, bool ended)
{
    if (ended && (p->state == TIME_CR || p->state == QUIT_CR || p->state == OWED_CR))
        p->state = INVALID;
    if (protocol_patience(p) != FOREVER)
        protocol_answer(p, out, false);
}

/*
 * ---- Clock: the reply to TIME, and time spans -------------------------------------
 */

struct clock {
    bool utc;
    time_t second; /* which reply tells; -1 before the first */
    char reply[TIME_REPLY_SIZE + 1];
};

/* Load the time zone (TZ, else /etc/localtime), once: nothing is opened later. */
static void clock_init(struct clock *clock, bool utc)
{
    tzset();
    *clock = (struct clock){.utc = utc, .second = -1, .reply = "JAM hh:mm:ss"};
}

static void clock_digits(char digits[2], int value)
{
    digits[0] = (char)('0' + value / 10);
    digits[1] = (char)('0' + value % 10);
}

/* Bring the reply up to date. */
static void clock_read(struct clock *clock)
{
    struct timespec now = {0};
    struct tm parts = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec == clock->second)
        return;
    clock->second = now.tv_sec;
    if (clock->utc)
        gmtime_r(&now.tv_sec, &parts);
    else
        localtime_r(&now.tv_sec, &parts);
    clock_digits(clock->reply + sizeof "JAM", parts.tm_hour);
    clock_digits(clock->reply + sizeof "JAM hh", parts.tm_min);
    clock_digits(clock->reply + sizeof "JAM hh:mm", parts.tm_sec);
}

/* A time that only moves forward, in nanoseconds. */
static int64_t monotonic_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

/*
 * What is left until a deadline, for poll(2): milliseconds, rounded up; at most 24 days;
 * -1 when there is no deadline.
 */
static int time_left(int64_t now, int64_t deadline)
{
    if (deadline == FOREVER)
        return -1;
    int64_t span = (deadline - now + MILLISECOND - 1) / MILLISECOND;
    if (span < 0)
        return 0;
    return span < INT_MAX ? (int)span : INT_MAX;
}

/*
 * ---- Connection: from the first byte to the FIN -----------------------------------
 *
 * On standard input and output: a TCP socket, a socketpair, pipes, files, a terminal.
 * These may be shared with other processes, so their O_NONBLOCK is left as found: a read
 * comes after poll, a write asks for what a socket or pipe with room takes at once. (A
 * terminal may say that it has room, and block: it is for people, who read.)
 */

enum ending {
    OPEN,
    BY_QUIT,
    BY_EOF,
    IDLE,       /* the peer sent nothing for the time limit */
    STALLED,    /* the peer took nothing for the time limit */
    RESET,      /* the peer is gone */
    TERMINATED, /* a signal told us to end */
    REFUSED,    /* a proxy's header was due and did not come, -p */
    FAULT,      /* the system failed us: failed_call, failed_errno */
};

struct connection {
    struct protocol protocol;
    struct clock clock;
    enum ending ending;
    const char *failed_call;
    int failed_errno;
    mode_t mode[2];   /* what standard input and output are, inode(7) */
    int signals;      /* signalfd(2); -1 once a signal has come */
    int64_t limit;    /* without a byte read or written, nanoseconds or FOREVER */
    int64_t deadline; /* after a signal: when all must be over, else FOREVER */
    int64_t started;
    uint64_t received; /* bytes, without what is drained */
    uint64_t sent;
    struct output output;
    size_t buffered; /* bytes of input that came with a proxy's header, unanswered */
    char input[INPUT_SIZE];
};

enum wake { READY, TIMED_OUT, SIGNALLED, FAILED };

/* A call failed that no peer can make fail. */
static void connection_fault(struct connection *c, const char *call)
{
    c->ending = FAULT;
    c->failed_call = call;
    c->failed_errno = errno;
}

/*
 * A read or write of fd failed: by the peer or the network, or by us? On a socket nearly
 * every errno is theirs (tcp(7) passes ICMP errors on); a terminal that hangs up gives
 * EIO.
 */
static void connection_broken(struct connection *c, int fd, const char *call)
{
    bool ours = true;

    if (S_ISSOCK(c->mode[fd]))
        ours = errno == EBADF || errno == EFAULT || errno == EINVAL || errno == ENOMEM ||
               errno == ENOBUFS;
    else if (S_ISCHR(c->mode[fd]))
        ours = errno != EIO;
    if (ours && errno != EPIPE)
        connection_fault(c, call);
    else
        c->ending = RESET;
}

/*
 * Signals become readable input, so that they are seen wherever we wait and nowhere else.
 * All are blocked: a blocked signal is kept even if our parent ignored it, and a write to
 * a peer that is gone fails with EPIPE, without a SIGPIPE. To be called before all else.
 */
static void signals_block(sigset_t *caught)
{
    sigset_t blocked;

    sigemptyset(caught);
    sigaddset(caught, SIGTERM);
    sigaddset(caught, SIGINT);
    sigaddset(caught, SIGHUP);
    blocked = *caught;
    sigaddset(&blocked, SIGPIPE);
    sigprocmask(SIG_SETMASK, &blocked, NULL); /* fails for a wrong argument alone */
}

/* Where it is a socket; of what other kind it is, there is nothing to be set. */
static void connection_socket_options(void)
{
    const int on = 1;

    /* An urgent byte is a byte like others, RFC 6093: on AF_UNIX poll(2) would see one
       that read(2) passes over, to wait for the next. */
    setsockopt(STDIN_FILENO, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    /* A reply does not wait for the peer to acknowledge the one before, tcp(7). */
    setsockopt(STDOUT_FILENO, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Wait until fd is ready for events, for patience nanoseconds at most, or a signal. */
static enum wake connection_wait(struct connection *c, int fd, short events,
                                 int64_t patience)
{
    int64_t now = monotonic_now();
    int64_t end = patience == FOREVER ? FOREVER : now + patience;
    if (end > c->deadline)
        end = c->deadline;

    for (;; now = monotonic_now()) {
        struct pollfd polled[] = {{.fd = fd, .events = events},
                                  {.fd = c->signals, .events = POLLIN}};
        int ready = poll(polled, 2, time_left(now, end));

        if (ready < 0 && errno != EINTR) {
            connection_fault(c, "poll");
            return FAILED;
        }
        if (ready == 0 && monotonic_now() >= end)
            return TIMED_OUT;
        if (ready > 0 && polled[1].revents != 0) {
            c->signals = -1; /* poll(2) passes over it */
            c->deadline = monotonic_now() + GRACE;
            return SIGNALLED;
        }
        if (ready > 0)
            return READY;
    }
}

/* Write what standard output takes without blocking; like write(2), EAGAIN for none. */
static ssize_t connection_write(const struct connection *c, const char *bytes,
                                size_t length)
{
    if (S_ISSOCK(c->mode[STDOUT_FILENO]))
        return send(STDOUT_FILENO, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    /* A pipe with any room takes PIPE_BUF bytes at once, pipe(7). */
    return write(STDOUT_FILENO, bytes, length < PIPE_BUF ? length : PIPE_BUF);
}

static void connection_await_room(struct connection *c)
{
    enum wake wake = connection_wait(c, STDOUT_FILENO, POLLOUT, c->limit);

    if (wake == TIMED_OUT)
        c->ending = c->deadline == FOREVER ? STALLED : TERMINATED;
    /* After a signal, what is due still goes out until the deadline. */
}

/* Send all replies queued so far, or set how the connection ends. */
static void connection_flush(struct connection *c)
{
    size_t done = 0;
    while (done < c->output.length && c->ending == OPEN) {
        ssize_t n = connection_write(c, c->output.bytes + done, c->output.length - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            connection_await_room(c);
        else if (errno != EINTR)
            connection_broken(c, STDOUT_FILENO, "write");
    }
    c->sent += done;
    c->output.length = 0;
    if (c->ending == OPEN && c->protocol.state == CLOSED)
        c->ending = BY_QUIT;
}

/* Answer one read's worth of requests; those after QUIT, or a signal, get no reply. */
static void connection_batch(struct connection *c, size_t length)
{
    size_t taken = 0;
    while (taken < length && c->ending == OPEN) {
        clock_read(&c->clock); /* anew: to flush may have taken long */
        taken +=
            protocol_feed(&c->protocol, &c->output, c->input + taken, length - taken);
        connection_flush(c);
        if (c->protocol.handled && connection_wait(c, -1, 0, 0) == SIGNALLED)
            break;
    }
    c->received += taken;
}

static void connection_tail(struct connection *c, bool ended)
{
    clock_read(&c->clock);
    protocol_tail(&c->protocol, &c->output, ended);
    connection_flush(c);
}

static void connection_read(struct connection *c)
{
    ssize_t n = read(STDIN_FILENO, c->input, sizeof c->input);
    if (n > 0) {
        connection_batch(c, (size_t)n);
    } else if (n == 0) {
        connection_tail(c, true);
        if (c->ending == OPEN)
            c->ending = BY_EOF;
    } else if (errno != EAGAIN && errno != EINTR) {
        connection_broken(c, STDIN_FILENO, "read");
    }
}

/* A signal came before the look whether the terminator of TIME or QUIT is there, too. */
static void connection_last_tail(struct connection *c)
{
    if (connection_wait(c, STDIN_FILENO, POLLIN, 0) == READY)
        connection_read(c);
    if (c->ending == OPEN && protocol_patience(&c->protocol) == 0)
        connection_tail(c, false);
}

/* Hold the conversation; afterwards c->ending says how it ended. */
static void connection_serve(struct connection *c)
{
    if (c->buffered > 0)
        connection_batch(c, c->buffered);
    while (c->ending == OPEN && c->deadline == FOREVER) {
        int64_t patience = protocol_patience(&c->protocol);
        bool tail = patience != FOREVER;

        switch (connection_wait(c, STDIN_FILENO, POLLIN, tail ? patience : c->limit)) {
        case READY: connection_read(c); break;
        case TIMED_OUT:
            if (tail)
                connection_tail(c, false);
            else
                c->ending = IDLE;
            break;
        case SIGNALLED:
            if (patience == 0) /* a whole request was read: its reply is due */
                connection_last_tail(c);
            break;
        case FAILED: break;
        }
    }
    if (c->ending == OPEN)
        c->ending = TERMINATED;
}

/*
 * Send our FIN, then drain the peer's input until its FIN: to close a socket with unread
 * input sends RST (RFC 2525, 2.17), and that would destroy replies in flight.
 */
static void connection_close(struct connection *c)
{
    if (shutdown(STDOUT_FILENO, SHUT_WR) < 0)
        return; /* not a socket, or the peer is gone: nothing to drain for */
    if (c->ending != BY_QUIT && c->ending != BY_EOF && c->ending != TERMINATED)
        return;

    int64_t end = monotonic_now() + DRAIN_LIMIT;
    size_t room = DRAIN_BYTES;
    while (room > 0) {
        enum wake wake = connection_wait(c, STDIN_FILENO, POLLIN, end - monotonic_now());
        if (wake == SIGNALLED)
            continue; /* and have less time left */
        if (wake != READY)
            return;
        ssize_t n = read(STDIN_FILENO, c->input, room < INPUT_SIZE ? room : INPUT_SIZE);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
        if (n > 0)
            room -= (size_t)n;
    }
}

/*
 * ---- Text: built piece by piece, cut where its room ends --------------------------
 *
 * Not by printf(3): that takes longer than all the rest of a short conversation.
 */

struct text {
    size_t length;
    char bytes[TEXT_SIZE];
};

static void text_bytes(struct text *t, const char *bytes, size_t length)
{
    size_t room = TEXT_SIZE - t->length;
    if (length > room)
        length = room;
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
}

static void text_string(struct text *t, const char *string)
{
    text_bytes(t, string, strlen(string));
}

/* A number in decimal, with zeros in front where it has fewer digits than that. */
static void text_number(struct text *t, uint64_t value, int digits)
{
    char room[sizeof "18446744073709551615"];
    char *first = room + sizeof room;

    for (; value != 0 || digits > 0; digits--) {
        *--first = (char)('0' + value % 10);
        value /= 10;
    }
    text_bytes(t, first, (size_t)(room + sizeof room - first));
}

/*
 * Bytes from outside, made harmless: what is not printable ASCII becomes \xHH. So does a
 * blank, which would end a field's value, unless blanks are allowed.
 */
static void text_escaped(struct text *t, const char *bytes, size_t length, bool blanks)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        const char hex[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        bool plain = byte > (blanks ? ' ' - 1 : ' ') && byte <= '~' && byte != '\\';
        text_bytes(t, plain ? bytes + i : hex, plain ? 1 : sizeof hex);
    }
}

/*
 * ---- Supervisor: who started us, what we were given, who the peer is --------------
 */

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>

/* The connection: the descriptor passed by sd_listen_fds(3), or standard input. */
static int supervisor_descriptor(void)
{
    int passed = sd_listen_fds(1);
    return passed > 0 || passed == -EBADF ? SD_LISTEN_FDS_START : STDIN_FILENO;
}

/* Standard input is a socket that still waits for connections. */
static bool supervisor_passed_listener(void)
{
    return sd_is_socket(STDIN_FILENO, AF_UNSPEC, 0, 1) > 0;
}

#else /* without libsystemd: the same, by hand */

static int supervisor_descriptor(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    bool passed =
        pid && count && strtol(pid, NULL, 10) == getpid() && strtol(count, NULL, 10) > 0;
    return passed ? STDERR_FILENO + 1 : STDIN_FILENO;
}

static bool supervisor_passed_listener(void)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
           listening;
}

#endif

/* Bring the connection to standard input and output, and close all else we inherited. */
static void supervisor_take_connection(void)
{
    int fd = supervisor_descriptor();

    /* A descriptor promised but not open leaves us none: see launch_misuse. */
    if (fd != STDIN_FILENO && (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0))
        close(STDIN_FILENO);
    /* close_range(2) by number: musl has no wrapper. Before Linux 5.9 leaks stay open,
       which costs nothing but a descriptor. */
    syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
}

/* What descriptors 0 to 2 are. */
struct launch {
    bool open[3];
    struct stat file[3];
};

static void launch_look(struct launch *l)
{
    *l = (struct launch){0};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        l->open[fd] = fstat(fd, &l->file[fd]) == 0;
}

/* Standard error, which is open, leads where fd does. */
static bool launch_stderr_is(const struct launch *l, int fd)
{
    const struct stat *error = &l->file[STDERR_FILENO];
    return l->open[fd] && l->file[fd].st_dev == error->st_dev &&
           l->file[fd].st_ino == error->st_ino;
}

/* Standard error is the peer's, as under inetd(8). A terminal's peer is at home. */
static bool launch_stderr_is_peer(const struct launch *l)
{
    return (launch_stderr_is(l, STDIN_FILENO) || launch_stderr_is(l, STDOUT_FILENO)) &&
           !isatty(STDERR_FILENO);
}

/* Standard error leads to journald: $JOURNAL_STREAM, systemd.exec(5). */
static bool launch_stderr_is_journal(const struct launch *l)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[2 * sizeof "18446744073709551615"];

    if (!stream || !l->open[STDERR_FILENO])
        return false;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)l->file[STDERR_FILENO].st_dev,
             (uintmax_t)l->file[STDERR_FILENO].st_ino);
    return strcmp(stream, ours) == 0;
}

/* Why there is no conversation to be had, and what to change; NULL if there is. */
static const char *launch_misuse(const struct launch *l)
{
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;

    if (!l->open[STDIN_FILENO] || !l->open[STDOUT_FILENO])
        return "standard input or output is closed: run timesvc under a supervisor that "
               "passes a connection";
    if (!S_ISSOCK(l->file[STDIN_FILENO].st_mode))
        return NULL;
    if (supervisor_passed_listener())
        return "standard input is a listening socket: set Accept=yes (systemd), nowait "
               "(inetd), wait = no (xinetd)";
    if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
        type != SOCK_STREAM)
        return "standard input is not a stream socket: set ListenStream= (systemd), "
               "stream "
               "tcp (inetd), socket_type = stream (xinetd)";
    return NULL;
}

struct peer {
    char address[64];
    uint16_t port; /* 0 where there is none */
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
};

/* Name an internet peer; an IPv4-mapped address (RFC 4291, 2.5.5.2) is shown as IPv4. */
static bool peer_from_address(struct peer *peer, const union address *a)
{
    const struct in6_addr *v6 = &a->v6.sin6_addr;
    in_port_t port = a->v4.sin_port;

    if (a->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->v4.sin_addr, peer->address, sizeof peer->address);
    } else if (a->any.sa_family == AF_INET6) {
        if (IN6_IS_ADDR_V4MAPPED(v6))
            inet_ntop(AF_INET, &v6->s6_addr[12], peer->address, sizeof peer->address);
        else
            inet_ntop(AF_INET6, v6, peer->address, sizeof peer->address);
        port = a->v6.sin6_port;
    } else {
        return false;
    }
    peer->port = ntohs(port);
    return true;
}

/* Name the peer as supervisors do that pass no TCP socket. */
static bool peer_from_environment(struct peer *peer)
{
    static const struct {
        const char *address;
        const char *port;
    } names[] = {
        {"REMOTE_ADDR", "REMOTE_PORT"},           /* systemd */
        {"TCPREMOTEIP", "TCPREMOTEPORT"},         /* tcpserver, tcpsvd, s6-tcpserver */
        {"SOCAT_PEERADDR", "SOCAT_PEERPORT"},     /* socat */
        {"NCAT_REMOTE_ADDR", "NCAT_REMOTE_PORT"}, /* ncat */
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *address = getenv(names[i].address);
        const char *port = getenv(names[i].port);
        if (!address || !*address)
            continue;
        snprintf(peer->address, sizeof peer->address, "%s", address);
        long number = port ? strtol(port, NULL, 10) : 0;
        peer->port = number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
        return true;
    }
    return false;
}

static void peer_find(struct peer *peer)
{
    union address a = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof a;
    const char *kind = "local";

    *peer = (struct peer){0};
    if (getpeername(STDIN_FILENO, &a.any, &size) == 0) {
        if (peer_from_address(peer, &a))
            return;
        kind = a.any.sa_family == AF_UNIX    ? "unix"
               : a.any.sa_family == AF_VSOCK ? "vsock"
                                             : "unknown";
    } else if (errno == ENOTCONN) {
        kind = "unknown"; /* the peer was gone before we started */
    }
    if (!peer_from_environment(peer))
        snprintf(peer->address, sizeof peer->address, "%s", kind);
}

/*
 * ---- PROXY protocol: the peer, as a proxy in front of us names it -----------------
 *
 * Version 1, HAProxy's proxy-protocol.txt, 2.1: one line before all else. To read it is
 * pure; of its bytes none reaches the log, only what inet_ntop(3) makes of the address.
 */

#define PROXY_MAX 107 /* bytes, CR LF included */

/* A port in decimal, just as it would be printed: no sign, no zeros in front. */
static bool proxy_port(const char *text, in_port_t *port)
{
    char printed[sizeof "65535"];
    uint16_t value = (uint16_t)strtoul(text, NULL, 10);

    snprintf(printed, sizeof printed, "%u", value);
    *port = htons(value);
    return strcmp(printed, text) == 0;
}

/* Take the peer from "192.0.2.1 198.51.100.1 56324 443", unless that is malformed. */
static bool proxy_addresses(sa_family_t family, char *text, struct peer *peer)
{
    union address source = {.any.sa_family = family}, target;
    void *address = &source.v4.sin_addr;
    char *word[4];

    if (family == AF_INET6)
        address = &source.v6.sin6_addr;
    for (size_t i = 0; i < 4; i++)
        word[i] = strsep(&text, " ");
    /* v6.sin6_port is where v4.sin_port is. */
    return word[3] && !text && inet_pton(family, word[0], address) == 1 &&
           inet_pton(family, word[1], &target) == 1 &&
           proxy_port(word[2], &source.v4.sin_port) &&
           proxy_port(word[3], &target.v4.sin_port) && peer_from_address(peer, &source);
}

/*
 * Look for the header at the beginning of the bytes that have come. Returns its length,
 * with the peer, unless that is UNKNOWN; 0 while more has to come; -1 if it is none.
 * What it says of a beginning it says of the whole, once it is not 0.
 */
static ssize_t proxy_header(const char *bytes, size_t length, struct peer *peer)
{
    static const char opening[] = "PROXY ";
    const size_t opened = sizeof opening - 1;
    char line[PROXY_MAX];

    if (memcmp(bytes, opening, length < opened ? length : opened) != 0)
        return -1;
    const char *end = memchr(bytes, '\n', length < PROXY_MAX ? length : PROXY_MAX);
    if (!end)
        return length < PROXY_MAX ? 0 : -1;

    size_t size = (size_t)(end + 1 - bytes);
    memcpy(line, bytes, size);
    line[size - 2] = '\0';
    if (end[-1] != '\r' || strlen(line) != size - 2)
        return -1;
    char *text = line + opened;
    const char *family = strsep(&text, " ");
    bool valid = strcmp(family, "UNKNOWN") == 0 || /* whatever follows */
                 (strcmp(family, "TCP4") == 0 && proxy_addresses(AF_INET, text, peer)) ||
                 (strcmp(family, "TCP6") == 0 && proxy_addresses(AF_INET6, text, peer));
    return valid ? (ssize_t)size : -1;
}

/*
 * Before the conversation: read the header, which may change the peer, or refuse the
 * connection. What came after it is left in c->input, for connection_serve.
 */
static void connection_proxy_header(struct connection *c, struct peer *peer)
{
    int64_t limit = c->limit < PROXY_LIMIT ? c->limit : PROXY_LIMIT;
    int64_t end = monotonic_now() + limit;
    size_t length = 0;
    ssize_t header = 0;

    while (header == 0 && c->ending == OPEN && c->deadline == FOREVER) {
        enum wake wake = connection_wait(c, STDIN_FILENO, POLLIN, end - monotonic_now());
        if (wake == TIMED_OUT)
            header = -1;
        if (wake != READY)
            continue;
        ssize_t n = read(STDIN_FILENO, c->input + length, PROXY_MAX - length);
        if (n > 0) {
            length += (size_t)n;
            header = proxy_header(c->input, length, peer);
        } else if (n == 0) {
            header = -1;
        } else if (errno != EAGAIN && errno != EINTR) {
            connection_broken(c, STDIN_FILENO, "read");
        }
    }
    c->received = length;
    if (header < 0)
        c->ending = REFUSED;
    if (header > 0) {
        c->received = (size_t)header;
        c->buffered = length - (size_t)header;
        memmove(c->input, c->input + header, c->buffered);
    }
}

/*
 * ---- Log: one record a connection, never to the peer ------------------------------
 */

enum destination { AUTO, JOURNAL, SYSLOG, STDERR };
enum verbosity { QUIET, NORMAL, VERBOSE };
enum kind { CONNECTED, UNSANDBOXED, REQUEST, REPLY, ENDED, FAULTY };

static const struct {
    int priority;             /* syslog(3) */
    enum verbosity verbosity; /* the least with which it is logged */
    const char *name;
    const char *message_id; /* journald's, explained in timesvc.catalog */
} kinds[] = {
    [CONNECTED] = {LOG_INFO, VERBOSE, "connected", "013e1b6091724176b4dbeb4523aa31fa"},
    [UNSANDBOXED] = {LOG_WARNING, NORMAL, "unsandboxed",
                     "a59d029feb15406a86938b89970debf0"},
    [REQUEST] = {LOG_INFO, VERBOSE, "request", "a3f9af9125984bbda55990ac76f6d371"},
    [REPLY] = {LOG_INFO, VERBOSE, "reply", "f0f9c8bc1c844928b80221a3a4c96d68"},
    [ENDED] = {LOG_INFO, NORMAL, "ended", "c105066b50794c4f818e0a165c558908"},
    [FAULTY] = {LOG_ERR, QUIET, "fault", "d0231a46ed2d4e21bc7da588fc811aee"},
};

/* A log record: its text, "ended peer=192.0.2.1 ...", and where its fields are. */
#define FIELDS_MAX 8 /* as many as ENDED has */
struct record {
    enum kind kind;
    struct text text;
    size_t fields;
    size_t start[FIELDS_MAX]; /* of name=value in the text, up to a blank or the end */
};

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct log {
    enum destination to;
    enum verbosity verbosity;
    bool stderr_is_journal;
    bool stderr_is_free;     /* open, and not the peer's */
    int socket;              /* connected to the journal or to syslog, else -1 */
    bool stream;             /* ... and of type SOCK_STREAM */
    pid_t pid;               /* ours, as a record tells it */
    bool stuck;              /* it took no record for LOG_PATIENCE */
    const struct peer *peer; /* NULL until it is known */
};

/* Begin a field; what is added to the text from here on is its value. */
static void record_field(struct record *r, const char *name)
{
    text_string(&r->text, " ");
    r->start[r->fields++] = r->text.length;
    text_string(&r->text, name);
    text_string(&r->text, "=");
}

/* A value of ours. */
static void record_string(struct record *r, const char *name, const char *value)
{
    record_field(r, name);
    text_string(&r->text, value);
}

/* A value from outside. */
static void record_bytes(struct record *r, const char *name, const char *value,
                         size_t length)
{
    record_field(r, name);
    text_escaped(&r->text, value, length, false);
}

static void record_number(struct record *r, const char *name, uint64_t value)
{
    record_field(r, name);
    text_number(&r->text, value, 1);
}

/* Begin a record, to be filled and given to log_send. It lasts until the next begins. */
static struct record *record_begin(const struct log *log, enum kind kind)
{
    /* On the stack it would cost each idle connection a page. */
    static struct record record;
    struct record *r = &record;

    r->kind = kind;
    r->fields = 0;
    r->text.length = 0;
    text_string(&r->text, kinds[kind].name);
    if (log->peer)
        record_bytes(r, "peer", log->peer->address, strlen(log->peer->address));
    if (log->peer && log->peer->port != 0)
        record_number(r, "port", log->peer->port);
    return r;
}

/* "timesvc[pid]: ended ..." */
static void message_tagged(struct text *message, const struct log *log,
                           const struct record *r)
{
    text_string(message, "timesvc[");
    text_number(message, (uint64_t)log->pid, 1);
    text_string(message, "]: ");
    text_bytes(message, r->text.bytes, r->text.length);
}

/* Syslog's form, RFC 3164, 4.1. */
static void message_for_syslog(struct text *message, const struct log *log,
                               const struct record *r)
{
    struct timespec now = {0};
    struct tm parts = {0};
    char stamp[sizeof ">Mmm dd hh:mm:ss "] = "";

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof stamp, ">%b %e %H:%M:%S ", &parts);
    text_string(message, "<");
    text_number(message, (uint64_t)(LOG_DAEMON | kinds[r->kind].priority), 1);
    text_string(message, stamp);
    message_tagged(message, log, r);
}

/* A line of the journal's form: name in capitals, =, value, LF. */
static void message_field(struct text *message, const char *field, size_t length)
{
    const char *value = memchr(field, '=', length);

    text_string(message, "TIMESVC_");
    for (; field < value; field++, length--)
        text_bytes(message, &(char){(char)toupper((unsigned char)*field)}, 1);
    text_bytes(message, field, length);
    text_string(message, "\n");
}

/*
 * The journal's form, systemd.io/JOURNAL_NATIVE_PROTOCOL: a line for each field. No value
 * holds an LF: text_escaped sees to that, and ours have none.
 */
static void message_for_journal(struct text *message, const struct record *r)
{
    text_string(message, "SYSLOG_IDENTIFIER=timesvc\nMESSAGE_ID=");
    text_string(message, kinds[r->kind].message_id);
    text_string(message, "\nPRIORITY=");
    text_number(message, (uint64_t)kinds[r->kind].priority, 1);
    text_string(message, "\nMESSAGE=");
    text_bytes(message, r->text.bytes, r->text.length);
    text_string(message, "\n");
    for (size_t i = 0; i < r->fields; i++) {
        size_t end = i + 1 < r->fields ? r->start[i + 1] - 1 : r->text.length;
        message_field(message, r->text.bytes + r->start[i], end - r->start[i]);
    }
}

/* False where the journal or syslog did not take the record. */
static bool log_to_socket(const struct log *log, const struct record *r)
{
    struct text message;

    if (log->socket < 0)
        return false;
    message.length = 0;
    if (log->to == JOURNAL)
        message_for_journal(&message, r);
    else
        message_for_syslog(&message, log, r);
    if (log->stream)
        text_bytes(&message, "", 1); /* NUL ends a record, as syslog(3) has it */
    return send(log->socket, message.bytes, message.length, MSG_NOSIGNAL) >= 0;
}

/* One line, in one write. journald takes a priority before it, sd-daemon(3). */
static void log_to_stderr(const struct log *log, const struct record *r)
{
    struct text line;

    line.length = 0;
    if (log->stderr_is_journal) {
        text_string(&line, "<");
        text_number(&line, (uint64_t)kinds[r->kind].priority, 1);
        text_string(&line, ">");
        text_bytes(&line, r->text.bytes, r->text.length);
    } else {
        message_tagged(&line, log, r);
    }
    text_string(&line, "\n");
    if (write(STDERR_FILENO, line.bytes, line.length) < 0)
        return; /* no place is left to complain in */
}

/* Interrupt, again and again, what blocks for so long (nanoseconds); 0 ends that. */
static void log_interrupt_after(int64_t span)
{
    struct timeval every = {.tv_usec = (suseconds_t)(span / 1000)};
    struct itimerval timer = {.it_interval = every, .it_value = every};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void log_interrupted(int signal)
{
    (void)signal; /* that the call fails with EINTR is all there is to it */
}

/*
 * Log a record, or lose it where the log takes none for LOG_PATIENCE: the peer is not to
 * wait for our log. Of a log that did so once, only the last record is asked again.
 */
static void log_send(struct log *log, const struct record *r)
{
    if (log->verbosity < kinds[r->kind].verbosity ||
        (log->stuck && r->kind != ENDED && r->kind != FAULTY))
        return;
    int64_t began = monotonic_now();
    log_interrupt_after(LOG_PATIENCE);
    if (!log_to_socket(log, r) && log->stderr_is_free)
        log_to_stderr(log, r);
    log_interrupt_after(0);
    log->stuck = monotonic_now() - began >= LOG_PATIENCE;
}

/* Choose where records go: the wish, as far as it does not lead to the peer. */
static void log_direct(struct log *log, enum destination wish)
{
    log->to = wish;
    if (wish == AUTO && log->stderr_is_journal)
        log->to = JOURNAL;
    else if (wish == AUTO || (wish == STDERR && !log->stderr_is_free))
        log->to = log->stderr_is_free ? STDERR : SYSLOG;
}

/* A socket connected to a path, or -1 and errno. */
static int log_connect(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, path, strlen(path)); /* one of ours: it is short */
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/*
 * Not by syslog(3) or sd_journal_send(3): these open their sockets with the first record,
 * or anew after an error, which the sandbox forbids.
 */
static void log_open(struct log *log, const struct launch *launch, enum destination wish,
                     enum verbosity verbosity)
{
    *log = (struct log){.verbosity = verbosity, .socket = -1, .pid = getpid()};
    log->stderr_is_journal = launch_stderr_is_journal(launch);
    log->stderr_is_free = launch->open[STDERR_FILENO] && !launch_stderr_is_peer(launch);
    log_direct(log, wish);
    if (log->to == JOURNAL) {
        log->socket = log_connect(JOURNAL_SOCKET, SOCK_DGRAM);
        if (log->socket < 0 && !log->stderr_is_journal)
            log->to = SYSLOG;
    }
    if (log->to == SYSLOG) {
        log->socket = log_connect(_PATH_LOG, SOCK_DGRAM);
        log->stream = log->socket < 0 && errno == EPROTOTYPE;
        if (log->stream) /* not to wait for a syslogd that does not accept */
            log->socket = log_connect(_PATH_LOG, SOCK_STREAM | SOCK_NONBLOCK);
    }
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = log_interrupted}, NULL);
}

/* A fault of ours, or of whoever configured us. */
static void log_fault(struct log *log, const char *what, const char *why)
{
    struct record *r = record_begin(log, FAULTY);
    record_string(r, "reason", what);
    if (*why)
        text_string(&r->text, ": ");
    text_escaped(&r->text, why, strnlen(why, REASON_SIZE), true);
    log_send(log, r);
}

/* The kernel, or an architecture that we do not know, has no sandbox for us. */
static void log_unsandboxed(struct log *log, const char *why)
{
    struct record *r = record_begin(log, UNSANDBOXED);
    record_string(r, "reason", why);
    log_send(log, r);
}

/* The transcript, a protocol's handled function. context is the log. */
static void log_handled(void *context, const char *request, size_t length,
                        const char *reply)
{
    struct log *log = context;
    struct record *r = record_begin(log, REQUEST);
    record_bytes(r, "request", request, length);
    log_send(log, r);
    if (!reply)
        return;
    r = record_begin(log, REPLY);
    record_string(r, "reply", reply);
    log_send(log, r);
}

/* The one record of a connection, and the fault if that is how it ended. */
static void log_ended(struct log *log, const struct connection *c)
{
    static const char *const endings[] = {
        [OPEN] = "open",   [BY_QUIT] = "quit",          [BY_EOF] = "eof",
        [IDLE] = "idle",   [STALLED] = "stalled",       [RESET] = "reset",
        [FAULT] = "fault", [TERMINATED] = "terminated", [REFUSED] = "refused",
    };
    uint64_t span = (uint64_t)((monotonic_now() - c->started) / MILLISECOND);

    struct record *r = record_begin(log, ENDED);
    record_string(r, "end", endings[c->ending]);
    record_number(r, "requests", c->protocol.requests);
    record_number(r, "invalid", c->protocol.invalid);
    record_number(r, "received", c->received);
    record_number(r, "sent", c->sent);
    record_number(r, "seconds", span / 1000);
    text_string(&r->text, ".");
    text_number(&r->text, span % 1000, 3);
    log_send(log, r);
    if (c->ending == FAULT)
        log_fault(log, c->failed_call, strerror(c->failed_errno));
}

/*
 * ---- Sandbox: the system calls that a conversation needs, and no other ------------
 *
 * A seccomp(2) filter, in the manner of OpenSSH's sandbox-seccomp-filter.c. Whatever else
 * is called ends the process with SIGSYS. All that is opened is opened before.
 */

enum sandbox { WHERE_POSSIBLE, REQUIRED, OFF };

/* Numbers of system calls mean something on their own architecture alone. Those of the
   x32 ABI, which shares x86-64's, have bit 30 set and so equal none of ours. */
#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined __ARMEL__
#define ARCHITECTURE AUDIT_ARCH_ARM
#elif defined __i386__
#define ARCHITECTURE AUDIT_ARCH_I386
#else
#define ARCHITECTURE 0 /* none that this filter was written for */
#endif

#define LOAD(offset)              BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))
#define RETURN(action)            BPF_STMT(BPF_RET | BPF_K, (action))
#define ALLOW(number)             SKIP_UNLESS(number, 1), RETURN(SECCOMP_RET_ALLOW)
#define ARGUMENT(n)               offsetof(struct seccomp_data, args[n])

static const struct sock_filter sandbox_filter[] = {
    /* Linux tries a new filter out for each of its 450 calls, under a lock, until it
       looks at an argument: so this looks at one, which makes the start of a process
       cheaper. */
    LOAD(ARGUMENT(0)),
    LOAD(offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(offsetof(struct seccomp_data, nr)),

    ALLOW(SYS_read),
    ALLOW(SYS_write),         /* where the peer is a pipe; the log */
    ALLOW(SYS_clock_gettime), /* where vdso(7) has none */
    ALLOW(SYS_setitimer),     /* log_interrupt_after */
    ALLOW(SYS_rt_sigreturn),  /* log_interrupted */
    ALLOW(SYS_shutdown),
    ALLOW(SYS_exit_group),

/* What only some architectures, 32-bit ones above all, have or need. */
#ifdef SYS_poll
    ALLOW(SYS_poll),
    ALLOW(SYS_restart_syscall), /* poll behind a SIGSTOP, signal(7) */
#else
    ALLOW(SYS_ppoll),
#endif
#ifdef SYS_clock_gettime64
    ALLOW(SYS_clock_gettime64),
#endif
#ifdef SYS_sigreturn
    ALLOW(SYS_sigreturn),
#endif
#ifdef SYS_socketcall /* i386: how glibc calls send and shutdown, socketcall(2) */
    SKIP_UNLESS(SYS_socketcall, 6),
    LOAD(ARGUMENT(0)),
    ALLOW(SYS_SEND),
    ALLOW(SYS_SHUTDOWN),
    RETURN(SECCOMP_RET_KILL_PROCESS),
#endif

    /* To the peer and to the log, both connected: no address, in neither half. */
    SKIP_UNLESS(SYS_sendto, 5),
    LOAD(ARGUMENT(4)),
    SKIP_UNLESS(0, 3),
    LOAD(ARGUMENT(4) + sizeof(uint32_t)),
    SKIP_UNLESS(0, 1),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_KILL_PROCESS),
};

/* For good. False, with errno, where that cannot be had. */
static bool sandbox_enter(void)
{
    const struct sock_fprog program = {
        .len = sizeof sandbox_filter / sizeof sandbox_filter[0],
        .filter = (struct sock_filter *)sandbox_filter, /* which is read only */
    };

    if (ARCHITECTURE == 0) {
        errno = ENOSYS;
        return false;
    }
    /* seccomp(2) by number: no libc has a wrapper. */
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/*
 * ---- Options ----------------------------------------------------------------------
 */

#define ARGUMENTS_MAX 32

struct options {
    int64_t limit; /* nanoseconds, or FOREVER */
    bool proxy;
    bool utc;
    bool help;
    bool version;
    enum verbosity verbosity;
    int log;     /* enum destination */
    int sandbox; /* enum sandbox */
};

static const char usage[] =
    "usage: timesvc [-hpquvV] [-l auto|journal|syslog|stderr] [-s auto|required|off]\n"
    "               [-t seconds]\n"
    "Tell the time on standard input and output, for a supervisor that accepts "
    "connections.\n"
    "\n"
    "  -l, --log=WHERE       log to the journal, syslog or stderr (auto: what is there)\n"
    "  -p, --proxy           expect a header of the PROXY protocol, version 1, first\n"
    "  -q, --quiet           log faults only\n"
    "  -s, --sandbox=WHEN    confine itself: required, or off (auto: if possible)\n"
    "  -t, --timeout=SECONDS close after so long without a byte (3600; 0 = never)\n"
    "  -u, --utc             tell UTC, not local time\n"
    "  -v, --verbose         log every request and reply\n"
    "  -h, --help            print this and exit\n"
    "  -V, --version         print the version and exit\n";

/* Whole seconds, up to 68 years; 0 is forever. */
static bool options_seconds(const char *text, int64_t *limit)
{
    char *end = NULL;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || seconds > INT32_MAX)
        return false;
    *limit = seconds == 0 ? FOREVER : seconds * SECOND;
    return true;
}

/* One of some words, the last of which is NULL; its index becomes the choice. */
static bool options_choose(const char *text, const char *const *words, int *choice)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *choice = i;
            return true;
        }
    }
    return false;
}

/* Take one option, as getopt_long gave it. False if it is none of ours, or misused. */
static bool options_take(struct options *o, int option)
{
    static const char *const logs[] = {[AUTO] = "auto",
                                       [JOURNAL] = "journal",
                                       [SYSLOG] = "syslog",
                                       [STDERR] = "stderr",
                                       NULL};
    static const char *const sandboxes[] = {
        [WHERE_POSSIBLE] = "auto", [REQUIRED] = "required", [OFF] = "off", NULL};

    switch (option) {
    case 'h': o->help = true; return true;
    case 'l': return options_choose(optarg, logs, &o->log);
    case 'p': o->proxy = true; return true;
    case 'q': o->verbosity = QUIET; return true;
    case 's': return options_choose(optarg, sandboxes, &o->sandbox);
    case 't': return options_seconds(optarg, &o->limit);
    case 'u': o->utc = true; return true;
    case 'v': o->verbosity = VERBOSE; return true;
    case 'V': o->version = true; return true;
    default: return false;
    }
}

/*
 * Read the command line. Returns NULL, or the word that is wrong. An inetd.conf(5) may
 * lack argv[0], so that the first option stands in its place, or may have no arguments at
 * all.
 */
static const char *options_read(struct options *o, int argc, char **argv,
                                const struct launch *launch)
{
    static const struct option names[] = {
        {"help", no_argument, NULL, 'h'},
        {"log", required_argument, NULL, 'l'},
        {"proxy", no_argument, NULL, 'p'},
        {"quiet", no_argument, NULL, 'q'},
        {"sandbox", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'},
        {"utc", no_argument, NULL, 'u'},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    char program[] = "timesvc";
    char *words[ARGUMENTS_MAX + 2] = {program};
    int count = 1;

    *o = (struct options){.limit = TIME_LIMIT, .verbosity = NORMAL};
    for (int i = argc > 0 && argv[0][0] == '-' ? 0 : 1; i < argc; i++) {
        if (count > ARGUMENTS_MAX)
            return argv[i];
        words[count++] = argv[i];
    }
    opterr = 0; /* getopt would tell the peer */
    for (;;) {
        int at = optind;
        int option = getopt_long(count, words, "+hl:pqs:t:uvV", names, NULL);
        if (option == -1)
            break;
        if (!options_take(o, option))
            return words[at];
    }
    if ((o->help || o->version) && S_ISSOCK(launch->file[STDOUT_FILENO].st_mode))
        return "--help and --version are not for a peer";
    return optind < count ? words[optind] : NULL;
}

/* --help and --version, for whoever asked on a terminal or through a pipe. */
static int options_print(const struct options *o)
{
    bool printed = fputs(o->help ? usage : "timesvc " TIMESVC_VERSION "\n", stdout) >= 0;
    return printed && fflush(stdout) == 0 ? EX_OK : EX_OSERR;
}

/*
 * ---- Main -------------------------------------------------------------------------
 */

static void connection_init(struct connection *c, const struct options *o,
                            const struct launch *launch, const sigset_t *caught,
                            struct log *log)
{
    c->protocol.time_reply = c->clock.reply;
    c->protocol.handled = o->verbosity == VERBOSE ? log_handled : NULL;
    c->protocol.context = log;
    c->mode[STDIN_FILENO] = launch->file[STDIN_FILENO].st_mode;
    c->mode[STDOUT_FILENO] = launch->file[STDOUT_FILENO].st_mode;
    c->limit = o->limit;
    c->deadline = FOREVER;
    c->started = monotonic_now();
    clock_init(&c->clock, o->utc);
    connection_socket_options();
    c->signals = signalfd(-1, caught, SFD_CLOEXEC);
    if (c->signals < 0)
        connection_fault(c, "signalfd");
}

/* Enter the sandbox, as the option has it; without it the connection may be refused. */
static void connection_confine(struct connection *c, enum sandbox wish, struct log *log)
{
    if (wish == OFF || sandbox_enter())
        return;
    if (wish == REQUIRED)
        connection_fault(c, "seccomp");
    else
        log_unsandboxed(log, strerror(errno));
}

int main(int argc, char **argv)
{
    static struct connection connection; /* static: a page costs nothing until touched */
    struct launch launch;
    struct log log;
    struct options options;
    struct peer peer;
    sigset_t caught;

    signals_block(&caught);
    supervisor_take_connection();
    launch_look(&launch);

    const char *wrong = options_read(&options, argc, argv, &launch);
    log_open(&log, &launch, (enum destination)options.log, options.verbosity);
    if (wrong) {
        log_fault(&log, "bad usage, see timesvc --help", wrong);
        return EX_USAGE;
    }
    if (options.help || options.version)
        return options_print(&options);

    const char *misuse = launch_misuse(&launch);
    if (misuse) {
        log_fault(&log, misuse, "");
        return EX_CONFIG;
    }
    peer_find(&peer);
    log.peer = &peer;

    connection_init(&connection, &options, &launch, &caught, &log);
    connection_confine(&connection, (enum sandbox)options.sandbox, &log);
    if (options.proxy)
        connection_proxy_header(&connection, &peer);
    log_send(&log, record_begin(&log, CONNECTED));
    connection_serve(&connection);
    connection_close(&connection);
    log_ended(&log, &connection);
    return connection.ending == FAULT ? EX_OSERR : EX_OK;
}
