/*
 * ebm_checkpoint_load(): nothing in the file is believed, and nothing is
 * written before everything is known to be right. The header must name the
 * objects that are there, in kind, name and size; its tensors must cover the
 * data without holes; then each part reads what it wants into memory of its
 * own and checks it. What is left over in the end is refused. Only then are
 * the parts put in place, which can not fail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/container.h"
#include "checkpoint/part.h"
#include "checkpoint/reader.h"
#include "core/memory.h"

typedef struct loader {
    ebm_part_record part; /* first */
    ebm_header_reader reader;
    ebm_container file;
    json_t *root, *objects, *numbers;
    void **images;          /* of each part */
    const ebm_part **links; /* the buffer of each part of chains */
    ebm_part_number *read;  /* the numbers of the file */
    size_t read_count;
} loader;

/* All 64 bits, in decimal and without anything around it. */
static int parse_whole(const json_t *json, uint64_t *value)
{
    const char *text = json_string_value(json);
    size_t length = text ? strlen(text) : 0;
    uint64_t sum = 0;
    if (!length || (text[0] == '0' && length > 1))
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' ||
            __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*text - '0'), &sum))
            return 0;
    }
    *value = sum;
    return 1;
}

static void read_whole(ebm_record *record, const char *name, uint64_t *value)
{
    loader *l = (loader *)record;
    if (!parse_whole(json_object_get(l->part.entry, name), value))
        ebm_record_fail(record, EBM_ERROR_FORMAT,
                        "%s is not a whole number in a text", name);
    json_object_del(l->part.entry, name);
}

static void read_real(ebm_record *record, const char *name, double *value)
{
    loader *l = (loader *)record;
    const json_t *json = json_object_get(l->part.entry, name);
    if (json_is_number(json))
        *value = json_number_value(json);
    else
        ebm_record_fail(record, EBM_ERROR_FORMAT, "%s is not a number", name);
    json_object_del(l->part.entry, name);
}

/* Whether the entry of a tensor is that of the array; where it begins. */
static int fits(const json_t *entry, const ebm_array *array, uint64_t *begin)
{
    uint64_t sizes[4], offsets[2];
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype || strcmp(dtype, ebm_array_dtype(array->type)) ||
        !ebm_read_sizes(json_object_get(entry, "shape"), sizes, array->rank) ||
        !ebm_read_sizes(json_object_get(entry, "data_offsets"), offsets, 2))
        return 0;
    for (size_t i = 0; i < array->rank; i++)
        if (sizes[i] != array->shape[i])
            return 0;
    *begin = offsets[0];
    return offsets[1] - offsets[0] ==
           (uint64_t)ebm_array_count(array) * ebm_array_element(array->type);
}

static ebm_status read_data(const loader *l, const ebm_array *array,
                            uint64_t begin)
{
    unsigned char bytes[8 * EBM_NUMBERS_AT_ONCE];
    size_t count = ebm_array_count(array);
    size_t element = ebm_array_element(array->type);
    EBM_TRY(ebm_container_seek(&l->file, begin));
    for (size_t i = 0; i < count; i += EBM_NUMBERS_AT_ONCE) {
        size_t n = count - i;
        if (n > EBM_NUMBERS_AT_ONCE)
            n = EBM_NUMBERS_AT_ONCE;
        EBM_TRY(ebm_container_read(&l->file, bytes, n * element));
        ebm_array_load(array, i, n, bytes);
    }
    return EBM_OK;
}

static void read_array(ebm_record *record, const ebm_array *array)
{
    loader *l = (loader *)record;
    char name[EBM_PART_TENSOR];
    uint64_t begin = 0;
    ebm_part_tensor_name(&l->part, array->name, name);
    if (record->status != EBM_OK)
        return;
    const json_t *entry = json_object_get(l->root, name);
    if (!entry || !fits(entry, array, &begin)) {
        ebm_record_fail(record, EBM_ERROR_FORMAT, "the tensor %s is %s",
                        array->name,
                        entry ? "of another type or shape" : "missing");
        return;
    }
    json_object_del(l->root, name);
    record->status = read_data(l, array, begin);
    if (record->status == EBM_OK && array->type == EBM_ARRAY_F32 &&
        !ebm_all_finite(array->data, ebm_array_count(array)))
        ebm_record_fail(record, EBM_ERROR_NON_FINITE,
                        "%s holds a number that is not finite", array->name);
}

static const ebm_record_way way = {.is_reading = 1,
                                   .whole = read_whole,
                                   .real = read_real,
                                   .array = read_array};

/* ---- The header --------------------------------------------------------
 */

typedef struct span {
    uint64_t begin, end;
} span;

