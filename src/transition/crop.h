/*
 * What a random resized crop draws.
 */
#ifndef EBM_TRANSITION_CROP_H
#define EBM_TRANSITION_CROP_H

#include "transition/transition.h"

typedef struct ebm_crop_box {
    size_t top, left, height, width;
    int attempts; /* that missed */
} ebm_crop_box;

void ebm_crop_draw(const double *values, const ebm_transition_shape *shape,
                   const ebm_random *random, ebm_crop_box *box);

/* Scales the box up to the whole image. */
void ebm_crop_apply(const ebm_transition_shape *shape,
                    ebm_interpolation interpolation, const ebm_crop_box *box,
                    float *image, float *scratch);

#endif
