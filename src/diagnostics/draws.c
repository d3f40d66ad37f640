/* Effective sample size and R-hat of one quantity: Vehtari et al. 2021, with
   Geyer's cut of the sum as Stan makes it. */
#include "diagnostics/draws.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/memory.h"
#include "core/object.h"

ebm_status ebm_draws_bytes(const ebm_context *context, size_t chains, size_t n,
                           size_t *bytes)
{
    size_t count;
    if (!ebm_multiply(chains, n, &count) ||
        count > SIZE_MAX / (8 * sizeof(ebm_ranked)))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "draws [%zu, %zu] do not fit into memory", chains, n);
    *bytes =
        count * (2 * sizeof(double) + sizeof(ebm_ranked)) + n * sizeof(double);
    return EBM_OK;
}

ebm_draws ebm_draws_in(void *block, size_t chains, size_t n)
{
    ebm_draws draws = {chains, n, NULL, NULL, NULL, block};
    draws.values = (double *)(void *)(draws.ranked + chains * n);
    draws.work = draws.values + chains * n;
    draws.rho = draws.work + chains * n;
    return draws;
}

int ebm_is_constant(const double *values, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (values[i] != values[0])
            return 0;
    return 1;
}

void ebm_normalise(double *values, size_t n)
{
    double largest = 0, mean = 0, farthest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(values[i]));
    for (size_t i = 0; i < n; i++)
        mean += (values[i] /= largest) / (double)n;
    for (size_t i = 0; i < n; i++)
        farthest = fmax(farthest, fabs(values[i] -= mean));
    for (size_t i = 0; i < n; i++)
        values[i] /= farthest;
}

/* Mean over the chains of sum_i x_i x_(i + lag) / n, x centred chain by
   chain. */
static double autocovariance(const double *x, size_t chains, size_t n,
                             size_t lag)
{
    double total = 0;
    for (size_t c = 0; c < chains; c++) {
        const double *a = x + c * n, *b = a + lag;
        double sum = 0;
        for (size_t i = 0; i < n - lag; i++)
            sum += a[i] * b[i];
        total += sum / (double)n;
    }
    return total / (double)chains;
}

/* Takes each chain's mean away; returns the variance of the means. */
static double centre_chains(double *x, size_t chains, size_t n)
{
    /* Of all means only those before count: Welford's update. */
    double mean_of_means = 0, squares = 0;
    for (size_t c = 0; c < chains; c++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++)
            mean += x[c * n + i];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++)
            x[c * n + i] -= mean;
        double off = mean - mean_of_means;
        mean_of_means += off / (double)(c + 1);
        squares += off * (mean - mean_of_means);
    }
    return chains > 1 ? squares / (double)(chains - 1) : 0;
}

/*
 * rho_t = 1 - (W - s_t) / V, eq. 10, with the variance within chains W = s_0
 * n / (n - 1), V = s_0 + the variance of the means, and s_t the mean
 * autocovariance. Pairs rho_2k + rho_2k+1 are those of a positive, falling
 * and convex sequence for any reversible chain (Geyer 1992, theorem 3.1): the
 * sum ends before the first negative pair, and a pair that exceeds the one
 * before is noise and counts as that. What is left of a last, positive even
 * term makes the estimate better for antithetic chains.
 */
double ebm_geyer_time(double *x, size_t chains, size_t n, double *rho)
{
    double between = centre_chains(x, chains, n);
    double s0 = autocovariance(x, chains, n, 0);
    double within = s0 * (double)n / (double)(n - 1);
    double total = s0 + between;
    memset(rho, 0, n * sizeof *rho);
    double even = 1;
    double odd = 1 - (within - autocovariance(x, chains, n, 1)) / total;
    rho[0] = even;
    rho[1] = odd;
    size_t t = 1;
    for (; t + 3 < n && even + odd > 0; t += 2) {
        even = 1 - (within - autocovariance(x, chains, n, t + 1)) / total;
        odd = 1 - (within - autocovariance(x, chains, n, t + 2)) / total;
        if (even + odd >= 0) {
            rho[t + 1] = even;
            rho[t + 2] = odd;
        }
    }
    /* The last pair that was looked at is rho[t - 1], rho[t]. */
    size_t end = t - 1;
    if (even > 0)
        rho[end] = even;
    for (size_t k = 2; k + 2 <= end; k += 2)
        if (rho[k] + rho[k + 1] > rho[k - 2] + rho[k - 1])
            rho[k] = rho[k + 1] = 0.5 * (rho[k - 2] + rho[k - 1]);
    double sum = 0;
    for (size_t k = 0; k < end; k++)
        sum += rho[k];
    double time = 2 * sum - 1 + rho[end];
    /* Antithetic chains: no more than S log10 S. */
    return fmax(time, 1 / log10((double)chains * (double)n));
}

