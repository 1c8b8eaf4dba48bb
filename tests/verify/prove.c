/*
 * A proof that the parser of timesvc.c is the wire contract, by induction over the input.
 *
 * The contract is written down anew below, as rules over strings: what has come of the
 * current request (pending, which never holds an LF) and whether the terminator of an
 * answered tail is still owed.
 *
 *   1. Inputs fall into finitely many classes, see classes[]. For what stands for each,
 *      whatever comes next brings the replies and the class that the contract demands.
 *   2. No rule tells the members of a class apart. All classes but one have a single
 *      member. The many of the other are those that are no prefix of TIME CR or QUIT CR:
 *      all short ones are tried, and some of each length up to that from which on a byte
 *      more changes nothing in the parser.
 */
#define main timesvc_main
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define LENGTH       "7"                /* of the strings of which all are tried */
#define LONG         (EXCERPT_SIZE + 2) /* of the longest one, before what comes next */
#define JAM          "JAM 12:34:56\r\n"

/* What can come: one of the 256 bytes, or one of these. */
enum { LF = '\n', DRAINED = 256, SILENCE, END, EVENTS };

/* What an event brings. */
static struct {
    int64_t patience; /* how long the peer may have been silent before */
    size_t length;    /* of the replies */
    char replies[32];
    size_t request_length; /* as the transcript tells it */
    char request[EXCERPT_SIZE];
    char reply[24];
} wanted, got;

/* The contract. */
struct contract {
    char pending[LONG + 2];
    size_t length;
    bool owed;
    bool closed;
    unsigned requests, invalid;
};

static bool is(const struct contract *c, const char *word)
{
    return c->length == strlen(word) && memcmp(c->pending, word, c->length) == 0;
}

static void say(const char *text, size_t length)
{
    memcpy(wanted.replies + wanted.length, text, length);
    wanted.length += length;
}

/* Handle what is pending as a request. */
static void handle(struct contract *c, bool terminated)
{
    const bool time = is(c, "TIME"), quit = is(c, "QUIT");
    const char *reply = time ? JAM : "Invalid request\r\n";

    c->requests++;
    wanted.request_length = c->length < EXCERPT_SIZE ? c->length : EXCERPT_SIZE;
    memcpy(wanted.request, c->pending, wanted.request_length);
    c->length = 0;
    c->closed = quit;
    if (quit)
        return;
    c->invalid += !time;
    memcpy(wanted.reply, reply, strlen(reply));
    say(reply, strlen(reply) - (terminated ? 0 : 2));
    c->owed = !terminated;
}

static void contract_event(struct contract *c, int event)
{
    const bool word = is(c, "TIME") || is(c, "QUIT");
    const bool half = is(c, "TIME\r") || is(c, "QUIT\r");

    memset(&wanted, 0, sizeof wanted);
    wanted.patience = c->length == 0 || c->owed ? FOREVER : word ? 0 : 1000000000;
    if (c->closed)
        return;
    if (event == LF &&
        c->owed) { /* nothing, or CR, is pending: it was answered already */
        say("\r\n", 2);
        c->owed = false;
        c->length = 0;
    } else if (event == LF) {
        c->length -= c->length > 0 && c->pending[c->length - 1] == '\r';
        handle(c, true);
    } else if (event < DRAINED) {
        c->pending[c->length++] = (char)event;
        c->owed = c->owed && is(c, "\r");
    } else if (c->length > 0 &&
               (event == END || (!c->owed && (event == SILENCE || word)))) {
        c->length -= event == SILENCE && half;
        handle(c, false);
    }
}

/* The classes, each with what stands for it: x for all that is none of the others. */
static const struct {
    const char *name;
    struct contract stands;
} classes[] = {
    {"nothing", {.length = 0}},
    {"T", {.pending = "T", .length = 1}},
    {"TI", {.pending = "TI", .length = 2}},
    {"TIM", {.pending = "TIM", .length = 3}},
    {"TIME", {.pending = "TIME", .length = 4}},
    {"TIME CR", {.pending = "TIME\r", .length = 5}},
    {"Q", {.pending = "Q", .length = 1}},
    {"QU", {.pending = "QU", .length = 2}},
    {"QUI", {.pending = "QUI", .length = 3}},
    {"QUIT", {.pending = "QUIT", .length = 4}},
    {"QUIT CR", {.pending = "QUIT\r", .length = 5}},
    {"nothing, where a terminator is owed", {.owed = true}},
    {"CR, where a terminator is owed", {.pending = "\r", .length = 1, .owed = true}},
    {"nothing, behind QUIT", {.closed = true}},
    {"x", {.pending = "x", .length = 1}},
};

