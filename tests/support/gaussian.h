/*
 * A Gaussian energy of the caller's own, E(x) = theta |x|^2 / 2, whose chains
 * have a law in closed form, and short ways to make and question a sampler.
 */
#ifndef EBM_TEST_GAUSSIAN_H
#define EBM_TEST_GAUSSIAN_H

#include <ebm/ebm.h>

/* Samples are [1, size, 1]. The energy can spoil one row at one call, by
   adding something to its energy and to one element of its gradient, and it
   can fail at one call. */
typedef struct test_gaussian {
    float theta;
    size_t size;
    size_t calls;                 /* so far */
    size_t spoil_call, spoil_row; /* calls from 1 on; 0: never */
    float energy_spoil, grad_spoil;
    size_t fail_call;
} test_gaussian;

/* g must outlive the model. */
ebm_model *test_gaussian_model(ebm_context *context, test_gaussian *g);

/* A Langevin sampler without clip and bounds. */
ebm_sampler *test_langevin(ebm_context *context, double steps, double step,
                           double std);
double test_statistic(const ebm_sampler *sampler, ebm_sampler_statistic key);

/* A copy of the states of all chains; free() it. */
float *test_states(const ebm_chains *chains);

#endif
