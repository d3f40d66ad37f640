/*
 * Average pooling over square windows:
 *
 *     y[i, j, c] = w[i, j] sum_{a, e} x[i stride + a - padding,
 *                                       j stride + e - padding, c]
 *
 * with w = 1 / kernel^2, or 1 / the number of pixels of the image in the
 * window when zeros around it are not counted. Linear: backward is the
 * adjoint.
 */
#include "model/layer/weight.h"
#include "model/network/network.h"

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    for (size_t i = 0; i < pass->n; i++)
        pass->kernels->pool(&layer->conv, layer->exclude_pad,
                            x + i * layer->in_size, y + i * layer->out_size);
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    for (size_t i = 0; i < pass->n && dx; i++)
        pass->kernels->unpool(&layer->conv, layer->exclude_pad,
                              dy + i * layer->out_size,
                              dx + i * layer->in_size);
}

const ebm_layer_ops ebm_layer_avg_pool = {
    .kind = "avg_pool",
    .linear = 1,
    .forward = forward,
    .backward = backward,
};

ebm_status ebm_append_avg_pool(ebm_network *network, size_t kernel,
                               size_t stride, size_t padding,
                               int count_include_pad)
{
    ebm_layer layer = {.ops = &ebm_layer_avg_pool,
                       .exclude_pad = !count_include_pad};
    if (padding > kernel / 2)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT,
                                "a padding of %zu is more than half of the "
                                "kernel, %zu",
                                padding, kernel);
    EBM_TRY(ebm_layer_conv_shape(network, network->end.shape[2], kernel,
                                 stride, padding, &layer.conv));
    layer.out[0] = layer.conv.out_height;
    layer.out[1] = layer.conv.out_width;
    layer.out[2] = layer.conv.out_channels;
    return ebm_network_append(network, &layer);
}

static ebm_status append(ebm_network *network, const double *arguments)
{
    if (arguments[3] > 1)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT,
                                "count_include_pad = %g is not 0 or 1",
                                arguments[3]);
    return ebm_append_avg_pool(network, (size_t)arguments[0],
                               (size_t)arguments[1], (size_t)arguments[2],
                               (int)arguments[3]);
}

extern const ebm_row_ops ebm_row_avg_pool;
const ebm_row_ops ebm_row_avg_pool = {
    .kind = "avg_pool",
    .argument_names = {"kernel", "stride", "padding", "count_include_pad"},
    .append = append,
};

ebm_status ebm_network_avg_pool(ebm_network *network, size_t kernel,
                                size_t stride, size_t padding,
                                int count_include_pad)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    double arguments[] = {(double)kernel, (double)stride, (double)padding,
                          (double)count_include_pad};
    return ebm_network_add(network, &ebm_row_avg_pool, arguments);
}
