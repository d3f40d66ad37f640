#include "canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "font.h"
#include "try.h"

canvas canvas_create(int width, int height)
{
    canvas c = {.width = width, .height = height};
    size_t count = (size_t)width * (size_t)height * 3;
    c.pixels = try_allocate(count, sizeof *c.pixels);
    for (size_t i = 0; i < count; i++)
        c.pixels[i] = 1.0f;
    return c;
}

void canvas_free(canvas *c)
{
    free(c->pixels);
    c->pixels = NULL;
}

void canvas_blend(canvas *c, int x, int y, const float *colour, double cover)
{
    if (x < 0 || x >= c->width || y < 0 || y >= c->height || cover <= 0.0)
        return;
    float a = cover < 1.0 ? (float)cover : 1.0f;
    float *pixel = c->pixels + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
    for (int i = 0; i < 3; i++)
        pixel[i] += a * (colour[i] - pixel[i]);
}

/* How far the point lies from the segment a - b. */
static double distance(double x, double y, const double *a, const double *b)
{
    double dx = b[0] - a[0], dy = b[1] - a[1];
    double square = dx * dx + dy * dy, t = 0.0;
    if (square > 0.0)
        t = ((x - a[0]) * dx + (y - a[1]) * dy) / square;
    t = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    return hypot(x - a[0] - t * dx, y - a[1] - t * dy);
}

/* A segment of the given width; pixels at its rim are covered in part, which
   keeps steep lines smooth. */
void canvas_segment(canvas *c, const double *a, const double *b, double width,
                    const float *colour)
{
    double reach = width / 2.0 + 1.0;
    int x_end = (int)(fmax(a[0], b[0]) + reach);
    int y_end = (int)(fmax(a[1], b[1]) + reach);
    for (int y = (int)(fmin(a[1], b[1]) - reach); y <= y_end; y++) {
        for (int x = (int)(fmin(a[0], b[0]) - reach); x <= x_end; x++)
            canvas_blend(c, x, y, colour,
                         width / 2.0 + 0.5 - distance(x, y, a, b));
    }
}

int canvas_text_width(const char *text)
{
    return (int)strlen(text) * FONT_ADVANCE * CANVAS_ZOOM;
}

void canvas_text(canvas *c, int x, int y, const char *text,
                 const float *colour)
{
    for (; *text != '\0'; text++, x += FONT_ADVANCE * CANVAS_ZOOM) {
        for (int i = 0; i < FONT_HEIGHT * CANVAS_ZOOM; i++) {
            for (int j = 0; j < FONT_WIDTH * CANVAS_ZOOM; j++) {
                if (font_pixel(*text, i / CANVAS_ZOOM, j / CANVAS_ZOOM))
                    canvas_blend(c, x + j, y + i, colour, 1.0);
            }
        }
    }
}
