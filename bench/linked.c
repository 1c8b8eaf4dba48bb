/*
 * linked - what a program costs that is linked as timesvc is, and does next to nothing:
 * it has one reply to any six bytes, and ends where the last six begin with Q.
 */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_SIZE (sizeof "TIME\r\n" - 1)
#define REPLY        "JAM 00:00:00\r\n"
#define REPLY_SIZE   (sizeof REPLY - 1)
#define REPLIES_MAX  4096

int main(void)
{
    static char input[REPLIES_MAX * REQUEST_SIZE];
    static char replies[(REPLIES_MAX + 1) * REPLY_SIZE];
    size_t filled = 0;  /* bytes of replies */
    size_t pending = 0; /* bytes without a reply */
    bool quit = false;
    ssize_t got;

    while (!quit && (got = read(STDIN_FILENO, input, sizeof input)) > 0) {
        size_t length = (size_t)got;
        quit = length >= REQUEST_SIZE && input[length - REQUEST_SIZE] == 'Q';
        pending += quit ? length - REQUEST_SIZE : length;
        size_t due = pending / REQUEST_SIZE * REPLY_SIZE;
        pending %= REQUEST_SIZE;
        for (; filled < due; filled += REPLY_SIZE)
            memcpy(replies + filled, REPLY, REPLY_SIZE);
        for (size_t sent = 0; sent < due;) {
            ssize_t written = write(STDOUT_FILENO, replies + sent, due - sent);
            if (written < 0)
                return 1;
            sent += (size_t)written;
        }
    }
    return 0;
}
