/**
 * @file analytic.h
 * Energies in closed form, whose normaliser Z = integral exp(-E) is known: to
 * test samplers and estimators on, and to learn with.
 *
 * They take samples [1, 1, d], have no parameters, all derivatives, and are
 * models like any other.
 */
#ifndef EBM_ANALYTIC_H
#define EBM_ANALYTIC_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * E(x) = (x - mean)^T C^-1 (x - mean) / 2, so log Z = log det(2 pi C) / 2.
 *
 * @param dimension   d, 1 to 4096.
 * @param mean        [d], finite; copied. NULL: 0.
 * @param covariance  C [d, d], symmetric and positive definite; copied. NULL:
 *                    the identity.
 *
 * Errors: HANDLE, ARGUMENT, RANGE (d), NON_FINITE, SHAPE (C is not symmetric
 * or not positive definite), OVERFLOW, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_gaussian(ebm_context *context,
                                             size_t dimension,
                                             const double *mean,
                                             const double *covariance,
                                             ebm_model **model);

/**
 * E(x) = -log sum_k w_k N(x; mean_k, std_k^2 I) with the normal densities'
 * own factors, so log Z = log sum_k w_k: 0 for weights that add up to 1.
 *
 * @param count    components, 1 to 1024.
 * @param weights  [count], greater than 0; NULL: 1 / count each.
 * @param means    [count, d], finite.
 * @param stds     [count], greater than 0; 1 / std^2 must fit into a double.
 * @param dimension  d, 1 to 4096.
 *
 * Errors: HANDLE, ARGUMENT, RANGE (a number or a size), NON_FINITE, OVERFLOW,
 * MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_gaussian_mixture(
    ebm_context *context, size_t dimension, size_t count,
    const double *weights, const double *means, const double *stds,
    ebm_model **model);

/**
 * E(x) = sum_i height (x_i^2 - 1)^2: minima of depth `height` at every corner
 * (+-1, ..., +-1).
 *
 * @param height  finite, greater than 0, at most 1e6.
 * @param dimension  d, 1 to 4096.
 *
 * Errors: HANDLE, ARGUMENT, RANGE, MEMORY. Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_double_well(ebm_context *context,
                                                size_t dimension,
                                                double height,
                                                ebm_model **model);

/**
 * Concentric rings in the plane: E(x) = -log sum_k exp(-(|x| - radius_k)^2 /
 * (2 std^2)).
 *
 * @param count  1 to 1024.
 * @param radii  [count], finite, not negative.
 * @param std    the rings' width, greater than 0; 1 / std^2 must fit into a
 *               double.
 *
 * At the origin, where |x| has no derivative, the gradient is 0, and so is H v
 * unless all radii are 0.
 *
 * Errors: HANDLE, ARGUMENT, RANGE, NON_FINITE, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_rings(ebm_context *context, size_t count,
                                          const double *radii, double std,
                                          ebm_model **model);

/**
 * Rosenbrock's valley in the plane: E(x, y) = ((a - x)^2 + b (y - x^2)^2) / T,
 * so Z = pi T / sqrt(b).
 *
 * @param a            finite.
 * @param b            greater than 0.
 * @param temperature  T, greater than 0.
 *
 * Errors: HANDLE, ARGUMENT, RANGE, NON_FINITE, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_rosenbrock(ebm_context *context, double a,
                                               double b, double temperature,
                                               ebm_model **model);

/**
 * log Z of an energy of this file, and of compositions where it follows from
 * the parts': mixtures of such, and a Gaussian, a double well (height / T at
 * most 1e6), a single ring or a valley at another temperature.
 *
 * @param[out] log_normaliser  log Z, in nats.
 *
 * Errors: HANDLE, ARGUMENT (NULL), UNSUPPORTED (it is not known).
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_log_normaliser(const ebm_model *model,
                                            double *log_normaliser);

#ifdef __cplusplus
}
#endif

#endif
