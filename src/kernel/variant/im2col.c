/*
 * Convolution as matrix product: the rearrangement before it and its adjoint
 * after it, and the bias.
 *
 * A row of the matrix is one output position, its columns are (row of the
 * kernel, column of the kernel, channel): with channels last, one kernel row
 * is one run of kernel x channels floats in the image. Borders are handled by
 * copying the image into a frame of zeros first, so that the inner loop has
 * no conditions.
 */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

/* Puts the image into a frame of zeros. */
static void frame(const ebm_conv_shape *s, const float *image, float *padded)
{
    size_t row = s->width * s->channels;
    size_t side = s->padding * s->channels;
    size_t wide = row + 2 * side;
    memset(padded, 0, s->padding * wide * sizeof *padded);
    padded += s->padding * wide;
    for (size_t y = 0; y < s->height; y++, padded += wide) {
        memset(padded, 0, side * sizeof *padded);
        memcpy(padded + side, image + y * row, row * sizeof *padded);
        memset(padded + side + row, 0, side * sizeof *padded);
    }
    memset(padded, 0, s->padding * wide * sizeof *padded);
}

void EBM_KERNEL(im2col)(const ebm_conv_shape *shape, const float *image,
                        float *padded, float *columns)
{
    const ebm_conv_shape s = *shape;
    size_t wide = (s.width + 2 * s.padding) * s.channels;
    size_t run = s.kernel * s.channels;
    const float *source = image;
    if (s.padding) {
        frame(shape, image, padded);
        source = padded;
    }
    for (size_t y = 0; y < s.out_height; y++)
        for (size_t x = 0; x < s.out_width; x++) {
            const float *from =
                source + y * s.stride * wide + x * s.stride * s.channels;
            for (size_t k = 0; k < s.kernel; k++, columns += run)
                vec_copy_run(run, from + k * wide, columns);
        }
}

void EBM_KERNEL(col2im)(const ebm_conv_shape *shape, const float *columns,
                        float *padded, float *image)
{
    const ebm_conv_shape s = *shape;
    size_t wide = (s.width + 2 * s.padding) * s.channels;
    size_t high = s.height + 2 * s.padding;
    size_t run = s.kernel * s.channels;
    float *target = s.padding ? padded : image;
    memset(target, 0, high * wide * sizeof *target);
    for (size_t y = 0; y < s.out_height; y++)
        for (size_t x = 0; x < s.out_width; x++) {
            float *to =
                target + y * s.stride * wide + x * s.stride * s.channels;
            for (size_t k = 0; k < s.kernel; k++, columns += run)
                vec_add_run(run, columns, to + k * wide);
        }
    if (!s.padding)
        return;
    const float *from = padded + s.padding * (wide + s.channels);
    size_t row = s.width * s.channels;
    for (size_t y = 0; y < s.height; y++)
        memcpy(image + y * row, from + y * wide, row * sizeof *image);
}

void EBM_KERNEL(add_bias)(size_t rows, size_t columns, const float *bias,
                          float *y)
{
    for (size_t r = 0; r < rows; r++)
        vec_add_run(columns, bias, y + r * columns);
}

void EBM_KERNEL(column_sums)(size_t rows, size_t columns, const float *y,
                             int accumulate, float *sum)
{
    if (!accumulate)
        memset(sum, 0, columns * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        vec_add_run(columns, y + r * columns, sum);
}
