/*
 * linked - what a program costs that is linked as timesvc is, and does next to nothing:
 * it has one reply to any six bytes, and ends where the last six begin with Q.
 */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define REPLY      "JAM 00:00:00\r\n"
#define REPLY_SIZE (sizeof REPLY - 1)

enum { REQUEST_SIZE = 6, REPLIES_MAX = 4096 };

int main(void)
{
    static char input[REPLIES_MAX * REQUEST_SIZE];
    static char replies[(REPLIES_MAX + 1) * REPLY_SIZE];
    size_t filled = 0;  /* bytes of replies */
    size_t pending = 0; /* bytes without a reply */
    bool quit = false;
    ssize_t got;

    while (!quit && (got = read(STDIN_FILENO, input, sizeof input)) > 0) {
        quit = got >= REQUEST_SIZE && input[got - REQUEST_SIZE] == 'Q';
        pending += (size_t)got - (quit ? REQUEST_SIZE : 0);
        size_t due = pending / REQUEST_SIZE * REPLY_SIZE;
        pending %= REQUEST_SIZE;
        for (; filled < due; filled += REPLY_SIZE)
            memcpy(replies + filled, REPLY, REPLY_SIZE);
        if (write(STDOUT_FILENO, replies, due) != (ssize_t)due)
            return 1;
    }
    return 0;
}
