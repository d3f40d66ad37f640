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
    images *w = calloc(1, sizeof *w);
    ebm_chains *noise = NULL;
    if (w == NULL)
        bench_try(context, EBM_ERROR_MEMORY, "calloc");
    w->context = context;
    w->side = side;
    w->channels = channels;
    w->fresh = malloc(elements * sizeof *w->fresh);
    w->x = malloc(elements * sizeof *w->x);
    if (w->fresh == NULL || w->x == NULL)
        bench_try(context, EBM_ERROR_MEMORY, "malloc");
    /* Values do not matter here: uniform noise. */
    BENCH_TRY(
        ebm_chains_create(context, BATCH, side, side, channels, 3, &noise));
    BENCH_TRY(ebm_chains_init_uniform(noise, -1.0, 1.0));
    for (size_t i = 0; i < elements; i++)
        w->fresh[i] = ebm_chains_states(noise)[i];
    ebm_chains_destroy(noise);
    return w;
}

void bench_images_destroy(void *work)
{
    images *w = work;
    ebm_transition_destroy(w->transition);
    free(w->x);
    free(w->fresh);
    free(w);
}

void bench_images_run(void *work)
{
    images *w = work;
    ebm_context *context = w->context;
    const size_t elements = BATCH * w->side * w->side * w->channels;
    for (size_t i = 0; i < elements; i++)
        w->x[i] = w->fresh[i];
    BENCH_TRY(ebm_transition_apply(w->transition, w->x, NULL, BATCH, w->side,
                                   w->side, w->channels, 1, 0, w->count++));
}

void *bench_elastic_create(const bench_case *bench, ebm_context *context)
{
    (void)bench;
    images *w = create(context, 28, 1);
    BENCH_TRY(ebm_transition_create_preset(context, "elastic-digits",
                                           &w->transition));
    return w;
}

void *bench_simclr_create(const bench_case *bench, ebm_context *context)
{
    (void)bench;
    images *w = create(context, 32, 3);
    BENCH_TRY(ebm_transition_create_preset(context, "simclr", &w->transition));
    return w;
}
