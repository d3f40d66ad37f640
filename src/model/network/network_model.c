/* A network as a model: made of a copy of a builder's layers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/random.h"
#include "model/network/network.h"

/* Floats of workspace that a slab may take when the library chooses its size.
   Where the weights stay in the cache it is about the second-level cache of
   one core; where they do not, a few samples share each reading of them.
   Fixed, so that bits do not depend on the machine's cache. */
enum {
    SLAB_FLOATS = 512 * 1024,
    LARGEST_SLAB = 16,
    MANY_PARAMETERS = 512 * 1024,
    SHARED_SLAB_FLOATS = 8 * 1024 * 1024,
    LARGEST_SHARED_SLAB = 8
};

static void finish(ebm_model *model)
{
    ebm_network_model *self = model->self;
    const ebm_context *context = ebm_context_of(model);
    if (self) {
        ebm_free(context, self->layers);
        ebm_free(context, self->rows);
        ebm_free(context, self->state);
        ebm_free(context, self->derived);
    }
    ebm_free(context, self);
}

static const ebm_model_ops network_ops = {
    .kind = "network",
    .finish = finish,
    .parameters_written = ebm_network_derive,
    .iterate = ebm_network_iterate,
    .fold_gradient = ebm_network_fold,
    .workspace = ebm_network_workspace,
    .pass = ebm_network_pass,
    .tangent_workspace = ebm_network_tangent_workspace,
    .tangent = ebm_network_tangent,
};

const ebm_network_model *ebm_network_of(const ebm_model *model)
{
    return model->ops == &network_ops ? model->self : NULL;
}

/* The largest power of two whose workspace fits; 1 for huge layers. */
static size_t choose_slab(const ebm_model *model)
{
    int many = model->parameter_count > MANY_PARAMETERS;
    size_t slab = many ? LARGEST_SHARED_SLAB : LARGEST_SLAB;
    size_t most = many ? SHARED_SLAB_FLOATS : SLAB_FLOATS;
    while (slab > 1 &&
           ebm_network_workspace(model, EBM_PASS_INPUT_GRADIENT, slab) > most)
        slab /= 2;
    return slab;
}

static void name_views(ebm_model *model, const ebm_network_model *self)
{
    ebm_view *view = model->views;
    for (size_t i = 0; i < self->count; i++)
        for (size_t v = 0; v < self->layers[i].view_count; v++, view++) {
            const ebm_layer *layer = self->layers + i;
            const ebm_layer_view *from = layer->views + v;
            ebm_layer_view_name(layer, from, view->name, sizeof view->name);
            view->offset = layer->parameter_offset + from->offset;
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
        float *own = model->parameters + layer->parameter_offset;
        float bound = (float)(1 / sqrt((double)layer->fan_in));
        ebm_random random = ebm_random_at(seed, EBM_PURPOSE_PARAMETERS, i, 0);
        ebm_context_of(model)->kernels->uniform(
            &random, layer->parameter_count, -bound, bound, own);
        for (size_t v = 0; v < layer->view_count; v++)
            for (size_t k = 0;
                 layer->views[v].is_constant && k < layer->views[v].count; k++)
                own[layer->views[v].offset + k] = layer->views[v].constant;
    }
}

/* Copies the builder's layers and makes room for what they keep. */
static ebm_status copy_layers(ebm_context *context, ebm_network_model *self,
                              const ebm_network *network)
{
    const ebm_network_end *end = &network->end;
    self->layers = ebm_alloc(context, end->layers, sizeof *self->layers);
    self->rows = ebm_alloc(context, end->rows, sizeof *self->rows);
    self->state = ebm_alloc_zero(
        context, ebm_round_up(end->state_count, EBM_LANES), sizeof(float));
    self->derived = ebm_alloc_zero(context, end->derived_count, sizeof(float));
    if (!self->layers || !self->rows || !self->state || !self->derived)
        return ebm_out_of_memory(context, "the layers of a network");
    memcpy(self->layers, network->layers, end->layers * sizeof *self->layers);
    memcpy(self->rows, network->rows, end->rows * sizeof *self->rows);
    self->count = end->layers;
    self->row_count = end->rows;
    self->state_count = end->state_count;
    self->derived_count = end->derived_count;
    while (self->first_with_parameters + 1 < self->count &&
           !self->layers[self->first_with_parameters].parameter_count)
        self->first_with_parameters++;
    return EBM_OK;
}

ebm_status ebm_network_make_model(const ebm_network *network, uint64_t seed,
                                  ebm_model **out)
{
    ebm_context *context = ebm_context_of(network);
    const ebm_network_end *end = &network->end;
    if (end->layers > EBM_MOST_LAYERS)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "%zu layers, at most %d are supported", end->layers,
                        EBM_MOST_LAYERS);
    size_t views = 0;
    for (size_t i = 0; i < end->layers; i++)
        views += network->layers[i].view_count;
    ebm_model *model = NULL;
    EBM_TRY(ebm_model_allocate(context, network->in[0], network->in[1],
                               network->in[2], end->parameter_count, views,
                               &model));
    model->ops = &network_ops;
    ebm_network_model *self = ebm_alloc_zero(context, 1, sizeof *self);
    model->self = self;
    ebm_status status = self ? copy_layers(context, self, network)
                             : ebm_out_of_memory(context, "a network model");
    if (status != EBM_OK) {
        ebm_object_release(model);
        return status;
    }
    model->has_param_gradient = 1;
    model->has_tangent = 1;
    model->classes = end->classes;
    size_t slab = (size_t)network->values[EBM_NETWORK_SLAB];
    model->slab = slab ? slab : choose_slab(model);
    name_views(model, self);
    initialise(model, self, seed);
    ebm_network_start(model, seed);
    ebm_network_derive(model);
    *out = model;
    return EBM_OK;
}
