/* What chains, samplers and energies tell: statistics by origin, shares of
   clipped and clamped coordinates, and the area under a ROC curve. */
#include <math.h>
#include <stdint.h>

#include <ebm/diagnostics.h>

#include "chains/chains.h"
#include "core/memory.h"
#include "core/object.h"
#include "diagnostics/rank.h"

ebm_status ebm_diagnostics_energy(const ebm_chains *chains,
                                  const float *energy, ebm_origin origin,
                                  size_t *count, double *mean, double *std)
{
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    const ebm_context *context = ebm_context_of(chains);
    if (!energy)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "energy is NULL");
    EBM_TRY(ebm_check_origin(context, origin));
    size_t found = 0;
    /* Welford's updates: energies may be large and close to each other. */
    double average = 0, squares = 0;
    for (size_t i = 0; i < chains->n; i++) {
        if (chains->origins[i] != origin || chains->diverged[i])
            continue;
        if (!isfinite(energy[i]))
            return ebm_fail(context, EBM_ERROR_NON_FINITE,
                            "the energy of chain %zu is not finite", i);
        double off = (double)energy[i] - average;
        average += off / (double)++found;
        squares += off * ((double)energy[i] - average);
    }
    if (!found)
        return ebm_fail(context, EBM_ERROR_NOT_COMPUTED,
                        "there is no healthy chain with origin %s",
                        ebm_origin_text(origin));
    if (count)
        *count = found;
    if (mean)
        *mean = average;
    if (std)
        *std = sqrt(squares / (double)found);
    return EBM_OK;
}

ebm_status ebm_diagnostics_shares(const ebm_sampler *sampler, double *clipped,
                                  double *clamped_noise, double *clamped_step)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    double moved;
    EBM_TRY(ebm_sampler_get_statistic(sampler, EBM_SAMPLER_STAT_COORDINATES,
                                      &moved));
    if (!(moved > 0))
        return ebm_fail(ebm_context_of(sampler), EBM_ERROR_NOT_COMPUTED,
                        "the sampler has moved no coordinate yet");
    const struct {
        double *share;
        ebm_sampler_statistic statistic;
    } outputs[] = {{clipped, EBM_SAMPLER_STAT_CLIPPED},
                   {clamped_noise, EBM_SAMPLER_STAT_CLAMPED_NOISE},
                   {clamped_step, EBM_SAMPLER_STAT_CLAMPED_STEP}};
    double shares[3];
    for (size_t i = 0; i < 3; i++)
        EBM_TRY(ebm_sampler_get_statistic(sampler, outputs[i].statistic,
                                          shares + i));
    for (size_t i = 0; i < 3; i++)
        if (outputs[i].share)
            *outputs[i].share = shares[i] / moved;
    return EBM_OK;
}

/* Appends scores with an index that says which set they are of. */
static ebm_status add_scores(const ebm_context *context, const char *set,
                             const float *scores, size_t n, size_t index,
                             ebm_ranked *to)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(scores[i]))
            return ebm_fail(context, EBM_ERROR_NON_FINITE,
                            "score %zu of %s is not finite", i, set);
        to[i] = (ebm_ranked){(double)scores[i], index};
    }
    return EBM_OK;
}

/* Twice the number of pairs (low, high) with low < high, ties counted once. */
static uint64_t count_pairs(const ebm_ranked *sorted, size_t count)
{
    uint64_t pairs = 0, below = 0;
    for (size_t i = 0, end; i < count; i = end) {
        uint64_t lows = 0, highs = 0;
        for (end = i; end < count; end++) {
            if (sorted[end].value != sorted[i].value)
                break;
            highs += sorted[end].index;
        }
        lows = end - i - highs;
        pairs += highs * (2 * below + lows);
        below += lows;
    }
    return pairs;
}

ebm_status ebm_diagnostics_auroc(ebm_context *context, const float *low,
                                 size_t n, const float *high, size_t m,
                                 double *auroc)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!low || !high || !auroc)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        !low    ? "low"
                        : !high ? "high"
                                : "auroc");
    if (!n || !m)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "%zu low and %zu high scores", n, m);
    size_t pairs;
    if (!ebm_multiply(n, m, &pairs) || pairs > SIZE_MAX / 2 ||
        n > SIZE_MAX / 64 || m > SIZE_MAX / 64)
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "%zu times %zu pairs can not be counted", n, m);
    ebm_ranked *ranked = ebm_alloc(context, n + m, sizeof *ranked);
    if (!ranked)
        return ebm_out_of_memory(context, "scores");
    ebm_status status = add_scores(context, "low", low, n, 0, ranked);
    if (status == EBM_OK)
        status = add_scores(context, "high", high, m, 1, ranked + n);
    if (status == EBM_OK) {
        ebm_sort(ranked, n + m);
        *auroc = (double)count_pairs(ranked, n + m) / (2 * (double)pairs);
    }
    ebm_free(context, ranked);
    return status;
}
