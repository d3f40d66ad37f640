/* Memory: each block carries its size in front, since the caller's release
   function wants it back. */
#if !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* madvise */
#endif

#include "core/memory.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "core/context.h"

/* What stands in front of memory, in a room that keeps the alignment of
   everything we hand out. */
enum { HEAD = 64 };

typedef struct head {
    void *block; /* as the allocator gave it */
    size_t bytes;
} head;

/* Bytes of a block for so much memory; 0 when that is too much. The memory is
   a multiple of 64, so that vector kernels may read a whole last lane; with it
   stand its head and the room to begin at the next multiple of 64, since
   calloc() and malloc() in the place of an allocator know nothing of ours. */
static size_t block_bytes(size_t count, size_t size)
{
    size_t bytes;
    if (!ebm_multiply(count ? count : 1, size ? size : 1, &bytes) ||
        bytes > SIZE_MAX - 4 * HEAD)
        return 0;
    return ebm_round_up(bytes, HEAD) + 2 * HEAD;
}

/* The memory in a block, from its first aligned byte on. */
static void *memory_in(void *block, size_t bytes)
{
    uintptr_t past = (uintptr_t)block % HEAD;
    unsigned char *start = (unsigned char *)block + (past ? HEAD - past : 0);
    const head own = {block, bytes};
    memcpy(start, &own, sizeof own);
    return start + HEAD;
}

void *ebm_alloc(const ebm_context *context, size_t count, size_t size)
{
    size_t bytes = block_bytes(count, size);
    const ebm_allocator *allocator = &context->allocator;
    void *block =
        bytes ? allocator->allocate(bytes, HEAD, allocator->user) : NULL;
    return block ? memory_in(block, bytes) : NULL;
}

/* Weights in panels and moments are streamed through from one end to the
   other, and looking up a page for each 4 KiB of them costs a tenth of a
   network's time under a hypervisor. Large pages are asked for where the
   system gives them to who asks; a refusal changes nothing. */
static void ask_for_large_pages(void *block, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    enum { LARGE = 2 * 1024 * 1024 };
    uintptr_t first = ((uintptr_t)block + LARGE - 1) / LARGE * LARGE;
    uintptr_t end = ((uintptr_t)block + bytes) / LARGE * LARGE;
    if (end > first && end - first >= 2 * LARGE)
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
#else
    (void)block, (void)bytes;
#endif
}

/* calloc() knows which pages come fresh from the system and need no clearing:
   what nobody writes then takes no memory, such as the gradient of a model
   that is only sampled. */
void *ebm_alloc_zero(const ebm_context *context, size_t count, size_t size)
{
    size_t bytes = block_bytes(count, size);
    if (context->uses_libc) {
        void *block = bytes ? calloc(bytes, 1) : NULL;
        if (block)
            ask_for_large_pages(block, bytes);
        return block ? memory_in(block, bytes) : NULL;
    }
    void *memory = ebm_alloc(context, count, size);
    if (memory)
        memset(memory, 0, bytes - 2 * HEAD);
    return memory;
}

void ebm_free(const ebm_context *context, void *memory)
{
    if (!memory)
        return;
    head own;
    memcpy(&own, (unsigned char *)memory - HEAD, sizeof own);
    context->allocator.release(own.block, own.bytes, context->allocator.user);
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
