/*
 * What a rescaling draws.
 */
#ifndef EBM_TRANSITION_RESCALE_H
#define EBM_TRANSITION_RESCALE_H

#include "transition/transition.h"

/* The factor by which the image grows. */
double ebm_rescale_draw(const double *values, const ebm_random *random);

/* Scales the image about its centre; `smallest` bounds the factor. */
void ebm_rescale_apply(const ebm_transition_shape *shape,
                       ebm_interpolation interpolation, ebm_boundary boundary,
                       double factor, double smallest, float *image,
                       float *scratch);

#endif
