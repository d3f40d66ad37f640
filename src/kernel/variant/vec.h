/*
 * Vectors of floats, as wide as the instruction set that this file is being
 * compiled for: arithmetic by the compilers' vector extension, and by name
 * what that has no operator for. exp, log, sin and cos are SLEEF's.
 */
#ifndef EBM_KERNEL_VARIANT_VEC_H
#define EBM_KERNEL_VARIANT_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <sleef.h>

#if defined(__AVX512F__)
enum { VEC_LANES = 16 };
#elif defined(__AVX2__)
enum { VEC_LANES = 8 };
#else
enum { VEC_LANES = 4 };
#endif

typedef float vec __attribute__((vector_size(4 * VEC_LANES)));
typedef int32_t vec_int __attribute__((vector_size(4 * VEC_LANES)));
typedef uint32_t vec_word __attribute__((vector_size(4 * VEC_LANES)));
typedef uint64_t vec_wide __attribute__((vector_size(4 * VEC_LANES)));

static inline vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline vec vec_all(float x)
{
    return x - (vec){0};
}

static inline vec_word vec_all_word(uint32_t x)
{
    return x - (vec_word){0};
}

/* 0, 1, 2, ... */
static inline vec_word vec_lane_numbers(void)
{
    vec_word v;
    for (int i = 0; i < VEC_LANES; i++)
        v[i] = (uint32_t)i;
    return v;
}

static inline float vec_sum(vec v)
{
    float sum = 0;
    for (int i = 0; i < VEC_LANES; i++)
        sum += v[i];
    return sum;
}

static inline float vec_largest(vec v)
{
    float largest = v[0];
    for (int i = 1; i < VEC_LANES; i++)
        largest = v[i] > largest ? v[i] : largest;
    return largest;
}

/* Sum of the lanes of a vector of counters. */
static inline uint64_t vec_count(vec_int v)
{
    uint64_t sum = 0;
    for (int i = 0; i < VEC_LANES; i++)
        sum += (uint32_t)v[i];
    return sum;
}

/* mask ? a : b, where the lanes of mask are all ones or zeros. */
static inline vec vec_select(vec_int mask, vec a, vec b)
{
    return (vec)(((vec_int)a & mask) | ((vec_int)b & ~mask));
}

