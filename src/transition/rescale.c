/* Scaling about the image's centre: what grows loses its margin, what shrinks
   gets one. */
#include "transition/rescale.h"

#include <math.h>

#include "transition/resample.h"

static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_INTERPOLATION,
     {"interpolation", EBM_OPTION_CHOICE, EBM_INTERPOLATION_LINEAR,
      EBM_INTERPOLATION_CUBIC, EBM_INTERPOLATION_LINEAR}},
    {EBM_TRANSITION_BOUNDARY,
     {"boundary", EBM_OPTION_CHOICE, EBM_BOUNDARY_CONSTANT, EBM_BOUNDARY_WRAP,
      EBM_BOUNDARY_CONSTANT}},
    {EBM_TRANSITION_SCALE_MIN, {"scale_min", EBM_OPTION_REAL, 0.1, 10, 0.8}},
    {EBM_TRANSITION_SCALE_MAX, {"scale_max", EBM_OPTION_REAL, 0.1, 10, 1.25}},
};

static int is_identity(const double *values)
{
    return values[EBM_TRANSITION_SCALE_MIN] == 1 &&
           values[EBM_TRANSITION_SCALE_MAX] == 1;
}

static ebm_status check(const ebm_context *context, const double *values,
                        const ebm_transition_shape *shape)
{
    (void)shape;
    if (values[EBM_TRANSITION_SCALE_MIN] > values[EBM_TRANSITION_SCALE_MAX])
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "scale_min %g is above scale_max %g",
                        values[EBM_TRANSITION_SCALE_MIN],
                        values[EBM_TRANSITION_SCALE_MAX]);
    return EBM_OK;
}

double ebm_rescale_draw(const double *values, const ebm_random *random)
{
    double low = log(values[EBM_TRANSITION_SCALE_MIN]);
    double high = log(values[EBM_TRANSITION_SCALE_MAX]);
    return exp(low + (high - low) * ebm_random_uniform(random, 0));
}

/* A hair more than 1 / smallest: exp(log) may fall below it. */
static double longest_of(double smallest)
{
    return 1.001 / smallest;
}

static ebm_window window_of(size_t size, double factor)
{
    double length = (double)size / factor;
    return (ebm_window){((double)size - length) / 2, length, 0, 0};
}

void ebm_rescale_apply(const ebm_transition_shape *shape,
                       ebm_interpolation interpolation, ebm_boundary boundary,
                       double factor, double smallest, float *image,
                       float *scratch)
{
    ebm_window down = window_of(shape->height, factor);
    ebm_window across = window_of(shape->width, factor);
    ebm_resample(shape, interpolation, boundary, longest_of(smallest), &down,
                 &across, image, scratch);
}

static size_t scratch_of(const double *values,
                         const ebm_transition_shape *shape)
{
    return ebm_resample_scratch(
        shape, (ebm_interpolation)values[EBM_TRANSITION_INTERPOLATION],
        longest_of(values[EBM_TRANSITION_SCALE_MIN]));
}

static void apply(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts)
{
    (void)facts;
    ebm_rescale_apply(shape,
                      (ebm_interpolation)values[EBM_TRANSITION_INTERPOLATION],
                      (ebm_boundary)values[EBM_TRANSITION_BOUNDARY],
                      ebm_rescale_draw(values, random),
                      values[EBM_TRANSITION_SCALE_MIN], image, scratch);
}

const ebm_transition_ops ebm_transition_rescale = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .is_identity = is_identity,
    .check = check,
    .scratch = scratch_of,
    .apply = apply,
};
