/* From the buffer to the chains, and back. */
#include "buffer/buffer.h"

#include <string.h>

#include "chains/tail.h"
#include "core/memory.h"
#include "dataset/dataset.h"

/* Elements of a chain's BUFFER_DRAW generator: each has a block of its own. */
enum { ELEMENT_FRESH = 0, ELEMENT_SLOT = 1 };

static int writes_back(const ebm_buffer *buffer)
{
    return buffer->values[EBM_BUFFER_POLICY] == EBM_BUFFER_WRITE_BACK;
}

static ebm_status check_pair(const ebm_buffer *buffer,
                             const ebm_chains *chains)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    EBM_CHECK_SAME_CONTEXT(buffer, chains);
    if (chains->height != buffer->height || chains->width != buffer->width ||
        chains->channels != buffer->channels)
        return ebm_fail(ebm_context_of(buffer), EBM_ERROR_SHAPE,
                        "the chains have states [%zu, %zu, %zu], the buffer "
                        "[%zu, %zu, %zu]",
                        chains->height, chains->width, chains->channels,
                        buffer->height, buffer->width, buffer->channels);
    return EBM_OK;
}

/* Whether all chains begin anew before this draw: the first draw is none. */
static int is_reset_due(const ebm_buffer *buffer)
{
    uint64_t interval = (uint64_t)buffer->values[EBM_BUFFER_RESET_INTERVAL];
    return interval && buffer->draws && buffer->draws % interval == 0;
}

static ebm_status check_drawable(const ebm_buffer *buffer,
                                 const ebm_chains *chains)
{
    const ebm_context *context = ebm_context_of(buffer);
    double rate = buffer->values[EBM_BUFFER_FRESH_RATE];
    if (rate > 0 && buffer->source.kind == EBM_SOURCE_NONE)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "fresh_rate is %g but the buffer was never filled "
                        "from a source",
                        rate);
    if (is_reset_due(buffer) && buffer->source.kind == EBM_SOURCE_NONE)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "a reset is due after %llu draws but the buffer was "
                        "never filled from a source",
                        (unsigned long long)buffer->draws);
    if (writes_back(buffer) && chains->n > buffer->count)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "%zu chains can not be drawn from %zu states without "
                        "replacement",
                        chains->n, buffer->count);
    if (rate < 1 && !buffer->count)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the buffer is empty and fresh_rate is %g", rate);
    return EBM_OK;
}

/* What a slot's state begins as: it goes on from an earlier run when it has
   lived a step. */
static ebm_origin drawn_origin(const ebm_buffer *buffer, size_t slot)
{
    ebm_origin origin = buffer->origins[slot];
    if (!buffer->ages[slot])
        return origin;
    if (origin == EBM_ORIGIN_NOISE)
        return EBM_ORIGIN_PERSISTED_NOISE;
    if (origin == EBM_ORIGIN_DATA)
        return EBM_ORIGIN_PERSISTED_DATA;
    return origin;
}

/* The slot of chain i. Without replacement: a Fisher-Yates shuffle of which
   only the first n places are carried out, one a call. */
static size_t choose_slot(ebm_buffer *buffer, const ebm_random *random,
                          size_t i)
{
    if (!writes_back(buffer))
        return (size_t)ebm_random_index(random, ELEMENT_SLOT, buffer->count);
    size_t *order = buffer->order;
    size_t j =
        i + (size_t)ebm_random_index(random, ELEMENT_SLOT, buffer->count - i);
    size_t slot = order[j];
    order[j] = order[i];
    order[i] = slot;
    return slot;
}

/* Whether the next draw makes chain i fresh. */
static int is_fresh(const ebm_buffer *buffer, const ebm_random *random)
{
    return ebm_random_uniform(random, ELEMENT_FRESH) <
           buffer->values[EBM_BUFFER_FRESH_RATE];
}

static ebm_random draw_random(const ebm_buffer *buffer, size_t i)
{
    return ebm_random_at(buffer->seed, EBM_PURPOSE_BUFFER_DRAW, i,
                         buffer->draws);
}

