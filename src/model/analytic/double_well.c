/* The double well, E(x) = sum_i h (x_i^2 - 1)^2. */
#include <math.h>

#include "model/analytic/analytic.h"

/* a: h. */
static double energy(const ebm_analytic *self, const double *x, double *grad,
                     double *work)
{
    double sum = 0;
    (void)work;
    for (size_t i = 0; i < self->dimension; i++) {
        double u = x[i] * x[i] - 1;
        sum += u * u;
        if (grad)
            grad[i] = 4 * self->a * x[i] * u;
    }
    return self->a * sum;
}

static void hessian(const ebm_analytic *self, const double *x, const double *v,
                    double *hv, double *work)
{
    (void)work;
    for (size_t i = 0; i < self->dimension; i++)
        hv[i] = 4 * self->a * (3 * x[i] * x[i] - 1) * v[i];
}

/* log integral exp(-h (x^2 - 1)^2) dx by the trapezoidal rule, whose error
   falls exponentially with the step for analytic functions that vanish at both
   ends (Trefethen and Weideman 2014). Beyond `end` the integrand is below
   exp(-750); the narrowest peak is 1 / sqrt(8e6) = 3.5e-4 wide, seven steps.
   An even function: the half line, twice. */
static double log_integral(double h)
{
    enum { STEPS = 20000 };
    double end = sqrt(1 + sqrt(750 / h)), step = end / STEPS, sum = 0;
    for (size_t i = 0; i <= STEPS; i++) {
        double x = step * (double)i, u = x * x - 1;
        sum += (i ? 2 : 1) * exp(-h * u * u);
    }
    return log(sum * step);
}

static int log_normaliser(const ebm_analytic *self, double beta, double *log_z)
{
    double h = beta * self->a;
    if (!(h > 0) || h > 1e6)
        return 0;
    *log_z = (double)self->dimension * (beta == 1 ? self->b : log_integral(h));
    return 1;
}

static const ebm_analytic_kind kind = {
    .ops = {EBM_ANALYTIC_OPS("double well")},
    .energy = energy,
    .hessian = hessian,
    .log_normaliser = log_normaliser,
};

ebm_status ebm_model_create_double_well(ebm_context *context, size_t dimension,
                                        double height, ebm_model **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "model is NULL");
    EBM_TRY(ebm_analytic_check_dimension(context, dimension));
    if (!(height > 0) || height > 1e6)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "a height of %g, above 0 and at most 1e6 is possible",
                        height);
    ebm_analytic *self = NULL;
    EBM_TRY(ebm_analytic_create(context, &kind, dimension, 1, out, &self));
    self->a = height;
    self->b = log_integral(height);
    return EBM_OK;
}
