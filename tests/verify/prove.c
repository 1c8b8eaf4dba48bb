/*
 * A proof that the parser of timesvc.c is the wire contract, in two parts.
 *
 * The contract is written down anew below, as rules over strings: what has come of the
 * current request (pending, which never holds an LF) and whether the terminator of an
 * answered tail is still owed. The parser knows 15 states instead. What each state stands
 * for is meaning().
 *
 * Exhaustive: for every pending string of up to LENGTH bytes out of those that matter,
 * and whatever comes next, the parser replies, reports and goes on as the contract has
 * it. Every input of so many bytes, in every cut and with every order of pauses, is a
 * walk along these.
 *
 * Unbounded: the same for each state and each of the 256 bytes. States stand for one
 * string each, but for INVALID, which stands for all that is no prefix of TIME CR or QUIT
 * CR; no byte more makes such a string a prefix. So the walk may be of any length.
 */
#define main timesvc_main
#include "../../timesvc.c" // NOLINT(bugprone-suspicious-include): its functions are static
#undef main

#define LENGTH 8

/* What can come: a byte that is no LF, or one of these. */
enum { LF = '\n', DRAINED = 256, SILENCE, END };
static const int others[] = {LF, DRAINED, SILENCE, END};
static const int bytes_that_matter[] = {'T', 'I', 'M', 'E', 'Q', 'U', '\r', '\0', 'x'};

#define JAM "JAM 12:34:56"

/* The contract. */
struct contract {
    bool owed;
    bool closed;
    char pending[LENGTH + 2];
    size_t length;

    /* What the last event brought. */
    char reply[32];
    size_t reply_length;
    int requests;
    char request[LENGTH + 2];
    size_t request_length;
};

static bool is(const char *bytes, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(bytes, word, length) == 0;
}

static void say(struct contract *c, const char *text)
{
    memcpy(c->reply + c->reply_length, text, strlen(text));
    c->reply_length += strlen(text);
}

/* Handle the first length bytes of what is pending as a request. */
static void handle(struct contract *c, size_t length, bool terminated)
{
    memcpy(c->request, c->pending, length);
    c->request_length = length;
    c->requests++;
    c->length = 0;
    if (is(c->request, length, "QUIT")) {
        c->closed = true;
        return;
    }
    say(c, is(c->request, length, "TIME") ? JAM : "Invalid request");
    if (terminated)
        say(c, "\r\n");
    c->owed = !terminated;
}

static void contract_lf(struct contract *c)
{
    if (c->owed) { /* nothing, or CR, is pending: the end of the request answered already
                    */
        say(c, "\r\n");
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

static void contract_event(struct contract *c, int event)
{
    c->reply_length = 0;
    c->requests = 0;
    switch (event) {
    case LF: contract_lf(c); break;
    case SILENCE: contract_silence(c); break;
    case DRAINED:
        if (!c->owed &&
            (is(c->pending, c->length, "TIME") || is(c->pending, c->length, "QUIT")))
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

/* The one state that stands for this. */
static enum state meaning(const struct contract *c)
{
    static const char *const words[] = {
        [START] = "",         [T] = "T",
        [TI] = "TI",          [TIM] = "TIM",
        [TIME] = "TIME",      [Q] = "Q",
        [QU] = "QU",          [QUI] = "QUI",
        [QUIT] = "QUIT",      [TIME_CR] = "TIME\r",
        [QUIT_CR] = "QUIT\r",
    };

    if (c->closed)
        return CLOSED;
    if (c->owed)
        return c->length == 0 ? OWED : OWED_CR;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i] && is(c->pending, c->length, words[i]))
            return (enum state)i;
    return INVALID;
}

/* The parser: its state, and what it said. */
static struct {
    int count;
    size_t length;
    char bytes[EXCERPT_SIZE];
} heard;

static void hear(void *context, const char *request, size_t length, const char *reply)
{
    (void)context;
    (void)reply;
    heard.count++;
    heard.length = length;
    memcpy(heard.bytes, request, length);
}

/* The owner of the parser in timesvc.c waits so, see connection_serve. */
static void parser_event(struct protocol *p, struct output *out, int event)
{
    int64_t patience = protocol_patience(p);
    char byte = (char)event;

    out->length = 0;
    heard.count = 0;
    if (event == END)
        protocol_tail(p, out, true);
    else if (event == DRAINED || event == SILENCE) {
        if (patience <= (event == SILENCE ? TAIL_SILENCE : 0))
            protocol_tail(p, out, false);
    } else
        protocol_feed(p, out, &byte, 1);
}

static unsigned long checked;

static void fail(const struct contract *c, int event, const char *what)
{
    printf("not the contract's: the %s, where %zu bytes are pending:", what, c->length);
    for (size_t i = 0; i < c->length; i++)
        printf(" %02x", (unsigned char)c->pending[i]);
    printf("%s and %d comes\n", c->owed ? ", a terminator is owed," : "", event);
    exit(1);
}

/* Let an event come to both; both go on. */
static void check(struct contract *c, struct protocol *p, int event)
{
    static struct output out;
    const struct contract before = *c;

    contract_event(c, event);
    parser_event(p, &out, event);
    checked++;
    if (p->state != meaning(c) && event != END)
        fail(&before, event, "state");
    if (out.length != c->reply_length || memcmp(out.bytes, c->reply, out.length) != 0)
        fail(&before, event, "reply");
    if (heard.count != c->requests ||
        (heard.count > 0 && (heard.length != c->request_length ||
                             memcmp(heard.bytes, c->request, heard.length) != 0)))
        fail(&before, event, "transcript");
}

static void check_others(const struct contract *c, const struct protocol *p)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct contract next = *c;
        struct protocol parser = *p;
        check(&next, &parser, others[i]);
    }
}

