/* The shell of all analytic energies: floats in, doubles inside. */
#include "model/analytic/analytic.h"

#include <math.h>
#include <stdio.h>

#include "kernel/kernels.h"

/* Samples of a slab: enough to share a loop over among threads. */
enum { SLAB = 16, MOST_DIMENSIONS = 4096, MOST_COMPONENTS = 1024 };

void ebm_analytic_finish(ebm_model *model)
{
    const ebm_context *context = ebm_context_of(model);
    ebm_analytic *self = model->self;
    if (self)
        ebm_free(context, self->array);
    ebm_free(context, self);
}

ebm_status ebm_analytic_create(ebm_context *context,
                               const ebm_analytic_kind *kind, size_t dimension,
                               size_t doubles, ebm_model **out,
                               ebm_analytic **inside)
{
    ebm_model *model = NULL;
    EBM_TRY(ebm_model_allocate(context, 1, 1, dimension, 0, 0, &model));
    ebm_analytic *self = ebm_alloc_zero(context, 1, sizeof *self);
    model->ops = &kind->ops;
    model->self = self;
    if (self)
        self->array = ebm_alloc_zero(context, doubles, sizeof *self->array);
    if (!self || !self->array) {
        ebm_object_release(model);
        return ebm_out_of_memory(context, "an analytic energy");
    }
    self->kind = kind;
    self->dimension = dimension;
    model->slab = SLAB;
    model->has_param_gradient = 1; /* of nothing */
    model->has_tangent = 1;
    *out = model;
    *inside = self;
    return EBM_OK;
}

ebm_status ebm_analytic_check_dimension(const ebm_context *context,
                                        size_t dimension)
{
    if (dimension >= 1 && dimension <= MOST_DIMENSIONS)
        return EBM_OK;
    return ebm_fail(context, EBM_ERROR_RANGE,
                    "%zu dimensions, 1 to %d are possible", dimension,
                    MOST_DIMENSIONS);
}

ebm_status ebm_analytic_check_count(const ebm_context *context, size_t count)
{
    if (count >= 1 && count <= MOST_COMPONENTS)
        return EBM_OK;
    return ebm_fail(context, EBM_ERROR_RANGE,
                    "%zu components, 1 to %d are possible", count,
                    MOST_COMPONENTS);
}

/* What a number is called in a text: a single one without its index. */
typedef struct name {
    char text[48];
} name;

static name name_of(const char *what, size_t i, size_t n)
{
    name result;
    if (n == 1)
        snprintf(result.text, sizeof result.text, "%s", what);
    else
        snprintf(result.text, sizeof result.text, "%s %zu", what, i);
    return result;
}

ebm_status ebm_analytic_check_finite(const ebm_context *context,
                                     const char *what, const double *values,
                                     size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return ebm_fail(context, EBM_ERROR_NON_FINITE, "%s is %g",
                            name_of(what, i, n).text, values[i]);
    return EBM_OK;
}

ebm_status ebm_analytic_check_positive(const ebm_context *context,
                                       const char *what, const double *values,
                                       size_t n, int is_width)
{
    EBM_TRY(ebm_analytic_check_finite(context, what, values, n));
    for (size_t i = 0; i < n; i++) {
        double square = values[i] * values[i];
        if (!(values[i] > 0))
            return ebm_fail(context, EBM_ERROR_RANGE,
                            "%s is %g, it must be above 0",
                            name_of(what, i, n).text, values[i]);
        if (is_width && (!isnormal(square) || !isnormal(1 / square)))
            return ebm_fail(context, EBM_ERROR_RANGE,
                            "the square of %s, %g, is out of range",
                            name_of(what, i, n).text, values[i]);
    }
    return EBM_OK;
}

double ebm_analytic_softmax(double *logs, size_t n)
{
    double largest = logs[0], sum = 0;
    for (size_t k = 1; k < n; k++)
        largest = fmax(largest, logs[k]);
    if (isinf(largest) && largest < 0) { /* -inf less -inf is no number */
        for (size_t k = 0; k < n; k++)
            logs[k] = 0;
        return largest;
    }
    for (size_t k = 0; k < n; k++)
        sum += logs[k] = exp(logs[k] - largest);
    for (size_t k = 0; k < n; k++)
        logs[k] /= sum;
    return largest + log(sum);
}

/* ---- Passes ------------------------------------------------------------ */

/* x, a direction, the result, and the kind's own; or scales. */
static size_t doubles_of(const ebm_analytic *self)
{
    return 3 * self->dimension + self->work;
}

size_t ebm_analytic_workspace(const ebm_model *model, ebm_pass_mode mode,
                              size_t n)
{
    size_t scales = mode == EBM_PASS_PARAM_GRADIENT ? n : 0;
    return ebm_round_up(2 * doubles_of(model->self), EBM_LANES) + scales;
}

size_t ebm_analytic_tangent_workspace(const ebm_model *model, size_t n)
{
    return ebm_analytic_workspace(model, EBM_PASS_TANGENT, n);
}

static void to_double(double *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

static void to_float(float *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

ebm_status ebm_analytic_pass(const ebm_model *model, ebm_pass_mode mode,
                             const ebm_slab *slab, ebm_scale_fn scale_of,
                             void *argument)
{
    const ebm_analytic *self = model->self;
    size_t d = self->dimension;
    double *x = (double *)(void *)slab->workspace;
    double *grad = x + d, *work = x + 3 * d;
    int wants_grad = mode == EBM_PASS_INPUT_GRADIENT;
    for (size_t i = 0; i < slab->n; i++) {
        to_double(x, slab->x + i * d, d);
        slab->energy[i] =
            (float)self->kind->energy(self, x, wants_grad ? grad : NULL, work);
        if (wants_grad)
            to_float(slab->grad + i * d, grad, d);
    }
    if (mode != EBM_PASS_PARAM_GRADIENT)
        return EBM_OK;
    /* There is nothing to scale, but others may wait for the energies. */
    float *scales =
        slab->workspace + ebm_round_up(2 * doubles_of(self), EBM_LANES);
    return scale_of(argument, slab, scales);
}

ebm_status ebm_analytic_tangent(const ebm_model *model,
                                const ebm_tangent_slab *slab)
{
    const ebm_analytic *self = model->self;
    size_t d = self->dimension;
    double *x = (double *)(void *)slab->workspace;
    double *v = x + d, *hv = v + d, *work = hv + d;
    for (size_t i = 0; i < slab->n; i++) {
        to_double(x, slab->x + i * d, d);
        to_double(v, slab->v + i * d, d);
        self->kind->hessian(self, x, v, hv, work);
        to_float(slab->hv + i * d, hv, d);
    }
    return EBM_OK;
}

int ebm_analytic_log_normaliser(const ebm_model *model, double beta,
                                double *log_z)
{
    const ebm_analytic *self = model->self;
    return self->kind->log_normaliser(self, beta, log_z);
}
