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
#define LENGTH       7                  /* of the strings of which all are tried */
#define LONG         (EXCERPT_SIZE + 2) /* of the longest one, before what comes next */

/* What can come: one of the 256 bytes, or one of these. */
enum { LF = '\n', DRAINED = 256, SILENCE, END, EVENTS };
static const int others[] = {LF, DRAINED, SILENCE, END};
static const char bytes_that_matter[] = {'T', 'I', 'M', 'E', 'Q', 'U', '\r', '\0', 'x'};

#define JAM     "JAM 12:34:56"
#define INVALID "Invalid request"
#define CR_LF   "\r\n"

/* What an event brings, and how long the peer may have been silent before. */
static struct {
    int64_t patience;
    size_t requests; /* handled; of those ... */
    size_t invalid;  /* ... were invalid */
    size_t length;   /* of the replies */
    char replies[32];
    size_t request_length; /* as the transcript tells it */
    char request[EXCERPT_SIZE];
    char reply[24];
} wanted, got;

/* The contract. */
struct contract {
    bool owed;
    bool closed;
    char pending[LONG + 2];
    size_t length;
};

static bool is(const char *bytes, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(bytes, word, length) == 0;
}

/* Where all is zero behind. */
static void put(char *to, const char *text)
{
    while (*text != '\0')
        *to++ = *text++;
}

static void say(const char *text)
{
    put(wanted.replies + wanted.length, text);
    wanted.length += strlen(text);
}

/* Handle the first length bytes of what is pending as a request. */
static void handle(struct contract *c, size_t length, bool terminated)
{
    bool quit = is(c->pending, length, "QUIT"), time = is(c->pending, length, "TIME");

    wanted.requests++;
    wanted.request_length = length < EXCERPT_SIZE ? length : EXCERPT_SIZE;
    memcpy(wanted.request, c->pending, wanted.request_length);
    c->length = 0;
    c->closed = quit;
    if (quit)
        return;
    wanted.invalid += !time;
    put(wanted.reply, time ? JAM CR_LF : INVALID CR_LF);
    say(time ? JAM : INVALID);
    if (terminated)
        say(CR_LF);
    c->owed = !terminated;
}

static void contract_lf(struct contract *c)
{
    if (c->owed) { /* nothing, or CR, is pending: the request was answered already */
        say(CR_LF);
        c->owed = false;
        c->length = 0;
        return;
    }
    bool cr = c->length > 0 && c->pending[c->length - 1] == '\r';
    handle(c, c->length - cr, true);
}

static void contract_silence(struct contract *c)
{
    bool half =
        is(c->pending, c->length, "TIME\r") || is(c->pending, c->length, "QUIT\r");
    if (!c->owed && c->length > 0)
        handle(c, c->length - half, false);
}

static int64_t contract_patience(const struct contract *c)
{
    if (c->length == 0 || c->owed)
        return FOREVER;
    return is(c->pending, c->length, "TIME") || is(c->pending, c->length, "QUIT")
               ? 0
               : 1000000000;
}

static void contract_event(struct contract *c, int event)
{
    memset(&wanted, 0, sizeof wanted);
    wanted.patience = contract_patience(c);
    if (c->closed)
        return;
    switch (event) {
    case LF: contract_lf(c); break;
    case SILENCE: contract_silence(c); break;
    case DRAINED:
        if (wanted.patience == 0)
            handle(c, c->length, false);
        break;
    case END:
        if (c->length > 0)
            handle(c, c->length, false);
        break;
    default:
        c->pending[c->length++] = (char)event;
        if (!is(c->pending, c->length, "\r"))
            c->owed = false;
    }
}

