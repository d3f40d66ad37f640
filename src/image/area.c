/* Resizing by area in whole numbers. */
#include "image/area.h"

#include <string.h>

#include "core/memory.h"

/* What a component of 16 bits is at most, and components of the sums. */
enum { FULL = 65535, COLOURS = 3 };

ebm_status ebm_area_create(const ebm_context *context, size_t height,
                           size_t width, size_t channels, ebm_area *area)
{
    ebm_area made = {.height = height, .width = width, .channels = channels};
    size_t pixels;
    if (ebm_multiply(height, width, &pixels)) {
        made.line = ebm_alloc(context, width, COLOURS * sizeof *made.line);
        made.sums = ebm_alloc(context, pixels, COLOURS * sizeof *made.sums);
    }
    if (!made.line || !made.sums) {
        ebm_area_destroy(context, &made);
        return ebm_out_of_memory(context, "resizing an image");
    }
    *area = made;
    return EBM_OK;
}

void ebm_area_destroy(const ebm_context *context, ebm_area *area)
{
    ebm_free(context, area->line);
    ebm_free(context, area->sums);
    memset(area, 0, sizeof *area);
}

void ebm_area_begin(ebm_area *area, size_t from_height, size_t from_width)
{
    area->from_height = from_height;
    area->from_width = from_width;
    memset(area->sums, 0,
           area->height * area->width * COLOURS * sizeof *area->sums);
}

size_t ebm_area_overlap(size_t a, size_t a_size, size_t b, size_t b_size)
{
    size_t low = a > b ? a : b;
    size_t high = a + a_size < b + b_size ? a + a_size : b + b_size;
    return high - low;
}

/* One source pixel over white, colour A + white (1 - A), in units of
   1 / 65535^2. */
static void over_white(const uint8_t *rgba, uint64_t colour[COLOURS])
{
    uint64_t alpha = (uint64_t)rgba[6] << 8 | rgba[7];
    for (int c = 0; c < COLOURS; c++) {
        uint64_t value = (uint64_t)rgba[2 * c] << 8 | rgba[2 * c + 1];
        colour[c] = value * alpha + (uint64_t)FULL * (FULL - alpha);
    }
}

void ebm_area_add(ebm_area *area, size_t y, size_t first, size_t apart,
                  size_t n, const uint8_t *rgba)
{
    size_t width = area->width, from_width = area->from_width;
    size_t height = area->height, from_height = area->from_height;
    memset(area->line, 0, width * COLOURS * sizeof *area->line);
    for (size_t i = 0; i < n; i++) {
        uint64_t colour[COLOURS];
        size_t left = (first + i * apart) * width;
        over_white(rgba + 8 * i, colour);
        for (size_t x = left / from_width; x * from_width < left + width;
             x++) {
            size_t part =
                ebm_area_overlap(left, width, x * from_width, from_width);
            for (int c = 0; c < COLOURS; c++)
                area->line[x * COLOURS + (size_t)c] += part * colour[c];
        }
    }
    size_t top = y * height, row = width * COLOURS;
    for (size_t to = top / from_height; to * from_height < top + height;
         to++) {
        size_t part =
            ebm_area_overlap(top, height, to * from_height, from_height);
        uint64_t *sums = area->sums + to * row;
        for (size_t i = 0; i < row; i++)
            sums[i] += part * area->line[i];
    }
}

void ebm_area_finish(const ebm_area *area, uint8_t *bytes)
{
    /* The parts add up to from_height from_width, so full white is
       65535^2 of those; that over 255 is what a step of a byte is. */
    uint64_t step =
        (uint64_t)area->from_height * area->from_width * FULL * (FULL / 255);
    size_t pixels = area->height * area->width;
    if (area->channels == COLOURS) {
        for (size_t i = 0; i < pixels * COLOURS; i++)
            bytes[i] = (uint8_t)((2 * area->sums[i] + step) / (2 * step));
        return;
    }
    for (size_t i = 0; i < pixels; i++) {
        const uint64_t *sums = area->sums + i * COLOURS;
        unsigned __int128 luma = (unsigned __int128)299 * sums[0] +
                                 (unsigned __int128)587 * sums[1] +
                                 (unsigned __int128)114 * sums[2];
        unsigned __int128 thousand = (unsigned __int128)1000 * step;
        bytes[i] = (uint8_t)((2 * luma + thousand) / (2 * thousand));
    }
}
