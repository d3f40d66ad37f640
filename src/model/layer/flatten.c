/* Flatten: a change of shape only. The network hands the array on. */
#include "core/object.h"
#include "model/layer/layer.h"
#include "model/network.h"

static ebm_status append(ebm_network *network, const double *arguments)
{
    (void)arguments;
    return ebm_network_flatten(network);
}

extern const ebm_layer_ops ebm_layer_flatten;
const ebm_layer_ops ebm_layer_flatten = {
    .kind = "flatten",
    .append = append,
    .linear = 1,
    .in_place = 1,
};

ebm_status ebm_network_flatten(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    const size_t *in = network->shape;
    ebm_layer layer = {.ops = &ebm_layer_flatten,
                       .out = {1, 1, in[0] * in[1] * in[2]}};
    return ebm_network_append(network, &layer);
}
