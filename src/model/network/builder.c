/* The builder: rows of layers, their shapes and where their parameters lie. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/option.h"
#include "model/network/network.h"

/* Of a slab. */
enum { MOST_SAMPLES = 1024 };

static const ebm_option_row settings[EBM_NETWORK_KEYS] = {
    [EBM_NETWORK_BIAS] = {"bias", EBM_OPTION_FLAG, 0, 1, 1},
    [EBM_NETWORK_SLAB] = {"slab", EBM_OPTION_INTEGER, 0, MOST_SAMPLES, 0},
    [EBM_NETWORK_NORM] = {"norm", EBM_OPTION_CHOICE, EBM_NORM_NONE,
                          EBM_NORM_INSTANCE, EBM_NORM_GROUP},
    [EBM_NETWORK_GROUPS] = {"groups", EBM_OPTION_INTEGER, 0, 65536, 0},
    [EBM_NETWORK_NORM_EPSILON] = {"norm_epsilon", EBM_OPTION_REAL,
                                  EBM_ABOVE_ZERO, EBM_FLOAT_LARGEST, 1e-5},
    [EBM_NETWORK_WEIGHTS] = {"weights", EBM_OPTION_CHOICE, EBM_WEIGHTS_PLAIN,
                             EBM_WEIGHTS_SPECTRAL, EBM_WEIGHTS_PLAIN},
    [EBM_NETWORK_CLASSES] = {"classes", EBM_OPTION_INTEGER, 0, 65536, 0},
    [EBM_NETWORK_CONVOLUTION] = {"convolution", EBM_OPTION_CHOICE,
                                 EBM_CONVOLUTION_AUTOMATIC,
                                 EBM_CONVOLUTION_WINOGRAD_4,
                                 EBM_CONVOLUTION_AUTOMATIC},
};

const ebm_option_row *ebm_network_settings(void)
{
    return settings;
}

static void finish(void *object)
{
    ebm_network *network = object;
    ebm_free(network->object.context, network->layers);
    ebm_free(network->object.context, network->rows);
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
    ebm_option_reset(settings, EBM_NETWORK_KEYS, network->values);
    ebm_network_end *end = &network->end;
    network->in[0] = end->shape[0] = height;
    network->in[1] = end->shape[1] = width;
    network->in[2] = end->shape[2] = channels;
    end->unflattened[0] = end->unflattened[1] = 1;
    end->unflattened[2] = channels;
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
    return ebm_option_set(ebm_context_of(network), settings, EBM_NETWORK_KEYS,
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
    return ebm_option_describe(settings, EBM_NETWORK_KEYS, (unsigned)key, name,
                               kind, minimum, maximum, initial);
}

ebm_status ebm_network_shape(const ebm_network *network, size_t *height,
                             size_t *width, size_t *channels)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    const size_t *shape = network->end.shape;
    if (height)
        *height = shape[0];
    if (width)
        *width = shape[1];
    if (channels)
        *channels = shape[2];
    return EBM_OK;
}

ebm_status ebm_network_fail(const ebm_network *network, ebm_status status,
                            const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return ebm_fail(ebm_context_of(network), status, "layer %zu (%s): %s",
                    network->end.rows,
                    network->adding ? network->adding->kind : "?", text);
}

/* Makes room for one more element of an array of the builder's. */
static void *reserve(const ebm_network *network, void *array, size_t count,
                     size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t more = *capacity ? 2 * *capacity : 16;
    ebm_context *context = ebm_context_of(network);
    void *larger = ebm_alloc(context, more, size);
    if (!larger)
        return NULL;
    if (count)
        memcpy(larger, array, count * size);
    ebm_free(context, array);
    *capacity = more;
    return larger;
}

/* Arrays of parameters, or of the state, follow each other without gaps. */
static ebm_status lay_out(const ebm_network *network, ebm_layer_view *views,
                          size_t count, size_t *total)
{
    size_t offset = 0;
    for (size_t v = 0; v < count; v++) {
        ebm_layer_view *view = views + v;
        view->count = 1;
        for (size_t r = 0; r < view->rank; r++)
            if (!ebm_multiply(view->count, view->shape[r], &view->count))
                view->count = SIZE_MAX / 64;
        view->offset = offset;
        if (view->count > SIZE_MAX / 64 - offset)
            return ebm_network_fail(network, EBM_ERROR_OVERFLOW,
                                    "too many parameters");
        offset += view->count;
    }
    *total = offset;
    return EBM_OK;
}

/* Where the layer's numbers begin in the model's arrays. */
static ebm_status place(const ebm_network *network, ebm_layer *layer)
{
    const ebm_network_end *end = &network->end;
    EBM_TRY(lay_out(network, layer->views, layer->view_count,
                    &layer->parameter_count));
    EBM_TRY(lay_out(network, layer->states, layer->state_view_count,
                    &layer->state_count));
    layer->parameter_offset = end->parameter_count;
    layer->state_offset = end->state_count;
    layer->derived_offset = end->derived_count;
    size_t most = SIZE_MAX / 64;
    if (layer->parameter_count > most - end->parameter_count ||
        layer->state_count > most - end->state_count ||
        layer->derived_count > most - end->derived_count)
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW,
                                "too many parameters");
    return EBM_OK;
}

