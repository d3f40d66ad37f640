/*
 * Energies of a few dimensions that are fitted by maximum likelihood at
 * temperature 1: a dense network plus a Gaussian, and chains whose law is the
 * model's, by the Metropolis test.
 */
#ifndef EXAMPLES_COMMON_MLP_H
#define EXAMPLES_COMMON_MLP_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

/* Two dense layers of `units` with swish, and the energy. */
ebm_model *mlp_create(ebm_context *context, size_t dimension, size_t units,
                      uint64_t seed);

/* The network plus |x|^2 / (2 std^2): a product of experts, of which the
   second has nothing to learn. Without bounds an energy could fall for ever
   outside of the data; the quadratic keeps chains here. */
ebm_model *mlp_with_gaussian(ebm_context *context, ebm_model *network,
                             double std);

typedef struct mlp_fit {
    size_t iterations, batch; /* a batch is as many points as chains */
    size_t steps;             /* of the chains in an iteration */
    double step_size;         /* of MALA */
    double spread;            /* std of the chains' first states, or 0: they
                                 begin at points */
    double rate;              /* of Adam; falls to 0 over the second half */
    uint64_t seed;
} mlp_fit;

/* Learns points, one or more a batch. Ctrl-C ends it early. A sampler or a
   gradient that goes wrong ends the program. */
void mlp_learn(ebm_context *context, ebm_model *model, ebm_dataset *points,
               const mlp_fit *fit);

#endif
