/* Energies of the plane: rings, and Rosenbrock's valley. */
#include <math.h>
#include <string.h>

#include "model/analytic/analytic.h"

#define PI 3.1415926535897932384626433832795

/*
 * Rings: E = f(rho), rho = |x|, f = -log sum_k exp(-(rho - R_k)^2 / (2 s^2)).
 * With the mean m and variance q of R under the shares of the rings,
 *
 *     f' = (rho - m) / s^2,   f'' = 1 / s^2 - q / s^4,
 *
 * and with u = x / rho: grad E = f' u, H v = f'' <u, v> u + f' / rho (v -
 * <u, v> u).
 *
 * array: R_k; a: s.
 */
static double find_slopes(const ebm_analytic *self, double rho, double *shares,
                          double *slope, double *bend)
{
    double precision = 1 / (self->a * self->a), mean = 0, variance = 0;
    const double *radii = self->array;
    for (size_t k = 0; k < self->count; k++)
        shares[k] = -(rho - radii[k]) * (rho - radii[k]) * precision / 2;
    double f = -ebm_analytic_softmax(shares, self->count);
    *slope = *bend = 0;
    if (isinf(f)) /* too far from all rings */
        return f;
    for (size_t k = 0; k < self->count; k++)
        mean += shares[k] * radii[k];
    for (size_t k = 0; k < self->count; k++)
        variance += shares[k] * (radii[k] - mean) * (radii[k] - mean);
    *slope = (rho - mean) * precision;
    *bend = precision - variance * precision * precision;
    return f;
}

static double rings_energy(const ebm_analytic *self, const double *x,
                           double *grad, double *work)
{
    double slope, bend, rho = hypot(x[0], x[1]);
    double e = find_slopes(self, rho, work, &slope, &bend);
    for (size_t i = 0; grad && i < 2; i++)
        grad[i] = rho > 0 ? slope * (x[i] / rho) : 0;
    return e;
}

static void rings_hessian(const ebm_analytic *self, const double *x,
                          const double *v, double *hv, double *work)
{
    double slope, bend, rho = hypot(x[0], x[1]);
    find_slopes(self, rho, work, &slope, &bend);
    if (!(rho > 0)) {
        /* A ring of radius 0 is a Gaussian; else there is no derivative. */
        for (size_t i = 0; i < 2; i++)
            hv[i] = slope == 0 ? bend * v[i] : 0;
        return;
    }
    double u[2] = {x[0] / rho, x[1] / rho};
    double along = u[0] * v[0] + u[1] * v[1];
    for (size_t i = 0; i < 2; i++)
        hv[i] = bend * along * u[i] + slope / rho * (v[i] - along * u[i]);
}

/* Ring by ring, 2 pi int_0^inf exp(-(r - R)^2 / (2 s^2)) r dr
   = 2 pi (s^2 exp(-R^2 / (2 s^2)) + R s sqrt(pi / 2) (1 + erf(R / (s
   sqrt 2)))). One ring stays one at any temperature: s^2 / beta. */
static int rings_log_normaliser(const ebm_analytic *self, double beta,
                                double *log_z)
{
    if (!(beta > 0) || (beta != 1 && self->count > 1))
        return 0;
    double s = self->a / sqrt(beta), sum = 0;
    for (size_t k = 0; k < self->count; k++) {
        double t = self->array[k] / (s * sqrt(2));
        sum += exp(-t * t) + t * sqrt(PI) * (1 + erf(t));
    }
    *log_z = log(2 * PI) + 2 * log(s) + log(sum);
    return 1;
}

static const ebm_analytic_kind rings = {
    .ops = {EBM_ANALYTIC_OPS("rings")},
    .energy = rings_energy,
    .hessian = rings_hessian,
    .log_normaliser = rings_log_normaliser,
};

ebm_status ebm_model_create_rings(ebm_context *context, size_t count,
                                  const double *radii, double std,
                                  ebm_model **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out || !radii)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        out ? "radii is NULL" : "model is NULL");
    EBM_TRY(ebm_analytic_check_count(context, count));
    EBM_TRY(ebm_analytic_check_finite(context, "radius", radii, count));
    for (size_t k = 0; k < count; k++)
        if (radii[k] < 0)
            return ebm_fail(context, EBM_ERROR_RANGE,
                            "radius %zu is %g, below 0", k, radii[k]);
    EBM_TRY(ebm_analytic_check_positive(context, "std", &std, 1, 1));
    ebm_analytic *self = NULL;
    EBM_TRY(ebm_analytic_create(context, &rings, 2, count, out, &self));
    memcpy(self->array, radii, count * sizeof *radii);
    self->count = self->work = count;
    self->a = std;
    return EBM_OK;
}

/*
 * Rosenbrock: E = ((a - x)^2 + b u^2) / T, u = y - x^2. For given x the
 * integral over y is that of a Gaussian of variance T / (2 b), and then the
 * one over x of variance T / 2: Z = pi T / sqrt(b).
 *
 * array: T.
 */
static double valley_energy(const ebm_analytic *self, const double *x,
                            double *grad, double *work)
{
    double a = self->a, b = self->b, beta = 1 / self->array[0];
    double u = x[1] - x[0] * x[0], w = a - x[0];
    (void)work;
    if (grad) {
        grad[0] = beta * (-2 * w - 4 * b * x[0] * u);
        grad[1] = beta * 2 * b * u;
    }
    return beta * (w * w + b * u * u);
}

static void valley_hessian(const ebm_analytic *self, const double *x,
                           const double *v, double *hv, double *work)
{
    double b = self->b, beta = 1 / self->array[0];
    double u = x[1] - x[0] * x[0];
    double xx = 2 - 4 * b * u + 8 * b * x[0] * x[0], xy = -4 * b * x[0];
    (void)work;
    hv[0] = beta * (xx * v[0] + xy * v[1]);
    hv[1] = beta * (xy * v[0] + 2 * b * v[1]);
}

static int valley_log_normaliser(const ebm_analytic *self, double beta,
                                 double *log_z)
{
    *log_z = log(PI) + log(self->array[0] / beta) - log(self->b) / 2;
    return beta > 0;
}

static const ebm_analytic_kind valley = {
    .ops = {EBM_ANALYTIC_OPS("Rosenbrock")},
    .energy = valley_energy,
    .hessian = valley_hessian,
    .log_normaliser = valley_log_normaliser,
};

ebm_status ebm_model_create_rosenbrock(ebm_context *context, double a,
                                       double b, double temperature,
                                       ebm_model **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "model is NULL");
    EBM_TRY(ebm_analytic_check_finite(context, "a", &a, 1));
    EBM_TRY(ebm_analytic_check_positive(context, "b", &b, 1, 0));
    EBM_TRY(ebm_analytic_check_positive(context, "temperature", &temperature,
                                        1, 0));
    if (!isfinite(1 / temperature))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "a temperature of %g is too small", temperature);
    ebm_analytic *self = NULL;
    EBM_TRY(ebm_analytic_create(context, &valley, 2, 1, out, &self));
    self->a = a;
    self->b = b;
    self->array[0] = temperature;
    return EBM_OK;
}
