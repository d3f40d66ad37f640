/*
 * Random arrays, and the two halves of the Langevin step.
 *
 * The elements of a group of 64 are the four words of 16 Philox blocks, word
 * by word (see core/random.h), so VEC_LANES blocks computed side by side give
 * four vectors that are stored as they are.
 */
#include <math.h>

#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

enum { GROUP = 64, WORDS = 4, BLOCKS = 16 };

/* High and low halves of a 32 x 32 bit product. */
static inline void multiply_words(vec_word a, uint32_t b, vec_word *high,
                                  vec_word *low)
{
    const vec_wide upper = (vec_wide){0} + 0xffffffff00000000u;
    vec_word factor = vec_all_word(b);
    vec_wide even = vec_multiply_even(a, factor);
    vec_wide odd = vec_multiply_even((vec_word)((vec_wide)a >> 32), factor);
    *high = (vec_word)((even >> 32) | (odd & upper));
    *low = (vec_word)((even & ~upper) | (odd << 32));
}

/* Philox 4x32-10 on blocks first, first + 1, ...; constants as in random.c. */
static inline void philox(const ebm_random *random, uint32_t first,
                          vec_word c[WORDS])
{
    uint32_t k0 = random->key[0], k1 = random->key[1];
    c[0] = vec_all_word(first) + vec_lane_numbers();
    c[1] = vec_all_word(random->counter[0]);
    c[2] = vec_all_word(random->counter[1]);
    c[3] = vec_all_word(random->counter[2]);
    for (int round = 0; round < 10; round++) {
        vec_word high0, low0, high1, low1;
        multiply_words(c[0], 0xD2511F53u, &high0, &low0);
        multiply_words(c[2], 0xCD9E8D57u, &high1, &low1);
        c[0] = high1 ^ c[1] ^ k0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ k1;
        c[3] = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* A word as a float, rounded once: both halves are exact. */
static inline vec from_word(vec_word w)
{
    vec high = __builtin_convertvector((vec_int)(w >> 16), vec);
    vec low = __builtin_convertvector((vec_int)(w & 0xffff), vec);
    return high * 65536.0f + low;
}

/* Box and Muller: two words make two normals. The uniform is (w + 1/2) 2^-32,
   never 0; the angle is pi times the signed second word 2^-31. */
static inline void box_muller(vec_word w0, vec_word w1, vec *z0, vec *z1)
{
    vec u = from_word(w0) * 0x1p-32f + 0x1p-33f;
    vec half_turns = __builtin_convertvector((vec_int)w1, vec) * 0x1p-31f;
    vec radius = vec_sqrt(-2.0f * vec_log(u));
    vec sine, cosine;
    vec_sincospi(half_turns, &sine, &cosine);
    *z0 = radius * cosine;
    *z1 = radius * sine;
}

static inline void normals(const ebm_random *random, uint32_t block,
                           vec z[WORDS])
{
    vec_word words[WORDS];
    philox(random, block, words);
    box_muller(words[0], words[1], z, z + 1);
    box_muller(words[2], words[3], z + 2, z + 3);
}

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

/* clamp(v) and, per lane, whether it was outside: bounds are inside. */
static inline vec clamp(vec v, vec minimum, vec maximum, vec_int *outside)
{
    *outside = (v < minimum) | (v > maximum);
    return vec_min(vec_max(v, minimum), maximum);
}

/* y = clamp(x + std xi) on up to VEC_LANES elements of a row that has `left`
   more; lanes beyond it are computed on zeros and not counted. */
static inline vec_int noise_vector(const ebm_langevin *langevin, vec xi,
                                   const float *x, float *y, size_t left)
{
    vec minimum = vec_all(langevin->minimum);
    vec maximum = vec_all(langevin->maximum);
    vec_int outside;
    if (left >= VEC_LANES) {
        vec v = vec_load(x) + langevin->noise_std * xi;
        vec_store(y, clamp(v, minimum, maximum, &outside));
        return outside;
    }
    float rest[VEC_LANES] = {0};
    memcpy(rest, x, left * sizeof *x);
    vec v = vec_load(rest) + langevin->noise_std * xi;
    vec_store(rest, clamp(v, minimum, maximum, &outside));
    memcpy(y, rest, left * sizeof *y);
    return outside & (vec_int)(vec_lane_numbers() < (uint32_t)left);
}

void EBM_KERNEL(langevin_noise)(const ebm_random *random, size_t n,
                                const ebm_langevin *langevin, const float *x,
                                float *y, ebm_langevin_counts *counts)
{
    vec_int clamped = {0};
    for (size_t base = 0; base < n; base += GROUP)
        for (size_t half = 0; half < BLOCKS; half += VEC_LANES) {
            vec z[WORDS] = {{0}};
            if (langevin->noise_std > 0)
                normals(random, (uint32_t)(base / WORDS + half), z);
            for (size_t w = 0; w < WORDS; w++) {
                size_t i = base + w * BLOCKS + half;
                if (i >= n)
                    break;
                clamped -= noise_vector(langevin, z[w], x + i, y + i, n - i);
            }
        }
    counts->clamped_noise += vec_count(clamped);
}

/* One vector of the gradient half. finite_g gathers 0 g + 0 y': zero as long
   as all is finite, NaN for ever after. */
static inline vec step_vector(const ebm_langevin *langevin, vec g, vec y,
                              vec *finite, vec_int *clipped, vec_int *clamped)
{
    vec clip = vec_all(langevin->clip);
    vec_int out_of_clip, out_of_bounds;
    vec v = clamp(g, -clip, clip, &out_of_clip);
    v = clamp(y - langevin->step_size * v, vec_all(langevin->minimum),
              vec_all(langevin->maximum), &out_of_bounds);
    *finite += 0.0f * g + 0.0f * v;
    *clipped -= out_of_clip;
    *clamped -= out_of_bounds;
    return v;
}

int EBM_KERNEL(langevin_step)(size_t n, const ebm_langevin *langevin,
                              const float *g, float *y,
                              ebm_langevin_counts *counts)
{
    vec finite = {0};
    vec_int clipped = {0}, clamped = {0};
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES) {
        vec v = step_vector(langevin, vec_load(g + i), vec_load(y + i),
                            &finite, &clipped, &clamped);
        vec_store(y + i, v);
    }
    if (i < n) {
        float rest_g[VEC_LANES] = {0}, rest_y[VEC_LANES] = {0};
        memcpy(rest_g, g + i, (n - i) * sizeof *g);
        memcpy(rest_y, y + i, (n - i) * sizeof *y);
        vec_int more_clipped = {0}, more_clamped = {0};
        vec v = step_vector(langevin, vec_load(rest_g), vec_load(rest_y),
                            &finite, &more_clipped, &more_clamped);
        vec_int real = (vec_int)(vec_lane_numbers() < (uint32_t)(n - i));
        clipped += more_clipped & real;
        clamped += more_clamped & real;
        vec_store(rest_y, v);
        memcpy(y + i, rest_y, (n - i) * sizeof *y);
    }
    counts->clipped += vec_count(clipped);
    counts->clamped_step += vec_count(clamped);
    return vec_sum(finite) == 0;
}
