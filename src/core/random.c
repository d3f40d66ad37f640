/* Philox 4x32-10 and the draws made of it, one at a time. The vector kernels
   in kernel/variant/noise.c fill whole arrays with the same numbers. */
#include "core/random.h"

#include <math.h>

enum { ROUNDS = 10, LANES = 16, GROUP = 64 };

/* Salmon et al. 2011, table of constants: multipliers and Weyl increments
   (golden ratio and sqrt(3) - 1). */
static const uint32_t M0 = 0xD2511F53u, M1 = 0xCD9E8D57u;
static const uint32_t W0 = 0x9E3779B9u, W1 = 0xBB67AE85u;

void ebm_philox(const uint32_t counter[4], const uint32_t key[2],
                uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2];
    uint32_t c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += W0;
        k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

ebm_random ebm_random_at(uint64_t seed, ebm_purpose purpose, uint64_t stream,
                         uint64_t step)
{
    ebm_random random = {{(uint32_t)seed, (uint32_t)(seed >> 32)},
                         {(uint32_t)step, (uint32_t)stream,
                          (uint32_t)purpose << 24 |
                              (uint32_t)(step >> 32 & 0xfff) << 12 |
                              (uint32_t)(stream >> 32 & 0xfff)}};
    return random;
}

static void block_of(const ebm_random *random, size_t element,
                     uint32_t words[4])
{
    uint32_t counter[4] = {
        (uint32_t)(element / GROUP * LANES + element % LANES),
        random->counter[0], random->counter[1], random->counter[2]};
    ebm_philox(counter, random->key, words);
}

uint32_t ebm_random_word(const ebm_random *random, size_t element)
{
    uint32_t words[4];
    block_of(random, element, words);
    return words[element % GROUP / LANES];
}

double ebm_random_uniform(const ebm_random *random, size_t element)
{
    return (ebm_random_word(random, element) >> 8) * 0x1p-24;
}

uint64_t ebm_random_index(const ebm_random *random, size_t element, uint64_t n)
{
    uint32_t words[4];
    block_of(random, element, words);
    uint64_t bits = (uint64_t)words[0] << 32 | words[1];
    /* The high half of bits * n: biased by less than n / 2^64. */
    return (uint64_t)((unsigned __int128)bits * n >> 64);
}

double ebm_random_normal(const ebm_random *random, size_t element)
{
    const double pi = 3.14159265358979323846;
    uint32_t words[4];
    block_of(random, element, words);
    size_t word = element % GROUP / LANES;
    const uint32_t *pair = words + (word & 2);
    double u = (pair[0] + 0.5) * 0x1p-32;
    double angle = (double)(int32_t)pair[1] * 0x1p-31 * pi;
    double radius = sqrt(-2 * log(u));
    return radius * (word & 1 ? sin(angle) : cos(angle));
}