double ebm_draws_time(const ebm_draws *draws)
{
    size_t count = draws->chains * draws->n;
    memcpy(draws->work, draws->values, count * sizeof *draws->work);
    ebm_normalise(draws->work, count);
    return ebm_geyer_time(draws->work, draws->chains, draws->n, draws->rho);
}

/* Halves of chains into work[2 chains, n / 2]; of an odd n the middle draw is
   left out. Returns the number of values. */
static size_t split(const ebm_draws *draws)
{
    size_t n = draws->n, half = n / 2;
    for (size_t c = 0; c < draws->chains; c++) {
        const double *chain = draws->values + c * n;
        double *to = draws->work + 2 * c * half;
        memcpy(to, chain, half * sizeof *to);
        memcpy(to + half, chain + n - half, half * sizeof *to);
    }
    return 2 * draws->chains * half;
}

/* ESS of what stands in work, halves of chains. */
static double ess_of_work(const ebm_draws *draws)
{
    size_t half = draws->n / 2, count = 2 * draws->chains * half;
    return (double)count /
           ebm_geyer_time(draws->work, 2 * draws->chains, half, draws->rho);
}

/* ESS of the indicator of x <= its quantile p. */
static double ess_of_quantile(const ebm_draws *draws, double p)
{
    size_t all = draws->chains * draws->n;
    for (size_t i = 0; i < all; i++)
        draws->ranked[i] = (ebm_ranked){draws->values[i], i};
    ebm_sort(draws->ranked, all);
    double quantile = ebm_quantile(draws->ranked, all, p);
    size_t count = split(draws);
    for (size_t i = 0; i < count; i++)
        draws->work[i] = draws->work[i] <= quantile;
    return ebm_is_constant(draws->work, count) ? (double)count
                                               : ess_of_work(draws);
}

double ebm_draws_ess(const ebm_draws *draws, ebm_ess_kind kind)
{
    if (kind == EBM_ESS_TAIL)
        return fmin(ess_of_quantile(draws, 0.05),
                    ess_of_quantile(draws, 0.95));
    size_t count = split(draws);
    /* Only a middle draw differed. */
    if (ebm_is_constant(draws->work, count))
        return (double)count;
    if (kind == EBM_ESS_BULK)
        ebm_rank_normalise(draws->work, count, draws->ranked);
    else
        ebm_normalise(draws->work, count);
    return ess_of_work(draws);
}

/* R-hat of the ranks of what stands in work: sqrt of (n - 1) / n + B / (n W),
   B / n the variance of the means and W that within chains (eqs. 1 to 4). */
static double r_hat_of_work(const ebm_draws *draws)
{
    size_t chains = 2 * draws->chains, n = draws->n / 2;
    if (ebm_is_constant(draws->work, chains * n))
        return 1;
    ebm_rank_normalise(draws->work, chains * n, draws->ranked);
    double between = centre_chains(draws->work, chains, n);
    /* Means of equal numbers may be off by a rounding. */
    double within = autocovariance(draws->work, chains, n, 0) * (double)n /
                    (double)(n - 1);
    if (within < 1e-24)
        return INFINITY;
    return sqrt((double)(n - 1) / (double)n + between / within);
}

double ebm_draws_r_hat(const ebm_draws *draws)
{
    size_t count = split(draws);
    double bulk = r_hat_of_work(draws);
    /* Folded: scales that differ are means that differ here. */
    split(draws);
    for (size_t i = 0; i < count; i++)
        draws->ranked[i] = (ebm_ranked){draws->work[i], i};
    ebm_sort(draws->ranked, count);
    double median = ebm_quantile(draws->ranked, count, 0.5);
    for (size_t i = 0; i < count; i++)
        draws->work[i] = fabs(draws->work[i] - median);
    return fmax(bulk, r_hat_of_work(draws));
}
