/*
 * A target for libFuzzer and AFL++: a proxy's header is judged by its bytes alone,
 * however many of them were seen before, and only a peer that is an address gets from it
 * into the log.
 */
#define main timesvc_main
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

#include <assert.h>

/* What the parser says of a copy that ends where its array does, so that a sanitizer sees
   it read any further. Only a header names a peer. */
static int ask(const uint8_t *bytes, size_t length, struct peer *peer)
{
    static char copies[PROXY_MAX];
    char *copy = copies + sizeof copies - length;

    memcpy(copy, bytes, length);
    *peer = (struct peer){.port = 0};
    int header = proxy_header(copy, length, peer);
    assert(header >= -1 && header <= 1);
    assert(header == 1 || (*peer->address == '\0' && peer->port == 0));
    return header;
}

/* A header ends at the first CR LF, and has named an address, unless that is UNKNOWN. */
static void judge_header(const uint8_t *bytes, size_t length, const struct peer *peer)
{
    struct in6_addr address;

    assert(memcmp(bytes, "PROXY ", strlen("PROXY ")) == 0);
    assert(!memchr(bytes, '\0', length));
    assert(memchr(bytes, '\n', length) == bytes + length - 1 &&
           bytes[length - 2] == '\r');
    if (memcmp(bytes, "PROXY UNKNOWN", strlen("PROXY UNKNOWN")) == 0)
        assert(*peer->address == '\0');
    else
        assert(inet_pton(AF_INET, peer->address, &address) == 1 ||
               inet_pton(AF_INET6, peer->address, &address) == 1);
    assert(peer->port <= UINT16_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t most = size < PROXY_MAX ? size : PROXY_MAX;
    struct peer peer;
    size_t length = 0;
    int header = 0;

    /* As connection_header does, which asks after each byte. */
    while (header == 0 && length < most)
        header = ask(data, ++length, &peer);
    assert(header != 0 || (most < PROXY_MAX && !memchr(data, '\n', most)));
    if (header == 1)
        judge_header(data, length, &peer);
    /* Who reads on to the end of the line is told the same. */
    while (header == -1 && length < most && data[length - 1] != '\n') {
        header = ask(data, ++length, &peer);
        assert(header == -1);
    }
    return 0;
}
