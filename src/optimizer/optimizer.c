/* Optimizers: creation, settings, the averaged weights. */
#include "optimizer/optimizer.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/option.h"
#include "kernel/kernels.h"

/* Which kinds a key is for, as bits. */
enum { ADAM = 1 << EBM_OPTIMIZER_ADAM, SGD = 1 << EBM_OPTIMIZER_SGD };

static const ebm_option_row rows[EBM_OPTIMIZER_KEYS] = {
    [EBM_OPTIMIZER_LEARNING_RATE] = {"learning_rate", EBM_OPTION_REAL, 0,
                                     EBM_FLOAT_LARGEST, 1e-4},
    [EBM_OPTIMIZER_BETA1] = {"beta1", EBM_OPTION_REAL, 0, EBM_BELOW_ONE, 0.9},
    [EBM_OPTIMIZER_BETA2] = {"beta2", EBM_OPTION_REAL, 0, EBM_BELOW_ONE,
                             0.999},
    [EBM_OPTIMIZER_EPSILON] = {"epsilon", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                               EBM_FLOAT_LARGEST, 1e-8},
    [EBM_OPTIMIZER_MOMENTUM] = {"momentum", EBM_OPTION_REAL, 0, EBM_BELOW_ONE,
                                0},
    [EBM_OPTIMIZER_CLIP_NORM] = {"clip_norm", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                                 INFINITY, INFINITY},
    [EBM_OPTIMIZER_CLIP_VALUE] = {"clip_value", EBM_OPTION_REAL,
                                  EBM_ABOVE_ZERO, INFINITY, INFINITY},
    [EBM_OPTIMIZER_EMA_DECAY] = {"ema_decay", EBM_OPTION_REAL, 0,
                                 EBM_BELOW_ONE, 0},
};

static const int kinds_of_key[EBM_OPTIMIZER_KEYS] = {
    [EBM_OPTIMIZER_LEARNING_RATE] = ADAM | SGD,
    [EBM_OPTIMIZER_BETA1] = ADAM,
    [EBM_OPTIMIZER_BETA2] = ADAM,
    [EBM_OPTIMIZER_EPSILON] = ADAM,
    [EBM_OPTIMIZER_MOMENTUM] = SGD,
    [EBM_OPTIMIZER_CLIP_NORM] = ADAM | SGD,
    [EBM_OPTIMIZER_CLIP_VALUE] = ADAM | SGD,
    [EBM_OPTIMIZER_EMA_DECAY] = ADAM | SGD,
};

static void finish(void *object)
{
    ebm_optimizer *optimizer = object;
    const ebm_context *context = ebm_context_of(optimizer);
    ebm_free(context, optimizer->average);
    ebm_free(context, optimizer->second);
    ebm_free(context, optimizer->first);
    ebm_object_release(optimizer->model);
}

ebm_status ebm_optimizer_create(ebm_context *context, ebm_optimizer_kind kind,
                                ebm_model *model, ebm_optimizer **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_CHECK_SAME_CONTEXT(context, model);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "optimizer is NULL");
    if (kind != EBM_OPTIMIZER_ADAM && kind != EBM_OPTIMIZER_SGD)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no kind of optimizer %d", (int)kind);
    if (!model->parameter_count)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "the model has no parameters");
    ebm_optimizer *optimizer = ebm_object_create(context, EBM_TYPE_OPTIMIZER,
                                                 sizeof *optimizer, finish);
    if (!optimizer)
        return EBM_ERROR_MEMORY;
    optimizer->kind = kind;
    optimizer->model = ebm_object_retain(model);
    ebm_option_reset(rows, EBM_OPTIMIZER_KEYS, optimizer->values);
    size_t padded = model->padded_count;
    optimizer->padded = padded;
    optimizer->first = ebm_alloc_zero(context, padded, sizeof(float));
    if (kind == EBM_OPTIMIZER_ADAM)
        optimizer->second = ebm_alloc_zero(context, padded, sizeof(float));
    if (!optimizer->first ||
        (kind == EBM_OPTIMIZER_ADAM && !optimizer->second)) {
        ebm_object_release(optimizer);
        return ebm_out_of_memory(context, "an optimizer");
    }
    *out = optimizer;
    return EBM_OK;
}

void ebm_optimizer_destroy(ebm_optimizer *optimizer)
{
    ebm_object_destroy(optimizer, EBM_TYPE_OPTIMIZER);
}

