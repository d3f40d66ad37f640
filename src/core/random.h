/*
 * Randomness: counter-based, Philox 4x32-10 (Salmon et al. 2011, "Parallel
 * random numbers: as easy as 1, 2, 3").
 *
 * A draw is a pure function of (seed, purpose, stream, step, element); there
 * is no state to save, to share between threads, or to shift when another
 * part of the program draws more.
 *
 * The key is the seed. The counter of a block is
 *
 *     word 0   block number
 *     word 1   step, low 32 bits
 *     word 2   stream, low 32 bits
 *     word 3   purpose (8 bits) | step, bits 32-43 | stream, bits 32-43
 *
 * and a block gives four words. Elements are dealt out so that vectors of 4,
 * 8 or 16 lanes write them in order: element e is word (e mod 64) / 16 of
 * block 16 (e / 64) + e mod 16.
 */
#ifndef EBM_CORE_RANDOM_H
#define EBM_CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a draw is for. Fixed numbers: changing one changes results. */
typedef enum ebm_purpose {
    EBM_PURPOSE_PARAMETERS = 1,
    EBM_PURPOSE_CHAIN_INIT = 2,
    EBM_PURPOSE_LANGEVIN = 3,
    EBM_PURPOSE_BUFFER_DRAW = 4,
    EBM_PURPOSE_BUFFER_FRESH = 5,
    EBM_PURPOSE_BUFFER_STORE = 6,
    EBM_PURPOSE_DATA_ORDER = 7,
    EBM_PURPOSE_DATA_NOISE = 8,
    EBM_PURPOSE_BUFFER_FILL = 9,
    EBM_PURPOSE_BUFFER_REFERENCE = 10,
    EBM_PURPOSE_ACCEPT = 11,
    EBM_PURPOSE_MOMENTUM = 12,
    EBM_PURPOSE_TRANSITION = 13,
    EBM_PURPOSE_DRAW_TRANSITION = 14,
    EBM_PURPOSE_REFERENCE_TRANSITION = 15,
    EBM_PURPOSE_DATA_DEQUANTISE = 16,
    EBM_PURPOSE_STATE = 17,
    EBM_PURPOSE_CHECK = 32
} ebm_purpose;

/* Streams and steps stay below this. */
#define EBM_RANDOM_LIMIT ((uint64_t)1 << 44)

/* One generator: everything but the element. */
typedef struct ebm_random {
    uint32_t key[2];
    uint32_t counter[3]; /* words 1 to 3 of the counter */
} ebm_random;

ebm_random ebm_random_at(uint64_t seed, ebm_purpose purpose, uint64_t stream,
                         uint64_t step);

/* The raw bijection, for the known-answer test and everything below. */
void ebm_philox(const uint32_t counter[4], const uint32_t key[2],
                uint32_t out[4]);

/* 32 random bits for an element. */
uint32_t ebm_random_word(const ebm_random *random, size_t element);

/* Uniform in [0, 1), a multiple of 2^-24: exact as a float. */
double ebm_random_uniform(const ebm_random *random, size_t element);

/* A whole number in [0, n), n > 0, from the first two words of the element's
   block: elements 0 to 15 of each group of 64 have blocks of their own. */
uint64_t ebm_random_index(const ebm_random *random, size_t element,
                          uint64_t n);

/* N(0, 1) by Box and Muller in double: the plain form of what the vector
   kernels compute in float. */
double ebm_random_normal(const ebm_random *random, size_t element);

#endif