static size_t class_of(const struct contract *c)
{
    size_t i = 0;

    for (; i < COUNT(classes) - 1; i++) {
        const struct contract *one = &classes[i].stands;
        if (one->owed == c->owed && one->closed == c->closed &&
            one->length == c->length && memcmp(one->pending, c->pending, c->length) == 0)
            break;
    }
    return i;
}

/* Whatever does not hold ends the proof, and is shown with the bytes that came before. */
static void hold(bool held, const char *what, size_t number, const char *bytes,
                 size_t length)
{
    if (held)
        return;
    printf("\nFAILED: %s %zu, behind %zu bytes:", what, number, length);
    for (size_t i = 0; i < length; i++)
        printf(" %02x", (unsigned char)bytes[i]);
    putchar('\n');
    exit(1);
}

/* The parser, and what it says. */
static struct output out;

static void hear(const char *request, size_t length, const char *reply)
{
    const char *text = out.length > 0 ? "too late" : reply ? reply : "";

    got.request_length = length;
    memcpy(got.request, request, length < EXCERPT_SIZE ? length : EXCERPT_SIZE);
    memcpy(got.reply, text, strlen(text));
}

/* The parser, as it has to be where the contract is so. */
static struct protocol parser_at(const struct contract *c)
{
    struct protocol p = {
        .time_reply = JAM,
        .handled = hear,
        .length = c->length <= EXCERPT_SIZE ? c->length : EXCERPT_SIZE + 1,
        .owed = c->owed,
        .closed = c->closed,
        .requests = c->requests,
        .invalid = c->invalid,
    };

    memcpy(p.request, c->pending, EXCERPT_SIZE);
    return p;
}

static bool same_state(const struct protocol *p, const struct protocol *q)
{
    size_t kept = p->length < EXCERPT_SIZE ? p->length : EXCERPT_SIZE;

    return p->length == q->length && memcmp(p->request, q->request, kept) == 0 &&
           p->owed == q->owed && p->closed == q->closed && p->requests == q->requests &&
           p->invalid == q->invalid;
}

/* The owner of the parser in timesvc.c waits so, see connection_serve. */
static void parser_event(struct protocol *p, int event)
{
    const char byte = (char)event;

    memset(&got, 0, sizeof got);
    out.length = 0;
    got.patience = protocol_patience(p);
    if (event == END)
        protocol_tail(p, &out, true);
    else if (event < DRAINED)
        protocol_feed(p, &out, &byte, 1);
    else if (got.patience <= (event == SILENCE ? TAIL_SILENCE : 0))
        protocol_tail(p, &out, false);
    got.length = out.length;
    memcpy(got.replies, out.bytes,
           out.length < sizeof got.replies ? out.length : sizeof got.replies);
}

/*
 * Let an event come to the contract, to what stands for its class, and to the parser: all
 * say the same and come to the same. Returns the contract behind it.
 */
static struct contract check(const struct contract *before, int event)
{
    struct contract c = *before, stands = classes[class_of(before)].stands;
    struct protocol p = parser_at(before);
    char replies[sizeof wanted.replies];

    contract_event(&stands, event);
    memcpy(replies, wanted.replies, sizeof replies);
    contract_event(&c, event);
    parser_event(&p, event);
    const struct protocol demanded = parser_at(&c);
    hold(same_state(&p, &demanded) && memcmp(&got, &wanted, sizeof got) == 0 &&
             class_of(&c) == class_of(&stands) && strcmp(replies, wanted.replies) == 0,
         before->owed ? "where a terminator is owed, event" : "event", (size_t)event,
         before->pending, before->length);
    return c;
}

static void check_all(const struct contract *c)
{
    for (int event = 0; event < EVENTS; event++)
        check(c, event);
}

/* Bytes that may mislead a rule: they are left behind by earlier requests, or go on. */
static const char *const patterns[] = {"", "x", "\r", "TIME\r", "QUIT\r", "TIMEQUIT"};

static char pattern_byte(const char *pattern, size_t at)
{
    return pattern[*pattern == '\0' ? 0 : at % strlen(pattern)];
}