/* The classes, each with what stands for it: x for all that is none of the others. */
static const struct {
    const char *name, *pending;
    size_t length;
    bool owed, closed;
} classes[] = {
    {"nothing", "", 0, false, false},
    {"T", "T", 1, false, false},
    {"TI", "TI", 2, false, false},
    {"TIM", "TIM", 3, false, false},
    {"TIME", "TIME", 4, false, false},
    {"TIME CR", "TIME\r", 5, false, false},
    {"Q", "Q", 1, false, false},
    {"QU", "QU", 2, false, false},
    {"QUI", "QUI", 3, false, false},
    {"QUIT", "QUIT", 4, false, false},
    {"QUIT CR", "QUIT\r", 5, false, false},
    {"nothing, where a terminator is owed", "", 0, true, false},
    {"CR, where a terminator is owed", "\r", 1, true, false},
    {"nothing, behind QUIT", "", 0, false, true},
    {"x", "x", 1, false, false},
};

static size_t class_of(const struct contract *c)
{
    size_t i = 0;

    while (i < COUNT(classes) - 1 &&
           (classes[i].owed != c->owed || classes[i].closed != c->closed ||
            classes[i].length != c->length ||
            memcmp(classes[i].pending, c->pending, c->length) != 0))
        i++;
    return i;
}

static struct contract member(size_t class)
{
    struct contract c = {.length = classes[class].length,
                         .owed = classes[class].owed,
                         .closed = classes[class].closed};

    memcpy(c.pending, classes[class].pending, c.length);
    return c;
}

/* Whatever does not hold ends the proof, and is shown with the bytes that came before. */
static void hold(bool held, const char *what, size_t number, const char *bytes,
                 size_t length)
{
    if (held)
        return;
    printf("FAILED: %s %zu, behind %zu bytes:", what, number, length);
    for (size_t i = 0; i < length; i++)
        printf(" %02x", (unsigned char)bytes[i]);
    putchar('\n');
    exit(1);
}

/* The parser, and what it says. */
static struct output out;
static unsigned long long heard; /* requests of the transcript */

static void hear(const char *request, size_t length, const char *reply)
{
    heard++;
    got.request_length = length;
    memcpy(got.request, request, length < EXCERPT_SIZE ? length : EXCERPT_SIZE);
    put(got.reply, out.length > 0 ? "too late" : reply ? reply : "");
}

/* The owner of the parser in timesvc.c waits so, see connection_serve. */
static void parser_event(struct protocol *p, int event)
{
    const char byte = (char)event;
    const struct protocol before = *p;

    memset(&got, 0, sizeof got);
    out.length = 0;
    got.patience = protocol_patience(p);
    if (event == END)
        protocol_tail(p, &out, true);
    else if (event < DRAINED)
        protocol_feed(p, &out, &byte, 1);
    else if (got.patience <= (event == SILENCE ? TAIL_SILENCE : 0))
        protocol_tail(p, &out, false);
    got.requests = p->requests - before.requests;
    got.invalid = p->invalid - before.invalid;
    got.length = out.length;
    memcpy(got.replies, out.bytes,
           out.length < sizeof got.replies ? out.length : sizeof got.replies);
}

/* The parser has kept what is pending, up to the byte that makes it too long. */
static bool has_kept(const struct protocol *p, const struct contract *c)
{
    size_t kept = c->length < EXCERPT_SIZE ? c->length : EXCERPT_SIZE;

    return p->owed == c->owed && p->closed == c->closed &&
           p->length == kept + (c->length > EXCERPT_SIZE) &&
           memcmp(p->request, c->pending, kept) == 0;
}

static unsigned long checked;

/* What is the same for all members of a class: the replies, and the next class. */
static struct outcome {
    char replies[sizeof wanted.replies];
    size_t next;
} outcomes[COUNT(classes)][EVENTS];

/* Let an event come to both; both go on. */
static void check(struct contract *c, struct protocol *p, int event)
{
    const struct contract before = *c;
    const struct outcome *outcome = &outcomes[class_of(c)][event];

    contract_event(c, event);
    parser_event(p, event);
    checked++;
    hold(has_kept(p, c) && memcmp(&got, &wanted, sizeof got) == 0 &&
             outcome->next == class_of(c) &&
             strcmp(outcome->replies, wanted.replies) == 0,
         before.owed ? "where a terminator is owed, event" : "event", (size_t)event,
         before.pending, before.length);
}

static void check_all(const struct contract *c, const struct protocol *p)
{
    for (int event = 0; event < EVENTS; event++) {
        struct contract next = *c;
        struct protocol parser = *p;
        check(&next, &parser, event);
    }
}

