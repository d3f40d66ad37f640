/*
 * Layers: what a network is a list of. A layer is one file with a table of
 * functions, and one row in ebm_layer_kinds (layer.c).
 *
 * A pass takes a slab of n samples through all layers. Each layer owns, per
 * slab, an array of `saved` floats that forward writes for backward, and all
 * share one scratch array. Only the functions below touch parameters.
 */
#ifndef EBM_MODEL_LAYER_LAYER_H
#define EBM_MODEL_LAYER_LAYER_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/network.h>

#include "kernel/kernels.h"

enum { EBM_LAYER_ARGUMENTS = 4, EBM_LAYER_VIEWS = 2 };

typedef struct ebm_layer ebm_layer;
typedef struct ebm_layer_ops ebm_layer_ops;

/* A parameter array of a layer, as the layer stores it and as PyTorch does. */
typedef struct ebm_layer_view {
    const char *name; /* "weight" */
    size_t rank;
    size_t shape[4];
    size_t torch_shape[4]; /* same rank */
    size_t count;
    size_t offset; /* into the layer's own parameters */
} ebm_layer_view;

struct ebm_layer {
    const ebm_layer_ops *ops;
    /* The builder call's numbers, in the order of ops->argument_names; a
       layer file keeps them, and a loaded one hands them to ops->append. */
    double arguments[EBM_LAYER_ARGUMENTS];
    int bias;
    size_t in[3], out[3]; /* height, width, channels */
    size_t in_size, out_size;
    /* The (height, width, channels) whose flattening gave the flat input;
       {1, 1, in_size} when nothing was flattened. */
    size_t unflattened[3];
    size_t view_count;
    ebm_layer_view views[EBM_LAYER_VIEWS];
    size_t fan_in; /* initial parameters are in +-1/sqrt(fan_in) */
    size_t parameter_count;
    size_t parameter_offset; /* into the model's flat array */
    ebm_conv_shape conv;     /* for the convolution */
};

/* What a layer function works with. */
typedef struct ebm_layer_pass {
    const ebm_kernels *kernels;
    const float *parameters; /* the layer's own */
    size_t n;                /* samples */
    int with_bias;           /* off for tangents, which see no constant */
    float *saved;            /* this layer's, from forward to backward */
    float *bend;             /* the same, for the tangents */
    float *scratch;          /* anyone's, for the time of one call */
} ebm_layer_pass;

struct ebm_layer_ops {
    const char *kind;
    const char *argument_names[EBM_LAYER_ARGUMENTS]; /* NULL ends the list */

    /* Appends the layer to a builder through its public call. */
    ebm_status (*append)(ebm_network *network, const double *arguments);

    /* forward may write its output over its input (x == y), and backward its
       input gradient over its output gradient. */
    int in_place;

    /* Floats per slab of n samples. NULL means none. */
    size_t (*saved_size)(const ebm_layer *layer, size_t n);
    size_t (*scratch_size)(const ebm_layer *layer, size_t n);

    /* y[n, out] = f(x[n, in]). NULL: y is x (and nothing is moved). */
    void (*forward)(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y);
    /* dx[n, in] = dy J, unless dx is NULL. */
    void (*backward)(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx);
    /* Adds sum_samples dy df/dtheta to gradient (the layer's own part). x is
       forward's input. NULL for a layer without parameters. */
    void (*param_gradient)(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, const float *dy, float *gradient);

    /* Tangents along a direction of the input, for the forward-over-reverse
       pass that gives H v and d/dtheta <grad E, v> together: see
       network_tangent.c. A linear layer needs none of these: its tangents are
       forward without the bias, and backward. The others have

           tangent_forward    y = f(x), ty = J tx
           tangent_backward   dx = dy J, tdx = tdy J + dy dJ/dx tx

       with what the last term needs kept in `bend`, of saved_size. */
    int linear;
    void (*tangent_forward)(const ebm_layer *layer, const ebm_layer_pass *pass,
                            const float *x, const float *tx, float *y,
                            float *ty);
    void (*tangent_backward)(const ebm_layer *layer,
                             const ebm_layer_pass *pass, const float *dy,
                             const float *tdy, float *dx, float *tdx);

    /* Where element i of the view in PyTorch's order stands in ours. */
    size_t (*torch_index)(const ebm_layer *layer, size_t view, size_t i);
};

/* All kinds; NULL ends the list. */
extern const ebm_layer_ops *const ebm_layer_kinds[];

/* The kind of that name, or NULL. */
const ebm_layer_ops *ebm_layer_kind(const char *kind);

/* Appends a layer to a builder: ops, arguments, bias, out[], fan_in, conv and
   the views' names and shapes are set, the rest is filled in here. */
ebm_status ebm_network_append(ebm_network *network, const ebm_layer *layer);

#endif
