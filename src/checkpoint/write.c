/* ebm_checkpoint_save(): the parts are taken down one by one, numbers into the
   header and arrays onto a list, and then the file is written in one go. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/container.h"
#include "checkpoint/header.h"
#include "checkpoint/part.h"
#include "core/memory.h"

typedef struct writer {
    ebm_part_record part; /* first */
    json_t *root;
    ebm_array *arrays; /* in the order of the file */
    size_t count, room;
    size_t begin; /* of the next one */
} writer;

static void out_of_memory(ebm_record *record)
{
    if (record->status == EBM_OK)
        record->status =
            ebm_out_of_memory(record->context, "a checkpoint's header");
}

/* JSON knows doubles only; a text keeps all 64 bits. */
static json_t *whole_json(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

static void write_whole(ebm_record *record, const char *name, uint64_t *value)
{
    writer *w = (writer *)record;
    if (json_object_set_new(w->part.entry, name, whole_json(*value)))
        out_of_memory(record);
}

static void write_real(ebm_record *record, const char *name, double *value)
{
    writer *w = (writer *)record;
    if (!isfinite(*value))
        ebm_record_fail(record, EBM_ERROR_NON_FINITE, "%s is %g", name,
                        *value);
    else if (json_object_set_new(w->part.entry, name, json_real(*value)))
        out_of_memory(record);
}

static void append(writer *w, const ebm_array *array)
{
    ebm_record *record = &w->part.record;
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        ebm_array *grown = ebm_record_memory(record, room, sizeof *w->arrays);
        if (!grown)
            return;
        if (w->count)
            memcpy(grown, w->arrays, w->count * sizeof *grown);
        w->arrays = grown;
        w->room = room;
    }
    w->arrays[w->count++] = *array;
}

/* A file with NaN in it could not be loaded again, and would have taken the
   place of one that can. */
static void write_array(ebm_record *record, const ebm_array *array)
{
    writer *w = (writer *)record;
    char name[EBM_PART_TENSOR];
    size_t count = ebm_array_count(array);
    size_t end = w->begin + count * ebm_array_element(array->type);
    ebm_part_tensor_name(&w->part, array->name, name);
    if (record->status != EBM_OK)
        return;
    if (array->type == EBM_ARRAY_F32 && !ebm_all_finite(array->data, count)) {
        ebm_record_fail(record, EBM_ERROR_NON_FINITE,
                        "%s holds a number that is not finite", array->name);
        return;
    }
    if (ebm_json_set_tensor(w->root, name, ebm_array_dtype(array->type),
                            array->shape, array->rank, w->begin, end))
        out_of_memory(record);
    w->begin = end;
    append(w, array);
}

static const ebm_record_way way = {.is_reading = 0,
                                   .whole = write_whole,
                                   .real = write_real,
                                   .array = write_array};

/* {"kind":"buffer","name":"buffer","capacity":"8192",...} */
static void write_part(writer *w, const ebm_part *part, json_t *objects)
{
    ebm_record *record = &w->part.record;
    w->part.part = part;
    w->part.entry = json_object();
    snprintf(record->place, sizeof record->place, "%s %s: ", part->ops->kind,
             part->name);
    if (json_object_set_new(w->part.entry, "kind",
                            json_string(part->ops->kind)) ||
        json_object_set_new(w->part.entry, "name", json_string(part->name)) ||
        json_array_append(objects, w->part.entry))
        out_of_memory(record);
    if (record->status == EBM_OK)
        part->ops->save(part->object, record);
    ebm_part_write_link(&w->part);
    json_decref(w->part.entry); /* the array holds it */
}

static json_t *numbers_json(const ebm_checkpoint *checkpoint)
{
    json_t *object = json_object();
    int bad = 0;
    for (size_t i = 0; i < checkpoint->number_count; i++)
        bad |= json_object_set_new(object, checkpoint->numbers[i].name,
                                   whole_json(checkpoint->numbers[i].value));
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* The metadata stand first, so they are filled in where they are. */
static ebm_status write_header(writer *w, char **text, size_t *length)
{
    ebm_record *record = &w->part.record;
    const ebm_context *context = record->context;
    const ebm_checkpoint *checkpoint = w->part.checkpoint;
    json_t *metadata = json_object(), *objects = json_array();
    w->root = json_object();
    if (json_object_set_new(metadata, "format", json_string("pt")) ||
        json_object_set_new(metadata, EBM_CHECKPOINT_FORMAT,
                            json_string(EBM_CHECKPOINT_VERSION)) ||
        json_object_set(w->root, EBM_HEADER_METADATA, metadata))
        out_of_memory(record);
    for (size_t i = 0; i < checkpoint->part_count; i++)
        write_part(w, checkpoint->parts + i, objects);
    ebm_status status = record->status;
    if (status == EBM_OK)
        status = ebm_json_set_text(context, metadata, EBM_CHECKPOINT_NUMBERS,
                                   numbers_json(checkpoint));
    if (status == EBM_OK)
        status = ebm_json_set_text(context, metadata, EBM_CHECKPOINT_OBJECTS,
                                   json_incref(objects));
    if (status == EBM_OK)
        status = ebm_json_dump(context, w->root, text, length);
    if (status == EBM_OK && *length > EBM_HEADER_LONGEST)
        status = ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                          "a checkpoint's header holds %d bytes, these "
                          "objects need %zu",
                          EBM_HEADER_LONGEST, *length);
    json_decref(objects);
    json_decref(metadata);
    json_decref(w->root);
    return status;
}

static void write_data(ebm_file *file, const ebm_array *array)
{
    unsigned char bytes[8 * EBM_NUMBERS_AT_ONCE];
    size_t count = ebm_array_count(array);
    size_t element = ebm_array_element(array->type);
    for (size_t i = 0; i < count; i += EBM_NUMBERS_AT_ONCE) {
        size_t n = count - i;
        if (n > EBM_NUMBERS_AT_ONCE)
            n = EBM_NUMBERS_AT_ONCE;
        ebm_array_store(array, i, n, bytes);
        ebm_file_write(file, bytes, n * element);
    }
}

ebm_status ebm_checkpoint_save(const ebm_checkpoint *checkpoint,
                               const char *path)
{
    EBM_CHECK_HANDLE(checkpoint, EBM_TYPE_CHECKPOINT);
    const ebm_context *context = ebm_context_of(checkpoint);
    if (!path)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "path is NULL");
    writer w = {.part = {.record = {.context = context, .way = &way},
                         .checkpoint = checkpoint}};
    char *text = NULL;
    size_t length = 0;
    ebm_file file = {0};
    ebm_status status = write_header(&w, &text, &length);
    if (status == EBM_OK)
        status = ebm_file_begin(context, path, &file);
    if (status == EBM_OK) {
        /* Write errors stick to the file and come out of the commit. */
        ebm_container_begin(&file, text, length);
        for (size_t i = 0; i < w.count; i++)
            write_data(&file, w.arrays + i);
        status = ebm_file_commit(&file);
    }
    ebm_free(context, text);
    ebm_record_free(&w.part.record);
    return status;
}
