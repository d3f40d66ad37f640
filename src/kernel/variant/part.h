/*
 * The last channels of a row: fewer than a vector. What is loaded behind them
 * is 0, what is stored there stays untouched, so that rows of any length are
 * computed by one kind of code.
 */
#ifndef EBM_KERNEL_VARIANT_PART_H
#define EBM_KERNEL_VARIANT_PART_H

#include "kernel/variant/vec.h"

#if defined(__AVX512F__)
static inline vec vec_load_part(size_t n, const float *p)
{
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
#elif defined(__AVX2__)
static inline __m256i vec_part_mask(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec vec_load_part(size_t n, const float *p)
{
    return (vec)_mm256_maskload_ps(p, vec_part_mask(n));
}
#else
static inline vec vec_load_part(size_t n, const float *p)
{
    vec v = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = p[i];
    return v;
}
#endif

/* In pieces: a load of the next row would have to wait for a masked store that
   reaches over it. */
static inline void vec_store_part(size_t n, float *p, vec v)
{
    float all[VEC_LANES];
    const float *from = all;
    vec_store(all, v);
    for (size_t piece = VEC_LANES / 2; piece; piece /= 2)
        if (n & piece) {
            memcpy(p, from, piece * sizeof *p);
            p += piece;
            from += piece;
        }
}

/* The next channels from c on: a whole vector, or what is left of the row.
   Called with a constant `whole`, so that the common loop has no condition. */
static inline vec vec_load_some(int whole, size_t left, const float *p)
{
    return whole ? vec_load(p) : vec_load_part(left, p);
}
static inline void vec_store_some(int whole, size_t left, float *p, vec v)
{
    if (whole)
        vec_store(p, v);
    else
        vec_store_part(left, p, v);
}

#endif
