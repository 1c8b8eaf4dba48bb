/*
 * timesvc - tell the time on one connection, for a supervisor that owns the port.
 *
 * A supervisor (systemd, inetd, xinetd, tcpserver ...) accepts TCP connections and runs
 * one timesvc for each, with the connection on standard input and output. timesvc never
 * listens, never forks, and uses a constant amount of memory whatever its peer does.
 *
 * The protocol. A request is the bytes before a terminator, CR LF or LF alone:
 *
 *     TIME            is answered  JAM hh:mm:ss CR LF  (local time, 24 hours)
 *     QUIT            is not answered; timesvc closes the connection
 *     anything else   is answered  Invalid request CR LF
 *
 * The clients of the original system send no terminator and expect none. They and line
 * clients are served by the same rules:
 *
 *   1. Bytes without a terminator, with no more input waiting, are a tail. A tail that
 *      is TIME or QUIT is handled at once, any other after a second of silence; at the
 *      end of input every tail is handled at once.
 *   2. A tail is answered without CR LF, which is then owed: if CR LF or LF comes next,
 *      it ends the request already answered, and the owed CR LF is sent. Anything else,
 *      but for a CR whose LF may still come, begins a new request.
 *   3. A CR is half of a terminator only if LF follows. After a second of silence TIME CR
 *      counts as TIME, and QUIT CR as QUIT; at the end of input both are invalid.
 *
 * So the same input gets the same output, however it is cut into segments and however
 * long a request waits for its terminator. Two exceptions: a second of silence inside a
 * request ends it there; an invalid one cut right after TIME or QUIT counts as two.
 *
 * The end. After QUIT or the end of input timesvc shuts down its sending side and drains
 * what the peer still sends, within limits, so that no RST destroys replies in flight. It
 * closes a connection on which nothing moves for the time limit. SIGTERM, SIGINT, SIGHUP
 * and SIGQUIT end it within a second; all other signals are blocked. The exit status
 * (sysexits.h) is 0 for everything that a peer or one of these signals can cause, 64 for
 * bad usage, 71 if the system failed us, 78 for a wrong setup. By default a connection
 * leaves one log record; no diagnostic ever reaches the peer.
 *
 * With --proxy the connection has to begin with a header of the PROXY protocol, version
 * 1, that names the peer. A connection without one is closed, unanswered.
 */
#define _GNU_SOURCE          /* syscall(2), stpcpy(3) */
#define _TIME_BITS        64 /* a time_t that lasts beyond 2038 on 32-bit systems ... */
#define _FILE_OFFSET_BITS 64 /* ... requires this one too, feature_test_macros(7) */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
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
#ifdef HAVE_LIBSYSTEMD
#include <dlfcn.h>
#include <systemd/sd-daemon.h>
#endif

#define TIMESVC_VERSION "1.1.0"

/* The limits. Times are in nanoseconds, sizes in bytes. */
#define SECOND       INT64_C(1000000000)
#define FOREVER      (INT64_MAX / 2)   /* 146 years; doubled, it still fits */
#define TAIL_SILENCE SECOND            /* before a tail is handled as it stands */
#define TIME_LIMIT   (3600 * SECOND)   /* without a byte read or written (-t) */
#define DRAIN_LIMIT  (2 * SECOND)      /* for the peer's FIN after ours ... */
#define DRAIN_BYTES  65536             /* ... and the most bytes we drain */
#define GRACE        (7 * SECOND / 10) /* from a signal to the end */
#define LOG_PATIENCE (SECOND / 10)     /* for a log that accepts no record */
#define PROXY_LIMIT  (5 * SECOND)      /* for a proxy's header (-p) */
#define INPUT_SIZE   49152             /* one read: 8192 x TIME CR LF ... */
#define OUTPUT_SIZE  122880            /* ... and all their replies */
#define RECEIVE_SIZE 65536             /* unread input in the kernel, socket(7) */
#define UNSENT_SIZE  16384             /* unsent output in the kernel, tcp(7) */
#define EXCERPT_SIZE 64                /* of a request: kept, and logged */

/*
 * ---- Protocol: bytes in, bytes out. No I/O, no clock of its own. --------------------
 */

#define TERMINATOR    "\r\n"
#define TIME_REPLY    "JAM hh:mm:ss" TERMINATOR
#define INVALID_REPLY "Invalid request" TERMINATOR
#define REPLY_MAX     (sizeof INVALID_REPLY - 1)

struct output {
    size_t length;
    char bytes[OUTPUT_SIZE];
};

struct protocol {
    char request[EXCERPT_SIZE]; /* the current one's first bytes ... */
    size_t length;              /* ... and length, capped at EXCERPT_SIZE + 1 */
    bool owed;                  /* a tail was answered; its terminator may still come */
    bool closed;                /* QUIT was handled: no more requests are */
    char time_reply[sizeof TIME_REPLY]; /* kept up to date by the caller */
    unsigned long long requests;        /* handled; of those ... */
    unsigned long long invalid;         /* ... were invalid */

    /* NULL, or called before a reply is queued, and for QUIT, whose reply is NULL. */
    void (*handled)(const char *request, size_t length, const char *reply);
};

static bool request_is(const struct protocol *p, const char *word)
{
    return p->length == strlen(word) && memcmp(p->request, word, p->length) == 0;
}

