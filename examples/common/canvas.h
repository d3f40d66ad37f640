/*
 * A canvas: a float image to draw lines and text into.
 */
#ifndef EXAMPLES_COMMON_CANVAS_H
#define EXAMPLES_COMMON_CANVAS_H

#include <stddef.h>

enum { CANVAS_ZOOM = 2 }; /* of the font */

typedef struct canvas {
    int width, height;
    float *pixels; /* [height, width, 3] in [0, 1] */
} canvas;

/* A white one; canvas_free() gives it back. */
canvas canvas_create(int width, int height);
void canvas_free(canvas *c);

/* Covers a pixel with a colour in part; outside the canvas nothing happens. */
void canvas_blend(canvas *c, int x, int y, const float *colour, double cover);

/* A segment of the given width from a to b, in pixels; its rim is smooth. A
   segment from a point to itself is a dot. */
void canvas_segment(canvas *c, const double *a, const double *b, double width,
                    const float *colour);

/* Text in the letters of font.h, its upper left corner at (x, y). */
void canvas_text(canvas *c, int x, int y, const char *text,
                 const float *colour);
int canvas_text_width(const char *text);

#endif