/* Bytes that may mislead a rule: they are left behind by earlier requests, or go on. */
static const char *const patterns[] = {"", "x", "\r", "TIME\r", "QUIT\r", "TIMEQUIT"};

static char pattern_byte(const char *pattern, size_t at)
{
    return pattern[*pattern == '\0' ? 0 : at % strlen(pattern)];
}

static void prove_class(size_t class, const char *left_behind)
{
    const struct contract c = member(class);
    struct protocol p = {.time_reply = JAM CR_LF,
                         .handled = hear,
                         .length = c.length,
                         .owed = c.owed,
                         .closed = c.closed};

    for (size_t i = 0; i < EXCERPT_SIZE; i++)
        p.request[i] = pattern_byte(left_behind, i);
    memcpy(p.request, c.pending, c.length);
    check_all(&c, &p);
}

static void prove_classes(void)
{
    printf("What can be pending is one of %zu classes:", COUNT(classes));
    for (size_t i = 0; i < COUNT(classes); i++) {
        printf("%s %s", i > 0 ? ";" : "", classes[i].name);
        for (int event = 0; event < EVENTS; event++) {
            struct contract next = member(i);
            contract_event(&next, event);
            put(outcomes[i][event].replies, wanted.replies);
            outcomes[i][event].next = class_of(&next);
        }
    }
    puts(" (which stands for all else).");
    for (size_t i = 0; i < COUNT(classes); i++)
        for (size_t j = 0; j < COUNT(patterns); j++)
            prove_class(i, patterns[j]);
    printf(
        "Proved for each: each of the 256 bytes, each pause and the end of input brings "
        "the replies, the count and the class that the contract demands, whatever was "
        "left behind by earlier requests.\n");
}

/* All that begins with what is pending. */
static void walk(const struct contract *c, const struct protocol *p, size_t length)
{
    for (size_t i = 0; i < COUNT(others); i++) {
        struct contract next = *c;
        struct protocol parser = *p;
        check(&next, &parser, others[i]);
    }
    for (size_t i = 0; c->length < length && i < COUNT(bytes_that_matter); i++) {
        struct contract next = *c;
        struct protocol parser = *p;
        check(&next, &parser, (unsigned char)bytes_that_matter[i]);
        walk(&next, &parser, length);
    }
}

static void prove_alike(size_t length)
{
    for (size_t owed = 0; owed < 2; owed++) {
        const struct contract c = {.owed = owed};
        const struct protocol p = {
            .time_reply = JAM CR_LF, .handled = hear, .owed = owed};
        walk(&c, &p, length);
    }
    printf(
        "Tried, and alike within each class: all that begins with up to %zu bytes out of "
        "T I M E Q U CR NUL x, also where a terminator is owed, %lu steps.\n",
        length, checked);
}

static bool same_state(const struct protocol *p, const struct protocol *q)
{
    size_t kept = p->length < EXCERPT_SIZE ? p->length : EXCERPT_SIZE;

    return p->length == q->length && memcmp(p->request, q->request, kept) == 0 &&
           p->owed == q->owed && p->closed == q->closed && p->requests == q->requests &&
           p->invalid == q->invalid;
}

/* Where a request is longer than its excerpt, the parser is as it was before the byte. */
static void prove_saturated(const struct protocol *p)
{
    for (int byte = 0; byte < 256; byte++) {
        struct protocol next = *p;
        out.length = 0;
        protocol_byte(&next, &out, (char)byte);
        hold(byte == LF || (out.length == 0 && same_state(&next, p)),
             "what is changed by byte", (size_t)byte, p->request, EXCERPT_SIZE);
    }
}

