/*
 * unparsed - a pump's other end that takes all input for TIME CR LF without a look at it:
 * for each six bytes a reply. What it reaches is what the machine can carry to and fro.
 */
#include <string.h>
#include <unistd.h>

#define REQUEST_SIZE (sizeof "TIME\r\n" - 1)
#define REPLY        "JAM 00:00:00\r\n"
#define REPLY_SIZE   (sizeof REPLY - 1)
#define REPLIES_MAX  4096
#define INPUT_SIZE   (REPLIES_MAX * REQUEST_SIZE)

int main(void)
{
    static char input[INPUT_SIZE];
    static char replies[(REPLIES_MAX + 1) * REPLY_SIZE];
    size_t pending = 0; /* bytes without a reply */
    ssize_t length;

    for (size_t i = 0; i <= REPLIES_MAX; i++)
        memcpy(replies + i * REPLY_SIZE, REPLY, REPLY_SIZE);
    while ((length = read(STDIN_FILENO, input, sizeof input)) > 0) {
        pending += (size_t)length;
        size_t due = pending / REQUEST_SIZE * REPLY_SIZE;
        pending %= REQUEST_SIZE;
        for (size_t sent = 0; sent < due;) {
            ssize_t written = write(STDOUT_FILENO, replies + sent, due - sent);
            if (written < 0)
                return 1;
            sent += (size_t)written;
        }
    }
    return length < 0;
}
