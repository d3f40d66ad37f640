/*
 * Entropy of a batch, from distances to nearest neighbours, and its gradient.
 *
 * The estimate of Kozachenko and Leonenko (1987, "Sample estimate of the
 * entropy of a random vector"), with the constants for a general k of Kraskov,
 * Stoegbauer and Grassberger (2004, "Estimating mutual information"):
 *
 *     H = psi(M + 1) - psi(k) + log V_d + (d / n) sum_i log rho_i      [nats]
 *
 * rho_i is the Euclidean distance of x_i to its k-th nearest among M
 * candidates, V_d = pi^(d/2) / Gamma(d/2 + 1) the volume of the unit ball, and
 * psi the digamma function: the expected log of the mass within rho_i is
 * psi(k) - psi(M + 1). The candidates are a set B, or the other samples of the
 * batch. The gradient is that of this very number, where the neighbours do not
 * change:
 *
 *     dH/dx_i += (d / n) (x_i - b) / rho_i^2     b the k-th nearest of x_i
 *     dH/db   -= the same                        if b is in the batch itself
 *
 * With a set B that is held constant, what is estimated is a cross-entropy,
 * -E_x[log p_B(x)], and the gradient is one through x alone: d log rho_i / dB,
 * the other end of each pair, is missing. It points the right way but is
 * biased: at d = 784 and |B| = 100 it is about half of the entropy's gradient.
 * The batch itself has both ends and no such bias.
 */
#ifndef EBM_LOSS_ENTROPY_H
#define EBM_LOSS_ENTROPY_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/status.h>

#include "loss/nearest.h"

/*
 * Estimates the entropy of x[n, d] against b[m, d], or, when b is NULL,
 * against the batch itself, each sample leaving itself out (M = n - 1; m is
 * not looked at).
 *
 * Neighbours are the true ones, see nearest.h; the workspace is theirs.
 *
 * A distance under 1e-6 sqrt(d) counts as that value, has no gradient and is
 * counted in *near_zero (NULL is allowed): copies would make H infinite.
 *
 * entropy    in nats.
 * gradient   dH/dx[n, d], or NULL; must not overlap x or b.
 *
 * Errors: ARGUMENT (NULL, a size of 0, an empty b), RANGE (k < 1, fewer than k
 * candidates), OVERFLOW, NON_FINITE, MEMORY. On an error nothing is written.
 */
ebm_status ebm_entropy_nearest(const ebm_context *context, const float *x,
                               size_t n, size_t d, const float *b, size_t m,
                               size_t k, ebm_nearest_workspace *workspace,
                               double *entropy, float *gradient,
                               size_t *near_zero);

#endif