/* The caller ensures REPLY_MAX bytes of room. */
static void output_add(struct output *out, const char *bytes, size_t length)
{
    memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

/* Handle the current request. */
static void protocol_answer(struct protocol *p, struct output *out, bool terminated)
{
    const char *reply = request_is(p, "QUIT")   ? NULL
                        : request_is(p, "TIME") ? p->time_reply
                                                : INVALID_REPLY;

    if (p->handled)
        p->handled(p->request, p->length < EXCERPT_SIZE ? p->length : EXCERPT_SIZE,
                   reply);
    p->requests++;
    p->length = 0;
    if (!reply) {
        p->closed = true;
        return;
    }
    if (reply != p->time_reply)
        p->invalid++;
    output_add(out, reply, strlen(reply) - (terminated ? 0 : strlen(TERMINATOR)));
    p->owed = !terminated;
}

static void protocol_byte(struct protocol *p, struct output *out, char byte)
{
    if (byte != '\n') {
        if (p->length < EXCERPT_SIZE)
            p->request[p->length] = byte;
        if (p->length <= EXCERPT_SIZE)
            p->length++;
        /* A CR alone may be half of the terminator still to come. */
        p->owed = p->owed && request_is(p, "\r");
    } else if (p->owed) {
        output_add(out, TERMINATOR, strlen(TERMINATOR));
        p->owed = false;
        p->length = 0;
    } else {
        if (p->length > 0 && p->length <= EXCERPT_SIZE &&
            p->request[p->length - 1] == '\r')
            p->length--;
        protocol_answer(p, out, true);
    }
}

/*
 * The fast path for pipelined TIME CR LF, with the same effect as protocol_byte. Returns
 * how many bytes were taken.
 */
static size_t protocol_times(struct protocol *p, struct output *out, const char *input,
                             size_t length)
{
    static const char request[] = "TIME" TERMINATOR;
    const size_t size = sizeof request - 1, reply_size = sizeof TIME_REPLY - 1;
    size_t taken = 0, at = out->length;

    if (p->length > 0 || p->owed || p->handled)
        return 0;
    while (length - taken >= size && at <= OUTPUT_SIZE - REPLY_MAX &&
           memcmp(input + taken, request, size) == 0) {
        memcpy(out->bytes + at, p->time_reply, reply_size);
        at += reply_size;
        taken += size;
    }
    p->requests += taken / size;
    out->length = at;
    return taken;
}

/*
 * Take input until it ends, the output is full or QUIT was handled; with a transcript,
 * only until the first reply. Returns how many bytes were taken.
 */
static size_t protocol_feed(struct protocol *p, struct output *out, const char *input,
                            size_t length)
{
    const size_t full = p->handled ? 1 : OUTPUT_SIZE - REPLY_MAX + 1;
    size_t taken = 0;

    while (taken < length && !p->closed && out->length < full) {
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
    if (p->length == 0 || p->owed)
        return FOREVER;
    return request_is(p, "TIME") || request_is(p, "QUIT") ? 0 : TAIL_SILENCE;
}

/* The peer was silent for protocol_patience, or its input has ended: handle the tail. */
static void protocol_tail(struct protocol *p, struct output *out, bool ended)
{
    if (!ended && (request_is(p, "TIME\r") || request_is(p, "QUIT\r")))
        p->length--;
    if (p->length > 0)
        protocol_answer(p, out, false);
}

/*
 * ---- Clock: the reply to TIME, and the time that passes -----------------------------
 */

/*
 * Load the time zone (TZ, else /etc/localtime) now: the sandbox will not let a file be
 * opened. If TZ names a zone file, make it a path: musl reads some names, such as
 * EST5EDT, as rules, and ignores TZDIR; see tzset(3).
 */
static void clock_init(bool utc)
{
    static char zone[256] = "TZ=UTC0", *environment[] = {zone, NULL};
    const char *name = getenv("TZ"), *directory = getenv("TZDIR");
    bool known = utc;

    if (!utc && name && *name != '\0') {
        snprintf(zone, sizeof zone, "TZ=:%s/%s",
                 directory ? directory : "/usr/share/zoneinfo",
                 *name == ':' ? name + 1 : name);
        known = access(zone + strlen("TZ=:"), R_OK) == 0;
    }
    if (known)
        environ = environment; /* nothing else in it is needed */
    tzset();
}

/* Update a reply that tells the second `told`. Returns the second that it tells now. */
static time_t clock_read(time_t told, char reply[sizeof TIME_REPLY])
{
    struct timespec now = {0};
    struct tm parts = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec == told)
        return told;
    localtime_r(&now.tv_sec, &parts);
    /* Not by snprintf(3), which is slower than all the rest together. */
    const int values[] = {parts.tm_hour, parts.tm_min, parts.tm_sec};
    char *digits = reply + sizeof "JAM";
    for (size_t i = 0; i < 3; i++, digits += sizeof "hh") {
        digits[0] = (char)('0' + values[i] / 10);
        digits[1] = (char)('0' + values[i] % 10);
    }
    return now.tv_sec;
}

/* Monotonic time in nanoseconds. */
static int64_t monotonic_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

/*
 * ---- Log: one record a connection, never to the peer --------------------------------
 *
 * A record is a kind and its fields, lines of name=value. As text, fields are joined by
 * blanks; the journal gets the text, and each field by itself. So no value contains an
 * LF, and only the last may contain a blank.
 */

enum destination { AUTO, JOURNAL, SYSLOG, STDERR };
enum kind { CONNECTED, UNSANDBOXED, REQUEST, REPLY, ENDED, FAULTY };

static const struct {
    int level; /* syslog(3) */
    const char *name;
    const char *message_id; /* journald's, explained in timesvc.catalog */
} kinds[] = {
    [CONNECTED] = {LOG_INFO, "connected", "013e1b6091724176b4dbeb4523aa31fa"},
    [UNSANDBOXED] = {LOG_WARNING, "unsandboxed", "a59d029feb15406a86938b89970debf0"},
    [REQUEST] = {LOG_INFO, "request", "a3f9af9125984bbda55990ac76f6d371"},
    [REPLY] = {LOG_INFO, "reply", "f0f9c8bc1c844928b80221a3a4c96d68"},
    [ENDED] = {LOG_NOTICE, "ended", "c105066b50794c4f818e0a165c558908"},
    [FAULTY] = {LOG_ERR, "fault", "d0231a46ed2d4e21bc7da588fc811aee"},
};

#define FIELDS_SIZE 512
#define LOG_SOCKET  (STDERR_FILENO + 1) /* the only one that the sandbox allows */

struct peer {
    char address[INET6_ADDRSTRLEN + sizeof "%4294967295"];
    unsigned port; /* 0 where there is none */
};

static struct {
    enum destination to;          /* via LOG_SOCKET or standard error */
    int level;                    /* the least urgent that is logged, syslog(3) */
    bool stderr_is_free;          /* open, and not the peer's */
    bool stuck;                   /* it took no record for LOG_PATIENCE */
    pid_t pid;                    /* ours */
    struct peer peer;             /* once it is known */
} logger = {.level = LOG_NOTICE}; /* not all 0: it shares a page of .data */

/* Make bytes harmless: blanks, backslashes and all but printable ASCII become \xHH. */
static void escape(char *to, const char *bytes, size_t length)
{
    for (*to = '\0'; length > 0; length--, bytes++) {
        unsigned char byte = (unsigned char)*bytes;
        bool plain = isgraph(byte) && byte != '\\';
        to += sprintf(to, plain ? "%c" : "\\x%02x", byte);
    }
}

/* An integer option of a socket, getsockopt(2), or -1. */
static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof value;

    getsockopt(fd, SOL_SOCKET, option, &value, &size);
    return value;
}

