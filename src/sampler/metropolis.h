/* The Metropolis test, for kinds that propose and decide. */
#ifndef EBM_SAMPLER_METROPOLIS_H
#define EBM_SAMPLER_METROPOLIS_H

#include "sampler/walk.h"

/* Whether all of x is finite and inside the bounds; else why not. */
ebm_refusal ebm_metropolis_inspect(const ebm_sampler *sampler, const float *x,
                                   size_t n);

/* Decides on the proposal of the slab's chain i at the segment's step k, and
   counts. log_alpha is not looked at when the record says "refused" already,
   and not finite when an energy or a gradient is not. */
int ebm_metropolis_decide(const ebm_walk *walk, size_t i, size_t k,
                          double log_alpha);

/* The proposal becomes the present state of the slab's chain i; slab.energy
   and slab.grad are the model's answer there. */
void ebm_metropolis_accept(const ebm_walk *walk, size_t i,
                           const float *proposal);

#endif