/* All that begins with what is pending. */
static void walk(const struct contract *c, const struct protocol *p, size_t length)
{
    check_others(c, p);
    for (size_t i = 0;
         c->length < length && i < sizeof bytes_that_matter / sizeof bytes_that_matter[0];
         i++) {
        struct contract next = *c;
        struct protocol parser = *p;
        check(&next, &parser, bytes_that_matter[i]);
        walk(&next, &parser, length);
    }
}

/* Whatever comes now, the request behind it is handled, and reported, by itself. */
static void check_next_request(const struct contract *c, const struct protocol *p)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0] && others[i] != END; i++) {
        struct contract next = *c;
        struct protocol parser = *p;
        check(&next, &parser, others[i]);
        if (next.closed)
            continue;
        check(&next, &parser, 'x');
        check(&next, &parser, LF);
    }
}

/* Every byte and event, where this word is pending. Returns the parser's state. */
static enum state check_bytes(bool owed, const char *word)
{
    struct contract c = {.owed = owed};
    struct protocol p = {
        .time_reply = JAM, .state = owed ? OWED : START, .handled = hear};

    for (; *word != '\0'; word++)
        check(&c, &p, *word);
    check_others(&c, &p);
    check_next_request(&c, &p);
    for (int byte = 0; byte < 256; byte++) {
        struct contract next = c;
        struct protocol parser = p;
        check(&next, &parser, byte);
    }
    return p.state;
}

static void prove_unbounded(void)
{
    static const char *const words[] = {"",       "T", "TI",   "TIM", "TIME",
                                        "TIME\r", "Q", "QU",   "QUI", "QUIT",
                                        "QUIT\r", "x", "TIMEx"};
    bool seen[CLOSED + 1] = {[CLOSED] = true}; /* nothing comes to it any more */

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        seen[check_bytes(false, words[i])] = true;
    seen[check_bytes(true, "")] = true;
    seen[check_bytes(true, "\r")] = true;
    for (enum state state = START; state <= CLOSED; state++) {
        if (!seen[state]) {
            printf("state %d was not reached\n", (int)state);
            exit(1);
        }
    }
    for (int byte = 0; byte < 256; byte++) {
        if (protocol_next(CLOSED, (char)byte) != CLOSED)
            exit(1);
    }
    printf(
        "Proved for input of any length, in any cut, with any pauses: in each of the %d "
        "states of the parser each of the 256 bytes, each pause and the end of input "
        "brings "
        "the reply and the state that the contract demands.\n",
        (int)CLOSED);
}

/* However many requests come at once, the replies to them never exceed their room. */
static void prove_bounded(void)
{
    static char requests[4 * OUTPUT_SIZE];
    static struct output out;
    struct protocol p = {.time_reply = JAM, .state = START};
    size_t taken = 0, replies = 0;

    for (size_t i = 0; i < sizeof requests; i++)
        requests[i] = i % 2 == 0 ? 'x' : '\n';
    while (taken < sizeof requests) {
        out.length = 0;
        taken += protocol_feed(&p, &out, requests + taken, sizeof requests - taken);
        if (out.length > OUTPUT_SIZE || out.length % REPLY_MAX != 0) {
            printf("%zu bytes of replies at once\n", out.length);
            exit(1);
        }
        replies += out.length / REPLY_MAX;
    }
    if (replies != sizeof requests / 2) {
        printf("%zu replies to %zu requests\n", replies, sizeof requests / 2);
        exit(1);
    }
}

