/*
 * The warp itself. Each channel becomes a plane of samples, or of spline
 * coefficients, with a frame of what lies beyond its edges, so that reading
 * between pixels asks nothing. The plane is turned round, x slow: both axes
 * are filtered along the first one and it is turned only once.
 */
#include "core/memory.h"
#include "transition/elastic.h"

#include <string.h>

/* FRAME: the taps of a cubic spline beyond the outermost place. BORDER: how
   far the samples go on before the spline is fitted if its edge is NEAREST,
   as in SciPy; the pole's power 12 is 1e-7. */
enum { FRAME = 2, BORDER = 12 };

typedef struct warp {
    ebm_edge edge;
    size_t border;
    size_t height, width; /* borders included */
    size_t row;           /* of the samples, y slow */
    size_t turned_row;    /* of the framed plane, x slow */
    size_t pixels;        /* of the map, rows padded */
    float *u, *v, *out;   /* [pixels] */
    int32_t *outside;     /* [pixels] */
    float *samples, *plane, *map;
} warp;

static size_t lay_out(warp *w, const ebm_elastic *elastic, size_t height,
                      size_t width, float *scratch)
{
    static const ebm_edge edges[] = {[EBM_BOUNDARY_CONSTANT] =
                                         EBM_EDGE_CONSTANT,
                                     [EBM_BOUNDARY_NEAREST] = EBM_EDGE_NEAREST,
                                     [EBM_BOUNDARY_REFLECT] = EBM_EDGE_REFLECT,
                                     [EBM_BOUNDARY_MIRROR] = EBM_EDGE_MIRROR,
                                     [EBM_BOUNDARY_WRAP] = EBM_EDGE_WRAP};
    w->edge = edges[elastic->boundary];
    w->border = w->edge == EBM_EDGE_NEAREST &&
                        elastic->interpolation == EBM_INTERPOLATION_CUBIC
                    ? BORDER
                    : 0;
    w->height = height + 2 * w->border;
    w->width = width + 2 * w->border;
    w->row = ebm_round_up(w->width, EBM_LANES);
    w->turned_row = ebm_round_up(w->height + 2 * FRAME, EBM_LANES);
    w->pixels = height * ebm_round_up(width, EBM_LANES);
    size_t samples = w->height * w->row;
    size_t plane = (w->width + 2 * FRAME) * w->turned_row;
    if (scratch) {
        w->u = scratch;
        w->v = w->u + w->pixels;
        w->out = w->v + w->pixels;
        w->outside = (int32_t *)(void *)(w->out + w->pixels);
        w->samples = w->out + 2 * w->pixels;
        w->plane = w->samples + samples;
        w->map = w->plane + plane;
    }
    return 4 * w->pixels + samples + plane +
           ebm_elastic_map_scratch(elastic->points, width);
}

size_t ebm_elastic_scratch(const ebm_elastic *elastic, size_t height,
                           size_t width)
{
    warp w = {0};
    return lay_out(&w, elastic, height, width, NULL);
}

/* Which of the samples 0 to n - 1 stands at i, -FRAME <= i < n + FRAME. */
static size_t seen_at(ptrdiff_t i, size_t n, ebm_edge edge)
{
    const ptrdiff_t end = (ptrdiff_t)n - 1;
    ptrdiff_t period = 2 * end;
    if (edge == EBM_EDGE_NEAREST || n == 1)
        return (size_t)(i < 0 ? 0 : i > end ? end : i);
    if (edge == EBM_EDGE_WRAP)
        return (size_t)((i + 2 * (end + 1)) % (end + 1));
    if (edge == EBM_EDGE_REFLECT) {
        period = 2 * (end + 1);
        i = (i + period) % period;
        return (size_t)(i > end ? period - 1 - i : i);
    }
    i = (i + 2 * period) % period;
    return (size_t)(i > end ? period - i : i);
}

/* One channel, with its border. */
static void take_samples(const warp *w, const ebm_transition_shape *shape,
                         const float *image)
{
    const size_t c = shape->channels, b = w->border;
    for (size_t y = 0; y < w->height; y++) {
        size_t from = y < b ? 0 : y - b;
        from = from < shape->height ? from : shape->height - 1;
        const float *source = image + from * shape->width * c;
        float *to = w->samples + y * w->row;
        for (size_t x = 0; x < shape->width; x++)
            to[b + x] = source[x * c];
        for (size_t x = 0; x < b; x++) {
            to[x] = to[b];
            to[b + shape->width + x] = to[b + shape->width - 1];
        }
        memset(to + w->width, 0, (w->row - w->width) * sizeof *to);
    }
}

