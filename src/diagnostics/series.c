/* The public calls on recorded draws. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include <ebm/diagnostics.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/object.h"
#include "core/parallel.h"
#include "diagnostics/draws.h"

static ebm_status check_draws(const ebm_context *context, const double *draws,
                              size_t chains, size_t n, size_t fewest_chains,
                              size_t fewest_draws)
{
    size_t bytes;
    if (chains < fewest_chains || n < fewest_draws)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "draws [%zu, %zu]: it takes %zu chains and %zu draws "
                        "of each at least",
                        chains, n, fewest_chains, fewest_draws);
    EBM_TRY(ebm_draws_bytes(context, chains, n, &bytes));
    for (size_t i = 0; i < chains * n; i++)
        if (!isfinite(draws[i]))
            return ebm_fail(context, EBM_ERROR_NON_FINITE,
                            "draw %zu of chain %zu is not finite", i % n,
                            i / n);
    if (ebm_is_constant(draws, chains * n))
        return ebm_fail(context, EBM_ERROR_NOT_COMPUTED,
                        "all %zu draws are %g: a constant tells nothing of "
                        "mixing",
                        chains * n, draws[0]);
    return EBM_OK;
}

ebm_status ebm_diagnostics_autocorrelation(ebm_context *context,
                                           const double *series, size_t n,
                                           size_t lags, double *rho)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!series || !rho)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        series ? "rho" : "series");
    EBM_TRY(check_draws(context, series, 1, n, 1, 2));
    if (lags >= n)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "a lag of %zu in a series of %zu", lags, n);
    double *x = ebm_alloc(context, n, sizeof *x);
    if (!x)
        return ebm_out_of_memory(context, "an autocorrelation");
    memcpy(x, series, n * sizeof *x);
    ebm_normalise(x, n);
    double variance = 0;
    for (size_t i = 0; i < n; i++)
        variance += x[i] * x[i];
    rho[0] = 1;
    for (size_t t = 1; t <= lags; t++) {
        double sum = 0;
        for (size_t i = 0; i + t < n; i++)
            sum += x[i] * x[i + t];
        rho[t] = sum / variance;
    }
    ebm_free(context, x);
    return EBM_OK;
}

/* Copies draws into memory of their own: free draws->ranked. */
static ebm_status take(const ebm_context *context, const double *values,
                       size_t chains, size_t n, ebm_draws *draws)
{
    size_t bytes;
    EBM_TRY(ebm_draws_bytes(context, chains, n, &bytes));
    void *block = ebm_alloc(context, bytes, 1);
    if (!block)
        return ebm_out_of_memory(context, "recorded draws");
    *draws = ebm_draws_in(block, chains, n);
    memcpy(draws->values, values, chains * n * sizeof *values);
    return EBM_OK;
}

/* What one call computes. */
typedef enum measure { TIME, ESS, R_HAT } measure;

static ebm_status measure_draws(ebm_context *context, measure what,
                                ebm_ess_kind kind, const double *values,
                                size_t chains, size_t n, double *result)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!values || !result)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        values ? "the output is NULL" : "draws is NULL");
    size_t fewest = what == ESS ? 2 * EBM_FEWEST_DRAWS : EBM_FEWEST_DRAWS;
    EBM_TRY(check_draws(context, values, chains, n, what == R_HAT ? 2 : 1,
                        fewest));
    ebm_draws draws;
    EBM_TRY(take(context, values, chains, n, &draws));
    *result = what == TIME  ? ebm_draws_time(&draws)
              : what == ESS ? ebm_draws_ess(&draws, kind)
                            : ebm_draws_r_hat(&draws);
    ebm_free(context, draws.ranked);
    return EBM_OK;
}

ebm_status ebm_diagnostics_autocorrelation_time(ebm_context *context,
                                                const double *draws,
                                                size_t chains, size_t n,
                                                double *time)
{
    return measure_draws(context, TIME, EBM_ESS_MEAN, draws, chains, n, time);
}

ebm_status ebm_diagnostics_ess(ebm_context *context, ebm_ess_kind kind,
                               const double *draws, size_t chains, size_t n,
                               double *ess)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if ((unsigned)kind > EBM_ESS_MEAN)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no kind %d of effective sample size",
                        (int)kind);
    return measure_draws(context, ESS, kind, draws, chains, n, ess);
}

