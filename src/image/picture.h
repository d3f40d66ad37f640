/*
 * A picture as rows of bytes, made one at a time: no canvas is held, however
 * large the grid.
 */
#ifndef EBM_IMAGE_PICTURE_H
#define EBM_IMAGE_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef struct ebm_picture {
    /* What is shown: images[n, height, width, channels] in a grid of
       `columns`, each pixel zoom x zoom, `gap` pixels around each image. */
    const float *images;
    size_t n, height, width, channels, columns, zoom, gap;
    double minimum, maximum;
    /* What becomes of it: pixels along the sides. */
    size_t picture_height, picture_width;
} ebm_picture;

/* Row y of the picture, picture_width * channels bytes. */
void ebm_picture_row(const ebm_picture *picture, size_t y, uint8_t *row);

/* Writes the picture. Errors: IO, MEMORY. */
ebm_status ebm_picture_write_png(const ebm_context *context, const char *path,
                                 const ebm_picture *picture);

#endif
