/*
 * Layers: what a network is a list of. A layer is one file with a table of
 * functions. What the builder offers are rows (network/network.h): most rows
 * are one layer, a residual block or an attention is several.
 *
 * A pass takes a slab of n samples through all layers. Each layer owns, per
 * slab, an array of `saved` floats that forward writes for backward, and all
 * share one scratch array. Only the functions below touch parameters.
 *
 * Adding a layer: a file here, and its row in network/rows.c.
 */
#ifndef EBM_MODEL_LAYER_LAYER_H
#define EBM_MODEL_LAYER_LAYER_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/network.h>

#include "core/random.h"
#include "kernel/kernels.h"

enum { EBM_LAYER_VIEWS = 2, EBM_LAYER_STATES = 2 };

typedef struct ebm_layer ebm_layer;
typedef struct ebm_layer_ops ebm_layer_ops;

/* A parameter array of a layer, as the layer stores it and as PyTorch does. */
typedef struct ebm_layer_view {
    const char *name; /* "weight" */
    size_t rank;
    size_t shape[4];
    size_t torch_shape[4]; /* same rank */
    size_t count;
    size_t offset; /* into the layer's own parameters, or state */
    /* Begins as this number everywhere, instead of uniform in
       +-1/sqrt(fan_in). */
    int is_constant;
    float constant;
} ebm_layer_view;

struct ebm_layer {
    const ebm_layer_ops *ops;
    const char *part; /* within a row of several layers: "conv1"; or NULL */
    size_t row;       /* the builder call that it belongs to */
    int bias;
    size_t in[3], out[3]; /* height, width, channels */
    size_t in_size, out_size;
    /* The (height, width, channels) whose flattening gave the flat input;
       {1, 1, in_size} when nothing was flattened. */
    size_t unflattened[3];

    /* What single kinds need of their own. */
    ebm_conv_shape conv;         /* convolution and pooling */
    ebm_network_convolution way; /* convolution: never AUTOMATIC */
    ebm_network_weights weights; /* how a convolution's or dense layer's are
                                    derived from the parameters */
    double slope;                /* leaky ReLU */
    int exclude_pad;             /* avg_pool: zeros around are not counted */
    size_t groups;               /* norms */
    double epsilon;
    size_t classes; /* class_affine */
    size_t queries; /* attend: channels of a query and of a key */
    size_t back;    /* join: its fork is so many layers before it */

    size_t view_count;
    ebm_layer_view views[EBM_LAYER_VIEWS];
    size_t fan_in; /* initial parameters are in +-1/sqrt(fan_in) */
    size_t parameter_count;
    size_t parameter_offset; /* into the model's flat array */
    /* Numbers that belong to the model and that no gradient changes: the
       vectors of the spectral norm. */
    size_t state_view_count;
    ebm_layer_view states[EBM_LAYER_STATES];
    size_t state_count;
    size_t state_offset;
    /* What is made from parameters and state when those were written. */
    size_t derived_count;
    size_t derived_offset;
};

/* What a layer function works with. */
typedef struct ebm_layer_pass {
    const ebm_kernels *kernels;
    const float *parameters; /* the layer's own */
    const float *derived;    /* the layer's own */
    size_t n;                /* samples */
    const int32_t *labels;   /* [n], in range; NULL without classes */
    int with_bias;           /* off for tangents, which see no constant */
    float *saved;            /* this layer's, from forward to backward */
    float *bend;             /* the same, for the tangents */
    float *back_saved;       /* join: its fork's, both */
    float *back_bend;
    float *scratch; /* anyone's, for the time of one call */
} ebm_layer_pass;

struct ebm_layer_ops {
    const char *kind;

    /* forward may write its output over its input (x == y), and backward its
       input gradient over its output gradient; the network then always calls
       it so. */
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
    /* Adds sum_samples dy df/dtheta to gradient (the layer's own part), where
       theta are the derived weights if there are any: see fold. x is
       forward's input for a linear layer; one that is not linear reads what
       it needs from saved (and the pass of tangents calls it a second time
       with bend in the place of saved). NULL for a layer without
       parameters. */
    void (*param_gradient)(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, const float *dy, float *gradient);

