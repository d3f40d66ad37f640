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
    if (model->leaves != &model->own)
        ebm_free(context, model->leaves);
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
    model->part_count = 1;
    size_t padded = ebm_round_up(parameter_count, EBM_LANES);
    model->padded_count = padded;
    model->own.model = model;
    model->leaves = &model->own;
    model->leaf_count = 1;
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

size_t ebm_model_class_count(const ebm_model *model)
{
    return ebm_object_is(model, EBM_TYPE_MODEL) ? model->classes : 0;
}

/* The one leaf whose arrays are the model's, or NULL. */
static const ebm_model *only_leaf(const ebm_model *model)
{
    if (!ebm_object_is(model, EBM_TYPE_MODEL) || model->leaf_count != 1 ||
        !model->parameter_count)
        return NULL;
    return model->leaves->model;
}

const float *ebm_model_parameters(const ebm_model *model)
{
    const ebm_model *leaf = only_leaf(model);
    return leaf ? leaf->parameters : NULL;
}

const float *ebm_model_gradient(const ebm_model *model)
{
    const ebm_model *leaf = only_leaf(model);
    return leaf ? leaf->gradient : NULL;
}

ebm_status ebm_model_check_ready(const ebm_model *model)
{
    for (size_t i = 0; i < model->leaf_count; i++)
        if (model->leaves[i].model->lent)
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

ebm_status ebm_model_check_labels(const ebm_model *model, const char *what,
                                  const int32_t *labels, size_t n)
{
    const ebm_context *context = ebm_context_of(model);
    if (!model->classes)
        return EBM_OK;
    if (!labels)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "the model is conditional: each %s needs a label",
                        what);
    for (size_t i = 0; i < n; i++)
        if (labels[i] < 0 || (size_t)labels[i] >= model->classes)
            return ebm_fail(context, EBM_ERROR_RANGE,
                            "label %ld of %s %zu is outside the model's %zu "
                            "classes",
                            (long)labels[i], what, i, model->classes);
    return EBM_OK;
}

static void leaf_written(ebm_model *leaf)
{
    leaf->version++;
    if (leaf->ops->parameters_written)
        leaf->ops->parameters_written(leaf);
}

void ebm_model_parameters_written(ebm_model *model)
{
    for (size_t i = 0; i < model->leaf_count; i++)
        leaf_written(model->leaves[i].model);
}

void ebm_model_iterate_once(ebm_model *model)
{
    for (size_t i = 0; i < model->leaf_count; i++) {
        ebm_model *leaf = model->leaves[i].model;
        if (leaf->ops->iterate)
            leaf->ops->iterate(leaf);
    }
}

ebm_status ebm_model_iterate(ebm_model *model, size_t rounds)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_TRY(ebm_model_check_ready(model));
    if (rounds > 1000)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_RANGE,
                        "%zu rounds of power iteration, at most 1000", rounds);
    /* Only energies that change may cost chains their tail. */
    for (size_t i = 0; i < model->leaf_count; i++) {
        ebm_model *leaf = model->leaves[i].model;
        int has_moved = 0;
        for (size_t k = 0; leaf->ops->iterate && k < rounds; k++)
            has_moved |= leaf->ops->iterate(leaf);
        if (has_moved)
            leaf_written(leaf);
    }
    return EBM_OK;
}

uint64_t ebm_model_version(const ebm_model *model)
{
    uint64_t sum = 0; /* none of them ever gets smaller */
    for (size_t i = 0; i < model->leaf_count; i++)
        sum += model->leaves[i].model->version;
    return sum;
}

void ebm_model_clear_gradient(ebm_model *model)
{
    for (size_t i = 0; i < model->leaf_count; i++) {
        ebm_model *leaf = model->leaves[i].model;
        memset(leaf->gradient, 0,
               leaf->parameter_count * sizeof *leaf->gradient);
    }
}

float *ebm_model_own_gradient(const ebm_model *model, const ebm_model *root,
                              float *param_grad)
{
    if (!param_grad || !root || root == model)
        return param_grad;
    for (size_t i = 0; i < root->leaf_count; i++)
        if (root->leaves[i].model == model)
            return param_grad + root->leaves[i].padded;
    return NULL; /* a model without parameters */
}

