/*
 * A chain strip: what chains look like on their way, one row a chain and one
 * column a snapshot.
 */
#ifndef EXAMPLES_COMMON_STRIP_H
#define EXAMPLES_COMMON_STRIP_H

#include <stddef.h>

#include <ebm/ebm.h>

typedef struct strip {
    size_t height, width, channels; /* of one state */
    size_t rows, columns;
    const size_t *steps; /* when the snapshots are taken, [columns] */
    size_t taken;
    float *images; /* [rows, columns, height, width, channels] */
} strip;

/* Prepares a strip of the first `rows` of these chains, and takes the
   snapshot of step 0 when that is the first in the list. Steps must rise. */
void strip_begin(strip *s, const ebm_chains *chains, size_t rows,
                 const size_t *steps, size_t columns);

/* For ebm_sampler_set_observer() after every step, with the strip as user.
   Ctrl-C stops the run, see interrupt.h. */
int strip_observe(size_t step, const ebm_chains *chains, void *user);

/* Writes the picture of values from -1 to 1 and frees the strip. Snapshots
   that were not reached stay grey. */
ebm_status strip_write(strip *s, ebm_context *context, const char *path,
                       size_t zoom);

/* Frees a strip whose images were used otherwise. */
void strip_free(strip *s);

#endif
