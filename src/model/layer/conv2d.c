/*
 * The convolution layer. With W [taps, out] and the taps of a position as a
 * row of col(X),
 *
 *     Y = col(X) W + b,   dX = col^T(dY W^T),   dW = col(X)^T dY.
 *
 * How that is computed is chosen by the shape, see conv.h: pixels that are
 * visited one by one are a matrix already, small and strided kernels gather,
 * and the gradient of the weights, whose sum runs over positions, is a product
 * with the column matrix.
 */
#include "core/blas.h"
#include "model/layer/conv.h"
#include "model/network/network.h"

/* Layer's own derived numbers: weights that are not the parameters, then what
   the way of computing prepares. */
static size_t prepared_offset(const ebm_layer *layer)
{
    return layer->weights == EBM_WEIGHTS_PLAIN
               ? 0
               : ebm_round_up(ebm_conv_taps(&layer->conv) *
                                  layer->conv.out_channels,
                              EBM_LANES);
}

/* Gathering reads all weights for a few rows, so they must stay in a cache,
   and a panel of few columns would be mostly empty. */
enum { MOST_GATHERED_WEIGHTS = 128 * 1024, LEAST_COLUMNS = EBM_PANEL / 2 };

/* The way that was asked for, if the shape allows it, or the one that pays. A
   1 x 1 kernel has its column matrix for nothing. */
static ebm_network_convolution way_of(const ebm_conv_shape *s,
                                      ebm_network_convolution wanted)
{
    if (ebm_conv_is_plain(s))
        return EBM_CONVOLUTION_COLUMNS;
    if (wanted >= EBM_CONVOLUTION_WINOGRAD_2 &&
        !ebm_conv_winograd_is_possible(s))
        wanted = EBM_CONVOLUTION_AUTOMATIC;
    if (wanted == EBM_CONVOLUTION_AUTOMATIC)
        wanted = ebm_conv_winograd_choice(s);
    if (wanted != EBM_CONVOLUTION_AUTOMATIC)
        return wanted;
    return s->out_channels < LEAST_COLUMNS ||
                   ebm_conv_taps(s) * s->out_channels > MOST_GATHERED_WEIGHTS
               ? EBM_CONVOLUTION_COLUMNS
               : EBM_CONVOLUTION_DIRECT;
}

static int is_winograd(const ebm_layer *layer)
{
    return layer->way >= EBM_CONVOLUTION_WINOGRAD_2;
}

static size_t prepared_size(const ebm_layer *layer)
{
    if (is_winograd(layer))
        return ebm_conv_winograd_size(layer);
    return layer->way == EBM_CONVOLUTION_DIRECT
               ? ebm_conv_direct_size(&layer->conv)
               : 0;
}

static size_t scratch_size(const ebm_layer *layer, size_t n)
{
    size_t columns = ebm_conv_columns_scratch(layer, n);
    size_t tiles =
        is_winograd(layer) ? ebm_conv_winograd_scratch(layer, n) : 0;
    return columns > tiles ? columns : tiles;
}

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    const float *prepared = pass->derived + prepared_offset(layer);
    if (is_winograd(layer))
        ebm_conv_winograd_forward(layer, pass, prepared, x, y);
    else if (layer->way == EBM_CONVOLUTION_DIRECT)
        ebm_conv_direct_forward(layer, pass, prepared, x, y);
    else
        ebm_conv_columns_forward(layer, pass, x, y);
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    const float *prepared = pass->derived + prepared_offset(layer);
    if (!dx)
        return;
    if (is_winograd(layer))
        ebm_conv_winograd_backward(layer, pass, prepared, dy, dx);
    else if (layer->way == EBM_CONVOLUTION_DIRECT &&
             ebm_conv_direct_goes_back(&layer->conv))
        ebm_conv_direct_backward(layer, pass, prepared, dy, dx);
    else
        ebm_conv_columns_backward(layer, pass, dy, dx);
}

static void param_gradient(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, const float *dy, float *gradient)
{
    if (is_winograd(layer) && ebm_conv_winograd_has_gradient(layer))
        ebm_conv_winograd_gradient(layer, pass, x, dy, gradient);
    else
        ebm_conv_columns_gradient(layer, pass, x, dy, gradient);
}

static void derive(const ebm_layer *layer, const ebm_kernels *kernels,
                   const float *parameters, const float *state, float *derived)
{
    float *prepared = derived + prepared_offset(layer);
    const float *weight = layer->weights == EBM_WEIGHTS_PLAIN
                              ? parameters + layer->views[0].offset
                              : derived;
    ebm_weight_derive(layer, kernels, parameters, state, derived);
    if (is_winograd(layer))
        ebm_conv_winograd_prepare(layer, kernels, weight, prepared);
    else if (layer->way == EBM_CONVOLUTION_DIRECT)
        ebm_conv_direct_prepare(
            &layer->conv, weight,
            layer->bias ? parameters + layer->views[1].offset : NULL,
            prepared);
}

/* PyTorch keeps [out, in, row, column], we [row, column, in, out]; the
   spectral norm's v is a column of that, its u a row. */
static size_t torch_index(const ebm_layer *layer, size_t view, size_t i)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t window = s->kernel * s->kernel;
    size_t position = i % window, c = i / window % s->channels;
    size_t o = i / window / s->channels;
    if (view == EBM_LAYER_VIEWS + EBM_STATE_V)
        return position * s->channels + c;
    if (view)
        return i;
    return (position * s->channels + c) * s->out_channels + o;
}

