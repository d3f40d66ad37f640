/*
 * Memory from the context's allocator, 64-byte aligned, and arithmetic on
 * sizes that can not wrap.
 */
#ifndef EBM_CORE_MEMORY_H
#define EBM_CORE_MEMORY_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/status.h>

/* count * size bytes, or NULL. A count or size of 0 is taken as 1. The _zero
   form clears them. Neither sets the error text: the caller knows what for. */
void *ebm_alloc(const ebm_context *context, size_t count, size_t size);
void *ebm_alloc_zero(const ebm_context *context, size_t count, size_t size);

/* Gives memory back; NULL is allowed. */
void ebm_free(const ebm_context *context, void *memory);

/* The usual failure: sets the text "out of memory for WHAT". */
ebm_status ebm_out_of_memory(const ebm_context *context, const char *what);

/* Makes *array at least `needed` floats long, keeping nothing of its content;
 *held is the length it has. On failure both stay as they were. */
ebm_status ebm_grow_floats(const ebm_context *context, float **array,
                           size_t *held, size_t needed, const char *what);

/* *product = a * b; returns 0 when it does not fit. */
static inline int ebm_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* *product = a * b * c * d, likewise. */
static inline int ebm_multiply4(size_t a, size_t b, size_t c, size_t d,
                                size_t *product)
{
    return ebm_multiply(a, b, product) && ebm_multiply(*product, c, product) &&
           ebm_multiply(*product, d, product);
}

/* n up to the next multiple of m. */
static inline size_t ebm_round_up(size_t n, size_t m)
{
    return (n + m - 1) / m * m;
}

/* Whether all n values are finite. */
int ebm_all_finite(const float *values, size_t n);

/* Elements of [n, height, width, channels] of floats with room to count bytes
   and to pad; OVERFLOW with a text when that does not fit. */
ebm_status ebm_check_size(const ebm_context *context, size_t n, size_t height,
                          size_t width, size_t channels, size_t *elements);

#endif
