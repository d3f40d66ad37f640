/* What all calls that take a batch ask of it. */
#ifndef EBM_MODEL_EVALUATE_H
#define EBM_MODEL_EVALUATE_H

#include "model/model.h"

/* Ready parameters, samples that are there, not too many, and finite. */
ebm_status ebm_model_check_batch(const ebm_model *model, const float *x,
                                 size_t n);

#endif