/* Each length up to where it no longer matters, each pattern, a CR last or not. */
static void prove_long(void)
{
    for (size_t i = 0; i < COUNT(patterns); i++) {
        struct contract c = {0};
        struct protocol p = {.time_reply = JAM CR_LF, .handled = hear};

        while (c.length < LONG) {
            struct contract with_cr = c;
            struct protocol parser = p;
            check(&with_cr, &parser, '\r');
            check_all(&with_cr, &parser);
            check(&c, &p, (unsigned char)pattern_byte(patterns[i], c.length));
            check_all(&c, &p);
            if (c.length > EXCERPT_SIZE)
                prove_saturated(&p);
        }
    }
    printf("Run, not proved: requests of each length up to %d bytes, with %zu patterns "
           "of bytes, and the transcript of them. Proved: from %d bytes on a byte more "
           "changes nothing in the parser, so that these stand for any length.\n",
           LONG, COUNT(patterns), EXCERPT_SIZE + 1);
}

#define ROUNDS 65536UL /* of two requests */

/*
 * However many requests come at once, the replies to them never exceed their room; with
 * a transcript they come one by one, and each request is in it.
 */
static void try_bounds(bool transcript)
{
    static const char round[] = "x\nTIME\r\n", replies[] = INVALID CR_LF JAM CR_LF;
    static char requests[ROUNDS * (sizeof round - 1)];
    struct protocol p = {.time_reply = JAM CR_LF, .handled = transcript ? hear : NULL};
    size_t taken = 0, said = 0;

    for (size_t i = 0; i < sizeof requests; i++)
        requests[i] = round[i % (sizeof round - 1)];
    heard = 0;
    for (; taken < sizeof requests; said += out.length) {
        out.length = 0;
        taken += protocol_feed(&p, &out, requests + taken, sizeof requests - taken);
        hold(out.length > 0 && out.length <= (transcript ? REPLY_MAX : OUTPUT_SIZE),
             "bytes of replies at once:", out.length, round, sizeof round - 1);
    }
    hold(said == ROUNDS * (sizeof replies - 1) && p.requests == 2 * ROUNDS &&
             heard == (transcript ? p.requests : 0),
         "bytes of replies in all:", said, round, sizeof round - 1);
}

/* What protocol_feed does, without its short way. */
static size_t feed_by_byte(struct protocol *p, struct output *replies, const char *input,
                           size_t length)
{
    size_t taken = 0;
    while (taken < length && !p->closed && replies->length <= OUTPUT_SIZE - REPLY_MAX)
        protocol_byte(p, replies, input[taken++]);
    return taken;
}

static unsigned long compared;

/*
 * The short way and the long one do the same with this input, where so many bytes of
 * replies wait already.
 */
static void compare(const char *input, size_t length, size_t waiting)
{
    static struct output fast, slow;

    for (size_t owed = 0; owed < 2; owed++) {
        struct protocol p = {.time_reply = JAM CR_LF, .owed = owed}, q = p;
        fast.length = slow.length = waiting;
        compared++;
        hold(protocol_feed(&p, &fast, input, length) ==
                     feed_by_byte(&q, &slow, input, length) &&
                 same_state(&p, &q) && fast.length == slow.length &&
                 fast.length <= OUTPUT_SIZE &&
                 memcmp(fast.bytes + waiting, slow.bytes + waiting,
                        slow.length - waiting) == 0,
             "the short way, replies waiting:", waiting, input, length);
    }
}

#define TIMES "TIME\r\nTIME\r\nTIME\r\n"

/* Three rounds with any byte in any place, cut anywhere, with any room for replies. */
static void try_short_way(void)
{
    for (size_t at = 0; at < sizeof TIMES - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char input[] = TIMES;
            input[at] = (char)byte;
            for (size_t length = 0; length < sizeof TIMES; length++)
                for (size_t room = 0; room <= 4 * REPLY_MAX; room++)
                    compare(input, length, OUTPUT_SIZE - room);
        }
    }
    printf("Run, not proved: the short way for TIME CR LF does just what is done byte by "
           "byte, and keeps to its room, with each of %lu inputs.\n",
           compared);
}

int main(int argc, char **argv)
{
    size_t length = argc > 1 ? strtoul(argv[1], NULL, 10) : LENGTH;

    if (length > LENGTH)
        return EX_USAGE;
    prove_classes();
    prove_alike(length);
    prove_long();
    try_bounds(false);
    try_bounds(true);
    try_short_way();
    return 0;
}
