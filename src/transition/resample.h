/*
 * A box of an image, scaled to the size of the whole image.
 */
#ifndef EBM_TRANSITION_RESAMPLE_H
#define EBM_TRANSITION_RESAMPLE_H

#include "transition/transition.h"

/* The part of an axis that is looked at, in pixels: pixel i covers i to i + 1.
   Samples come from the pixels first to last - 1, or, where first == last,
   from all of them and the continuation beyond their ends. */
typedef struct ebm_window {
    double start, length;
    size_t first, last;
} ebm_window;

/* Floats of scratch for windows up to `longest` times as long as the axes. */
size_t ebm_resample_scratch(const ebm_transition_shape *shape,
                            ebm_interpolation interpolation, double longest);

/* The image becomes what the window [rows, columns] holds. Interpolation is
   LINEAR or CUBIC; results are clamped into the range. */
void ebm_resample(const ebm_transition_shape *shape,
                  ebm_interpolation interpolation, ebm_boundary boundary,
                  double longest, const ebm_window *rows,
                  const ebm_window *columns, float *image, float *scratch);

/* Which of `size` pixels stands for number i, which may be any; -1 for the
   constant. */
ptrdiff_t ebm_boundary_index(ptrdiff_t i, size_t size, ebm_boundary boundary);

#endif
