/*
 * Colour of images whose channels are planes of values in [0, 1]: what
 * torchvision's functional transforms do to float tensors, without a branch
 * on a pixel.
 */
#include <float.h>

#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

static inline vec clamp_unit(vec v)
{
    return vec_min(vec_max(v, vec_all(0.0f)), vec_all(1.0f));
}

/* What is outside, and what overflowed on the way, is clamped too. */
static inline float to_unit(float x, float offset, float scale)
{
    float v = (x - offset) * scale;
    v = v > 0.0f ? v : 0.0f;
    return v < 1.0f ? v : 1.0f;
}

/* Rec. 601 luma with torchvision's coefficients, which add up to 0.9999: what
   a jitter blends with. */
static inline vec luma(vec red, vec green, vec blue)
{
    return 0.2989f * red + 0.587f * green + 0.114f * blue;
}

void EBM_KERNEL(to_planes)(size_t n, size_t channels, size_t plane_length,
                           float offset, float scale, const float *x,
                           float *planes)
{
    if (channels == 3) { /* of constant stride, for the compiler */
        float *red = planes, *green = planes + plane_length;
        float *blue = planes + 2 * plane_length;
        for (size_t i = 0; i < n; i++) {
            red[i] = to_unit(x[3 * i], offset, scale);
            green[i] = to_unit(x[3 * i + 1], offset, scale);
            blue[i] = to_unit(x[3 * i + 2], offset, scale);
        }
        return;
    }
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < n; i++)
            planes[c * plane_length + i] =
                to_unit(x[i * channels + c], offset, scale);
}

void EBM_KERNEL(from_planes)(size_t n, size_t channels, size_t plane_length,
                             float offset, float scale, float minimum,
                             float maximum, const float *planes, float *x)
{
    for (size_t c = 0; c < channels; c++) {
        const float *plane = planes + c * plane_length;
        for (size_t i = 0; i < n; i++) {
            float v = offset + scale * plane[i];
            v = v > minimum ? v : minimum;
            x[i * channels + c] = v < maximum ? v : maximum;
        }
    }
}

double EBM_KERNEL(mean_luma)(size_t n, size_t channels, size_t plane_length,
                             const float *planes)
{
    const float *green = planes + plane_length, *blue = green + plane_length;
    double sum = 0.0;
    size_t i = 0;
    vec lanes = vec_all(0.0f);
    for (; i + VEC_LANES <= n; i += VEC_LANES)
        lanes += channels == 3 ? luma(vec_load(planes + i),
                                      vec_load(green + i), vec_load(blue + i))
                               : vec_load(planes + i);
    for (; i < n; i++)
        sum += channels == 3
                   ? 0.2989f * planes[i] + 0.587f * green[i] + 0.114f * blue[i]
                   : planes[i];
    return (sum + vec_sum(lanes)) / (double)n;
}

void EBM_KERNEL(blend)(size_t n, float factor, float other, float *x)
{
    const vec rest = vec_all((1.0f - factor) * other);
    for (size_t i = 0; i < n; i += VEC_LANES)
        vec_store(x + i, clamp_unit(factor * vec_load(x + i) + rest));
}

void EBM_KERNEL(saturate)(size_t n, float factor, float *red, float *green,
                          float *blue)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec r = vec_load(red + i), g = vec_load(green + i);
        vec b = vec_load(blue + i);
        vec grey = (1.0f - factor) * luma(r, g, b);
        vec_store(red + i, clamp_unit(factor * r + grey));
        vec_store(green + i, clamp_unit(factor * g + grey));
        vec_store(blue + i, clamp_unit(factor * b + grey));
    }
}

/* One channel from hue (in sixths of the circle, [0, 6)), value and chroma:
   v - chroma clamp(min(k, 4 - k), 0, 1), k = (place + hue) mod 6, with place
   5 for red, 3 for green, 1 for blue. The same piecewise linear function as
   the usual table of six cases. */
static inline vec from_hue(vec hue, float place, vec value, vec chroma)
{
    vec k = hue + place;
    k = vec_select(k >= 6.0f, k - 6.0f, k);
    return value - chroma * clamp_unit(vec_min(k, 4.0f - k));
}

void EBM_KERNEL(turn_hue)(size_t n, float shift, float *red, float *green,
                          float *blue)
{
    const vec one = vec_all(1.0f);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec r = vec_load(red + i), g = vec_load(green + i);
        vec b = vec_load(blue + i);
        vec most = vec_max(r, vec_max(g, b));
        vec chroma = most - vec_min(r, vec_min(g, b));
        /* Then any hue will do. The inverse of less would overflow. */
        vec_int is_grey = chroma < FLT_MIN;
        vec inverse = one / vec_select(is_grey, one, chroma);
        vec hue = vec_select(most == r, (g - b) * inverse,
                             vec_select(most == g, 2.0f + (b - r) * inverse,
                                        4.0f + (r - g) * inverse));
        hue += 6.0f * shift; /* from [-1, 5] and [-3, 3] */
        hue = vec_select(hue < 0.0f, hue + 6.0f, hue);
        hue = vec_select(hue >= 6.0f, hue - 6.0f, hue);
        vec_store(red + i, from_hue(hue, 5.0f, most, chroma));
        vec_store(green + i, from_hue(hue, 3.0f, most, chroma));
        vec_store(blue + i, from_hue(hue, 1.0f, most, chroma));
    }
}

/* With 0.299 for red the weights add up to 1, and an image that is grey stays
   as it is, however often. torchvision's 0.2989 would darken it each time. */
void EBM_KERNEL(to_grey)(size_t n, float *red, float *green, float *blue)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec grey = 0.299f * vec_load(red + i) + 0.587f * vec_load(green + i) +
                   0.114f * vec_load(blue + i);
        vec_store(red + i, grey);
        vec_store(green + i, grey);
        vec_store(blue + i, grey);
    }
}
