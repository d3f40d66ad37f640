/*
 * A network as a model: one slab at a time, forward through all layers and
 * back.
 *
 * What passes between layers lives in the workspace. To sample, only what the
 * layers saved is needed on the way back, so the arrays between them are two
 * that are written in turn, small enough for the cache; to train, each
 * layer's input is kept, since its parameter gradient needs it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/random.h"
#include "model/network.h"

/* Floats of workspace that a slab may take when the library chooses its size:
   about the second-level cache of one core. Fixed, so that bits do not depend
   on the machine's cache. */
enum { SLAB_FLOATS = 512 * 1024, LARGEST_SLAB = 16 };

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
        kept += floats;
        if (floats > l.widest)
            l.widest = floats;
        if (ebm_slab_floats(n, layer->in_size) > l.widest)
            l.widest = ebm_slab_floats(n, layer->in_size);
        if (ebm_scratch_floats(layer, n) > scratch)
            scratch = ebm_scratch_floats(layer, n);
    }
    kept += ebm_slab_floats(n, self->layers[0].in_size);
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

static size_t workspace(const ebm_model *model, ebm_pass_mode mode, size_t n)
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
    const float **inputs; /* of each layer, when they are kept */
} journey;

static ebm_layer_pass pass_of(const journey *j, size_t i, size_t saved)
{
    const ebm_layer *layer = j->self->layers + i;
    float *workspace = j->slab->workspace;
    return (ebm_layer_pass){.kernels = ebm_context_of(j->model)->kernels,
                            .parameters =
                                j->model->parameters + layer->parameter_offset,
                            .n = j->slab->n,
                            .with_bias = 1,
                            .saved = workspace + saved,
                            .scratch = workspace + j->layout.scratch};
}

/* Forward: returns the last array, [n, 1], the energies. */
static const float *forward(const journey *j)
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
        ebm_layer_pass pass = pass_of(j, i, saved);
        saved += ebm_saved_floats(layer, n);
        float *y = turn[next];
        if (keeps_inputs(j->mode))
            y = free_array;
        if (!layer->ops->forward) {
            if (j->inputs)
                j->inputs[i] = x;
            continue;
        }
        if (layer->ops->in_place && x != j->slab->x) {
            y = (float *)(uintptr_t)x; /* our own array, made above */
        } else {
            if (layer->ops->in_place)
                memcpy(y, x, n * layer->in_size * sizeof *y);
            free_array += ebm_slab_floats(n, layer->out_size);
            next = !next;
        }
        if (j->inputs)
            j->inputs[i] = x;
        layer->ops->forward(layer, &pass, layer->ops->in_place ? y : x, y);
        x = y;
    }
    return x;
}

/* Backward from dE = g[n]; the input gradient goes to slab->grad, parameter
   gradients to slab->param_grad, whichever is wanted. */