/* send(2), but by number: libc may use another call, which the sandbox forbids. */
static ssize_t socket_send(int fd, const char *bytes, size_t length, int flags)
{
    return syscall(SYS_sendto, fd, bytes, length, flags | MSG_NOSIGNAL, NULL, 0L);
}

/* Format a record as in systemd.io/JOURNAL_NATIVE_PROTOCOL. Returns its length. */
static size_t log_for_journal(char *message, enum kind kind, const char *text,
                              const char *fields)
{
    /* The units drop all below a notice (LogLevelMax=), to silence systemd itself. */
    int level = kinds[kind].level < LOG_NOTICE ? kinds[kind].level : LOG_NOTICE;
    bool name = false;
    char *to = message + sprintf(message,
                                 "SYSLOG_IDENTIFIER=timesvc\nMESSAGE_ID=%s\n"
                                 "PRIORITY=%d\nMESSAGE=%s",
                                 kinds[kind].message_id, level, text);

    for (; *fields != '\0'; fields++) {
        if (*fields == '\n') {
            to = stpcpy(to, "\nTIMESVC_");
            name = true;
        } else {
            name = name && *fields != '=';
            *to++ = (char)(name ? toupper((unsigned char)*fields) : *fields);
        }
    }
    *to++ = '\n';
    return (size_t)(to - message);
}

/* SIGALRM only makes a blocked call fail with EINTR. */
static void log_alarm(int signal)
{
    (void)signal;
}

/*
 * Every LOG_PATIENCE interrupt a call that blocks (the first alarm may come before it),
 * or stop doing so. poll(2) first would not do: another process may fill the same pipe.
 */
static void log_interrupt(bool on)
{
    struct timeval every = {.tv_usec = on ? (suseconds_t)(LOG_PATIENCE / 1000) : 0};
    struct itimerval timer = {.it_interval = every, .it_value = every};
    sigset_t alarm;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(on ? SIG_UNBLOCK : SIG_BLOCK, &alarm, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Put a record together and hand it over, or drop it if the log is stuck. */
__attribute__((noinline)) static void log_deliver(enum kind kind, const char *format,
                                                  va_list values)
{
    char fields[FIELDS_SIZE], text[FIELDS_SIZE + 32], line[FIELDS_SIZE + 64];
    char message[2 * FIELDS_SIZE + 256];
    ssize_t taken = -1;
    int used = 0;

    if (*logger.peer.address != '\0')
        used = sprintf(fields, logger.peer.port ? "\npeer=%s\nport=%u" : "\npeer=%s",
                       logger.peer.address, logger.peer.port);
    vsnprintf(fields + used, sizeof fields - (size_t)used, format, values);
    stpcpy(stpcpy(text, kinds[kind].name), fields);
    for (char *lf = text; (lf = strchr(lf, '\n'));)
        *lf = ' ';
    /* For syslog as in RFC 3164, 4.1, but without the time, which syslogd adds. */
    int length = sprintf(line, "<%d>timesvc[%d]: %s\n", LOG_DAEMON | kinds[kind].level,
                         (int)logger.pid, text);
    const char *tagged = strchr(line, '>') + 1;

    errno = 0;
    log_interrupt(true);
    if (logger.to == SYSLOG)
        taken = socket_send(LOG_SOCKET, line, (size_t)length - strlen("\n"), 0);
    if (logger.to == JOURNAL)
        taken = socket_send(LOG_SOCKET, message,
                            log_for_journal(message, kind, text, fields), 0);
    if (taken < 0 && errno != EINTR && logger.stderr_is_free)
        taken = write(STDERR_FILENO, tagged, strlen(tagged));
    log_interrupt(false);
    logger.stuck = taken < 0 && errno == EINTR;
}

/*
 * Log a record, or drop it if the log accepts none for LOG_PATIENCE: the peer does not
 * wait for our log. A stuck log gets no more of the transcript. log_deliver is separate
 * because its stack would cost each idle connection pages.
 */
__attribute__((format(printf, 2, 3))) static void log_record(enum kind kind,
                                                             const char *format, ...)
{
    va_list values;

    if (kinds[kind].level > logger.level ||
        (logger.stuck && kinds[kind].level == LOG_INFO))
        return;
    va_start(values, format);
    log_deliver(kind, format, values);
    va_end(values);
}

/* Log a fault, ours or the administrator's. Returns the exit status given. */
static int log_fault(int status, const char *what, const char *why)
{
    log_record(FAULTY, "\nreason=%s: %.*s", what, (int)strcspn(why, "\n"), why);
    return status;
}

/* The transcript, -v. */
static void log_handled(const char *request, size_t length, const char *reply)
{
    char escaped[4 * EXCERPT_SIZE + 1];

    escape(escaped, request, length);
    log_record(REQUEST, "\nrequest=%s", escaped);
    if (reply)
        log_record(REPLY, "\nreply=%.*s", (int)strcspn(reply, TERMINATOR), reply);
}

/* Connect LOG_SOCKET to a path. */
static bool log_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(address.sun_path, path, strlen(path)); /* one of ours: it is short */
    dup2(fd, LOG_SOCKET);
    if (fd != LOG_SOCKET) /* it was in use, or one of the first three was closed */
        close(fd);
    return connect(LOG_SOCKET, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* Standard error leads to the journal: $JOURNAL_STREAM, systemd.exec(5). */
static bool log_is_journal(const struct stat *error)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[2 * sizeof "18446744073709551615"];

    if (!stream)
        return false;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)error->st_dev,
             (uintmax_t)error->st_ino);
    return strcmp(stream, ours) == 0;
}

