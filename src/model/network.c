/* The builder: checks shapes, lays out parameters. */
#include "model/network.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/option.h"

static const ebm_option_row rows[EBM_NETWORK_KEYS] = {
    [EBM_NETWORK_BIAS] = {"bias", EBM_OPTION_FLAG, 0, 1, 1},
    [EBM_NETWORK_SLAB] = {"slab", EBM_OPTION_INTEGER, 0, 1024, 0},
};

static void finish(void *object)
{
    ebm_network *network = object;
    ebm_free(network->object.context, network->layers);
}

ebm_status ebm_network_create(ebm_context *context, size_t height,
                              size_t width, size_t channels, ebm_network **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "network is NULL");
    size_t size;
    EBM_TRY(ebm_check_size(context, 1, height, width, channels, &size));
    ebm_network *network =
        ebm_object_create(context, EBM_TYPE_NETWORK, sizeof *network, finish);
    if (!network)
        return EBM_ERROR_MEMORY;
    ebm_option_reset(rows, EBM_NETWORK_KEYS, network->values);
    network->in[0] = network->shape[0] = height;
    network->in[1] = network->shape[1] = width;
    network->in[2] = network->shape[2] = channels;
    network->unflattened[0] = network->unflattened[1] = 1;
    network->unflattened[2] = channels;
    *out = network;
    return EBM_OK;
}

void ebm_network_destroy(ebm_network *network)
{
    ebm_object_destroy(network, EBM_TYPE_NETWORK);
}

ebm_status ebm_network_set(ebm_network *network, ebm_network_key key,
                           double value)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_option_set(ebm_context_of(network), rows, EBM_NETWORK_KEYS,
                          network->values, (unsigned)key, value);
}

ebm_status ebm_network_get(const ebm_network *network, ebm_network_key key,
                           double *value)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_option_get(ebm_context_of(network), EBM_NETWORK_KEYS,
                          network->values, (unsigned)key, value);
}

ebm_status ebm_network_option(ebm_network_key key, const char **name,
                              ebm_option_kind *kind, double *minimum,
                              double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_NETWORK_KEYS, (unsigned)key, name,
                               kind, minimum, maximum, initial);
}

ebm_status ebm_network_shape(const ebm_network *network, size_t *height,
                             size_t *width, size_t *channels)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    if (height)
        *height = network->shape[0];
    if (width)
        *width = network->shape[1];
    if (channels)
        *channels = network->shape[2];
    return EBM_OK;
}

/* Makes room for one more layer. */
static ebm_status reserve(ebm_network *network)
{
    if (network->count < network->capacity)
        return EBM_OK;
    size_t capacity = network->capacity ? 2 * network->capacity : 16;
    ebm_context *context = ebm_context_of(network);
    ebm_layer *layers = ebm_alloc(context, capacity, sizeof *layers);
    if (!layers)
        return ebm_out_of_memory(context, "a layer");
    if (network->count)
        memcpy(layers, network->layers, network->count * sizeof *layers);
    ebm_free(context, network->layers);
    network->layers = layers;
    network->capacity = capacity;
    return EBM_OK;
}

/* Parameter arrays follow each other without gaps. */
static ebm_status lay_out(const ebm_network *network, ebm_layer *layer)
{
    size_t offset = 0;
    for (size_t v = 0; v < layer->view_count; v++) {
        ebm_layer_view *view = layer->views + v;
        view->count = 1;
        for (size_t r = 0; r < view->rank; r++)
            view->count *= view->shape[r]; /* checked by the layer */
        view->offset = offset;
        offset += view->count;
    }
    layer->parameter_count = offset;
    layer->parameter_offset = network->parameter_count;
    if (network->parameter_count + offset > SIZE_MAX / 64)
        return ebm_fail(ebm_context_of(network), EBM_ERROR_OVERFLOW,
                        "layer %zu: too many parameters", network->count);
    return EBM_OK;
}

ebm_status ebm_network_append(ebm_network *network, const ebm_layer *described)
{
    ebm_layer layer = *described;
    size_t unused;
    EBM_TRY(ebm_check_size(ebm_context_of(network), 1024, layer.out[0],
                           layer.out[1], layer.out[2], &unused));
    memcpy(layer.in, network->shape, sizeof layer.in);
    layer.in_size = layer.in[0] * layer.in[1] * layer.in[2];
    layer.out_size = layer.out[0] * layer.out[1] * layer.out[2];
    memcpy(layer.unflattened, network->unflattened, sizeof layer.unflattened);
    EBM_TRY(lay_out(network, &layer));
    EBM_TRY(reserve(network));
    network->layers[network->count++] = layer;
    network->parameter_count += layer.parameter_count;

    /* What a later dense layer must know about the order of its inputs. */
    int flattens = !layer.ops->forward;
    if (flattens && !network->is_flat)
        memcpy(network->unflattened, layer.in, sizeof layer.in);
    else if (layer.view_count) {
        network->unflattened[0] = network->unflattened[1] = 1;
        network->unflattened[2] = layer.out_size;
    }
    if (flattens)
        network->is_flat = 1;
    memcpy(network->shape, layer.out, sizeof layer.out);
    return EBM_OK;
}

ebm_status ebm_model_create_network(const ebm_network *network, uint64_t seed,
                                    ebm_model **model)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    const ebm_context *context = ebm_context_of(network);
    const size_t *end = network->shape;
    if (!model)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "model is NULL");
    if (!network->count)
        return ebm_fail(context, EBM_ERROR_SHAPE, "the network has no layer");
    if (end[0] != 1 || end[1] != 1 || end[2] != 1)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "the network ends in [%zu, %zu, %zu] after layer %zu, "
                        "an energy is a single number",
                        end[0], end[1], end[2], network->count - 1);
    return ebm_network_make_model(network, seed, model);
}
