/* The replay buffer: creation, settings, what can be read from it. */
#include "buffer/buffer.h"

#include <string.h>

#include "core/memory.h"
#include "core/option.h"

static const ebm_option_row rows[EBM_BUFFER_KEYS] = {
    [EBM_BUFFER_POLICY] = {"policy", EBM_OPTION_CHOICE, EBM_BUFFER_FIFO,
                           EBM_BUFFER_WRITE_BACK, EBM_BUFFER_FIFO},
    [EBM_BUFFER_FRESH_RATE] = {"fresh_rate", EBM_OPTION_REAL, 0, 1, 0.05},
    [EBM_BUFFER_RESET_INTERVAL] = {"reset_interval", EBM_OPTION_INTEGER, 0,
                                   1e9, 0},
};

static void finish(void *object)
{
    ebm_buffer *buffer = object;
    const ebm_context *context = ebm_context_of(buffer);
    ebm_object_release(buffer->source.dataset);
    ebm_object_release(buffer->transition);
    ebm_transition_work_free(context, &buffer->work);
    ebm_free(context, buffer->order);
    ebm_free(context, buffer->older);
    ebm_free(context, buffer->newer);
    ebm_free(context, buffer->written);
    ebm_free(context, buffer->transitions);
    ebm_free(context, buffer->ages);
    ebm_free(context, buffer->origins);
    ebm_free(context, buffer->labels);
    ebm_free(context, buffer->states);
}

/* Nothing is cleared: a slot is written before it is read, and pages that are
   never used cost nothing. */
static ebm_status allocate(ebm_buffer *buffer)
{
    const ebm_context *context = ebm_context_of(buffer);
    size_t n = buffer->capacity;
    buffer->states =
        ebm_alloc(context, n * buffer->size, sizeof *buffer->states);
    buffer->labels = ebm_alloc(context, n, sizeof *buffer->labels);
    buffer->origins = ebm_alloc(context, n, sizeof *buffer->origins);
    buffer->ages = ebm_alloc(context, n, sizeof *buffer->ages);
    buffer->transitions = ebm_alloc(context, n, sizeof *buffer->transitions);
    buffer->written = ebm_alloc(context, n, sizeof *buffer->written);
    buffer->newer = ebm_alloc(context, n + 1, sizeof *buffer->newer);
    buffer->older = ebm_alloc(context, n + 1, sizeof *buffer->older);
    buffer->order = ebm_alloc(context, n, sizeof *buffer->order);
    if (!buffer->states || !buffer->labels || !buffer->origins ||
        !buffer->ages || !buffer->transitions || !buffer->written ||
        !buffer->newer || !buffer->older || !buffer->order)
        return ebm_out_of_memory(context, "a replay buffer");
    ebm_buffer_clear(buffer);
    return EBM_OK;
}

ebm_status ebm_buffer_create(ebm_context *context, size_t capacity,
                             size_t height, size_t width, size_t channels,
                             uint64_t seed, ebm_buffer **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "buffer is NULL");
    size_t elements;
    EBM_TRY(
        ebm_check_size(context, capacity, height, width, channels, &elements));
    ebm_buffer *buffer =
        ebm_object_create(context, EBM_TYPE_BUFFER, sizeof *buffer, finish);
    if (!buffer)
        return EBM_ERROR_MEMORY;
    ebm_option_reset(rows, EBM_BUFFER_KEYS, buffer->values);
    buffer->capacity = capacity;
    buffer->height = height;
    buffer->width = width;
    buffer->channels = channels;
    buffer->size = elements / capacity;
    buffer->seed = seed;
    ebm_status status = allocate(buffer);
    if (status != EBM_OK) {
        ebm_object_release(buffer);
        return status;
    }
    *out = buffer;
    return EBM_OK;
}

void ebm_buffer_destroy(ebm_buffer *buffer)
{
    ebm_object_destroy(buffer, EBM_TYPE_BUFFER);
}

ebm_status ebm_buffer_set(ebm_buffer *buffer, ebm_buffer_key key, double value)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    return ebm_option_set(ebm_context_of(buffer), rows, EBM_BUFFER_KEYS,
                          buffer->values, (unsigned)key, value);
}

ebm_status ebm_buffer_get(const ebm_buffer *buffer, ebm_buffer_key key,
                          double *value)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    return ebm_option_get(ebm_context_of(buffer), EBM_BUFFER_KEYS,
                          buffer->values, (unsigned)key, value);
}

