#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "font.h"
#include "try.h"

enum {
    WIDTH = 960,
    HEIGHT = 540,
    LEFT = 110, /* margins of the plot's frame */
    RIGHT = 30,
    TOP = 60,
    BOTTOM = 80,
    ZOOM = 2, /* of the font */
    TICKS = 6 /* about so many along an axis */
};

static const float ink[3] = {0.2f, 0.2f, 0.2f};
static const float grid[3] = {0.88f, 0.88f, 0.88f};

/* The picture, and how numbers map onto the frame inside it. */
typedef struct canvas {
    float *pixels; /* [HEIGHT, WIDTH, 3] */
    double x_min, x_max, y_min, y_max;
} canvas;

static void blend(canvas *c, int x, int y, const float *colour, double cover)
{
    if (x < 0 || x >= WIDTH || y < 0 || y >= HEIGHT || cover <= 0.0)
        return;
    float a = cover < 1.0 ? (float)cover : 1.0f;
    float *pixel = c->pixels + 3 * ((size_t)y * WIDTH + (size_t)x);
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
static void draw_segment(canvas *c, const double *a, const double *b,
                         double width, const float *colour)
{
    double reach = width / 2.0 + 1.0;
    int x_end = (int)(fmax(a[0], b[0]) + reach);
    int y_end = (int)(fmax(a[1], b[1]) + reach);
    for (int y = (int)(fmin(a[1], b[1]) - reach); y <= y_end; y++) {
        for (int x = (int)(fmin(a[0], b[0]) - reach); x <= x_end; x++)
            blend(c, x, y, colour, width / 2.0 + 0.5 - distance(x, y, a, b));
    }
}

static int text_width(const char *text)
{
    return (int)strlen(text) * FONT_ADVANCE * ZOOM;
}

static void draw_text(canvas *c, int x, int y, const char *text,
                      const float *colour)
{
    for (; *text != '\0'; text++, x += FONT_ADVANCE * ZOOM) {
        for (int i = 0; i < FONT_HEIGHT * ZOOM; i++) {
            for (int j = 0; j < FONT_WIDTH * ZOOM; j++) {
                if (font_pixel(*text, i / ZOOM, j / ZOOM))
                    blend(c, x + j, y + i, colour, 1.0);
            }
        }
    }
}

static double x_pixel(const canvas *c, double x)
{
    return LEFT +
           (x - c->x_min) / (c->x_max - c->x_min) * (WIDTH - LEFT - RIGHT);
}

static double y_pixel(const canvas *c, double y)
{
    return HEIGHT - BOTTOM -
           (y - c->y_min) / (c->y_max - c->y_min) * (HEIGHT - TOP - BOTTOM);
}

/* The largest of 1, 2, 5 times a power of ten that still gives the range
   about TICKS ticks. */
static double tick_step(double range)
{
    double step = pow(10.0, floor(log10(range / TICKS)));
    double ratio = range / TICKS / step;
    return step * (ratio > 5.0 ? 10.0 : ratio > 2.0 ? 5.0 : 2.0);
}

static void draw_x_tick(canvas *c, double value)
{
    double x = x_pixel(c, value);
    char text[32];
    snprintf(text, sizeof text, "%g", value);
    draw_segment(c, (double[]){x, TOP}, (double[]){x, HEIGHT - BOTTOM}, 1.0,
                 grid);
    draw_text(c, (int)x - text_width(text) / 2, HEIGHT - BOTTOM + 12, text,
              ink);
}

static void draw_y_tick(canvas *c, double value)
{
    double y = y_pixel(c, value);
    char text[32];
    snprintf(text, sizeof text, "%.3g", value);
    draw_segment(c, (double[]){LEFT, y}, (double[]){WIDTH - RIGHT, y}, 1.0,
                 grid);
    draw_text(c, LEFT - 12 - text_width(text), (int)y - FONT_HEIGHT * ZOOM / 2,
              text, ink);
}

static void draw_axes(canvas *c, const char *title, const char *x_label)
{
    double x_step = tick_step(c->x_max - c->x_min);
    double y_step = tick_step(c->y_max - c->y_min);
    /* Counted in whole steps, so that 0 is 0 and not 1e-17. */
    for (double k = ceil(c->x_min / x_step); k * x_step <= c->x_max; k++)
        draw_x_tick(c, k * x_step + 0.0); /* no "-0" */
    for (double k = ceil(c->y_min / y_step); k * y_step <= c->y_max; k++)
        draw_y_tick(c, k * y_step + 0.0);

    const double corner[2] = {LEFT, HEIGHT - BOTTOM};
    draw_segment(c, corner, (double[]){WIDTH - RIGHT, corner[1]}, 2.0, ink);
    draw_segment(c, corner, (double[]){corner[0], TOP}, 2.0, ink);
    draw_text(c, LEFT, TOP / 2 - FONT_HEIGHT, title, ink);
    draw_text(c, (LEFT + WIDTH - RIGHT - text_width(x_label)) / 2,
              HEIGHT - BOTTOM + 44, x_label, ink);
}

static void draw_series(canvas *c, const plot_series *series, size_t n,
                        double first_x)
{
    double last[2] = {NAN, NAN};
    for (size_t i = 0; i < n; i++) {
        double at[2] = {x_pixel(c, first_x + (double)i),
                        y_pixel(c, series->y[i])};
        if (isfinite(at[1]))
            draw_segment(c, isfinite(last[1]) ? last : at, at, 1.6,
                         series->colour);
        memcpy(last, at, sizeof last);
    }
}

/* Right of the title: a dash in each colour and what it stands for. */
static void draw_legend(canvas *c, const plot_series *series, size_t count)
{
    int x = WIDTH - RIGHT;
    for (size_t s = count; s-- > 0;) {
        x -= text_width(series[s].label);
        draw_text(c, x, TOP / 2 - FONT_HEIGHT, series[s].label, ink);
        x -= 36;
        draw_segment(c, (double[]){x, TOP / 2}, (double[]){x + 26, TOP / 2},
                     3.0, series[s].colour);
        x -= 24;
    }
}

/* The range that holds every finite value, a little wider, never empty. */
static void fit_range(canvas *c, const plot_series *series, size_t count,
                      size_t n)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t s = 0; s < count; s++) {
        for (size_t i = 0; i < n; i++) {
            if (isfinite(series[s].y[i])) {
                low = fmin(low, series[s].y[i]);
                high = fmax(high, series[s].y[i]);
            }
        }
    }
    if (low > high)
        low = high = 0.0;
    double room =
        high > low ? 0.05 * (high - low) : fmax(1e-3, 0.05 * fabs(high));
    c->y_min = low - room;
    c->y_max = high + room;
}

ebm_status plot_write(ebm_context *context, const char *path,
                      const char *title, const char *x_label, double first_x,
                      const plot_series *series, size_t count, size_t n)
{
    canvas c = {.x_min = first_x, .x_max = first_x + 1.0};
    if (n > 2)
        c.x_max = first_x + (double)(n - 1);
    fit_range(&c, series, count, n);
    c.pixels = try_allocate((size_t)WIDTH * HEIGHT * 3, sizeof *c.pixels);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++)
        c.pixels[i] = 1.0f;

    draw_axes(&c, title, x_label);
    for (size_t s = 0; s < count; s++)
        draw_series(&c, &series[s], n, first_x);
    draw_legend(&c, series, count);
    ebm_status status = ebm_image_write_png(context, path, c.pixels, HEIGHT,
                                            WIDTH, 3, 0.0, 1.0);
    free(c.pixels);
    return status;
}
