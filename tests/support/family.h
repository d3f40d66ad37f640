/*
 * A sum for the tests of compositions: two networks on [6, 5, 2], both several
 * times, one of them nested in a mixture,
 *
 *     E = E_a - 1/2 log(exp -E_b + exp -E_a) - 1/4 E_extra
 *
 * where `extra` is -E_b, or a custom energy, with which whole batches come.
 */
#ifndef EBM_TEST_FAMILY_H
#define EBM_TEST_FAMILY_H

#include <stdint.h>

#include <ebm/ebm.h>

#include "tree.h"

enum { FAMILY_N = 7, FAMILY_SIZE = REF_SMALL_SIZE };

typedef struct family {
    ebm_context *context;
    tree a, b, extra, inner, whole;
    uint64_t random;
    float x[FAMILY_N * FAMILY_SIZE], v[FAMILY_N * FAMILY_SIZE],
        scale[FAMILY_N];
} family;

/* Samples, directions and scales are random, the same each time. */
void family_begin(family *f, int threads, int custom);

/* Lets the parts go before the whole. */
void family_end(family *f);

#endif
