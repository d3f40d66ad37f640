/*
 * Random resized crop (Szegedy et al. 2015, "Going deeper with convolutions",
 * section 6; Chen et al. 2020, "A simple framework for contrastive learning",
 * appendix A).
 *
 * A box of area a H W and aspect r, a uniform and log r uniform, sides rounded
 * to pixels, is drawn until it fits into the image, at most 100 times; then
 * the whole image is the box. Its place is uniform among those that fit.
 */
#include "transition/crop.h"

#include <math.h>

#include "transition/resample.h"

enum { ATTEMPTS = 100, GROUP = 64 };

/* Elements of attempt number t, from GROUP t on. */
enum { ELEMENT_AREA, ELEMENT_ASPECT, ELEMENT_TOP, ELEMENT_LEFT };

static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_INTERPOLATION,
     {"interpolation", EBM_OPTION_CHOICE, EBM_INTERPOLATION_LINEAR,
      EBM_INTERPOLATION_CUBIC, EBM_INTERPOLATION_LINEAR}},
    {EBM_TRANSITION_AREA_MIN,
     {"area_min", EBM_OPTION_REAL, EBM_ABOVE_ZERO, 1, 0.08}},
    {EBM_TRANSITION_AREA_MAX,
     {"area_max", EBM_OPTION_REAL, EBM_ABOVE_ZERO, 1, 1}},
    {EBM_TRANSITION_ASPECT_MIN,
     {"aspect_min", EBM_OPTION_REAL, 0.01, 100, 3.0 / 4}},
    {EBM_TRANSITION_ASPECT_MAX,
     {"aspect_max", EBM_OPTION_REAL, 0.01, 100, 4.0 / 3}},
};

/* No box but the whole image has all of its area. */
static int is_identity(const double *values)
{
    return values[EBM_TRANSITION_AREA_MIN] == 1;
}

static ebm_status check(const ebm_context *context, const double *values,
                        const ebm_transition_shape *shape)
{
    (void)shape;
    if (values[EBM_TRANSITION_AREA_MIN] > values[EBM_TRANSITION_AREA_MAX])
        return ebm_fail(
            context, EBM_ERROR_RANGE, "area_min %g is above area_max %g",
            values[EBM_TRANSITION_AREA_MIN], values[EBM_TRANSITION_AREA_MAX]);
    if (values[EBM_TRANSITION_ASPECT_MIN] > values[EBM_TRANSITION_ASPECT_MAX])
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "aspect_min %g is above aspect_max %g",
                        values[EBM_TRANSITION_ASPECT_MIN],
                        values[EBM_TRANSITION_ASPECT_MAX]);
    return EBM_OK;
}

static double between(const ebm_random *random, size_t element, double low,
                      double high)
{
    return low + (high - low) * ebm_random_uniform(random, element);
}

void ebm_crop_draw(const double *values, const ebm_transition_shape *shape,
                   const ebm_random *random, ebm_crop_box *box)
{
    double whole = (double)shape->height * (double)shape->width;
    double low = log(values[EBM_TRANSITION_ASPECT_MIN]);
    double high = log(values[EBM_TRANSITION_ASPECT_MAX]);
    for (int t = 0; t < ATTEMPTS; t++) {
        size_t e = (size_t)t * GROUP;
        double area = whole * between(random, e + ELEMENT_AREA,
                                      values[EBM_TRANSITION_AREA_MIN],
                                      values[EBM_TRANSITION_AREA_MAX]);
        double aspect = exp(between(random, e + ELEMENT_ASPECT, low, high));
        double width = floor(sqrt(area * aspect) + 0.5);
        double height = floor(sqrt(area / aspect) + 0.5);
        if (width < 1 || height < 1 || width > (double)shape->width ||
            height > (double)shape->height)
            continue;
        box->height = (size_t)height;
        box->width = (size_t)width;
        box->top = (size_t)ebm_random_index(random, e + ELEMENT_TOP,
                                            shape->height - box->height + 1);
        box->left = (size_t)ebm_random_index(random, e + ELEMENT_LEFT,
                                             shape->width - box->width + 1);
        box->attempts = t;
        return;
    }
    *box = (ebm_crop_box){0, 0, shape->height, shape->width, ATTEMPTS};
}

void ebm_crop_apply(const ebm_transition_shape *shape,
                    ebm_interpolation interpolation, const ebm_crop_box *box,
                    float *image, float *scratch)
{
    if (box->height == shape->height && box->width == shape->width)
        return;
    ebm_window down = {(double)box->top, (double)box->height, box->top,
                       box->top + box->height};
    ebm_window across = {(double)box->left, (double)box->width, box->left,
                         box->left + box->width};
    ebm_resample(shape, interpolation, EBM_BOUNDARY_NEAREST, 1, &down, &across,
                 image, scratch);
}

static size_t scratch_of(const double *values,
                         const ebm_transition_shape *shape)
{
    return ebm_resample_scratch(
        shape, (ebm_interpolation)values[EBM_TRANSITION_INTERPOLATION], 1);
}

static void apply(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts)
{
    (void)facts;
    ebm_crop_box box;
    ebm_crop_draw(values, shape, random, &box);
    ebm_crop_apply(shape,
                   (ebm_interpolation)values[EBM_TRANSITION_INTERPOLATION],
                   &box, image, scratch);
}

const ebm_transition_ops ebm_transition_crop = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .is_identity = is_identity,
    .check = check,
    .scratch = scratch_of,
    .apply = apply,
};