/* Reads what a reset, if one is due, and the fresh chains will take. */
static ebm_status stock_draw(const ebm_buffer *buffer,
                             const ebm_chains *chains, ebm_stock *stock)
{
    const ebm_context *context = ebm_context_of(buffer);
    const ebm_source *source = &buffer->source;
    if (source->kind != EBM_SOURCE_DATA ||
        !ebm_dataset_needs_stage(source->dataset))
        return EBM_OK;
    size_t n = 0, resets = is_reset_due(buffer) ? buffer->count : 0;
    size_t *numbers = ebm_alloc(context, resets + chains->n, sizeof *numbers);
    if (!numbers)
        return ebm_out_of_memory(context, "a list of images");
    for (size_t i = 0; i < resets; i++) {
        ebm_random random = ebm_buffer_fill_random(buffer, i);
        numbers[n++] = ebm_source_sample(source, &random);
    }
    for (size_t i = 0; i < chains->n; i++) {
        ebm_random random = draw_random(buffer, i);
        if (!is_fresh(buffer, &random))
            continue;
        random = ebm_buffer_fresh_random(buffer, i);
        numbers[n++] = ebm_source_sample(source, &random);
    }
    ebm_status status =
        ebm_dataset_stage(source->dataset, numbers, n, &stock->bytes);
    ebm_free(context, numbers);
    return status;
}

static void draw_fresh(ebm_buffer *buffer, ebm_stock *stock,
                       ebm_chains *chains, size_t i)
{
    ebm_random random = ebm_buffer_fresh_random(buffer, i);
    ebm_buffer_fresh(buffer, &random, stock, chains->states + i * chains->size,
                     chains->labels + i);
    chains->origins[i] = ebm_buffer_fresh_origin(buffer);
    chains->ages[i] = 0;
    chains->transitions[i] = 0;
    buffer->fresh++;
}

static void draw_held(const ebm_buffer *buffer, ebm_chains *chains, size_t i,
                      size_t slot)
{
    memcpy(chains->states + i * chains->size,
           buffer->states + slot * buffer->size,
           buffer->size * sizeof *chains->states);
    chains->labels[i] = buffer->labels[slot];
    chains->origins[i] = drawn_origin(buffer, slot);
    chains->ages[i] = buffer->ages[slot];
    chains->transitions[i] = buffer->transitions[slot];
}

/* All that can go wrong with the transition but for its callbacks. */
static ebm_status prepare_transition(ebm_buffer *buffer, size_t n)
{
    const ebm_context *context = ebm_context_of(buffer);
    if (buffer->is_applying)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the buffer is in the middle of a draw");
    if (!buffer->transition)
        return EBM_OK;
    if (buffer->draws >= EBM_TRANSITION_LIMIT ||
        buffer->references >= EBM_TRANSITION_LIMIT)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the buffer has used up its numbers of draws");
    return ebm_transition_prepare(&buffer->work, buffer->transition, n,
                                  buffer->height, buffer->width,
                                  buffer->channels);
}

/* Applies what was prepared. A callback may let go of any handle: the buffer
   and its transition stay. */
static ebm_status apply_transition(ebm_buffer *buffer,
                                   const ebm_transition_batch *batch)
{
    ebm_object_hold(buffer);
    buffer->is_applying = 1;
    ebm_status status = ebm_transition_run(&buffer->work, batch);
    buffer->is_applying = 0;
    return status;
}

/* The drawn chains jump; fresh ones, which the work skips, do not. */
static ebm_status jump(ebm_buffer *buffer, ebm_chains *chains)
{
    ebm_transition_batch batch = {.x = chains->states,
                                  .labels = chains->labels,
                                  .n = chains->n,
                                  .seed = buffer->seed,
                                  .purpose = EBM_PURPOSE_DRAW_TRANSITION,
                                  .first_stream = chains->first_stream,
                                  .count = buffer->draws - 1};
    ebm_object_hold(chains);
    chains->is_moving = 1;
    ebm_status status = apply_transition(buffer, &batch);
    chains->is_moving = 0;
    for (size_t i = 0; i < chains->n; i++)
        chains->transitions[i] += buffer->work.touched[i];
    ebm_object_let_go(chains);
    ebm_object_let_go(buffer);
    return status;
}

