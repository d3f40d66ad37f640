/*
 * The way of a slab through Langevin steps without a Metropolis test: the
 * free step, the tied one, and gradient descent differ in the noise, and in
 * whether the gradient is taken after it or before.
 */
#ifndef EBM_SAMPLER_LANGEVIN_H
#define EBM_SAMPLER_LANGEVIN_H

#include "sampler/sampler.h"

/* The standard deviation of the noise at the segment's step k. */
typedef double (*ebm_langevin_std_fn)(const ebm_segment *segment, size_t k);

/* A kind's move_slab(). noise_last: the gradient is that at x. */
ebm_status ebm_langevin_move(ebm_segment *segment, size_t task, int worker,
                             ebm_langevin_std_fn std_of, int noise_last);
size_t ebm_langevin_extra(const ebm_model *model, size_t slab);

/* The kernels' constants at the segment's step k, with that much noise. */
ebm_langevin ebm_langevin_settings(const ebm_segment *segment, double std,
                                   size_t k);

/* sqrt(2 step T), the noise that belongs to a step at temperature T. */
double ebm_langevin_tied_std(const ebm_segment *segment, size_t k);

#endif
