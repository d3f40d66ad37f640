/*
 * Average pooling and its adjoint. Both gather: an output position sums the
 * pixels of its window, a pixel the windows that it is in, row by row. So
 * nothing is cleared first, each number is written once, and the bits do not
 * depend on the width of the vectors.
 */
#include "kernel/variant/part.h"
#include "kernel/variant/variant.h"

/* Vectors of channels that are summed together. */
enum { STRIP = 4 };

/* From the first to before the last. */
typedef struct range {
    size_t from, to;
} range;

/* The pixels of one axis that window number i is over. */
static inline range window(const ebm_conv_shape *s, size_t i, size_t size)
{
    size_t begin = i * s->stride, end = begin + s->kernel;
    range r = {begin > s->padding ? begin - s->padding : 0,
               end - s->padding < size ? end - s->padding : size};
    return r;
}

/* The windows of one axis, of `count`, that pixel number i is in, from those
   of the pixels before it: without divisions, which take as long as a sum. */
static inline void next_windows(const ebm_conv_shape *s, size_t i,
                                size_t count, range *r)
{
    size_t framed = i + s->padding;
    while (r->to < count && r->to * s->stride <= framed)
        r->to++;
    while (r->from < r->to && r->from * s->stride + s->kernel <= framed)
        r->from++;
}

static inline float weight(const ebm_conv_shape *s, int exclude_pad, size_t i,
                           size_t j)
{
    if (!exclude_pad)
        return 1.0f / (float)(s->kernel * s->kernel);
    range y = window(s, i, s->height), x = window(s, j, s->width);
    return 1.0f / (float)((y.to - y.from) * (x.to - x.from));
}

/* Sums over a rectangle of positions, `wide` of them in a row, for `count`
   vectors of channels. */
static inline __attribute__((always_inline)) void
strip(const size_t count, const int whole, size_t left, range y, range x,
      size_t wide, size_t channels, float scale, const float *from, float *to)
{
    vec sum[STRIP];
    for (size_t k = 0; k < count; k++)
        sum[k] = vec_all(0);
    for (size_t i = y.from; i < y.to; i++)
        for (size_t j = x.from; j < x.to; j++)
            for (size_t k = 0; k < count; k++)
                sum[k] += vec_load_some(whole, left,
                                        from + (i * wide + j) * channels +
                                            k * VEC_LANES);
    for (size_t k = 0; k < count; k++)
        vec_store_some(whole, left, to + k * VEC_LANES, sum[k] * scale);
}

/* The same for all channels. */
static inline void rectangle(range y, range x, size_t wide, size_t channels,
                             float scale, const float *from, float *to)
{
    size_t c = 0;
    for (; c + STRIP * VEC_LANES <= channels; c += STRIP * VEC_LANES)
        strip(STRIP, 1, 0, y, x, wide, channels, scale, from + c, to + c);
    for (; c + VEC_LANES <= channels; c += VEC_LANES)
        strip(1, 1, 0, y, x, wide, channels, scale, from + c, to + c);
    if (c < channels)
        strip(1, 0, channels - c, y, x, wide, channels, scale, from + c,
              to + c);
}

void EBM_KERNEL(pool)(const ebm_conv_shape *shape, int exclude_pad,
                      const float *image, float *out)
{
    const ebm_conv_shape s = *shape;
    for (size_t i = 0; i < s.out_height; i++)
        for (size_t j = 0; j < s.out_width; j++, out += s.channels)
            rectangle(window(&s, i, s.height), window(&s, j, s.width), s.width,
                      s.channels, weight(&s, exclude_pad, i, j), image, out);
}

/* Where each window has a weight of its own. */
static void spread(const ebm_conv_shape *s, range y, range x, const float *out,
                   float *pixel)
{
    for (size_t c = 0; c < s->channels; c++)
        pixel[c] = 0;
    for (size_t i = y.from; i < y.to; i++)
        for (size_t j = x.from; j < x.to; j++) {
            const float *from = out + (i * s->out_width + j) * s->channels;
            float w = weight(s, 1, i, j);
            for (size_t c = 0; c < s->channels; c++)
                pixel[c] += w * from[c];
        }
}

void EBM_KERNEL(unpool)(const ebm_conv_shape *shape, int exclude_pad,
                        const float *out, float *image)
{
    const ebm_conv_shape s = *shape;
    const float even = weight(&s, 0, 0, 0);
    range y = {0, 0};
    for (size_t i = 0; i < s.height; i++) {
        range x = {0, 0};
        next_windows(&s, i, s.out_height, &y);
        for (size_t j = 0; j < s.width; j++, image += s.channels) {
            next_windows(&s, j, s.out_width, &x);
            if (exclude_pad)
                spread(&s, y, x, out, image);
            else
                rectangle(y, x, s.out_width, s.channels, even, out, image);
        }
    }
}
