/* What a replay buffer remembers. */
#include <string.h>

#include "buffer/buffer.h"
#include "chains/chains.h"
#include "core/memory.h"

/* Memory for arrays that a record holds in another type than the buffer. */
static void prepare(ebm_record *record, ebm_buffer_image *i)
{
    size_t n = (size_t)i->count;
    i->labels = ebm_record_memory(record, n, sizeof *i->labels);
    i->origins = ebm_record_memory(record, n, sizeof *i->origins);
    i->ages = ebm_record_memory(record, n, sizeof *i->ages);
    i->transitions = ebm_record_memory(record, n, sizeof *i->transitions);
    i->written = ebm_record_memory(record, n, sizeof *i->written);
    i->order = ebm_record_memory(record, n, sizeof *i->order);
}

/* The numbers come first: they say how long the arrays are. */
static void visit_numbers(ebm_record *record, const ebm_buffer *buffer,
                          ebm_buffer_image *i)
{
    ebm_record_same(record, "capacity", buffer->capacity);
    ebm_record_same(record, "height", buffer->height);
    ebm_record_same(record, "width", buffer->width);
    ebm_record_same(record, "channels", buffer->channels);
    ebm_record_whole(record, "count", &i->count);
    ebm_record_whole(record, "seed", &i->seed);
    ebm_record_whole(record, "seen", &i->seen);
    ebm_record_whole(record, "offered", &i->offered);
    ebm_record_whole(record, "fresh", &i->fresh);
    ebm_record_whole(record, "draws", &i->draws);
    ebm_record_whole(record, "fills", &i->fills);
    ebm_record_whole(record, "stores", &i->stores);
    ebm_record_whole(record, "references", &i->references);
    ebm_record_whole(record, "source", &i->source);
    ebm_record_whole(record, "source_samples", &i->samples);
    ebm_record_real(record, "source_a", &i->a);
    ebm_record_real(record, "source_b", &i->b);
}

static void visit_arrays(ebm_record *record, const ebm_buffer *buffer,
                         ebm_buffer_image *i)
{
    size_t n = (size_t)i->count;
    const size_t shape[4] = {n, buffer->height, buffer->width,
                             buffer->channels};
    ebm_record_floats(record, "states", shape, 4, i->states);
    ebm_record_integers(record, "labels", n, i->labels);
    ebm_record_integers(record, "origins", n, i->origins);
    ebm_record_wholes(record, "ages", n, i->ages);
    ebm_record_wholes(record, "transitions", n, i->transitions);
    ebm_record_wholes(record, "written", n, i->written);
    ebm_record_wholes(record, "order", n, i->order);
}

/* The ring of slots becomes a list, the oldest first. */
static void take_down_arrays(const ebm_buffer *buffer, ebm_buffer_image *i)
{
    size_t n = buffer->count, slot = buffer->capacity;
    i->states = buffer->states;
    for (size_t k = 0; k < n; k++) {
        i->labels[k] = buffer->labels[k];
        i->origins[k] = (int32_t)buffer->origins[k];
        i->ages[k] = buffer->ages[k];
        i->transitions[k] = buffer->transitions[k];
        i->written[k] = buffer->written[k];
        slot = buffer->newer[slot];
        i->order[k] = slot;
    }
}

static ebm_status save(const void *object, ebm_record *record)
{
    const ebm_buffer *buffer = object;
    if (buffer->is_applying)
        return ebm_record_fail(record, EBM_ERROR_STATE,
                               "the buffer is in the middle of a draw");
    ebm_buffer_image i = {.seed = buffer->seed,
                          .count = buffer->count,
                          .seen = buffer->seen,
                          .offered = buffer->offered,
                          .fresh = buffer->fresh,
                          .draws = buffer->draws,
                          .fills = buffer->fills,
                          .stores = buffer->stores,
                          .references = buffer->references,
                          .source = (uint64_t)buffer->source.kind,
                          .samples = buffer->source.samples,
                          .a = (double)buffer->source.a,
                          .b = (double)buffer->source.b};
    visit_numbers(record, buffer, &i);
    prepare(record, &i);
    if (record->status == EBM_OK)
        take_down_arrays(buffer, &i);
    visit_arrays(record, buffer, &i);
    return record->status;
}

/* A source of data is the program's to give: it fills the buffer, with no
   states if it likes, before it loads. */
