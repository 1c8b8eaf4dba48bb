/*
 * load - a client for the bench: prints, a line each, how many replies it got each
 * second, and how many microseconds a connection waited for its first one, on average.
 *
 *     load connections|pump SECONDS ADDRESS PORT
 *
 * connections: one after the other, each sends TIME and QUIT at once, and reads the reply
 * and the end. pump: one connection, on which it sends TIME as fast as the server takes
 * it.
 */
#define _GNU_SOURCE /* MSG_TRUNC */

#include <arpa/inet.h>
#include <err.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REQUEST    "TIME\r\n"
#define REPLY      "JAM [0-2][0-9]:[0-5][0-9]:[0-6][0-9]\r\n"
#define REPLY_SIZE (sizeof "JAM hh:mm:ss\r\n" - 1)

static struct sockaddr_in server;
static double end; /* when no more is begun */

static double now(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int connect_to_server(void)
{
    const struct timeval patience = {.tv_sec = 10}; /* where a server says nothing */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&server, sizeof server) < 0)
        err(EXIT_FAILURE, "connect");
    return fd;
}

static void send_all(int fd, const char *bytes, size_t length)
{
    if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        err(EXIT_FAILURE, "send");
}

static void expect_reply(int fd)
{
    char reply[REPLY_SIZE + 1] = {0};

    if (recv(fd, reply, REPLY_SIZE, MSG_WAITALL) < 0)
        err(EXIT_FAILURE, "recv");
    if (fnmatch(REPLY, reply, 0) != 0)
        errx(EXIT_FAILURE, "a wrong reply");
}

static void print(double replies, double began, double waited)
{
    printf("per_second,%.1f\n", replies / (now() - began));
    printf("first_reply_us,%.1f\n", waited * 1e6);
}

static void connections(double began)
{
    static const char requests[] = REQUEST "QUIT\r\n";
    double count = 0;
    double waited = 0;
    char more;

    do {
        double asked = now();
        int fd = connect_to_server();
        send_all(fd, requests, sizeof requests - 1);
        expect_reply(fd);
        waited += now() - asked;
        if (recv(fd, &more, 1, 0) != 0)
            errx(EXIT_FAILURE, "not just one reply");
        close(fd);
        count++;
    } while (now() < end);
    print(count, began, waited / count);
}

static _Noreturn void pump_requests(int fd)
{
    static char requests[16384 * (sizeof REQUEST - 1)];

    for (size_t i = 0; i < sizeof requests; i++)
        requests[i] = REQUEST[i % (sizeof REQUEST - 1)];
    do
        send_all(fd, requests, sizeof requests);
    while (now() < end);
    shutdown(fd, SHUT_WR);
    _exit(EXIT_SUCCESS);
}

/* But for the first reply, what comes is not even copied (MSG_TRUNC, tcp(7)), for it is
   the server that is to be measured. */
static void pump(double began)
{
    int fd = connect_to_server();
    double received = REPLY_SIZE;
    ssize_t got;
    int status;

    if (fork() == 0)
        pump_requests(fd);
    expect_reply(fd);
    double waited = now() - began;
    while ((got = recv(fd, NULL, (size_t)1 << 20, MSG_TRUNC)) > 0)
        received += (double)got;
    if (got < 0 || wait(&status) < 0 || status != 0)
        errx(EXIT_FAILURE, "no end of the replies");
    print(received / REPLY_SIZE, began, waited);
}

int main(int argc, char **argv)
{
    if (argc != 5 || inet_pton(AF_INET, argv[3], &server.sin_addr) != 1)
        errx(EXIT_FAILURE, "usage: load connections|pump SECONDS ADDRESS PORT");
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)strtoul(argv[4], NULL, 10));
    double began = now();
    end = began + strtod(argv[2], NULL);
    if (strcmp(argv[1], "pump") == 0)
        pump(began);
    else
        connections(began);
    return EXIT_SUCCESS;
}
