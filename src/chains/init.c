/* Where chains begin: noise of a law, or states of the caller's. */
#include "chains/tail.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/random.h"
#include "kernel/kernels.h"

static const char *const origin_texts[] = {
    [EBM_ORIGIN_NOISE] = "noise",
    [EBM_ORIGIN_DATA] = "data",
    [EBM_ORIGIN_PERSISTED_NOISE] = "persisted from noise",
    [EBM_ORIGIN_PERSISTED_DATA] = "persisted from data",
};
enum { ORIGINS = sizeof origin_texts / sizeof *origin_texts };

const char *ebm_origin_text(ebm_origin origin)
{
    return (unsigned)origin < ORIGINS ? origin_texts[origin] : "unknown";
}

ebm_status ebm_check_origin(const ebm_context *context, ebm_origin origin)
{
    if ((unsigned)origin < ORIGINS)
        return EBM_OK;
    return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no origin %d",
                    (int)origin);
}

ebm_status ebm_check_finite(const ebm_context *context, const char *what,
                            const float *x, size_t n, size_t size)
{
    if (ebm_all_finite(x, n * size))
        return EBM_OK;
    size_t i = 0;
    while (isfinite(x[i]))
        i++;
    return ebm_fail(context, EBM_ERROR_NON_FINITE,
                    "element %zu of sample %zu of the %s is %g", i % size,
                    i / size, what, (double)x[i]);
}

/* All comparisons are written so that NaN fails them. */
ebm_status ebm_check_uniform_law(const ebm_context *context, double minimum,
                                 double maximum)
{
    if (!(minimum <= maximum))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "minimum %g and maximum %g are in the wrong order",
                        minimum, maximum);
    /* The width is what is multiplied by a draw. */
    if (!(minimum >= -FLT_MAX && maximum <= FLT_MAX &&
          maximum - minimum <= FLT_MAX))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the range [%g, %g) is not finite as float", minimum,
                        maximum);
    return EBM_OK;
}

ebm_status ebm_check_normal_law(const ebm_context *context, double mean,
                                double std)
{
    if (!(std >= 0))
        return ebm_fail(context, EBM_ERROR_RANGE, "std %g is not >= 0", std);
    /* No draw is larger than sqrt(-2 log 2^-33) = 6.77: core/random.c. */
    if (!(fabs(mean) + 7 * std <= FLT_MAX))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "draws of mean %g and std %g are not finite as float",
                        mean, std);
    return EBM_OK;
}

/* Everything but states and labels of chains that begin anew. */
static void restart(ebm_chains *chains, ebm_origin origin)
{
    for (size_t i = 0; i < chains->n; i++) {
        chains->origins[i] = origin;
        chains->ages[i] = 0;
        chains->transitions[i] = 0;
        chains->diverged[i] = 0;
        chains->slots[i] = EBM_NO_SLOT;
    }
    chains->since_jump = 0;
    ebm_object_release(chains->buffer);
    chains->buffer = NULL;
    ebm_tail_forget(chains);
}

typedef void (*fill_fn)(const ebm_random *random, size_t n, float a, float b,
                        float *out);

static void init(ebm_chains *chains, fill_fn fill, double a, double b)
{
    for (size_t i = 0; i < chains->n; i++) {
        ebm_random random =
            ebm_random_at(chains->seed, EBM_PURPOSE_CHAIN_INIT,
                          chains->first_stream + i, chains->inits);
        fill(&random, chains->size, (float)a, (float)b,
             chains->states + i * chains->size);
        chains->labels[i] = 0;
    }
    chains->inits++;
    restart(chains, EBM_ORIGIN_NOISE);
}

ebm_status ebm_chains_init_normal(ebm_chains *chains, double mean, double std)
{
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    EBM_TRY(ebm_chains_check_free(chains));
    const ebm_context *context = ebm_context_of(chains);
    EBM_TRY(ebm_check_normal_law(context, mean, std));
    init(chains, context->kernels->normal, mean, std);
    return EBM_OK;
}

ebm_status ebm_chains_init_uniform(ebm_chains *chains, double minimum,
                                   double maximum)
{
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    EBM_TRY(ebm_chains_check_free(chains));
    const ebm_context *context = ebm_context_of(chains);
    EBM_TRY(ebm_check_uniform_law(context, minimum, maximum));
    init(chains, context->kernels->uniform, minimum, maximum);
    return EBM_OK;
}

ebm_status ebm_chains_set_states(ebm_chains *chains, const float *x,
                                 const int32_t *labels, ebm_origin origin)
{
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    EBM_TRY(ebm_chains_check_free(chains));
    const ebm_context *context = ebm_context_of(chains);
    size_t elements = chains->n * chains->size;
    if (!x)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "x is NULL");
    EBM_TRY(ebm_check_origin(context, origin));
    EBM_TRY(ebm_check_finite(context, "states", x, chains->n, chains->size));
    /* memmove: the caller may hand back the borrowed arrays. */
    memmove(chains->states, x, elements * sizeof *x);
    if (labels)
        memmove(chains->labels, labels, chains->n * sizeof *labels);
    else
        memset(chains->labels, 0, chains->n * sizeof *labels);
    restart(chains, origin);
    return EBM_OK;
}
