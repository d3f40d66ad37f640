/*
 * Optimizers from the inside.
 *
 * All arrays hold the model's leaves one after the other, each padded to whole
 * vectors as its own arrays are; the padding has gradient 0 and stays 0.
 */
#ifndef EBM_OPTIMIZER_OPTIMIZER_H
#define EBM_OPTIMIZER_OPTIMIZER_H

#include <ebm/optimizer.h>

#include "core/object.h"
#include "core/record.h"
#include "model/model.h"

enum { EBM_OPTIMIZER_KEYS = 8 };

struct ebm_optimizer {
    ebm_object object;
    ebm_optimizer_kind kind;
    double values[EBM_OPTIMIZER_KEYS];
    ebm_model *model;
    size_t padded;   /* length of the arrays */
    float *first;    /* Adam: m. SGD: u */
    float *second;   /* Adam: v. SGD: NULL */
    float *average;  /* ema, or NULL before a first EMA_DECAY */
    int has_average; /* the average has begun */
    int swapped;     /* the average is in the model's place */
    uint64_t steps;
    uint64_t refused;
    double norm;
};

/* Whether a first moment is kept. Where not, the array is 0 and stays so.
   beta1 is a step's, a float: what rounds to 0 is 0. */
static inline int ebm_optimizer_has_first(const ebm_optimizer *optimizer)
{
    return optimizer->kind == EBM_OPTIMIZER_SGD ||
           (float)optimizer->values[EBM_OPTIMIZER_BETA1] > 0;
}

extern const ebm_record_ops ebm_optimizer_record; /* record.c */

#endif
