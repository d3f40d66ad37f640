/* Random grayscale: the kind. Its lot is the common probability. */
#include "transition/colour.h"

static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_PROBABILITY, {"probability", EBM_OPTION_REAL, 0, 1, 0.2}},
};

static ebm_status check(const ebm_context *context, const double *values,
                        const ebm_transition_shape *shape)
{
    (void)values;
    if (shape->channels != 3)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "grayscale needs images of 3 channels, not %zu",
                        shape->channels);
    return EBM_OK;
}

static size_t scratch_size(const double *values,
                           const ebm_transition_shape *shape)
{
    (void)values;
    return ebm_colour_scratch(shape);
}

static void apply(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts)
{
    (void)values;
    (void)random;
    (void)facts;
    ebm_grayscale_apply(shape, image, scratch);
}

const ebm_transition_ops ebm_transition_grayscale = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .check = check,
    .scratch = scratch_size,
    .apply = apply,
};