#if defined(__AVX512F__)
static inline vec vec_min(vec a, vec b)
{
    return (vec)_mm512_min_ps((__m512)a, (__m512)b);
}
static inline vec vec_max(vec a, vec b)
{
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
}
static inline vec vec_sqrt(vec a)
{
    return (vec)_mm512_sqrt_ps((__m512)a);
}
/* a b + c, rounded once where the processor can. */
static inline vec vec_fma(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
static inline vec vec_exp(vec a)
{
    return (vec)Sleef_expf16_u10avx512f((__m512)a);
}
static inline vec vec_log(vec a)
{
    return (vec)Sleef_logf16_u35avx512f((__m512)a);
}
static inline vec vec_log1p(vec a)
{
    return (vec)Sleef_log1pf16_u10avx512f((__m512)a);
}
/* Sine and cosine of pi a. */
static inline void vec_sincospi(vec a, vec *sine, vec *cosine)
{
    Sleef___m512_2 both = Sleef_sincospif16_u35avx512f((__m512)a);
    *sine = (vec)both.x;
    *cosine = (vec)both.y;
}
/* Products of the low halves of 64-bit lanes with a word. */
static inline vec_wide vec_multiply_low(vec_wide a, uint32_t b)
{
    return (vec_wide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi32((int)b));
}
#elif defined(__AVX2__)
static inline vec vec_min(vec a, vec b)
{
    return (vec)_mm256_min_ps((__m256)a, (__m256)b);
}
static inline vec vec_max(vec a, vec b)
{
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
}
static inline vec vec_sqrt(vec a)
{
    return (vec)_mm256_sqrt_ps((__m256)a);
}
static inline vec vec_fma(vec a, vec b, vec c)
{
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
static inline vec vec_exp(vec a)
{
    return (vec)Sleef_expf8_u10avx2((__m256)a);
}
static inline vec vec_log(vec a)
{
    return (vec)Sleef_logf8_u35avx2((__m256)a);
}
static inline vec vec_log1p(vec a)
{
    return (vec)Sleef_log1pf8_u10avx2((__m256)a);
}
static inline void vec_sincospi(vec a, vec *sine, vec *cosine)
{
    Sleef___m256_2 both = Sleef_sincospif8_u35avx2((__m256)a);
    *sine = (vec)both.x;
    *cosine = (vec)both.y;
}
static inline vec_wide vec_multiply_low(vec_wide a, uint32_t b)
{
    return (vec_wide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi32((int)b));
}
#elif defined(__x86_64__)
static inline vec vec_min(vec a, vec b)
{
    return (vec)_mm_min_ps((__m128)a, (__m128)b);
}
static inline vec vec_max(vec a, vec b)
{
    return (vec)_mm_max_ps((__m128)a, (__m128)b);
}
static inline vec vec_sqrt(vec a)
{
    return (vec)_mm_sqrt_ps((__m128)a);
}
static inline vec vec_exp(vec a)
{
    return (vec)Sleef_expf4_u10sse2((__m128)a);
}
static inline vec vec_log(vec a)
{
    return (vec)Sleef_logf4_u35sse2((__m128)a);
}
static inline vec vec_log1p(vec a)
{
    return (vec)Sleef_log1pf4_u10sse2((__m128)a);
}
static inline void vec_sincospi(vec a, vec *sine, vec *cosine)
{
    Sleef___m128_2 both = Sleef_sincospif4_u35sse2((__m128)a);
    *sine = (vec)both.x;
    *cosine = (vec)both.y;
}
static inline vec_wide vec_multiply_low(vec_wide a, uint32_t b)
{
    return (vec_wide)_mm_mul_epu32((__m128i)a, _mm_set1_epi32((int)b));
}
#else
/* Any other processor: lane by lane. */
static inline vec vec_min(vec a, vec b)
{
    return vec_select(a < b, a, b);
}
static inline vec vec_max(vec a, vec b)
{
    return vec_select(a > b, a, b);
}
static inline vec vec_sqrt(vec a)
{
    for (int i = 0; i < VEC_LANES; i++)
        a[i] = Sleef_sqrtf_u05(a[i]);
    return a;
}
static inline vec vec_exp(vec a)
{
    for (int i = 0; i < VEC_LANES; i++)
        a[i] = Sleef_expf_u10(a[i]);
    return a;
}
static inline vec vec_log(vec a)
{
    for (int i = 0; i < VEC_LANES; i++)
        a[i] = Sleef_logf_u35(a[i]);
    return a;
}
static inline vec vec_log1p(vec a)
{
    for (int i = 0; i < VEC_LANES; i++)
        a[i] = Sleef_log1pf_u10(a[i]);
    return a;
}
static inline void vec_sincospi(vec a, vec *sine, vec *cosine)
{
    for (int i = 0; i < VEC_LANES; i++) {
        Sleef_float2 both = Sleef_sincospif_u35(a[i]);
        (*sine)[i] = both.x;
        (*cosine)[i] = both.y;
    }
}
static inline vec_wide vec_multiply_low(vec_wide a, uint32_t b)
{
    vec_wide low = (vec_wide){0} + 0xffffffffu;
    return (a & low) * b;
}
#endif

#if !defined(__AVX2__) && !defined(__AVX512F__)
static inline vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}
#endif

/* Asks for the lines of p[0 .. n), to be written soon: they come from memory
   while there is something else to do. */
static inline void vec_expect_run(size_t n, const float *p)
{
    enum { LINE = 16 };
    for (size_t i = 0; i < n; i += LINE)
        __builtin_prefetch(p + i, 1);
}

/* to[0 .. n) = from, and to += from; any length. */
static inline void vec_copy_run(size_t n, const float *from, float *to)
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES)
        vec_store(to + i, vec_load(from + i));
    for (; i < n; i++)
        to[i] = from[i];
}

static inline void vec_add_run(size_t n, const float *from, float *to)
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES)
        vec_store(to + i, vec_load(to + i) + vec_load(from + i));
    for (; i < n; i++)
        to[i] += from[i];
}

#endif
