/* Random arrays. */
#include <math.h>

#include "kernel/variant/philox.h"
#include "kernel/variant/variant.h"

/* Uniform in [low, high): u is a multiple of 2^-24, and rounding of the last
   sum must not reach high. */
typedef struct uniform_range {
    float low, span, below;
} uniform_range;

static inline void uniform_group(const ebm_random *random,
                                 const philox_keys *keys,
                                 const uniform_range *range, size_t base,
                                 float *out)
{
    for (size_t half = 0; half < BLOCKS; half += VEC_LANES) {
        vec_word words[WORDS];
        philox(random, keys, (uint32_t)(base / WORDS + half), words);
        for (size_t w = 0; w < WORDS; w++) {
            vec unit = __builtin_convertvector((vec_int)(words[w] >> 8), vec);
            vec value = vec_all(range->low) + unit * 0x1p-24f * range->span;
            vec_store(out + w * BLOCKS + half,
                      vec_min(value, vec_all(range->below)));
        }
    }
}

void EBM_KERNEL(uniform)(const ebm_random *random, size_t n, float low,
                         float high, float *out)
{
    uniform_range range = {low, high - low,
                           high > low ? nextafterf(high, low) : low};
    philox_keys keys;
    philox_schedule(random, &keys);
    size_t base = 0;
    for (; base + GROUP <= n; base += GROUP)
        uniform_group(random, &keys, &range, base, out + base);
    if (base < n) {
        float rest[GROUP];
        uniform_group(random, &keys, &range, base, rest);
        memcpy(out + base, rest, (n - base) * sizeof *rest);
    }
}

void EBM_KERNEL(normal)(const ebm_random *random, size_t n, float mean,
                        float std, float *out)
{
    philox_keys keys;
    philox_schedule(random, &keys);
    float z[NORMALS];
    for (size_t base = 0; base < n; base += NORMALS) {
        size_t count = n - base < NORMALS ? n - base : NORMALS;
        vec_expect_run(count, out + base);
        normals(random, &keys, base, count, z);
        for (size_t i = 0; i < count; i++)
            out[base + i] = mean + std * z[i];
    }
}