/* What protocol_feed does, without its short way. */
static size_t feed_by_byte(struct protocol *p, struct output *out, const char *input,
                           size_t length)
{
    size_t taken = 0;
    while (taken < length && p->state != CLOSED && out->length <= OUTPUT_SIZE - REPLY_MAX)
        protocol_byte(p, out, input[taken++]);
    return taken;
}

static unsigned long compared;

/* The short way and the long one do the same with this input, where so many bytes of
   replies wait already. */
static void compare(const char *input, size_t length, size_t waiting)
{
    static struct output fast, slow;
    struct protocol p = {.time_reply = JAM, .state = START}, q = p;

    fast.length = slow.length = waiting;
    bool same =
        protocol_feed(&p, &fast, input, length) ==
            feed_by_byte(&q, &slow, input, length) &&
        p.state == q.state && p.requests == q.requests && p.invalid == q.invalid &&
        fast.length == slow.length &&
        memcmp(fast.bytes + waiting, slow.bytes + waiting, slow.length - waiting) == 0;
    compared++;
    if (same)
        return;
    printf("not what it is byte by byte, %zu bytes of replies waiting:", waiting);
    for (size_t i = 0; i < length; i++)
        printf(" %02x", (unsigned char)input[i]);
    putchar('\n');
    exit(1);
}

#define TIMES "TIME\r\nTIME\r\nTIME\r\n"
#define ROUND (sizeof "TIME\r\n" - 1) /* bytes */

/* Behind 0, 1 or 2 rounds of TIME CR LF all that has up to so many bytes. */
static void compare_all(size_t most)
{
    static const char bytes[] = {'T', 'I', 'M', 'E', 'Q', 'U', '\r', '\n', '\0', 'x'};
    char input[3 * ROUND + LENGTH] = TIMES;

    for (size_t rounds = 0; rounds < 3; rounds++) {
        unsigned long count = 1;
        for (size_t length = 0; length <= most; length++, count *= sizeof bytes) {
            for (unsigned long number = 0; number < count; number++) {
                unsigned long rest = number;
                for (size_t i = 0; i < length; i++, rest /= sizeof bytes)
                    input[rounds * ROUND + i] = bytes[rest % sizeof bytes];
                compare(input, rounds * ROUND + length, 0);
            }
        }
        memcpy(input, TIMES, sizeof TIMES - 1);
    }
}

/* Three rounds with any byte in any place, cut anywhere, and with any room for replies.
 */
static void compare_changed(void)
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
}

/* The short way is the long one: by trial of whatever is near TIME CR LF. */
static void prove_short_way(size_t length)
{
    compare_all(length < LENGTH ? length : LENGTH - 1);
    compare_changed();
    printf(
        "The short way for TIME CR LF does just what is done byte by byte, with each of "
        "%lu inputs.\n",
        compared);
}

/* A text is cut where its room ends, be it full by one byte more or by many. */
static void prove_cut(void)
{
    static struct text text;
    static char bytes[2 * TEXT_SIZE];

    for (size_t first = 0; first <= TEXT_SIZE; first++) {
        for (size_t more = 1; more <= sizeof bytes; more *= 2) {
            text.length = 0;
            text_bytes(&text, bytes, first);
            text_bytes(&text, bytes, more);
            if (text.length != (first + more < TEXT_SIZE ? first + more : TEXT_SIZE)) {
                printf("a text of %zu bytes\n", text.length);
                exit(1);
            }
        }
    }
}

int main(int argc, char **argv)
{
    size_t length = argc > 1 ? strtoul(argv[1], NULL, 10) : LENGTH;
    const struct contract nothing = {0}, owed = {.owed = true};
    const struct protocol start = {.time_reply = JAM, .state = START, .handled = hear};
    const struct protocol tail = {.time_reply = JAM, .state = OWED, .handled = hear};

    if (length > LENGTH)
        return EX_USAGE;
    walk(&nothing, &start, length);
    walk(&owed, &tail, length);
    printf(
        "Tried all that begins with up to %zu bytes out of T I M E Q U CR NUL x, or with "
        "these behind an answered tail, %lu steps: each is the contract's.\n",
        length, checked);
    prove_unbounded();
    prove_bounded();
    prove_cut();
    prove_short_way(length);
    return 0;
}
