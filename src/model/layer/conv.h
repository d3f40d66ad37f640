/*
 * The ways to compute a convolution. conv2d.c chooses by shape, each way is
 * one file:
 *
 *     conv_direct.c    sums gathered where the pixels stand
 *     conv_winograd.c  tiles with fewer products
 *     conv_columns.c   one matrix product over a column matrix
 *
 * All of them are exact adjoints of each other's forward, up to rounding.
 */
#ifndef EBM_MODEL_LAYER_CONV_H
#define EBM_MODEL_LAYER_CONV_H

#include "core/memory.h"
#include "model/layer/weight.h"

static inline size_t ebm_conv_taps(const ebm_conv_shape *s)
{
    return s->kernel * s->kernel * s->channels;
}

/* A 1 x 1 kernel that visits every pixel: the image is its column matrix. */
static inline int ebm_conv_is_plain(const ebm_conv_shape *s)
{
    return s->kernel == 1 && s->stride == 1 && s->padding == 0;
}

/* Floats that are made of the weights for the direct way; how to make them,
   of weights [taps, out] and a bias or NULL; and the passes. with_bias as in
   ebm_layer_pass. */
size_t ebm_conv_direct_size(const ebm_conv_shape *s);
void ebm_conv_direct_prepare(const ebm_conv_shape *s, const float *weight,
                             const float *bias, float *prepared);
void ebm_conv_direct_forward(const ebm_layer *layer,
                             const ebm_layer_pass *pass, const float *prepared,
                             const float *x, float *y);
void ebm_conv_direct_backward(const ebm_layer *layer,
                              const ebm_layer_pass *pass,
                              const float *prepared, const float *dy,
                              float *dx);
/* Whether there is a direct way back: a panel of few channels is mostly
   empty. */
int ebm_conv_direct_goes_back(const ebm_conv_shape *s);

/* Whether Winograd's tiles are possible, and which way of these pays, or
   AUTOMATIC for none; then the prepared floats, scratch and passes of a layer
   that goes one of them. */
int ebm_conv_winograd_is_possible(const ebm_conv_shape *s);
ebm_network_convolution ebm_conv_winograd_choice(const ebm_conv_shape *s);
size_t ebm_conv_winograd_size(const ebm_layer *layer);
void ebm_conv_winograd_prepare(const ebm_layer *layer,
                               const ebm_kernels *kernels, const float *weight,
                               float *prepared);
size_t ebm_conv_winograd_scratch(const ebm_layer *layer, size_t n);
void ebm_conv_winograd_forward(const ebm_layer *layer,
                               const ebm_layer_pass *pass,
                               const float *prepared, const float *x,
                               float *y);
void ebm_conv_winograd_backward(const ebm_layer *layer,
                                const ebm_layer_pass *pass,
                                const float *prepared, const float *dy,
                                float *dx);
/* Whether the parameters' gradient goes that way too: it must pay. */
int ebm_conv_winograd_has_gradient(const ebm_layer *layer);
void ebm_conv_winograd_gradient(const ebm_layer *layer,
                                const ebm_layer_pass *pass, const float *x,
                                const float *dy, float *gradient);

/* Scratch for the column matrix, and what is computed with it. */
size_t ebm_conv_columns_scratch(const ebm_layer *layer, size_t n);
void ebm_conv_columns_forward(const ebm_layer *layer,
                              const ebm_layer_pass *pass, const float *x,
                              float *y);
void ebm_conv_columns_backward(const ebm_layer *layer,
                               const ebm_layer_pass *pass, const float *dy,
                               float *dx);
void ebm_conv_columns_gradient(const ebm_layer *layer,
                               const ebm_layer_pass *pass, const float *x,
                               const float *dy, float *gradient);

#endif
