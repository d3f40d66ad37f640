/*
 * What a Langevin step does beside the network, against the speed of memory:
 * normals, and the whole update of a coordinate,
 *
 *     y = clamp(x + std xi),   x' = clamp(y - step clip(g)),
 *
 * with a plain copy for comparison. The gradient is an array that is there
 * already. Large batches come from memory and go back there; small ones stay
 * in the cache, as a slab's states do in a run.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "core/context.h"
#include "core/parallel.h"
#include "kernel/kernels.h"

enum { SIZE = 784 }; /* numbers of a chain: whole vectors */

typedef struct states {
    ebm_context *context;
    size_t chains, repeats;
    uint64_t step;
    float *x, *y, *g; /* [chains, SIZE] */
} states;

static void *create(const bench_case *bench, ebm_context *context)
{
    states *s = bench_zeros(context, sizeof *s);
    s->context = context;
    s->chains = bench->batch;
    s->repeats = bench->steps;
    s->x = bench_uniform(context, s->chains * SIZE, 1);
    s->y = bench_uniform(context, s->chains * SIZE, 2);
    s->g = bench_uniform(context, s->chains * SIZE, 3);
    return s;
}

static void destroy(void *work)
{
    states *s = work;
    free(s->x);
    free(s->y);
    free(s->g);
    free(s);
}

/* A task is a chain through all repeats: the loop of the library's slabs. */
static void copy(void *work, size_t chain, int worker)
{
    states *s = work;
    (void)worker;
    for (size_t k = 0; k < s->repeats; k++)
        memcpy(s->y + chain * SIZE, s->x + chain * SIZE, SIZE * sizeof *s->x);
}

static ebm_random random_of(const states *s, size_t chain, size_t k)
{
    return ebm_random_at(1, EBM_PURPOSE_LANGEVIN, chain, s->step + k);
}

static void draw(void *work, size_t chain, int worker)
{
    states *s = work;
    (void)worker;
    for (size_t k = 0; k < s->repeats; k++) {
        ebm_random random = random_of(s, chain, k);
        s->context->kernels->normal(&random, SIZE, 0.0f, 1.0f,
                                    s->y + chain * SIZE);
    }
}

static void update(void *work, size_t chain, int worker)
{
    states *s = work;
    const ebm_kernels *kernels = s->context->kernels;
    const ebm_langevin langevin = {.noise_std = 0.005f,
                                   .step_size = 10.0f,
                                   .clip = 0.03f,
                                   .minimum = -1.0f,
                                   .maximum = 1.0f};
    ebm_langevin_counts counts = {0};
    (void)worker;
    for (size_t k = 0; k < s->repeats; k++) {
        ebm_random random = random_of(s, chain, k);
        float *y = s->y + chain * SIZE;
        kernels->langevin_noise(&random, SIZE, &langevin, s->x + chain * SIZE,
                                y, &counts, NULL);
        kernels->langevin_step(SIZE, &langevin, s->g + chain * SIZE, y,
                               &counts, NULL);
    }
}

static void run(states *s, ebm_task_fn body)
{
    ebm_parallel_for(s->context, s->chains, body, s);
    s->step += s->repeats;
}

static void run_copy(void *work)
{
    run(work, copy);
}

static void run_draw(void *work)
{
    run(work, draw);
}

static void run_update(void *work)
{
    run(work, update);
}

static void count(const states *s, double arrays, bench_amount *amount)
{
    double numbers = (double)(s->chains * s->repeats * SIZE);
    amount->gigabytes = 1e-9 * numbers * arrays * sizeof *s->x;
    amount->items = numbers;
}

static void count_copy(const void *work, bench_amount *amount)
{
    count(work, 2, amount);
    amount->item = "numbers";
}

static void count_draw(const void *work, bench_amount *amount)
{
    count(work, 1, amount);
    amount->item = "normals";
}

/* x and g are read, x' is written: what one pass would move. */
static void count_update(const void *work, bench_amount *amount)
{
    count(work, 3, amount);
    amount->item = "coordinates";
}

const bench_work bench_copy = {create, run_copy, destroy, count_copy, 0};
const bench_work bench_normals = {create, run_draw, destroy, count_draw, 0};
const bench_work bench_langevin = {create, run_update, destroy, count_update,
                                   0};
