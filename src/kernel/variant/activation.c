/*
 * Activations. Forward replaces the pre-activation by the activation and
 * leaves the derivative behind, so backward is one multiplication and no
 * transcendental function is computed twice.
 */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

/* swish(x) = x s, s = 1 / (1 + exp(-x)); swish' = s + swish (1 - s). Large
   negative x: exp overflows to infinity, s is 0, and both vanish. */
void EBM_KERNEL(swish)(size_t n, float *x, float *slope)
{
    const vec one = vec_all(1.0f);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec v = vec_load(x + i);
        vec s = one / (one + vec_exp(-v));
        vec y = v * s;
        vec_store(x + i, y);
        vec_store(slope + i, s + y * (one - s));
    }
}

void EBM_KERNEL(leaky_relu)(size_t n, float leak, float *x, float *slope)
{
    const vec one = vec_all(1.0f), low = vec_all(leak);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec v = vec_load(x + i);
        vec d = vec_select(v > 0, one, low);
        vec_store(x + i, v * d);
        vec_store(slope + i, d);
    }
}

void EBM_KERNEL(multiply)(size_t n, const float *slope, float *g)
{
    for (size_t i = 0; i < n; i += VEC_LANES)
        vec_store(g + i, vec_load(g + i) * vec_load(slope + i));
}

/* swish'' = s (1 - s) (2 + x (1 - 2 s)). For large negative x the product
   s x vanishes before it overflows, as s is 0 exactly from about -89 on. */
void EBM_KERNEL(swish_tangent)(size_t n, float *x, float *slope, float *t,
                               float *bend)
{
    const vec one = vec_all(1.0f);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec v = vec_load(x + i), tangent = vec_load(t + i);
        vec s = one / (one + vec_exp(-v));
        vec y = v * s, rest = one - s;
        vec first = s + y * rest;
        vec second = rest * (2.0f * s + y * (one - 2.0f * s));
        vec_store(x + i, y);
        vec_store(slope + i, first);
        vec_store(bend + i, second * tangent);
        vec_store(t + i, first * tangent);
    }
}

void EBM_KERNEL(bend_multiply)(size_t n, const float *slope, const float *bend,
                               float *g, float *tg)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec d = vec_load(slope + i), gradient = vec_load(g + i);
        vec_store(tg + i,
                  vec_load(tg + i) * d + gradient * vec_load(bend + i));
        vec_store(g + i, gradient * d);
    }
}

void EBM_KERNEL(scale_rows)(size_t rows, size_t columns, const float *scale,
                            const float *from, float *to)
{
    for (size_t r = 0; r < rows; r++) {
        const float *a = from + r * columns;
        float *b = to + r * columns;
        for (size_t c = 0; c < columns; c++)
            b[c] = scale[r] * a[c];
    }
}
