/*
 * The Gaussian, through C = L L^T: with z = L^-1 (x - mean),
 *
 *     E = |z|^2 / 2,   grad E = L^-T z,   H v = L^-T L^-1 v,
 *     log Z = d log(2 pi) / 2 + sum_i log L_ii.
 *
 * Two triangular systems a sample, no inverse: E can not turn negative however
 * badly C is conditioned.
 */
#include <math.h>
#include <string.h>

#include "model/analytic/analytic.h"

#define TAU 6.283185307179586476925286766559

/* array: mean[d], then L[d, d] unless C is the identity (count is 0). */
static const double *factor_of(const ebm_analytic *self)
{
    return self->count ? self->array + self->dimension : NULL;
}

/* Eight sums, so that the processor need not wait for each addition. */
static double dot(const double *a, const double *b, size_t n)
{
    double sums[8] = {0}, rest = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        rest += a[i] * b[i];
    for (size_t k = 0; k < 8; k++)
        rest += sums[k];
    return rest;
}

/* z <- L^-1 z. */
static void solve_lower(const double *l, size_t d, double *z)
{
    for (size_t i = 0; i < d; i++)
        z[i] = (z[i] - dot(l + i * d, z, i)) / l[i * d + i];
}

/* z <- L^-T z, row by row of L. */
static void solve_upper(const double *l, size_t d, double *z)
{
    for (size_t i = d; i-- > 0;) {
        z[i] /= l[i * d + i];
        for (size_t j = 0; j < i; j++)
            z[j] -= l[i * d + j] * z[i];
    }
}

static double energy(const ebm_analytic *self, const double *x, double *grad,
                     double *work)
{
    const double *l = factor_of(self);
    size_t d = self->dimension;
    double *z = grad ? grad : work;
    for (size_t i = 0; i < d; i++)
        z[i] = x[i] - self->array[i];
    if (l)
        solve_lower(l, d, z);
    double e = dot(z, z, d) / 2;
    if (l && grad)
        solve_upper(l, d, z);
    return e;
}

static void hessian(const ebm_analytic *self, const double *x, const double *v,
                    double *hv, double *work)
{
    const double *l = factor_of(self);
    size_t d = self->dimension;
    (void)x, (void)work;
    memcpy(hv, v, d * sizeof *hv);
    if (!l)
        return;
    solve_lower(l, d, hv);
    solve_upper(l, d, hv);
}

static int log_normaliser(const ebm_analytic *self, double beta, double *log_z)
{
    const double *l = factor_of(self);
    size_t d = self->dimension;
    double sum = (double)d * log(TAU / beta) / 2;
    for (size_t i = 0; l && i < d; i++)
        sum += log(l[i * d + i]);
    *log_z = sum;
    return beta > 0;
}

static const ebm_analytic_kind kind = {
    .ops = {EBM_ANALYTIC_OPS("Gaussian")},
    .energy = energy,
    .hessian = hessian,
    .log_normaliser = log_normaliser,
};

/* Cholesky and Banachiewicz: L row by row, from the lower half of C. Returns
   the first row whose pivot is not positive, or d. */
static size_t factorise(const double *c, size_t d, double *l)
{
    for (size_t i = 0; i < d; i++) {
        double *row = l + i * d;
        for (size_t j = 0; j < i; j++)
            row[j] = (c[i * d + j] - dot(row, l + j * d, j)) / l[j * d + j];
        double pivot = c[i * d + i] - dot(row, row, i);
        if (!(pivot > 0) || !isfinite(pivot))
            return i;
        row[i] = sqrt(pivot);
    }
    return d;
}

/* Symmetric to what rounding leaves of a product. */
static ebm_status check_symmetric(const ebm_context *context, const double *c,
                                  size_t d)
{
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < i; j++) {
            double one = c[i * d + j], other = c[j * d + i];
            double scale = sqrt(fabs(c[i * d + i])) * sqrt(fabs(c[j * d + j]));
            if (fabs(one - other) > 1e-10 * scale)
                return ebm_fail(context, EBM_ERROR_SHAPE,
                                "the covariance is not symmetric: [%zu, %zu] "
                                "is %g, [%zu, %zu] is %g",
                                i, j, one, j, i, other);
        }
    return EBM_OK;
}

ebm_status ebm_model_create_gaussian(ebm_context *context, size_t dimension,
                                     const double *mean,
                                     const double *covariance, ebm_model **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "model is NULL");
    EBM_TRY(ebm_analytic_check_dimension(context, dimension));
    size_t d = dimension;
    if (mean)
        EBM_TRY(ebm_analytic_check_finite(context, "mean", mean, d));
    if (covariance) {
        EBM_TRY(ebm_analytic_check_finite(context, "covariance", covariance,
                                          d * d));
        EBM_TRY(check_symmetric(context, covariance, d));
    }
    ebm_model *model = NULL;
    ebm_analytic *self = NULL;
    EBM_TRY(ebm_analytic_create(context, &kind, d,
                                d + (covariance ? d * d : 0), &model, &self));
    self->work = d;
    self->count = covariance ? 1 : 0;
    if (mean)
        memcpy(self->array, mean, d * sizeof *mean);
    size_t bad = covariance ? factorise(covariance, d, self->array + d) : d;
    if (bad < d) {
        ebm_object_release(model);
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "the covariance is not positive definite: row %zu",
                        bad);
    }
    *out = model;
    return EBM_OK;
}
