/*
 * Reading a header, from text that may come from anywhere. Jansson bounds the
 * depth of nesting and refuses NUL within a text, numbers that do not fit and,
 * by a flag, duplicate keys. The rest is checked here: a key that we do not
 * know might change what the others mean, so it is refused and not skipped.
 */
#include "checkpoint/header.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/option.h"

/* Largest argument of a layer: sizes beyond it are no sizes, and it converts
   to any integer type. */
#define LARGEST_ARGUMENT 2147483647.0

typedef struct ebm_header_reader {
    ebm_context *context;
    const char *path;
    uint64_t data_size;
    ebm_header *header;
} ebm_header_reader;

#define REFUSE(reader, ...) \
    ebm_header_refuse((reader)->context, (reader)->path, __VA_ARGS__)

static ebm_status parse(const ebm_header_reader *reader, const char *what,
                        const char *text, size_t length, json_t **json)
{
    json_error_t error;
    *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (*json)
        return EBM_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return ebm_out_of_memory(reader->context, "a model file's header");
    return REFUSE(reader, "%s is not valid JSON at byte %d: %s", what,
                  error.position, error.text);
}

/* A text of the metadata; Jansson's texts hold no NUL. NULL: not there. */
static const char *metadata_text(const json_t *metadata, const char *key)
{
    return json_string_value(json_object_get(metadata, key));
}

/* Other programs may add keys of their own, as safetensors' writers do; they
   mean nothing to us. Ours must be complete and no more. */
static ebm_status check_metadata(const ebm_header_reader *reader,
                                 json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return REFUSE(reader, "there is no object " EBM_HEADER_METADATA);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return REFUSE(reader, "metadata %.40s is not a text", key);
    }
    const char *version = metadata_text(metadata, EBM_HEADER_FORMAT);
    if (!version)
        return REFUSE(reader, "there is no " EBM_HEADER_FORMAT
                              ": not a model of this library");
    if (strcmp(version, EBM_HEADER_VERSION))
        return REFUSE(reader,
                      EBM_HEADER_FORMAT " is %.20s, this version of the "
                                        "library reads " EBM_HEADER_VERSION,
                      version);
    json_object_foreach(metadata, key, value)
    {
        if (!strncmp(key, EBM_HEADER_PREFIX, strlen(EBM_HEADER_PREFIX)) &&
            strcmp(key, EBM_HEADER_FORMAT) && strcmp(key, EBM_HEADER_INPUT) &&
            strcmp(key, EBM_HEADER_LAYERS))
            return REFUSE(reader, "unknown metadata %.60s", key);
    }
    if (!metadata_text(metadata, EBM_HEADER_INPUT))
        return REFUSE(reader, "there is no " EBM_HEADER_INPUT);
    if (!metadata_text(metadata, EBM_HEADER_LAYERS))
        return REFUSE(reader, "there is no " EBM_HEADER_LAYERS);
    return EBM_OK;
}

/* An array of exactly count whole numbers that are not negative. */
static int read_sizes(const json_t *array, uint64_t *sizes, size_t count)
{
    if (!json_is_array(array) || json_array_size(array) != count)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(array, i);
        if (!json_is_integer(number) || json_integer_value(number) < 0)
            return 0;
        sizes[i] = (uint64_t)json_integer_value(number);
    }
    return 1;
}

static ebm_status begin_network(const ebm_header_reader *reader,
                                const json_t *input)
{
    uint64_t sizes[3];
    if (!read_sizes(input, sizes, 3))
        return REFUSE(reader, EBM_HEADER_INPUT
                      " is not [height, width, channels] in whole numbers");
    for (int i = 0; i < 3; i++)
        if (!sizes[i] || (double)sizes[i] > LARGEST_ARGUMENT)
            return REFUSE(reader,
                          EBM_HEADER_INPUT " holds %llu, not in [1, %.0f]",
                          (unsigned long long)sizes[i], LARGEST_ARGUMENT);
    return ebm_header_blame(
        reader->context, reader->path,
        ebm_network_create(reader->context, (size_t)sizes[0], (size_t)sizes[1],
                           (size_t)sizes[2], &reader->header->network));
}

/* The numbers that the builder's call wants. The range here only keeps
   conversions defined; the builder knows what makes sense. */