static void prove_classes(void)
{
    printf("What can be pending is one of %zu classes:", COUNT(classes));
    for (size_t i = 0; i < COUNT(classes); i++) {
        printf("%s %s", i > 0 ? ";" : "", classes[i].name);
        for (size_t j = 0; j < COUNT(patterns); j++) {
            struct contract c = classes[i].stands;
            for (size_t at = c.length; at < EXCERPT_SIZE; at++)
                c.pending[at] = pattern_byte(patterns[j], at);
            check_all(&c);
        }
    }
    puts(" (which stands for all else).\n"
         "Proved for each: each of the 256 bytes, each pause and the end of input brings "
         "the replies, the count and the class that the contract demands, whatever was "
         "left behind by earlier requests.");
}

/* All that begins with what is pending. */
static void walk(const struct contract *c, size_t length)
{
    static const char bytes[] = {'T', 'I', 'M', 'E', 'Q', 'U', '\r', '\0', 'x'};
    static const int others[] = {LF, DRAINED, SILENCE, END};

    for (size_t i = 0; i < COUNT(others); i++)
        check(c, others[i]);
    for (size_t i = 0; c->length < length && i < COUNT(bytes); i++) {
        const struct contract next = check(c, bytes[i]);
        walk(&next, length);
    }
}

static void prove_alike(size_t length)
{
    walk(&(struct contract){.owed = false}, length);
    walk(&(struct contract){.owed = true}, length);
    printf("Tried, and alike within each class: all that begins with up to %zu bytes out "
           "of T I M E Q U CR NUL x, also where a terminator is owed.\n",
           length);
}

/* Each length up to where it no longer matters, each pattern, a CR last or not. */
static void prove_long(void)
{
    for (size_t i = 0; i < COUNT(patterns); i++) {
        struct contract c = {.length = 0};
        while (c.length < LONG) {
            const struct contract with_cr = check(&c, '\r');
            check_all(&with_cr);
            c = check(&c, pattern_byte(patterns[i], c.length));
            check_all(&c);
        }
    }
    printf("Run, not proved: requests of each length up to %d bytes, with %zu patterns "
           "of bytes, and the transcript of them. Proved: from %d bytes on a byte more "
           "changes nothing in the parser, so that these stand for any length.\n",
           LONG, COUNT(patterns), EXCERPT_SIZE + 1);
}

/* What protocol_feed does, without its short way. */
static size_t feed_by_byte(struct protocol *p, struct output *replies, const char *input,
                           size_t length)
{
    const size_t most = p->handled ? 0 : OUTPUT_SIZE - REPLY_MAX;
    size_t taken = 0;

    while (taken < length && !p->closed && replies->length <= most)
        protocol_byte(p, replies, input[taken++]);
    return taken;
}

/* Both do the same with this input, where there is so much room for replies. */
static void compare(struct protocol p, const char *input, size_t length, size_t room)
{
    static struct output fast, slow;
    const size_t waiting = OUTPUT_SIZE - room;
    struct protocol q = p;

    fast.length = slow.length = waiting;
    size_t taken = protocol_feed(&p, &fast, input, length);
    hold(taken == feed_by_byte(&q, &slow, input, length) && same_state(&p, &q) &&
             fast.length == slow.length && fast.length <= OUTPUT_SIZE &&
             memcmp(fast.bytes + waiting, slow.bytes + waiting, slow.length - waiting) ==
                 0,
         "the short way, replies waiting:", waiting, input, length);
}

#define TIMES "TIME\r\nTIME\r\nTIME\r\n"

/* Three rounds with any byte in any place, cut anywhere, with any room for replies. */
static void try_short_way(void)
{
    static const struct protocol plain = {.time_reply = JAM},
                                 owed = {.time_reply = JAM, .owed = true},
                                 transcript = {.time_reply = JAM, .handled = hear};

    for (size_t at = 0; at < sizeof TIMES - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char input[] = TIMES;
            input[at] = (char)byte;
            for (size_t length = 0; length < sizeof TIMES; length++) {
                compare(transcript, input, length, OUTPUT_SIZE);
                for (size_t room = 0; room <= 4 * REPLY_MAX; room++) {
                    compare(plain, input, length, room);
                    compare(owed, input, length, room);
                }
            }
        }
    }
    puts("Run, not proved: the short way for TIME CR LF does just what is done byte by "
         "byte, and keeps to its room, with any byte in any place of three requests, cut "
         "anywhere; a transcript has the replies come one by one.");
}

int main(int argc, char **argv)
{
    prove_classes();
    prove_alike(strtoul(argc > 1 ? argv[1] : LENGTH, NULL, 10));
    prove_long();
    try_short_way();
    return 0;
}
