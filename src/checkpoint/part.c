/* Checkpoints: objects and numbers by name, and their arrays as bytes. */
#include "checkpoint/part.h"

#include <stdio.h>
#include <string.h>

#include "buffer/buffer.h"
#include "chains/chains.h"
#include "checkpoint/header.h"
#include "core/memory.h"
#include "dataset/dataset.h"
#include "optimizer/optimizer.h"
#include "sampler/sampler.h"

static void finish(void *object)
{
    ebm_checkpoint *checkpoint = object;
    const ebm_context *context = ebm_context_of(checkpoint);
    for (size_t i = 0; i < checkpoint->part_count; i++)
        ebm_object_release(checkpoint->parts[i].object);
    ebm_free(context, checkpoint->parts);
    ebm_free(context, checkpoint->numbers);
}

ebm_status ebm_checkpoint_create(ebm_context *context, ebm_checkpoint **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "checkpoint is NULL");
    ebm_checkpoint *checkpoint = ebm_object_create(
        context, EBM_TYPE_CHECKPOINT, sizeof *checkpoint, finish);
    if (!checkpoint)
        return EBM_ERROR_MEMORY;
    *out = checkpoint;
    return EBM_OK;
}

void ebm_checkpoint_destroy(ebm_checkpoint *checkpoint)
{
    ebm_object_destroy(checkpoint, EBM_TYPE_CHECKPOINT);
}

int ebm_part_name_is_good(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t length = strspn(name, good);
    return length && length <= EBM_PART_LONGEST && !name[length];
}

static ebm_status check_name(const ebm_context *context, const char *name)
{
    if (name && ebm_part_name_is_good(name))
        return EBM_OK;
    return ebm_fail(context, EBM_ERROR_ARGUMENT,
                    "the name '%.40s' is not 1 to %d letters, digits, - and _",
                    name ? name : "", EBM_PART_LONGEST);
}

const ebm_part *ebm_part_find(const ebm_checkpoint *checkpoint,
                              const char *name)
{
    for (size_t i = 0; i < checkpoint->part_count; i++)
        if (!strcmp(checkpoint->parts[i].name, name))
            return checkpoint->parts + i;
    return NULL;
}

/* Makes room for one more in an array of `count`. */
static ebm_status grow(const ebm_context *context, void **array, size_t count,
                       size_t *room, size_t size)
{
    if (count < *room)
        return EBM_OK;
    if (count >= EBM_MOST_PARTS_OF_CHECKPOINT)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "a checkpoint holds at most %d objects and as many "
                        "numbers",
                        EBM_MOST_PARTS_OF_CHECKPOINT);
    size_t more = *room ? 2 * *room : 8;
    void *grown = ebm_alloc(context, more, size);
    if (!grown)
        return ebm_out_of_memory(context, "a checkpoint's list");
    if (count)
        memcpy(grown, *array, count * size);
    ebm_free(context, *array);
    *array = grown;
    *room = more;
    return EBM_OK;
}

static ebm_status add(ebm_checkpoint *checkpoint, const char *name,
                      const ebm_record_ops *ops, void *object)
{
    EBM_CHECK_HANDLE(checkpoint, EBM_TYPE_CHECKPOINT);
    EBM_CHECK_HANDLE(object, ops->type);
    EBM_CHECK_SAME_CONTEXT(checkpoint, object);
    const ebm_context *context = ebm_context_of(checkpoint);
    EBM_TRY(check_name(context, name));
    for (size_t i = 0; i < checkpoint->part_count; i++) {
        const ebm_part *part = checkpoint->parts + i;
        if (!strcmp(part->name, name))
            return ebm_fail(context, EBM_ERROR_ARGUMENT,
                            "there is a %s of the name %s already",
                            part->ops->kind, name);
        if (part->object == object)
            return ebm_fail(context, EBM_ERROR_ARGUMENT,
                            "the %s is there already, as %s", ops->kind,
                            part->name);
    }
    void *parts = checkpoint->parts;
    EBM_TRY(grow(context, &parts, checkpoint->part_count,
                 &checkpoint->part_room, sizeof *checkpoint->parts));
    checkpoint->parts = parts;
    ebm_part *part = checkpoint->parts + checkpoint->part_count++;
    *part = (ebm_part){.ops = ops, .object = ebm_object_retain(object)};
    memcpy(part->name, name, strlen(name) + 1);
    return EBM_OK;
}

ebm_status ebm_checkpoint_add_model(ebm_checkpoint *checkpoint,
                                    const char *name, ebm_model *model)
{
    return add(checkpoint, name, &ebm_model_record, model);
}

ebm_status ebm_checkpoint_add_optimizer(ebm_checkpoint *checkpoint,
                                        const char *name,
                                        ebm_optimizer *optimizer)
{
    return add(checkpoint, name, &ebm_optimizer_record, optimizer);
}

ebm_status ebm_checkpoint_add_buffer(ebm_checkpoint *checkpoint,
                                     const char *name, ebm_buffer *buffer)
{
    return add(checkpoint, name, &ebm_buffer_record, buffer);
}

