/* The optimizer's passes over the flat arrays. */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

/* Squares are added up in double in 16 lanes whatever the vector width, so
   that the norm has the same bits in every variant. */
double EBM_KERNEL(clip_and_square)(size_t n, float limit, float *g)
{
    double lanes[EBM_LANES] = {0};
    size_t i = 0;
    for (; i + EBM_LANES <= n; i += EBM_LANES)
        for (size_t j = 0; j < EBM_LANES; j++) {
            float v = g[i + j];
            /* NaN passes both comparisons and reaches the sum; so must
               infinity, which the clip would hide. */
            double bad = 0.0 * (double)v;
            v = v < -limit ? -limit : v;
            v = v > limit ? limit : v;
            g[i + j] = v;
            lanes[j] += (double)v * (double)v + bad;
        }
    for (size_t j = 0; i < n; i++, j++) {
        float v = g[i];
        double bad = 0.0 * (double)v;
        v = v < -limit ? -limit : v;
        v = v > limit ? limit : v;
        g[i] = v;
        lanes[j] += (double)v * (double)v + bad;
    }
    double sum = 0;
    for (size_t j = 0; j < EBM_LANES; j++)
        sum += lanes[j];
    return sum;
}

/* With beta1 = 0 the first moment is the gradient: m is neither read nor
   written, and memory that nobody writes to is never taken. */
static inline void adam_vectors(size_t n, const ebm_adam a, int has_first,
                                const float *g, float *m, float *v,
                                float *theta)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec gi = a.scale * vec_load(g + i), mi = gi;
        if (has_first) {
            mi = a.beta1 * vec_load(m + i) + (1.0f - a.beta1) * gi;
            vec_store(m + i, mi);
        }
        vec vi = a.beta2 * vec_load(v + i) + (1.0f - a.beta2) * gi * gi;
        vec step = mi / (vec_sqrt(vi) * a.root_scale + a.epsilon);
        vec_store(v + i, vi);
        vec_store(theta + i, vec_load(theta + i) - a.rate * step);
    }
}

void EBM_KERNEL(adam)(size_t n, const ebm_adam *adam, const float *g, float *m,
                      float *v, float *theta)
{
    if (adam->beta1 > 0)
        adam_vectors(n, *adam, 1, g, m, v, theta);
    else
        adam_vectors(n, *adam, 0, g, m, v, theta);
}
