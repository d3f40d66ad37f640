/* Memory: each block carries its size in front, since the caller's release
   function wants it back. */
#include "core/memory.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/context.h"

/* Room for the size, and the alignment of everything we hand out. */
enum { HEAD = 64 };

void *ebm_alloc(const ebm_context *context, size_t count, size_t size)
{
    size_t bytes;
    if (!ebm_multiply(count ? count : 1, size ? size : 1, &bytes) ||
        bytes > SIZE_MAX - 2 * HEAD)
        return NULL;
    /* A multiple of 64, so that vector kernels may read a whole last lane. */
    bytes = ebm_round_up(bytes, HEAD) + HEAD;
    const ebm_allocator *allocator = &context->allocator;
    unsigned char *block = allocator->allocate(bytes, HEAD, allocator->user);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    return block + HEAD;
}

void *ebm_alloc_zero(const ebm_context *context, size_t count, size_t size)
{
    void *memory = ebm_alloc(context, count, size);
    if (memory)
        memset(memory, 0, (count ? count : 1) * (size ? size : 1));
    return memory;
}

void ebm_free(const ebm_context *context, void *memory)
{
    if (!memory)
        return;
    unsigned char *block = (unsigned char *)memory - HEAD;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    context->allocator.release(block, bytes, context->allocator.user);
}

ebm_status ebm_out_of_memory(const ebm_context *context, const char *what)
{
    return ebm_fail(context, EBM_ERROR_MEMORY, "out of memory for %s", what);
}

ebm_status ebm_grow_floats(const ebm_context *context, float **array,
                           size_t *held, size_t needed, const char *what)
{
    if (*held >= needed && *array)
        return EBM_OK;
    float *grown = ebm_alloc_zero(context, needed, sizeof *grown);
    if (!grown)
        return ebm_out_of_memory(context, what);
    ebm_free(context, *array);
    *array = grown;
    *held = needed;
    return EBM_OK;
}

int ebm_all_finite(const float *values, size_t n)
{
    /* 0 x is 0 for a finite x and NaN otherwise; a sum of zeros vectorises
       where a loop with an early exit would not. */
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += 0 * values[i];
    return isfinite(sum) != 0;
}

ebm_status ebm_check_size(const ebm_context *context, size_t n, size_t height,
                          size_t width, size_t channels, size_t *elements)
{
    if (!n || !height || !width || !channels)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "a size is 0 in [%zu, %zu, %zu, %zu]", n, height,
                        width, channels);
    size_t product;
    /* A quarter of the address space leaves room for padding everywhere. */
    if (!ebm_multiply4(n, height, width, channels, &product) ||
        product > SIZE_MAX / (16 * sizeof(float)))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "[%zu, %zu, %zu, %zu] floats do not fit into memory",
                        n, height, width, channels);
    *elements = product;
    return EBM_OK;
}
