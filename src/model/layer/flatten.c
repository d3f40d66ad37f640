/* Flatten: a change of shape only. The network hands the array on. */
#include "model/network/network.h"

const ebm_layer_ops ebm_layer_flatten = {
    .kind = "flatten",
    .linear = 1,
    .in_place = 1,
};

static ebm_status append(ebm_network *network, const double *arguments)
{
    (void)arguments;
    const size_t *in = network->end.shape;
    ebm_layer layer = {.ops = &ebm_layer_flatten,
                       .out = {1, 1, in[0] * in[1] * in[2]}};
    return ebm_network_append(network, &layer);
}

extern const ebm_row_ops ebm_row_flatten;
const ebm_row_ops ebm_row_flatten = {.kind = "flatten", .append = append};

ebm_status ebm_network_flatten(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_flatten, NULL);
}
