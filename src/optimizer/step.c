/*
 * One step of an optimizer, all or nothing.
 *
 * Whether a step overflows is known only when it is computed. Instead of a
 * backup of three arrays, the step is computed twice: a trial in blocks on
 * the stack, which throws its results away and only sees whether all of them
 * are finite, and then in place. The same function on the same numbers gives
 * the same bits, so what the trial has seen holds. It costs one more pass
 * over the parameters, which is little beside one over a batch.
 */
#include "optimizer/optimizer.h"

#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "kernel/kernels.h"

enum { BLOCK = 1024 };

/* The constants of this step, in float as the arrays are. */
typedef struct update {
    const ebm_kernels *kernels;
    ebm_optimizer_kind kind;
    ebm_adam adam;
    float scale, momentum, rate; /* SGD */
} update;

/* 1 - beta^t, which is 1 for beta = 0. */
static double bias_correction(double beta, uint64_t t)
{
    return 1 - pow(beta, (double)t);
}

/* Adam's beta are rounded to float before the corrections are computed from
   them, so that the corrections belong to the decay that is carried out: with
   0.999 the rounding moves 1 - beta2 by 5e-5 of itself. */
static update begin_update(const ebm_optimizer *optimizer, double scale)
{
    const double *values = optimizer->values;
    double rate = values[EBM_OPTIMIZER_LEARNING_RATE];
    float beta1 = (float)values[EBM_OPTIMIZER_BETA1];
    float beta2 = (float)values[EBM_OPTIMIZER_BETA2];
    uint64_t t = optimizer->steps + 1;
    update u = {.kernels = ebm_context_of(optimizer)->kernels,
                .kind = optimizer->kind,
                .scale = (float)scale,
                .momentum = (float)values[EBM_OPTIMIZER_MOMENTUM],
                .rate = (float)rate};
    u.adam.scale = (float)scale;
    u.adam.beta1 = beta1;
    u.adam.beta2 = beta2;
    u.adam.rate = (float)(rate / bias_correction((double)beta1, t));
    u.adam.root_scale = (float)(1 / sqrt(bias_correction((double)beta2, t)));
    u.adam.epsilon = (float)values[EBM_OPTIMIZER_EPSILON];
    return u;
}

/* Updates n elements, a multiple of EBM_LANES. */
static void apply(const update *u, size_t n, const float *g, float *first,
                  float *second, float *theta)
{
    if (u->kind == EBM_OPTIMIZER_ADAM) {
        u->kernels->adam(n, &u->adam, g, first, second, theta);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        first[i] = u->momentum * first[i] + u->scale * g[i];
        theta[i] -= u->rate * first[i];
    }
}

/* Whether the step leaves a leaf's parameters and moments finite. */
static int trial(const ebm_optimizer *optimizer, const update *u,
                 const ebm_leaf *leaf)
{
    const ebm_model *model = leaf->model;
    size_t padded = ebm_round_up(model->parameter_count, EBM_LANES);
    const float *m = optimizer->first + leaf->padded;
    const float *v =
        optimizer->second ? optimizer->second + leaf->padded : NULL;
    _Alignas(64) float first[BLOCK], second[BLOCK], theta[BLOCK];
    for (size_t at = 0; at < padded; at += BLOCK) {
        size_t left = padded - at;
        size_t n = left < BLOCK ? left : BLOCK;
        memcpy(theta, model->parameters + at, n * sizeof *theta);
        memcpy(first, m + at, n * sizeof *first);
        if (v)
            memcpy(second, v + at, n * sizeof *second);
        apply(u, n, model->gradient + at, first, second, theta);
        if (!ebm_all_finite(theta, n) || !ebm_all_finite(first, n) ||
            (v && !ebm_all_finite(second, n)))
            return 0;
    }
    return 1;
}

/* The step itself, on one leaf. */
static void step_leaf(ebm_optimizer *optimizer, const update *u,
                      const ebm_leaf *leaf)
{
    const ebm_model *model = leaf->model;
    size_t padded = ebm_round_up(model->parameter_count, EBM_LANES);
    apply(u, padded, model->gradient, optimizer->first + leaf->padded,
          optimizer->second ? optimizer->second + leaf->padded : NULL,
          model->parameters);
}

/* ema <- decay ema + (1 - decay) theta. In double, where a mean of two floats
   can not round to beyond the larger one. */
static void update_average(ebm_optimizer *optimizer)
{
    const ebm_model *model = optimizer->model;
    double decay = optimizer->values[EBM_OPTIMIZER_EMA_DECAY];
    if (!(decay > 0))
        return;
    for (size_t k = 0; k < model->leaf_count; k++) {
        const ebm_model *leaf = model->leaves[k].model;
        const float *theta = leaf->parameters;
        float *average = optimizer->average + model->leaves[k].padded;
        for (size_t i = 0; i < leaf->parameter_count; i++)
            average[i] = optimizer->has_average
                             ? (float)(decay * (double)average[i] +
                                       (1 - decay) * (double)theta[i])
                             : theta[i];
    }
    optimizer->has_average = 1;
}

/* All gradients clipped to the limit; their norm. */
static double clip_and_measure(const ebm_optimizer *optimizer)
{
    const ebm_kernels *kernels = ebm_context_of(optimizer)->kernels;
    const ebm_model *model = optimizer->model;
    float limit = (float)optimizer->values[EBM_OPTIMIZER_CLIP_VALUE];
    double squares = 0;
    for (size_t k = 0; k < model->leaf_count; k++) {
        const ebm_model *leaf = model->leaves[k].model;
        squares += kernels->clip_and_square(leaf->parameter_count, limit,
                                            leaf->gradient);
    }
    return sqrt(squares);
}

static ebm_status refuse(ebm_optimizer *optimizer, const char *what,
                         double norm)
{
    optimizer->refused++;
    ebm_model_clear_gradient(optimizer->model);
    const ebm_context *context = ebm_context_of(optimizer);
    return ebm_fail_loudly(context, EBM_ERROR_NON_FINITE,
                           "step %llu is refused: %s (gradient norm %g)",
                           (unsigned long long)optimizer->steps + 1, what,
                           norm);
}

ebm_status ebm_optimizer_step(ebm_optimizer *optimizer)
{
    EBM_CHECK_HANDLE(optimizer, EBM_TYPE_OPTIMIZER);
    ebm_context *context = ebm_context_of(optimizer);
    ebm_model *model = optimizer->model;
    EBM_TRY(ebm_model_check_ready(model));
    if (optimizer->swapped)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the average is in the model's place: swap it back "
                        "first");
    double norm = clip_and_measure(optimizer);
    if (!isfinite(norm))
        return refuse(optimizer, "the gradient is not finite", norm);
    double scale =
        fmin(1, optimizer->values[EBM_OPTIMIZER_CLIP_NORM] / (norm + 1e-6));
    update u = begin_update(optimizer, scale);
    for (size_t k = 0; k < model->leaf_count; k++)
        if (!trial(optimizer, &u, model->leaves + k))
            return refuse(optimizer, "a parameter or moment would overflow",
                          norm);
    for (size_t k = 0; k < model->leaf_count; k++)
        step_leaf(optimizer, &u, model->leaves + k);
    optimizer->steps++;
    optimizer->norm = norm;
    update_average(optimizer);
    ebm_model_iterate_once(model);
    ebm_model_parameters_written(model);
    ebm_model_clear_gradient(model);
    return EBM_OK;
}
