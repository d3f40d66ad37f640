/*
 * What norms do to an image of [positions, channels]: sums over the positions
 * of each channel, and affine combinations with coefficients per channel.
 *
 * Each channel is summed by itself and in the order of the positions, a few of
 * them in float and those sums in double. So the bits do not depend on the
 * width of the vectors, and the error not on the size of the image: it is
 * that of a sum of BLOCK numbers.
 */
#include "kernel/variant/part.h"
#include "kernel/variant/variant.h"

enum {
    BLOCK = 16, /* positions that are summed in float */
    STRIP = 4   /* vectors of channels that are summed together */
};

/* What is added up over the positions. */
typedef enum term {
    TERM_VALUE,   /* a */
    TERM_SQUARE,  /* (a - b)^2, where b is a row of means */
    TERM_PRODUCTS /* a and a b */
} term;

/* The sums of `count` vectors of channels, or of `left` < VEC_LANES channels
   when not whole. Inlined for each term and count, so the running sums are in
   registers. */
static inline __attribute__((always_inline)) void
strip_sums(const term what, const size_t count, const int whole, size_t left,
           size_t rows, size_t channels, const float *a, const float *b,
           double *sum, double *product_sum)
{
    const size_t lanes = whole ? count * VEC_LANES : left;
    double total[STRIP * VEC_LANES] = {0};
    double product_total[STRIP * VEC_LANES] = {0};
    vec mean[STRIP];
    for (size_t k = 0; k < count && what == TERM_SQUARE; k++)
        mean[k] = vec_load_some(whole, left, b + k * VEC_LANES);
    for (size_t r = 0; r < rows; r += BLOCK) {
        size_t end = rows - r < BLOCK ? rows : r + BLOCK;
        vec s[STRIP], p[STRIP];
        for (size_t k = 0; k < count; k++)
            s[k] = p[k] = vec_all(0);
        for (size_t i = r; i < end; i++)
            for (size_t k = 0; k < count; k++) {
                size_t at = i * channels + k * VEC_LANES;
                vec v = vec_load_some(whole, left, a + at);
                if (what == TERM_SQUARE) {
                    v -= mean[k];
                    v *= v;
                }
                s[k] += v;
                if (what == TERM_PRODUCTS)
                    p[k] += v * vec_load_some(whole, left, b + at);
            }
        float part[STRIP * VEC_LANES];
        for (size_t k = 0; k < count; k++)
            vec_store(part + k * VEC_LANES, s[k]);
        for (size_t c = 0; c < count * VEC_LANES; c++)
            total[c] += (double)part[c];
        for (size_t k = 0; k < count && what == TERM_PRODUCTS; k++)
            vec_store(part + k * VEC_LANES, p[k]);
        for (size_t c = 0; c < count * VEC_LANES && what == TERM_PRODUCTS; c++)
            product_total[c] += (double)part[c];
    }
    memcpy(sum, total, lanes * sizeof *sum);
    if (what == TERM_PRODUCTS)
        memcpy(product_sum, product_total, lanes * sizeof *product_sum);
}

static inline __attribute__((always_inline)) void
sums(const term what, size_t rows, size_t channels, const float *a,
     const float *b, double *sum, double *product_sum)
{
    size_t c = 0;
    double *unused = sum; /* where there are no products */
    double *other = what == TERM_PRODUCTS ? product_sum : unused;
    for (; c + STRIP * VEC_LANES <= channels; c += STRIP * VEC_LANES)
        strip_sums(what, STRIP, 1, 0, rows, channels, a + c, b + c, sum + c,
                   other + c);
    for (; c + VEC_LANES <= channels; c += VEC_LANES)
        strip_sums(what, 1, 1, 0, rows, channels, a + c, b + c, sum + c,
                   other + c);
    if (c < channels)
        strip_sums(what, 1, 0, channels - c, rows, channels, a + c, b + c,
                   sum + c, other + c);
}

void EBM_KERNEL(channel_sums)(size_t rows, size_t channels, const float *x,
                              double *sum)
{
    sums(TERM_VALUE, rows, channels, x, x, sum, NULL);
}

void EBM_KERNEL(channel_squares)(size_t rows, size_t channels, const float *x,
                                 const float *mean, double *sum)
{
    sums(TERM_SQUARE, rows, channels, x, mean, sum, NULL);
}

void EBM_KERNEL(channel_products)(size_t rows, size_t channels, const float *a,
                                  const float *b, double *sum,
                                  double *product_sum)
{
    sums(TERM_PRODUCTS, rows, channels, a, b, sum, product_sum);
}

/* The bodies of the following loops: channels from c on, of one position. */
static inline void normalise_some(int whole, size_t left,
                                  const ebm_norm_rows *n, size_t c, size_t at,
                                  float *x, float *normal)
{
    vec v = vec_load_some(whole, left, x + at);
    v = (v - vec_load_some(whole, left, n->mean + c)) *
        vec_load_some(whole, left, n->scale + c);
    vec_store_some(whole, left, normal + at, v);
    vec_store_some(whole, left, x + at,
                   v * vec_load_some(whole, left, n->gain + c) +
                       vec_load_some(whole, left, n->bias + c));
}

void EBM_KERNEL(normalise)(size_t rows, size_t channels,
                           const ebm_norm_rows *norm, float *x, float *normal)
{
    const ebm_norm_rows n = *norm; /* a copy no store can change */
    for (size_t r = 0, at = 0; r < rows; r++, at += channels) {
        size_t c = 0;
        for (; c + VEC_LANES <= channels; c += VEC_LANES)
            normalise_some(1, 0, &n, c, at + c, x, normal);
        if (c < channels)
            normalise_some(0, channels - c, &n, c, at + c, x, normal);
    }
}

static inline void combine_some(int whole, size_t left,
                                const ebm_combination *k, size_t c, size_t at,
                                const float *a, const float *b, float *to)
{
    vec v = vec_load_some(whole, left, k->a + c) *
                vec_load_some(whole, left, a + at) +
            vec_load_some(whole, left, k->b + c) *
                vec_load_some(whole, left, b + at);
    vec_store_some(whole, left, to + at,
                   v + vec_load_some(whole, left, k->constant + c));
}

void EBM_KERNEL(combine)(size_t rows, size_t channels,
                         const ebm_combination *combination, const float *a,
                         const float *b, float *to)
{
    const ebm_combination k = *combination;
    for (size_t r = 0, at = 0; r < rows; r++, at += channels) {
        size_t c = 0;
        for (; c + VEC_LANES <= channels; c += VEC_LANES)
            combine_some(1, 0, &k, c, at + c, a, b, to);
        if (c < channels)
            combine_some(0, channels - c, &k, c, at + c, a, b, to);
    }
}
