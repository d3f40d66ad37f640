/*
 * The transforms of Winograd's minimal filtering, F(m x m, 3 x 3), and their
 * adjoints. For m outputs of a filter of three taps, in one dimension,
 *
 *     y = A^T [(G g) (B^T d)],   d of m + 2 inputs,
 *
 * and in two dimensions each transform is applied to columns and rows. The
 * matrices are those of the points 0, 1, -1, (2, -2,) infinity (Winograd 1980,
 * "Arithmetic Complexity of Computations"; Lavin and Gray 2016, "Fast
 * Algorithms for Convolutional Neural Networks", section 4). The products in
 * brackets, summed over channels, are matrix products and not done here.
 *
 * Lanes are channels. What is transformed lies in `edge`^2 planes, edge =
 * m + 2, each a matrix of tiles times channels.
 */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

enum { MOST = 6 };

/* B^T d. */
static inline void input_line(size_t edge, const vec *d, vec *t)
{
    if (edge == 4) {
        t[0] = d[0] - d[2];
        t[1] = d[1] + d[2];
        t[2] = d[2] - d[1];
        t[3] = d[1] - d[3];
        return;
    }
    vec even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
    vec wide = d[4] - d[2], far = 2.0f * (d[3] - d[1]);
    t[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = wide + far;
    t[4] = wide - far;
    t[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}

/* B t. */
static inline void input_line_back(size_t edge, const vec *t, vec *d)
{
    if (edge == 4) {
        d[0] = t[0];
        d[1] = t[1] - t[2] + t[3];
        d[2] = t[1] + t[2] - t[0];
        d[3] = -t[3];
        return;
    }
    vec near = t[1] + t[2], slope = t[1] - t[2];
    vec far = t[3] + t[4], steep = 2.0f * (t[3] - t[4]);
    d[0] = 4.0f * t[0];
    d[1] = 4.0f * (t[5] - slope) - steep;
    d[2] = -5.0f * t[0] - 4.0f * near - far;
    d[3] = slope + steep - 5.0f * t[5];
    d[4] = t[0] + near + far;
    d[5] = t[5];
}

/* A^T t. */
static inline void output_line(size_t edge, const vec *t, vec *y)
{
    if (edge == 4) {
        y[0] = t[0] + t[1] + t[2];
        y[1] = t[1] - t[2] - t[3];
        return;
    }
    vec near = t[1] + t[2], slope = t[1] - t[2];
    vec far = t[3] + t[4], steep = t[3] - t[4];
    y[0] = t[0] + near + far;
    y[1] = slope + 2.0f * steep;
    y[2] = near + 4.0f * far;
    y[3] = slope + 8.0f * steep + t[5];
}

/* A y. */
static inline void output_line_back(size_t edge, const vec *y, vec *t)
{
    if (edge == 4) {
        t[0] = y[0];
        t[1] = y[0] + y[1];
        t[2] = y[0] - y[1];
        t[3] = -y[1];
        return;
    }
    vec even = y[0] + y[2], odd = y[1] + y[3];
    vec wide = y[0] + 4.0f * y[2], far = 2.0f * y[1] + 8.0f * y[3];
    t[0] = y[0];
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = wide + far;
    t[4] = wide - far;
    t[5] = y[3];
}

/* G g. */
static inline void weight_line(size_t edge, const vec *g, vec *t)
{
    if (edge == 4) {
        vec outer = 0.5f * (g[0] + g[2]), inner = 0.5f * g[1];
        t[0] = g[0];
        t[1] = outer + inner;
        t[2] = outer - inner;
        t[3] = g[2];
        return;
    }
    vec near = (g[0] + g[2]) * (-1.0f / 6), slope = g[1] * (-1.0f / 6);
    vec far = g[0] * (1.0f / 24) + g[2] * (1.0f / 6), steep = g[1] / 12.0f;
    t[0] = 0.25f * g[0];
    t[1] = near + slope;
    t[2] = near - slope;
    t[3] = far + steep;
    t[4] = far - steep;
    t[5] = g[2];
}

/* G^T t. */
static inline void weight_line_back(size_t edge, const vec *t, vec *g)
{
    if (edge == 4) {
        vec both = 0.5f * (t[1] + t[2]);
        g[0] = t[0] + both;
        g[1] = 0.5f * (t[1] - t[2]);
        g[2] = both + t[3];
        return;
    }
    vec near = (t[1] + t[2]) * (-1.0f / 6), far = t[3] + t[4];
    g[0] = 0.25f * t[0] + near + far * (1.0f / 24);
    g[1] = (t[1] - t[2]) * (-1.0f / 6) + (t[3] - t[4]) / 12.0f;
    g[2] = near + far * (1.0f / 6) + t[5];
}

typedef void line_fn(size_t edge, const vec *from, vec *to);

/* Columns, then rows, of a square: [n][n] -> [m][m]. */
static inline __attribute__((always_inline)) void
transform(line_fn *line, size_t edge, size_t n, size_t m, vec from[MOST][MOST],
          vec to[MOST][MOST])
{
    vec turned[MOST][MOST]; /* [column][row] */
    for (size_t j = 0; j < n; j++) {
        vec column[MOST];
        for (size_t i = 0; i < n; i++)
            column[i] = from[i][j];
        line(edge, column, turned[j]);
    }
    for (size_t i = 0; i < m; i++) {
        vec row[MOST];
        for (size_t j = 0; j < n; j++)
            row[j] = turned[j][i];
        line(edge, row, to[i]);
    }
}

/* A tile of an image: where it begins, and how much of it is inside. */
typedef struct window {
    size_t first[2], end[2]; /* rows and columns of the tile inside */
    float *corner;           /* pixel (first[0], first[1]) */
} window;

/* Pixels `edge` by `edge` from (top, left) on, which may be negative. */
static inline window window_at(float *image, size_t height, size_t width,
                               size_t channels, ptrdiff_t top, ptrdiff_t left,
                               size_t edge)
{
    window w;
    const ptrdiff_t at[2] = {top, left};
    const size_t size[2] = {height, width};
    for (int k = 0; k < 2; k++) {
        ptrdiff_t room = (ptrdiff_t)size[k] - at[k];
        w.first[k] = at[k] < 0 ? (size_t)-at[k] : 0;
        w.end[k] =
            room < (ptrdiff_t)edge ? (size_t)(room < 0 ? 0 : room) : edge;
        if (w.end[k] < w.first[k])
            w.end[k] = w.first[k];
    }
    ptrdiff_t y = top + (ptrdiff_t)w.first[0];
    ptrdiff_t x = left + (ptrdiff_t)w.first[1];
    int inside = w.first[0] < w.end[0] && w.first[1] < w.end[1];
    w.corner = image + (inside ? (size_t)y * width + (size_t)x : 0) * channels;
    return w;
}

static inline void read_window(const window *w, size_t width, size_t channels,
                               size_t c, size_t edge, vec to[MOST][MOST])
{
    for (size_t i = 0; i < edge; i++)
        for (size_t j = 0; j < edge; j++)
            to[i][j] = vec_all(0.0f);
    for (size_t i = w->first[0]; i < w->end[0]; i++) {
        const float *row =
            w->corner + (i - w->first[0]) * width * channels + c;
        for (size_t j = w->first[1]; j < w->end[1]; j++)
            to[i][j] = vec_load(row + (j - w->first[1]) * channels);
    }
}

static inline void write_window(const window *w, size_t width, size_t channels,
                                size_t c, vec from[MOST][MOST], int add)
{
    for (size_t i = w->first[0]; i < w->end[0]; i++) {
        float *row = w->corner + (i - w->first[0]) * width * channels + c;
        for (size_t j = w->first[1]; j < w->end[1]; j++) {
            float *to = row + (j - w->first[1]) * channels;
            vec_store(to, add ? vec_load(to) + from[i][j] : from[i][j]);
        }
    }
}

static inline void read_planes(const float *from, size_t plane, size_t edge,
                               vec to[MOST][MOST])
{
    for (size_t i = 0; i < edge; i++)
        for (size_t j = 0; j < edge; j++)
            to[i][j] = vec_load(from + (i * edge + j) * plane);
}

static inline void write_planes(float *to, size_t plane, size_t edge,
                                vec from[MOST][MOST])
{
    for (size_t i = 0; i < edge; i++)
        for (size_t j = 0; j < edge; j++)
            vec_store(to + (i * edge + j) * plane, from[i][j]);
}

/* What is done with each tile. */
enum { INPUT, INPUT_BACK, OUTPUT, OUTPUT_BACK };

static inline __attribute__((always_inline)) void
one_tile(int what, size_t edge, const window *w, size_t width, size_t channels,
         size_t plane, const float *bias, float *planes)
{
    vec a[MOST][MOST], b[MOST][MOST];
    size_t m = edge - 2;
    for (size_t c = 0; c < channels; c += VEC_LANES) {
        float *at = planes + c;
        if (what == INPUT) {
            read_window(w, width, channels, c, edge, a);
            transform(input_line, edge, edge, edge, a, b);
            write_planes(at, plane, edge, b);
        } else if (what == INPUT_BACK) {
            read_planes(at, plane, edge, a);
            transform(input_line_back, edge, edge, edge, a, b);
            write_window(w, width, channels, c, b, 1);
        } else if (what == OUTPUT) {
            read_planes(at, plane, edge, a);
            transform(output_line, edge, edge, m, a, b);
            for (size_t i = 0; bias && i < m; i++)
                for (size_t j = 0; j < m; j++)
                    b[i][j] += vec_load(bias + c);
            write_window(w, width, channels, c, b, 0);
        } else {
            read_window(w, width, channels, c, m, a);
            transform(output_line_back, edge, m, edge, a, b);
            write_planes(at, plane, edge, b);
        }
    }
}

static inline __attribute__((always_inline)) void
all_tiles(int what, size_t edge, const ebm_winograd *w, size_t first,
          size_t count, float *image, const float *bias, float *planes)
{
    int inner = what == INPUT || what == INPUT_BACK;
    size_t height = inner ? w->height : w->out_height;
    size_t width = inner ? w->width : w->out_width;
    size_t channels = inner ? w->channels : w->out_channels;
    ptrdiff_t shift = inner ? -(ptrdiff_t)w->padding : 0;
    size_t m = edge - 2, across = (w->out_width + m - 1) / m;
    for (size_t k = first; k < first + count; k++, planes += channels) {
        window at =
            window_at(image, height, width, channels,
                      (ptrdiff_t)(k / across * m) + shift,
                      (ptrdiff_t)(k % across * m) + shift, inner ? edge : m);
        one_tile(what, edge, &at, width, channels, w->plane, bias, planes);
    }
}

#define BOTH_EDGES(what, first, count, image, bias, planes)           \
    do {                                                              \
        if (w->edge == 4)                                             \
            all_tiles(what, 4, w, first, count, image, bias, planes); \
        else                                                          \
            all_tiles(what, 6, w, first, count, image, bias, planes); \
    } while (0)

void EBM_KERNEL(winograd_input)(const ebm_winograd *w, size_t first,
                                size_t count, const float *image,
                                float *planes)
{
    BOTH_EDGES(INPUT, first, count, (float *)(uintptr_t)image, NULL, planes);
}

void EBM_KERNEL(winograd_input_back)(const ebm_winograd *w, size_t first,
                                     size_t count, const float *planes,
                                     float *image)
{
    BOTH_EDGES(INPUT_BACK, first, count, image, NULL,
               (float *)(uintptr_t)planes);
}

void EBM_KERNEL(winograd_output)(const ebm_winograd *w, size_t first,
                                 size_t count, const float *planes,
                                 const float *bias, float *image)
{
    BOTH_EDGES(OUTPUT, first, count, image, bias, (float *)(uintptr_t)planes);
}

void EBM_KERNEL(winograd_output_back)(const ebm_winograd *w, size_t first,
                                      size_t count, const float *image,
                                      float *planes)
{
    BOTH_EDGES(OUTPUT_BACK, first, count, (float *)(uintptr_t)image, NULL,
               planes);
}

static inline __attribute__((always_inline)) void
weights(size_t edge, const ebm_winograd_weights *w, const float *weight,
        float *planes)
{
    vec a[MOST][MOST], b[MOST][MOST];
    for (size_t r = 0; r < w->rows; r++)
        for (size_t c = 0; c < EBM_PANEL; c += VEC_LANES) {
            const float *from = weight + r * w->row_step + c;
            for (size_t i = 0; i < 3; i++)
                for (size_t j = 0; j < 3; j++)
                    a[i][j] = vec_load(from + (i * 3 + j) * w->tap_step);
            transform(weight_line, edge, 3, edge, a, b);
            write_planes(planes + r * EBM_PANEL + c, w->plane, edge, b);
        }
}

void EBM_KERNEL(winograd_weights)(const ebm_winograd_weights *w,
                                  const float *weight, float *planes)
{
    if (w->edge == 4)
        weights(4, w, weight, planes);
    else
        weights(6, w, weight, planes);
}

static inline __attribute__((always_inline)) void
weights_back(size_t edge, size_t n, const float *planes, float *weight)
{
    vec a[MOST][MOST], b[MOST][MOST];
    for (size_t k = 0; k < n; k += VEC_LANES) {
        read_planes(planes + k, n, edge, a);
        transform(weight_line_back, edge, edge, 3, a, b);
        for (size_t i = 0; i < 3; i++)
            for (size_t j = 0; j < 3; j++) {
                float *to = weight + (i * 3 + j) * n + k;
                vec_store(to, vec_load(to) + b[i][j]);
            }
    }
}

void EBM_KERNEL(winograd_weights_back)(size_t edge, size_t n,
                                       const float *planes, float *weight)
{
    if (edge == 4)
        weights_back(4, n, planes, weight);
    else
        weights_back(6, n, planes, weight);
}
