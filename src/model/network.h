/*
 * The builder's and the network model's inside.
 */
#ifndef EBM_MODEL_NETWORK_H
#define EBM_MODEL_NETWORK_H

#include <ebm/network.h>

#include "core/memory.h"
#include "core/object.h"
#include "model/layer/layer.h"
#include "model/model.h"

enum { EBM_NETWORK_KEYS = 2 };

struct ebm_network {
    ebm_object object;
    double values[EBM_NETWORK_KEYS];
    size_t in[3];
    size_t shape[3];       /* what the next layer sees */
    size_t unflattened[3]; /* see ebm_layer */
    int is_flat;           /* flatten or dense was called */
    ebm_layer *layers;
    size_t count, capacity;
    size_t parameter_count; /* of the layers so far */
};

/* What a network model has of its own. */
typedef struct ebm_network_model {
    size_t count;
    ebm_layer *layers;
    size_t first_with_parameters;
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

/* The tangent pass of a network: network_tangent.c. */
size_t ebm_network_tangent_workspace(const ebm_model *model, size_t n);
ebm_status ebm_network_tangent(const ebm_model *model,
                               const ebm_tangent_slab *slab);

/* The layers of a network model, first to last; NULL (and *count 0) for a
   model of another kind. Borrowed. */
const ebm_layer *ebm_model_layers(const ebm_model *model, size_t *count);

/* Makes a network model of a copy of these layers: network_model.c. */
ebm_status ebm_network_make_model(const ebm_network *network, uint64_t seed,
                                  ebm_model **model);

#endif
