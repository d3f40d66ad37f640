/*
 * Weights that are made from parameters: plain, standardised, spectral. For
 * layers whose first view is a matrix [taps, out], out being the last of its
 * dimensions: convolutions and dense layers share this.
 */
#ifndef EBM_MODEL_LAYER_WEIGHT_H
#define EBM_MODEL_LAYER_WEIGHT_H

#include "model/layer/layer.h"

/* The state's views: the singular vectors u[out] and v[taps], "weight_u" and
   "weight_v" as PyTorch calls them. */
enum { EBM_STATE_U = 0, EBM_STATE_V = 1 };

/* The weights that a pass works with. */
static inline const float *ebm_layer_weight(const ebm_layer *layer,
                                            const ebm_layer_pass *pass)
{
    return layer->weights == EBM_WEIGHTS_PLAIN
               ? pass->parameters + layer->views[0].offset
               : pass->derived;
}

/* For a layer whose kind of weights and first view are set: describes what is
   derived and the state. SHAPE when the weights can not be standardised. */
ebm_status ebm_weight_describe(const ebm_network *network, ebm_layer *layer);

/* The entries of ebm_layer_ops; they do nothing for plain weights. */
void ebm_weight_start(const ebm_layer *layer, const float *parameters,
                      const ebm_random *random, float *state);
void ebm_weight_iterate(const ebm_layer *layer, const float *parameters,
                        float *state);
void ebm_weight_derive(const ebm_layer *layer, const ebm_kernels *kernels,
                       const float *parameters, const float *state,
                       float *derived);
void ebm_weight_fold(const ebm_layer *layer, const float *parameters,
                     const float *state, const float *derived,
                     float *gradient);

/* Shape of a convolution or pooling over the builder's image so far, or a
   status: conv2d.c. */
ebm_status ebm_layer_conv_shape(const ebm_network *network, size_t channels,
                                size_t kernel, size_t stride, size_t padding,
                                ebm_conv_shape *shape);

#endif
