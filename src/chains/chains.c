/* Chains: creation, what can be read from them, and their faults. */
#include "chains/chains.h"

#include <string.h>

#include "core/memory.h"
#include "core/random.h"
#include "kernel/kernels.h"

static void finish(void *object)
{
    ebm_chains *chains = object;
    const ebm_context *context = ebm_context_of(chains);
    ebm_object_release(chains->buffer);
    ebm_tail_free(chains);
    ebm_free(context, chains->slots);
    ebm_free(context, chains->diverged);
    ebm_free(context, chains->transitions);
    ebm_free(context, chains->ages);
    ebm_free(context, chains->origins);
    ebm_free(context, chains->labels);
    ebm_free(context, chains->states);
}

static ebm_status allocate(ebm_chains *chains)
{
    const ebm_context *context = ebm_context_of(chains);
    size_t n = chains->n;
    /* Kernels that work on whole vectors may overrun the last state. */
    size_t floats = ebm_round_up(n * chains->size, EBM_LANES) + 64;
    chains->states = ebm_alloc_zero(context, floats, sizeof *chains->states);
    chains->labels = ebm_alloc_zero(context, n, sizeof *chains->labels);
    chains->origins = ebm_alloc_zero(context, n, sizeof *chains->origins);
    chains->ages = ebm_alloc_zero(context, n, sizeof *chains->ages);
    chains->transitions =
        ebm_alloc_zero(context, n, sizeof *chains->transitions);
    chains->diverged = ebm_alloc_zero(context, n, sizeof *chains->diverged);
    chains->slots = ebm_alloc(context, n, sizeof *chains->slots);
    if (!chains->states || !chains->labels || !chains->origins ||
        !chains->ages || !chains->transitions || !chains->diverged ||
        !chains->slots)
        return ebm_out_of_memory(context, "chains");
    for (size_t i = 0; i < n; i++) {
        chains->origins[i] = EBM_ORIGIN_NOISE;
        chains->slots[i] = EBM_NO_SLOT;
    }
    return EBM_OK;
}

ebm_status ebm_chains_create(ebm_context *context, size_t n, size_t height,
                             size_t width, size_t channels, uint64_t seed,
                             ebm_chains **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "chains is NULL");
    size_t elements;
    EBM_TRY(ebm_check_size(context, n, height, width, channels, &elements));
    if (n > EBM_RANDOM_LIMIT)
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "%zu chains are more than there are random streams",
                        n);
    ebm_chains *chains =
        ebm_object_create(context, EBM_TYPE_CHAINS, sizeof *chains, finish);
    if (!chains)
        return EBM_ERROR_MEMORY;
    chains->n = n;
    chains->height = height;
    chains->width = width;
    chains->channels = channels;
    chains->size = elements / n;
    chains->seed = seed;
    ebm_status status = allocate(chains);
    if (status != EBM_OK) {
        ebm_object_release(chains);
        return status;
    }
    *out = chains;
    return EBM_OK;
}

void ebm_chains_destroy(ebm_chains *chains)
{
    ebm_object_destroy(chains, EBM_TYPE_CHAINS);
}

ebm_status ebm_chains_set_first_stream(ebm_chains *chains, uint64_t first)
{
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    EBM_TRY(ebm_chains_check_free(chains));
    if (first > EBM_RANDOM_LIMIT - chains->n)
        return ebm_fail(ebm_context_of(chains), EBM_ERROR_RANGE,
                        "streams from %llu on leave no room for %zu chains",
                        (unsigned long long)first, chains->n);
    chains->first_stream = first;
    return EBM_OK;
}

size_t ebm_chains_count(const ebm_chains *chains)
{
    return ebm_object_is(chains, EBM_TYPE_CHAINS) ? chains->n : 0;
}

ebm_status ebm_chains_shape(const ebm_chains *chains, size_t *height,
                            size_t *width, size_t *channels)
{
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    if (height)
        *height = chains->height;
    if (width)
        *width = chains->width;
    if (channels)
        *channels = chains->channels;
    return EBM_OK;
}

