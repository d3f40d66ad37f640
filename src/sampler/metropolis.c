/*
 * The Metropolis test (Metropolis et al. 1953; Hastings 1970): a proposal is
 * taken with probability min(1, alpha), and with
 *
 *     alpha = p(x') q(x | x') / (p(x) q(x' | x))
 *
 * p is stationary whatever q is. Outside the bounds p is 0, and so it is taken
 * to be where the energy or the gradient is not a number: the chain's law is
 * then p on the rest.
 */
#include "sampler/metropolis.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

ebm_refusal ebm_metropolis_inspect(const ebm_sampler *sampler, const float *x,
                                   size_t n)
{
    float minimum = (float)sampler->values[EBM_SAMPLER_STATE_MIN];
    float maximum = (float)sampler->values[EBM_SAMPLER_STATE_MAX];
    if (!ebm_all_finite(x, n))
        return EBM_REFUSED_NON_FINITE;
    int outside = 0;
    for (size_t i = 0; i < n; i++)
        outside |= (x[i] < minimum) | (x[i] > maximum);
    return outside ? EBM_REFUSED_OUTSIDE : EBM_REFUSED_NOT;
}

int ebm_metropolis_decide(const ebm_walk *walk, size_t i, size_t k,
                          double log_alpha)
{
    ebm_chain_record *record = ebm_walk_record(walk, i);
    record->steps++;
    record->acceptance = 0;
    if (record->refused == EBM_REFUSED_OUTSIDE) {
        record->outside++;
        return 0;
    }
    if (record->refused == EBM_REFUSED_NON_FINITE || !isfinite(log_alpha)) {
        record->non_finite++;
        return 0;
    }
    record->acceptance = log_alpha < 0 ? exp(log_alpha) : 1;
    ebm_random random = ebm_walk_random(walk, EBM_PURPOSE_ACCEPT, i, k);
    /* In (0, 1): an alpha of 0 is never taken, one of 1 always. */
    double u = (ebm_random_word(&random, 0) + 0.5) * 0x1p-32;
    if (u >= record->acceptance)
        return 0;
    record->accepted++;
    return 1;
}

void ebm_metropolis_accept(const ebm_walk *walk, size_t i,
                           const float *proposal)
{
    size_t row = ebm_walk_row(walk, i);
    size_t bytes = walk->size * sizeof *proposal;
    memcpy(walk->now + row, proposal + row, bytes);
    memcpy(walk->grad + row, walk->slab.grad + row, bytes);
    ebm_walk_record(walk, i)->energy =
        walk->slab.energy[walk->place.first_slot + i];
}
