/*
 * What the tests of the kernels share: guarded arrays, and a loop over all
 * variants that this machine can run.
 */
#ifndef EBM_TEST_KERNEL_CHECK_H
#define EBM_TEST_KERNEL_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/kernels.h"

/* The longest array, and what is allocated for it. Behind the array stands
   the guard: a kernel may write up to the next multiple of EBM_LANES when it
   is a padded one, else not past n. */
enum { TEST_LONGEST = 203, TEST_ROOM = 256 };
#define TEST_GUARD 1234.5f

/* n up to the next multiple of EBM_LANES. */
size_t test_whole_vectors(size_t n);

/* Fills x[TEST_ROOM] with the guard from an index on; checks that it is still
   there. */
void test_guard(float *x, size_t from);
void assert_guarded(const float *x, size_t from);

/* Runs a check for each usable variant and each length from 1 on. `random` is
   a seed of its own for every length. */
void test_each_kernel(void (*check)(const ebm_kernels *kernels, size_t n,
                                    uint64_t *random));

#endif
