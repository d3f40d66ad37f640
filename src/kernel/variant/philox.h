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

/* Blocks in 64-bit lanes: the low half of a lane is a word, the high half is
   whatever the arithmetic leaves there. A product of 32-bit words reads low
   halves only, and its own low half is a word again where it stands, so a
   round neither masks nor packs. */
typedef struct philox_state {
    vec_wide c0, c1, c2, c3;
} philox_state;

static inline void philox_round(philox_state *s, vec_wide k0, vec_wide k1)
{
    vec_wide p0 = vec_multiply_low(s->c0, 0xD2511F53u);
    vec_wide p1 = vec_multiply_low(s->c2, 0xCD9E8D57u);
    s->c0 = (p1 >> 32) ^ (s->c1 ^ k0);
    s->c2 = (p0 >> 32) ^ (s->c3 ^ k1);
    s->c1 = p1;
    s->c3 = p0;
}

/* The keys of all rounds: key + round times a constant, the same for every
   block of a row. */
typedef struct philox_keys {
    vec_wide k0[10], k1[10];
} philox_keys;

static inline void philox_schedule(const ebm_random *random, philox_keys *keys)
{
    for (uint32_t round = 0; round < 10; round++) {
        uint32_t k0 = random->key[0] + round * 0x9E3779B9u;
        uint32_t k1 = random->key[1] + round * 0xBB67AE85u;
        keys->k0[round] = (vec_wide){0} + k0;
        keys->k1[round] = (vec_wide){0} + k1;
    }
}

static inline philox_state philox_start(const ebm_random *random,
                                        uint32_t first)
{
    philox_state s = {(vec_wide)(vec_all_word(first) + vec_lane_numbers()),
                      (vec_wide){0} + random->counter[0],
                      (vec_wide){0} + random->counter[1],
                      (vec_wide){0} + random->counter[2]};
    return s;
}

/* The words of blocks with an even and an odd number, put side by side. */
static inline vec_word both_halves(vec_wide even, vec_wide odd)
{
    const vec_wide low = (vec_wide){0} + 0xffffffffu;
    return (vec_word)((even & low) | (odd << 32));
}

/* Philox 4x32-10 on blocks first, first + 1, ...; constants as in random.c. */
static inline void philox(const ebm_random *random, const philox_keys *keys,
                          uint32_t first, vec_word c[WORDS])
{
    philox_state even = philox_start(random, first), odd = even;
    odd.c0 >>= 32;
    for (int round = 0; round < 10; round++) {
        philox_round(&even, keys->k0[round], keys->k1[round]);
        philox_round(&odd, keys->k0[round], keys->k1[round]);
    }
    c[0] = both_halves(even.c0, odd.c0);
    c[1] = both_halves(even.c1, odd.c1);
    c[2] = both_halves(even.c2, odd.c2);
    c[3] = both_halves(even.c3, odd.c3);
}

/* A word as a float, rounded once: both halves are exact. */
static inline vec from_word(vec_word w)
{
    vec high = __builtin_convertvector((vec_int)(w >> 16), vec);
    vec low = __builtin_convertvector((vec_int)(w & 0xffff), vec);
    return high * 65536.0f + low;
}

static inline vec_word load_words(const float *p)
{
    return (vec_word)vec_load(p);
}

/* Groups of normals made at a time, into a buffer of the first cache. */
enum { NORMAL_GROUPS = 8, NORMALS = NORMAL_GROUPS * GROUP };

/*
 * z[0 .. n) <- normals of the groups from element `base` on, n <= NORMALS;
 * behind them, up to the end of a group, z may be written too.
 *
 * Box and Muller: two words make two normals. The uniform is (w + 1/2) 2^-32,
 * never 0; the angle is pi times the signed second word 2^-31.
 *
 * Each of the three loops has little to do for one vector, so the processor
 * works on several at once; all in one loop, it would wait for the end of each
 * of these long chains of operations.
 */
static inline void normals(const ebm_random *random, const philox_keys *keys,
                           size_t base, size_t n, float *z)
{
    for (size_t at = 0; at < n; at += GROUP)
        for (size_t half = 0; half < BLOCKS && at + half < n;
             half += VEC_LANES) {
            vec_word words[WORDS];
            uint32_t block = (uint32_t)((base + at) / WORDS + half);
            philox(random, keys, block, words);
            for (size_t w = 0; w < WORDS; w++)
                vec_store(z + at + w * BLOCKS + half, (vec)words[w]);
        }
    for (size_t at = 0; at < n; at += 2 * BLOCKS)
        for (size_t i = at; i < at + BLOCKS && i < n; i += VEC_LANES) {
            vec u = from_word(load_words(z + i)) * 0x1p-32f + 0x1p-33f;
            vec_store(z + i, vec_sqrt(-2.0f * vec_log(u)));
        }
    for (size_t at = 0; at < n; at += 2 * BLOCKS)
        for (size_t i = at; i < at + BLOCKS && i < n; i += VEC_LANES) {
            vec_int word = (vec_int)load_words(z + i + BLOCKS);
            vec half_turns = __builtin_convertvector(word, vec) * 0x1p-31f;
            vec radius = vec_load(z + i), sine, cosine;
            vec_sincospi(half_turns, &sine, &cosine);
            vec_store(z + i, radius * cosine);
            vec_store(z + i + BLOCKS, radius * sine);
        }
}

#endif
