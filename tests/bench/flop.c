#include "flop.h"

#include "model/network/network.h"

static double product(size_t m, size_t n, size_t k)
{
    return 2.0 * (double)m * (double)n * (double)k;
}

/* Scores Q K^T and outputs A V; backward two products for each. */
static double attention(const ebm_layer *layer)
{
    size_t positions = layer->in[0] * layer->in[1];
    return product(positions, positions, layer->queries) +
           product(positions, positions, layer->out[2]);
}

static double linear(const ebm_layer *layer)
{
    const ebm_conv_shape *s = &layer->conv;
    if (layer->ops == &ebm_layer_conv2d)
        return product(s->out_height * s->out_width, s->out_channels,
                       s->kernel * s->kernel * s->channels);
    if (layer->ops == &ebm_layer_dense)
        return product(1, layer->out_size, layer->in_size);
    return 0.0;
}

static void add_network(const ebm_network_model *network, bench_flop *flop)
{
    for (size_t i = 0; i < network->count; i++) {
        const ebm_layer *layer = network->layers + i;
        double one = linear(layer), two = 0.0;
        if (layer->ops == &ebm_layer_attend)
            two = attention(layer);
        flop->forward += one + two;
        flop->input += one + 2.0 * two;
        flop->parameter += one;
        if (i <= network->first_with_parameters)
            flop->first += one + 2.0 * two;
    }
}

bench_flop bench_flop_of(const ebm_model *model)
{
    bench_flop flop = {0};
    for (size_t i = 0; i < model->leaf_count; i++) {
        const ebm_network_model *network =
            ebm_network_of(model->leaves[i].model);
        if (network != NULL)
            add_network(network, &flop);
    }
    return flop;
}

double bench_flop_gradient(const bench_flop *flop)
{
    return flop->forward + flop->input;
}

double bench_flop_learning(const bench_flop *flop)
{
    return flop->forward + flop->input - flop->first + flop->parameter;
}

double bench_flop_tangent(const bench_flop *flop)
{
    return 2.0 * (flop->forward + flop->input + flop->parameter);
}
