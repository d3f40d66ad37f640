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
