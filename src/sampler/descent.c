/* Gradient descent: x' = clamp(x - step clip(grad E(x))), the tied step at
   temperature 0. */
#include "sampler/langevin.h"

static double no_std(const ebm_segment *segment, size_t k)
{
    (void)segment;
    (void)k;
    return 0;
}

static ebm_status move_slab(ebm_segment *segment, size_t task, int worker)
{
    return ebm_langevin_move(segment, task, worker, no_std, 1);
}

const ebm_sampler_ops ebm_sampler_descent = {
    .name = "gradient descent",
    .keys = EBM_SAMPLER_COMMON_KEYS | 1u << EBM_SAMPLER_GRADIENT_CLIP |
            1u << EBM_SAMPLER_KEEP_STEPS,
    .extra = ebm_langevin_extra,
    .move_slab = move_slab};
