/*
 * A network as a model: one slab at a time, forward through all layers and
 * back.
 *
 * What passes between layers lives in the workspace. To sample, only what the
 * layers saved is needed on the way back, so the arrays between them are two
 * that are written in turn, small enough for the cache; to train, each
 * layer's input is kept, since its parameter gradient needs it.
 */
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "model/network/network.h"

/* Where everything lies in a workspace for n samples, in floats. */
typedef struct layout {
    size_t between;   /* arrays between layers (forward); before them stand
                         all layers' saved arrays, one after the other */
    size_t widest;    /* floats of the largest array between layers */
    size_t gradients; /* two arrays of `widest` (backward) */
    size_t scratch;
    size_t total;
} layout;

static int keeps_inputs(ebm_pass_mode mode)
{
    return mode == EBM_PASS_PARAM_GRADIENT;
}

static layout lay_out(const ebm_network_model *self, ebm_pass_mode mode,
                      size_t n)
{
    layout l = {0};
    size_t kept = 0, scratch = 0;
    for (size_t i = 0; i < self->count; i++) {
        const ebm_layer *layer = self->layers + i;
        l.between += ebm_saved_floats(layer, n);
        size_t floats = ebm_slab_floats(n, layer->out_size);
        /* A layer that works in place keeps nothing of its own, but for a
           copy of the input if it is the first that does anything. */
        if (layer->ops->forward && (!layer->ops->in_place || !kept))
            kept += floats;
        if (floats > l.widest)
            l.widest = floats;
        if (ebm_slab_floats(n, layer->in_size) > l.widest)
            l.widest = ebm_slab_floats(n, layer->in_size);
        if (ebm_scratch_floats(layer, n) > scratch)
            scratch = ebm_scratch_floats(layer, n);
    }
    if (keeps_inputs(mode)) {
        l.gradients = l.between + kept;
        l.scratch = l.gradients + 2 * l.widest;
    } else {
        /* On the way back the arrays of the way there are free. */
        l.gradients = l.between;
        l.scratch = l.between + 2 * l.widest;
    }
    l.total = l.scratch + scratch;
    return l;
}

size_t ebm_network_workspace(const ebm_model *model, ebm_pass_mode mode,
                             size_t n)
{
    return lay_out(model->self, mode, n).total;
}

/* A slab on its way through the layers. */
typedef struct journey {
    const ebm_model *model;
    const ebm_network_model *self;
    const ebm_slab *slab;
    ebm_pass_mode mode;
    layout layout;
    float *param_grad;                    /* the model's own */
    size_t saved[EBM_MOST_LAYERS];        /* where each layer's array lies */
    const float *inputs[EBM_MOST_LAYERS]; /* of each layer, when kept */
} journey;

ebm_layer_pass ebm_network_layer_pass(const ebm_model *model, size_t index)
{
    const ebm_network_model *self = model->self;
    const ebm_layer *layer = self->layers + index;
    return (ebm_layer_pass){.kernels = ebm_context_of(model)->kernels,
                            .parameters =
                                model->parameters + layer->parameter_offset,
                            .derived = self->derived + layer->derived_offset,
                            .with_bias = 1};
}

static ebm_layer_pass pass_of(const journey *j, size_t i)
{
    const ebm_layer *layer = j->self->layers + i;
    float *workspace = j->slab->workspace;
    ebm_layer_pass pass = ebm_network_layer_pass(j->model, i);
    pass.n = j->slab->n;
    pass.labels = j->slab->labels;
    pass.saved = workspace + j->saved[i];
    pass.back_saved = workspace + j->saved[i - layer->back];
    pass.scratch = workspace + j->layout.scratch;
    return pass;
}

/* Forward: returns the last array, [n, 1], the energies. */
static const float *forward(journey *j)
{
    const ebm_network_model *self = j->self;
    size_t n = j->slab->n, saved = 0;
    float *workspace = j->slab->workspace;
    float *free_array = workspace + j->layout.between;
    float *turn[2] = {free_array, free_array + j->layout.widest};
    int next = 0;
    const float *x = j->slab->x;
    for (size_t i = 0; i < self->count; i++) {
        const ebm_layer *layer = self->layers + i;
        j->saved[i] = saved;
        saved += ebm_saved_floats(layer, n);
        ebm_layer_pass pass = pass_of(j, i);
        float *y = keeps_inputs(j->mode) ? free_array : turn[next];
        if (layer->ops->forward && layer->ops->in_place && x != j->slab->x) {
            y = (float *)(uintptr_t)x; /* our own array, made above */
        } else if (layer->ops->forward) {
            if (layer->ops->in_place)
                memcpy(y, x, n * layer->in_size * sizeof *y);
            free_array += ebm_slab_floats(n, layer->out_size);
            next = !next;
        }
        j->inputs[i] = x;
        if (!layer->ops->forward)
            continue;
        layer->ops->forward(layer, &pass, layer->ops->in_place ? y : x, y);
        x = y;
    }
    return x;
}

/* Backward from dE = g[n]; the input gradient goes to slab->grad, parameter
   gradients to param_grad, whichever is wanted. */
static void backward(const journey *j, float *g)
{
    const ebm_network_model *self = j->self;
    const ebm_slab *slab = j->slab;
    int to_parameters = j->mode == EBM_PASS_PARAM_GRADIENT;
    size_t n = slab->n;
    float *gradients = slab->workspace + j->layout.gradients;
    float *turn[2] = {gradients, gradients + j->layout.widest};
    size_t last = to_parameters ? self->first_with_parameters : 0;
    for (size_t i = self->count; i-- > last;) {
        const ebm_layer *layer = self->layers + i;
        if (!layer->ops->forward)
            continue;
        ebm_layer_pass pass = pass_of(j, i);
        if (to_parameters && layer->ops->param_gradient)
            layer->ops->param_gradient(layer, &pass, j->inputs[i], g,
                                       j->param_grad +
                                           layer->parameter_offset);
        if (to_parameters && i == last)
            return;
        float *dx = layer->ops->in_place ? g
                    : g == turn[0]       ? turn[1]
                                         : turn[0];
        if (!to_parameters && i == 0 && !layer->ops->in_place)
            dx = slab->grad;
        layer->ops->backward(layer, &pass, g, dx);
        g = dx;
    }
    if (!to_parameters && g != slab->grad)
        memcpy(slab->grad, g, n * j->model->size * sizeof *g);
}

ebm_status ebm_network_pass(const ebm_model *model, ebm_pass_mode mode,
                            const ebm_slab *slab, ebm_scale_fn scale_of,
                            void *argument)
{
    journey j;
    j.model = model;
    j.self = model->self;
    j.slab = slab;
    j.mode = mode;
    j.layout = lay_out(j.self, mode, slab->n);
    const float *energy = forward(&j);
    memcpy(slab->energy, energy, slab->n * sizeof *energy);
    if (mode == EBM_PASS_ENERGY)
        return EBM_OK;
    float *g = slab->workspace + j.layout.gradients;
    if (mode == EBM_PASS_PARAM_GRADIENT) {
        scale_of(argument, slab, g);
        j.param_grad =
            ebm_model_own_gradient(model, slab->root, slab->param_grad);
    } else {
        for (size_t i = 0; i < slab->n; i++)
            g[i] = 1.0f;
    }
    backward(&j, g);
    return EBM_OK;
}
