/* The Frechet distance of Gaussians with the moments of two sets (Dowson and
   Landau 1982). */
#include <float.h>
#include <math.h>
#include <string.h>

#include <ebm/distance.h>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/memory.h"
#include "core/object.h"
#include "diagnostics/features.h"

/* Rows that are centred and multiplied at a time. */
enum { ROWS = 256 };

typedef struct moments {
    double *mean;       /* [d] */
    double *covariance; /* [d, d] */
} moments;

static double trace(const double *a, size_t d)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += a[j * d + j];
    return sum;
}

/* Mean and covariance, divided by n - 1. rows[ROWS, d] is workspace. */
static void find_moments(const float *x, size_t n, size_t d, double *rows,
                         const moments *to)
{
    ebm_feature_mean(x, n, d, to->mean);
    ebm_blas_hold hold = ebm_blas_enter();
    for (size_t first = 0; first < n; first += ROWS) {
        size_t count = n - first < ROWS ? n - first : ROWS;
        for (size_t i = 0; i < count * d; i++)
            rows[i] = (double)x[first * d + i] - to->mean[i % d];
        ebm_dgemm(1, 0, d, d, count, rows, d, rows, d, first ? 1 : 0,
                  to->covariance, d);
    }
    ebm_blas_leave(hold);
    for (size_t i = 0; i < d * d; i++)
        to->covariance[i] /= (double)(n - 1);
}

/* Eigenvalues that are rounding errors of 0 become 0: their roots would be
   1e-8 of the largest and not 1e-16. Returns how many stay, at the end. */
static size_t rank_of(const double *values, size_t d)
{
    double least = values[d - 1] * DBL_EPSILON * (double)d;
    size_t zeros = 0;
    while (zeros < d && !(values[zeros] > least))
        zeros++;
    return d - zeros;
}

/*
 * trace (C D)^(1/2) = trace (R D R^T)^(1/2) with R = L^(1/2) V, C = V^T L V:
 * the product of two symmetric matrices has the eigenvalues of a symmetric
 * one. Only the r directions in which C is not 0 count, so R is [r, d].
 *
 * c and d_matrix are [d, d]; c is spoiled, product[d, d] and values[d] are
 * workspace.
 */
static ebm_status trace_of_root(const ebm_context *context, size_t d,
                                double *c, const double *d_matrix,
                                double *product, double *values,
                                double *result)
{
    *result = 0;
    EBM_TRY(ebm_eigen_symmetric(context, 1, d, c, values));
    size_t r = rank_of(values, d), zeros = d - r;
    if (!r)
        return EBM_OK;
    double *root = c + zeros * d;
    for (size_t i = 0; i < r; i++)
        for (size_t j = 0; j < d; j++)
            root[i * d + j] *= sqrt(values[zeros + i]);
    ebm_blas_hold hold = ebm_blas_enter();
    ebm_dgemm(0, 0, r, d, d, root, d, d_matrix, d, 0, product, d);
    /* The middle matrix can not stand where its factor does. */
    double *middle = product + r * d;
    ebm_dgemm(0, 1, r, r, d, product, d, root, d, 0, middle, r);
    ebm_blas_leave(hold);
    EBM_TRY(ebm_eigen_symmetric(context, 0, r, middle, values));
    size_t rank = rank_of(values, r);
    for (size_t i = r - rank; i < r; i++)
        *result += sqrt(values[i]);
    return EBM_OK;
}

static ebm_status distance_of(const ebm_context *context, size_t d,
                              const moments *a, const moments *b,
                              double *product, double *values, double *result)
{
    double means = 0, root;
    for (size_t j = 0; j < d; j++)
        means += (a->mean[j] - b->mean[j]) * (a->mean[j] - b->mean[j]);
    double traces = trace(a->covariance, d) + trace(b->covariance, d);
    EBM_TRY(trace_of_root(context, d, a->covariance, b->covariance, product,
                          values, &root));
    /* Of equal laws what is left is a rounding, of either sign. */
    *result = means + fmax(traces - 2 * root, 0);
    return EBM_OK;
}

ebm_status ebm_distance_frechet(ebm_context *context, const float *x, size_t n,
                                const float *y, size_t m, size_t d,
                                double *distance)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    EBM_TRY(ebm_check_features(context, x, n, y, m, d, distance));
    size_t square, all;
    if (!ebm_multiply(d, d, &square) ||
        !ebm_multiply4(d, 4 * d + ROWS + 3, sizeof(double), 1, &all))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "matrices [%zu, %zu] do not fit into memory", d, d);
    double *block = ebm_alloc(context, all, 1);
    if (!block)
        return ebm_out_of_memory(context, "a Frechet distance");
    /* Two covariances, the product and its middle matrix, rows, vectors. */
    moments a = {block + 4 * square + ROWS * d, block};
    moments b = {a.mean + d, block + square};
    double *product = block + 2 * square, *rows = block + 4 * square;
    double result = 0;
    find_moments(x, n, d, rows, &a);
    find_moments(y, m, d, rows, &b);
    ebm_status status =
        distance_of(context, d, &a, &b, product, b.mean + d, &result);
    if (status == EBM_OK)
        *distance = result;
    ebm_free(context, block);
    return status;
}
