/*
 * Philox 4x32-10 and normals, VEC_LANES blocks at a time.
 *
 * The elements of a group of 64 are the four words of 16 Philox blocks, word
 * by word (see core/random.h), so blocks computed side by side give four
 * vectors that are stored as they are.
 */
#ifndef EBM_KERNEL_VARIANT_PHILOX_H
#define EBM_KERNEL_VARIANT_PHILOX_H

#include "core/random.h"
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

#endif