ebm_status ebm_buffer_option(ebm_buffer_key key, const char **name,
                             ebm_option_kind *kind, double *minimum,
                             double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_BUFFER_KEYS, (unsigned)key, name,
                               kind, minimum, maximum, initial);
}

ebm_status ebm_buffer_set_transition(ebm_buffer *buffer,
                                     ebm_transition *transition)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    if (buffer->is_applying)
        return ebm_fail(ebm_context_of(buffer), EBM_ERROR_STATE,
                        "the buffer is in the middle of a draw");
    if (transition) {
        EBM_CHECK_HANDLE(transition, EBM_TYPE_TRANSITION);
        EBM_CHECK_SAME_CONTEXT(buffer, transition);
        EBM_TRY(ebm_transition_check_shape(transition, buffer->height,
                                           buffer->width, buffer->channels));
    }
    ebm_object_retain(transition);
    ebm_object_release(buffer->transition);
    buffer->transition = transition;
    return EBM_OK;
}

size_t ebm_buffer_size(const ebm_buffer *buffer)
{
    return ebm_object_is(buffer, EBM_TYPE_BUFFER) ? buffer->count : 0;
}

ebm_status ebm_buffer_read(const ebm_buffer *buffer, size_t first, size_t n,
                           float *x)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    const ebm_context *context = ebm_context_of(buffer);
    if (!x || !n)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "x is NULL or n is 0");
    if (first > buffer->count || n > buffer->count - first)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "states %zu to %zu + %zu are not among the %zu held",
                        first, first, n, buffer->count);
    size_t slot = buffer->newer[buffer->capacity];
    for (size_t i = 0; i < first; i++)
        slot = buffer->newer[slot];
    for (size_t i = 0; i < n; i++) {
        memcpy(x + i * buffer->size, buffer->states + slot * buffer->size,
               buffer->size * sizeof *x);
        slot = buffer->newer[slot];
    }
    return EBM_OK;
}

/* Mean, least and most of one number per slot; all 0 when there is none. */
typedef struct spread {
    double mean, least, most;
} spread;

static spread ages(const ebm_buffer *buffer)
{
    spread s = {0, 0, 0};
    for (size_t i = 0; i < buffer->count; i++) {
        double age = (double)buffer->ages[i];
        s.mean += age;
        s.least = i && s.least < age ? s.least : age;
        s.most = s.most > age ? s.most : age;
    }
    if (buffer->count)
        s.mean /= (double)buffer->count;
    return s;
}

static spread staleness(const ebm_buffer *buffer)
{
    spread s = {0, 0, 0};
    for (size_t i = 0; i < buffer->count; i++) {
        double stale = (double)(buffer->stores - buffer->written[i]);
        s.mean += stale;
        s.most = s.most > stale ? s.most : stale;
    }
    if (buffer->count)
        s.mean /= (double)buffer->count;
    return s;
}

ebm_status ebm_buffer_get_statistic(const ebm_buffer *buffer,
                                    ebm_buffer_statistic statistic,
                                    double *value)
{
    EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
    const ebm_context *context = ebm_context_of(buffer);
    if (!value)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "value is NULL");
    switch (statistic) {
    case EBM_BUFFER_STAT_SIZE:
        *value = (double)buffer->count;
        return EBM_OK;
    case EBM_BUFFER_STAT_SEEN:
        *value = (double)buffer->seen;
        return EBM_OK;
    case EBM_BUFFER_STAT_FRESH:
        *value = (double)buffer->fresh;
        return EBM_OK;
    case EBM_BUFFER_STAT_AGE_MEAN:
        *value = ages(buffer).mean;
        return EBM_OK;
    case EBM_BUFFER_STAT_AGE_MIN:
        *value = ages(buffer).least;
        return EBM_OK;
    case EBM_BUFFER_STAT_AGE_MAX:
        *value = ages(buffer).most;
        return EBM_OK;
    case EBM_BUFFER_STAT_STALENESS_MEAN:
        *value = staleness(buffer).mean;
        return EBM_OK;
    case EBM_BUFFER_STAT_STALENESS_MAX:
        *value = staleness(buffer).most;
        return EBM_OK;
    case EBM_BUFFER_STATISTIC_MAX:
        break;
    }
    return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no statistic %d",
                    (int)statistic);
}
