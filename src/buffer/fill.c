/* How states come into the buffer other than through chains: from a source,
   which also gives the fresh ones, or from the caller; and the slots. */
#include "buffer/buffer.h"

#include <string.h>

#include "chains/chains.h"
#include "core/context.h"
#include "core/memory.h"
#include "dataset/dataset.h"
#include "kernel/kernels.h"

void ebm_buffer_clear(ebm_buffer *buffer)
{
    buffer->count = 0;
    buffer->offered = 0;
    buffer->newer[buffer->capacity] = buffer->capacity;
    buffer->older[buffer->capacity] = buffer->capacity;
    buffer->layout++;
}

void ebm_buffer_write(ebm_buffer *buffer, size_t slot, const ebm_state *state)
{
    size_t *newer = buffer->newer, *older = buffer->older;
    size_t anchor = buffer->capacity;
    if (slot == buffer->count) {
        buffer->count++;
    } else {
        newer[older[slot]] = newer[slot];
        older[newer[slot]] = older[slot];
    }
    older[slot] = older[anchor];
    newer[slot] = anchor;
    newer[older[slot]] = slot;
    older[anchor] = slot;

    /* A fill draws its states where they will stand. */
    if (state->x != buffer->states + slot * buffer->size)
        memcpy(buffer->states + slot * buffer->size, state->x,
               buffer->size * sizeof *state->x);
    buffer->labels[slot] = state->label;
    buffer->origins[slot] = state->origin;
    buffer->ages[slot] = state->age;
    buffer->transitions[slot] = state->transitions;
    buffer->written[slot] = buffer->stores;
}

void ebm_buffer_offer(ebm_buffer *buffer, const ebm_state *state)
{
    uint64_t key = buffer->seen++;
    buffer->offered++;
    if (buffer->count < buffer->capacity) {
        ebm_buffer_write(buffer, buffer->count, state);
    } else if (buffer->values[EBM_BUFFER_POLICY] == EBM_BUFFER_RESERVOIR) {
        /* Algorithm R (Vitter 1985): the t-th state comes in with probability
           capacity / t, in the place of a random one; then each of the t is
           held with that probability. */
        ebm_random random =
            ebm_random_at(buffer->seed, EBM_PURPOSE_BUFFER_STORE, 0, key);
        uint64_t place = ebm_random_index(&random, 0, buffer->offered);
        if (place < buffer->capacity)
            ebm_buffer_write(buffer, (size_t)place, state);
    } else {
        ebm_buffer_write(buffer, buffer->newer[buffer->capacity], state);
    }
}

ebm_random ebm_buffer_fill_random(const ebm_buffer *buffer, size_t i)
{
    return ebm_random_at(buffer->seed, EBM_PURPOSE_BUFFER_FILL, i,
                         buffer->fills);
}

ebm_random ebm_buffer_fresh_random(const ebm_buffer *buffer, size_t i)
{
    return ebm_random_at(buffer->seed, EBM_PURPOSE_BUFFER_FRESH, i,
                         buffer->draws);
}

size_t ebm_source_sample(const ebm_source *source, const ebm_random *random)
{
    return (size_t)ebm_random_index(random, 0, source->samples);
}

void ebm_buffer_fresh(const ebm_buffer *buffer, const ebm_random *random,
                      ebm_stock *stock, float *x, int32_t *label)
{
    const ebm_kernels *kernels = ebm_context_of(buffer)->kernels;
    const ebm_source *source = &buffer->source;
    *label = 0;
    if (source->kind == EBM_SOURCE_UNIFORM)
        kernels->uniform(random, buffer->size, source->a, source->b, x);
    else if (source->kind == EBM_SOURCE_NORMAL)
        kernels->normal(random, buffer->size, source->a, source->b, x);
    else
        ebm_dataset_sample(
            source->dataset, ebm_source_sample(source, random),
            stock->bytes ? stock->bytes + stock->taken++ * buffer->size : NULL,
            x, label);
}

ebm_origin ebm_buffer_fresh_origin(const ebm_buffer *buffer)
{
    return buffer->source.kind == EBM_SOURCE_DATA ? EBM_ORIGIN_DATA
                                                  : EBM_ORIGIN_NOISE;
}

static ebm_status check_count(const ebm_buffer *buffer, size_t count)
{
    if (count <= buffer->capacity)
        return EBM_OK;
    return ebm_fail(ebm_context_of(buffer), EBM_ERROR_RANGE,
                    "%zu states do not fit into a buffer of %zu", count,
                    buffer->capacity);
}

