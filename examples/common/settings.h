/*
 * The options that every lesson has, read beside those of its own.
 */
#ifndef EXAMPLES_COMMON_SETTINGS_H
#define EXAMPLES_COMMON_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "options.h"

enum { BUFFER_STATES = 8192 }; /* what a lesson's replay buffer holds */

typedef struct settings {
    const char *data, *out;
    uint64_t iterations, batch, seed, threads;
    /* Of programs that can use another network: see colour.h. */
    const char *preset, *variant;
    uint64_t width;
    size_t buffer; /* what the replay buffer holds */
} settings;

/* Reads the command line, the lesson's own options into the targets of their
   rows. */
settings settings_parse(int argc, char **argv, const char *intro,
                        const option_row *own, size_t count);

#endif
