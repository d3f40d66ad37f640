/* Gaussian blur: the arithmetic and the kind. */
#include "transition/blur.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

enum { SIDE_MAX = 255 };

static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_BLUR_SIGMA_MIN,
     {"blur_sigma_min", EBM_OPTION_REAL, 0, 100, 0.1}},
    {EBM_TRANSITION_BLUR_SIGMA_MAX,
     {"blur_sigma_max", EBM_OPTION_REAL, 0, 100, 2}},
    {EBM_TRANSITION_BLUR_KERNEL,
     {"blur_kernel", EBM_OPTION_INTEGER, 0, SIDE_MAX, 0}},
};

size_t ebm_blur_side(const double *values, size_t height)
{
    size_t side = (size_t)values[EBM_TRANSITION_BLUR_KERNEL];
    if (side == 0)
        side = height / 10 / 2 * 2 + 1;
    return side < SIDE_MAX ? side : SIDE_MAX;
}

double ebm_blur_draw(const ebm_random *random, const double *values)
{
    double low = values[EBM_TRANSITION_BLUR_SIGMA_MIN];
    double high = values[EBM_TRANSITION_BLUR_SIGMA_MAX];
    return low + (high - low) * ebm_random_uniform(random, 0);
}

static void find_weights(size_t side, double sigma, float *weights)
{
    double pdf[SIDE_MAX], sum = 0;
    const double centre = ((double)side - 1) / 2;
    for (size_t k = 0; k < side; k++) {
        double z = ((double)k - centre) / sigma;
        pdf[k] = exp(-0.5 * z * z);
        sum += pdf[k];
    }
    for (size_t k = 0; k < side; k++)
        weights[k] = (float)(pdf[k] / sum);
}

/* Vectors read a little beyond the last row. */
size_t ebm_blur_scratch(size_t side, const ebm_transition_shape *shape)
{
    const size_t row = shape->width * shape->channels;
    return (shape->height + side) * row + EBM_LANES +
           (shape->width + side) * shape->channels + EBM_LANES +
           ebm_round_up(row, EBM_LANES);
}

/* Written so that NaN does not pass. */
static void clamp(const ebm_transition_shape *shape, size_t n,
                  const float *from, float *to)
{
    for (size_t i = 0; i < n; i++) {
        float v = from[i] > shape->minimum ? from[i] : shape->minimum;
        to[i] = v < shape->maximum ? v : shape->maximum;
    }
}

/* Weights add up to 1 but for rounding, and what is in the range stays there;
   what was not could overflow. So all is clamped, before and after each of the
   two passes. */
void ebm_blur_apply(size_t side, double sigma,
                    const ebm_transition_shape *shape, float *image,
                    float *scratch)
{
    const ebm_kernels *kernels = shape->kernels;
    const size_t height = shape->height, width = shape->width;
    const size_t channels = shape->channels, row = width * channels;
    const size_t half = side / 2, padded = ebm_round_up(row, EBM_LANES);
    float weights[SIDE_MAX];
    float *tall = scratch, *wide = tall + (height + side) * row + EBM_LANES;
    float *out = wide + (width + side) * channels + EBM_LANES;
    find_weights(side, sigma, weights);
    memset(tall + (height + 2 * half) * row, 0, EBM_LANES * sizeof *tall);
    memset(wide + (width + 2 * half) * channels, 0, EBM_LANES * sizeof *wide);
    clamp(shape, height * row, image, tall + half * row);
    for (size_t k = 1; k <= half; k++) {
        memcpy(tall + (half - k) * row, tall + (half + k) * row,
               row * sizeof *tall);
        memcpy(tall + (half + height - 1 + k) * row,
               tall + (half + height - 1 - k) * row, row * sizeof *tall);
    }
    for (size_t y = 0; y < height; y++) {
        kernels->mix_rows(side, padded, weights, tall + y * row, row, out);
        clamp(shape, row, out, wide + half * channels);
        for (size_t k = 1; k <= half; k++) {
            memcpy(wide + (half - k) * channels, wide + (half + k) * channels,
                   channels * sizeof *wide);
            memcpy(wide + (half + width - 1 + k) * channels,
                   wide + (half + width - 1 - k) * channels,
                   channels * sizeof *wide);
        }
        kernels->mix_rows(side, padded, weights, wide, channels, out);
        clamp(shape, row, out, image + y * row);
    }
}

static int is_identity(const double *values)
{
    return values[EBM_TRANSITION_BLUR_SIGMA_MAX] == 0 ||
           values[EBM_TRANSITION_BLUR_KERNEL] == 1;
}

static ebm_status check(const ebm_context *context, const double *values,
                        const ebm_transition_shape *shape)
{
    const size_t side = ebm_blur_side(values, shape->height);
    if (values[EBM_TRANSITION_BLUR_SIGMA_MIN] >
        values[EBM_TRANSITION_BLUR_SIGMA_MAX])
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "blur_sigma_min = %.10g is above blur_sigma_max = "
                        "%.10g",
                        values[EBM_TRANSITION_BLUR_SIGMA_MIN],
                        values[EBM_TRANSITION_BLUR_SIGMA_MAX]);
    if (side % 2 == 0)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "blur_kernel = %zu is not odd", side);
    if (side / 2 >= shape->height || side / 2 >= shape->width)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "a blur window of %zu pixels needs images of more "
                        "than %zu, not %zu x %zu",
                        side, side / 2, shape->height, shape->width);
    return EBM_OK;
}

static size_t scratch_size(const double *values,
                           const ebm_transition_shape *shape)
{
    return ebm_blur_scratch(ebm_blur_side(values, shape->height), shape);
}

static void apply(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts)
{
    const size_t side = ebm_blur_side(values, shape->height);
    const double sigma = ebm_blur_draw(random, values);
    (void)facts;
    if (side > 1 && sigma > 0)
        ebm_blur_apply(side, sigma, shape, image, scratch);
}

const ebm_transition_ops ebm_transition_blur = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .is_identity = is_identity,
    .check = check,
    .scratch = scratch_size,
    .apply = apply,
};
