/* Parameters and states of all leaves, as tensors. */
#include "model/record.h"

#include <stdio.h>
#include <string.h>

#include "model/network/network.h"

/* What is the same for all arrays of a leaf. */
typedef struct leaf_record {
    ebm_record *record;
    const ebm_network_model *network;
    char prefix[EBM_RECORD_NAME];
} leaf_record;

static leaf_record begin(ebm_record *record, const ebm_model *model,
                         const char *prefix, size_t number)
{
    const ebm_model *leaf = model->leaves[number].model;
    leaf_record r = {.record = record, .network = ebm_network_of(leaf)};
    if (leaf == model)
        snprintf(r.prefix, sizeof r.prefix, "%s", prefix);
    else
        snprintf(r.prefix, sizeof r.prefix, "%s%zu.", prefix, number);
    return r;
}

static size_t place(const void *layout, size_t view, size_t i)
{
    const ebm_layer *layer = layout;
    return layer->ops->torch_index(layer, view, i);
}

/* One view of a layer; `own` is where the layer's parameters, or state, begin.
   Views from EBM_LAYER_VIEWS on are those of the state. */
static void visit_view(const leaf_record *r, const ebm_layer *layer,
                       size_t number, float *own)
{
    const ebm_layer_view *view =
        number < EBM_LAYER_VIEWS ? layer->views + number
                                 : layer->states + (number - EBM_LAYER_VIEWS);
    char name[EBM_RECORD_NAME], whole[2 * EBM_RECORD_NAME];
    ebm_layer_view_name(layer, view, name, sizeof name);
    snprintf(whole, sizeof whole, "%s%s", r->prefix, name);
    ebm_array array = {.name = whole,
                       .type = EBM_ARRAY_F32,
                       .rank = view->rank,
                       .data = own + view->offset,
                       .place = layer->ops->torch_index ? place : NULL,
                       .layout = layer,
                       .number = number};
    memcpy(array.shape, view->torch_shape, sizeof array.shape);
    ebm_record_array(r->record, &array);
}

static void visit_parameters(const leaf_record *r, float *values, size_t count)
{
    const ebm_network_model *network = r->network;
    char name[2 * EBM_RECORD_NAME];
    if (!network) {
        snprintf(name, sizeof name, "%sparameters", r->prefix);
        ebm_record_floats(r->record, name, &count, 1, values);
        return;
    }
    for (size_t k = 0; k < network->count; k++) {
        const ebm_layer *layer = network->layers + k;
        for (size_t v = 0; v < layer->view_count; v++)
            visit_view(r, layer, v, values + layer->parameter_offset);
    }
}

void ebm_record_parameters(ebm_record *record, const ebm_model *model,
                           const char *prefix, float *values)
{
    if (record->status != EBM_OK)
        return;
    for (size_t i = 0; i < model->leaf_count; i++) {
        const ebm_leaf *leaf = model->leaves + i;
        leaf_record r = begin(record, model, prefix, i);
        visit_parameters(
            &r, values ? values + leaf->padded : leaf->model->parameters,
            leaf->model->parameter_count);
    }
}

size_t ebm_model_state_count(const ebm_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->leaf_count; i++) {
        const ebm_network_model *network =
            ebm_network_of(model->leaves[i].model);
        count += network ? network->state_count : 0;
    }
    return count;
}

void ebm_record_states(ebm_record *record, const ebm_model *model,
                       float *values)
{
    size_t offset = 0;
    if (record->status != EBM_OK)
        return;
    for (size_t i = 0; i < model->leaf_count; i++) {
        leaf_record r = begin(record, model, "", i);
        if (!r.network)
            continue;
        float *own = values ? values + offset : r.network->state;
        for (size_t k = 0; k < r.network->count; k++) {
            const ebm_layer *layer = r.network->layers + k;
            for (size_t v = 0; v < layer->state_view_count; v++)
                visit_view(&r, layer, EBM_LAYER_VIEWS + v,
                           own + layer->state_offset);
        }
        offset += r.network->state_count;
    }
}

void ebm_model_put(ebm_model *model, const float *parameters,
                   const float *states)
{
    for (size_t i = 0; i < model->leaf_count; i++) {
        ebm_model *leaf = model->leaves[i].model;
        const ebm_network_model *network = ebm_network_of(leaf);
        memcpy(leaf->parameters, parameters + model->leaves[i].padded,
               leaf->parameter_count * sizeof *parameters);
        if (!network)
            continue;
        memcpy(network->state, states, network->state_count * sizeof *states);
        states += network->state_count;
    }
}
