/*
 * How far a training run is: one line that is drawn over itself when standard
 * output is a terminal, about twenty plain lines when it is a pipe or a file.
 */
#ifndef EXAMPLES_COMMON_PROGRESS_H
#define EXAMPLES_COMMON_PROGRESS_H

#include <stddef.h>

typedef struct progress {
    size_t total;
    size_t drawn; /* iterations at the last plain line */
    size_t first; /* iterations before the beginning */
    double start; /* seconds on the clock at the beginning */
    double last;  /* ... and when the bar was last drawn */
    int terminal;
} progress;

/* Seconds on a clock that nobody sets. */
double seconds_now(void);

/* Begins, with so many iterations already over. */
void progress_begin(progress *p, size_t total, size_t done);

/* Says that `done` iterations are over, and the last energies. */
void progress_update(progress *p, size_t done, double e_pos, double e_neg);

/* Leaves the bar's line; call it before printing anything else. */
void progress_end(progress *p);

/* Seconds since progress_begin(). */
double progress_seconds(const progress *p);

#endif
