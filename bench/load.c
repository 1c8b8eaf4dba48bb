/*
 * load - clients for the bench: what they measure is printed as one line of JSON.
 *
 *     load connections [-c CLIENTS] [-s SECONDS] [-d] ADDRESS PORT
 *         For so long, each client makes one connection after the other: connects, sends
 *         TIME and QUIT at once, reads the reply and the end. With -d the server speaks
 *         first, as daytime does (RFC 867).
 *     load roundtrip [-s SECONDS] ADDRESS PORT
 *         TIME and its reply, again and again, on one connection.
 *     load pump [-s SECONDS] [-r] ADDRESS PORT
 *         TIME on one connection, as fast as the server takes it, while the replies are
 *         read; with -r it is sent in pieces of random length.
 *     load idle [-n CONNECTIONS] [-g MILLISECONDS] ADDRESS PORT
 *         Hold so many connections, ask each for the time, read how much less memory the
 *         system has, ask each again; let them go one by one, with a gap between two.
 *
 * Each reply is looked at. The exit status is 0 if all were right, 1 if any was not, then
 * also with the first fault on standard error, and 64 for bad usage.
 */
#define _GNU_SOURCE /* getopt, pthread barriers, MSG_TRUNC */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define SECOND       INT64_C(1000000000)
#define MILLISECOND  INT64_C(1000000)
#define MICROSECOND  1000.0
#define PATIENCE     10 /* seconds, for a server that says nothing */
#define CLIENTS_MAX  64
#define REQUEST      "TIME\r\n"
#define REQUEST_SIZE (sizeof REQUEST - 1)
#define REPLY        "JAM hh:mm:ss\r\n"
#define REPLY_SIZE   (sizeof REPLY - 1)
#define PUMP_SIZE    (REQUEST_SIZE * 16384) /* the most that one send carries */
#define PIECE_MAX    16384                  /* ... in random pieces */
#define SETTLE       (500 * MILLISECOND)    /* before memory is read */

static struct {
    struct sockaddr_in address;
    int clients;
    int64_t duration; /* nanoseconds */
    int connections;
    int64_t gap; /* nanoseconds */
    bool daytime;
    bool random;
} options = {
    .clients = 1, .duration = SECOND, .connections = 100, .gap = 2 * MILLISECOND};

/* ---- What is common ---- */

static atomic_ulong faults;

/* Count a fault, and name the first. Returns false, for the caller to return. */
static bool fault(const char *what)
{
    if (atomic_fetch_add(&faults, 1) == 0)
        fprintf(stderr, "load: port %d: %s\n", ntohs(options.address.sin_port), what);
    return false;
}

static int64_t now(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void wait_for(int64_t span)
{
    struct timespec t = {.tv_sec = span / SECOND, .tv_nsec = span % SECOND};
    nanosleep(&t, NULL);
}

/* Times in nanoseconds, owned: free with samples_free. */
struct samples {
    int64_t *at;
    size_t count;
    size_t room;
};

static void samples_add(struct samples *s, int64_t sample)
{
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 4096;
        int64_t *at = realloc(s->at, s->room * sizeof *s->at);
        if (!at)
            abort();
        s->at = at;
    }
    s->at[s->count++] = sample;
}

static void samples_free(struct samples *s)
{
    free(s->at);
    *s = (struct samples){0};
}

static int samples_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void samples_sort(struct samples *s)
{
    if (s->count > 0)
        qsort(s->at, s->count, sizeof *s->at, samples_compare);
}

/* The percentile in microseconds, of sorted samples; 0 of none. */
static double samples_at(const struct samples *s, size_t percent)
{
    if (s->count == 0)
        return 0;
    size_t index = (s->count - 1) * percent / 100;
    return (double)s->at[index] / MICROSECOND;
}

/* ---- One connection ---- */