static ebm_status read_arguments(const ebm_header_reader *reader,
                                 const json_t *object, size_t index,
                                 const ebm_row_ops *ops, double *arguments,
                                 size_t *count)
{
    size_t n = 0;
    for (; n < EBM_ROW_ARGUMENTS && ops->argument_names[n]; n++) {
        const char *name = ops->argument_names[n];
        const json_t *number = json_object_get(object, name);
        if (!json_is_number(number))
            return REFUSE(reader, "layer %zu (%s) has no number %s", index,
                          ops->kind, name);
        double value = json_number_value(number);
        if (!(value >= 0 && value <= LARGEST_ARGUMENT))
            return REFUSE(reader,
                          "%s = %g of layer %zu (%s) is not in [0, %.0f]",
                          name, value, index, ops->kind, LARGEST_ARGUMENT);
        arguments[n] = value;
    }
    *count = n;
    return EBM_OK;
}

/* Sticky settings that the layer depends on: bias always stands there, the
   others where they are not what a builder begins with. */
static ebm_status read_settings(const ebm_header_reader *reader,
                                const json_t *object, size_t index,
                                const ebm_row_ops *ops, size_t *keys)
{
    const ebm_option_row *settings = ebm_network_settings();
    for (int key = 0; key < EBM_NETWORK_KEYS; key++) {
        if (!(ops->settings & 1u << key))
            continue;
        const json_t *json = json_object_get(object, settings[key].name);
        double value = settings[key].initial;
        if (key == EBM_NETWORK_BIAS && !json_is_boolean(json))
            return REFUSE(reader, "layer %zu (%s) does not say bias", index,
                          ops->kind);
        if (key == EBM_NETWORK_BIAS)
            value = json_is_true(json);
        else if (json && !json_is_number(json))
            return REFUSE(reader, "%s of layer %zu (%s) is not a number",
                          settings[key].name, index, ops->kind);
        else if (json)
            value = json_number_value(json);
        *keys += json != NULL;
        EBM_TRY(ebm_header_blame(
            reader->context, reader->path,
            ebm_network_set(reader->header->network, (ebm_network_key)key,
                            value)));
    }
    return EBM_OK;
}

/* {"kind":"dense","units":64,"bias":true}: the kind, the arguments of its
   builder call, and for a kind with parameters whether it has a bias. */
static ebm_status append_layer(const ebm_header_reader *reader,
                               const json_t *object, size_t index)
{
    ebm_network *network = reader->header->network;
    double arguments[EBM_ROW_ARGUMENTS] = {0};
    size_t count = 0;
    const char *kind = json_string_value(json_object_get(object, "kind"));
    if (!kind)
        return REFUSE(reader, "layer %zu has no kind", index);
    const ebm_row_ops *ops = ebm_row_kind(kind);
    if (!ops)
        return REFUSE(reader,
                      "layer %zu is of the kind %.40s, which this version of "
                      "the library does not know",
                      index, kind);
    EBM_TRY(read_arguments(reader, object, index, ops, arguments, &count));
    size_t keys = 1 + count;
    EBM_TRY(read_settings(reader, object, index, ops, &keys));
    if (json_object_size(object) != keys)
        return REFUSE(reader, "layer %zu (%s) has an unknown key", index,
                      kind);
    return ebm_header_blame(reader->context, reader->path,
                            ebm_network_add(network, ops, arguments));
}

static ebm_status read_network(const ebm_header_reader *reader,
                               const json_t *metadata)
{
    const char *text = metadata_text(metadata, EBM_HEADER_INPUT);
    json_t *json = NULL;
    EBM_TRY(parse(reader, EBM_HEADER_INPUT, text, strlen(text), &json));
    ebm_status status = begin_network(reader, json);
    json_decref(json);
    EBM_TRY(status);
    text = metadata_text(metadata, EBM_HEADER_LAYERS);
    EBM_TRY(parse(reader, EBM_HEADER_LAYERS, text, strlen(text), &json));
    if (!json_is_array(json))
        status = REFUSE(reader, EBM_HEADER_LAYERS " is not an array");
    for (size_t i = 0; status == EBM_OK && i < json_array_size(json); i++)
        status = append_layer(reader, json_array_get(json, i), i);
    json_decref(json);
    return status;
}

