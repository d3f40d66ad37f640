/* Colour jitter: the kind. Chen et al. 2020 (SimCLR), appendix A; drawn as
   torchvision's ColorJitter draws. */
#include "transition/colour.h"

static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_STRENGTH, {"strength", EBM_OPTION_REAL, 0, 2, 1}},
    {EBM_TRANSITION_BRIGHTNESS, {"brightness", EBM_OPTION_REAL, 0, 1, 0.8}},
    {EBM_TRANSITION_CONTRAST, {"contrast", EBM_OPTION_REAL, 0, 1, 0.8}},
    {EBM_TRANSITION_SATURATION, {"saturation", EBM_OPTION_REAL, 0, 1, 0.8}},
    {EBM_TRANSITION_HUE, {"hue", EBM_OPTION_REAL, 0, 0.5, 0.2}},
};

static double span_of(const double *values, ebm_colour_step step)
{
    static const ebm_transition_key keys[EBM_COLOUR_STEPS] = {
        EBM_TRANSITION_BRIGHTNESS, EBM_TRANSITION_CONTRAST,
        EBM_TRANSITION_SATURATION, EBM_TRANSITION_HUE};
    return values[EBM_TRANSITION_STRENGTH] * values[keys[step]];
}

static int is_identity(const double *values)
{
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++)
        if (span_of(values, (ebm_colour_step)i) > 0)
            return 0;
    return 1;
}

static ebm_status check(const ebm_context *context, const double *values,
                        const ebm_transition_shape *shape)
{
    const double hue = span_of(values, EBM_COLOUR_HUE);
    const double saturation = span_of(values, EBM_COLOUR_SATURATION);
    if (hue > 0.5)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "strength times hue = %.10g is above 0.5, half the "
                        "circle",
                        hue);
    if (shape->channels != 1 && shape->channels != 3)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "a colour jitter needs 3 channels, or 1, not %zu",
                        shape->channels);
    if (shape->channels == 1 && (hue > 0 || saturation > 0))
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "images of 1 channel have no colour: set saturation "
                        "(%.10g) and hue (%.10g) to 0",
                        values[EBM_TRANSITION_SATURATION],
                        values[EBM_TRANSITION_HUE]);
    return EBM_OK;
}

ebm_jitter ebm_jitter_draw(const ebm_random *random, const double *values)
{
    ebm_jitter jitter;
    ebm_colour_step left[EBM_COLOUR_STEPS];
    /* The order: one of 4! by its digits in mixed radix. */
    size_t lot = (size_t)ebm_random_index(random, 0, 24);
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++)
        left[i] = (ebm_colour_step)i;
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++) {
        size_t choices = EBM_COLOUR_STEPS - i, pick = lot % choices;
        lot /= choices;
        jitter.order[i] = left[pick];
        for (size_t k = pick; k + 1 < choices; k++)
            left[k] = left[k + 1];
    }
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++) {
        const int is_hue = i == EBM_COLOUR_HUE;
        double span = span_of(values, (ebm_colour_step)i);
        double centre = is_hue ? 0 : 1, high = centre + span;
        double low = centre - span < 0 && !is_hue ? 0 : centre - span;
        jitter.is_on[i] = span > 0;
        jitter.amount[i] =
            low + (high - low) * ebm_random_uniform(random, 1 + i);
    }
    return jitter;
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
    const ebm_jitter jitter = ebm_jitter_draw(random, values);
    (void)facts;
    ebm_jitter_apply(&jitter, shape, image, scratch);
}

const ebm_transition_ops ebm_transition_jitter = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .is_identity = is_identity,
    .check = check,
    .scratch = scratch_size,
    .apply = apply,
};
