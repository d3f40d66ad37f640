/*
 * Hamiltonian Monte Carlo (Duane et al. 1987; Neal 2011) with unit mass. At
 * temperature T the momenta are drawn from N(0, T), the leapfrog integrator
 *
 *     p <- p - h/2 grad E(q),   q <- q + h p,   p <- p - h/2 grad E(q)
 *
 * takes (x, p) to (x', p'), and as it is reversible and keeps volumes,
 *
 *     log alpha = (E(x) + |p|^2 / 2 - E(x') - |p'|^2 / 2) / T.
 *
 * The half kicks of neighbouring steps are made as one.
 */
#include "sampler/hmc.h"

#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "sampler/metropolis.h"

static size_t extra(const ebm_model *model, size_t slab)
{
    return ebm_walk_extra(model, slab, 2);
}

static void drift(size_t n, float time, const float *p, float *q)
{
    for (size_t i = 0; i < n; i++)
        q[i] += time * p[i];
}

ebm_status ebm_leapfrog(ebm_walk *walk, float step, size_t steps, float *q,
                        float *p, size_t k)
{
    size_t n = walk->size;
    walk->slab.x = q;
    for (size_t l = 0; l < steps; l++) {
        const float *grad = l ? walk->slab.grad : walk->grad;
        for (size_t i = 0; i < walk->place.count; i++) {
            ebm_chain_record *record = ebm_walk_record(walk, i);
            size_t row = ebm_walk_row(walk, i);
            if (record->refused)
                continue;
            ebm_walk_kick(n, l ? step : step / 2, grad + row, p + row);
            drift(n, step, p + row, q + row);
            if (!ebm_all_finite(q + row, n)) {
                record->refused = EBM_REFUSED_NON_FINITE;
                /* The model sees finite states only. */
                memcpy(q + row, walk->now + row, n * sizeof *q);
            }
        }
        EBM_TRY(ebm_walk_pass(walk, k));
    }
    for (size_t i = 0; i < walk->place.count; i++)
        if (!ebm_walk_record(walk, i)->refused)
            ebm_walk_kick(n, step / 2, walk->slab.grad + ebm_walk_row(walk, i),
                          p + ebm_walk_row(walk, i));
    return EBM_OK;
}

static double kinetic(size_t n, const float *p)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)p[i] * p[i];
    return sum / 2;
}

/* Fresh momenta, and positions at the states. */
static void begin(const ebm_walk *walk, float *q, float *p, size_t k)
{
    const ebm_kernels *kernels =
        ebm_context_of(walk->segment->chains)->kernels;
    double T = ebm_sampler_value(walk->segment, EBM_SAMPLER_TEMPERATURE, k);
    for (size_t i = 0; i < walk->place.count; i++) {
        ebm_chain_record *record = ebm_walk_record(walk, i);
        size_t row = ebm_walk_row(walk, i);
        memcpy(q + row, walk->now + row, walk->size * sizeof *q);
        record->refused = EBM_REFUSED_STOPPED;
        if (ebm_walk_has_stopped(walk, i))
            continue;
        record->refused = EBM_REFUSED_NOT;
        ebm_random random = ebm_walk_random(walk, EBM_PURPOSE_MOMENTUM, i, k);
        kernels->normal(&random, walk->size, 0, (float)sqrt(T), p + row);
        record->kinetic = kinetic(walk->size, p + row);
    }
}

static void decide(const ebm_walk *walk, const float *q, const float *p,
                   size_t k)
{
    double T = ebm_sampler_value(walk->segment, EBM_SAMPLER_TEMPERATURE, k);
    for (size_t i = 0; i < walk->place.count; i++) {
        ebm_chain_record *record = ebm_walk_record(walk, i);
        size_t row = ebm_walk_row(walk, i);
        if (record->refused == EBM_REFUSED_STOPPED)
            continue;
        if (!record->refused)
            record->refused = ebm_metropolis_inspect(walk->segment->sampler,
                                                     q + row, walk->size);
        double energy = walk->slab.energy[walk->place.first_slot + i];
        double log_alpha = (record->energy - energy + record->kinetic -
                            kinetic(walk->size, p + row)) /
                           T;
        if (ebm_metropolis_decide(walk, i, k, log_alpha))
            ebm_metropolis_accept(walk, i, q);
    }
}

static ebm_status move_slab(ebm_segment *segment, size_t task, int worker)
{
    ebm_walk walk;
    ebm_status status = ebm_walk_begin(&walk, segment, task, worker, 2);
    float *q = walk.arrays[0], *p = walk.arrays[1];
    size_t leaps =
        (size_t)segment->sampler->values[EBM_SAMPLER_LEAPFROG_STEPS];
    for (size_t k = 0; status == EBM_OK && k < segment->steps; k++) {
        float step =
            (float)ebm_sampler_value(segment, EBM_SAMPLER_STEP_SIZE, k);
        begin(&walk, q, p, k);
        status = ebm_leapfrog(&walk, step, leaps, q, p, k);
        if (status == EBM_OK)
            decide(&walk, q, p, k);
    }
    ebm_walk_end(&walk);
    return status;
}

const ebm_sampler_ops ebm_sampler_hmc = {
    .name = "HMC",
    .keys = EBM_SAMPLER_COMMON_KEYS | 1u << EBM_SAMPLER_TEMPERATURE |
            1u << EBM_SAMPLER_LEAPFROG_STEPS | 1u << EBM_SAMPLER_WARMUP_STEPS |
            1u << EBM_SAMPLER_TARGET_ACCEPTANCE,
    .divides_by_step = 1,
    .target = 0.65,
    .carried = 1,
    .extra = extra,
    .move_slab = move_slab};
