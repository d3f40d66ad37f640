/* Models of the caller's own functions. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "kernel/kernels.h"
#include "model/model.h"

typedef struct custom_model {
    ebm_energy_ops ops;
    void *user;
} custom_model;

/* The callback always writes a gradient, and the scales need room too. */
static size_t workspace(const ebm_model *model, ebm_pass_mode mode, size_t n)
{
    (void)model;
    return mode == EBM_PASS_PARAM_GRADIENT ? ebm_round_up(n, EBM_LANES) : 0;
}

static ebm_status pass(const ebm_model *model, ebm_pass_mode mode,
                       const ebm_slab *slab, ebm_scale_fn scale_of,
                       void *argument)
{
    const custom_model *self = model->self;
    const float *params = model->parameter_count ? model->parameters : NULL;
    if (self->ops.energy_grad(params, slab->x, slab->labels, slab->n,
                              slab->energy, slab->grad, self->user))
        return EBM_ERROR_CALLBACK;
    if (mode != EBM_PASS_PARAM_GRADIENT)
        return EBM_OK;
    EBM_TRY(scale_of(argument, slab, slab->workspace));
    float *param_grad =
        ebm_model_own_gradient(model, slab->root, slab->param_grad);
    /* A fixed function may be part of a composition that is trained. */
    if (!param_grad || !self->ops.param_grad)
        return EBM_OK;
    if (self->ops.param_grad(params, slab->x, slab->labels, slab->n,
                             slab->workspace, param_grad, self->user))
        return EBM_ERROR_CALLBACK;
    return EBM_OK;
}

static ebm_status tangent(const ebm_model *model, const ebm_tangent_slab *slab)
{
    const custom_model *self = model->self;
    const float *params = model->parameter_count ? model->parameters : NULL;
    float *param_grad =
        ebm_model_own_gradient(model, slab->root, slab->param_grad);
    if (self->ops.tangent(params, slab->x, slab->labels, slab->n, slab->v,
                          slab->scale, slab->hv, param_grad, self->user))
        return EBM_ERROR_CALLBACK;
    return EBM_OK;
}

static void finish(ebm_model *model)
{
    ebm_free(ebm_context_of(model), model->self);
}

static const ebm_model_ops custom_ops = {
    .kind = "custom",
    .finish = finish,
    .workspace = workspace,
    .pass = pass,
    .tangent = tangent,
};

ebm_status ebm_model_create_custom(ebm_context *context, size_t height,
                                   size_t width, size_t channels,
                                   const ebm_energy_ops *ops, void *user,
                                   ebm_model **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out || !ops)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        out ? "ops is NULL" : "model is NULL");
    /* Callers built against a later version pass a longer table; its first
       part is ours. */
    if (ops->struct_size < sizeof *ops || !ops->energy_grad)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        ops->energy_grad ? "struct_size is too small"
                                         : "the table has no energy_grad");
    ebm_model *model = NULL;
    EBM_TRY(ebm_model_allocate(context, height, width, channels,
                               ops->parameter_count,
                               ops->parameter_count ? 1 : 0, &model));
    custom_model *self = ebm_alloc_zero(context, 1, sizeof *self);
    if (!self) {
        ebm_object_release(model);
        return ebm_out_of_memory(context, "a custom model");
    }
    self->ops = *ops;
    self->user = user;
    model->ops = &custom_ops;
    model->self = self;
    model->has_param_gradient = ops->param_grad != NULL;
    model->has_tangent = ops->tangent != NULL;
    if (ops->parameter_count) {
        snprintf(model->views[0].name, sizeof model->views[0].name,
                 "parameters");
        model->views[0].rank = 1;
        model->views[0].shape[0] = ops->parameter_count;
        for (size_t i = 1; i < 4; i++)
            model->views[0].shape[i] = 1;
    }
    *out = model;
    return EBM_OK;
}
