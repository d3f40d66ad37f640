/* What a network derives from its parameters, and the state that goes with it:
   all layers in turn. */
#include <stdio.h>

#include "core/context.h"
#include "core/parallel.h"
#include "core/random.h"
#include "model/network/network.h"

void ebm_layer_view_name(const ebm_layer *layer, const ebm_layer_view *view,
                         char *name, size_t size)
{
    if (layer->part)
        snprintf(name, size, "%zu.%s.%s", layer->row, layer->part, view->name);
    else
        snprintf(name, size, "%zu.%s", layer->row, view->name);
}

/* Rounds of power iteration that a new model begins with: as many as PyTorch's
   parametrisation does. */
enum { FIRST_ROUNDS = 15 };

void ebm_network_start(ebm_model *model, uint64_t seed)
{
    ebm_network_model *self = model->self;
    for (size_t i = 0; i < self->count; i++) {
        const ebm_layer *layer = self->layers + i;
        if (!layer->state_count)
            continue;
        ebm_random random = ebm_random_at(seed, EBM_PURPOSE_STATE, i, 0);
        layer->ops->start(layer, model->parameters + layer->parameter_offset,
                          &random, self->state + layer->state_offset);
    }
    for (int round = 0; round < FIRST_ROUNDS; round++)
        ebm_network_iterate(model);
}

int ebm_network_iterate(ebm_model *model)
{
    ebm_network_model *self = model->self;
    for (size_t i = 0; i < self->count; i++) {
        const ebm_layer *layer = self->layers + i;
        if (layer->state_count)
            layer->ops->iterate(layer,
                                model->parameters + layer->parameter_offset,
                                self->state + layer->state_offset);
    }
    return self->state_count != 0;
}

/* One layer's: a task. */
static void derive_layer(void *argument, size_t index, int worker)
{
    (void)worker;
    const ebm_model *model = argument;
    const ebm_network_model *self = model->self;
    const ebm_layer *layer = self->layers + index;
    if (layer->derived_count)
        layer->ops->derive(layer, ebm_context_of(model)->kernels,
                           model->parameters + layer->parameter_offset,
                           self->state + layer->state_offset,
                           self->derived + layer->derived_offset);
}

void ebm_network_derive(ebm_model *model)
{
    const ebm_network_model *self = model->self;
    if (self->derived_count)
        ebm_parallel_for(ebm_context_of(model), self->count, derive_layer,
                         model);
}

void ebm_network_fold(const ebm_model *model, float *gradient)
{
    const ebm_network_model *self = model->self;
    for (size_t i = 0; i < self->count; i++) {
        const ebm_layer *layer = self->layers + i;
        if (layer->derived_count)
            layer->ops->fold(layer,
                             model->parameters + layer->parameter_offset,
                             self->state + layer->state_offset,
                             self->derived + layer->derived_offset,
                             gradient + layer->parameter_offset);
    }
}
