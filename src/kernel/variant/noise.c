/* Random arrays. */
#include <math.h>

#include "kernel/variant/philox.h"
#include "kernel/variant/variant.h"

/* Uniform in [low, high): u is a multiple of 2^-24, and rounding of the last
   sum must not reach high. */
static inline void uniforms(const ebm_random *random, uint32_t block,
                            float low, float span, float below, vec u[WORDS])
{
    vec_word words[WORDS];
    philox(random, block, words);
    for (int w = 0; w < WORDS; w++) {
        vec unit = __builtin_convertvector((vec_int)(words[w] >> 8), vec);
        vec value = vec_all(low) + unit * 0x1p-24f * span;
        u[w] = vec_min(value, vec_all(below));
    }
}

/* Runs `make` for the blocks of each group and hands out whole groups; the
   last, partial one goes through a buffer. */
#define FOR_EACH_GROUP(n, out, make)                                    \
    for (size_t base = 0; base < (n); base += GROUP) {                  \
        float rest[GROUP];                                              \
        size_t left = (n)-base;                                         \
        float *to = left < GROUP ? rest : (out) + base;                 \
        for (int half = 0; half < BLOCKS; half += VEC_LANES) {          \
            vec v[WORDS];                                               \
            uint32_t block = (uint32_t)(base / WORDS) + (uint32_t)half; \
            make;                                                       \
            for (int w = 0; w < WORDS; w++)                             \
                vec_store(to + w * BLOCKS + half, v[w]);                \
        }                                                               \
        if (left < GROUP)                                               \
            memcpy((out) + base, rest, left * sizeof *rest);            \
    }

void EBM_KERNEL(uniform)(const ebm_random *random, size_t n, float low,
                         float high, float *out)
{
    float below = high > low ? nextafterf(high, low) : low;
    FOR_EACH_GROUP(n, out, uniforms(random, block, low, high - low, below, v));
}

void EBM_KERNEL(normal)(const ebm_random *random, size_t n, float mean,
                        float std, float *out)
{
    FOR_EACH_GROUP(n, out, {
        normals(random, block, v);
        for (int w = 0; w < WORDS; w++)
            v[w] = vec_all(mean) + std * v[w];
    });
}
