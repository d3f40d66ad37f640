/*
 * Softmax over the rows of a matrix, p = exp(s - max s) / sum exp(s - max s),
 * and what first and second derivatives make of it:
 *
 *     J g = p (g - <p, g>), which is symmetric,
 *     (J g)' = p' (g - <p, g>) + p (g' - <p', g> - <p, g'>).
 *
 * Rows are whole vectors; behind the columns stands 0 wherever a sum runs, so
 * that it is no other sum than the one over the columns.
 */
#include <math.h>

#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

static inline void fill_rest(size_t columns, size_t stride, float value,
                             float *row)
{
    for (size_t c = columns; c < stride; c++)
        row[c] = value;
}

void EBM_KERNEL(softmax)(size_t rows, size_t columns, size_t stride, float *s)
{
    for (size_t r = 0; r < rows; r++) {
        float *row = s + r * stride;
        fill_rest(columns, stride, -INFINITY, row);
        vec most = vec_all(-INFINITY), sum = vec_all(0);
        for (size_t c = 0; c < stride; c += VEC_LANES)
            most = vec_max(most, vec_load(row + c));
        vec largest = vec_all(vec_largest(most));
        for (size_t c = 0; c < stride; c += VEC_LANES) {
            vec e = vec_exp(vec_load(row + c) - largest);
            sum += e;
            vec_store(row + c, e);
        }
        /* The largest term is 1, so the sum is no smaller. */
        vec scale = vec_all(1.0f / vec_sum(sum));
        for (size_t c = 0; c < stride; c += VEC_LANES)
            vec_store(row + c, vec_load(row + c) * scale);
    }
}

static inline float row_dot(size_t stride, const float *a, const float *b)
{
    vec sum = vec_all(0);
    for (size_t c = 0; c < stride; c += VEC_LANES)
        sum += vec_load(a + c) * vec_load(b + c);
    return vec_sum(sum);
}

void EBM_KERNEL(softmax_slope)(size_t rows, size_t columns, size_t stride,
                               const float *p, float *g)
{
    for (size_t r = 0; r < rows; r++) {
        const float *from = p + r * stride;
        float *row = g + r * stride;
        fill_rest(columns, stride, 0, row);
        vec mean = vec_all(row_dot(stride, from, row));
        for (size_t c = 0; c < stride; c += VEC_LANES)
            vec_store(row + c,
                      vec_load(from + c) * (vec_load(row + c) - mean));
    }
}

void EBM_KERNEL(softmax_bend)(size_t rows, size_t columns, size_t stride,
                              const float *p, const float *tp, float *g,
                              float *tg)
{
    for (size_t r = 0; r < rows; r++) {
        const float *from = p + r * stride, *tangent = tp + r * stride;
        float *row = g + r * stride, *trow = tg + r * stride;
        fill_rest(columns, stride, 0, row);
        fill_rest(columns, stride, 0, trow);
        vec mean = vec_all(row_dot(stride, from, row));
        vec tmean = vec_all(row_dot(stride, tangent, row) +
                            row_dot(stride, from, trow));
        for (size_t c = 0; c < stride; c += VEC_LANES) {
            vec q = vec_load(from + c), tq = vec_load(tangent + c);
            vec centred = vec_load(row + c) - mean;
            vec_store(trow + c,
                      tq * centred + q * (vec_load(trow + c) - tmean));
            vec_store(row + c, q * centred);
        }
    }
}