static int by_begin(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* So that no file makes us read more than it is long. */
static ebm_status check_cover(loader *l)
{
    const ebm_header_reader *reader = &l->reader;
    size_t count = 0;
    uint64_t end = 0;
    const char *key;
    json_t *entry;
    span *spans = ebm_record_memory(&l->part.record, json_object_size(l->root),
                                    sizeof *spans);
    if (!spans)
        return l->part.record.status;
    json_object_foreach(l->root, key, entry)
    {
        uint64_t offsets[2];
        if (!strcmp(key, EBM_HEADER_METADATA))
            continue;
        if (!ebm_read_sizes(json_object_get(entry, "data_offsets"), offsets,
                            2) ||
            offsets[0] > offsets[1] || offsets[1] > reader->data_size ||
            json_object_size(entry) != 3)
            return EBM_REFUSE(reader, "%.80s has no place in the data", key);
        spans[count++] = (span){offsets[0], offsets[1]};
    }
    if (count)
        qsort(spans, count, sizeof *spans, by_begin);
    for (size_t i = 0; i < count; i++) {
        if (spans[i].begin != end)
            return EBM_REFUSE(reader,
                              "a tensor begins at byte %llu of the data, not "
                              "at %llu",
                              (unsigned long long)spans[i].begin,
                              (unsigned long long)end);
        end = spans[i].end;
    }
    if (end != reader->data_size)
        return EBM_REFUSE(
            reader, "%llu bytes of data for tensors of %llu bytes",
            (unsigned long long)reader->data_size, (unsigned long long)end);
    return EBM_OK;
}

static ebm_status read_text(const loader *l, const json_t *metadata,
                            const char *key, json_t **json)
{
    const char *text = json_string_value(json_object_get(metadata, key));
    if (!text)
        return EBM_REFUSE(&l->reader, "there is no text %s", key);
    return ebm_read_json(&l->reader, key, text, strlen(text), json);
}

/* What begins with our prefix and is not known may change what the rest
   means. */
static ebm_status check_keys(const loader *l, json_t *metadata)
{
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value)
    {
        if (!strncmp(key, EBM_HEADER_PREFIX, strlen(EBM_HEADER_PREFIX)) &&
            strcmp(key, EBM_CHECKPOINT_FORMAT) &&
            strcmp(key, EBM_CHECKPOINT_OBJECTS) &&
            strcmp(key, EBM_CHECKPOINT_NUMBERS))
            return EBM_REFUSE(&l->reader, "unknown metadata %.60s", key);
    }
    return EBM_OK;
}

static ebm_status read_metadata(loader *l)
{
    const ebm_header_reader *reader = &l->reader;
    json_t *metadata = json_object_get(l->root, EBM_HEADER_METADATA);
    const char *version =
        json_string_value(json_object_get(metadata, EBM_CHECKPOINT_FORMAT));
    if (!version)
        return EBM_REFUSE(reader, "there is no " EBM_CHECKPOINT_FORMAT
                                  ": not a checkpoint of this library");
    if (strcmp(version, EBM_CHECKPOINT_VERSION))
        return EBM_REFUSE(reader,
                          EBM_CHECKPOINT_FORMAT
                          " is %.20s, this version of the library "
                          "reads " EBM_CHECKPOINT_VERSION,
                          version);
    EBM_TRY(check_keys(l, metadata));
    EBM_TRY(read_text(l, metadata, EBM_CHECKPOINT_OBJECTS, &l->objects));
    EBM_TRY(read_text(l, metadata, EBM_CHECKPOINT_NUMBERS, &l->numbers));
    return check_cover(l);
}

static ebm_status read_header(loader *l)
{
    if (!l->file.length || l->file.text[0] != '{')
        return EBM_REFUSE(&l->reader,
                          "the header does not begin with a brace");
    EBM_TRY(ebm_read_json(&l->reader, "the header", l->file.text,
                          l->file.length, &l->root));
    return read_metadata(l);
}

static ebm_status read_numbers(loader *l)
{
    const char *key;
    json_t *value;
    size_t count = json_object_size(l->numbers);
    if (!json_is_object(l->numbers) || count > EBM_MOST_PARTS_OF_CHECKPOINT)
        return EBM_REFUSE(&l->reader,
                          EBM_CHECKPOINT_NUMBERS
                          " is not an object of at most %d numbers",
                          EBM_MOST_PARTS_OF_CHECKPOINT);
    l->read = ebm_alloc(l->file.context, count, sizeof *l->read);
    if (!l->read)
        return ebm_out_of_memory(l->file.context, "a checkpoint's numbers");
    json_object_foreach(l->numbers, key, value)
    {
        ebm_part_number *number = l->read + l->read_count++;
        if (!ebm_part_name_is_good(key) || !parse_whole(value, &number->value))
            return EBM_REFUSE(&l->reader, "the number %.40s is none", key);
        memcpy(number->name, key, strlen(key) + 1);
    }
    return EBM_OK;
}

