/*
 * load - clients for the bench: prints, as one line of JSON, how many replies they got
 * each second, and how long a connection waited for its first one, on average.
 *
 *     load connections|daytime|pump CLIENTS SECONDS ADDRESS PORT
 *
 * connections: for so long, each client makes one connection after the other: connects,
 * sends TIME and QUIT at once, reads the reply and the end. daytime: the same, with
 * xinetd's daytime, which speaks first (RFC 867). pump: each client sends TIME on one
 * connection, as fast as the server takes it, while it reads the replies.
 *
 * Each reply is looked at: at the first fault it says so, and exits with 1.
 */
#define _GNU_SOURCE /* MSG_TRUNC */

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE     10 /* seconds, for a server that says nothing */
#define CLIENTS_MAX  64
#define REQUEST      "TIME\r\n"
#define REQUEST_SIZE (sizeof REQUEST - 1)
#define CLOCK        "[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
#define REPLY_MAX    40
#define BLOCK        16384 /* requests that one send of a pump carries */

struct client {
    pthread_t thread;
    size_t connections;
    size_t replies;
    double waited; /* seconds, for the first reply of each connection */
};

struct mode {
    const char *name;
    void (*run)(struct client *c);
    const char *requests;
    const char *reply; /* a pattern of fnmatch(3) */
    size_t reply_size; /* where it may be shorter, the server's end follows it */
};

static const struct mode *mode;
static struct sockaddr_in server;
static double end; /* when no more is begun */

/* What had a fault is no measurement. */
static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: port %d: %s\n", ntohs(server.sin_port), what);
    _exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- One connection ---- */

static int connect_to_server(void)
{
    const struct timeval patience = {.tv_sec = PATIENCE};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die(strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&server, sizeof server) < 0)
        die(strerror(errno));
    return fd;
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            die(strerror(errno));
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void expect_reply(int fd)
{
    char reply[REPLY_MAX] = {0};

    if (recv(fd, reply, mode->reply_size, MSG_WAITALL) < 0)
        die(strerror(errno));
    if (fnmatch(mode->reply, reply, 0) != 0)
        die("a wrong reply");
}

static void expect_end(int fd)
{
    char more;
    ssize_t got = recv(fd, &more, 1, 0);
    if (got != 0)
        die(got < 0 ? strerror(errno) : "more than a reply");
}

static void converse(struct client *c)
{
    double began = now();
    int fd = connect_to_server();

    send_all(fd, mode->requests, strlen(mode->requests));
    expect_reply(fd);
    c->waited += now() - began;
    expect_end(fd);
    close(fd);
    c->replies++;
}

/* ---- pump ---- */

struct pump {
    int fd;
    size_t requests;
};

static void *pump_send(void *pump)
{
    struct pump *p = pump;
    char block[BLOCK * REQUEST_SIZE];

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = REQUEST[i % REQUEST_SIZE];
    do {
        send_all(p->fd, block, sizeof block);
        p->requests += BLOCK;
    } while (now() < end);
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

/* The first reply and the number of bytes are looked at; the rest is not even copied
   (MSG_TRUNC, tcp(7)), for it is the server that is to be measured. */
static void pump(struct client *c)
{
    double began = now();
    struct pump p = {.fd = connect_to_server()};
    pthread_t sender;
    size_t received = mode->reply_size;
    ssize_t got;

    if (pthread_create(&sender, NULL, pump_send, &p) != 0)
        die("no thread");
    expect_reply(p.fd);
    c->waited += now() - began;
    while ((got = recv(p.fd, NULL, (size_t)1 << 20, MSG_TRUNC)) > 0)
        received += (size_t)got;
    if (got < 0)
        die(strerror(errno));
    pthread_join(sender, NULL);
    close(p.fd);
    if (received != p.requests * mode->reply_size)
        die("not as many replies as requests");
    c->replies += p.requests;
}

/* ---- Main ---- */

static const struct mode modes[] = {
    {"connections", converse, REQUEST "QUIT\r\n", "JAM " CLOCK "\r\n", 14},
    {"daytime", converse, "", "[0-3][0-9] [A-Z]* 2[0-9]* " CLOCK " *\r\n", REPLY_MAX - 1},
    {"pump", pump, REQUEST, "JAM " CLOCK "\r\n", 14},
};

static void *client_run(void *client)
{
    struct client *c = client;

    do {
        mode->run(c);
        c->connections++;
    } while (now() < end);
    return NULL;
}

static void measure(size_t count, double seconds)
{
    static struct client clients[CLIENTS_MAX];
    struct client sum = {0};
    double began = now();

    end = began + seconds;
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0)
            die("no thread");
    for (size_t i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
        sum.connections += clients[i].connections;
        sum.replies += clients[i].replies;
        sum.waited += clients[i].waited;
    }
    printf("{\"per_second\": %.1f, \"first_reply_us\": %.1f}\n",
           (double)sum.replies / (now() - began),
           sum.waited / (double)sum.connections * 1e6);
}

static int usage(void)
{
    fputs("usage: load connections|daytime|pump clients seconds address port\n", stderr);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return usage();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            mode = &modes[i];
    unsigned long clients = strtoul(argv[2], NULL, 10);
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)strtoul(argv[5], NULL, 10));
    if (!mode || clients < 1 || clients > CLIENTS_MAX ||
        inet_pton(AF_INET, argv[4], &server.sin_addr) != 1)
        return usage();
    measure(clients, strtod(argv[3], NULL));
    return EXIT_SUCCESS;
}
