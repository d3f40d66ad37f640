/*
 * Arrays that are laid out as a model's parameters are, in a record: as named
 * tensors of PyTorch's shapes and order for networks, "0.weight", and as one
 * flat array "parameters" for other kinds. In a composition the number of the
 * leaf stands in front, "2.0.weight".
 */
#ifndef EBM_MODEL_RECORD_H
#define EBM_MODEL_RECORD_H

#include "core/record.h"
#include "model/model.h"

/* The longest name, with a prefix. */
enum { EBM_RECORD_NAME = 96 };

/* An array [padded_count], one leaf after the other; NULL stands for the
   parameters themselves, which a record that reads does not get. The prefix is
   "" or ends in a point. */
void ebm_record_parameters(ebm_record *record, const ebm_model *model,
                           const char *prefix, float *values);

/* The vectors of spectral norms, as "0.weight_u": [ebm_model_state_count()],
   or NULL for the leaves' own. */
void ebm_record_states(ebm_record *record, const ebm_model *model,
                       float *values);

/* Of all leaves. */
size_t ebm_model_state_count(const ebm_model *model);

/* Puts such arrays in the place of a model's own. Derived numbers are left to
   ebm_model_parameters_written(). */
void ebm_model_put(ebm_model *model, const float *parameters,
                   const float *states);

#endif