/* ---- The parts ---------------------------------------------------------
 */

/* The entry with a part's name, which must be of its kind; kind and name are
   taken out of it. */
static json_t *find_entry(loader *l, const ebm_part *part)
{
    size_t index;
    json_t *entry;
    json_array_foreach(l->objects, index, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        if (!name || !kind || strcmp(name, part->name))
            continue;
        if (strcmp(kind, part->ops->kind))
            break;
        json_object_del(entry, "name");
        json_object_del(entry, "kind");
        return entry;
    }
    ebm_record_fail(&l->part.record, EBM_ERROR_SHAPE,
                    "the file has no %s of this name", part->ops->kind);
    return NULL;
}

static void begin_part(loader *l, size_t i, json_t *entry)
{
    ebm_record *record = &l->part.record;
    l->part.part = l->part.checkpoint->parts + i;
    l->part.entry = entry;
    snprintf(record->place, sizeof record->place,
             "%s: %s %s: ", ebm_file_tail(l->file.path),
             l->part.part->ops->kind, l->part.part->name);
}

static ebm_status check_nothing_left(loader *l)
{
    ebm_record *record = &l->part.record;
    const char *key;
    json_t *value;
    json_object_foreach(l->root, key, value)
    {
        if (strcmp(key, EBM_HEADER_METADATA))
            return EBM_REFUSE(&l->reader,
                              "the tensor %.80s belongs to no object", key);
    }
    return record->status;
}

static ebm_status stage_parts(loader *l)
{
    const ebm_checkpoint *checkpoint = l->part.checkpoint;
    ebm_record *record = &l->part.record;
    size_t count = checkpoint->part_count;
    json_t **entries = ebm_record_memory(record, count, sizeof(json_t *));
    l->images = ebm_record_memory(record, count, sizeof *l->images);
    l->links = ebm_record_memory(record, count, sizeof *l->links);
    if (record->status != EBM_OK)
        return record->status;
    if (!json_is_array(l->objects) || json_array_size(l->objects) != count)
        return ebm_record_fail(
            record, EBM_ERROR_SHAPE, "%s: %zu objects in the file, %zu here",
            ebm_file_tail(l->file.path), json_array_size(l->objects), count);
    for (size_t i = 0; record->status == EBM_OK && i < count; i++) {
        const ebm_part *part = checkpoint->parts + i;
        begin_part(l, i, NULL);
        l->part.entry = entries[i] = find_entry(l, part);
        l->images[i] = ebm_record_memory(record, 1, part->ops->image);
        if (record->status == EBM_OK)
            part->ops->stage(part->object, record, l->images[i]);
    }
    for (size_t i = 0; record->status == EBM_OK && i < count; i++) {
        begin_part(l, i, entries[i]);
        l->links[i] = ebm_part_read_link(&l->part, l->images, l->images[i]);
        if (record->status == EBM_OK && json_object_size(entries[i]))
            ebm_record_fail(record, EBM_ERROR_FORMAT, "an unknown key");
    }
    return record->status == EBM_OK ? check_nothing_left(l) : record->status;
}

/* The numbers of the file become the checkpoint's. */
static void commit(loader *l, ebm_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->part_count; i++)
        checkpoint->parts[i].ops->commit(checkpoint->parts[i].object,
                                         l->images[i]);
    for (size_t i = 0; i < checkpoint->part_count; i++)
        ebm_part_restore_link(checkpoint->parts + i, l->links[i]);
    ebm_free(l->file.context, checkpoint->numbers);
    checkpoint->numbers = l->read;
    checkpoint->number_count = l->read_count;
    checkpoint->number_room = l->read_count;
    l->read = NULL;
}

ebm_status ebm_checkpoint_load(ebm_checkpoint *checkpoint, const char *path)
{
    EBM_CHECK_HANDLE(checkpoint, EBM_TYPE_CHECKPOINT);
    ebm_context *context = ebm_context_of(checkpoint);
    if (!path)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "path is NULL");
    loader l = {.part = {.record = {.context = context, .way = &way},
                         .checkpoint = checkpoint},
                .reader = {.context = context, .path = path}};
    ebm_status status = ebm_container_open(context, path, &l.file);
    l.reader.data_size = l.file.data_size;
    if (status == EBM_OK)
        status = read_header(&l);
    if (status == EBM_OK)
        status = read_numbers(&l);
    if (status == EBM_OK)
        status = stage_parts(&l);
    if (status == EBM_OK)
        commit(&l, checkpoint);
    json_decref(l.objects);
    json_decref(l.numbers);
    json_decref(l.root);
    ebm_free(context, l.read);
    ebm_record_free(&l.part.record);
    ebm_container_close(&l.file);
    return status;
}
