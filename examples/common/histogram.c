#include "histogram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "canvas.h"
#include "font.h"
#include "try.h"

enum {
    WIDTH = 960,
    LEFT = 230, /* margins of the rows */
    RIGHT = 30,
    TOP = 50,
    BOTTOM = 80,
    ROW = 90, /* one set, and the gap below it */
    GAP = 14,
    BINS = 175, /* of 4 pixels */
    BAR = (WIDTH - LEFT - RIGHT) / BINS,
    TICKS = 24 /* at most */
};

static const float ink[3] = {0.2f, 0.2f, 0.2f};
static const float grid[3] = {0.88f, 0.88f, 0.88f};

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The axis: a value's place is asinh((value - centre) / scale). */
typedef struct axis {
    double centre, scale, low, high; /* the last two are places */
} axis;

static double place(const axis *a, double value)
{
    return asinh((value - a->centre) / a->scale);
}

static double x_pixel(const axis *a, double value)
{
    return LEFT + (place(a, value) - a->low) / (a->high - a->low) * BINS * BAR;
}

/* Centre and scale are those of the first set, its median and half the
   distance of its quartiles; the ends hold all but two thousandths of any. */
static axis fit_axis(const histogram_set *sets, size_t count)
{
    axis a = {.low = INFINITY, .high = -INFINITY};
    for (size_t s = 0; s < count; s++) {
        size_t n = sets[s].count, cut = n / 1000;
        float *sorted = try_allocate(n, sizeof *sorted);
        memcpy(sorted, sets[s].values, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, by_size);
        if (s == 0) {
            double spread = (double)sorted[3 * n / 4] - (double)sorted[n / 4];
            a.centre = (double)sorted[n / 2];
            a.scale = spread > 0.0 ? spread / 2 : 1e-3 + fabs(a.centre) / 100;
        }
        a.low = fmin(a.low, place(&a, (double)sorted[cut]));
        a.high = fmax(a.high, place(&a, (double)sorted[n - 1 - cut]));
        free(sorted);
    }
    a.low -= 0.05 * (a.high - a.low) + 1e-3;
    a.high += 0.05 * (a.high - a.low) + 1e-3;
    return a;
}

/* Heights of the bars; the tallest is 1. */
static void count_bins(const histogram_set *set, const axis *a,
                       double *heights)
{
    double tallest = 0.0;
    memset(heights, 0, BINS * sizeof *heights);
    for (size_t i = 0; i < set->count; i++) {
        double bin = (x_pixel(a, (double)set->values[i]) - LEFT) / BAR;
        bin = fmin(fmax(floor(bin), 0.0), BINS - 1.0);
        tallest = fmax(tallest, ++heights[(int)bin]);
    }
    for (int i = 0; i < BINS; i++)
        heights[i] /= tallest;
}

/* One tick where there is room for it; `taken` are the pixels of those that
   are there. Returns the new number of them. */
static int draw_tick(canvas *c, const axis *a, double value, double *taken,
                     int ticks)
{
    double x = x_pixel(a, value), rows = c->height - BOTTOM;
    char text[32];
    if (ticks == TICKS || x < LEFT || x > LEFT + BINS * BAR)
        return ticks;
    for (int i = 0; i < ticks; i++) {
        if (fabs(taken[i] - x) < 70.0)
            return ticks;
    }
    snprintf(text, sizeof text, "%g", value);
    canvas_segment(c, (double[]){x, TOP}, (double[]){x, rows}, 1.0, grid);
    canvas_text(c, (int)x - canvas_text_width(text) / 2,
                c->height - BOTTOM + 8, text, ink);
    taken[ticks] = x;
    return ticks + 1;
}

/* 0 if it is in sight, then powers of ten from the largest on, then those
   times 5 and 2: every one that has room. */
static void draw_axis(canvas *c, const axis *a, const char *x_label)
{
    static const double digits[] = {1, 5, 2};
    double taken[TICKS];
    int ticks = draw_tick(c, a, 0.0, taken, 0);
    for (int d = 0; d < 3; d++) {
        for (int power = 30; power >= -6; power--) {
            double value = digits[d] * pow(10.0, power);
            ticks = draw_tick(c, a, value, taken, ticks);
            ticks = draw_tick(c, a, -value, taken, ticks);
        }
    }
    canvas_text(c, LEFT + (BINS * BAR - canvas_text_width(x_label)) / 2,
                c->height - BOTTOM + 44, x_label, ink);
}

static void draw_row(canvas *c, int row, const histogram_set *set,
                     const double *heights, const double *outline)
{
    int floor_y = TOP + (row + 1) * ROW - GAP, room = ROW - GAP - 8;
    for (int i = 0; i < BINS; i++) {
        double top = floor_y - heights[i] * room;
        for (int x = 0; x < BAR; x++) {
            for (int y = (int)top; y < floor_y; y++)
                canvas_blend(c, LEFT + i * BAR + x, y, set->colour,
                             y + 1 - top);
        }
    }
    for (int i = 0; i < BINS; i++) {
        double y = floor_y - outline[i] * room;
        double last = i > 0 ? floor_y - outline[i - 1] * room : floor_y;
        double x = LEFT + i * BAR;
        canvas_segment(c, (double[]){x, last}, (double[]){x, y}, 1.0, ink);
        canvas_segment(c, (double[]){x, y}, (double[]){x + BAR, y}, 1.0, ink);
    }
    canvas_segment(c, (double[]){LEFT, floor_y},
                   (double[]){WIDTH - RIGHT, floor_y}, 1.0, ink);
    int line = FONT_HEIGHT * CANVAS_ZOOM + 8;
    canvas_text(c, LEFT - 14 - canvas_text_width(set->name),
                floor_y - 2 * line, set->name, ink);
    canvas_text(c, LEFT - 14 - canvas_text_width(set->note), floor_y - line,
                set->note, ink);
}

ebm_status histogram_write(ebm_context *context, const char *path,
                           const char *title, const char *x_label,
                           const histogram_set *sets, size_t count)
{
    double outline[BINS], heights[BINS];
    axis a = fit_axis(sets, count);
    canvas c = canvas_create(WIDTH, TOP + (int)count * ROW + BOTTOM);
    draw_axis(&c, &a, x_label);
    canvas_text(&c, LEFT, TOP / 2 - FONT_HEIGHT, title, ink);
    count_bins(&sets[0], &a, outline);
    for (size_t i = 0; i < count; i++) {
        count_bins(&sets[i], &a, heights);
        draw_row(&c, (int)i, &sets[i], heights, outline);
    }
    ebm_status status =
        ebm_image_write_png(context, path, c.pixels, (size_t)c.height,
                            (size_t)c.width, 3, 0.0, 1.0);
    canvas_free(&c);
    return status;
}
