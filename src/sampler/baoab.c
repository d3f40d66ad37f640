/*
 * Underdamped Langevin dynamics with unit mass by the BAOAB splitting
 * (Leimkuhler and Matthews 2013):
 *
 *     B  p <- p - h/2 grad E(x)
 *     A  x <- x + h/2 p
 *     O  p <- c p + sqrt((1 - c^2) T) xi,   c = exp(-friction h)
 *     A  x <- x + h/2 p
 *     B  p <- p - h/2 grad E(x)
 *
 * B, A and O each keep exp(-(E + |p|^2 / 2) / T) when solved alone; put
 * together they are off by O(h^2), and on quadratic energies the law of x is
 * exact for every stable h. A wall turns the momentum round, which A solves
 * exactly too.
 *
 * Momenta are N(0, T) at the start of a run and pass from segment to segment.
 */
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "sampler/walk.h"

/* The constants of a step. */
typedef struct baoab {
    float time; /* h / 2 */
    float keep; /* c */
    float minimum, maximum;
    ebm_langevin noise; /* O's, without bounds */
} baoab;

static size_t extra(const ebm_model *model, size_t slab)
{
    return ebm_walk_extra(model, slab, 2);
}

static baoab settings_of(const ebm_segment *segment, size_t k)
{
    const double *v = segment->sampler->values;
    double h = ebm_sampler_value(segment, EBM_SAMPLER_STEP_SIZE, k);
    double T = ebm_sampler_value(segment, EBM_SAMPLER_TEMPERATURE, k);
    double lost = -expm1(-2 * v[EBM_SAMPLER_FRICTION] * h); /* 1 - c^2 */
    return (baoab){.time = (float)(h / 2),
                   .keep = (float)exp(-v[EBM_SAMPLER_FRICTION] * h),
                   .minimum = (float)v[EBM_SAMPLER_STATE_MIN],
                   .maximum = (float)v[EBM_SAMPLER_STATE_MAX],
                   .noise = {.noise_std = (float)sqrt(lost * T),
                             .clip = INFINITY,
                             .minimum = -INFINITY,
                             .maximum = INFINITY}};
}

/* Free flight between walls. Whoever would meet a second wall in half a step
   is left at it. */
static uint64_t drift(const baoab *b, size_t n, float *p, float *x)
{
    uint64_t reflected = 0;
    for (size_t i = 0; i < n; i++) {
        float to = x[i] + b->time * p[i];
        if (to < b->minimum || to > b->maximum) {
            float wall = to < b->minimum ? b->minimum : b->maximum;
            to = wall - (to - wall);
            to = to < b->minimum ? b->minimum : to;
            to = to > b->maximum ? b->maximum : to;
            p[i] = -p[i];
            reflected++;
        }
        x[i] = to;
    }
    return reflected;
}

/* Up to the new state: B, A, O, A. */
static void fly(const ebm_walk *walk, const baoab *b, float *x, float *p,
                size_t k)
{
    const ebm_kernels *kernels =
        ebm_context_of(walk->segment->chains)->kernels;
    size_t n = walk->size;
    for (size_t i = 0; i < walk->place.count; i++) {
        ebm_chain_record *record = ebm_walk_record(walk, i);
        size_t row = ebm_walk_row(walk, i);
        ebm_langevin_counts ignored = {0};
        if (ebm_walk_has_stopped(walk, i))
            continue;
        ebm_walk_kick(n, b->time, walk->grad + row, p + row);
        record->clamped_noise = drift(b, n, p + row, x + row);
        for (size_t j = 0; j < n; j++)
            p[row + j] *= b->keep;
        ebm_random random = ebm_walk_random(walk, EBM_PURPOSE_LANGEVIN, i, k);
        kernels->langevin_noise(&random, n, &b->noise, p + row, p + row,
                                &ignored, NULL);
        record->clamped_noise += drift(b, n, p + row, x + row);
        /* The model sees finite states only. */
        record->refused = EBM_REFUSED_NOT;
        if (!ebm_all_finite(x + row, n)) {
            record->refused = EBM_REFUSED_NON_FINITE;
            memcpy(x + row, walk->now + row, n * sizeof *x);
        }
    }
}

/* The last B. A chain whose step was not finite goes back and is marked. */
static void land(const ebm_walk *walk, const baoab *b, float *x, float *p,
                 size_t k)
{
    ebm_chains *chains = walk->segment->chains;
    size_t n = walk->size;
    for (size_t i = 0; i < walk->place.count; i++) {
        ebm_chain_record *record = ebm_walk_record(walk, i);
        size_t row = ebm_walk_row(walk, i);
        if (ebm_walk_has_stopped(walk, i))
            continue;
        ebm_walk_kick(n, b->time, walk->slab.grad + row, p + row);
        if (record->refused || !ebm_all_finite(p + row, n) ||
            !isfinite(walk->slab.energy[walk->place.first_slot + i])) {
            chains->diverged[walk->place.first + i] = chains->steps + k + 1;
            memcpy(x + row, walk->now + row, n * sizeof *x);
            continue;
        }
        memcpy(walk->now + row, x + row, n * sizeof *x);
        memcpy(walk->grad + row, walk->slab.grad + row, n * sizeof *x);
        record->counts.clamped_step += record->clamped_noise;
        record->steps++;
    }
}

/* Where the momenta of a segment come from. */
static void begin(const ebm_walk *walk, float *p)
{
    const ebm_segment *segment = walk->segment;
    const ebm_kernels *kernels = ebm_context_of(segment->chains)->kernels;
    size_t first_row = ebm_walk_row(walk, 0);
    if (segment->before) {
        memcpy(p + first_row, ebm_walk_carried(walk, 1),
               walk->place.count * walk->size * sizeof *p);
        return;
    }
    double T = ebm_sampler_value(segment, EBM_SAMPLER_TEMPERATURE, 0);
    for (size_t i = 0; i < walk->place.count; i++) {
        ebm_random random = ebm_walk_random(walk, EBM_PURPOSE_MOMENTUM, i, 0);
        kernels->normal(&random, walk->size, 0, (float)sqrt(T),
                        p + ebm_walk_row(walk, i));
    }
}

static ebm_status move_slab(ebm_segment *segment, size_t task, int worker)
{
    ebm_walk walk;
    ebm_status status = ebm_walk_begin(&walk, segment, task, worker, 2);
    float *x = walk.arrays[0], *p = walk.arrays[1];
    begin(&walk, p);
    for (size_t k = 0; status == EBM_OK && k < segment->steps; k++) {
        const baoab b = settings_of(segment, k);
        fly(&walk, &b, x, p, k);
        walk.slab.x = x;
        status = ebm_walk_pass(&walk, k);
        if (status == EBM_OK)
            land(&walk, &b, x, p, k);
    }
    ebm_walk_end(&walk);
    memcpy(ebm_walk_carried(&walk, 1), p + ebm_walk_row(&walk, 0),
           walk.place.count * walk.size * sizeof *p);
    return status;
}

const ebm_sampler_ops ebm_sampler_baoab = {
    .name = "BAOAB",
    .keys = EBM_SAMPLER_COMMON_KEYS | 1u << EBM_SAMPLER_TEMPERATURE |
            1u << EBM_SAMPLER_FRICTION,
    .divides_by_step = 1,
    .carried = 2,
    .extra = extra,
    .move_slab = move_slab};
