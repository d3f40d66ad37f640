/*
 * Runs that can be stopped at any moment and go on as if they had not been:
 * the options --checkpoint, --every and --resume, and what is behind them.
 */
#ifndef EXAMPLES_COMMON_RESUME_H
#define EXAMPLES_COMMON_RESUME_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

#include "options.h"

struct lesson;

enum { RESUME_EVERY = 100, RESUME_SETTINGS = 12 };

typedef struct resume {
    const char *checkpoint, *from; /* files, or NULL */
    uint64_t every;                /* iterations */
    /* Options that decide what a run is: a run goes on with the same ones. */
    struct {
        const char *name;
        uint64_t value;
    } settings[RESUME_SETTINGS];
    size_t count;
    ebm_checkpoint *run; /* the lesson's objects */
    size_t saved;        /* iterations that the file has */
} resume;

/* For the table of a program's own options, with resume r = RESUME_INITIAL. */
/* clang-format off */
#define RESUME_INITIAL {.every = RESUME_EVERY}
#define RESUME_OPTIONS(r)                                                     \
    {"checkpoint", "FILE", "save the run there as it goes",                   \
     .text = &(r)->checkpoint},                                               \
    {"every", "N", "iterations from checkpoint to checkpoint",                \
     .number = &(r)->every, .minimum = 1, .maximum = 10000000},               \
    {"resume", "FILE", "go on from a checkpoint", .text = &(r)->from}
/* clang-format on */

/* Options that a run must go on with, by their names. */
void resume_keep(resume *r, const char *option, uint64_t value);
void resume_keep_real(resume *r, const char *option, double value);

/* Ends the program when options for training were given and it will not
   train, or when the checkpoint could not be written. */
void resume_check(const resume *r, int trains);

/* Collects the lesson's objects, and puts those of the file to resume from
   where they were: l->done is the iteration then. */
void resume_begin(resume *r, struct lesson *l);

/* Whether it is time to save, or `now`, and the file does not have this
   iteration already; and saving. */
int resume_is_due(const resume *r, const struct lesson *l, int now);
void resume_save(resume *r, const struct lesson *l);

void resume_end(resume *r);

#endif
