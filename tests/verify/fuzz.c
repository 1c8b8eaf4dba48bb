/*
 * A target for libFuzzer and AFL++: one input stream brings one output stream, however it
 * is cut, however long a request waits for its terminator, and with a transcript or
 * without, where the parser has a short way. The first bytes of the fuzzer's input say
 * where to cut, the rest is the stream. Whatever comes also has to be harmless in the
 * log.
 */
#define main timesvc_main
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

#include <assert.h>

#define JAM  "JAM 12:34:56\r\n"
#define CUTS 4

/* All that the parser says, up to the end of input. */
struct said {
    size_t length;
    char bytes[1 << 20];
};

/* A request in a record is harmless: it neither ends a field nor controls a terminal. */
static void hear(const char *request, size_t length, const char *reply)
{
    char escaped[4 * EXCERPT_SIZE + 1];

    assert(length <= EXCERPT_SIZE);
    assert(!reply || strcmp(reply, JAM) == 0 || strcmp(reply, INVALID_REPLY) == 0);
    escape(escaped, request, length);
    for (const char *byte = escaped; *byte != '\0'; byte++)
        assert(*byte > ' ' && *byte <= '~');
}

static void take(struct said *said, struct output *out)
{
    assert(said->length + out->length <= sizeof said->bytes);
    memcpy(said->bytes + said->length, out->bytes, out->length);
    said->length += out->length;
    out->length = 0;
}

/* What is left of the stream begins with the terminator of the tail, or nothing is left:
   then it makes no difference whether the tail is handled now. */
static bool is_tail(const struct protocol *p, const uint8_t *rest, size_t length)
{
    bool half = request_is(p, "TIME\r") || request_is(p, "QUIT\r");

    if (protocol_patience(p) == FOREVER)
        return false;
    if (length == 0)
        return !half;
    return rest[0] == '\n' || (!half && length > 1 && memcmp(rest, "\r\n", 2) == 0);
}

/* Feed the stream in pieces that end at these cuts, the last of which is its end. */
static void feed(struct protocol p, struct said *said, const uint8_t *stream,
                 const size_t *cuts, size_t count)
{
    static struct output out;
    const size_t length = cuts[count - 1];
    size_t at = 0;

    said->length = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < cuts[i] && !p.closed) {
            at += protocol_feed(&p, &out, (const char *)stream + at, cuts[i] - at);
            take(said, &out);
        }
        if (!p.closed && is_tail(&p, stream + at, length - at))
            protocol_tail(&p, &out, false);
    }
    protocol_tail(&p, &out, true);
    take(said, &out);
    assert(p.invalid <= p.requests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct protocol plain = {.time_reply = JAM},
                                 transcript = {.time_reply = JAM, .handled = hear};
    static struct said whole, pieces;
    const uint8_t *stream = data + CUTS;
    size_t cuts[CUTS + 1], at = 0;

    if (size < CUTS || size > 1 << 15)
        return 0;
    cuts[CUTS] = size - CUTS;
    for (size_t i = 0; i < CUTS; i++) {
        at += data[i];
        cuts[i] = at < cuts[CUTS] ? at : cuts[CUTS];
    }
    feed(plain, &whole, stream, cuts + CUTS, 1);
    for (int i = 0; i < 2; i++) {
        feed(i == 0 ? plain : transcript, &pieces, stream, cuts, CUTS + 1);
        assert(pieces.length == whole.length &&
               memcmp(pieces.bytes, whole.bytes, whole.length) == 0);
    }
    return 0;
}