ebm_status ebm_buffer_draw(ebm_buffer *buffer, ebm_chains *chains)
{
    EBM_TRY(check_pair(buffer, chains));
    EBM_TRY(ebm_chains_check_free(chains));
    EBM_TRY(check_drawable(buffer, chains));
    EBM_TRY(prepare_transition(buffer, chains->n));
    ebm_stock stock = {NULL, 0};
    EBM_TRY(stock_draw(buffer, chains, &stock));
    if (is_reset_due(buffer))
        ebm_buffer_reset(buffer, &stock);
    /* The shuffle begins from the same order each time, so that a draw is a
       function of the counter alone. */
    if (writes_back(buffer))
        for (size_t slot = 0; slot < buffer->count; slot++)
            buffer->order[slot] = slot;
    for (size_t i = 0; i < chains->n; i++) {
        ebm_random random = draw_random(buffer, i);
        int fresh = is_fresh(buffer, &random);
        /* Under WRITE_BACK a fresh chain takes the place of a state. */
        size_t slot = EBM_NO_SLOT;
        if (!fresh || writes_back(buffer))
            slot = choose_slot(buffer, &random, i);
        if (fresh)
            draw_fresh(buffer, &stock, chains, i);
        else
            draw_held(buffer, chains, i, slot);
        chains->diverged[i] = 0;
        chains->slots[i] = slot;
        if (fresh && buffer->transition)
            buffer->work.skip[i] = 1;
    }
    ebm_free(ebm_context_of(buffer), stock.bytes);
    buffer->draws++;
    ebm_object_retain(buffer);
    ebm_object_release(chains->buffer);
    ebm_tail_forget(chains);
    chains->since_jump = 0;
    chains->buffer = &buffer->object;
    chains->buffer_layout = buffer->layout;
    return buffer->transition ? jump(buffer, chains) : EBM_OK;
}

/* Copies the states that references are drawn from, and their labels unless
   NULL. */
static void draw_references(const ebm_buffer *buffer, size_t count, float *x,
                            int32_t *labels)
{
    for (size_t i = 0; i < count; i++) {
        ebm_random random = ebm_random_at(
            buffer->seed, EBM_PURPOSE_BUFFER_REFERENCE, i, buffer->references);
        size_t slot = (size_t)ebm_random_index(&random, 0, buffer->count);
        memcpy(x + i * buffer->size, buffer->states + slot * buffer->size,
               buffer->size * sizeof *x);
        if (labels)
            labels[i] = buffer->labels[slot];
    }
}

ebm_status ebm_buffer_reference(ebm_buffer *buffer, size_t count, float *x)
{
    const ebm_context *context = ebm_context_of(buffer);
    if (!x || !count)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "x is NULL or count is 0");
    if (!buffer->count)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the buffer is empty: it has no reference states");
    EBM_TRY(prepare_transition(buffer, count));
    if (!buffer->transition) {
        draw_references(buffer, count, x, NULL);
        buffer->references++;
        return EBM_OK;
    }
    int32_t *labels = ebm_alloc(context, count, sizeof *labels);
    if (!labels)
        return ebm_out_of_memory(context, "the labels of references");
    draw_references(buffer, count, x, labels);
    ebm_transition_batch batch = {.x = x,
                                  .labels = labels,
                                  .n = count,
                                  .seed = buffer->seed,
                                  .purpose = EBM_PURPOSE_REFERENCE_TRANSITION,
                                  .count = buffer->references};
    ebm_status status = apply_transition(buffer, &batch);
    /* A draw that failed did not take place: the next one is this one. */
    buffer->references += status == EBM_OK;
    ebm_free(context, labels);
    ebm_object_let_go(buffer);
    return status;
}

/* Whether every chain still has a slot to return to. */
static ebm_status check_slots(const ebm_buffer *buffer,
                              const ebm_chains *chains)
{
    const ebm_context *context = ebm_context_of(buffer);
    if (chains->buffer != &buffer->object)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "write-back needs chains that were drawn from this "
                        "buffer last");
    if (chains->buffer_layout != buffer->layout)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the buffer was filled or added to since the chains "
                        "were drawn: their slots hold other states");
    for (size_t i = 0; i < chains->n; i++)
        if (chains->slots[i] == EBM_NO_SLOT)
            return ebm_fail(context, EBM_ERROR_STATE,
                            "chain %zu has no slot: it was drawn fresh under "
                            "another policy",
                            i);
    return EBM_OK;
}

ebm_status ebm_buffer_store(ebm_buffer *buffer, const ebm_chains *chains)
{
    EBM_TRY(check_pair(buffer, chains));
    EBM_TRY(ebm_chains_check_healthy(chains));
    int back = writes_back(buffer);
    if (back)
        EBM_TRY(check_slots(buffer, chains));
    else
        buffer->layout++;
    buffer->stores++;
    for (size_t i = 0; i < chains->n; i++) {
        ebm_state state = {chains->states + i * chains->size,
                           chains->labels[i], chains->origins[i],
                           chains->ages[i], chains->transitions[i]};
        if (back) {
            ebm_buffer_write(buffer, chains->slots[i], &state);
            buffer->seen++;
            buffer->offered++;
        } else {
            ebm_buffer_offer(buffer, &state);
        }
    }
    return EBM_OK;
}
