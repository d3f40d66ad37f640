#define _POSIX_C_SOURCE 200809L
#include "interrupt.h"

#include <signal.h>
#include <string.h>

/* The only kind of variable that a signal handler may write. */
static volatile sig_atomic_t mark;

static void on_interrupt(int number)
{
    (void)number;
    mark = 1;
}

void interrupt_catch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends the program */
    mark = 0;
    sigaction(SIGINT, &action, NULL);
}

int interrupted(void)
{
    return mark;
}
