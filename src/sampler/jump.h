/*
 * A sampler's transition: chains jump before a step when enough steps have
 * passed since they began or last jumped. So a run never ends on a jump, and
 * cutting a run in two changes nothing.
 */
#ifndef EBM_SAMPLER_JUMP_H
#define EBM_SAMPLER_JUMP_H

#include "sampler/sampler.h"

/* Before a run: whether the transition takes the chains, whether the kept
   steps come after the last jump, and memory for it. */
ebm_status ebm_sampler_prepare_jumps(ebm_sampler *sampler,
                                     const ebm_chains *chains);

/* Lets the chains jump if it is time. */
ebm_status ebm_sampler_jump(ebm_sampler *sampler, ebm_chains *chains);

/* Steps until then, at most `steps`; at least 1 after ebm_sampler_jump(). */
size_t ebm_sampler_until_jump(const ebm_sampler *sampler,
                              const ebm_chains *chains, size_t steps);

#endif
