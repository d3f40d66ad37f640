/*
 * Convolution without a column matrix: every output position gathers the
 * pixels under its kernel where they stand.
 *
 * A tile of rows (positions) times one panel of weights is held in registers
 * while the products run along the depth, so an image is read where it lies,
 * weights one after the other, and each sum is written once, bias included.
 * The order of a row's sum is that of its runs, whatever tile the row is in.
 */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

/* As many sums as hide the latency of a multiply-add and leave registers for
   a row of the panel and one pixel. */
#if defined(__AVX512F__)
enum { TILE = 12 };
#elif defined(__AVX2__)
enum { TILE = 6 };
#else
enum { TILE = 3 };
#endif
enum { VECTORS = EBM_PANEL / VEC_LANES, DOTS = 8, MOST_ROWS = 12 };

/* Where the rows of a tile begin, in a and y. */
typedef struct tile {
    const float *from[MOST_ROWS];
    float *to[MOST_ROWS];
} tile;

/* `rows` rows times a panel; rows is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void
multiply_tile(const ebm_gather *g, const tile *t, size_t rows,
              const float *panel, const float *bias, size_t column)
{
    vec sum[TILE][VECTORS];
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < VECTORS; v++)
            sum[r][v] =
                bias ? vec_load(bias + column + v * VEC_LANES) : vec_all(0.0f);
    for (size_t run = 0; run < g->runs; run++) {
        const float *w =
            panel + (g->first_weight + run * g->weight_step) * EBM_PANEL;
        size_t at = run * g->run_step;
        for (size_t end = at + g->length; at < end; at++, w += EBM_PANEL) {
            vec weight[VECTORS];
            for (size_t v = 0; v < VECTORS; v++)
                weight[v] = vec_load(w + v * VEC_LANES);
            for (size_t r = 0; r < rows; r++) {
                vec pixel = vec_all(t->from[r][at]);
                for (size_t v = 0; v < VECTORS; v++)
                    sum[r][v] = vec_fma(pixel, weight[v], sum[r][v]);
            }
        }
    }
    size_t left = g->columns - column;
    for (size_t r = 0; r < rows; r++) {
        float rest[EBM_PANEL];
        float *to = left < EBM_PANEL ? rest : t->to[r] + column;
        for (size_t v = 0; v < VECTORS; v++)
            vec_store(to + v * VEC_LANES, sum[r][v]);
        if (left < EBM_PANEL)
            memcpy(t->to[r] + column, rest, left * sizeof *rest);
    }
}

/* The same for any number of rows: a constant in each case. */
static void multiply_rows(const ebm_gather *g, const tile *t, size_t rows,
                          const float *panel, const float *bias, size_t column)
{
#define ROWS(n)                                      \
    case n:                                          \
        multiply_tile(g, t, n, panel, bias, column); \
        break;
    switch (rows) {
        ROWS(1)
        ROWS(2)
        ROWS(3)
#if defined(__AVX2__)
        ROWS(4)
        ROWS(5)
        ROWS(6)
#endif
#if defined(__AVX512F__)
        ROWS(7)
        ROWS(8)
        ROWS(9)
        ROWS(10)
        ROWS(11)
        ROWS(12)
#endif
    default:
        break;
    }
#undef ROWS
}

/* The positions of a rectangle of all samples, x fastest. */
typedef struct place {
    size_t sample, y, x;
} place;

static inline int next_place(const ebm_gather *g, place *p)
{
    if (++p->x < g->width)
        return 1;
    p->x = 0;
    if (++p->y < g->height)
        return 1;
    p->y = 0;
    return ++p->sample < g->samples;
}

static inline void put_row(const ebm_gather *g, const place *p, const float *a,
                           float *y, tile *t, size_t r)
{
    t->from[r] =
        a + p->sample * g->in_sample + p->y * g->in_row + p->x * g->in_column;
    t->to[r] = y + p->sample * g->out_sample + p->y * g->out_row +
               p->x * g->out_column;
}

/* Fills a tile of at most `most` rows from place p on. */
static inline size_t next_tile(const ebm_gather *g, const float *a, float *y,
                               size_t most, place *p, int *more, tile *t)
{
    size_t rows = 0;
    for (; rows < most && *more; rows++) {
        put_row(g, p, a, y, t, rows);
        *more = next_place(g, p);
    }
    return rows;
}

void EBM_KERNEL(gather)(const ebm_gather *gather, const float *a,
                        const float *panels, const float *bias, float *y)
{
    const ebm_gather g = *gather;
    place p = {0, 0, 0};
    int more = g.samples && g.height && g.width;
    while (more) {
        tile t = {{0}, {0}};
        size_t rows = next_tile(&g, a, y, TILE, &p, &more, &t);
        const float *panel = panels;
        for (size_t c = 0; c < g.columns; c += EBM_PANEL) {
            multiply_rows(&g, &t, rows, panel, bias, c);
            panel += g.depth * EBM_PANEL;
        }
    }
}

/* A sum along the vectors of a row, for `rows` rows at once. */
static inline __attribute__((always_inline)) void
dot_tile(const ebm_gather *g, const tile *t, size_t rows, const float *weights,
         size_t column)
{
    vec sum[DOTS];
    for (size_t r = 0; r < rows; r++)
        sum[r] = vec_all(0.0f);
    for (size_t run = 0; run < g->runs; run++) {
        const float *w = weights + g->first_weight + run * g->weight_step;
        size_t at = run * g->run_step;
        for (size_t k = 0; k < g->length; k += VEC_LANES) {
            vec weight = vec_load(w + k);
            for (size_t r = 0; r < rows; r++)
                sum[r] =
                    vec_fma(vec_load(t->from[r] + at + k), weight, sum[r]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        t->to[r][column] = vec_sum(sum[r]);
}

void EBM_KERNEL(gather_dots)(const ebm_gather *gather, const float *a,
                             const float *weights, float *y)
{
    const ebm_gather g = *gather;
    place p = {0, 0, 0};
    int more = g.samples && g.height && g.width;
    while (more) {
        tile t = {{0}, {0}};
        size_t rows = next_tile(&g, a, y, DOTS, &p, &more, &t);
        for (size_t r = rows; r < DOTS; r++) { /* the first once more */
            t.from[r] = t.from[0];
            t.to[r] = t.to[0];
        }
        for (size_t c = 0; c < g.columns; c++)
            dot_tile(&g, &t, DOTS, weights + c * g.depth, c);
    }
}
