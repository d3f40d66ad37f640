/* Stub while being written. */
#include "model/layer/weight.h"
#include "model/network/network.h"

ebm_status ebm_weight_describe(const ebm_network *network, ebm_layer *layer)
{
    (void)network;
    layer->weights = EBM_WEIGHTS_PLAIN;
    return EBM_OK;
}

void ebm_weight_start(const ebm_layer *layer, const float *parameters,
                      const ebm_random *random, float *state)
{
    (void)layer, (void)parameters, (void)random, (void)state;
}

void ebm_weight_iterate(const ebm_layer *layer, const float *parameters,
                        float *state)
{
    (void)layer, (void)parameters, (void)state;
}

void ebm_weight_derive(const ebm_layer *layer, const float *parameters,
                       const float *state, float *derived)
{
    (void)layer, (void)parameters, (void)state, (void)derived;
}

void ebm_weight_fold(const ebm_layer *layer, const float *parameters,
                     const float *state, const float *derived, float *gradient)
{
    (void)layer, (void)parameters, (void)state, (void)derived, (void)gradient;
}
