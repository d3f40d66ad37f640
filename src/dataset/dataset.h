/*
 * The dataset's inside, and what the replay buffer takes from it.
 */
#ifndef EBM_DATASET_DATASET_H
#define EBM_DATASET_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/dataset.h>

#include "core/object.h"

enum { EBM_DATASET_KEYS = EBM_DATASET_CLAMP + 1 };

struct ebm_dataset {
    ebm_object object;
    size_t count;
    size_t height;
    size_t width;
    size_t channels;
    size_t elements; /* of one sample */
    uint8_t *bytes;  /* [count, elements] of a file, or NULL */
    float *floats;   /* [count, elements] of the caller, or NULL */
    int32_t *labels; /* [count], or NULL */
    uint64_t seed;
    double values[EBM_DATASET_KEYS];
    float table[256]; /* what each byte becomes */
    uint64_t epoch;
    size_t position; /* samples of this epoch that were handed out */
    size_t *order;   /* [count]: this epoch's order */
};

/* Makes the order of an epoch and stands at its beginning. */
void ebm_dataset_begin_epoch(ebm_dataset *dataset, uint64_t epoch);

/* Sample number index < count, in the file's order, without noise. label may
   be NULL; it is 0 for a dataset without labels. */
void ebm_dataset_sample(const ebm_dataset *dataset, size_t index, float *x,
                        int32_t *label);

#endif