/* One tensor's entry against what its layer wants. */
static ebm_status read_tensor(const ebm_header_reader *reader,
                              const json_t *root, ebm_tensor *tensor)
{
    const ebm_layer *layers = reader->header->network->layers;
    const ebm_layer_view *view = layers[tensor->layer].views + tensor->view;
    char name[EBM_TENSOR_NAME];
    ebm_tensor_name(layers, tensor, name);
    const json_t *entry = json_object_get(root, name);
    if (!entry)
        return REFUSE(reader, "the tensor %s is missing", name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype || strcmp(dtype, "F32"))
        return REFUSE(reader, "%s has the dtype %.20s, not F32", name,
                      dtype ? dtype : "(none)");
    uint64_t sizes[4], offsets[2];
    int same = read_sizes(json_object_get(entry, "shape"), sizes, view->rank);
    for (size_t i = 0; same && i < view->rank; i++)
        same = sizes[i] == view->torch_shape[i];
    if (!same)
        return REFUSE(reader, "%s has not the shape that its layer needs",
                      name);
    if (!read_sizes(json_object_get(entry, "data_offsets"), offsets, 2) ||
        offsets[0] > offsets[1] || offsets[1] > reader->data_size)
        return REFUSE(reader,
                      "%s: data_offsets are not within the %llu bytes of data",
                      name, (unsigned long long)reader->data_size);
    if ((offsets[1] - offsets[0]) % EBM_NUMBER_SIZE ||
        (offsets[1] - offsets[0]) / EBM_NUMBER_SIZE != view->count)
        return REFUSE(reader, "%s: %llu bytes of data for %zu numbers", name,
                      (unsigned long long)(offsets[1] - offsets[0]),
                      view->count);
    if (json_object_size(entry) != 3)
        return REFUSE(reader, "%s has an unknown key", name);
    tensor->begin = offsets[0];
    return EBM_OK;
}

static int by_begin(const void *a, const void *b)
{
    uint64_t x = ((const ebm_tensor *)a)->begin;
    uint64_t y = ((const ebm_tensor *)b)->begin;
    return (x > y) - (x < y);
}

/* The tensors must cover the data: what lies between them would be lost with
   the next save, and a file in which two share bytes is a trick. */
static ebm_status check_cover(const ebm_header_reader *reader)
{
    const ebm_header *header = reader->header;
    const ebm_layer *layers = header->network->layers;
    uint64_t end = 0;
    if (header->count)
        qsort(header->tensors, header->count, sizeof *header->tensors,
              by_begin);
    for (size_t i = 0; i < header->count; i++) {
        const ebm_tensor *tensor = header->tensors + i;
        char name[EBM_TENSOR_NAME];
        ebm_tensor_name(layers, tensor, name);
        if (tensor->begin != end)
            return REFUSE(reader,
                          "%s begins at byte %llu of the data, not at %llu",
                          name, (unsigned long long)tensor->begin,
                          (unsigned long long)end);
        end += (uint64_t)layers[tensor->layer].views[tensor->view].count *
               EBM_NUMBER_SIZE;
    }
    if (end != reader->data_size)
        return REFUSE(reader, "%llu bytes of data for tensors of %llu bytes",
                      (unsigned long long)reader->data_size,
                      (unsigned long long)end);
    return EBM_OK;
}

/* Takes the tensors out of root one by one: what stays is left over. */
static ebm_status read_tensors(const ebm_header_reader *reader, json_t *root)
{
    ebm_header *header = reader->header;
    const ebm_network *network = header->network;
    for (size_t i = 0; i < network->end.layers; i++)
        header->count += network->layers[i].view_count;
    header->tensors =
        ebm_alloc(reader->context, header->count, sizeof *header->tensors);
    if (!header->tensors)
        return ebm_out_of_memory(reader->context, "a list of tensors");
    size_t n = 0;
    for (size_t i = 0; i < network->end.layers; i++) {
        for (size_t v = 0; v < network->layers[i].view_count; v++, n++) {
            char name[EBM_TENSOR_NAME];
            header->tensors[n] = (ebm_tensor){.layer = i, .view = v};
            EBM_TRY(read_tensor(reader, root, header->tensors + n));
            ebm_tensor_name(network->layers, header->tensors + n, name);
            json_object_del(root, name);
        }
    }
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (strcmp(key, EBM_HEADER_METADATA))
            return REFUSE(reader, "the tensor %.60s belongs to no layer", key);
    }
    return check_cover(reader);
}

ebm_status ebm_header_read(ebm_context *context, const char *path,
                           const char *text, size_t length, uint64_t data_size,
                           ebm_header *header)
{
    ebm_header_reader reader = {context, path, data_size, header};
    json_t *root = NULL;
    memset(header, 0, sizeof *header);
    if (!length || text[0] != '{')
        return REFUSE(&reader, "the header does not begin with a brace");
    EBM_TRY(parse(&reader, "the header", text, length, &root));
    json_t *metadata = json_object_get(root, EBM_HEADER_METADATA);
    ebm_status status = check_metadata(&reader, metadata);
    if (status == EBM_OK)
        status = read_network(&reader, metadata);
    if (status == EBM_OK)
        status = read_tensors(&reader, root);
    if (status != EBM_OK)
        ebm_header_clear(context, header);
    json_decref(root);
    return status;
}