/* Standard error is the peer's, as fd is, under inetd(8), say. A terminal is no peer. */
static bool log_is_peer(const struct stat *error, int fd)
{
    struct stat peer;

    return fstat(fd, &peer) == 0 && peer.st_dev == error->st_dev &&
           peer.st_ino == error->st_ino && !isatty(fd);
}

/*
 * Choose where records go: as asked, unless that is the peer. Not by syslog(3) or
 * sd_journal_send(3): at a record these may open a socket, which the sandbox forbids.
 */
static void log_open(enum destination wish, int level)
{
    struct stat error;
    bool known = fstat(STDERR_FILENO, &error) == 0;
    int domain = socket_option(STDERR_FILENO, SO_DOMAIN);

    logger.level = level;
    logger.pid = getpid();
    logger.stderr_is_free = known && (domain == -1 || domain == AF_UNIX) &&
                            !log_is_peer(&error, STDIN_FILENO) &&
                            !log_is_peer(&error, STDOUT_FILENO);
    logger.to = wish != AUTO ? wish : known && log_is_journal(&error) ? JOURNAL : STDERR;
    if ((logger.to == STDERR && !logger.stderr_is_free) ||
        (logger.to == JOURNAL && !log_connect("/run/systemd/journal/socket")))
        logger.to = SYSLOG;
    if (logger.to == SYSLOG && !log_connect(_PATH_LOG))
        logger.to = STDERR;
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = log_alarm}, NULL);
}

/*
 * ---- Launch: what the supervisor handed over, and who the peer is -------------------
 */

#define FIRST_PASSED (STDERR_FILENO + 1) /* sd_listen_fds(3) */
#define LIBSYSTEMD   "libsystemd.so.0"

/* A whole number from 0 to most, or -1 if the text is not one. Base as in strtol(3). */
static long number(const char *text, int base, long most)
{
    char *end = NULL;

    errno = 0;
    long value = strtol(text, &end, base);
    return errno || end == text || *end != '\0' || value < 0 || value > most ? -1 : value;
}

/*
 * How many descriptors were passed, or a negative errno, as by sd_listen_fds(3). Only
 * here does the source of the two programs, timesvc and timesvc-static, differ. Loading
 * libsystemd is slower than a whole conversation, so timesvc loads it only if needed.
 */
#ifdef HAVE_LIBSYSTEMD
static int launch_passed(void)
{
    __typeof__(sd_listen_fds) *listen_fds = NULL;

    if (!getenv("LISTEN_FDS"))
        return 0;
    void *library = dlopen(LIBSYSTEMD, RTLD_NOW);
    if (library)
        *(void **)&listen_fds = dlsym(library, "sd_listen_fds");
    return listen_fds ? listen_fds(0) : -ELIBACC;
}
#else
static int launch_passed(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

    if (!pid || !count || number(pid, 0, INT_MAX) != getpid())
        return 0;
    int passed = (int)number(count, 0, INT_MAX - FIRST_PASSED);
    for (int fd = FIRST_PASSED; fd < FIRST_PASSED + passed; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            return -EBADF;
    return passed;
}
#endif

/* A stream socket that does not listen; its peer may be gone. */
static bool launch_is_connection(int fd)
{
    return socket_option(fd, SO_TYPE) == SOCK_STREAM &&
           socket_option(fd, SO_ACCEPTCONN) == 0;
}

/*
 * Bring the connection to standard input and output, and close all else we inherited.
 * Returns launch_passed()'s result, for launch_check.
 */
static int launch_take_connection(void)
{
    int passed = launch_passed(), fd = FIRST_PASSED, end = fd + passed;

    /* systemd's OpenFile= passes others, too; standard input may be the connection. */
    while (fd < end && !launch_is_connection(fd))
        fd++;
    if (passed > 0 && fd == end && !launch_is_connection(STDIN_FILENO))
        fd = FIRST_PASSED; /* which launch_check refuses */
    if (fd < end) {
        dup2(fd, STDIN_FILENO);
        dup2(fd, STDOUT_FILENO);
    }
    /* By number: musl has no close_range(2). Before Linux 5.9 they stay open. */
    syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    return passed;
}

/* Unless there is a connection, log what to change, and exit. Greet a person. */
static void launch_check(int passed)
{
    if (passed == -ELIBACC)
        _exit(log_fault(EX_OSERR, LIBSYSTEMD, strerror(-passed)));
    if (passed == -EBADF || fcntl(STDIN_FILENO, F_GETFD) < 0 ||
        fcntl(STDOUT_FILENO, F_GETFD) < 0)
        _exit(log_fault(EX_CONFIG, "standard input or output is closed",
                        "run timesvc under a supervisor that passes a connection"));
    if ((passed > 0 || socket_option(STDIN_FILENO, SO_TYPE) >= 0) &&
        !launch_is_connection(STDIN_FILENO))
        _exit(log_fault(EX_CONFIG, "standard input is not a connection",
                        "set ListenStream= and Accept=yes (systemd), stream tcp nowait "
                        "(inetd), socket_type = stream and wait = no (xinetd)"));
    if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
        dprintf(STDERR_FILENO, "timesvc: type TIME or QUIT, and Enter\n");
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/*
 * Name an internet peer. An IPv4-mapped address (RFC 4291, 2.5.5.2) is shown as IPv4, a
 * link-local one with the number of its interface. False for other families.
 */
static bool peer_from_address(struct peer *peer, const union address *a)
{
    sa_family_t family = a->any.sa_family;
    const void *ip = &a->v4.sin_addr;

    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
        family = AF_INET;
        ip = &a->v6.sin6_addr.s6_addr[12];
    } else if (family == AF_INET6) {
        ip = &a->v6.sin6_addr;
    }
    if (!inet_ntop(family, ip, peer->address, sizeof peer->address))
        return false;
    if (family == AF_INET6 && a->v6.sin6_scope_id != 0)
        sprintf(peer->address + strlen(peer->address), "%%%u", a->v6.sin6_scope_id);
    peer->port = ntohs(a->v4.sin_port); /* v6.sin6_port is in the same place */
    return true;
}

/* Name the peer from an address as text: IPv6 may have brackets and a zone. */
static bool peer_from_text(struct peer *peer, const char *text)
{
    char ip[INET6_ADDRSTRLEN + IF_NAMESIZE];
    union address a = {.v4.sin_family = AF_INET};

    if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1)
        return peer_from_address(peer, &a);
    text += *text == '[';
    snprintf(ip, sizeof ip, "%.*s", (int)strcspn(text, "]"), text);
    char *zone = strchr(ip, '%');
    a = (union address){.v6.sin6_family = AF_INET6};
    if (zone) {
        *zone++ = '\0';
        long index = number(zone, 10, INT_MAX);
        a.v6.sin6_scope_id = index >= 0 ? (uint32_t)index : if_nametoindex(zone);
    }
    return inet_pton(AF_INET6, ip, &a.v6.sin6_addr) == 1 && peer_from_address(peer, &a);
}

