#include "landscape.h"

#include <math.h>
#include <stdlib.h>

#include "canvas.h"
#include "try.h"

enum { SIDE = 420, GAP = 12 };

static const float ink[3] = {0.2f, 0.2f, 0.2f};
static const float deep[3] = {0.12f, 0.28f, 0.52f};

void landscape_begin(landscape *l, size_t panels, double reach)
{
    *l = (landscape){.panels = panels, .reach = reach};
    l->canvas = canvas_create((int)panels * (SIDE + GAP) - GAP, SIDE);
}

static double column_of(const landscape *l, size_t panel, double x)
{
    return (double)panel * (SIDE + GAP) + (x / l->reach + 1) * SIDE / 2;
}

static double row_of(const landscape *l, double y)
{
    return (1 - y / l->reach) * SIDE / 2;
}

/* Whether a point is within the panel: ways do not run into the next. */
static int in_sight(const landscape *l, const float *point)
{
    return fabsf(point[0]) < l->reach && fabsf(point[1]) < l->reach;
}

void landscape_density(landscape *l, size_t panel, ebm_context *context,
                       const ebm_model *model)
{
    enum { COUNT = SIDE * SIDE };
    float *x = try_allocate(2 * COUNT, sizeof *x);
    float *energy = try_allocate(COUNT, sizeof *energy);
    for (int i = 0; i < COUNT; i++) {
        x[2 * i] = (float)(((i % SIDE + 0.5) * 2 / SIDE - 1) * l->reach);
        x[2 * i + 1] = (float)((1 - (i / SIDE + 0.5) * 2 / SIDE) * l->reach);
    }
    TRY(ebm_model_energy(model, x, NULL, COUNT, energy));
    double lowest = INFINITY;
    for (int i = 0; i < COUNT; i++)
        lowest = fmin(lowest, (double)energy[i]);
    for (int i = 0; i < COUNT; i++)
        canvas_blend(&l->canvas, (int)panel * (SIDE + GAP) + i % SIDE,
                     i / SIDE, deep, exp(lowest - (double)energy[i]));
    free(energy);
    free(x);
}

void landscape_points(landscape *l, size_t panel, const float *points,
                      size_t n, const float *colour)
{
    for (size_t i = 0; i < n; i++) {
        const float *p = points + 2 * i;
        double at[2] = {column_of(l, panel, (double)p[0]),
                        row_of(l, (double)p[1])};
        if (in_sight(l, p))
            canvas_segment(&l->canvas, at, at, 2.5, colour);
    }
}

void landscape_way(landscape *l, size_t panel, const float *points, size_t n,
                   const float *colour)
{
    for (size_t i = 1; i < n; i++) {
        const float *p = points + 2 * (i - 1), *q = p + 2;
        double a[2] = {column_of(l, panel, (double)p[0]),
                       row_of(l, (double)p[1])};
        double b[2] = {column_of(l, panel, (double)q[0]),
                       row_of(l, (double)q[1])};
        if (in_sight(l, p) && in_sight(l, q))
            canvas_segment(&l->canvas, a, b, 1.2, colour);
    }
}

void landscape_title(landscape *l, size_t panel, const char *text)
{
    canvas_text(&l->canvas, (int)panel * (SIDE + GAP) + 8, 8, text, ink);
}

ebm_status landscape_write(landscape *l, ebm_context *context,
                           const char *path)
{
    const canvas *c = &l->canvas;
    ebm_status status =
        ebm_image_write_png(context, path, c->pixels, (size_t)c->height,
                            (size_t)c->width, 3, 0.0, 1.0);
    canvas_free(&l->canvas);
    return status;
}
