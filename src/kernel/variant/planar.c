/*
 * The rearrangement for images of one channel. There the runs of im2col.c
 * would be as short as the kernel is wide, so the matrix is made the other
 * way round: one row a tap, one column an output position. A row of output
 * positions is then a run of pixels that lie `stride` apart, and a plain run
 * once the framed image is split into `stride` planes, plane p holding the
 * columns p, p + stride, p + 2 stride, ...
 */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

/* The planes of one image. */
typedef struct planes {
    size_t height, width; /* of each */
    float *values;        /* [stride, height, width] */
} planes;

static inline planes planes_of(const ebm_conv_shape *s, float *values)
{
    return (planes){s->height + 2 * s->padding,
                    (s->width + 2 * s->padding + s->stride - 1) / s->stride,
                    values};
}

/* Moves the image into the planes, or out of them. Called with a constant
   stride where that is common, so that the loop becomes vector code. */
static inline void deal(const ebm_conv_shape *s, const planes *p,
                        size_t stride, int out, float *image)
{
    for (size_t plane = 0; plane < stride; plane++) {
        /* The first image column x with (x + padding) mod stride = plane. */
        size_t skip = (plane + stride - s->padding % stride) % stride;
        size_t first = (skip + s->padding) / stride;
        for (size_t r = 0; r < s->height; r++) {
            float *inside = p->values + first +
                            (plane * p->height + r + s->padding) * p->width;
            float *row = image + r * s->width;
            size_t q = 0;
            if (out)
                for (size_t x = skip; x < s->width; x += stride)
                    row[x] = inside[q++];
            else
                for (size_t x = skip; x < s->width; x += stride)
                    inside[q++] = row[x];
        }
    }
}

static void deal_any(const ebm_conv_shape *s, const planes *p, int out,
                     float *image)
{
    if (s->stride == 1)
        deal(s, p, 1, out, image);
    else if (s->stride == 2)
        deal(s, p, 2, out, image);
    else
        deal(s, p, s->stride, out, image);
}

/* Where the pixel of tap (row, column) under output position (0, 0) is. */
static inline float *tap_start(const ebm_conv_shape *s, const planes *p,
                               size_t row, size_t column)
{
    return p->values + (column % s->stride * p->height + row) * p->width +
           column / s->stride;
}

void EBM_KERNEL(planar_im2col)(const ebm_conv_shape *shape, const float *image,
                               float *scratch, float *rows, size_t row_length)
{
    const ebm_conv_shape s = *shape;
    planes p = planes_of(&s, scratch);
    memset(scratch, 0, s.stride * p.height * p.width * sizeof *scratch);
    deal_any(&s, &p, 0, (float *)(uintptr_t)image);
    for (size_t k = 0; k < s.kernel; k++)
        for (size_t l = 0; l < s.kernel; l++, rows += row_length) {
            const float *from = tap_start(&s, &p, k, l);
            for (size_t y = 0; y < s.out_height; y++)
                vec_copy_run(s.out_width, from + y * s.stride * p.width,
                             rows + y * s.out_width);
        }
}

void EBM_KERNEL(planar_col2im)(const ebm_conv_shape *shape, const float *rows,
                               size_t row_length, float *scratch, float *image)
{
    const ebm_conv_shape s = *shape;
    planes p = planes_of(&s, scratch);
    memset(scratch, 0, s.stride * p.height * p.width * sizeof *scratch);
    for (size_t k = 0; k < s.kernel; k++)
        for (size_t l = 0; l < s.kernel; l++, rows += row_length) {
            float *to = tap_start(&s, &p, k, l);
            for (size_t y = 0; y < s.out_height; y++)
                vec_add_run(s.out_width, rows + y * s.out_width,
                            to + y * s.stride * p.width);
        }
    deal_any(&s, &p, 1, image);
}
