/*
 * Colour from the inside: what is drawn, and the arithmetic with it, on
 * values mapped from the range to [0, 1] and back. The operations are those
 * of torchvision's transforms on float tensors.
 */
#ifndef EBM_TRANSITION_COLOUR_H
#define EBM_TRANSITION_COLOUR_H

#include "kernel/kernels.h"
#include "transition/transition.h"

typedef enum ebm_colour_step {
    EBM_COLOUR_BRIGHTNESS,
    EBM_COLOUR_CONTRAST,
    EBM_COLOUR_SATURATION,
    EBM_COLOUR_HUE,
    EBM_COLOUR_STEPS
} ebm_colour_step;

/* One jitter. A step that does nothing by its settings has amount 1 (hue: 0)
   and is left out. */
typedef struct ebm_jitter {
    ebm_colour_step order[EBM_COLOUR_STEPS];
    double amount[EBM_COLOUR_STEPS]; /* three factors; a shift of the hue */
    int is_on[EBM_COLOUR_STEPS];
} ebm_jitter;

/* Element 0 gives the order, elements 1 to 4 the amounts. */
ebm_jitter ebm_jitter_draw(const ebm_random *random, const double *values);

/* Floats of scratch of the two below. */
size_t ebm_colour_scratch(const ebm_transition_shape *shape);

/* One image, in place; 1 or 3 channels, without saturation and hue when 1. */
void ebm_jitter_apply(const ebm_jitter *jitter,
                      const ebm_transition_shape *shape, float *image,
                      float *scratch);

/* Of 3 channels. */
void ebm_grayscale_apply(const ebm_transition_shape *shape, float *image,
                         float *scratch);

#endif