static void backward(const journey *j, float *g)
{
    const ebm_network_model *self = j->self;
    const ebm_slab *slab = j->slab;
    int to_parameters = j->mode == EBM_PASS_PARAM_GRADIENT;
    size_t n = slab->n;
    size_t saved = j->layout.between; /* where the saved arrays end */
    float *gradients = slab->workspace + j->layout.gradients;
    float *turn[2] = {gradients, gradients + j->layout.widest};
    size_t last = to_parameters ? self->first_with_parameters : 0;
    for (size_t i = self->count; i-- > last;) {
        const ebm_layer *layer = self->layers + i;
        saved -= ebm_saved_floats(layer, n);
        if (!layer->ops->forward)
            continue;
        ebm_layer_pass pass = pass_of(j, i, saved);
        if (to_parameters && layer->ops->param_gradient)
            layer->ops->param_gradient(layer, &pass, j->inputs[i], g,
                                       slab->param_grad +
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

static ebm_status pass(const ebm_model *model, ebm_pass_mode mode,
                       const ebm_slab *slab, ebm_scale_fn scale_of,
                       void *argument)
{
    const float *inputs[EBM_MOST_LAYERS];
    const ebm_network_model *self = model->self;
    journey j = {model,
                 self,
                 slab,
                 mode,
                 lay_out(self, mode, slab->n),
                 keeps_inputs(mode) ? inputs : NULL};
    const float *energy = forward(&j);
    memcpy(slab->energy, energy, slab->n * sizeof *energy);
    if (mode == EBM_PASS_ENERGY)
        return EBM_OK;
    float *g = slab->workspace + j.layout.gradients;
    if (mode == EBM_PASS_PARAM_GRADIENT)
        scale_of(argument, slab, g);
    else
        for (size_t i = 0; i < slab->n; i++)
            g[i] = 1.0f;
    backward(&j, g);
    return EBM_OK;
}

static void finish(ebm_model *model)
{
    ebm_network_model *self = model->self;
    if (self)
        ebm_free(ebm_context_of(model), self->layers);
    ebm_free(ebm_context_of(model), self);
}

static const ebm_model_ops network_ops = {
    .kind = "network",
    .finish = finish,
    .workspace = workspace,
    .pass = pass,
    .tangent_workspace = ebm_network_tangent_workspace,
    .tangent = ebm_network_tangent,
};

const ebm_layer *ebm_model_layers(const ebm_model *model, size_t *count)
{
    if (model->ops != &network_ops) {
        *count = 0;
        return NULL;
    }
    const ebm_network_model *self = model->self;
    *count = self->count;
    return self->layers;
}

/* The largest power of two whose workspace fits; 1 for huge layers. */
static size_t choose_slab(const ebm_network_model *self)
{
    size_t slab = LARGEST_SLAB;
    while (slab > 1 &&
           lay_out(self, EBM_PASS_INPUT_GRADIENT, slab).total > SLAB_FLOATS)
        slab /= 2;
    return slab;
}

static void name_views(ebm_model *model, const ebm_network_model *self)
{
    ebm_view *view = model->views;
    for (size_t i = 0; i < self->count; i++)
        for (size_t v = 0; v < self->layers[i].view_count; v++, view++) {
            const ebm_layer_view *from = self->layers[i].views + v;
            snprintf(view->name, sizeof view->name, "%zu.%s", i, from->name);
            view->offset = self->layers[i].parameter_offset + from->offset;
            view->rank = from->rank;
            memcpy(view->shape, from->shape, sizeof view->shape);
        }
}

/* Uniform in +-1/sqrt(fan_in) (He et al. 2015 with a = sqrt(5), which is what
   PyTorch's layers begin with); one stream a layer. */
static void initialise(ebm_model *model, const ebm_network_model *self,
                       uint64_t seed)
{
    for (size_t i = 0; i < self->count; i++) {
        const ebm_layer *layer = self->layers + i;
        if (!layer->parameter_count)
            continue;
        float bound = (float)(1 / sqrt((double)layer->fan_in));
        ebm_random random = ebm_random_at(seed, EBM_PURPOSE_PARAMETERS, i, 0);
        ebm_context_of(model)->kernels->uniform(
            &random, layer->parameter_count, -bound, bound,
            model->parameters + layer->parameter_offset);
    }
}

ebm_status ebm_network_make_model(const ebm_network *network, uint64_t seed,
                                  ebm_model **out)
{
    ebm_context *context = ebm_context_of(network);
    if (network->count > EBM_MOST_LAYERS)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "%zu layers, at most %d are supported", network->count,
                        EBM_MOST_LAYERS);
    size_t views = 0;
    for (size_t i = 0; i < network->count; i++)
        views += network->layers[i].view_count;
    ebm_model *model = NULL;
    EBM_TRY(ebm_model_allocate(context, network->in[0], network->in[1],
                               network->in[2], network->parameter_count, views,
                               &model));
    model->ops = &network_ops;
    ebm_network_model *self = ebm_alloc_zero(context, 1, sizeof *self);
    ebm_layer *layers = ebm_alloc(context, network->count, sizeof *layers);
    if (!self || !layers) {
        ebm_free(context, self);
        ebm_free(context, layers);
        ebm_object_release(model);
        return ebm_out_of_memory(context, "the layers of a network");
    }
    memcpy(layers, network->layers, network->count * sizeof *layers);
    self->layers = layers;
    self->count = network->count;
    while (self->first_with_parameters + 1 < self->count &&
           !layers[self->first_with_parameters].parameter_count)
        self->first_with_parameters++;
    model->self = self;
    model->has_param_gradient = 1;
    model->has_tangent = 1;
    size_t slab = (size_t)network->values[EBM_NETWORK_SLAB];
    model->slab = slab ? slab : choose_slab(self);
    name_views(model, self);
    initialise(model, self, seed);
    *out = model;
    return EBM_OK;
}
