/*
 * Step-size adaptation by dual averaging (Hoffman and Gelman 2014, "The
 * No-U-Turn Sampler", section 3.2.1): with a_t the mean over all chains of
 * min(1, alpha) at step t and d the target,
 *
 *     H_t        = (1 - 1 / (t + t0)) H_(t-1) + (d - a_t) / (t + t0)
 *     log h      = mu - sqrt(t) / gamma H_t
 *     log h_mean = t^-kappa log h + (1 - t^-kappa) log h_mean
 *
 * with mu = log(10 h_0). h is used during the warm-up, h_mean after it. The
 * means are taken in the order of the chains, on one thread.
 */
#include <math.h>
#include <string.h>

#include "sampler/sampler.h"

static const double GAMMA = 0.05, T0 = 10, KAPPA = 0.75;
/* Where all or nothing is accepted the step would leave the floats. */
static const double LEAST = 1e-30, LARGEST = 1e30;

int ebm_adapt_is_on(const ebm_sampler *sampler)
{
    return (double)sampler->adaptation.done <
           sampler->values[EBM_SAMPLER_WARMUP_STEPS];
}

void ebm_adapt_restart(ebm_sampler *sampler)
{
    memset(&sampler->adaptation, 0, sizeof sampler->adaptation);
}

/* The pooled acceptance of the last step; 0 when no chain is left. */
static int pool(const ebm_sampler *sampler, const ebm_chains *chains,
                double *mean)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < chains->n; i++) {
        if (chains->diverged[i])
            continue;
        sum += sampler->records[i].acceptance;
        count++;
    }
    *mean = sum / count;
    return count > 0;
}

void ebm_adapt_update(ebm_sampler *sampler, const ebm_chains *chains)
{
    ebm_adaptation *a = &sampler->adaptation;
    double *v = sampler->values, mean;
    if (!a->done)
        a->center = log(10 * v[EBM_SAMPLER_STEP_SIZE]);
    a->done++;
    if (!pool(sampler, chains, &mean))
        return;
    double t = (double)a->done, weight = pow(t, -KAPPA);
    double target = v[EBM_SAMPLER_TARGET_ACCEPTANCE] > 0
                        ? v[EBM_SAMPLER_TARGET_ACCEPTANCE]
                        : sampler->ops->target;
    a->shortfall += ((target - mean) - a->shortfall) / (t + T0);
    double log_step = a->center - sqrt(t) / GAMMA * a->shortfall;
    log_step = fmin(fmax(log_step, log(LEAST)), log(LARGEST));
    a->log_mean += weight * (log_step - a->log_mean);
    v[EBM_SAMPLER_STEP_SIZE] =
        exp(ebm_adapt_is_on(sampler) ? log_step : a->log_mean);
}
