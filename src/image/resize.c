/* Resizing floats by area: the rule of area.h, for images in memory. */
#include <ebm/image.h>

#include "core/memory.h"
#include "core/object.h"
#include "image/area.h"

enum { LONGEST_SIDE = 65535 }; /* so products of two sides fit into 32 bits */

/* A side and what it becomes. */
typedef struct side {
    size_t from, to;
} side;

/* The mean of the rectangle that result pixel (row, column) covers. In units
   of 1 / (height.to width.to) source pixels its area is that of the source,
   height.from width.from, and the parts are whole numbers. */
static float mean_of(const float *image, side height, side width,
                     size_t channels, size_t row, size_t column)
{
    size_t top = row * height.from, left = column * width.from;
    double sum = 0;
    for (size_t y = top / height.to; y * height.to < top + height.from; y++) {
        size_t tall =
            ebm_area_overlap(top, height.from, y * height.to, height.to);
        for (size_t x = left / width.to; x * width.to < left + width.from;
             x++) {
            size_t wide =
                ebm_area_overlap(left, width.from, x * width.to, width.to);
            sum += (double)tall * (double)wide *
                   (double)image[(y * width.from + x) * channels];
        }
    }
    return (float)(sum / ((double)height.from * (double)width.from));
}

ebm_status ebm_image_resize(ebm_context *context, const float *images,
                            size_t n, size_t from_height, size_t from_width,
                            size_t channels, size_t height, size_t width,
                            float *resized)
{
    size_t from_size, size;
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!images || !resized)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        images ? "resized" : "images");
    if (images == resized)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "images can not be resized in place");
    if (!n || !from_height || !from_width || !channels || !height || !width)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "a size is 0: images [%zu, %zu, %zu, %zu] to "
                        "[%zu, %zu]",
                        n, from_height, from_width, channels, height, width);
    if (from_height > LONGEST_SIDE || from_width > LONGEST_SIDE ||
        height > LONGEST_SIDE || width > LONGEST_SIDE)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "%zu x %zu to %zu x %zu pixels; a side has at most %d",
                        from_height, from_width, height, width, LONGEST_SIDE);
    EBM_TRY(ebm_check_size(context, n, from_height, from_width, channels,
                           &from_size));
    EBM_TRY(ebm_check_size(context, n, height, width, channels, &size));
    if (!ebm_all_finite(images, from_size))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a pixel is not finite");
    for (size_t i = 0; i < n; i++) {
        const float *image = images + i * (from_size / n);
        for (size_t row = 0; row < height; row++)
            for (size_t column = 0; column < width; column++)
                for (size_t c = 0; c < channels; c++)
                    *resized++ = mean_of(
                        image + c, (side){from_height, height},
                        (side){from_width, width}, channels, row, column);
    }
    return EBM_OK;
}