    /* Tangents along a direction of the input, for the forward-over-reverse
       pass that gives H v and d/dtheta <grad E, v> together: see
       network/tangent.c. A linear layer needs none of these: its tangents are
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

    /* Where element i of the view in PyTorch's order stands in ours; NULL when
       the orders are the same. A state's view is EBM_LAYER_VIEWS + number. */
    size_t (*torch_index)(const ebm_layer *layer, size_t view, size_t i);

    /* For a layer with derived numbers or a state; NULL otherwise. `start`
       fills the state of a new model, `iterate` does one power iteration on
       it, `derive` makes the derived numbers, and `fold` turns the gradient
       with respect to derived weights, in place, into that with respect to
       the parameters. */
    void (*start)(const ebm_layer *layer, const float *parameters,
                  const ebm_random *random, float *state);
    void (*iterate)(const ebm_layer *layer, const float *parameters,
                    float *state);
    void (*derive)(const ebm_layer *layer, const ebm_kernels *kernels,
                   const float *parameters, const float *state,
                   float *derived);
    void (*fold)(const ebm_layer *layer, const float *parameters,
                 const float *state, const float *derived, float *gradient);
};

/* The layers, one a file; network/rows.c and composite rows name them. */
extern const ebm_layer_ops ebm_layer_attend;
extern const ebm_layer_ops ebm_layer_avg_pool;
extern const ebm_layer_ops ebm_layer_class_affine;
extern const ebm_layer_ops ebm_layer_conv2d;
extern const ebm_layer_ops ebm_layer_dense;
extern const ebm_layer_ops ebm_layer_flatten;
extern const ebm_layer_ops ebm_layer_fork;
extern const ebm_layer_ops ebm_layer_gain;
extern const ebm_layer_ops ebm_layer_global_mean_pool;
extern const ebm_layer_ops ebm_layer_global_sum_pool;
extern const ebm_layer_ops ebm_layer_join;
extern const ebm_layer_ops ebm_layer_leaky_relu;
extern const ebm_layer_ops ebm_layer_norm;
extern const ebm_layer_ops ebm_layer_relu;
extern const ebm_layer_ops ebm_layer_softplus;
extern const ebm_layer_ops ebm_layer_square;
extern const ebm_layer_ops ebm_layer_swish;

/* The name of a view of a layer: "3.weight", or "3.conv1.weight" in a row of
   several layers. */
void ebm_layer_view_name(const ebm_layer *layer, const ebm_layer_view *view,
                         char *name, size_t size);

/* Appends one layer to the row that a builder is adding: ops, bias, out[],
   fan_in, the kind's own numbers and the views' names and shapes are set, the
   rest is filled in here. The forms below append a layer of their kind, after
   checking it against the shape so far; `part` is its name within a row of
   several layers, or NULL. Failures name the row. */
ebm_status ebm_network_append(ebm_network *network, const ebm_layer *layer);

ebm_status ebm_append_attend(ebm_network *network, size_t queries);
ebm_status ebm_append_avg_pool(ebm_network *network, size_t kernel,
                               size_t stride, size_t padding,
                               int count_include_pad);
ebm_status ebm_append_class_affine(ebm_network *network, const char *part,
                                   size_t classes);
ebm_status ebm_append_conv2d(ebm_network *network, const char *part,
                             size_t channels, size_t kernel, size_t stride,
                             size_t padding, ebm_network_weights weights);
ebm_status ebm_append_fork(ebm_network *network);
/* One number for the whole array, initially 0: "gamma". */
ebm_status ebm_append_gain(ebm_network *network);
/* back: the fork is the layer with this index. */
ebm_status ebm_append_join(ebm_network *network, size_t fork);
/* groups: as many as channels for an instance norm. */
ebm_status ebm_append_norm(ebm_network *network, const char *part,
                           size_t groups);
/* What 0 groups stand for: min(32, channels / 2), at least 1. */
size_t ebm_norm_groups(size_t groups, size_t channels);
ebm_status ebm_append_swish(ebm_network *network);

#endif
