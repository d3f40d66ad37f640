/*
 * The mean, or the sum, of each channel over the whole image: [height, width,
 * C] becomes [1, 1, C]. Linear; backward gives each pixel the same.
 */
#include <string.h>

#include "core/memory.h"
#include "model/network/network.h"

static size_t positions_of(const ebm_layer *layer)
{
    return layer->in[0] * layer->in[1];
}

static double weight_of(const ebm_layer *layer)
{
    return layer->ops == &ebm_layer_global_mean_pool
               ? 1 / (double)positions_of(layer)
               : 1;
}

/* Sums, in double. */
static size_t scratch_size(const ebm_layer *layer, size_t n)
{
    (void)n;
    return 2 * layer->in[2];
}

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    size_t channels = layer->in[2];
    double *sum = (double *)(void *)pass->scratch, w = weight_of(layer);
    for (size_t i = 0; i < pass->n; i++) {
        pass->kernels->channel_sums(positions_of(layer), channels,
                                    x + i * layer->in_size, sum);
        for (size_t c = 0; c < channels; c++)
            y[i * channels + c] = (float)(sum[c] * w);
    }
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    size_t channels = layer->in[2], positions = positions_of(layer);
    float w = (float)weight_of(layer);
    for (size_t i = 0; i < pass->n && dx; i++) {
        float *first = dx + i * layer->in_size;
        for (size_t c = 0; c < channels; c++)
            first[c] = dy[i * channels + c] * w;
        for (size_t p = 1; p < positions; p++)
            memcpy(first + p * channels, first, channels * sizeof *first);
    }
}

#define POOL(name)                                              \
    const ebm_layer_ops ebm_layer_##name = {                    \
        .kind = #name,                                          \
        .linear = 1,                                            \
        .scratch_size = scratch_size,                           \
        .forward = forward,                                     \
        .backward = backward,                                   \
    };                                                          \
                                                                \
    static ebm_status append_##name(ebm_network *network,       \
                                    const double *arguments)    \
    {                                                           \
        (void)arguments;                                        \
        return append(network, &ebm_layer_##name);              \
    }                                                           \
                                                                \
    extern const ebm_row_ops ebm_row_##name;                    \
    const ebm_row_ops ebm_row_##name = {                        \
        .kind = #name,                                          \
        .append = append_##name,                                \
    };                                                          \
                                                                \
    ebm_status ebm_network_##name(ebm_network *network)         \
    {                                                           \
        EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);            \
        return ebm_network_add(network, &ebm_row_##name, NULL); \
    }

static ebm_status append(ebm_network *network, const ebm_layer_ops *ops)
{
    ebm_layer layer = {.ops = ops, .out = {1, 1, network->end.shape[2]}};
    if (network->end.is_flat)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "it stands after flatten");
    return ebm_network_append(network, &layer);
}

POOL(global_mean_pool)
POOL(global_sum_pool)