/* What setting the decay does besides: a first one needs room, 0 ends the
   average. */
static ebm_status change_average(ebm_optimizer *optimizer, double decay)
{
    const ebm_context *context = ebm_context_of(optimizer);
    if (optimizer->swapped)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "ema_decay can not change while the average is in "
                        "the model's place");
    if (!(decay > 0)) {
        optimizer->has_average = 0;
        return EBM_OK;
    }
    if (!optimizer->average)
        optimizer->average =
            ebm_alloc_zero(context, optimizer->padded, sizeof(float));
    if (!optimizer->average)
        return ebm_out_of_memory(context, "the average of the parameters");
    return EBM_OK;
}

ebm_status ebm_optimizer_set(ebm_optimizer *optimizer, ebm_optimizer_key key,
                             double value)
{
    EBM_CHECK_HANDLE(optimizer, EBM_TYPE_OPTIMIZER);
    const ebm_context *context = ebm_context_of(optimizer);
    EBM_TRY(ebm_option_check(context, rows, EBM_OPTIMIZER_KEYS, (unsigned)key,
                             value));
    if (!(kinds_of_key[key] & 1 << optimizer->kind))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "%s is no setting of %s", rows[key].name,
                        optimizer->kind == EBM_OPTIMIZER_ADAM ? "Adam"
                                                              : "SGD");
    if (key == EBM_OPTIMIZER_EMA_DECAY)
        EBM_TRY(change_average(optimizer, value));
    int had_first = ebm_optimizer_has_first(optimizer);
    optimizer->values[key] = value;
    /* Before a first step it is 0, and memory that nobody has written to. */
    if (had_first && !ebm_optimizer_has_first(optimizer) && optimizer->steps)
        memset(optimizer->first, 0, optimizer->padded * sizeof(float));
    return EBM_OK;
}

ebm_status ebm_optimizer_get(const ebm_optimizer *optimizer,
                             ebm_optimizer_key key, double *value)
{
    EBM_CHECK_HANDLE(optimizer, EBM_TYPE_OPTIMIZER);
    return ebm_option_get(ebm_context_of(optimizer), EBM_OPTIMIZER_KEYS,
                          optimizer->values, (unsigned)key, value);
}

ebm_status ebm_optimizer_option(ebm_optimizer_key key, const char **name,
                                ebm_option_kind *kind, double *minimum,
                                double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_OPTIMIZER_KEYS, (unsigned)key, name,
                               kind, minimum, maximum, initial);
}

ebm_status ebm_optimizer_swap_average(ebm_optimizer *optimizer)
{
    EBM_CHECK_HANDLE(optimizer, EBM_TYPE_OPTIMIZER);
    ebm_model *model = optimizer->model;
    if (!optimizer->has_average)
        return ebm_fail(ebm_context_of(optimizer), EBM_ERROR_STATE,
                        "there is no average yet: it begins with the first "
                        "step after ema_decay was set");
    EBM_TRY(ebm_model_check_ready(model));
    for (size_t k = 0; k < model->leaf_count; k++) {
        const ebm_model *leaf = model->leaves[k].model;
        float *average = optimizer->average + model->leaves[k].padded;
        for (size_t i = 0; i < leaf->parameter_count; i++) {
            float parameter = leaf->parameters[i];
            leaf->parameters[i] = average[i];
            average[i] = parameter;
        }
    }
    optimizer->swapped = !optimizer->swapped;
    ebm_model_parameters_written(model);
    return EBM_OK;
}

ebm_status ebm_optimizer_get_statistic(const ebm_optimizer *optimizer,
                                       ebm_optimizer_statistic statistic,
                                       double *value)
{
    EBM_CHECK_HANDLE(optimizer, EBM_TYPE_OPTIMIZER);
    const ebm_context *context = ebm_context_of(optimizer);
    if (!value)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "value is NULL");
    switch (statistic) {
    case EBM_OPTIMIZER_STAT_STEPS:
        *value = (double)optimizer->steps;
        return EBM_OK;
    case EBM_OPTIMIZER_STAT_GRADIENT_NORM:
        *value = optimizer->norm;
        return EBM_OK;
    case EBM_OPTIMIZER_STAT_REFUSED:
        *value = (double)optimizer->refused;
        return EBM_OK;
    case EBM_OPTIMIZER_STATISTIC_MAX:
        break;
    }
    return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no statistic %d",
                    (int)statistic);
}
