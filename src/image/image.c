/* From states to pictures: checks, layout, and floats to bytes. */
#include <ebm/image.h>

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/object.h"
#include "image/picture.h"

/* Longest side of a picture; what gaps and empty cells are made of. */
enum { LONGEST_SIDE = 65535, MIDDLE = 128 };

/* The nearest byte, halves upwards. Dividing first keeps every step finite,
   however small or large the range. */
static uint8_t to_byte(double value, double minimum, double maximum)
{
    double scaled = 255 * ((value - minimum) / (maximum - minimum));
    if (scaled < 0)
        return 0;
    return scaled > 255 ? 255 : (uint8_t)(scaled + 0.5);
}

void ebm_picture_row(const ebm_picture *picture, size_t y, uint8_t *row)
{
    size_t gap = picture->gap, zoom = picture->zoom;
    size_t channels = picture->channels, width = picture->width;
    size_t cell_height = picture->height * zoom + gap;
    size_t cell_width = width * zoom + gap;
    size_t line = y % cell_height;
    size_t first = y / cell_height * picture->columns;
    if (gap)
        memset(row, MIDDLE, picture->picture_width * channels);
    if (line < gap)
        return;
    line = (line - gap) / zoom;
    for (size_t column = 0; column < picture->columns; column++) {
        if (first + column >= picture->n)
            return;
        const float *pixels =
            picture->images +
            ((first + column) * picture->height + line) * width * channels;
        uint8_t *out = row + (column * cell_width + gap) * channels;
        for (size_t x = 0; x < width * zoom; x++)
            for (size_t c = 0; c < channels; c++)
                *out++ = to_byte(pixels[x / zoom * channels + c],
                                 picture->minimum, picture->maximum);
    }
}

/* What both public calls ask of the values. */
static ebm_status check_values(const ebm_context *context,
                               const ebm_picture *picture)
{
    size_t size;
    if (picture->channels != 1 && picture->channels != 3 &&
        picture->channels != 4)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "a picture of %zu channels instead of 1, 3 or 4",
                        picture->channels);
    /* Written so that NaN fails; the difference may be too large, too. */
    if (!(picture->minimum < picture->maximum) ||
        !isfinite(picture->maximum - picture->minimum))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the range [%g, %g] is empty or not finite",
                        picture->minimum, picture->maximum);
    EBM_TRY(ebm_check_size(context, picture->n, picture->height,
                           picture->width, picture->channels, &size));
    if (!ebm_all_finite(picture->images, size))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a pixel is not finite");
    return EBM_OK;
}

static ebm_status check_sides(const ebm_context *context, size_t height,
                              size_t width)
{
    if (height > LONGEST_SIDE || width > LONGEST_SIDE)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "a picture of %zu x %zu pixels; a side has at most "
                        "%d",
                        height, width, LONGEST_SIDE);
    return EBM_OK;
}

ebm_status ebm_image_write_png(ebm_context *context, const char *path,
                               const float *pixels, size_t height,
                               size_t width, size_t channels, double minimum,
                               double maximum)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!path || !pixels)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        path ? "pixels" : "path");
    if (!height || !width || !channels)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "a size is 0 in [%zu, %zu, %zu]", height, width,
                        channels);
    EBM_TRY(check_sides(context, height, width));
    ebm_picture picture = {.images = pixels,
                           .n = 1,
                           .height = height,
                           .width = width,
                           .channels = channels,
                           .columns = 1,
                           .zoom = 1,
                           .gap = 0,
                           .minimum = minimum,
                           .maximum = maximum,
                           .picture_height = height,
                           .picture_width = width};
    EBM_TRY(check_values(context, &picture));
    return ebm_picture_write_png(context, path, &picture);
}

/* Pixels along a side of `cells` images with a gap before, between and
   behind. */
static int grid_side(size_t cells, size_t pixels, size_t zoom, size_t *side)
{
    return ebm_multiply(pixels, zoom, side) &&
           !__builtin_add_overflow(*side, 1, side) &&
           ebm_multiply(cells, *side, side) &&
           !__builtin_add_overflow(*side, 1, side);
}

ebm_status ebm_image_write_grid(ebm_context *context, const char *path,
                                const float *images, size_t n, size_t height,
                                size_t width, size_t channels, size_t columns,
                                size_t zoom, double minimum, double maximum)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!path || !images)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        path ? "images" : "path");
    if (!n || !height || !width || !channels || !columns || !zoom)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "a size is 0: images [%zu, %zu, %zu, %zu], %zu "
                        "columns, zoom %zu",
                        n, height, width, channels, columns, zoom);
    ebm_picture picture = {.images = images,
                           .n = n,
                           .height = height,
                           .width = width,
                           .channels = channels,
                           .columns = columns,
                           .zoom = zoom,
                           .gap = 1,
                           .minimum = minimum,
                           .maximum = maximum};
    if (!grid_side(n / columns + (n % columns != 0), height, zoom,
                   &picture.picture_height) ||
        !grid_side(columns, width, zoom, &picture.picture_width))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "a grid of %zu images [%zu, %zu], %zu columns, zoom "
                        "%zu has too many pixels to count",
                        n, height, width, columns, zoom);
    EBM_TRY(
        check_sides(context, picture.picture_height, picture.picture_width));
    EBM_TRY(check_values(context, &picture));
    return ebm_picture_write_png(context, path, &picture);
}