const ebm_layer_ops ebm_layer_conv2d = {
    .kind = "conv2d",
    .linear = 1,
    .scratch_size = scratch_size,
    .forward = forward,
    .backward = backward,
    .param_gradient = param_gradient,
    .torch_index = torch_index,
    .start = ebm_weight_start,
    .iterate = ebm_weight_iterate,
    .derive = derive,
    .fold = ebm_weight_fold,
};

/* Sizes that a BLAS and our own products can take. */
static int fits(const ebm_conv_shape *s)
{
    size_t taps, weights, out, framed, largest = ebm_blas_largest();
    return ebm_multiply4(s->kernel, s->kernel, s->channels, 1, &taps) &&
           ebm_multiply(taps, s->out_channels, &weights) &&
           ebm_multiply4(s->out_height, s->out_width, s->out_channels, 1,
                         &out) &&
           ebm_multiply4(s->height + 2 * s->padding,
                         s->width + 2 * s->padding + s->stride, s->channels, 1,
                         &framed) &&
           framed <= largest && taps <= largest && weights <= largest &&
           out <= largest && s->out_height * s->out_width <= largest / taps;
}

ebm_status ebm_layer_conv_shape(const ebm_network *network, size_t channels,
                                size_t kernel, size_t stride, size_t padding,
                                ebm_conv_shape *shape)
{
    const size_t *in = network->end.shape;
    size_t largest = ebm_blas_largest();
    if (!channels || !kernel || !stride)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT,
                                "channels, kernel and stride are at least 1, "
                                "not %zu, %zu and %zu",
                                channels, kernel, stride);
    if (network->end.is_flat)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "it stands after flatten");
    if (kernel > largest || stride > largest || padding > largest ||
        in[0] > largest || in[1] > largest)
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW, "too large");
    if (in[0] + 2 * padding < kernel || in[1] + 2 * padding < kernel)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "a kernel of %zu does not fit into [%zu, %zu] "
                                "with padding %zu",
                                kernel, in[0], in[1], padding);
    /* A stride beyond the framed image visits the same positions, and the
       kernels' planes shall not be as many as it says. */
    size_t framed = (in[0] > in[1] ? in[0] : in[1]) + 2 * padding;
    *shape = (ebm_conv_shape){in[0],
                              in[1],
                              in[2],
                              kernel,
                              stride < framed ? stride : framed,
                              padding,
                              (in[0] + 2 * padding - kernel) / stride + 1,
                              (in[1] + 2 * padding - kernel) / stride + 1,
                              channels};
    if (!fits(shape))
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW, "too large");
    return EBM_OK;
}

ebm_status ebm_append_conv2d(ebm_network *network, const char *part,
                             size_t channels, size_t kernel, size_t stride,
                             size_t padding, ebm_network_weights weights)
{
    const size_t *in = network->end.shape;
    ebm_layer layer = {.ops = &ebm_layer_conv2d,
                       .part = part,
                       .weights = weights,
                       .bias = network->values[EBM_NETWORK_BIAS] != 0};
    EBM_TRY(ebm_layer_conv_shape(network, channels, kernel, stride, padding,
                                 &layer.conv));
    layer.out[0] = layer.conv.out_height;
    layer.out[1] = layer.conv.out_width;
    layer.out[2] = channels;
    layer.fan_in = ebm_conv_taps(&layer.conv);
    layer.view_count = layer.bias ? 2 : 1;
    layer.views[0] =
        (ebm_layer_view){.name = "weight",
                         .rank = 4,
                         .shape = {kernel, kernel, in[2], channels},
                         .torch_shape = {channels, in[2], kernel, kernel}};
    layer.views[1] = (ebm_layer_view){.name = "bias",
                                      .rank = 1,
                                      .shape = {channels, 1, 1, 1},
                                      .torch_shape = {channels, 1, 1, 1}};
    EBM_TRY(ebm_weight_describe(network, &layer));
    layer.way = way_of(
        &layer.conv,
        (ebm_network_convolution)network->values[EBM_NETWORK_CONVOLUTION]);
    if (prepared_size(&layer))
        layer.derived_count = prepared_offset(&layer) + prepared_size(&layer);
    return ebm_network_append(network, &layer);
}

static ebm_status append(ebm_network *network, const double *arguments)
{
    return ebm_append_conv2d(
        network, NULL, (size_t)arguments[0], (size_t)arguments[1],
        (size_t)arguments[2], (size_t)arguments[3],
        (ebm_network_weights)network->values[EBM_NETWORK_WEIGHTS]);
}

extern const ebm_row_ops ebm_row_conv2d;
const ebm_row_ops ebm_row_conv2d = {
    .kind = "conv2d",
    .argument_names = {"channels", "kernel", "stride", "padding"},
    .settings = 1 << EBM_NETWORK_BIAS | 1 << EBM_NETWORK_WEIGHTS |
                1 << EBM_NETWORK_CONVOLUTION,
    .append = append,
};

ebm_status ebm_network_conv2d(ebm_network *network, size_t channels,
                              size_t kernel, size_t stride, size_t padding)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    double arguments[] = {(double)channels, (double)kernel, (double)stride,
                          (double)padding};
    return ebm_network_add(network, &ebm_row_conv2d, arguments);
}