const float *ebm_chains_states(const ebm_chains *chains)
{
    return ebm_object_is(chains, EBM_TYPE_CHAINS) ? chains->states : NULL;
}

const int32_t *ebm_chains_labels(const ebm_chains *chains)
{
    return ebm_object_is(chains, EBM_TYPE_CHAINS) ? chains->labels : NULL;
}

uint64_t ebm_chains_step_count(const ebm_chains *chains)
{
    return ebm_object_is(chains, EBM_TYPE_CHAINS) ? chains->steps : 0;
}

/* What the readers of one chain check. */
static ebm_status check_index(const ebm_chains *chains, size_t index,
                              const void *output)
{
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    if (!output)
        return ebm_fail(ebm_context_of(chains), EBM_ERROR_ARGUMENT,
                        "the output is NULL");
    if (index >= chains->n)
        return ebm_fail(ebm_context_of(chains), EBM_ERROR_RANGE,
                        "there is no chain %zu of %zu", index, chains->n);
    return EBM_OK;
}

ebm_status ebm_chains_origin(const ebm_chains *chains, size_t index,
                             ebm_origin *origin)
{
    EBM_TRY(check_index(chains, index, origin));
    *origin = chains->origins[index];
    return EBM_OK;
}

ebm_status ebm_chains_age(const ebm_chains *chains, size_t index,
                          uint64_t *age)
{
    EBM_TRY(check_index(chains, index, age));
    *age = chains->ages[index];
    return EBM_OK;
}

ebm_status ebm_chains_transitions(const ebm_chains *chains, size_t index,
                                  uint64_t *count)
{
    EBM_TRY(check_index(chains, index, count));
    *count = chains->transitions[index];
    return EBM_OK;
}

ebm_status ebm_chains_diverged(const ebm_chains *chains, size_t index,
                               uint64_t *step)
{
    EBM_TRY(check_index(chains, index, step));
    *step = chains->diverged[index];
    return EBM_OK;
}

size_t ebm_chains_diverged_count(const ebm_chains *chains)
{
    if (!ebm_object_is(chains, EBM_TYPE_CHAINS))
        return 0;
    size_t count = 0;
    for (size_t i = 0; i < chains->n; i++)
        count += chains->diverged[i] != 0;
    return count;
}

size_t ebm_chains_first_diverged(const ebm_chains *chains)
{
    size_t i = 0;
    while (i < chains->n && !chains->diverged[i])
        i++;
    return i;
}

ebm_status ebm_chains_check_still(const ebm_chains *chains)
{
    if (!chains->is_moving)
        return EBM_OK;
    return ebm_fail(ebm_context_of(chains), EBM_ERROR_STATE,
                    "the chains are in the middle of a run");
}

ebm_status ebm_chains_check_free(const ebm_chains *chains)
{
    EBM_TRY(ebm_chains_check_still(chains));
    if (!atomic_load(&chains->readers))
        return EBM_OK;
    return ebm_fail(ebm_context_of(chains), EBM_ERROR_STATE,
                    "a loss is in the middle of a pass over the chains");
}

void ebm_chains_begin_read(const ebm_chains *chains)
{
    atomic_fetch_add(&((ebm_chains *)(uintptr_t)chains)->readers, 1);
}

void ebm_chains_end_read(const ebm_chains *chains)
{
    atomic_fetch_sub(&((ebm_chains *)(uintptr_t)chains)->readers, 1);
}

ebm_status ebm_chains_check_healthy(const ebm_chains *chains)
{
    size_t i = ebm_chains_first_diverged(chains);
    if (i == chains->n)
        return EBM_OK;
    return ebm_fail(ebm_context_of(chains), EBM_ERROR_DIVERGED,
                    "chain %zu is marked: it diverged at step %llu", i,
                    (unsigned long long)chains->diverged[i]);
}