/* Empties the buffer, adopts the source and takes count draws from it. */
static void fill(ebm_buffer *buffer, ebm_source source, size_t count,
                 ebm_stock *stock)
{
    ebm_object_retain(source.dataset);
    ebm_object_release(buffer->source.dataset);
    buffer->source = source;
    ebm_buffer_clear(buffer);
    for (size_t i = 0; i < count; i++) {
        float *x = buffer->states + i * buffer->size;
        ebm_state state = {NULL, 0, ebm_buffer_fresh_origin(buffer), 0, 0};
        ebm_random random = ebm_buffer_fill_random(buffer, i);
        ebm_buffer_fresh(buffer, &random, stock, x, &state.label);
        state.x = x;
        ebm_buffer_write(buffer, i, &state);
    }
    buffer->seen += count;
    buffer->offered += count;
    buffer->fills++;
}

void ebm_buffer_reset(ebm_buffer *buffer, ebm_stock *stock)
{
    fill(buffer, buffer->source, buffer->count, stock);
}

ebm_status ebm_buffer_fill_uniform(ebm_buffer *buffer, size_t count,
                                   double minimum, double maximum)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    EBM_TRY(check_count(buffer, count));
    EBM_TRY(ebm_check_uniform_law(ebm_context_of(buffer), minimum, maximum));
    ebm_source source = {EBM_SOURCE_UNIFORM, (float)minimum, (float)maximum,
                         NULL, 0};
    fill(buffer, source, count, NULL);
    return EBM_OK;
}

ebm_status ebm_buffer_fill_normal(ebm_buffer *buffer, size_t count,
                                  double mean, double std)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    EBM_TRY(check_count(buffer, count));
    EBM_TRY(ebm_check_normal_law(ebm_context_of(buffer), mean, std));
    ebm_source source = {EBM_SOURCE_NORMAL, (float)mean, (float)std, NULL, 0};
    fill(buffer, source, count, NULL);
    return EBM_OK;
}

/* Reads what the next fill from this source will take. */
static ebm_status stock_fill(const ebm_buffer *buffer,
                             const ebm_source *source, size_t count,
                             ebm_stock *stock)
{
    const ebm_context *context = ebm_context_of(buffer);
    if (!count || !ebm_dataset_needs_stage(source->dataset))
        return EBM_OK;
    size_t *numbers = ebm_alloc(context, count, sizeof *numbers);
    if (!numbers)
        return ebm_out_of_memory(context, "a list of images");
    for (size_t i = 0; i < count; i++) {
        ebm_random random = ebm_buffer_fill_random(buffer, i);
        numbers[i] = ebm_source_sample(source, &random);
    }
    ebm_status status =
        ebm_dataset_stage(source->dataset, numbers, count, &stock->bytes);
    ebm_free(context, numbers);
    return status;
}

ebm_status ebm_buffer_fill_data(ebm_buffer *buffer, ebm_dataset *dataset,
                                size_t count)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    EBM_CHECK_HANDLE(dataset, EBM_TYPE_DATASET);
    EBM_CHECK_SAME_CONTEXT(buffer, dataset);
    EBM_TRY(check_count(buffer, count));
    size_t height, width, channels;
    EBM_TRY(ebm_dataset_shape(dataset, &height, &width, &channels));
    if (height != buffer->height || width != buffer->width ||
        channels != buffer->channels)
        return ebm_fail(ebm_context_of(buffer), EBM_ERROR_SHAPE,
                        "the dataset has samples [%zu, %zu, %zu], the buffer "
                        "states [%zu, %zu, %zu]",
                        height, width, channels, buffer->height, buffer->width,
                        buffer->channels);
    ebm_source source = {EBM_SOURCE_DATA, 0, 0, dataset,
                         ebm_dataset_count(dataset)};
    ebm_stock stock = {NULL, 0};
    EBM_TRY(stock_fill(buffer, &source, count, &stock));
    fill(buffer, source, count, &stock);
    ebm_free(ebm_context_of(buffer), stock.bytes);
    return EBM_OK;
}

ebm_status ebm_buffer_add(ebm_buffer *buffer, const float *x,
                          const int32_t *labels, size_t n, ebm_origin origin)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    const ebm_context *context = ebm_context_of(buffer);
    if (!x || !n)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "x is NULL or n is 0");
    size_t elements;
    EBM_TRY(ebm_check_size(context, n, buffer->height, buffer->width,
                           buffer->channels, &elements));
    EBM_TRY(ebm_check_origin(context, origin));
    EBM_TRY(ebm_check_finite(context, "states", x, n, buffer->size));
    buffer->layout++;
    for (size_t i = 0; i < n; i++) {
        ebm_state state = {x + i * buffer->size, labels ? labels[i] : 0,
                           origin, 0, 0};
        ebm_buffer_offer(buffer, &state);
    }
    return EBM_OK;
}
