/*
 * Resampling along columns, then along rows, with a kernel K of radius R:
 * output pixel k looks at c = start + (k + 1/2) length / size and becomes
 *
 *     sum_i w_i x_i / sum_i w_i,   w_i = K((i + 1/2 - c) / s)
 *
 * over the pixels i with |i + 1/2 - c| < R s. s is 1 where the window grows
 * and length / size where it shrinks, so that no pixel is skipped: the rule of
 * Pillow's resize and of antialiased torch.nn.functional.interpolate. K is the
 * triangle, or Keys' cubic with a = -1/2 (Keys 1981, "Cubic convolution
 * interpolation for digital image processing").
 *
 * Pixels outside a crop's window have no weight, and a crop's weights add up
 * to 1 without them. Beyond the edge of the whole image stands what the
 * boundary says; the weights of a constant one are added up in `rest`.
 */
#include "transition/resample.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

/* The weights of one axis: output k takes `taps` pixels. */
typedef struct axis {
    size_t size, taps;
    float *weights;    /* [size, taps] */
    uint32_t *indices; /* [size, taps] */
    float *rest;       /* [size]: weight of the constant */
} axis;

static double radius_of(ebm_interpolation interpolation)
{
    return interpolation == EBM_INTERPOLATION_CUBIC ? 2 : 1;
}

/* |i + 1/2 - c| < R s has at most this many solutions. */
static size_t taps_of(ebm_interpolation interpolation, double longest)
{
    double stretch = longest > 1 ? longest : 1;
    return (size_t)ceil(2 * radius_of(interpolation) * stretch) + 1;
}

static double kernel(ebm_interpolation interpolation, double t)
{
    const double a = -0.5;
    t = fabs(t);
    if (interpolation != EBM_INTERPOLATION_CUBIC)
        return t < 1 ? 1 - t : 0;
    if (t < 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

ptrdiff_t ebm_boundary_index(ptrdiff_t i, size_t size, ebm_boundary boundary)
{
    ptrdiff_t n = (ptrdiff_t)size, period = n;
    if (i >= 0 && i < n)
        return i;
    switch (boundary) {
    case EBM_BOUNDARY_NEAREST:
        return i < 0 ? 0 : n - 1;
    case EBM_BOUNDARY_REFLECT:
        period = 2 * n;
        break;
    case EBM_BOUNDARY_MIRROR:
        if (n == 1)
            return 0;
        period = 2 * n - 2;
        break;
    case EBM_BOUNDARY_WRAP:
        break;
    default:
        return -1;
    }
    i %= period;
    i += i < 0 ? period : 0;
    if (i < n)
        return i;
    return (boundary == EBM_BOUNDARY_REFLECT ? period - 1 : period) - i;
}

/* The weights of output k. */
static void weigh(axis *a, size_t k, ebm_interpolation interpolation,
                  ebm_boundary boundary, const ebm_window *window)
{
    float *weights = a->weights + k * a->taps;
    uint32_t *indices = a->indices + k * a->taps;
    double ratio = window->length / (double)a->size;
    double scale = ratio > 1 ? ratio : 1;
    double centre = window->start + ((double)k + 0.5) * ratio;
    double reach = radius_of(interpolation) * scale, sum = 0;
    ptrdiff_t first = (ptrdiff_t)ceil(centre - reach - 0.5);
    int is_open = window->first == window->last;
    for (size_t t = 0; t < a->taps; t++) {
        ptrdiff_t i = first + (ptrdiff_t)t;
        if (is_open ||
            (i >= (ptrdiff_t)window->first && i < (ptrdiff_t)window->last))
            sum += kernel(interpolation, ((double)i + 0.5 - centre) / scale);
    }
    double rest = 0;
    for (size_t t = 0; t < a->taps; t++) {
        ptrdiff_t i = first + (ptrdiff_t)t;
        double w = kernel(interpolation, ((double)i + 0.5 - centre) / scale);
        if (!is_open &&
            (i < (ptrdiff_t)window->first || i >= (ptrdiff_t)window->last))
            w = 0;
        ptrdiff_t index = ebm_boundary_index(i, a->size, boundary);
        if (index < 0) {
            rest += w;
            w = 0;
            index = 0;
        }
        weights[t] = (float)(w / sum);
        indices[t] = (uint32_t)index;
    }
    a->rest[k] = (float)(rest / sum);
}

size_t ebm_resample_scratch(const ebm_transition_shape *shape,
                            ebm_interpolation interpolation, double longest)
{
    size_t taps = taps_of(interpolation, longest);
    size_t size = shape->height * shape->width * shape->channels;
    return size + (2 * taps + 1) * (shape->height + shape->width);
}

/* Carves the weights of an axis from scratch; returns what follows. */
static float *prepare(axis *a, size_t size, float *scratch,
                      ebm_interpolation interpolation, ebm_boundary boundary,
                      double longest, const ebm_window *window)
{
    a->size = size;
    a->taps = taps_of(interpolation, longest);
    a->weights = scratch;
    a->indices = (uint32_t *)(void *)(scratch + size * a->taps);
    a->rest = scratch + 2 * size * a->taps;
    for (size_t k = 0; k < size; k++)
        weigh(a, k, interpolation, boundary, window);
    return a->rest + size;
}

/* out[width, channels] from one row of as many. */
static void mix_columns(const axis *a, size_t channels, float constant,
                        const float *row, float *out)
{
    for (size_t k = 0; k < a->size; k++) {
        const float *weights = a->weights + k * a->taps;
        const uint32_t *indices = a->indices + k * a->taps;
        for (size_t c = 0; c < channels; c++) {
            float sum = a->rest[k] * constant;
            for (size_t t = 0; t < a->taps; t++)
                sum += weights[t] * row[indices[t] * channels + c];
            out[k * channels + c] = sum;
        }
    }
}

/* Row k of the output from all rows [height, length]. */
static void mix_rows(const axis *a, size_t k,
                     const ebm_transition_shape *shape, const float *rows,
                     float *out)
{
    size_t length = shape->width * shape->channels;
    float rest = a->rest[k] * shape->minimum;
    for (size_t j = 0; j < length; j++)
        out[j] = rest;
    for (size_t t = 0; t < a->taps; t++) {
        float weight = a->weights[k * a->taps + t];
        const float *row = rows + a->indices[k * a->taps + t] * length;
        for (size_t j = 0; j < length && weight != 0; j++)
            out[j] += weight * row[j];
    }
    for (size_t j = 0; j < length; j++) {
        float x = out[j] > shape->minimum ? out[j] : shape->minimum;
        out[j] = x < shape->maximum ? x : shape->maximum;
    }
}

void ebm_resample(const ebm_transition_shape *shape,
                  ebm_interpolation interpolation, ebm_boundary boundary,
                  double longest, const ebm_window *rows,
                  const ebm_window *columns, float *image, float *scratch)
{
    size_t length = shape->width * shape->channels;
    axis down, across;
    float *mixed = scratch;
    scratch += shape->height * length;
    scratch = prepare(&down, shape->height, scratch, interpolation, boundary,
                      longest, rows);
    prepare(&across, shape->width, scratch, interpolation, boundary, longest,
            columns);
    int is_open = rows->first == rows->last;
    size_t first = is_open ? 0 : rows->first;
    size_t last = is_open ? shape->height : rows->last;
    for (size_t y = first; y < last; y++)
        mix_columns(&across, shape->channels, shape->minimum,
                    image + y * length, mixed + y * length);
    for (size_t y = 0; y < shape->height; y++)
        mix_rows(&down, y, shape, mixed, image + y * length);
}
