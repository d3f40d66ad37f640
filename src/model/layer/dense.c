/*
 * Dense layer: with W [in, out], Y = X W + b, dX = dY W^T, dW = X^T dY.
 */
#include "core/blas.h"
#include "core/memory.h"
#include "model/layer/weight.h"
#include "model/network/network.h"

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    ebm_sgemm(0, 0, pass->n, layer->out_size, layer->in_size, x,
              layer->in_size, ebm_layer_weight(layer, pass), layer->out_size,
              0, y, layer->out_size);
    if (layer->bias && pass->with_bias)
        pass->kernels->add_bias(pass->n, layer->out_size,
                                pass->parameters + layer->views[1].offset, y);
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    if (dx)
        ebm_sgemm(0, 1, pass->n, layer->in_size, layer->out_size, dy,
                  layer->out_size, ebm_layer_weight(layer, pass),
                  layer->out_size, 0, dx, layer->in_size);
}

static void param_gradient(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, const float *dy, float *gradient)
{
    ebm_sgemm(1, 0, layer->in_size, layer->out_size, pass->n, x,
              layer->in_size, dy, layer->out_size, 1,
              gradient + layer->views[0].offset, layer->out_size);
    if (layer->bias && pass->with_bias)
        pass->kernels->column_sums(pass->n, layer->out_size, dy, 1,
                                   gradient + layer->views[1].offset);
}

/* PyTorch keeps [out, in], and flattens (channel, row, column) where our
   samples have (row, column, channel). */
static size_t torch_index(const ebm_layer *layer, size_t view, size_t i)
{
    int is_v = view == EBM_LAYER_VIEWS + EBM_STATE_V;
    if (view && !is_v)
        return i;
    const size_t *u = layer->unflattened;
    size_t o = i / layer->in_size, j = i % layer->in_size;
    size_t c = j / (u[0] * u[1]), position = j % (u[0] * u[1]);
    size_t ours = position * u[2] + c;
    return is_v ? ours : ours * layer->out_size + o;
}

const ebm_layer_ops ebm_layer_dense = {
    .kind = "dense",
    .linear = 1,
    .forward = forward,
    .backward = backward,
    .param_gradient = param_gradient,
    .torch_index = torch_index,
    .start = ebm_weight_start,
    .iterate = ebm_weight_iterate,
    .derive = ebm_weight_derive,
    .fold = ebm_weight_fold,
};

static ebm_status append(ebm_network *network, const double *arguments)
{
    const size_t *in = network->end.shape;
    size_t units = (size_t)arguments[0];
    if (!units)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT, "0 units");
    if (in[0] != 1 || in[1] != 1)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "the sample is [%zu, %zu, %zu]: flatten first",
                                in[0], in[1], in[2]);
    size_t weights, largest = ebm_blas_largest();
    if (!ebm_multiply(in[2], units, &weights) || weights > largest)
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW,
                                "%zu x %zu weights are too many", in[2],
                                units);
    ebm_layer layer = {
        .ops = &ebm_layer_dense,
        .bias = network->values[EBM_NETWORK_BIAS] != 0,
        .weights = (ebm_network_weights)network->values[EBM_NETWORK_WEIGHTS],
        .out = {1, 1, units},
        .fan_in = in[2]};
    layer.view_count = layer.bias ? 2 : 1;
    layer.views[0] = (ebm_layer_view){.name = "weight",
                                      .rank = 2,
                                      .shape = {in[2], units, 1, 1},
                                      .torch_shape = {units, in[2], 1, 1}};
    layer.views[1] = (ebm_layer_view){.name = "bias",
                                      .rank = 1,
                                      .shape = {units, 1, 1, 1},
                                      .torch_shape = {units, 1, 1, 1}};
    EBM_TRY(ebm_weight_describe(network, &layer));
    return ebm_network_append(network, &layer);
}

extern const ebm_row_ops ebm_row_dense;
const ebm_row_ops ebm_row_dense = {
    .kind = "dense",
    .argument_names = {"units"},
    .settings = 1 << EBM_NETWORK_BIAS | 1 << EBM_NETWORK_WEIGHTS,
    .append = append,
};

ebm_status ebm_network_dense(ebm_network *network, size_t units)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    double arguments[] = {(double)units};
    return ebm_network_add(network, &ebm_row_dense, arguments);
}
