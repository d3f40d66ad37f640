#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Twenty lines in a log are enough to follow a run; a bar that is redrawn
   more often than the eye sees only slows the terminal. */
static const size_t plain_lines = 20;
static const double redraw_seconds = 0.1;

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_begin(progress *p, size_t total, size_t done)
{
    *p = (progress){.total = total, .drawn = done, .first = done};
    p->terminal = isatty(STDOUT_FILENO);
    p->start = seconds_now();
    p->last = p->start - redraw_seconds;
}

double progress_seconds(const progress *p)
{
    return seconds_now() - p->start;
}

/* "4:05", or "1:02:03" from an hour on. */
static void print_duration(double seconds)
{
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (s >= 3600)
        printf("%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        printf("%lu:%02lu", s / 60, s % 60);
}

static void draw_bar(const progress *p, size_t done)
{
    enum { WIDTH = 10 }; /* the line fits into 80 columns */
    char bar[WIDTH + 1];
    size_t full = (size_t)((double)done / (double)p->total * WIDTH);
    for (size_t i = 0; i < WIDTH; i++)
        bar[i] = i < full ? '#' : '-';
    bar[WIDTH] = '\0';
    printf("\r[%s] ", bar);
}

void progress_update(progress *p, size_t done, double e_pos, double e_neg)
{
    double now = seconds_now(), elapsed = now - p->start;
    double speed = elapsed > 0.0 ? (double)(done - p->first) / elapsed : 0.0;
    size_t every = p->total < plain_lines ? 1 : p->total / plain_lines;

    if (p->terminal) {
        if (done < p->total && now - p->last < redraw_seconds)
            return;
        p->last = now;
        draw_bar(p, done);
    } else {
        if (done < p->total && done != p->first + 1 && done < p->drawn + every)
            return;
        /* The first line comes at once and the others at round numbers. */
        p->drawn = done - done % every;
        printf("iteration ");
    }
    printf("%zu/%zu  e_pos %.4f  e_neg %.4f  %.2f it/s  ETA ", done, p->total,
           e_pos, e_neg, speed);
    print_duration(speed > 0.0 ? (double)(p->total - done) / speed : 0.0);
    fputs(p->terminal ? "\x1b[K" : "\n", stdout); /* clear the old tail */
    fflush(stdout);
}

void progress_end(progress *p)
{
    if (p->terminal && p->last >= p->start)
        putchar('\n');
    fflush(stdout);
}
