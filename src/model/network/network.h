/*
 * The builder's and the network model's inside.
 *
 * A builder call adds a row: it is what has a number in error texts, in the
 * names of parameters and in model files. A row is one layer or several that
 * follow each other; the pass knows layers only.
 */
#ifndef EBM_MODEL_NETWORK_NETWORK_H
#define EBM_MODEL_NETWORK_NETWORK_H

#include <ebm/network.h>

#include "core/memory.h"
#include "core/option.h"
#include "core/object.h"
#include "model/layer/layer.h"
#include "model/model.h"

enum { EBM_NETWORK_KEYS = 8, EBM_ROW_ARGUMENTS = 5 };

/* A kind of row: what a builder call is made of, and a model file's layer. */
typedef struct ebm_row_ops {
    const char *kind; /* the call is ebm_network_<kind>() */
    /* The call's numbers, in order; NULL ends the list. */
    const char *argument_names[EBM_ROW_ARGUMENTS];
    /* Which of them may be fractions, as bits; the others are whole. */
    unsigned reals;
    /* Sticky settings that its layers depend on, as bits 1 << key. */
    unsigned settings;
    /* Appends the layers. What it has appended when it fails is taken back. */
    ebm_status (*append)(ebm_network *network, const double *arguments);
} ebm_row_ops;

typedef struct ebm_row {
    const ebm_row_ops *ops;
    double arguments[EBM_ROW_ARGUMENTS];
    double settings[EBM_NETWORK_KEYS]; /* as they were */
    size_t first, count;               /* its layers */
} ebm_row;

/* All kinds, and the one of that name or NULL: rows.c. */
extern const ebm_row_ops *const ebm_row_kinds[];
const ebm_row_ops *ebm_row_kind(const char *kind);

/* What the shape and the parameters are behind the layers so far. */
typedef struct ebm_network_end {
    size_t shape[3];       /* what the next layer sees */
    size_t unflattened[3]; /* see ebm_layer */
    int is_flat;           /* flatten, dense or a global pool was called */
    size_t layers, rows;   /* so many of them */
    size_t parameter_count, state_count, derived_count;
    size_t classes; /* of the layers that look at labels; 0: none does */
} ebm_network_end;

struct ebm_network {
    ebm_object object;
    double values[EBM_NETWORK_KEYS];
    size_t in[3];
    ebm_network_end end;
    const ebm_row_ops *adding; /* the kind of the row that is being added */
    ebm_layer *layers;
    size_t layer_capacity;
    ebm_row *rows;
    size_t row_capacity;
};

/* The rows of the settings table, for model files. */
const ebm_option_row *ebm_network_settings(void);

/* The body of a builder call: adds a row, or leaves the builder as it was. */
ebm_status ebm_network_add(ebm_network *network, const ebm_row_ops *ops,
                           const double *arguments);

/* ebm_fail() with "layer 3 (conv2d): " in front. */
ebm_status ebm_network_fail(const ebm_network *network, ebm_status status,
                            const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a network model has of its own. */
typedef struct ebm_network_model {
    size_t count;
    ebm_layer *layers;
    size_t row_count;
    ebm_row *rows;
    size_t first_with_parameters;
    size_t state_count;
    float *state;
    size_t derived_count;
    float *derived;
} ebm_network_model;

/* Floats of arrays in a workspace for n samples, whole vectors all. */
static inline size_t ebm_slab_floats(size_t n, size_t size)
{
    return ebm_round_up(n * size, EBM_LANES);
}

static inline size_t ebm_saved_floats(const ebm_layer *layer, size_t n)
{
    return layer->ops->saved_size
               ? ebm_round_up(layer->ops->saved_size(layer, n), EBM_LANES)
               : 0;
}

static inline size_t ebm_scratch_floats(const ebm_layer *layer, size_t n)
{
    return layer->ops->scratch_size
               ? ebm_round_up(layer->ops->scratch_size(layer, n), EBM_LANES)
               : 0;
}

/* Networks longer than this are refused: a pass keeps a list of arrays. */
enum { EBM_MOST_LAYERS = 256 };

/* The passes of a network, and their workspaces: pass.c and tangent.c. */
size_t ebm_network_workspace(const ebm_model *model, ebm_pass_mode mode,
                             size_t n);
ebm_status ebm_network_pass(const ebm_model *model, ebm_pass_mode mode,
                            const ebm_slab *slab, ebm_scale_fn scale_of,
                            void *argument);
size_t ebm_network_tangent_workspace(const ebm_model *model, size_t n);
ebm_status ebm_network_tangent(const ebm_model *model,
                               const ebm_tangent_slab *slab);

/* What one layer of a network model works with: its own parameters, derived
   numbers and kernels; arrays of the slab are left to the caller. */
ebm_layer_pass ebm_network_layer_pass(const ebm_model *model, size_t layer);

/* Derived numbers and state: weights.c. */
void ebm_network_start(ebm_model *model, uint64_t seed);
void ebm_network_derive(ebm_model *model);
int ebm_network_iterate(ebm_model *model);
void ebm_network_fold(const ebm_model *model, float *gradient);

/* The inside of a network model; NULL for a model of another kind. */
const ebm_network_model *ebm_network_of(const ebm_model *model);

/* Makes a network model of a copy of these layers: network_model.c. */
ebm_status ebm_network_make_model(const ebm_network *network, uint64_t seed,
                                  ebm_model **model);

#endif