static ebm_status check_source(ebm_record *record, const ebm_buffer *buffer,
                               const ebm_buffer_image *i)
{
    const ebm_context *context = record->context;
    ebm_status status = EBM_OK;
    if (i->source > EBM_SOURCE_DATA)
        return ebm_record_fail(record, EBM_ERROR_FORMAT,
                               "there is no source %llu",
                               (unsigned long long)i->source);
    if (i->source == EBM_SOURCE_UNIFORM)
        status = ebm_check_uniform_law(context, i->a, i->b);
    if (i->source == EBM_SOURCE_NORMAL)
        status = ebm_check_normal_law(context, i->a, i->b);
    if (status != EBM_OK)
        return ebm_record_fail(record, EBM_ERROR_FORMAT,
                               "there is no source of %g and %g", i->a, i->b);
    if (i->source == EBM_SOURCE_DATA &&
        (buffer->source.kind != EBM_SOURCE_DATA ||
         buffer->source.samples != i->samples))
        return ebm_record_fail(record, EBM_ERROR_STATE,
                               "fresh states are from a dataset of %llu "
                               "samples: fill the buffer from it first",
                               (unsigned long long)i->samples);
    return EBM_OK;
}

/* Each slot stands in the order once, and each origin is one. */
static ebm_status check_slots(ebm_record *record, const ebm_buffer_image *i)
{
    size_t n = (size_t)i->count;
    unsigned char *seen = ebm_record_memory(record, n, 1);
    for (size_t k = 0; seen && k < n; k++) {
        if (i->origins[k] < 0 || i->origins[k] > EBM_ORIGIN_PERSISTED_DATA)
            return ebm_record_fail(record, EBM_ERROR_FORMAT,
                                   "there is no origin %ld",
                                   (long)i->origins[k]);
        if (i->order[k] >= n || seen[i->order[k]])
            return ebm_record_fail(record, EBM_ERROR_FORMAT,
                                   "the order does not hold each slot once");
        seen[i->order[k]] = 1;
    }
    return record->status;
}

static ebm_status stage(const void *object, ebm_record *record, void *image)
{
    const ebm_buffer *buffer = object;
    ebm_buffer_image *i = image;
    if (buffer->is_applying)
        return ebm_record_fail(record, EBM_ERROR_STATE,
                               "the buffer is in the middle of a draw");
    visit_numbers(record, buffer, i);
    if (record->status == EBM_OK && i->count > buffer->capacity)
        return ebm_record_fail(record, EBM_ERROR_FORMAT,
                               "%llu states in a buffer of %zu",
                               (unsigned long long)i->count, buffer->capacity);
    prepare(record, i);
    i->states = ebm_record_memory(record, (size_t)i->count,
                                  buffer->size * sizeof *i->states);
    visit_arrays(record, buffer, i);
    if (record->status == EBM_OK)
        check_slots(record, i);
    if (record->status == EBM_OK)
        check_source(record, buffer, i);
    return record->status;
}

static void commit_arrays(ebm_buffer *buffer, const ebm_buffer_image *i)
{
    size_t n = (size_t)i->count, anchor = buffer->capacity, last = anchor;
    memcpy(buffer->states, i->states,
           n * buffer->size * sizeof *buffer->states);
    for (size_t k = 0; k < n; k++) {
        size_t slot = (size_t)i->order[k];
        buffer->labels[k] = i->labels[k];
        buffer->origins[k] = (ebm_origin)i->origins[k];
        buffer->ages[k] = i->ages[k];
        buffer->transitions[k] = i->transitions[k];
        buffer->written[k] = i->written[k];
        buffer->newer[last] = slot;
        buffer->older[slot] = last;
        last = slot;
    }
    buffer->newer[last] = anchor;
    buffer->older[anchor] = last;
}

static void commit(void *object, void *image)
{
    ebm_buffer *buffer = object;
    const ebm_buffer_image *i = image;
    commit_arrays(buffer, i);
    buffer->count = (size_t)i->count;
    buffer->seed = i->seed;
    buffer->seen = i->seen;
    buffer->offered = i->offered;
    buffer->fresh = i->fresh;
    buffer->draws = i->draws;
    buffer->fills = i->fills;
    buffer->stores = i->stores;
    buffer->references = i->references;
    /* Chains that were drawn before have no slots here any more. */
    buffer->layout++;
    if (i->source == EBM_SOURCE_DATA)
        return;
    ebm_object_release(buffer->source.dataset);
    buffer->source = (ebm_source){.kind = (ebm_source_kind)i->source,
                                  .a = (float)i->a,
                                  .b = (float)i->b};
}

const ebm_record_ops ebm_buffer_record = {.kind = "buffer",
                                          .type = EBM_TYPE_BUFFER,
                                          .image = sizeof(ebm_buffer_image),
                                          .save = save,
                                          .stage = stage,
                                          .commit = commit};

int ebm_buffer_holds_slots(const ebm_buffer *buffer, const ebm_chains *chains)
{
    return chains->buffer == &buffer->object &&
           chains->buffer_layout == buffer->layout;
}

void ebm_buffer_give_slots(ebm_buffer *buffer, ebm_chains *chains)
{
    ebm_object_retain(buffer);
    ebm_object_release(chains->buffer);
    chains->buffer = &buffer->object;
    chains->buffer_layout = buffer->layout;
}
