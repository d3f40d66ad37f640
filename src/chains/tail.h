/*
 * The tail of a trajectory: what differentiating the last steps of a run
 * needs, and the derivative itself.
 *
 * A step is y = clamp(x + noise_std xi), x' = clamp(y - step clip(grad E(y))).
 * Kept are y and one byte of masks an element (5 bytes), and the step size of
 * each step. The clip's and the clamps' derivatives are the masks, so neither
 * bounds nor noise are needed again.
 */
#ifndef EBM_CHAINS_TAIL_H
#define EBM_CHAINS_TAIL_H

#include "chains/chains.h"
#include "model/gradient_sum.h"

/* Makes room for the last `steps` steps of a run with this model and forgets
   an older tail. 0 gives up the memory's content but not the memory. */
ebm_status ebm_tail_prepare(ebm_chains *chains, const ebm_model *model,
                            size_t steps);

/* Where the sampler writes kept step k (0 the earliest) of a chain. */
float *ebm_tail_states(const ebm_chains *chains, size_t k, size_t chain);
uint8_t *ebm_tail_masks(const ebm_chains *chains, size_t k, size_t chain);

/* The run is over: the tail is good for the parameters as they are now. */
void ebm_tail_complete(ebm_chains *chains, const ebm_model *model);

/* Forgets the tail: states were changed by something else. */
void ebm_tail_forget(ebm_chains *chains);

/* STATE with a text unless there is a tail, of this model and its parameters
   as they are now. */
ebm_status ebm_tail_check_current(const ebm_chains *chains,
                                  const ebm_model *model);

/* The same, and NON_FINITE if something in it is not finite. */
ebm_status ebm_tail_check(const ebm_chains *chains, const ebm_model *model);

/* Floats that ebm_tail_backward() needs for each worker of the sum, which is
   prepared with EBM_PASS_TANGENT and a batch of all chains. */
size_t ebm_tail_extra(const ebm_chains *chains, const ebm_model *model);

/* Adds dL/dtheta through the kept steps, for adjoint[n, size] = dL/dx of the
   final states, to the sum. */
ebm_status ebm_tail_backward(const ebm_chains *chains, const ebm_model *model,
                             const float *adjoint, ebm_gradient_sum *sum);

#endif
