/* What all calls that take a batch ask of it. */
#ifndef EBM_MODEL_EVALUATE_H
#define EBM_MODEL_EVALUATE_H

#include "model/slab.h"

/* Ready parameters, samples that are there, not too many, and finite, with
   labels where the model needs them. */
ebm_status ebm_model_check_batch(const ebm_model *model, const float *x,
                                 const int32_t *labels, size_t n);

/* Energies and, in mode EBM_PASS_INPUT_GRADIENT, input gradients of a batch
   that was checked; either output may be NULL. The memory is prepared here and
   stays with the caller. */
ebm_status ebm_model_evaluate(const ebm_model *model, ebm_slab_memory *memory,
                              ebm_pass_mode mode, const float *x,
                              const int32_t *labels, size_t n, float *energy,
                              float *grad);

/* The same, with the energies of the parts, [n, part_count], or NULL. */
ebm_status ebm_model_evaluate_parts(const ebm_model *model,
                                    ebm_slab_memory *memory,
                                    ebm_pass_mode mode, const float *x,
                                    const int32_t *labels, size_t n,
                                    float *energy, float *grad, float *parts);

#endif
