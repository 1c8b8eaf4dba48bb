/*
 * A target for libFuzzer and AFL++: one input stream brings one output stream, however it
 * is cut. The first bytes of the fuzzer's input say where, the rest is the stream.
 * Whatever comes also has to be harmless in the log.
 */
#define main timesvc_main
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

#define JAM  "JAM 12:34:56"
#define CUTS 4

/* All that the parser says, up to the end of input. */
struct said {
    size_t length;
    char bytes[1 << 20];
};

static void check(bool held)
{
    if (!held)
        abort();
}

static void hear(void *context, const char *request, size_t length, const char *reply)
{
    struct record r = {0};

    (void)context;
    check(!reply || strcmp(reply, JAM) == 0 || strcmp(reply, INVALID_REPLY) == 0);
    record_bytes(&r, "request", request, length);
    check(r.length < sizeof r.text && strlen(r.text) == r.length);
    for (size_t i = 0; i < r.length; i++)
        check(r.text[i] >= ' ' && r.text[i] <= '~');
}

static void take(struct said *said, struct output *out)
{
    check(said->length + out->length <= sizeof said->bytes);
    memcpy(said->bytes + said->length, out->bytes, out->length);
    said->length += out->length;
    out->length = 0;
}

/* Feed the stream in pieces that end at these cuts, and then its end. */
static void feed(struct said *said, const uint8_t *stream, size_t length,
                 const size_t *cuts, size_t count)
{
    static struct output out;
    struct protocol p = {.time_reply = JAM, .handled = hear};
    size_t at = 0;

    said->length = 0;
    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : length;
        while (at < end && p.state != CLOSED) {
            at += protocol_feed(&p, &out, (const char *)stream + at, end - at);
            take(said, &out);
        }
    }
    protocol_end(&p, &out);
    take(said, &out);
    check(p.invalid <= p.requests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct said whole, pieces;
    size_t cuts[CUTS], at = 0;

    if (size < CUTS || size > 1 << 15)
        return 0;
    for (size_t i = 0; i < CUTS; i++) {
        at += data[i];
        cuts[i] = at < size - CUTS ? at : size - CUTS;
    }
    feed(&whole, data + CUTS, size - CUTS, cuts, 0);
    feed(&pieces, data + CUTS, size - CUTS, cuts, CUTS);
    check(whole.length == pieces.length);
    check(memcmp(whole.bytes, pieces.bytes, whole.length) == 0);
    return 0;
}
