/* Models: the flat arrays and their views, whatever the kind. */
#include "model/model.h"

#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "kernel/kernels.h"

static void finish(void *object)
{
    ebm_model *model = object;
    const ebm_context *context = ebm_context_of(model);
    if (model->ops && model->ops->finish)
        model->ops->finish(model);
    ebm_free(context, model->parameters);
    ebm_free(context, model->gradient);
    ebm_free(context, model->views);
}

ebm_status ebm_model_allocate(ebm_context *context, size_t height,
                              size_t width, size_t channels,
                              size_t parameter_count, size_t view_count,
                              ebm_model **out)
{
    size_t size, bytes;
    EBM_TRY(ebm_check_size(context, 1, height, width, channels, &size));
    if (!ebm_multiply(parameter_count, 2 * sizeof(float), &bytes))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "%zu parameters do not fit into memory",
                        parameter_count);
    ebm_model *model =
        ebm_object_create(context, EBM_TYPE_MODEL, sizeof *model, finish);
    if (!model)
        return EBM_ERROR_MEMORY;
    model->height = height;
    model->width = width;
    model->channels = channels;
    model->size = size;
    model->parameter_count = parameter_count;
    model->view_count = view_count;
    size_t padded = ebm_round_up(parameter_count, EBM_LANES);
    model->parameters = ebm_alloc_zero(context, padded, sizeof(float));
    model->gradient = ebm_alloc_zero(context, padded, sizeof(float));
    model->views = ebm_alloc_zero(context, view_count, sizeof(ebm_view));
    if (!model->parameters || !model->gradient || !model->views) {
        ebm_object_release(model);
        return ebm_out_of_memory(context, "the parameters of a model");
    }
    *out = model;
    return EBM_OK;
}

void ebm_model_destroy(ebm_model *model)
{
    ebm_object_destroy(model, EBM_TYPE_MODEL);
}

ebm_status ebm_model_shape(const ebm_model *model, size_t *height,
                           size_t *width, size_t *channels)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    if (height)
        *height = model->height;
    if (width)
        *width = model->width;
    if (channels)
        *channels = model->channels;
    return EBM_OK;
}

size_t ebm_model_slab_size(const ebm_model *model)
{
    return ebm_object_is(model, EBM_TYPE_MODEL) ? model->slab : 0;
}

size_t ebm_model_parameter_count(const ebm_model *model)
{
    return ebm_object_is(model, EBM_TYPE_MODEL) ? model->parameter_count : 0;
}

const float *ebm_model_parameters(const ebm_model *model)
{
    return ebm_model_parameter_count(model) ? model->parameters : NULL;
}

const float *ebm_model_gradient(const ebm_model *model)
{
    return ebm_model_parameter_count(model) ? model->gradient : NULL;
}

ebm_status ebm_model_check_ready(const ebm_model *model)
{
    if (model->lent)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_STATE,
                        "the model's parameters are lent for writing");
    return EBM_OK;
}

ebm_status ebm_model_check_mode(const ebm_model *model, ebm_pass_mode mode)
{
    const ebm_context *context = ebm_context_of(model);
    if (mode == EBM_PASS_PARAM_GRADIENT && !model->has_param_gradient)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "this %s model has no parameter gradient",
                        model->ops->kind);
    if (mode == EBM_PASS_TANGENT && !model->has_tangent)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "this %s model has no second derivatives",
                        model->ops->kind);
    return EBM_OK;
}

/* Nothing is derived from the parameters yet: convolutions read them as they
   are. Spectral norm, standardisation and transformed weights refresh here. */
void ebm_model_parameters_written(ebm_model *model)
{
    model->version++;
    if (model->ops->parameters_written)
        model->ops->parameters_written(model);
}

ebm_status ebm_model_set_parameters(ebm_model *model, size_t offset,
                                    const float *values, size_t count)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(ebm_model_check_ready(model));
    if (!values)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "values is NULL");
    if (offset > model->parameter_count ||
        count > model->parameter_count - offset)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "parameters %zu to %zu of %zu", offset, offset + count,
                        model->parameter_count);
    if (!ebm_all_finite(values, count))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a parameter is not finite");
    if (count)
        memmove(model->parameters + offset, values, count * sizeof *values);
    ebm_model_parameters_written(model);
    return EBM_OK;
}

ebm_status ebm_model_begin_write(ebm_model *model, float **parameters)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_TRY(ebm_model_check_ready(model));
    if (!parameters)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_ARGUMENT,
                        "parameters is NULL");
    model->lent = 1;
    *parameters = model->parameters;
    return EBM_OK;
}

ebm_status ebm_model_end_write(ebm_model *model)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    if (!model->lent)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the model's parameters are not lent");
    if (!ebm_all_finite(model->parameters, model->parameter_count))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a parameter is not finite");
    model->lent = 0;
    ebm_model_parameters_written(model);
    return EBM_OK;
}

ebm_status ebm_model_zero_gradient(ebm_model *model)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    memset(model->gradient, 0,
           model->parameter_count * sizeof *model->gradient);
    return EBM_OK;
}

size_t ebm_model_view_count(const ebm_model *model)
{
    return ebm_object_is(model, EBM_TYPE_MODEL) ? model->view_count : 0;
}

ebm_status ebm_model_view(const ebm_model *model, size_t index,
                          const char **name, size_t *offset, size_t *rank,
                          size_t *shape)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    if (index >= model->view_count)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_RANGE,
                        "there is no view %zu, only %zu", index,
                        model->view_count);
    const ebm_view *view = model->views + index;
    if (name)
        *name = view->name;
    if (offset)
        *offset = view->offset;
    if (rank)
        *rank = view->rank;
    if (shape)
        memcpy(shape, view->shape, sizeof view->shape);
    return EBM_OK;
}
