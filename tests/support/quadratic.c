/* Energies of the caller's own, with second derivatives. */
#include "quadratic.h"

#include "ebm_test.h"

static void called(const test_quadratic *q)
{
    if (q->called)
        q->called(q->argument);
}

static int quadratic_energy_grad(const float *params, const float *x,
                                 const int32_t *labels, size_t n,
                                 float *energy, float *grad, void *user)
{
    const test_quadratic *q = user;
    (void)labels;
    called(q);
    for (size_t i = 0; i < n; i++) {
        energy[i] = 0;
        for (size_t j = i * q->size; j < (i + 1) * q->size; j++) {
            energy[i] += params[0] * x[j] * x[j] / 2;
            grad[j] = params[0] * x[j];
        }
    }
    if (q->energy_nan)
        energy[1] = NAN;
    return q->energy_fails;
}

static int quadratic_param_grad(const float *params, const float *x,
                                const int32_t *labels, size_t n,
                                const float *scale, float *gradient,
                                void *user)
{
    const test_quadratic *q = user;
    (void)params;
    (void)labels;
    called(q);
    for (size_t i = 0; i < n * q->size; i++)
        gradient[0] += scale[i / q->size] * x[i] * x[i] / 2;
    return 0;
}

static int quadratic_tangent(const float *params, const float *x,
                             const int32_t *labels, size_t n, const float *v,
                             const float *scale, float *hv, float *gradient,
                             void *user)
{
    const test_quadratic *q = user;
    (void)labels;
    called(q);
    for (size_t i = 0; i < n * q->size; i++) {
        hv[i] = params[0] * v[i];
        if (gradient)
            gradient[0] += scale[i / q->size] * x[i] * v[i];
    }
    return q->tangent_fails;
}

const ebm_energy_ops test_quadratic_ops = {
    sizeof test_quadratic_ops, 1, quadratic_energy_grad, quadratic_param_grad,
    quadratic_tangent};

static int quartic_energy_grad(const float *params, const float *x,
                               const int32_t *labels, size_t n, float *energy,
                               float *grad, void *user)
{
    const test_quartic *q = user;
    (void)labels;
    for (size_t i = 0; i < n; i++) {
        energy[i] = 0;
        for (size_t j = i * q->size; j < (i + 1) * q->size; j++) {
            float square = x[j] * x[j];
            energy[i] +=
                params[0] * square / 2 + params[1] * square * square / 4;
            grad[j] = params[0] * x[j] + params[1] * square * x[j];
        }
    }
    return 0;
}

static int quartic_tangent(const float *params, const float *x,
                           const int32_t *labels, size_t n, const float *v,
                           const float *scale, float *hv, float *param_grad,
                           void *user)
{
    test_quartic *q = user;
    q->calls++;
    q->samples += n;
    q->label = labels ? labels[n - 1] : -1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i * q->size; j < (i + 1) * q->size; j++) {
            hv[j] = (params[0] + 3 * params[1] * x[j] * x[j]) * v[j];
            if (!param_grad)
                continue;
            param_grad[0] += scale[i] * x[j] * v[j];
            param_grad[1] += scale[i] * x[j] * x[j] * x[j] * v[j];
        }
    if (param_grad && q->mixed_nan)
        param_grad[1] = NAN;
    return q->tangent_fails;
}

const ebm_energy_ops test_quartic_ops = {
    sizeof test_quartic_ops, 2, quartic_energy_grad, NULL, quartic_tangent};
