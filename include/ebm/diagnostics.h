/**
 * @file diagnostics.h
 * Whether chains can be trusted: autocorrelation, effective sample size,
 * R-hat, and what energies tell.
 *
 * Draws are what the caller recorded of some quantity (an energy, a
 * coordinate), in double, [chains, draws]: all draws of the first chain, then
 * all of the second. ebm_diagnostics_series() brings recorded states into that
 * order.
 *
 * Formulas: Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021,
 * "Rank-normalization, folding, and localization: an improved R-hat for
 * assessing convergence of MCMC"; Geyer 1992, "Practical Markov chain Monte
 * Carlo". docs/diagnostics.md writes them out.
 *
 * A quantity that never changes tells nothing of how its chain mixes. Calls
 * for one quantity then return EBM_ERROR_NOT_COMPUTED;
 * ebm_diagnostics_summary() counts such coordinates. No call writes a NaN.
 */
#ifndef EBM_DIAGNOSTICS_H
#define EBM_DIAGNOSTICS_H

#include <stddef.h>

#include <ebm/chains.h>
#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/sampler.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What of a quantity's law the effective sample size is about. */
typedef enum ebm_ess_kind {
    /** Its bulk: of the rank-normalised draws of split chains. */
    EBM_ESS_BULK = 0,
    /** Its tails: the smaller of those of the indicators of the 5 % and 95 %
        quantiles, split chains. An indicator that never changes counts as
        chains draws. */
    EBM_ESS_TAIL = 1,
    /** Its mean: of the draws as they are, split chains. */
    EBM_ESS_MEAN = 2,
    EBM_ESS_KIND_MAX = 0x7fffffff
} ebm_ess_kind;

