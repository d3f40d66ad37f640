/*
 * The free Langevin step, noise first:
 *
 *     y  = clamp(x + noise_std xi)
 *     x' = clamp(y - step_size clip(grad E(y)))
 *
 * and the way of a slab that the tied step and gradient descent share with it:
 * with the gradient at x, before the noise, it is
 *
 *     x' = clamp(x - step_size clip(grad E(x)) + noise_std xi)
 *
 * by the same kernels, as y = x + noise_std xi, not clamped, and then
 * x' = clamp(y - step_size clip(grad E(x))). The masks come out as the tail
 * wants them: nothing stops the derivative at the noise, and the tail keeps x,
 * where the gradient is taken.
 *
 * A slab goes through all steps of a segment at a stretch, with the weights
 * and its own states in the cache.
 */
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "sampler/langevin.h"

/* A slab's two state arrays, written in turn: `now` holds x, `next` becomes y
   and then x'. A chain that turns non-finite keeps x. */
typedef struct states {
    float *now, *next;
} states;

size_t ebm_langevin_extra(const ebm_model *model, size_t slab)
{
    return slab * model->size;
}

ebm_langevin ebm_langevin_settings(const ebm_segment *segment, double std,
                                   size_t k)
{
    const double *v = segment->sampler->values;
    double step = ebm_sampler_value(segment, EBM_SAMPLER_STEP_SIZE, k);
    return (ebm_langevin){.noise_std = (float)std,
                          .step_size = (float)step,
                          .clip = (float)v[EBM_SAMPLER_GRADIENT_CLIP],
                          .minimum = (float)v[EBM_SAMPLER_STATE_MIN],
                          .maximum = (float)v[EBM_SAMPLER_STATE_MAX]};
}

/* The kept number of the segment's step k, if the tail keeps it. */
static int is_kept(const ebm_segment *segment, size_t k, size_t *kept)
{
    size_t step = segment->before + k;
    if (step < segment->kept_from)
        return 0;
    *kept = step - segment->kept_from;
    return 1;
}

static uint8_t *masks_of(const ebm_segment *segment, size_t k, size_t chain)
{
    size_t kept;
    if (!is_kept(segment, k, &kept))
        return NULL;
    return ebm_tail_masks(segment->chains, kept, chain);
}

/* The first half for all chains of a slab; stopped ones stay. */
static void add_noise(const ebm_segment *segment, const ebm_langevin *langevin,
                      const ebm_slab_place *place, const states *s, size_t k)
{
    const ebm_chains *chains = segment->chains;
    const ebm_kernels *kernels = ebm_context_of(chains)->kernels;
    size_t size = chains->size;
    for (size_t i = 0; i < place->count; i++) {
        size_t chain = place->first + i;
        size_t at = (place->first_slot + i) * size;
        if (chains->diverged[chain]) {
            memcpy(s->next + at, s->now + at, size * sizeof *s->now);
            continue;
        }
        ebm_random random =
            ebm_random_at(chains->seed, EBM_PURPOSE_LANGEVIN,
                          chains->first_stream + chain, chains->steps + k);
        ebm_langevin_counts counts = {0};
        kernels->langevin_noise(&random, size, langevin, s->now + at,
                                s->next + at, &counts,
                                masks_of(segment, k, chain));
        segment->records[chain].clamped_noise = counts.clamped_noise;
    }
}

/* Between the halves: where the gradient is taken goes to the tail. */
static void keep_states(const ebm_segment *segment,
                        const ebm_langevin *langevin,
                        const ebm_slab_place *place, const float *x, size_t k)
{
    size_t kept, size = segment->chains->size;
    if (!is_kept(segment, k, &kept))
        return;
    memcpy(ebm_tail_states(segment->chains, kept, place->first),
           x + place->first_slot * size, place->count * size * sizeof *x);
    if (place->first == 0)
        segment->chains->tail.step_sizes[kept] = langevin->step_size;
}

/* The second half. A step counts when energy, gradient and new state are
   finite; else the chain is marked and goes back to x. */
static void descend(const ebm_segment *segment, const ebm_langevin *langevin,
                    const ebm_slab_place *place, const states *s,
                    const ebm_slab *slab, size_t k)
{
    ebm_chains *chains = segment->chains;
    const ebm_kernels *kernels = ebm_context_of(chains)->kernels;
    size_t size = chains->size;
    for (size_t i = 0; i < place->count; i++) {
        size_t chain = place->first + i, slot = place->first_slot + i;
        if (chains->diverged[chain])
            continue;
        ebm_chain_record *record = segment->records + chain;
        ebm_langevin_counts counts = record->counts;
        int finite = kernels->langevin_step(
            size, langevin, slab->grad + slot * size, s->next + slot * size,
            &counts, masks_of(segment, k, chain));
        if (finite && isfinite(slab->energy[slot])) {
            record->counts = counts;
            record->counts.clamped_noise += record->clamped_noise;
            record->steps++;
        } else {
            chains->diverged[chain] = chains->steps + k + 1;
            memcpy(s->next + slot * size, s->now + slot * size,
                   size * sizeof *s->now);
        }
    }
}

ebm_status ebm_langevin_move(ebm_segment *segment, size_t task, int worker,
                             ebm_langevin_std_fn std_of, int noise_last)
{
    ebm_chains *chains = segment->chains;
    const ebm_model *model = segment->model;
    const ebm_slab_memory *memory = &segment->sampler->memory;
    ebm_slab_place place = ebm_sampler_place(segment, task);
    size_t size = chains->size;
    states s;
    ebm_slab slab = ebm_slab_of(memory, worker, &s.now, &s.next);
    ebm_slab_load(memory, &slab, place.first_slot, place.count,
                  chains->states + place.first * size,
                  chains->labels + place.first);
    /* Padding is the same in both arrays. */
    memcpy(s.next, s.now, slab.n * size * sizeof *s.now);
    ebm_status status = EBM_OK;
    for (size_t k = 0; k < segment->steps; k++) {
        const ebm_langevin langevin =
            ebm_langevin_settings(segment, std_of(segment, k), k);
        ebm_langevin noise = langevin;
        if (noise_last) {
            noise.minimum = -INFINITY;
            noise.maximum = INFINITY;
        }
        slab.x = noise_last ? s.now : s.next;
        add_noise(segment, &noise, &place, &s, k);
        keep_states(segment, &langevin, &place, slab.x, k);
        status = model->ops->pass(model, EBM_PASS_INPUT_GRADIENT, &slab, NULL,
                                  NULL);
        if (status != EBM_OK) {
            segment->completed = k;
            break;
        }
        descend(segment, &langevin, &place, &s, &slab, k);
        float *swap = s.now;
        s.now = s.next;
        s.next = swap;
    }
    memcpy(chains->states + place.first * size,
           s.now + place.first_slot * size,
           place.count * size * sizeof *s.now);
    return status;
}

static double free_std(const ebm_segment *segment, size_t k)
{
    return ebm_sampler_value(segment, EBM_SAMPLER_NOISE_STD, k);
}

static ebm_status move_slab(ebm_segment *segment, size_t task, int worker)
{
    return ebm_langevin_move(segment, task, worker, free_std, 0);
}

const ebm_sampler_ops ebm_sampler_langevin = {
    .name = "Langevin",
    .keys = EBM_SAMPLER_COMMON_KEYS | 1u << EBM_SAMPLER_NOISE_STD |
            1u << EBM_SAMPLER_GRADIENT_CLIP | 1u << EBM_SAMPLER_KEEP_STEPS,
    .extra = ebm_langevin_extra,
    .move_slab = move_slab};
