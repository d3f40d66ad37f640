/* Noise on every element. */
#include "transition/transition.h"

static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_NOISE_STD, {"noise_std", EBM_OPTION_REAL, 0, 1e30, 0.05}},
};

static int is_identity(const double *values)
{
    return values[EBM_TRANSITION_NOISE_STD] == 0;
}

static size_t scratch_of(const double *values,
                         const ebm_transition_shape *shape)
{
    (void)values;
    return shape->height * shape->width * shape->channels;
}

static void apply(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts)
{
    (void)facts;
    size_t size = shape->height * shape->width * shape->channels;
    shape->kernels->normal(random, size, 0,
                           (float)values[EBM_TRANSITION_NOISE_STD], scratch);
    for (size_t i = 0; i < size; i++) {
        float x = image[i] + scratch[i];
        x = x > shape->minimum ? x : shape->minimum;
        image[i] = x < shape->maximum ? x : shape->maximum;
    }
}

const ebm_transition_ops ebm_transition_noise = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .is_identity = is_identity,
    .scratch = scratch_of,
    .apply = apply,
};