/* Turns the plane round into the middle of the framed one and filters it. The
   frame's columns are filtered too, as what they are: zeros. */
static void turn(const warp *w, const ebm_kernels *kernels, int is_cubic,
                 ebm_edge edge)
{
    float *inner = w->plane + FRAME * w->turned_row;
    if (is_cubic)
        kernels->spline_filter(w->height, w->row, edge, w->samples);
    for (size_t x = 0; x < w->width; x++) {
        float *to = inner + x * w->turned_row;
        memset(to, 0, w->turned_row * sizeof *to);
        for (size_t y = 0; y < w->height; y++)
            to[FRAME + y] = w->samples[y * w->row + x];
    }
    if (is_cubic)
        kernels->spline_filter(w->width, w->turned_row, edge, inner);
}

static void fill_frame(const warp *w, ebm_edge edge)
{
    const size_t row = w->turned_row, last = w->height + FRAME;
    for (size_t x = 0; x < w->width; x++) {
        float *to = w->plane + (FRAME + x) * row;
        for (size_t k = 0; k < FRAME; k++) {
            to[k] = to[FRAME + seen_at((ptrdiff_t)k - FRAME, w->height, edge)];
            to[last + k] = to[FRAME + seen_at((ptrdiff_t)(w->height + k),
                                              w->height, edge)];
        }
    }
    for (size_t k = 0; k < FRAME; k++) {
        size_t before = seen_at((ptrdiff_t)k - FRAME, w->width, edge);
        size_t after = seen_at((ptrdiff_t)(w->width + k), w->width, edge);
        memcpy(w->plane + k * row, w->plane + (FRAME + before) * row,
               row * sizeof *w->plane);
        memcpy(w->plane + (FRAME + w->width + k) * row,
               w->plane + (FRAME + after) * row, row * sizeof *w->plane);
    }
}

static void warp_channel(const warp *w, ebm_interpolation interpolation,
                         const ebm_transition_shape *shape, float *image)
{
    const ebm_kernels *kernels = shape->kernels;
    const int is_cubic = interpolation == EBM_INTERPOLATION_CUBIC;
    const size_t row = ebm_round_up(shape->width, EBM_LANES);
    /* Nothing is read beyond a constant's edge, and mirroring suits its
       spline; a border has taken the place of the nearest sample. */
    ebm_edge edge = w->edge == EBM_EDGE_CONSTANT ? EBM_EDGE_MIRROR
                    : w->border                  ? EBM_EDGE_REFLECT
                                                 : w->edge;
    take_samples(w, shape, image);
    turn(w, kernels, is_cubic, edge);
    fill_frame(w, edge);
    size_t origin = (FRAME + w->border) * (w->turned_row + 1);
    (is_cubic                                    ? kernels->read_cubic
     : interpolation == EBM_INTERPOLATION_LINEAR ? kernels->read_linear
                                                 : kernels->read_nearest)(
        w->pixels, w->u, w->v, w->plane + origin, w->turned_row, w->out);
    kernels->finish_warp(w->pixels, w->outside, shape->minimum, shape->minimum,
                         shape->maximum, w->out);
    for (size_t y = 0; y < shape->height; y++)
        for (size_t x = 0; x < shape->width; x++)
            image[(y * shape->width + x) * shape->channels] =
                w->out[y * row + x];
}

size_t ebm_elastic_warp(const ebm_elastic *elastic,
                        const ebm_transition_shape *shape,
                        const float *controls, float *image, float *scratch)
{
    const ebm_kernels *kernels = shape->kernels;
    warp w = {0};
    lay_out(&w, elastic, shape->height, shape->width, scratch);
    size_t folds = ebm_elastic_map(kernels, elastic->points, shape->height,
                                   shape->width, controls, w.map, w.u, w.v);
    memset(w.outside, 0, w.pixels * sizeof *w.outside);
    kernels->place(w.pixels, w.edge, shape->width, w.border, w.u, w.outside);
    kernels->place(w.pixels, w.edge, shape->height, w.border, w.v, w.outside);
    for (size_t c = 0; c < shape->channels; c++)
        warp_channel(&w, elastic->interpolation, shape, image + c);
    return folds;
}
