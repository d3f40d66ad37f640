/* Output heads: activations that are rarely anything but the last layer. */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

void EBM_KERNEL(square)(size_t n, float *x, float *slope)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec v = vec_load(x + i);
        vec_store(x + i, v * v);
        vec_store(slope + i, v + v);
    }
}

void EBM_KERNEL(square_tangent)(size_t n, float *x, float *slope, float *t,
                                float *bend)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec v = vec_load(x + i), tangent = vec_load(t + i);
        vec_store(x + i, v * v);
        vec_store(slope + i, v + v);
        vec_store(bend + i, tangent + tangent);
        vec_store(t + i, (v + v) * tangent);
    }
}

/* log(1 + exp(x)) = max(x, 0) + log1p(e), e = exp(-|x|), which can not
   overflow and keeps its digits where the result is small. The derivative is
   the sigmoid, 1 / (1 + e) or e / (1 + e), and returned. */
static inline vec softplus_of(vec v, vec *e, vec *y)
{
    const vec one = vec_all(1.0f), zero = vec_all(0.0f);
    *e = vec_exp(-vec_max(v, -v));
    *y = vec_max(v, zero) + vec_log1p(*e);
    return vec_select(v >= 0, one, *e) / (one + *e);
}

void EBM_KERNEL(softplus)(size_t n, float *x, float *slope)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec e, y, s = softplus_of(vec_load(x + i), &e, &y);
        vec_store(x + i, y);
        vec_store(slope + i, s);
    }
}

/* The second derivative is s (1 - s) = e / (1 + e)^2 on both sides of 0. */
void EBM_KERNEL(softplus_tangent)(size_t n, float *x, float *slope, float *t,
                                  float *bend)
{
    const vec one = vec_all(1.0f);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec e, y, s = softplus_of(vec_load(x + i), &e, &y);
        vec tangent = vec_load(t + i), rest = one + e;
        vec_store(x + i, y);
        vec_store(slope + i, s);
        vec_store(bend + i, e / (rest * rest) * tangent);
        vec_store(t + i, s * tangent);
    }
}
