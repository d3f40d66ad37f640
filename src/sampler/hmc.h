/* The integrator of Hamiltonian Monte Carlo. */
#ifndef EBM_SAMPLER_HMC_H
#define EBM_SAMPLER_HMC_H

#include "sampler/walk.h"

/*
 * Moves positions q and momenta p of all chains of the slab that are not
 * refused, by so many leapfrog steps. walk->grad is the gradient at q;
 * afterwards slab.energy and slab.grad belong to the new q. A chain whose
 * position turns non-finite is refused, and its q and p are not to be used.
 */
ebm_status ebm_leapfrog(ebm_walk *walk, float step, size_t steps, float *q,
                        float *p, size_t k);

#endif
