/*
 * ebm_model_load(): nothing in the file is believed. The header's length is
 * checked against the file, the header's layers against the tensors and the
 * tensors against the length of the data, all before the parameters are
 * allocated; so a file never makes a model larger than itself.
 */
#include <ebm/checkpoint.h>

#include <math.h>
#include <stdio.h>

#include "checkpoint/container.h"
#include "checkpoint/header.h"
#include "core/file.h"
#include "core/memory.h"

/* Into the parameters or the state of its network. */
static ebm_status read_tensor(const ebm_container *source,
                              const ebm_header *header,
                              const ebm_tensor *tensor, const ebm_model *model)
{
    unsigned char bytes[EBM_NUMBERS_AT_ONCE * EBM_NUMBER_SIZE];
    const ebm_network_model *network = ebm_network_of(model);
    const ebm_layer *layer = network->layers + tensor->layer;
    const ebm_layer_view *view = ebm_layer_find(layer, tensor->view);
    float *array = tensor->view < EBM_LAYER_VIEWS
                       ? model->parameters + layer->parameter_offset
                       : network->state + layer->state_offset;
    for (size_t i = 0; i < view->count; i++) {
        size_t held = i % EBM_NUMBERS_AT_ONCE, rest = view->count - i;
        if (!held) {
            size_t next =
                rest < EBM_NUMBERS_AT_ONCE ? rest : EBM_NUMBERS_AT_ONCE;
            EBM_TRY(ebm_container_read(source, bytes, next * EBM_NUMBER_SIZE));
        }
        float number = ebm_load_number(bytes + held * EBM_NUMBER_SIZE);
        if (!isfinite(number)) {
            char name[EBM_TENSOR_NAME];
            ebm_tensor_name(layer, tensor, header->tree.count > 0, name);
            return ebm_fail(source->context, EBM_ERROR_NON_FINITE,
                            "%s: element %zu of %s is %g",
                            ebm_file_tail(source->path), i, name,
                            (double)number);
        }
        array[view->offset + ebm_torch_index(layer, tensor->view, i)] = number;
    }
    return EBM_OK;
}

/* The tensors stand in the data's order and cover it, so that one pass
   without seeking reads them. */
static ebm_status read_tensors(const ebm_container *source,
                               const ebm_header *header,
                               ebm_model *const *networks)
{
    for (size_t i = 0; i < header->count; i++) {
        const ebm_tensor *tensor = header->tensors + i;
        EBM_TRY(
            read_tensor(source, header, tensor, networks[tensor->network]));
    }
    for (size_t k = 0; k < header->network_count; k++)
        ebm_model_parameters_written(networks[k]);
    return EBM_OK;
}

static ebm_status make_networks(const ebm_container *source,
                                const ebm_header *header, ebm_model **models)
{
    for (size_t k = 0; k < header->network_count; k++) {
        char place[32] = "";
        if (header->tree.count)
            snprintf(place, sizeof place, "network %zu: ", k);
        /* The seed does not matter: each parameter is in the file. */
        EBM_TRY(ebm_header_blame(
            source->context, source->path, place,
            ebm_model_create_network(header->networks[k], 0, models + k)));
    }
    return EBM_OK;
}

static ebm_status make_model(const ebm_container *source,
                             const ebm_header *header, ebm_model **model)
{
    ebm_model *made = NULL;
    size_t count = header->network_count;
    ebm_model **networks =
        ebm_alloc_zero(source->context, count, sizeof *networks);
    if (!networks)
        return ebm_out_of_memory(source->context, "the networks of a model");
    ebm_status status = make_networks(source, header, networks);
    if (status == EBM_OK)
        status = read_tensors(source, header, networks);
    if (status == EBM_OK && header->tree.count)
        status = ebm_header_blame(source->context, source->path, "",
                                  ebm_tree_make_model(source->context,
                                                      &header->tree, networks,
                                                      &made));
    else if (status == EBM_OK)
        made = ebm_object_retain(networks[0]);
    if (status == EBM_OK)
        *model = made;
    for (size_t k = 0; k < count; k++)
        ebm_object_release(networks[k]);
    ebm_free(source->context, networks);
    return status;
}

ebm_status ebm_model_load(ebm_context *context, const char *path,
                          ebm_model **model)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!path || !model)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        path ? "model" : "path");
    ebm_container source;
    ebm_header header = {0};
    ebm_status status = ebm_container_open(context, path, &source);
    if (status == EBM_OK)
        status = ebm_header_read(context, path, source.text, source.length,
                                 source.data_size, &header);
    if (status == EBM_OK)
        status = make_model(&source, &header, model);
    ebm_header_clear(context, &header);
    ebm_container_close(&source);
    return status;
}