/* Name the peer from two variables of the environment, if they hold an address. */
static bool peer_from_environment(struct peer *peer, const char *const names[2])
{
    const char *address = getenv(names[0]), *port = getenv(names[1]);

    if (!address || !peer_from_text(peer, address))
        return false;
    long value = port ? number(port, 10, UINT16_MAX) : 0;
    peer->port = value > 0 ? (unsigned)value : 0;
    return true;
}

/* The peer's address, else what the supervisor says of it in the environment. */
static void peer_find(struct peer *peer)
{
    static const char *const names[][2] = {
        {"REMOTE_HOST", "REMOTE_PORT"},           /* stunnel */
        {"REMOTE_ADDR", "REMOTE_PORT"},           /* systemd */
        {"TCPREMOTEIP", "TCPREMOTEPORT"},         /* tcpserver, tcpsvd, s6-tcpserver */
        {"SOCAT_PEERADDR", "SOCAT_PEERPORT"},     /* socat */
        {"NCAT_REMOTE_ADDR", "NCAT_REMOTE_PORT"}, /* ncat */
    };
    union address a = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof a;
    /* ENOTCONN: the peer was gone before we started. */
    bool sock = getpeername(STDIN_FILENO, &a.any, &size) == 0 || errno == ENOTCONN;

    if (peer_from_address(peer, &a)) {
        /* stunnel's exec= connects from this host itself. */
        if (strncmp(peer->address, "127.", 4) == 0 && getenv("REMOTE_PORT"))
            peer_from_environment(peer, names[0]);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (peer_from_environment(peer, names[i]))
            return;
    const char *kind = a.any.sa_family == AF_UNIX ? "unix" : sock ? "unknown" : "local";
    memcpy(peer->address, kind, strlen(kind) + 1);
}

/*
 * The PROXY protocol, version 1 (HAProxy's proxy-protocol.txt, 2.1), by which a proxy
 * names the peer it serves. The header is a line before all else, one of
 *
 *     PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CR LF
 *     PROXY UNKNOWN (whatever) CR LF
 */
#define PROXY_MAX 107 /* bytes, CR LF included */

/*
 * Look at the header's first bytes, up to its LF at most. Returns 1 if it is complete, 0
 * if not yet, -1 if it is invalid: it has to be just as a proxy prints it.
 */
static int proxy_header(const char *bytes, size_t length, struct peer *peer)
{
    char protocol[8], from[64], to[64], ports[2][8], address[sizeof(struct in6_addr)];
    char line[PROXY_MAX + 1] = "", printed[2 * PROXY_MAX];

    if (memcmp(bytes, "PROXY ", length < 6 ? length : 6) != 0)
        return -1;
    if (bytes[length - 1] != '\n')
        return length < PROXY_MAX ? 0 : -1;
    memcpy(line, bytes, length);
    if (strstr(line, TERMINATOR) != line + length - strlen(TERMINATOR))
        return -1;
    if (strncmp(line, "PROXY UNKNOWN", 13) == 0 && strchr(" \r", line[13]))
        return 1;
    if (sscanf(line, "PROXY %7s %63s %63s %7s %7s", protocol, from, to, ports[0],
               ports[1]) != 5)
        return -1;
    long port = number(ports[0], 10, UINT16_MAX),
         other = number(ports[1], 10, UINT16_MAX);
    int family = strcmp(protocol, "TCP4") == 0   ? AF_INET
                 : strcmp(protocol, "TCP6") == 0 ? AF_INET6
                                                 : AF_UNSPEC;
    sprintf(printed, "PROXY %s %s %s %ld %ld\r\n", protocol, from, to, port, other);
    if (strcmp(printed, line) != 0 || port < 0 || other < 0 ||
        inet_pton(family, to, address) != 1 || inet_pton(family, from, address) != 1)
        return -1;
    peer_from_text(peer, from);
    peer->port = (unsigned)port;
    return 1;
}

/*
 * ---- Sandbox: the system calls that a conversation needs, and no other --------------
 *
 * A seccomp(2) filter, in the manner of OpenSSH's sandbox-seccomp-filter.c. Any other
 * call ends the process with SIGSYS. Everything is opened beforehand.
 */

enum sandbox { WHERE_POSSIBLE, REQUIRED, OFF };

/* x32 shares x86-64's, but its calls have bit 30 set, so they equal none of ours. */
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
#elif defined __s390x__
#define ARCHITECTURE AUDIT_ARCH_S390X
#else
#define ARCHITECTURE 0 /* unsupported */
#endif

/* 32-bit machines have another call for 64-bit times. */
#ifdef SYS_ppoll_time64
#define PPOLL SYS_ppoll_time64
#else
#define PPOLL SYS_ppoll
#endif

#define LOAD(offset)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##action)
#define JUMP(test, value, yes, no) \
    BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), (yes), (no))

