#include "cli/signal.h"

#include <signal.h>
#include <stddef.h>

/* A handler has nowhere else to write to. */
static volatile sig_atomic_t caught;

static void handle(int number)
{
    caught = number;
}

void signal_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE};
    struct sigaction action = {.sa_handler = handle};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        /* Another write into the same pipe must not end what the first one is about to cancel. */
        action.sa_flags = numbers[i] == SIGPIPE ? SA_RESTART : (int)SA_RESETHAND | SA_RESTART;
        sigaction(numbers[i], &action, NULL);
    }
}

int signal_caught(void)
{
    return caught;
}
