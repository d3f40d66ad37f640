/*
 * From log weights to log Z. With v_i = w_i forward and 1 / w_i in reverse,
 * and sums of v / max v, which can not overflow,
 *
 *     log mean v  = log max v + log mean (v / max v)
 *     its error   = std(v) / (mean(v) sqrt(n))                (delta method)
 *     ESS         = (sum v)^2 / sum v^2.
 *
 * log Z is log Z_0 + log mean v forward, log Z_0 - log mean v in reverse.
 */
#include <math.h>

#include "diagnostics/ais.h"
#include "diagnostics/rank.h"

/* sqrt(sum (a_i - mean)^2 / (n (n - 1))). */
static double error_of_mean(const double *a, size_t n, double mean)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (a[i] - mean) * (a[i] - mean);
    return sqrt(sum / ((double)n * (double)(n - 1)));
}

/* BOUND and its error. */
static void find_bound(const double *log_weights, size_t n, double log_z_base,
                       double *values)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += log_weights[i];
    double mean = sum / (double)n;
    values[EBM_AIS_BOUND] = log_z_base + mean;
    if (isfinite(mean) && n > 1)
        values[EBM_AIS_BOUND_ERROR] = error_of_mean(log_weights, n, mean);
}

void ebm_ais_summarise(const double *log_weights, size_t n,
                       ebm_ais_direction direction, double log_z_base,
                       double confidence, double *values)
{
    double sign = direction == EBM_AIS_FORWARD ? 1 : -1, most = -INFINITY;
    double sum = 0, squares = 0, apart = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, sign * log_weights[i]);
    if (most == -INFINITY) /* no weight but 0 */
        return;
    for (size_t i = 0; i < n; i++) {
        double v = exp(sign * log_weights[i] - most);
        sum += v;
        squares += v * v;
    }
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        double v = exp(sign * log_weights[i] - most);
        apart += (v - mean) * (v - mean);
    }
    double log_z = log_z_base + sign * (most + log(mean));
    values[EBM_AIS_LOG_Z] = log_z;
    values[EBM_AIS_ESS] = sum * sum / squares;
    find_bound(log_weights, n, log_z_base, values);
    if (n < 2)
        return;
    double error = sqrt(apart / ((double)n * (double)(n - 1))) / mean;
    double reach = ebm_normal_quantile(0.5 + confidence / 2) * error;
    values[EBM_AIS_STANDARD_ERROR] = error;
    values[EBM_AIS_LOW] = log_z - reach;
    values[EBM_AIS_HIGH] = log_z + reach;
}