/* Only an argument's low half matters; big-endian machines have it second. */
#define ARGUMENT(n)                           \
    (offsetof(struct seccomp_data, args[n]) + \
     (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0))

/* If it is not this call, skip its instructions: 4 for each REQUIRE, and 1 to allow. */
#define CALL(number, count) JUMP(BPF_JEQ, (number), 0, (count))
#define REQUIRE(offset, first, last)                                         \
    LOAD(offset), JUMP(BPF_JGE, (first), 0, 1), JUMP(BPF_JGT, (last), 0, 1), \
        RETURN(KILL_PROCESS)
#define ALLOW(number) CALL(number, 1), RETURN(ALLOW)
#define ALLOW_ON(number, first, last) \
    CALL(number, 5), REQUIRE(ARGUMENT(0), (first), (last)), RETURN(ALLOW)

static const struct sock_filter sandbox_filter[] = {
    /* To learn which calls are always allowed, Linux runs the filter for each, up to the
       first load of an argument. For us that takes longer than it saves: so load one. */
    LOAD(ARGUMENT(0)),
    LOAD(offsetof(struct seccomp_data, arch)),
    JUMP(BPF_JEQ, ARCHITECTURE, 1, 0),
    RETURN(KILL_PROCESS),
    LOAD(offsetof(struct seccomp_data, nr)),

    ALLOW(PPOLL),
    ALLOW_ON(SYS_read, STDIN_FILENO, STDIN_FILENO),
    /* To the peer and to the log, both connected: so no address (length 0). */
    CALL(SYS_sendto, 9),
    REQUIRE(ARGUMENT(0), STDOUT_FILENO, LOG_SOCKET),
    REQUIRE(ARGUMENT(5), 0, 0),
    RETURN(ALLOW),
    ALLOW_ON(SYS_write, STDOUT_FILENO, STDERR_FILENO),
    CALL(SYS_shutdown, 9),
    REQUIRE(ARGUMENT(0), STDOUT_FILENO, STDOUT_FILENO),
    REQUIRE(ARGUMENT(1), SHUT_WR, SHUT_WR),
    RETURN(ALLOW),
    ALLOW(SYS_setitimer), /* log_interrupt ... */
    ALLOW(SYS_rt_sigprocmask),
    ALLOW(SYS_rt_sigreturn), /* ... and log_alarm */
    ALLOW(SYS_exit_group),
#ifdef SYS_clock_gettime /* without a vdso(7) */
    ALLOW(SYS_clock_gettime),
#endif
#ifdef SYS_clock_gettime64
    ALLOW(SYS_clock_gettime64),
#endif
#ifdef SYS_sigreturn
    ALLOW(SYS_sigreturn),
#endif
    RETURN(KILL_PROCESS),
};

