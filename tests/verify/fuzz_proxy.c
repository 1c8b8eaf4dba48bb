/*
 * A target for libFuzzer and AFL++: a proxy's header is the same header however it is
 * cut, and only a peer that can be an address gets from it into the log. The first bytes
 * of the fuzzer's input say where the rest is cut.
 */
#define main timesvc_main
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

#define CUTS 4

static const struct peer proxy = {.address = "the proxy"};

static void check(bool held)
{
    if (!held)
        abort();
}

/* What the parser says of a copy that ends where the bytes do, so that a sanitizer sees
   it read any further. */
static ssize_t ask(const uint8_t *bytes, size_t length, struct peer *peer)
{
    char *copy = malloc(length > 0 ? length : 1);

    check(copy);
    memcpy(copy, bytes, length);
    ssize_t header = proxy_header(copy, length, peer);
    free(copy);
    check(header >= -1 && header <= PROXY_MAX && header <= (ssize_t)length);
    return header;
}

static bool same_peer(const struct peer *a, const struct peer *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* A header ends at the first CR LF, and has named an address, unless that is UNKNOWN. */
static void check_header(const uint8_t *bytes, size_t length, const struct peer *peer)
{
    struct in6_addr address;

    check(memcmp(bytes, "PROXY ", strlen("PROXY ")) == 0);
    check(!memchr(bytes, '\0', length));
    check(memchr(bytes, '\n', length) == bytes + length - 1 && bytes[length - 2] == '\r');
    if (memcmp(bytes, "PROXY UNKNOWN", strlen("PROXY UNKNOWN")) == 0)
        check(same_peer(peer, &proxy));
    else
        check(inet_pton(AF_INET, peer->address, &address) == 1 ||
              inet_pton(AF_INET6, peer->address, &address) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer whole_peer = proxy, pieces_peer = proxy;

    if (size < CUTS || size > 4096)
        return 0;
    const uint8_t *bytes = data + CUTS;
    size_t length = size - CUTS;

    ssize_t whole = ask(bytes, length, &whole_peer);
    if (whole > 0)
        check_header(bytes, (size_t)whole, &whole_peer);
    else
        check(same_peer(&whole_peer, &proxy));

    ssize_t pieces = 0;
    size_t end = 0;
    for (size_t i = 0; i < CUTS && pieces == 0; i++) {
        end += data[i];
        pieces = ask(bytes, end < length ? end : length, &pieces_peer);
    }
    if (pieces == 0)
        pieces = ask(bytes, length, &pieces_peer);
    check(pieces == whole && same_peer(&pieces_peer, &whole_peer));
    return 0;
}
