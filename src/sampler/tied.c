/*
 * The tied Langevin step, noise last:
 *
 *     x' = clamp(x - step clip(grad E(x)) + sqrt(2 step T) xi)
 *
 * The Euler-Maruyama scheme of dX = -grad E dt + sqrt(2 T) dW with time step
 * `step`, whose law is exp(-E / T); the scheme's own is off by O(step).
 */
#include <math.h>

#include "sampler/langevin.h"

double ebm_langevin_tied_std(const ebm_segment *segment, size_t k)
{
    double step = ebm_sampler_value(segment, EBM_SAMPLER_STEP_SIZE, k);
    return sqrt(2 * step *
                ebm_sampler_value(segment, EBM_SAMPLER_TEMPERATURE, k));
}

static ebm_status move_slab(ebm_segment *segment, size_t task, int worker)
{
    return ebm_langevin_move(segment, task, worker, ebm_langevin_tied_std, 1);
}

const ebm_sampler_ops ebm_sampler_tied = {
    .name = "tied Langevin",
    .keys = EBM_SAMPLER_COMMON_KEYS | 1u << EBM_SAMPLER_GRADIENT_CLIP |
            1u << EBM_SAMPLER_KEEP_STEPS | 1u << EBM_SAMPLER_TEMPERATURE,
    .extra = ebm_langevin_extra,
    .move_slab = move_slab};
