/*
 * Resizing by area, exactly. A result pixel is the mean of the rectangle of
 * the source that it covers, each source pixel weighing as much as the part
 * of it inside; for enlarging likewise. Along a side of W pixels that becomes
 * w, count in w-ths of a source pixel: source pixel i covers
 * [i w, (i + 1) w), result pixel j covers [j W, (j + 1) W), and overlaps are
 * whole numbers. So all sums are of integers, and neither the order in which
 * pixels come (interlaced files) nor anything else can change a bit.
 */
#ifndef EBM_IMAGE_AREA_H
#define EBM_IMAGE_AREA_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

/* Longest side of a source: sums stay below 2^60. */
enum { EBM_AREA_SIDE = 16384 };

typedef struct ebm_area {
    size_t height, width, channels; /* of the result; 1 or 3 channels */
    size_t from_height, from_width; /* of the source */
    uint64_t *line;                 /* [width, 3], sums along one row */
    uint64_t *sums;                 /* [height, width, 3] */
} ebm_area;

/* Length of the part of [a, a + a_size) that lies in [b, b + b_size), which
   overlap. */
size_t ebm_area_overlap(size_t a, size_t a_size, size_t b, size_t b_size);

/* Room for results of one shape. Errors: MEMORY; then nothing is held. */
ebm_status ebm_area_create(const ebm_context *context, size_t height,
                           size_t width, size_t channels, ebm_area *area);

/* Does nothing to an all-zero one. */
void ebm_area_destroy(const ebm_context *context, ebm_area *area);

/* Begins with a source of 1 to EBM_AREA_SIDE pixels a side. */
void ebm_area_begin(ebm_area *area, size_t from_height, size_t from_width);

/* Adds the pixels first, first + apart, ... of source row y, n of them, as
   PNG stores them: RGBA, 16 bits each, high byte first. They are laid over
   white. Each pixel of the source is to be added once. */
void ebm_area_add(ebm_area *area, size_t y, size_t first, size_t apart,
                  size_t n, const uint8_t *rgba);

/* The result, [height, width, channels]: the nearest bytes, halves upwards.
   One channel is the luma of Rec. 601, 0.299 R + 0.587 G + 0.114 B. */
void ebm_area_finish(const ebm_area *area, uint8_t *bytes);

#endif
