/*
 * MALA, the Metropolis-adjusted Langevin algorithm (Besag 1994; Roberts and
 * Tweedie 1996): the proposal is a tied Langevin step,
 *
 *     x' = x - h g + s xi,   g = grad E(x),   s^2 = 2 h T,
 *
 * and with g' = grad E(x')
 *
 *     log alpha = (E - E') / T
 *                 - (|x - x' + h g'|^2 - |x' - x + h g|^2) / (2 s^2).
 *
 * The two squares are nearly equal, so their difference is added up from
 * a^2 - b^2 = (a - b) (a + b), element by element in double:
 *
 *     a - b = 2 (x - x') + h (g' - g),   a + b = h (g + g').
 *
 * h and s are those that the proposal was made with, rounded to float.
 */
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "sampler/langevin.h"
#include "sampler/metropolis.h"

static size_t extra(const ebm_model *model, size_t slab)
{
    return ebm_walk_extra(model, slab, 1);
}

/* Where no proposal can be taken the model is asked at x again, so that it
   never sees a state outside the bounds. */
static void propose(const ebm_walk *walk, const ebm_langevin *langevin,
                    float *next, size_t k)
{
    const ebm_sampler *sampler = walk->segment->sampler;
    const ebm_kernels *kernels = ebm_context_of(sampler)->kernels;
    for (size_t i = 0; i < walk->place.count; i++) {
        ebm_chain_record *record = ebm_walk_record(walk, i);
        size_t row = ebm_walk_row(walk, i);
        ebm_langevin_counts ignored = {0};
        record->refused = EBM_REFUSED_STOPPED;
        if (!ebm_walk_has_stopped(walk, i)) {
            ebm_random random =
                ebm_walk_random(walk, EBM_PURPOSE_LANGEVIN, i, k);
            kernels->langevin_noise(&random, walk->size, langevin,
                                    walk->now + row, next + row, &ignored,
                                    NULL);
            kernels->langevin_step(walk->size, langevin, walk->grad + row,
                                   next + row, &ignored, NULL);
            record->refused =
                ebm_metropolis_inspect(sampler, next + row, walk->size);
        }
        if (record->refused)
            memcpy(next + row, walk->now + row, walk->size * sizeof *next);
    }
}

/* |x - x' + h g'|^2 - |x' - x + h g|^2. */
static double difference(size_t n, double h, const float *x, const float *g,
                         const float *new_x, const float *new_g)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double back = 2 * ((double)x[i] - new_x[i]);
        back += h * ((double)new_g[i] - g[i]);
        sum += back * (h * ((double)new_g[i] + g[i]));
    }
    return sum;
}

static void decide(const ebm_walk *walk, const ebm_langevin *langevin,
                   const float *next, size_t k)
{
    double T = ebm_sampler_value(walk->segment, EBM_SAMPLER_TEMPERATURE, k);
    double variance = (double)langevin->noise_std * langevin->noise_std;
    for (size_t i = 0; i < walk->place.count; i++) {
        const ebm_chain_record *record = ebm_walk_record(walk, i);
        size_t row = ebm_walk_row(walk, i);
        double log_alpha = NAN;
        if (record->refused == EBM_REFUSED_STOPPED)
            continue;
        if (!record->refused) {
            double energy = walk->slab.energy[walk->place.first_slot + i];
            log_alpha = (record->energy - energy) / T -
                        difference(walk->size, langevin->step_size,
                                   walk->now + row, walk->grad + row,
                                   next + row, walk->slab.grad + row) /
                            (2 * variance);
        }
        if (ebm_metropolis_decide(walk, i, k, log_alpha))
            ebm_metropolis_accept(walk, i, next);
    }
}

static ebm_status move_slab(ebm_segment *segment, size_t task, int worker)
{
    ebm_walk walk;
    ebm_status status = ebm_walk_begin(&walk, segment, task, worker, 1);
    float *next = walk.arrays[0];
    for (size_t k = 0; status == EBM_OK && k < segment->steps; k++) {
        ebm_langevin langevin = ebm_langevin_settings(
            segment, ebm_langevin_tied_std(segment, k), k);
        langevin.clip = langevin.maximum = INFINITY;
        langevin.minimum = -INFINITY;
        propose(&walk, &langevin, next, k);
        walk.slab.x = next;
        status = ebm_walk_pass(&walk, k);
        if (status == EBM_OK)
            decide(&walk, &langevin, next, k);
    }
    ebm_walk_end(&walk);
    return status;
}

const ebm_sampler_ops ebm_sampler_mala = {
    .name = "MALA",
    .keys = EBM_SAMPLER_COMMON_KEYS | 1u << EBM_SAMPLER_TEMPERATURE |
            1u << EBM_SAMPLER_WARMUP_STEPS |
            1u << EBM_SAMPLER_TARGET_ACCEPTANCE,
    .divides_by_step = 1,
    .target = 0.574,
    .carried = 1,
    .extra = extra,
    .move_slab = move_slab};
