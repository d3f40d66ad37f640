/*
 * Dense layer: with W [in, out], Y = X W + b, dX = dY W^T, dW = X^T dY.
 */
#include "core/blas.h"
#include "core/memory.h"
#include "core/object.h"
#include "model/layer/layer.h"
#include "model/network.h"

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    ebm_sgemm(0, 0, pass->n, layer->out_size, layer->in_size, x,
              layer->in_size, pass->parameters + layer->views[0].offset,
              layer->out_size, 0, y, layer->out_size);
    if (layer->bias && pass->with_bias)
        pass->kernels->add_bias(pass->n, layer->out_size,
                                pass->parameters + layer->views[1].offset, y);
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    if (dx)
        ebm_sgemm(0, 1, pass->n, layer->in_size, layer->out_size, dy,
                  layer->out_size, pass->parameters + layer->views[0].offset,
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
    if (view == 1)
        return i;
    const size_t *u = layer->unflattened;
    size_t o = i / layer->in_size, j = i % layer->in_size;
    size_t c = j / (u[0] * u[1]), position = j % (u[0] * u[1]);
    return (position * u[2] + c) * layer->out_size + o;
}

static ebm_status append(ebm_network *network, const double *arguments)
{
    return ebm_network_dense(network, (size_t)arguments[0]);
}

extern const ebm_layer_ops ebm_layer_dense;
const ebm_layer_ops ebm_layer_dense = {
    .kind = "dense",
    .argument_names = {"units"},
    .append = append,
    .linear = 1,
    .forward = forward,
    .backward = backward,
    .param_gradient = param_gradient,
    .torch_index = torch_index,
};

ebm_status ebm_network_dense(ebm_network *network, size_t units)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    const ebm_context *context = ebm_context_of(network);
    const size_t *in = network->shape;
    if (!units)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "layer %zu: dense with 0 units", network->count);
    if (in[0] != 1 || in[1] != 1)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "layer %zu: dense on [%zu, %zu, %zu]: flatten first",
                        network->count, in[0], in[1], in[2]);
    size_t weights, largest = ebm_blas_largest();
    if (!ebm_multiply(in[2], units, &weights) || weights > largest)
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "layer %zu: a dense layer of %zu x %zu is too large",
                        network->count, in[2], units);
    ebm_layer layer = {.ops = &ebm_layer_dense,
                       .arguments = {(double)units},
                       .bias = network->values[EBM_NETWORK_BIAS] != 0,
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
    return ebm_network_append(network, &layer);
}
