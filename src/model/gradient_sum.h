/*
 * The parameter gradient of a batch, for losses.
 *
 * Slabs are dealt out to a fixed number of lanes, each with a gradient array
 * of its own, and the lanes are added up in a fixed tree: the bits depend on
 * the model's size, never on the threads. Memory: lanes x parameters.
 */
#ifndef EBM_MODEL_GRADIENT_SUM_H
#define EBM_MODEL_GRADIENT_SUM_H

#include "model/slab.h"

/* How the scale of a sample's gradient follows from its energy:
   dL/dE_i = given[i], or constant + slope E_i when given is NULL (the slope
   is what the squared energies of a loss need). */
typedef struct ebm_energy_scale {
    const float *given;
    float constant;
    float slope;
    int by_part;        /* of each part's energy, and the mean over parts */
    float *part_energy; /* [n, part_count], out; or NULL */
} ebm_energy_scale;

typedef struct ebm_gradient_sum ebm_gradient_sum;

/* Makes, or makes larger, the workspace for passes of this mode over batches
   of up to n samples, with `extra` floats for each worker (see slab.h).
   The sum may be NULL at first; on failure it stays as it was. */
ebm_status ebm_gradient_sum_prepare(const ebm_model *model, ebm_pass_mode mode,
                                    size_t n, size_t extra,
                                    ebm_gradient_sum **sum);
void ebm_gradient_sum_destroy(ebm_gradient_sum *sum);

/* Forgets what was summed. */
void ebm_gradient_sum_clear(ebm_gradient_sum *sum);

/* Adds sum_i scale_i dE(x_i)/dtheta and writes energy[n]. */
ebm_status ebm_gradient_sum_add(ebm_gradient_sum *sum, const ebm_model *model,
                                const float *x, const int32_t *labels,
                                size_t n, const ebm_energy_scale *scale,
                                float *energy);

/* The general form of that: calls body for every slab of a batch of n, with
   the gradient array that its parameter gradients are to be added to. The
   slabs of one lane come one after the other, different lanes at once. */
typedef ebm_status (*ebm_lane_fn)(void *argument,
                                  const ebm_slab_memory *memory, size_t slab,
                                  float *param_grad, int worker);
ebm_status ebm_gradient_sum_for(ebm_gradient_sum *sum, const ebm_model *model,
                                size_t slabs, ebm_lane_fn body,
                                void *argument);

/* Number of slabs of a batch of n samples. */
size_t ebm_gradient_sum_slabs(const ebm_gradient_sum *sum, size_t n);

/* Adds the total to the model's gradient; NON_FINITE, and nothing changed,
   if any element of it is not finite. */
ebm_status ebm_gradient_sum_commit(ebm_gradient_sum *sum, ebm_model *model);

#endif