ebm_status ebm_diagnostics_r_hat(ebm_context *context, const double *draws,
                                 size_t chains, size_t n, double *r_hat)
{
    return measure_draws(context, R_HAT, EBM_ESS_MEAN, draws, chains, n,
                         r_hat);
}

/* A size of 0, or one too large, of recorded states. */
static ebm_status check_states(const ebm_context *context, const float *states,
                               size_t draws, size_t chains, size_t size)
{
    size_t elements;
    if (!states)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "states is NULL");
    return ebm_check_size(context, draws, chains, size, 1, &elements);
}

static void copy_series(const float *states, size_t draws, size_t chains,
                        size_t size, size_t coordinate, double *series)
{
    for (size_t t = 0; t < draws; t++)
        for (size_t c = 0; c < chains; c++)
            series[c * draws + t] =
                (double)states[(t * chains + c) * size + coordinate];
}

ebm_status ebm_diagnostics_series(ebm_context *context, const float *states,
                                  size_t draws, size_t chains, size_t size,
                                  size_t coordinate, double *series)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    EBM_TRY(check_states(context, states, draws, chains, size));
    if (!series)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "series is NULL");
    if (coordinate >= size)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "there is no coordinate %zu of %zu", coordinate, size);
    copy_series(states, draws, chains, size, coordinate, series);
    return EBM_OK;
}

/* The parallel loop over coordinates; outputs may be NULL. */
typedef struct summary {
    const float *states;
    size_t draws, chains, size;
    unsigned char *blocks; /* one for each worker */
    size_t bytes;          /* of a block */
    double *r_hat, *ess_bulk, *ess_tail;
    atomic_size_t constant;
} summary;

static void summarise(void *argument, size_t coordinate, int worker)
{
    summary *s = argument;
    ebm_draws draws = ebm_draws_in(s->blocks + (size_t)worker * s->bytes,
                                   s->chains, s->draws);
    copy_series(s->states, s->draws, s->chains, s->size, coordinate,
                draws.values);
    int constant = ebm_is_constant(draws.values, s->chains * s->draws);
    double all = (double)s->chains * (double)s->draws;
    if (constant)
        atomic_fetch_add(&s->constant, 1);
    if (s->r_hat)
        s->r_hat[coordinate] = constant ? 1 : ebm_draws_r_hat(&draws);
    if (s->ess_bulk)
        s->ess_bulk[coordinate] =
            constant ? all : ebm_draws_ess(&draws, EBM_ESS_BULK);
    if (s->ess_tail)
        s->ess_tail[coordinate] =
            constant ? all : ebm_draws_ess(&draws, EBM_ESS_TAIL);
}

ebm_status ebm_diagnostics_summary(ebm_context *context, const float *states,
                                   size_t draws, size_t chains, size_t size,
                                   double *r_hat, double *ess_bulk,
                                   double *ess_tail, size_t *constant)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    EBM_TRY(check_states(context, states, draws, chains, size));
    if (chains < 2 || draws < 2 * EBM_FEWEST_DRAWS)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "states [%zu, %zu, %zu]: it takes 2 chains and %d "
                        "draws of each at least",
                        draws, chains, size, 2 * EBM_FEWEST_DRAWS);
    if (!ebm_all_finite(states, draws * chains * size))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a recorded state is not finite");
    summary s = {.states = states,
                 .draws = draws,
                 .chains = chains,
                 .size = size,
                 .r_hat = r_hat,
                 .ess_bulk = ess_bulk,
                 .ess_tail = ess_tail};
    EBM_TRY(ebm_draws_bytes(context, chains, draws, &s.bytes));
    s.bytes = ebm_round_up(s.bytes, 64);
    size_t workers = (size_t)ebm_context_threads(context);
    s.blocks = ebm_alloc(context, workers, s.bytes);
    if (!s.blocks)
        return ebm_out_of_memory(context, "recorded draws");
    atomic_init(&s.constant, 0);
    ebm_parallel_for(context, size, summarise, &s);
    ebm_free(context, s.blocks);
    if (constant)
        *constant = atomic_load(&s.constant);
    return EBM_OK;
}
