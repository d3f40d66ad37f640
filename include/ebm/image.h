/**
 * @file image.h
 * Pictures: states as PNG files, and states of another size.
 *
 * Images are float [height, width, channels] with 1 (grey), 3 (RGB) or 4
 * (RGBA) channels. A value v becomes the byte nearest to
 * 255 (v - minimum) / (maximum - minimum), clamped to 0 .. 255.
 *
 * Files are written beside the target under a temporary name and renamed when
 * complete, so a reader never sees half a picture.
 */
#ifndef EBM_IMAGE_H
#define EBM_IMAGE_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes one image.
 *
 * @param pixels   [height, width, channels], finite.
 * @param minimum  the value that becomes 0.
 * @param maximum  the value that becomes 255; greater than minimum.
 *
 * Errors: HANDLE, ARGUMENT (NULL, a size of 0), SHAPE (channels not 1, 3 or
 * 4; more than 65,535 pixels along a side), RANGE (minimum, maximum),
 * NON_FINITE (pixels), IO, MEMORY.
 * Thread safety: any thread, another path each. Since: 0.1.
 */
EBM_API ebm_status ebm_image_write_png(ebm_context *context, const char *path,
                                       const float *pixels, size_t height,
                                       size_t width, size_t channels,
                                       double minimum, double maximum);

/**
 * Writes n images as a grid, row by row, `columns` images a row, with a gap
 * of one pixel at the middle of the range around each. Left-over cells of
 * the last row stay at that colour.
 *
 * A chain strip is a grid with one row a chain and one column a snapshot.
 *
 * @param images   [n, height, width, channels], finite.
 * @param columns  at least 1.
 * @param zoom     each pixel becomes zoom x zoom; at least 1.
 * @param minimum, maximum  as for one image.
 *
 * Errors: as ebm_image_write_png(), and OVERFLOW. Thread safety: the same.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_image_write_grid(ebm_context *context, const char *path,
                                        const float *images, size_t n,
                                        size_t height, size_t width,
                                        size_t channels, size_t columns,
                                        size_t zoom, double minimum,
                                        double maximum);

/**
 * Resizes n images by area: a pixel of the result is the mean of the rectangle
 * of the source that it covers, each source pixel weighing as much as the part
 * of it inside. Proportions are not kept; enlarging works likewise. Sums are
 * in double, in one order.
 *
 * @param images        [n, from_height, from_width, channels], finite.
 * @param from_height, from_width, height, width  1 to 65,535.
 * @param channels      at least 1.
 * @param[out] resized  [n, height, width, channels]; not the source itself.
 *
 * Errors: HANDLE, ARGUMENT (NULL, a size of 0, one array twice), SHAPE (a side
 * is too long), OVERFLOW, NON_FINITE (pixels). Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_image_resize(ebm_context *context, const float *images,
                                    size_t n, size_t from_height,
                                    size_t from_width, size_t channels,
                                    size_t height, size_t width,
                                    float *resized);

#ifdef __cplusplus
}
#endif

#endif
