/*
 * A gain and a bias per channel that the sample's label y chooses:
 *
 *     out[.., c] = x[.., c] (G[y, c] + g[c]) + (B[y, c] + b[c]).
 *
 * [G | B] is the weight [classes, 2 C] and [g | b] the bias [2 C] of a dense
 * layer that sees the label as a one-hot vector. Linear in x; of its two
 * constants only B and b are constants of the map, so a tangent still meets
 * both gains:
 *
 *     dx = dy (G[y] + g),   dG[y] = dg = sum x dy,   dB[y] = db = sum dy.
 */
#include "model/network/network.h"

static size_t scratch_size(const ebm_layer *layer, size_t n)
{
    (void)n;
    return 2 * layer->out[2];
}

/* Gains, then biases, of a sample's class: in scratch. */
static const float *of_class(const ebm_layer *layer,
                             const ebm_layer_pass *pass, size_t sample)
{
    size_t count = 2 * layer->out[2];
    const float *weight = pass->parameters + layer->views[0].offset;
    const float *bias = pass->parameters + layer->views[1].offset;
    weight += (size_t)pass->labels[sample] * count;
    for (size_t c = 0; c < count; c++)
        pass->scratch[c] = weight[c] + bias[c];
    return pass->scratch;
}

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    size_t channels = layer->out[2], rows = layer->out[0] * layer->out[1];
    for (size_t i = 0; i < pass->n; i++) {
        const float *own = of_class(layer, pass, i);
        float *to = y + i * layer->out_size;
        pass->kernels->scale_columns(rows, channels, own,
                                     x + i * layer->in_size, to);
        if (pass->with_bias)
            pass->kernels->add_bias(rows, channels, own + channels, to);
    }
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    size_t channels = layer->out[2], rows = layer->out[0] * layer->out[1];
    for (size_t i = 0; dx && i < pass->n; i++)
        pass->kernels->scale_columns(rows, channels, of_class(layer, pass, i),
                                     dy + i * layer->out_size,
                                     dx + i * layer->in_size);
}

static void param_gradient(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, const float *dy, float *gradient)
{
    size_t channels = layer->out[2], rows = layer->out[0] * layer->out[1];
    size_t count = pass->with_bias ? 2 * channels : channels;
    float *sums = pass->scratch;
    for (size_t i = 0; i < pass->n; i++) {
        const float *own = dy + i * layer->out_size;
        float *weight = gradient + layer->views[0].offset +
                        (size_t)pass->labels[i] * 2 * channels;
        float *bias = gradient + layer->views[1].offset;
        pass->kernels->column_dots(rows, channels, x + i * layer->in_size, own,
                                   sums);
        if (pass->with_bias)
            pass->kernels->column_sums(rows, channels, own, 0,
                                       sums + channels);
        for (size_t c = 0; c < count; c++) {
            weight[c] += sums[c];
            bias[c] += sums[c];
        }
    }
}

/* PyTorch keeps [2 C, classes]. */
static size_t torch_index(const ebm_layer *layer, size_t view, size_t i)
{
    if (view)
        return i;
    return i % layer->classes * 2 * layer->out[2] + i / layer->classes;
}

const ebm_layer_ops ebm_layer_class_affine = {
    .kind = "class_affine",
    .linear = 1,
    .scratch_size = scratch_size,
    .forward = forward,
    .backward = backward,
    .param_gradient = param_gradient,
    .torch_index = torch_index,
};

ebm_status ebm_append_class_affine(ebm_network *network, const char *part,
                                   size_t classes)
{
    const size_t *in = network->end.shape;
    if (!classes)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT, "0 classes");
    if (network->end.classes && network->end.classes != classes)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT,
                                "%zu classes, and %zu in a layer before it",
                                classes, network->end.classes);
    if (network->end.is_flat)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "it stands after flatten");
    ebm_layer layer = {.ops = &ebm_layer_class_affine,
                       .part = part,
                       .bias = 1,
                       .out = {in[0], in[1], in[2]},
                       .classes = classes,
                       .fan_in = classes,
                       .view_count = 2};
    layer.views[0] =
        (ebm_layer_view){.name = "weight",
                         .rank = 2,
                         .shape = {classes, 2 * in[2], 1, 1},
                         .torch_shape = {2 * in[2], classes, 1, 1}};
    layer.views[1] = (ebm_layer_view){.name = "bias",
                                      .rank = 1,
                                      .shape = {2 * in[2], 1, 1, 1},
                                      .torch_shape = {2 * in[2], 1, 1, 1}};
    return ebm_network_append(network, &layer);
}

static ebm_status append(ebm_network *network, const double *arguments)
{
    return ebm_append_class_affine(network, NULL, (size_t)arguments[0]);
}

extern const ebm_row_ops ebm_row_class_affine;
const ebm_row_ops ebm_row_class_affine = {
    .kind = "class_affine",
    .argument_names = {"classes"},
    .append = append,
};

ebm_status ebm_network_class_affine(ebm_network *network, size_t classes)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    double arguments[] = {(double)classes};
    return ebm_network_add(network, &ebm_row_class_affine, arguments);
}