/**
 * Autocorrelation of one series at lags 0 to lags,
 *
 *     rho_t = sum_i (x_i - m)(x_(i+t) - m) / sum_i (x_i - m)^2,
 *
 * m the mean of all n: the usual estimate, which divides by n at every lag and
 * so shrinks to 0 at long ones.
 *
 * @param series    [n], finite.
 * @param n         at least 2.
 * @param lags      less than n.
 * @param[out] rho  [lags + 1]; rho[0] is 1.
 *
 * Errors: HANDLE, ARGUMENT (NULL), RANGE (n, lags), OVERFLOW, NON_FINITE,
 * NOT_COMPUTED (a constant series), MEMORY. Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_autocorrelation(ebm_context *context,
                                                   const double *series,
                                                   size_t n, size_t lags,
                                                   double *rho);

/**
 * Integrated autocorrelation time, in draws: 1 + 2 sum of the autocorrelations
 * of all chains together, cut by Geyer's initial monotone sequence (the paper,
 * section 3.2). A mean of chains draws values has the standard error of
 * chains draws / time independent ones. Chains are taken whole. At least
 * 1 / log10(chains draws).
 *
 * @param draws   [chains, n], finite.
 * @param chains  at least 1.
 * @param n       at least 4.
 * @param[out] time  in draws.
 *
 * Work grows as the draws times the lags until the sum is cut: for chains that
 * hardly move, as n^2.
 *
 * Errors: HANDLE, ARGUMENT (NULL), RANGE (chains, n), OVERFLOW, NON_FINITE,
 * NOT_COMPUTED (all draws are equal), MEMORY. Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_autocorrelation_time(ebm_context *context,
                                                        const double *draws,
                                                        size_t chains,
                                                        size_t n,
                                                        double *time);

/**
 * Effective sample size: how many independent draws would be worth as much.
 * Chains are cut into halves (of an odd number the middle draw is left out),
 * so a single chain will do. Can exceed chains n where draws alternate.
 *
 * @param draws  [chains, n], finite.
 * @param n      at least 8.
 * @param chains  at least 1.
 * @param[out] ess  in draws.
 *
 * Errors: as ebm_diagnostics_autocorrelation_time(), and ARGUMENT (no such
 * kind). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_ess(ebm_context *context, ebm_ess_kind kind,
                                       const double *draws, size_t chains,
                                       size_t n, double *ess);

/**
 * Rank-normalised split R-hat: the larger of that of the draws and that of
 * their distances from the median ("folded"). Near 1 when chains agree; the
 * paper asks for less than 1.01. Infinity when each half of a chain is
 * constant and they differ.
 *
 * @param draws   [chains, n], finite.
 * @param chains  at least 2: chains that began apart are what it compares.
 * @param n       at least 4.
 * @param[out] r_hat  about 1 or more.
 *
 * Errors: as ebm_diagnostics_autocorrelation_time().
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_r_hat(ebm_context *context,
                                         const double *draws, size_t chains,
                                         size_t n, double *r_hat);

/**
 * Takes one coordinate out of recorded states: an observer that copies
 * ebm_chains_states() again and again has [draws, chains, size].
 *
 * @param states       [draws, chains, size].
 * @param coordinate   less than size.
 * @param[out] series  [chains, draws].
 * @param draws        recorded of each chain, at least 1.
 * @param chains       at least 1.
 * @param size         elements of a state, at least 1.
 *
 * Errors: HANDLE, ARGUMENT (NULL, a size of 0), RANGE (coordinate), OVERFLOW.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_series(ebm_context *context,
                                          const float *states, size_t draws,
                                          size_t chains, size_t size,
                                          size_t coordinate, double *series);

/**
 * R-hat, bulk and tail ESS of every coordinate of recorded states. Any output
 * may be NULL. A coordinate that never changes in any chain (a border pixel,
 * say) has R-hat 1 and both ESS chains draws, and is counted.
 *
 * @param states         [draws, chains, size], finite.
 * @param draws          at least 8.
 * @param chains         at least 2.
 * @param[out] r_hat     [size].
 * @param[out] ess_bulk  [size].
 * @param[out] ess_tail  [size].
 * @param[out] constant  how many coordinates never change.
 * @param size           elements of a state, at least 1.
 *
 * Runs on the context's threads; results do not depend on their number.
 *
 * Errors: HANDLE, ARGUMENT (NULL, a size of 0), RANGE (draws, chains),
 * OVERFLOW, NON_FINITE, MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_summary(ebm_context *context,
                                           const float *states, size_t draws,
                                           size_t chains, size_t size,
                                           double *r_hat, double *ess_bulk,
                                           double *ess_tail, size_t *constant);

/**
 * Energies of the healthy chains of one origin. Chains that diverged are left
 * out. Any output may be NULL.
 *
 * @param energy      [n], as ebm_model_energy() wrote them for these chains.
 * @param[out] count  how many there are.
 * @param[out] mean   of them.
 * @param[out] std    standard deviation (divided by their number).
 *
 * Errors: HANDLE, ARGUMENT (energy is NULL, no such origin), NON_FINITE (an
 * energy of such a chain), NOT_COMPUTED (there is no such chain).
 * Thread safety: any thread, while no thread writes the chains. Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_energy(const ebm_chains *chains,
                                          const float *energy,
                                          ebm_origin origin, size_t *count,
                                          double *mean, double *std);

/**
 * How often the last run of a sampler met its limits, as shares of all
 * coordinates moved. Any output may be NULL.
 *
 * @param[out] clipped        whose gradient was clipped.
 * @param[out] clamped_noise  put back to the bounds after the noise.
 * @param[out] clamped_step   put back after the gradient step.
 *
 * Errors: HANDLE, NOT_COMPUTED (no coordinate was moved yet).
 * Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_shares(const ebm_sampler *sampler,
                                          double *clipped,
                                          double *clamped_noise,
                                          double *clamped_step);

/**
 * Area under the ROC curve of a score that shall be higher for one set than
 * for the other: the probability that a score of `high` exceeds one of `low`,
 * ties counting half (Mann and Whitney 1947). Counted exactly. With energies
 * of data as `low` and of something else as `high`: how well the energy tells
 * what is out of distribution. 0.5 means not at all.
 *
 * @param low   [n], finite.
 * @param high  [m], finite.
 * @param[out] auroc  between 0 and 1.
 *
 * Errors: HANDLE, ARGUMENT (NULL, n or m is 0), OVERFLOW, NON_FINITE, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_diagnostics_auroc(ebm_context *context,
                                         const float *low, size_t n,
                                         const float *high, size_t m,
                                         double *auroc);

#ifdef __cplusplus
}
#endif

#endif
