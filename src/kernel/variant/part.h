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
static inline void vec_store_part(size_t n, float *p, vec v)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
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
static inline void vec_store_part(size_t n, float *p, vec v)
{
    _mm256_maskstore_ps(p, vec_part_mask(n), (__m256)v);
}
#else
static inline vec vec_load_part(size_t n, const float *p)
{
    vec v = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = p[i];
    return v;
}
static inline void vec_store_part(size_t n, float *p, vec v)
{
    for (size_t i = 0; i < n; i++)
        p[i] = v[i];
}
#endif

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
