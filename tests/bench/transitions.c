/* Transitions: 128 images, changed in place again and again. */
#include "cases.h"

#include <stdlib.h>

enum { BATCH = 128 };

typedef struct images {
    ebm_context *context;
    ebm_transition *transition;
    size_t side, channels;
    uint64_t count;
    float *fresh, *x; /* [BATCH, side, side, channels] */
} images;

static images *create(ebm_context *context, size_t side, size_t channels)
{
    const size_t elements = (size_t)BATCH * side * side * channels;
    images *w = bench_zeros(context, sizeof *w);
    w->context = context;
    w->side = side;
    w->channels = channels;
    /* Values do not matter here. */
    w->fresh = bench_uniform(context, elements, 3);
    w->x = bench_zeros(context, elements * sizeof *w->x);
    return w;
}

static void destroy(void *work)
{
    images *w = work;
    ebm_transition_destroy(w->transition);
    free(w->x);
    free(w->fresh);
    free(w);
}

static void run(void *work)
{
    images *w = work;
    ebm_context *context = w->context;
    const size_t elements = BATCH * w->side * w->side * w->channels;
    for (size_t i = 0; i < elements; i++)
        w->x[i] = w->fresh[i];
    BENCH_TRY(ebm_transition_apply(w->transition, w->x, NULL, BATCH, w->side,
                                   w->side, w->channels, 1, 0, w->count++));
}

static void *create_elastic(const bench_case *bench, ebm_context *context)
{
    (void)bench;
    images *w = create(context, 28, 1);
    BENCH_TRY(ebm_transition_create_preset(context, "elastic-digits",
                                           &w->transition));
    return w;
}

static void *create_simclr(const bench_case *bench, ebm_context *context)
{
    (void)bench;
    images *w = create(context, 32, 3);
    BENCH_TRY(ebm_transition_create_preset(context, "simclr", &w->transition));
    return w;
}

static void count(const void *work, bench_amount *amount)
{
    (void)work;
    amount->items = BATCH;
    amount->item = "images";
}

const bench_work bench_elastic = {create_elastic, run, destroy, count, 0};
const bench_work bench_simclr = {create_simclr, run, destroy, count, 0};
