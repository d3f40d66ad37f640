/**
 * @file distance.h
 * Sets of samples or features against each other: nearest neighbours, entropy,
 * Frechet distance, kernel MMD.
 *
 * A set is float [n, d], row by row. Images [n, height, width, channels] are
 * sets with d = height width channels; what a feature extractor made of them
 * is another. Arithmetic is in double.
 *
 * Results do not depend on the number of threads.
 */
#ifndef EBM_DISTANCE_H
#define EBM_DISTANCE_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/dataset.h>
#include <ebm/export.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The k nearest of each x_i among b, by Euclidean distance, nearest first;
 * equal distances go by index. They are the true ones: a matrix product in
 * float only ranks, and distances are measured as differences in double.
 *
 * @param x               [n, d], finite.
 * @param b               [m, d], finite; may be x, then each is its own
 *                        nearest.
 * @param k               1 to m.
 * @param[out] index      [n, k], or NULL.
 * @param[out] distance   [n, k], or NULL.
 *
 * Errors: HANDLE, ARGUMENT (NULL, a size of 0), RANGE (k), OVERFLOW,
 * NON_FINITE, MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_distance_nearest(ebm_context *context, const float *x,
                                        size_t n, const float *b, size_t m,
                                        size_t d, size_t k, size_t *index,
                                        double *distance);

/**
 * The same among the samples of a dataset, as ebm_dataset_read() gives them:
 * whether generated images are copies of the data (Du et al. 2020, supplement
 * A.1). The dataset is read in pieces, not copied as a whole.
 *
 * @param x  [n, height, width, channels] of the dataset's shape, finite.
 * @param k  1 to the number of samples.
 * @param[out] index     [n, k] numbers of samples, or NULL.
 * @param[out] distance  [n, k], or NULL.
 *
 * Errors: as ebm_distance_nearest(). Thread safety: several threads may read
 * a dataset. Since: 0.1.
 */
EBM_API ebm_status ebm_distance_nearest_data(const ebm_dataset *dataset,
                                             const float *x, size_t n,
                                             size_t k, size_t *index,
                                             double *distance);

/**
 * Entropy of the law that x was drawn from, in nats, from the distances to
 * k-th nearest neighbours (Kozachenko and Leonenko 1987; Kraskov et al. 2004):
 *
 *     H = psi(M + 1) - psi(k) + log V_d + (d / n) sum_i log rho_i
 *
 * as the KL term of the losses computes it. With b a cross-entropy of x
 * against the law of b.
 *
 * @param x  [n, d], finite.
 * @param b  [m, d], finite; or NULL: the other samples of x (M = n - 1).
 * @param k  1 to the number of candidates M.
 * @param[out] near_copies  samples whose distance is under 1e-6 sqrt(d) and
 *                          counts as that; or NULL.
 * @param[out] entropy  in nats; differential, so it may be negative.
 *
 * Errors: as ebm_distance_nearest(). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_distance_entropy(ebm_context *context, const float *x,
                                        size_t n, const float *b, size_t m,
                                        size_t d, size_t k, double *entropy,
                                        size_t *near_copies);

/**
 * Squared Frechet distance of the Gaussians that have the sets' means and
 * covariances (divided by n - 1),
 *
 *     |mu - nu|^2 + trace(C + D - 2 (C D)^(1/2)),
 *
 * which with Inception features is the FID (Heusel et al. 2017). Biased for
 * few samples: compare only numbers for equal n and m, and say them.
 *
 * @param x  [n, d], finite, n at least 2.
 * @param y  [m, d], finite, m at least 2.
 * @param[out] distance  at least 0.
 *
 * Memory: six matrices [d, d] in double. Where a set has fewer than d + 1
 * samples the error is about 1e-8 sqrt(trace C trace D) per dimension.
 *
 * Errors: HANDLE, ARGUMENT (NULL, d is 0), RANGE (n, m), OVERFLOW, NON_FINITE
 * (input, or eigenvalues that do not converge), MEMORY. Thread safety: any
 * thread. Since: 0.1.
 */
EBM_API ebm_status ebm_distance_frechet(ebm_context *context, const float *x,
                                        size_t n, const float *y, size_t m,
                                        size_t d, double *distance);

/**
 * Squared maximum mean discrepancy, unbiased (Gretton et al. 2012, eq. 3), so
 * about 0 for equal laws and slightly below it as often as above:
 *
 *     mean_(i != j) k(x_i, x_j) + mean_(i != j) k(y_i, y_j)
 *         - 2 mean_(i, j) k(x_i, y_j)
 *
 * with the polynomial kernel k(a, b) = (scale a.b + offset)^degree. Degree 3,
 * scale 1 / d and offset 1 on Inception features is the KID (Binkowski et al.
 * 2018).
 *
 * @param x       [n, d], finite, n at least 2.
 * @param y       [m, d], finite, m at least 2.
 * @param degree  1 to 16.
 * @param scale   > 0, finite.
 * @param offset  finite.
 * @param[out] mmd  the square, in the unit of k.
 *
 * Errors: HANDLE, ARGUMENT (NULL, d is 0), RANGE (n, m, the kernel's numbers),
 * OVERFLOW, NON_FINITE (input, or a sum beyond a double), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_distance_mmd_polynomial(
    ebm_context *context, const float *x, size_t n, const float *y, size_t m,
    size_t d, size_t degree, double scale, double offset, double *mmd);

/**
 * The same with the Gaussian kernel k(a, b) = exp(-|a - b|^2 / (2 width^2)).
 *
 * @param width  > 0, finite; in the unit of x.
 * @param x, y  as there.
 * @param[out] mmd  the square, at most 2.
 *
 * Errors: as ebm_distance_mmd_polynomial(). Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_distance_mmd_rbf(ebm_context *context, const float *x,
                                        size_t n, const float *y, size_t m,
                                        size_t d, double width, double *mmd);

#ifdef __cplusplus
}
#endif

#endif
