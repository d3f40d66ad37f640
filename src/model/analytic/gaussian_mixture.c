/*
 * The Gaussian mixture. With l_k = log(w_k N(x; m_k, s_k^2 I)), the shares
 * r_k = softmax(l)_k and a_k = (x - m_k) / s_k^2,
 *
 *     E = -log sum_k exp l_k,   g = grad E = sum_k r_k a_k,
 *     H v = sum_k r_k (v / s_k^2 + <g - a_k, v> a_k).
 */
#include <math.h>
#include <string.h>

#include "model/analytic/analytic.h"

#define TAU 6.283185307179586476925286766559

/* array: the constants of l_k, 1 / s_k^2, m_k; b: log sum w_k. */
static const double *precisions(const ebm_analytic *self)
{
    return self->array + self->count;
}

static const double *mean(const ebm_analytic *self, size_t k)
{
    return self->array + 2 * self->count + k * self->dimension;
}

/* shares[count]; returns log sum_k exp l_k. */
static double find_shares(const ebm_analytic *self, const double *x,
                          double *shares)
{
    for (size_t k = 0; k < self->count; k++) {
        double square = 0;
        const double *m = mean(self, k);
        for (size_t i = 0; i < self->dimension; i++)
            square += (x[i] - m[i]) * (x[i] - m[i]);
        shares[k] = self->array[k] - precisions(self)[k] * square / 2;
    }
    return ebm_analytic_softmax(shares, self->count);
}

static void find_gradient(const ebm_analytic *self, const double *x,
                          const double *shares, double *g)
{
    size_t d = self->dimension;
    memset(g, 0, d * sizeof *g);
    for (size_t k = 0; k < self->count; k++) {
        double factor = shares[k] * precisions(self)[k];
        if (factor == 0)
            continue;
        const double *m = mean(self, k);
        for (size_t i = 0; i < d; i++)
            g[i] += factor * (x[i] - m[i]);
    }
}

static double energy(const ebm_analytic *self, const double *x, double *grad,
                     double *work)
{
    double log_density = find_shares(self, x, work);
    if (grad)
        find_gradient(self, x, work, grad);
    return -log_density;
}

static void hessian(const ebm_analytic *self, const double *x, const double *v,
                    double *hv, double *work)
{
    size_t d = self->dimension;
    double *shares = work, *g = work + self->count;
    find_shares(self, x, shares);
    find_gradient(self, x, shares, g);
    memset(hv, 0, d * sizeof *hv);
    for (size_t k = 0; k < self->count; k++) {
        double precision = precisions(self)[k], slope = 0;
        const double *m = mean(self, k);
        if (shares[k] == 0) /* its slope may be infinite */
            continue;
        for (size_t i = 0; i < d; i++)
            slope += (g[i] - precision * (x[i] - m[i])) * v[i];
        for (size_t i = 0; i < d; i++)
            hv[i] += shares[k] * precision * (v[i] + slope * (x[i] - m[i]));
    }
}

static int log_normaliser(const ebm_analytic *self, double beta, double *log_z)
{
    *log_z = self->b;
    return beta == 1;
}

static const ebm_analytic_kind kind = {
    .ops = {EBM_ANALYTIC_OPS("Gaussian mixture")},
    .energy = energy,
    .hessian = hessian,
    .log_normaliser = log_normaliser,
};

static ebm_status check(const ebm_context *context, size_t dimension,
                        size_t count, const double *weights,
                        const double *means, const double *stds)
{
    EBM_TRY(ebm_analytic_check_dimension(context, dimension));
    EBM_TRY(ebm_analytic_check_count(context, count));
    if (!means || !stds)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        means ? "stds is NULL" : "means is NULL");
    if (weights)
        EBM_TRY(
            ebm_analytic_check_positive(context, "weight", weights, count, 0));
    EBM_TRY(ebm_analytic_check_positive(context, "std", stds, count, 1));
    return ebm_analytic_check_finite(context, "mean", means,
                                     count * dimension);
}

ebm_status ebm_model_create_gaussian_mixture(ebm_context *context,
                                             size_t dimension, size_t count,
                                             const double *weights,
                                             const double *means,
                                             const double *stds,
                                             ebm_model **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "model is NULL");
    EBM_TRY(check(context, dimension, count, weights, means, stds));
    ebm_analytic *self = NULL;
    size_t d = dimension;
    EBM_TRY(
        ebm_analytic_create(context, &kind, d, count * (2 + d), out, &self));
    self->count = count;
    self->work = count + d;
    double *constants = self->array, *precision = constants + count;
    for (size_t k = 0; k < count; k++) {
        double weight = weights ? weights[k] : 1 / (double)count;
        precision[k] = 1 / (stds[k] * stds[k]);
        constants[k] = log(weight);
    }
    memcpy(precision + count, means, count * d * sizeof *means);
    double largest = constants[0], sum = 0;
    for (size_t k = 1; k < count; k++)
        largest = fmax(largest, constants[k]);
    for (size_t k = 0; k < count; k++) {
        sum += exp(constants[k] - largest);
        constants[k] -= (double)d * (log(stds[k]) + log(TAU) / 2);
    }
    self->b = weights ? largest + log(sum) : 0;
    return EBM_OK;
}