ebm_status ebm_checkpoint_add_chains(ebm_checkpoint *checkpoint,
                                     const char *name, ebm_chains *chains)
{
    return add(checkpoint, name, &ebm_chains_record, chains);
}

ebm_status ebm_checkpoint_add_dataset(ebm_checkpoint *checkpoint,
                                      const char *name, ebm_dataset *dataset)
{
    return add(checkpoint, name, &ebm_dataset_record, dataset);
}

ebm_status ebm_checkpoint_add_sampler(ebm_checkpoint *checkpoint,
                                      const char *name, ebm_sampler *sampler)
{
    return add(checkpoint, name, &ebm_sampler_record, sampler);
}

static ebm_part_number *find_number(const ebm_checkpoint *checkpoint,
                                    const char *name)
{
    for (size_t i = 0; i < checkpoint->number_count; i++)
        if (!strcmp(checkpoint->numbers[i].name, name))
            return checkpoint->numbers + i;
    return NULL;
}

ebm_status ebm_checkpoint_set_number(ebm_checkpoint *checkpoint,
                                     const char *name, uint64_t value)
{
    EBM_CHECK_HANDLE(checkpoint, EBM_TYPE_CHECKPOINT);
    const ebm_context *context = ebm_context_of(checkpoint);
    EBM_TRY(check_name(context, name));
    ebm_part_number *number = find_number(checkpoint, name);
    if (!number) {
        void *numbers = checkpoint->numbers;
        EBM_TRY(grow(context, &numbers, checkpoint->number_count,
                     &checkpoint->number_room, sizeof *number));
        checkpoint->numbers = numbers;
        number = checkpoint->numbers + checkpoint->number_count++;
        memcpy(number->name, name, strlen(name) + 1);
    }
    number->value = value;
    return EBM_OK;
}

ebm_status ebm_checkpoint_get_number(const ebm_checkpoint *checkpoint,
                                     const char *name, uint64_t *value)
{
    EBM_CHECK_HANDLE(checkpoint, EBM_TYPE_CHECKPOINT);
    const ebm_context *context = ebm_context_of(checkpoint);
    EBM_TRY(check_name(context, name));
    const ebm_part_number *number = find_number(checkpoint, name);
    if (!value)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "value is NULL");
    if (!number)
        return ebm_fail(context, EBM_ERROR_NOT_COMPUTED,
                        "there is no number of the name %s", name);
    *value = number->value;
    return EBM_OK;
}

void ebm_part_tensor_name(ebm_part_record *record, const char *array,
                          char name[EBM_PART_TENSOR])
{
    int length =
        snprintf(name, EBM_PART_TENSOR, "%s.%s", record->part->name, array);
    if (length < 0 || length >= EBM_PART_TENSOR)
        ebm_record_fail(&record->record, EBM_ERROR_OVERFLOW,
                        "the name %.60s... is too long", array);
}

const char *ebm_array_dtype(ebm_array_type type)
{
    return type == EBM_ARRAY_F32   ? "F32"
           : type == EBM_ARRAY_I32 ? "I32"
                                   : "U64";
}

size_t ebm_array_element(ebm_array_type type)
{
    return type == EBM_ARRAY_U64 ? 8 : 4;
}

size_t ebm_array_count(const ebm_array *array)
{
    size_t count = 1; /* the arrays are in memory, so it fits */
    for (size_t i = 0; i < array->rank; i++)
        count *= array->shape[i];
    return count;
}

static size_t index_of(const ebm_array *array, size_t i)
{
    return array->place ? array->place(array->layout, array->number, i) : i;
}

/* Put together from bytes, least first: right on every host. */
void ebm_array_store(const ebm_array *array, size_t first, size_t count,
                     unsigned char *bytes)
{
    size_t element = ebm_array_element(array->type);
    for (size_t i = 0; i < count; i++, bytes += element) {
        size_t at = index_of(array, first + i);
        uint64_t bits;
        if (array->type == EBM_ARRAY_F32) {
            ebm_store_number(((const float *)array->data)[at], bytes);
            continue;
        }
        if (array->type == EBM_ARRAY_I32)
            bits = (uint32_t)((const int32_t *)array->data)[at];
        else
            bits = ((const uint64_t *)array->data)[at];
        for (size_t b = 0; b < element; b++)
            bytes[b] = (unsigned char)(bits >> (8 * b));
    }
}

void ebm_array_load(const ebm_array *array, size_t first, size_t count,
                    const unsigned char *bytes)
{
    size_t element = ebm_array_element(array->type);
    for (size_t i = 0; i < count; i++, bytes += element) {
        size_t at = index_of(array, first + i);
        uint64_t bits = 0;
        if (array->type == EBM_ARRAY_F32) {
            ((float *)array->data)[at] = ebm_load_number(bytes);
            continue;
        }
        for (size_t b = 0; b < element; b++)
            bits |= (uint64_t)bytes[b] << (8 * b);
        if (array->type == EBM_ARRAY_U64) {
            ((uint64_t *)array->data)[at] = bits;
        } else {
            uint32_t word = (uint32_t)bits;
            memcpy((int32_t *)array->data + at, &word, sizeof word);
        }
    }
}
