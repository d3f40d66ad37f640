/*
 * The dataset's inside, and what the replay buffer takes from it.
 */
#ifndef EBM_DATASET_DATASET_H
#define EBM_DATASET_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/dataset.h>

#include "core/object.h"
#include "core/record.h"

enum { EBM_DATASET_KEYS = EBM_DATASET_DEQUANTISE + 1 };

struct ebm_folder;

struct ebm_dataset {
    ebm_object object;
    size_t count;
    size_t height;
    size_t width;
    size_t channels;
    size_t elements; /* of one sample */
    /* The samples: one of these three, the others being NULL. */
    uint8_t *bytes;            /* [count, elements] of a file */
    float *floats;             /* [count, elements] of the caller */
    struct ebm_folder *folder; /* bytes in files of their own */
    int32_t *labels;           /* [count], or NULL */
    uint64_t seed;
    double values[EBM_DATASET_KEYS];
    float table[256]; /* what each byte becomes */
    uint64_t epoch;
    size_t position; /* samples of this epoch that were handed out */
    size_t *order;   /* [count]: this epoch's order */
};

/* Makes the order of an epoch and stands at its beginning. */
void ebm_dataset_begin_epoch(ebm_dataset *dataset, uint64_t epoch);

/* Whether samples must be staged before they can be had. */
int ebm_dataset_needs_stage(const ebm_dataset *dataset);

/* Everything about getting samples that can fail: reads those with the given
   numbers < count from their files, in this order; a number may come twice.
   *staged, [n, elements], is the caller's, to be given to ebm_free(); it is
   NULL when the samples are in memory anyway. Several threads may stage.
   Errors: IO, FORMAT, MEMORY. */
ebm_status ebm_dataset_stage(const ebm_dataset *dataset, const size_t *numbers,
                             size_t n, uint8_t **staged);

/* Sample number index < count, in the file's order, without noise. `staged`
   is its place in what was staged, or NULL. label may be NULL; it is 0 for a
   dataset without labels. */
void ebm_dataset_sample(const ebm_dataset *dataset, size_t index,
                        const uint8_t *staged, float *x, int32_t *label);

extern const ebm_record_ops ebm_dataset_record; /* record.c */

#endif