ebm_status ebm_network_append(ebm_network *network, const ebm_layer *described)
{
    ebm_layer layer = *described;
    ebm_network_end *end = &network->end;
    size_t unused;
    ebm_status status =
        ebm_check_size(ebm_context_of(network), MOST_SAMPLES, layer.out[0],
                       layer.out[1], layer.out[2], &unused);
    if (status != EBM_OK)
        return ebm_network_fail(
            network, status, "its output [%zu, %zu, %zu] is %s", layer.out[0],
            layer.out[1], layer.out[2],
            status == EBM_ERROR_OVERFLOW ? "too large for memory" : "empty");
    layer.row = end->rows;
    memcpy(layer.in, end->shape, sizeof layer.in);
    layer.in_size = layer.in[0] * layer.in[1] * layer.in[2];
    layer.out_size = layer.out[0] * layer.out[1] * layer.out[2];
    memcpy(layer.unflattened, end->unflattened, sizeof layer.unflattened);
    EBM_TRY(place(network, &layer));
    ebm_layer *layers =
        reserve(network, network->layers, end->layers,
                &network->layer_capacity, sizeof *network->layers);
    if (!layers)
        return ebm_out_of_memory(ebm_context_of(network), "a layer");
    network->layers = layers;
    network->layers[end->layers++] = layer;
    end->parameter_count += layer.parameter_count;
    end->state_count += layer.state_count;
    end->derived_count += ebm_round_up(layer.derived_count, EBM_LANES);
    if (layer.classes)
        end->classes = layer.classes;

    /* What a later dense layer must know about the order of its inputs. */
    int flattens = !layer.ops->forward;
    if (flattens && !end->is_flat)
        memcpy(end->unflattened, layer.in, sizeof layer.in);
    else if (layer.view_count) {
        end->unflattened[0] = end->unflattened[1] = 1;
        end->unflattened[2] = layer.out_size;
    }
    if (flattens)
        end->is_flat = 1;
    memcpy(end->shape, layer.out, sizeof layer.out);
    return EBM_OK;
}

/* Whole numbers beyond this are not exact in a double, nor any size. */
#define LARGEST_ARGUMENT 9007199254740992.0

/* A size that was too large for a double came here rounded. */
static ebm_status check_argument(const ebm_network *network,
                                 const ebm_row_ops *ops, size_t i,
                                 double value)
{
    const char *name = ops->argument_names[i];
    if (ops->reals & 1u << i)
        return EBM_OK; /* for the row to judge */
    if (value > LARGEST_ARGUMENT)
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW,
                                "%s = %g is too large", name, value);
    if (!(value >= 0 && value == floor(value)))
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT,
                                "%s = %g is not a whole number", name, value);
    return EBM_OK;
}

ebm_status ebm_network_add(ebm_network *network, const ebm_row_ops *ops,
                           const double *arguments)
{
    const ebm_network_end before = network->end;
    ebm_row row = {.ops = ops, .first = before.layers};
    network->adding = ops;
    ebm_status status = EBM_OK;
    for (size_t i = 0; i < EBM_ROW_ARGUMENTS && ops->argument_names[i]; i++) {
        row.arguments[i] = arguments[i];
        if (status == EBM_OK)
            status = check_argument(network, ops, i, arguments[i]);
    }
    memcpy(row.settings, network->values, sizeof row.settings);
    if (status == EBM_OK)
        status = ops->append(network, row.arguments);
    if (status == EBM_OK) {
        row.count = network->end.layers - row.first;
        ebm_row *rows = reserve(network, network->rows, before.rows,
                                &network->row_capacity, sizeof *rows);
        if (rows) {
            network->rows = rows;
            network->rows[network->end.rows++] = row;
        } else {
            status = ebm_out_of_memory(ebm_context_of(network), "a layer");
        }
    }
    if (status != EBM_OK)
        network->end = before;
    network->adding = NULL;
    return status;
}

ebm_status ebm_model_create_network(const ebm_network *network, uint64_t seed,
                                    ebm_model **model)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    const ebm_context *context = ebm_context_of(network);
    const size_t *end = network->end.shape;
    if (!model)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "model is NULL");
    if (!network->end.rows)
        return ebm_fail(context, EBM_ERROR_SHAPE, "the network has no layer");
    if (end[0] != 1 || end[1] != 1 || end[2] != 1)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "the network ends in [%zu, %zu, %zu] after layer %zu, "
                        "an energy is a single number",
                        end[0], end[1], end[2], network->end.rows - 1);
    return ebm_network_make_model(network, seed, model);
}
