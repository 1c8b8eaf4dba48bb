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

#define JAM  "JAM 12:34:56\r\n"
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

/* A request in a record: harmless as text, and just one field of the journal's. */
static void hear(const char *request, size_t length, const char *reply)
{
    char escaped[4 * EXCERPT_SIZE + 1], fields[FIELDS_SIZE];
    char message[2 * FIELDS_SIZE + 256];
    size_t lines = 0;

    check(length <= EXCERPT_SIZE);
    check(!reply || strcmp(reply, JAM) == 0 || strcmp(reply, INVALID_REPLY) == 0);
    escape(escaped, request, length);
    for (const char *byte = escaped; *byte != '\0'; byte++)
        check(*byte > ' ' && *byte <= '~');
    sprintf(fields, "\nrequest=%s", escaped);
    size_t size = log_for_journal(message, REQUEST, "request", fields);
    for (size_t i = 0; i < size; i++)
        lines += message[i] == '\n';
    check(lines == 5 && message[size - 1] == '\n');
}

static void take(struct said *said, struct output *out)
{
    check(said->length + out->length <= sizeof said->bytes);
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
    check(p.invalid <= p.requests);
}

static bool same(const struct said *a, const struct said *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct protocol plain = {.time_reply = JAM};
    static const struct protocol transcript = {.time_reply = JAM, .handled = hear};
    static struct said whole, pieces, reported;
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
    feed(plain, &pieces, stream, cuts, CUTS + 1);
    feed(transcript, &reported, stream, cuts, CUTS + 1);
    check(same(&whole, &pieces) && same(&whole, &reported));
    return 0;
}
