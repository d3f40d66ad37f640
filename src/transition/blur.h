/*
 * Gaussian blur from the inside: a window of odd side whose weights
 * exp(-k^2 / (2 sigma^2)) add up to 1, first down, then across; what is beyond
 * the edge is mirrored at the last pixel, as torchvision's gaussian_blur does.
 */
#ifndef EBM_TRANSITION_BLUR_H
#define EBM_TRANSITION_BLUR_H

#include "kernel/kernels.h"
#include "transition/transition.h"

/* The window's side for images of that height: the setting, or what SimCLR
   makes of a tenth of the height, 2 floor(floor(h / 10) / 2) + 1. */
size_t ebm_blur_side(const double *values, size_t height);

/* The width in pixels, from element 0. */
double ebm_blur_draw(const ebm_random *random, const double *values);

size_t ebm_blur_scratch(size_t side, const ebm_transition_shape *shape);

/* One image in place; side odd, its half below height and width, sigma > 0. */
void ebm_blur_apply(size_t side, double sigma,
                    const ebm_transition_shape *shape, float *image,
                    float *scratch);

#endif
