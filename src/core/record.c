/* Records: what both ways have in common. */
#include "core/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

/* In front of each piece of memory, as long as its alignment. */
struct ebm_record_block {
    struct ebm_record_block *next;
};
enum { BLOCK_HEAD = 64 };

void *ebm_record_memory(ebm_record *record, size_t count, size_t size)
{
    size_t bytes;
    struct ebm_record_block *block = NULL;
    if (record->status != EBM_OK)
        return NULL;
    if (ebm_multiply(count, size, &bytes) && bytes <= SIZE_MAX - BLOCK_HEAD)
        block = ebm_alloc_zero(record->context, BLOCK_HEAD + bytes, 1);
    if (!block) {
        record->status = ebm_out_of_memory(record->context, "a checkpoint");
        return NULL;
    }
    block->next = record->blocks;
    record->blocks = block;
    return (unsigned char *)block + BLOCK_HEAD;
}

void ebm_record_free(ebm_record *record)
{
    while (record->blocks) {
        struct ebm_record_block *block = record->blocks;
        record->blocks = block->next;
        ebm_free(record->context, block);
    }
}

ebm_status ebm_record_fail(ebm_record *record, ebm_status status,
                           const char *format, ...)
{
    char text[200];
    va_list arguments;
    if (record->status != EBM_OK)
        return record->status;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    record->status =
        ebm_fail(record->context, status, "%s%s", record->place, text);
    return record->status;
}

void ebm_record_whole(ebm_record *record, const char *name, uint64_t *value)
{
    if (record->status == EBM_OK)
        record->way->whole(record, name, value);
}

void ebm_record_real(ebm_record *record, const char *name, double *value)
{
    if (record->status == EBM_OK)
        record->way->real(record, name, value);
}

void ebm_record_array(ebm_record *record, const ebm_array *array)
{
    if (record->status == EBM_OK)
        record->way->array(record, array);
}

void ebm_record_floats(ebm_record *record, const char *name,
                       const size_t *shape, size_t rank, float *data)
{
    ebm_array array = {
        .name = name, .type = EBM_ARRAY_F32, .rank = rank, .data = data};
    memcpy(array.shape, shape, rank * sizeof *shape);
    ebm_record_array(record, &array);
}

static void record_flat(ebm_record *record, const char *name,
                        ebm_array_type type, size_t count, void *data)
{
    ebm_array array = {
        .name = name, .type = type, .rank = 1, .shape = {count}, .data = data};
    ebm_record_array(record, &array);
}

void ebm_record_integers(ebm_record *record, const char *name, size_t count,
                         int32_t *data)
{
    record_flat(record, name, EBM_ARRAY_I32, count, data);
}

void ebm_record_wholes(ebm_record *record, const char *name, size_t count,
                       uint64_t *data)
{
    record_flat(record, name, EBM_ARRAY_U64, count, data);
}

void ebm_record_same(ebm_record *record, const char *name, uint64_t value)
{
    uint64_t found = value;
    ebm_record_whole(record, name, &found);
    if (record->status == EBM_OK && found != value)
        ebm_record_fail(record, EBM_ERROR_SHAPE,
                        "%s is %llu in the file and %llu here", name,
                        (unsigned long long)found, (unsigned long long)value);
}
