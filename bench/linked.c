/*
 * linked - the floor again, but linked as timesvc is, to the same libraries: what remains
 * of a start is the dynamic loader's work.
 */
#include <string.h>
#include <unistd.h>

#define REQUEST_SIZE (sizeof "TIME\r\n" - 1)

int main(void)
{
    static const char reply[] = "JAM 00:00:00\r\n";
    char request[2 * REQUEST_SIZE];

    for (;;) {
        ssize_t length = read(STDIN_FILENO, request, sizeof request);
        if (length <= 0 || request[0] == 'Q')
            return 0;
        if (write(STDOUT_FILENO, reply, strlen(reply)) < 0)
            return 1;
        if ((size_t)length > REQUEST_SIZE && request[REQUEST_SIZE] == 'Q')
            return 0;
    }
}
