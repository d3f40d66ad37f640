#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "canvas.h"
#include "font.h"
#include "try.h"

enum {
    WIDTH = 960,
    HEIGHT = 540,
    LEFT = 110, /* margins of the plot's frame */
    RIGHT = 30,
    TOP = 60,
    BOTTOM = 80,
    TICKS = 6 /* about so many along an axis */
};

static const float ink[3] = {0.2f, 0.2f, 0.2f};
static const float grid[3] = {0.88f, 0.88f, 0.88f};

/* The picture, and how numbers map onto the frame inside it. */
typedef struct frame {
    canvas canvas;
    double x_min, x_max, y_min, y_max;
} frame;

static double x_pixel(const frame *f, double x)
{
    return LEFT +
           (x - f->x_min) / (f->x_max - f->x_min) * (WIDTH - LEFT - RIGHT);
}

static double y_pixel(const frame *f, double y)
{
    return HEIGHT - BOTTOM -
           (y - f->y_min) / (f->y_max - f->y_min) * (HEIGHT - TOP - BOTTOM);
}

/* The largest of 1, 2, 5 times a power of ten that still gives the range
   about TICKS ticks. */
static double tick_step(double range)
{
    double step = pow(10.0, floor(log10(range / TICKS)));
    double ratio = range / TICKS / step;
    return step * (ratio > 5.0 ? 10.0 : ratio > 2.0 ? 5.0 : 2.0);
}

static void draw_x_tick(frame *f, double value)
{
    double x = x_pixel(f, value);
    char text[32];
    snprintf(text, sizeof text, "%g", value);
    canvas_segment(&f->canvas, (double[]){x, TOP},
                   (double[]){x, HEIGHT - BOTTOM}, 1.0, grid);
    canvas_text(&f->canvas, (int)x - canvas_text_width(text) / 2,
                HEIGHT - BOTTOM + 12, text, ink);
}

static void draw_y_tick(frame *f, double value)
{
    double y = y_pixel(f, value);
    char text[32];
    snprintf(text, sizeof text, "%.3g", value);
    canvas_segment(&f->canvas, (double[]){LEFT, y},
                   (double[]){WIDTH - RIGHT, y}, 1.0, grid);
    canvas_text(&f->canvas, LEFT - 12 - canvas_text_width(text),
                (int)y - FONT_HEIGHT * CANVAS_ZOOM / 2, text, ink);
}

static void draw_axes(frame *f, const char *title, const char *x_label)
{
    double x_step = tick_step(f->x_max - f->x_min);
    double y_step = tick_step(f->y_max - f->y_min);
    /* Counted in whole steps, so that 0 is 0 and not 1e-17. */
    for (double k = ceil(f->x_min / x_step); k * x_step <= f->x_max; k++)
        draw_x_tick(f, k * x_step + 0.0); /* no "-0" */
    for (double k = ceil(f->y_min / y_step); k * y_step <= f->y_max; k++)
        draw_y_tick(f, k * y_step + 0.0);

    const double corner[2] = {LEFT, HEIGHT - BOTTOM};
    canvas_segment(&f->canvas, corner, (double[]){WIDTH - RIGHT, corner[1]},
                   2.0, ink);
    canvas_segment(&f->canvas, corner, (double[]){corner[0], TOP}, 2.0, ink);
    canvas_text(&f->canvas, LEFT, TOP / 2 - FONT_HEIGHT, title, ink);
    canvas_text(&f->canvas,
                (LEFT + WIDTH - RIGHT - canvas_text_width(x_label)) / 2,
                HEIGHT - BOTTOM + 44, x_label, ink);
}

static void draw_series(frame *f, const plot_series *series, size_t n,
                        double first_x)
{
    double last[2] = {NAN, NAN};
    for (size_t i = 0; i < n; i++) {
        double at[2] = {x_pixel(f, first_x + (double)i),
                        y_pixel(f, series->y[i])};
        if (isfinite(at[1]))
            canvas_segment(&f->canvas, isfinite(last[1]) ? last : at, at, 1.6,
                           series->colour);
        memcpy(last, at, sizeof last);
    }
}

/* Right of the title: a dash in each colour and what it stands for. */
static void draw_legend(frame *f, const plot_series *series, size_t count)
{
    int x = WIDTH - RIGHT;
    for (size_t s = count; s-- > 0;) {
        x -= canvas_text_width(series[s].label);
        canvas_text(&f->canvas, x, TOP / 2 - FONT_HEIGHT, series[s].label,
                    ink);
        x -= 36;
        canvas_segment(&f->canvas, (double[]){x, TOP / 2},
                       (double[]){x + 26, TOP / 2}, 3.0, series[s].colour);
        x -= 24;
    }
}

/* The range that holds every finite value, a little wider, never empty. */
static void fit_range(frame *f, const plot_series *series, size_t count,
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
    f->y_min = low - room;
    f->y_max = high + room;
}

ebm_status plot_write(ebm_context *context, const char *path,
                      const char *title, const char *x_label, double first_x,
                      const plot_series *series, size_t count, size_t n)
{
    frame f = {.x_min = first_x, .x_max = first_x + 1.0};
    if (n > 2)
        f.x_max = first_x + (double)(n - 1);
    fit_range(&f, series, count, n);
    f.canvas = canvas_create(WIDTH, HEIGHT);
    draw_axes(&f, title, x_label);
    for (size_t s = 0; s < count; s++)
        draw_series(&f, &series[s], n, first_x);
    draw_legend(&f, series, count);
    ebm_status status = ebm_image_write_png(context, path, f.canvas.pixels,
                                            HEIGHT, WIDTH, 3, 0.0, 1.0);
    canvas_free(&f.canvas);
    return status;
}