/* A connected socket, or -1 after a fault. */
static int peer_connect(void)
{
    const struct timeval patience = {.tv_sec = PATIENCE};
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        fault(strerror(errno));
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(fd, (const struct sockaddr *)&options.address, sizeof options.address) <
        0) {
        fault(strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static bool peer_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            return fault(strerror(errno));
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static bool is_time_reply(const char *reply, size_t length)
{
    static const char shape[] = REPLY;

    if (length != REPLY_SIZE)
        return false;
    for (size_t i = 0; i < REPLY_SIZE; i++) {
        bool digit = islower((unsigned char)shape[i]);
        if (digit ? !isdigit((unsigned char)reply[i]) : reply[i] != shape[i])
            return false;
    }
    return true;
}

/* Read one line, and no byte more of a peer that waits for us. */
static bool peer_expect_line(int fd)
{
    char reply[128];
    size_t length = 0;

    do {
        ssize_t got = recv(fd, reply + length, sizeof reply - length, 0);
        if (got <= 0)
            return fault(got == 0 ? "no reply" : strerror(errno));
        length += (size_t)got;
    } while (length < sizeof reply && !memchr(reply, '\n', length));
    return options.daytime || is_time_reply(reply, length) || fault("a wrong reply");
}

static bool peer_expect_end(int fd)
{
    char more;
    ssize_t got = recv(fd, &more, 1, 0);
    return got == 0 || fault(got < 0 ? strerror(errno) : "more than a reply");
}

static bool peer_ask(int fd)
{
    return peer_send(fd, REQUEST, REQUEST_SIZE) && peer_expect_line(fd);
}

/* Quit, and wait for the server's FIN. */
static bool peer_quit(int fd)
{
    return peer_send(fd, "QUIT\r\n", 6) && peer_expect_end(fd);
}

/* ---- connections ---- */

struct client {
    pthread_t thread;
    pthread_barrier_t *start;
    struct samples first; /* from connect to the whole first reply */
};

static bool client_converse(struct client *c)
{
    static const char requests[] = REQUEST "QUIT\r\n";
    int64_t began = now();
    int fd = peer_connect();
    if (fd < 0)
        return false;

    bool right = (options.daytime || peer_send(fd, requests, sizeof requests - 1)) &&
                 peer_expect_line(fd);
    int64_t replied = now();
    right = right && peer_expect_end(fd);
    close(fd);
    if (right)
        samples_add(&c->first, replied - began);
    return right;
}

static void *client_run(void *client)
{
    struct client *c = client;

    pthread_barrier_wait(c->start);
    int64_t end = now() + options.duration;
    while (now() < end)
        client_converse(c);
    return NULL;
}

static void connections(void)
{
    static struct client clients[CLIENTS_MAX];
    struct samples all = {0};
    pthread_barrier_t start;

    pthread_barrier_init(&start, NULL, (unsigned)options.clients + 1);
    for (int i = 0; i < options.clients; i++) {
        clients[i].start = &start;
        if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0)
            abort();
    }
    pthread_barrier_wait(&start);
    int64_t began = now();
    for (int i = 0; i < options.clients; i++) {
        pthread_join(clients[i].thread, NULL);
        for (size_t j = 0; j < clients[i].first.count; j++)
            samples_add(&all, clients[i].first.at[j]);
        samples_free(&clients[i].first);
    }
    double seconds = (double)(now() - began) / SECOND;
    pthread_barrier_destroy(&start);

    samples_sort(&all);
    printf("{\"connections\": %zu, \"failed\": %lu, \"per_second\": %.1f, "
           "\"first_reply_p50_us\": %.1f, \"first_reply_p99_us\": %.1f}\n",
           all.count, faults, (double)all.count / seconds, samples_at(&all, 50),
           samples_at(&all, 99));
    samples_free(&all);
}

/* ---- roundtrip ---- */

static void roundtrip(void)
{
    struct samples trips = {0};
    int fd = peer_connect();
    bool started = fd >= 0 && peer_ask(fd);
    int64_t began = now();
    int64_t before = began;

    while (started && before < began + options.duration && peer_ask(fd)) {
        int64_t after = now();
        samples_add(&trips, after - before);
        before = after;
    }
    double seconds = (double)(now() - began) / SECOND;
    if (fd >= 0) {
        peer_quit(fd);
        close(fd);
    }

    samples_sort(&trips);
    printf("{\"trips\": %zu, \"failed\": %lu, \"per_second\": %.1f, \"p50_us\": %.2f, "
           "\"p99_us\": %.2f}\n",
           trips.count, faults, (double)trips.count / seconds, samples_at(&trips, 50),
           samples_at(&trips, 99));
    samples_free(&trips);
}

/* ---- pump ---- */

/* A pseudorandom number, the same row in each run (xorshift, Marsaglia 2003). */
static uint32_t pump_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

struct pump {
    int fd;
    size_t sent; /* bytes, in the end of whole requests */
};

/* Send requests until the time is over; the last piece completes the last request. */
static void *pump_send(void *pump)
{
    static char requests[REQUEST_SIZE + PUMP_SIZE];
    struct pump *p = pump;
    uint32_t random = 1;
    bool fine = true;

    for (size_t i = 0; i < sizeof requests; i++)
        requests[i] = REQUEST[i % REQUEST_SIZE];
    int64_t end = now() + options.duration;
    while (fine && now() < end) {
        size_t length = options.random ? pump_random(&random) % PIECE_MAX + 1 : PUMP_SIZE;
        fine = peer_send(p->fd, requests + p->sent % REQUEST_SIZE, length);
        p->sent += length;
    }
    if (p->sent % REQUEST_SIZE != 0) {
        size_t length = REQUEST_SIZE - p->sent % REQUEST_SIZE;
        peer_send(p->fd, requests + p->sent % REQUEST_SIZE, length);
        p->sent += length;
    }
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

/* Read replies to their end. The first and the number of bytes are looked at; the rest is
   not even copied (MSG_TRUNC, tcp(7)), for it is the server that is to be measured. */
static size_t pump_receive(int fd)
{
    char reply[REPLY_SIZE];
    size_t received = 0;
    ssize_t got = recv(fd, reply, sizeof reply, MSG_WAITALL);

    if (got < 0 || !is_time_reply(reply, (size_t)got))
        fault("a wrong reply");
    while (got > 0) {
        received += (size_t)got;
        got = recv(fd, NULL, (size_t)1 << 20, MSG_TRUNC);
    }
    if (got < 0)
        fault(strerror(errno));
    return received;
}

static void pump(void)
{
    struct pump p = {.fd = peer_connect()};
    pthread_t sender;
    size_t received = 0;
    int64_t began = now();

    if (p.fd >= 0) {
        if (pthread_create(&sender, NULL, pump_send, &p) != 0)
            abort();
        received = pump_receive(p.fd);
        pthread_join(sender, NULL);
        close(p.fd);
    }
    double seconds = (double)(now() - began) / SECOND;
    size_t replies = received / REPLY_SIZE;
    if (replies != p.sent / REQUEST_SIZE || received % REPLY_SIZE != 0)
        fault("not as many replies as requests");
    printf("{\"replies\": %zu, \"failed\": %lu, \"per_second\": %.0f}\n", replies, faults,
           (double)replies / seconds);
}

/* ---- idle ---- */

/* What memory the system could give away, in kilobytes; proc(5). */
static long memory_available(void)
{
    char line[128];
    long available = -1;
    FILE *file = fopen("/proc/meminfo", "re");

    if (!file)
        return available;
    while (available < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            available = strtol(line + 13, NULL, 10);
    fclose(file);
    return available;
}

/* Descriptors for so many connections, and some others. */
static void allow_descriptors(int connections)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t wanted = (rlim_t)connections + 64;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int ask_each(const int *fds, int count)
{
    int answered = 0;

    for (int i = 0; i < count; i++)
        if (fds[i] >= 0 && peer_ask(fds[i]))
            answered++;
    return answered;
}

/*
 * One by one, with a gap: where each handler has a seccomp filter and a thousand end at
 * one moment, Linux 6.18 deadlocks as it frees the filters.
 */
static void release_each(int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        if (fds[i] < 0)
            continue;
        peer_quit(fds[i]);
        close(fds[i]);
        wait_for(options.gap);
    }
}

static void idle(void)
{
    int count = options.connections;
    int *fds = calloc((size_t)count, sizeof *fds);
    if (!fds)
        abort();
    int first = 0;
    allow_descriptors(count);
    long before = memory_available();
    int64_t began = now();
    for (int i = 0; i < count; i++) {
        fds[i] = peer_connect();
        first += ask_each(&fds[i], 1);
    }
    double accepted = (double)(now() - began) / SECOND;
    wait_for(SETTLE);
    long after = memory_available();
    int again = ask_each(fds, count);
    release_each(fds, count);
    free(fds);
    printf("{\"held\": %d, \"failed\": %lu, \"answered\": %d, \"answered_again\": %d, "
           "\"accept_seconds\": %.3f, \"memory_kb\": %ld, \"each_kb\": %.1f}\n",
           count, faults, first, again, accepted, before - after,
           (double)(before - after) / count);
}

/* ---- Main ---- */

static int usage(void)
{
    fputs("usage: load connections|roundtrip|pump|idle [-c clients] [-s seconds]\n"
          "            [-n connections] [-g milliseconds] [-d] [-r] address port\n",
          stderr);
    return EX_USAGE;
}

/* False if there is anything wrong with the command line. */
static bool options_read(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "+c:s:n:g:dr")) != -1) {
        switch (option) {
        case 'c': options.clients = (int)strtol(optarg, NULL, 10); break;
        case 's': options.duration = (int64_t)(strtod(optarg, NULL) * SECOND); break;
        case 'n': options.connections = (int)strtol(optarg, NULL, 10); break;
        case 'g': options.gap = (int64_t)(strtod(optarg, NULL) * MILLISECOND); break;
        case 'd': options.daytime = true; break;
        case 'r': options.random = true; break;
        default: return false;
        }
    }
    if (argc - optind != 2 || options.clients < 1 || options.clients > CLIENTS_MAX ||
        options.duration <= 0 || options.connections < 1 || options.gap < 0)
        return false;
    options.address.sin_family = AF_INET;
    options.address.sin_port = htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
    return inet_pton(AF_INET, argv[optind], &options.address.sin_addr) == 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(void);
    } measurements[] = {{"connections", connections},
                        {"roundtrip", roundtrip},
                        {"pump", pump},
                        {"idle", idle}};

    for (size_t i = 0; i < sizeof measurements / sizeof measurements[0]; i++) {
        if (argc < 2 || strcmp(argv[1], measurements[i].name) != 0)
            continue;
        if (!options_read(argc - 1, argv + 1))
            break;
        measurements[i].measure();
        return faults > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    return usage();
}