/* Irreversible. False, with errno, on failure. */
static bool sandbox_enter(void)
{
    const struct sock_fprog program = {
        .len = sizeof sandbox_filter / sizeof sandbox_filter[0],
        .filter = (struct sock_filter *)sandbox_filter, /* which is only read */
    };

    if (ARCHITECTURE == 0) {
        errno = ENOSYS;
        return false;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/*
 * ---- Connection: from the first byte to the FIN -------------------------------------
 *
 * On standard input and output: a TCP socket, a socketpair, pipes, files, a terminal.
 * Others may share them, so we leave O_NONBLOCK alone: a read comes after ppoll(2), and a
 * write asks for no more than fits at once.
 */

struct connection {
    struct protocol protocol;
    time_t told; /* the second that protocol.time_reply tells */
    int64_t started;
    const char *ending; /* as logged: quit, eof, idle ...; NULL before */
    int status;         /* exit status */
    int signals;        /* signalfd(2); -1 once a signal has come */
    size_t step;        /* bytes that anything but a socket takes at POLLOUT */
    int64_t limit;      /* without a byte read or written, nanoseconds or FOREVER */
    int64_t deadline;   /* after a signal: when to be done, else FOREVER */
    unsigned long long received; /* bytes, without what is drained */
    unsigned long long sent;
    struct output output;
    char input[INPUT_SIZE];
};

enum wake { READY, TIMED_OUT, SIGNALLED, FAILED };

/* A call failed, and not because of the peer. */
static void connection_fault(struct connection *c, const char *call)
{
    c->status = log_fault(EX_OSERR, call, strerror(errno));
    c->ending = "fault";
}

/* A read or write failed. Any other errno is the peer's or the network's doing. */
static void connection_broken(struct connection *c, const char *call)
{
    if (errno == EBADF || errno == EFAULT || errno == EINVAL || errno == EISDIR ||
        errno == ENOMEM || errno == ENOBUFS || errno == ENOSPC || errno == EDQUOT ||
        errno == EFBIG)
        connection_fault(c, call);
    else
        c->ending = "reset";
}

/* Before the sandbox. A socket option that does not exist here is not needed. */
static void connection_init(struct connection *c, const sigset_t *caught, bool utc)
{
    const int on = 1, receive = RECEIVE_SIZE, unsent = UNSENT_SIZE;

    /* Urgent bytes are ordinary ones, RFC 6093. */
    setsockopt(STDIN_FILENO, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    /* Bound the kernel's memory for a peer that floods us, or does not read. */
    setsockopt(STDIN_FILENO, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    setsockopt(STDOUT_FILENO, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    /* A reply does not wait for the peer to acknowledge the one before. */
    setsockopt(STDOUT_FILENO, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->step = isatty(STDOUT_FILENO) ? 1 : PIPE_BUF; /* see pipe(7) */
    clock_init(utc);
    strcpy(c->protocol.time_reply, TIME_REPLY);
    c->deadline = FOREVER;
    c->signals = signalfd(-1, caught, 0);
    if (c->signals < 0)
        connection_fault(c, "signalfd");
}

/* Enter the sandbox. Where there is none, end the connection if one is required. */
static void connection_confine(struct connection *c, enum sandbox when)
{
    if (when == OFF || sandbox_enter())
        return;
    if (when == REQUIRED)
        connection_fault(c, "seccomp");
    else
        log_record(UNSANDBOXED, "\nreason=%s", strerror(errno));
}

/*
 * Wait for events on fd (none if it is -1) or a signal, at most patience nanoseconds. The
 * first signal sets c->deadline, which bounds this and every later wait.
 */
static enum wake connection_wait(struct connection *c, int fd, short events,
                                 int64_t patience)
{
    int64_t end = monotonic_now() + patience;
    if (end > c->deadline)
        end = c->deadline;

    for (;;) {
        struct pollfd polled[] = {{.fd = fd, .events = events},
                                  {.fd = c->signals, .events = POLLIN}};
        int64_t now = monotonic_now(), left = end > now ? end - now : 0;
        int64_t span[] = {left / SECOND, left % SECOND};
        long ready = syscall(PPOLL, polled, 2L, span, NULL, 0L);

        if (ready > 0 && polled[1].revents == 0)
            return READY;
        if (ready > 0) {
            c->signals = -1; /* poll(2) passes over it */
            c->deadline = monotonic_now() + GRACE;
            return SIGNALLED;
        }
        if (ready == 0)
            return TIMED_OUT;
        if (errno != EINTR) {
            connection_fault(c, "ppoll");
            return FAILED;
        }
    }
}

/*
 * Send all replies queued so far, or set how the connection ends. A socket takes what it
 * can; anything else is polled first, and then takes c->step bytes.
 */
static void connection_flush(struct connection *c)
{
    size_t done = 0;
    while (done < c->output.length && !c->ending) {
        const char *bytes = c->output.bytes + done;
        size_t left = c->output.length - done;
        ssize_t n = socket_send(STDOUT_FILENO, bytes, left, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == ENOTSOCK)) {
            bool is_socket = errno == EAGAIN;
            enum wake wake = connection_wait(c, STDOUT_FILENO, POLLOUT, c->limit);
            /* After a signal, pending output still goes out until the deadline. */
            if (wake == TIMED_OUT)
                c->ending = c->deadline == FOREVER ? "stalled" : "terminated";
            if (wake != READY || is_socket)
                continue;
            n = write(STDOUT_FILENO, bytes, left < c->step ? left : c->step);
        }
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            connection_broken(c, "write");
    }
    c->sent += done;
    c->output.length = 0;
    if (!c->ending && c->protocol.closed)
        c->ending = "quit";
}

/* Answer one read's worth of requests, but none after QUIT or a signal. */
static void connection_batch(struct connection *c, size_t length)
{
    size_t done = 0;
    while (done < length && !c->ending && c->deadline == FOREVER) {
        /* Each time: a flush may take long ... */
        c->told = clock_read(c->told, c->protocol.time_reply);
        done += protocol_feed(&c->protocol, &c->output, c->input + done, length - done);
        connection_flush(c);
        /* ... and so may the transcript, which waits for no signal. */
        if (c->protocol.handled)
            connection_wait(c, -1, 0, 0);
    }
    c->received += done;
}

static void connection_tail(struct connection *c, bool ended)
{
    c->told = clock_read(c->told, c->protocol.time_reply);
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
        if (!c->ending)
            c->ending = "eof";
    } else if (errno != EAGAIN && errno != EINTR) {
        connection_broken(c, "read");
    }
}

/* Hold the conversation. A signal ends it, after a tail of TIME or QUIT. */
static void connection_serve(struct connection *c)
{
    while (!c->ending && c->deadline == FOREVER) {
        int64_t due = protocol_patience(&c->protocol);
        bool tail = due != FOREVER;
        enum wake wake = connection_wait(c, STDIN_FILENO, POLLIN, tail ? due : c->limit);
        if (wake == READY)
            connection_read(c);
        else if (wake == TIMED_OUT && !tail)
            c->ending = "idle";
        else if (wake == TIMED_OUT || (wake == SIGNALLED && due == 0))
            connection_tail(c, false);
    }
    if (!c->ending)
        c->ending = "terminated";
}

/*
 * Before the conversation: read the proxy's header, which names the peer, or refuse the
 * connection. Byte by byte, so as not to read what follows.
 */
static void connection_header(struct connection *c)
{
    int64_t end = monotonic_now() + (c->limit < PROXY_LIMIT ? c->limit : PROXY_LIMIT);
    int header = 0;

    while (header == 0 && !c->ending && c->deadline == FOREVER) {
        enum wake wake = connection_wait(c, STDIN_FILENO, POLLIN, end - monotonic_now());
        if (wake == TIMED_OUT)
            header = -1;
        if (wake != READY)
            continue;
        ssize_t n = read(STDIN_FILENO, c->input + c->received, 1);
        if (n > 0)
            header = proxy_header(c->input, (size_t)++c->received, &logger.peer);
        else if (n == 0)
            header = -1;
        else if (errno != EAGAIN && errno != EINTR)
            connection_broken(c, "read");
    }
    if (header < 0)
        c->ending = "refused";
}

/*
 * Send our FIN, then drain the peer's input until its FIN: closing a socket with unread
 * input sends RST (RFC 2525, 2.17), and that would destroy replies in flight. A peer that
 * keeps sending is cut off after DRAIN_LIMIT; past DRAIN_BYTES we only wait for that.
 */
static void connection_close(struct connection *c)
{
    if (syscall(SYS_shutdown, STDOUT_FILENO, SHUT_WR) < 0)
        return; /* not a socket, or the peer is gone: nothing to drain for */

    int64_t end = monotonic_now() + DRAIN_LIMIT;
    size_t room = DRAIN_BYTES;
    for (;;) {
        int fd = room > 0 ? STDIN_FILENO : -1; /* poll(2) passes over -1 */
        enum wake wake = connection_wait(c, fd, POLLIN, end - monotonic_now());
        if (wake == SIGNALLED)
            continue; /* the deadline is nearer now */
        if (wake != READY)
            return;
        ssize_t n = read(STDIN_FILENO, c->input, room < INPUT_SIZE ? room : INPUT_SIZE);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
        if (n > 0)
            room -= (size_t)n;
    }
}

/* The one record of a connection. */
static void connection_record(const struct connection *c)
{
    long long span = (monotonic_now() - c->started) / (SECOND / 1000); /* ms */

    log_record(ENDED,
               "\nend=%s\nrequests=%llu\ninvalid=%llu\nreceived=%llu\nsent=%llu"
               "\nseconds=%lld.%03d",
               c->ending, c->protocol.requests, c->protocol.invalid, c->received, c->sent,
               span / 1000, (int)(span % 1000));
}

/*
 * ---- Options ------------------------------------------------------------------------
 */

struct options {
    int64_t limit; /* nanoseconds, or FOREVER */
    bool proxy;
    bool utc;
    int level;               /* of what is logged, syslog(3) */
    int log;                 /* enum destination */
    int sandbox;             /* enum sandbox */
    char wrong[FIELDS_SIZE]; /* the first bad option, with its value */
};

static const char usage[] =
    "usage: timesvc [-hpquvV] [-l auto|journal|syslog|stderr] [-s auto|required|off]\n"
    "               [-t seconds]\n"
    "Tell the time on one connection, standard input and output, for a supervisor.\n\n"
    "  -l, --log=WHERE       log to the journal, syslog or stderr (auto: what is there)\n"
    "  -p, --proxy           expect a header of the PROXY protocol, version 1, first\n"
    "  -q, --quiet           log faults only\n"
    "  -s, --sandbox=WHEN    be confined: auto (if possible), required or off\n"
    "  -t, --timeout=SECONDS close when idle for so long (3600; 0 = never)\n"
    "  -u, --utc             tell UTC, not local time\n"
    "  -v, --verbose         log every request and reply\n"
    "  -h, --help            print this and exit\n"
    "  -V, --version         print the version and exit\n";

/* Print and exit, unless standard output is a socket: that is bad usage. */
static bool options_print(const char *text)
{
    if (socket_option(STDOUT_FILENO, SO_TYPE) >= 0)
        return false;
    _exit(fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? EX_OK : EX_OSERR);
}

/* Set *choice to the index of the text among words, the last of which is NULL. */
static bool options_choose(const char *text, const char *const *words, int *choice)
{
    int i = 0;
    while (words[i] && strcmp(text, words[i]) != 0)
        i++;
    if (words[i])
        *choice = i;
    return words[i];
}

/* Take one option. False if it is unknown or misused. */
static bool options_take(struct options *o, int option)
{
    static const char *const logs[] = {"auto", "journal", "syslog", "stderr", NULL};
    static const char *const sandboxes[] = {"auto", "required", "off", NULL};
    long seconds = 0;

    switch (option) {
    case 'h': return options_print(usage);
    case 'l': return options_choose(optarg, logs, &o->log);
    case 'p': o->proxy = true; return true;
    case 'q': o->level = LOG_ERR; return true;
    case 's': return options_choose(optarg, sandboxes, &o->sandbox);
    case 't':
        seconds = number(optarg, 10, INT32_MAX);
        o->limit = seconds == 0 ? FOREVER : seconds * SECOND;
        return seconds >= 0;
    case 'u': o->utc = true; return true;
    case 'v': o->level = LOG_INFO; return true;
    case 'V':
        return options_print(getauxval(AT_BASE) ? "timesvc " TIMESVC_VERSION "\n"
                                                : "timesvc-static " TIMESVC_VERSION "\n");
    default: return false;
    }
}

/* False on bad usage. If a line of inetd.conf(5) lacks argv[0], an option is there. */
static bool options_read(struct options *o, int argc, char **argv)
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
    char *shifted[argc + 2];

    *o = (struct options){.limit = TIME_LIMIT, .level = LOG_NOTICE};
    if (argc > 0 && argv[0][0] == '-') {
        memcpy(shifted + 1, argv, (size_t)(argc + 1) * sizeof *argv);
        argv = shifted;
        argc++;
    }
    opterr = 0; /* getopt would tell the peer */
    for (;;) {
        int at = optind, option = getopt_long(argc, argv, "+hl:pqs:t:uvV", names, NULL);
        if (option == -1 && optind >= argc)
            return true;
        if (!options_take(o, option)) {
            const char *word = argv[option == -1 ? optind : at]; /* perhaps behind -- */
            const char *value = optind > at + 1 ? argv[at + 1] : NULL;
            snprintf(o->wrong, sizeof o->wrong, value ? "%s %s" : "%s", word, value);
            return false;
        }
    }
}

/*
 * ---- Main ---------------------------------------------------------------------------
 */

/*
 * Block every signal; those that end us are seen by signalfd(2) wherever we wait. A
 * blocked signal is kept even if our parent ignored it, and what would have raised
 * SIGPIPE or SIGXFSZ just fails.
 */
static void signals_block(sigset_t *caught)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(caught);
    sigaddset(caught, SIGTERM);
    sigaddset(caught, SIGINT);
    sigaddset(caught, SIGHUP);
    sigaddset(caught, SIGQUIT);
}

int main(int argc, char **argv)
{
    static struct connection c; /* static: untouched pages cost nothing */
    struct options options;
    sigset_t caught;

    signals_block(&caught);
    c.started = monotonic_now();
    int passed = launch_take_connection();
    bool valid = options_read(&options, argc, argv);
    log_open((enum destination)options.log, options.level);
    if (!valid)
        _exit(log_fault(EX_USAGE, "bad usage, see timesvc --help", options.wrong));
    launch_check(passed);
    peer_find(&logger.peer);

    c.limit = options.limit;
    c.protocol.handled = options.level == LOG_INFO ? log_handled : NULL;
    connection_init(&c, &caught, options.utc);
    connection_confine(&c, (enum sandbox)options.sandbox);
    if (options.proxy)
        connection_header(&c);
    log_record(CONNECTED, "%s", "");
    connection_serve(&c);
    connection_close(&c);
    connection_record(&c);
    _exit(c.status); /* exit(3) may call what the sandbox forbids */
}