/* What of count elements from offset on lies in a leaf. */
typedef struct range {
    size_t begin; /* in the leaf */
    size_t from;  /* in the caller's array */
    size_t count;
} range;

static range range_in(const ebm_leaf *leaf, size_t offset, size_t count)
{
    size_t begin = leaf->offset, end = begin + leaf->model->parameter_count;
    if (begin < offset)
        begin = offset;
    if (end > offset + count)
        end = offset + count;
    if (begin >= end)
        return (range){0, 0, 0};
    return (range){begin - leaf->offset, begin - offset, end - begin};
}

static ebm_status check_range(const ebm_model *model, size_t offset,
                              const float *values, size_t count)
{
    const ebm_context *context = ebm_context_of(model);
    if (!values)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "values is NULL");
    if (offset > model->parameter_count ||
        count > model->parameter_count - offset)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "%zu parameters from offset %zu on, the model has %zu",
                        count, offset, model->parameter_count);
    return EBM_OK;
}

void ebm_model_copy_out(const ebm_model *model, int gradient, size_t offset,
                        float *values, size_t count)
{
    for (size_t i = 0; i < model->leaf_count; i++) {
        const ebm_model *leaf = model->leaves[i].model;
        range r = range_in(model->leaves + i, offset, count);
        const float *from = gradient ? leaf->gradient : leaf->parameters;
        if (r.count)
            memcpy(values + r.from, from + r.begin, r.count * sizeof *values);
    }
}

void ebm_model_copy_in(ebm_model *model, int gradient, size_t offset,
                       const float *values, size_t count)
{
    for (size_t i = 0; i < model->leaf_count; i++) {
        const ebm_model *leaf = model->leaves[i].model;
        range r = range_in(model->leaves + i, offset, count);
        float *to = gradient ? leaf->gradient : leaf->parameters;
        if (r.count)
            memmove(to + r.begin, values + r.from, r.count * sizeof *values);
    }
}

ebm_status ebm_model_get_parameters(const ebm_model *model, size_t offset,
                                    float *values, size_t count)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_TRY(check_range(model, offset, values, count));
    ebm_model_copy_out(model, 0, offset, values, count);
    return EBM_OK;
}

ebm_status ebm_model_get_gradient(const ebm_model *model, size_t offset,
                                  float *values, size_t count)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_TRY(check_range(model, offset, values, count));
    ebm_model_copy_out(model, 1, offset, values, count);
    return EBM_OK;
}

ebm_status ebm_model_set_parameters(ebm_model *model, size_t offset,
                                    const float *values, size_t count)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_TRY(ebm_model_check_ready(model));
    EBM_TRY(check_range(model, offset, values, count));
    if (!ebm_all_finite(values, count))
        return ebm_fail(ebm_context_of(model), EBM_ERROR_NON_FINITE,
                        "a parameter is not finite");
    if (!count)
        return EBM_OK;
    ebm_model_copy_in(model, 0, offset, values, count);
    ebm_model_parameters_written(model);
    return EBM_OK;
}

/* Lending goes by the whole array, which only one leaf has. */
static ebm_status check_lendable(const ebm_model *model)
{
    if (model->leaf_count <= 1)
        return EBM_OK;
    return ebm_fail(ebm_context_of(model), EBM_ERROR_UNSUPPORTED,
                    "the parameters are those of %zu parts: borrow from each",
                    model->leaf_count);
}

ebm_status ebm_model_begin_write(ebm_model *model, float **parameters)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_TRY(check_lendable(model));
    EBM_TRY(ebm_model_check_ready(model));
    if (!parameters)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_ARGUMENT,
                        "parameters is NULL");
    ebm_model *leaf = model->leaves->model;
    leaf->lent = 1;
    *parameters = leaf->parameters;
    return EBM_OK;
}

ebm_status ebm_model_end_write(ebm_model *model)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(check_lendable(model));
    ebm_model *leaf = model->leaves->model;
    if (!leaf->lent)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the model's parameters are not lent");
    if (!ebm_all_finite(leaf->parameters, leaf->parameter_count))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a parameter is not finite");
    leaf->lent = 0;
    ebm_model_parameters_written(leaf);
    return EBM_OK;
}

ebm_status ebm_model_zero_gradient(ebm_model *model)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    ebm_model_clear_gradient(model);
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
