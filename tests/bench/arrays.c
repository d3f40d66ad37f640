/* Distances between two arrays of rows: values are uniform noise. */
#include <stdlib.h>

#include "cases.h"

typedef struct arrays {
    ebm_context *context;
    size_t n, m, d;
    float *x, *y; /* [n, d] and [m, d] */
    size_t *index;
    double *distance;
} arrays;

static void *create(const bench_case *bench, ebm_context *context)
{
    arrays *w = bench_zeros(context, sizeof *w);
    w->context = context;
    w->n = bench->batch;
    w->d = bench->shape[0];
    w->m = bench->shape[1];
    w->x = bench_uniform(context, w->n * w->d, 1);
    w->y = bench_uniform(context, w->m * w->d, 2);
    w->index = bench_zeros(context, w->n * sizeof *w->index);
    w->distance = bench_zeros(context, w->n * sizeof *w->distance);
    return w;
}

static void destroy(void *work)
{
    arrays *w = work;
    free(w->x);
    free(w->y);
    free(w->index);
    free(w->distance);
    free(w);
}

static void run_nearest(void *work)
{
    arrays *w = work;
    ebm_context *context = w->context;
    BENCH_TRY(ebm_distance_nearest(context, w->x, w->n, w->y, w->m, w->d, 1,
                                   w->index, w->distance));
}

static void run_entropy(void *work)
{
    arrays *w = work;
    ebm_context *context = w->context;
    double entropy;
    size_t copies;
    BENCH_TRY(ebm_distance_entropy(context, w->x, w->n, w->y, w->m, w->d, 1,
                                   &entropy, &copies));
}

static void run_frechet(void *work)
{
    arrays *w = work;
    ebm_context *context = w->context;
    double distance;
    BENCH_TRY(ebm_distance_frechet(context, w->x, w->n, w->y, w->m, w->d,
                                   &distance));
}

static void run_mmd(void *work)
{
    arrays *w = work;
    ebm_context *context = w->context;
    double mmd;
    BENCH_TRY(ebm_distance_mmd_polynomial(context, w->x, w->n, w->y, w->m,
                                          w->d, 3, 1.0 / (double)w->d, 1.0,
                                          &mmd));
}

const bench_work bench_nearest = {create, run_nearest, destroy, NULL, 0};
const bench_work bench_entropy = {create, run_entropy, destroy, NULL, 0};
const bench_work bench_frechet = {create, run_frechet, destroy, NULL, 0};
const bench_work bench_mmd = {create, run_mmd, destroy, NULL, 0};
