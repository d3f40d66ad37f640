/*
 * The builder's and the network model's inside.
 */
#ifndef EBM_MODEL_NETWORK_H
#define EBM_MODEL_NETWORK_H

#include <ebm/network.h>

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

/* The layers of a network model, first to last; NULL (and *count 0) for a
   model of another kind. Borrowed. */
const ebm_layer *ebm_model_layers(const ebm_model *model, size_t *count);

/* Makes a network model of a copy of these layers: network_model.c. */
ebm_status ebm_network_make_model(const ebm_network *network, uint64_t seed,
                                  ebm_model **model);

#endif
