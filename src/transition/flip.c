/* Left and right change places. */
#include "transition/transition.h"

static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_PROBABILITY, {"probability", EBM_OPTION_REAL, 0, 1, 0.5}},
};

static void apply(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts)
{
    (void)values;
    (void)random;
    (void)scratch;
    (void)facts;
    size_t width = shape->width, channels = shape->channels;
    for (size_t y = 0; y < shape->height; y++) {
        float *row = image + y * width * channels;
        for (size_t x = 0; x < width / 2; x++) {
            float *left = row + x * channels;
            float *right = row + (width - 1 - x) * channels;
            for (size_t c = 0; c < channels; c++) {
                float swap = left[c];
                left[c] = right[c];
                right[c] = swap;
            }
        }
    }
}

const ebm_transition_ops ebm_transition_flip = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .apply = apply,
};
