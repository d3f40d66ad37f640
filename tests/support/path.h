/*
 * The last steps of a Langevin run once more, in double: from the first state
 * that the chains keep, with the same noise, as plainly as it can be written.
 * What central differences of it say is held against the library's derivative
 * of the trajectory.
 */
#ifndef EBM_TEST_PATH_H
#define EBM_TEST_PATH_H

#include <ebm/ebm.h>

#include "reference.h"

typedef struct test_path {
    const ebm_chains *chains;                            /* after the run */
    double step_size, noise_std, clip, minimum, maximum; /* as floats */
    /* g = grad E(x) of one state. */
    void (*gradient)(const void *energy, const double *x, double *g);
    const void *energy;

    /* Of the last test_path_run(): the least distance of a value from the clip
       or a bound, and how many were clipped and clamped. The first clamp of
       the first kept step counts as done: nothing depends on it. */
    double margin;
    size_t values, clipped, clamped_noise, clamped_step;
} test_path;

/* Takes the settings from the sampler. */
void test_path_begin(test_path *path, const ebm_sampler *sampler,
                     const ebm_chains *chains);

/* Writes the final states, [n, size]. */
void test_path_run(test_path *path, double *x);

/* A gradient for test_path, for `energy` a ref_network. */
void test_path_network(const void *energy, const double *x, double *g);

#endif
