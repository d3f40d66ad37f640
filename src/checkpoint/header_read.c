/*
 * Reading a header, from text that may come from anywhere. Jansson bounds the
 * depth of nesting and refuses NUL within a text, numbers that do not fit and,
 * by a flag, duplicate keys. The rest is checked here: a key that we do not
 * know might change what the others mean, so it is refused and not skipped.
 */
#include <stdio.h>
#include <stdlib.h>

#include "checkpoint/reader.h"
#include "core/memory.h"

ebm_status ebm_read_json(const ebm_header_reader *reader, const char *what,
                         const char *text, size_t length, json_t **json)
{
    json_error_t error;
    *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (*json)
        return EBM_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return ebm_out_of_memory(reader->context, "a file's header");
    return EBM_REFUSE(reader, "%s is not valid JSON at byte %d: %s", what,
                      error.position, error.text);
}

/* A text of the metadata; Jansson's texts hold no NUL. NULL: not there. */
static const char *metadata_text(const json_t *metadata, const char *key)
{
    return json_string_value(json_object_get(metadata, key));
}

/* Other programs may add keys of their own, as safetensors' writers do; they
   mean nothing to us. Ours must be complete and no more. */
static ebm_status check_keys(const ebm_header_reader *reader, json_t *metadata,
                             const char *first, const char *second)
{
    const char *key;
    json_t *value;
    if (!metadata_text(metadata, first))
        return EBM_REFUSE(reader, "there is no %s", first);
    if (!metadata_text(metadata, second))
        return EBM_REFUSE(reader, "there is no %s", second);
    json_object_foreach(metadata, key, value)
    {
        if (!strncmp(key, EBM_HEADER_PREFIX, strlen(EBM_HEADER_PREFIX)) &&
            strcmp(key, EBM_HEADER_FORMAT) && strcmp(key, first) &&
            strcmp(key, second))
            return EBM_REFUSE(reader, "unknown metadata %.60s", key);
    }
    return EBM_OK;
}

static ebm_status check_metadata(const ebm_header_reader *reader,
                                 json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return EBM_REFUSE(reader, "there is no object " EBM_HEADER_METADATA);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return EBM_REFUSE(reader, "metadata %.40s is not a text", key);
    }
    const char *version = metadata_text(metadata, EBM_HEADER_FORMAT);
    if (!version)
        return EBM_REFUSE(reader, "there is no " EBM_HEADER_FORMAT
                                  ": not a model of this library");
    if (strcmp(version, EBM_HEADER_VERSION))
        return EBM_REFUSE(reader,
                          EBM_HEADER_FORMAT
                          " is %.20s, this version of the "
                          "library reads " EBM_HEADER_VERSION,
                          version);
    if (metadata_text(metadata, EBM_HEADER_MODEL))
        return check_keys(reader, metadata, EBM_HEADER_MODEL,
                          EBM_HEADER_NETWORKS);
    return check_keys(reader, metadata, EBM_HEADER_INPUT, EBM_HEADER_LAYERS);
}

int ebm_read_sizes(const json_t *array, uint64_t *sizes, size_t count)
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

/* A text of the metadata as JSON. */
static ebm_status parse_metadata(const ebm_header_reader *reader,
                                 const json_t *metadata, const char *key,
                                 json_t **json)
{
    const char *text = metadata_text(metadata, key);
    return ebm_read_json(reader, key, text, strlen(text), json);
}

static ebm_status make_room(const ebm_header_reader *reader, size_t count)
{
    ebm_header *header = reader->header;
    header->networks =
        ebm_alloc_zero(reader->context, count, sizeof *header->networks);
    return header->networks
               ? EBM_OK
               : ebm_out_of_memory(reader->context, "a model file's header");
}

static ebm_status read_single(const ebm_header_reader *reader,
                              const json_t *metadata)
{
    json_t *input = NULL, *layers = NULL;
    EBM_TRY(make_room(reader, 1));
    ebm_status status =
        parse_metadata(reader, metadata, EBM_HEADER_INPUT, &input);
    if (status == EBM_OK)
        status = parse_metadata(reader, metadata, EBM_HEADER_LAYERS, &layers);
    if (status == EBM_OK)
        status = ebm_read_network(reader, input, layers);
    json_decref(layers);
    json_decref(input);
    return status;
}

/* [{"input":[32,32,3],"layers":[...]}, ...] */
static ebm_status read_networks(ebm_header_reader *reader, const json_t *json)
{
    size_t count = json_array_size(json);
    if (!count || count > EBM_MOST_MEMBERS)
        return EBM_REFUSE(reader,
                          EBM_HEADER_NETWORKS " is not an array of 1 to %d",
                          EBM_MOST_MEMBERS);
    EBM_TRY(make_room(reader, count));
    for (size_t k = 0; k < count; k++) {
        const json_t *object = json_array_get(json, k);
        snprintf(reader->place, sizeof reader->place, "network %zu: ", k);
        EBM_TRY(ebm_read_network(reader, json_object_get(object, "input"),
                                 json_object_get(object, "layers")));
        if (json_object_size(object) != 2)
            return EBM_REFUSE(reader, "unknown key");
    }
    reader->place[0] = 0;
    return EBM_OK;
}

static ebm_status read_model(ebm_header_reader *reader, const json_t *metadata)
{
    json_t *networks = NULL, *tree = NULL;
    if (!metadata_text(metadata, EBM_HEADER_MODEL))
        return read_single(reader, metadata);
    ebm_status status =
        parse_metadata(reader, metadata, EBM_HEADER_NETWORKS, &networks);
    if (status == EBM_OK)
        status = parse_metadata(reader, metadata, EBM_HEADER_MODEL, &tree);
    if (status == EBM_OK)
        status = read_networks(reader, networks);
    if (status == EBM_OK)
        status = ebm_read_tree(reader, tree);
    json_decref(tree);
    json_decref(networks);
    return status;
}

static const ebm_layer *layer_of(const ebm_header_reader *reader,
                                 const ebm_tensor *tensor)
{
    return reader->header->networks[tensor->network]->layers + tensor->layer;
}

static void name_tensor(const ebm_header_reader *reader,
                        const ebm_tensor *tensor, char name[EBM_TENSOR_NAME])
{
    ebm_tensor_name(layer_of(reader, tensor), tensor,
                    reader->header->tree.count > 0, name);
}

/* One tensor's entry against what its layer wants. */
static ebm_status read_tensor(const ebm_header_reader *reader,
                              const json_t *root, ebm_tensor *tensor)
{
    const ebm_layer_view *view =
        ebm_layer_find(layer_of(reader, tensor), tensor->view);
    char name[EBM_TENSOR_NAME];
    name_tensor(reader, tensor, name);
    const json_t *entry = json_object_get(root, name);
    if (!entry)
        return EBM_REFUSE(reader, "the tensor %s is missing", name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype || strcmp(dtype, "F32"))
        return EBM_REFUSE(reader, "%s has the dtype %.20s, not F32", name,
                          dtype ? dtype : "(none)");
    uint64_t sizes[4], offsets[2];
    int same =
        ebm_read_sizes(json_object_get(entry, "shape"), sizes, view->rank);
    for (size_t i = 0; same && i < view->rank; i++)
        same = sizes[i] == view->torch_shape[i];
    if (!same)
        return EBM_REFUSE(reader, "%s has not the shape that its layer needs",
                          name);
    if (!ebm_read_sizes(json_object_get(entry, "data_offsets"), offsets, 2) ||
        offsets[0] > offsets[1] || offsets[1] > reader->data_size)
        return EBM_REFUSE(
            reader, "%s: data_offsets are not within the %llu bytes of data",
            name, (unsigned long long)reader->data_size);
    if ((offsets[1] - offsets[0]) % EBM_NUMBER_SIZE ||
        (offsets[1] - offsets[0]) / EBM_NUMBER_SIZE != view->count)
        return EBM_REFUSE(reader, "%s: %llu bytes of data for %zu numbers",
                          name, (unsigned long long)(offsets[1] - offsets[0]),
                          view->count);
    if (json_object_size(entry) != 3)
        return EBM_REFUSE(reader, "%s has an unknown key", name);
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
    uint64_t end = 0;
    if (header->count)
        qsort(header->tensors, header->count, sizeof *header->tensors,
              by_begin);
    for (size_t i = 0; i < header->count; i++) {
        const ebm_tensor *tensor = header->tensors + i;
        char name[EBM_TENSOR_NAME];
        name_tensor(reader, tensor, name);
        if (tensor->begin != end)
            return EBM_REFUSE(
                reader, "%s begins at byte %llu of the data, not at %llu",
                name, (unsigned long long)tensor->begin,
                (unsigned long long)end);
        const ebm_layer_view *view =
            ebm_layer_find(layer_of(reader, tensor), tensor->view);
        end += (uint64_t)view->count * EBM_NUMBER_SIZE;
    }
    if (end != reader->data_size)
        return EBM_REFUSE(
            reader, "%llu bytes of data for tensors of %llu bytes",
            (unsigned long long)reader->data_size, (unsigned long long)end);
    return EBM_OK;
}

/* Lists the arrays of all networks, still without their places. */
static ebm_status list_tensors(const ebm_header_reader *reader)
{
    ebm_header *header = reader->header;
    size_t count = 0;
    for (size_t k = 0; k < header->network_count; k++)
        for (size_t i = 0; i < header->networks[k]->end.layers; i++)
            count += ebm_layer_arrays(header->networks[k]->layers + i);
    header->tensors =
        ebm_alloc(reader->context, count, sizeof *header->tensors);
    if (!header->tensors)
        return ebm_out_of_memory(reader->context, "a list of tensors");
    for (size_t k = 0; k < header->network_count; k++)
        for (size_t i = 0; i < header->networks[k]->end.layers; i++) {
            const ebm_layer *layer = header->networks[k]->layers + i;
            for (size_t a = 0; a < ebm_layer_arrays(layer); a++)
                header->tensors[header->count++] =
                    (ebm_tensor){.network = k,
                                 .layer = i,
                                 .view = ebm_layer_array(layer, a)};
        }
    return EBM_OK;
}

/* Takes the tensors out of root one by one: what stays is left over. */
static ebm_status read_tensors(const ebm_header_reader *reader, json_t *root)
{
    ebm_header *header = reader->header;
    EBM_TRY(list_tensors(reader));
    for (size_t i = 0; i < header->count; i++) {
        char name[EBM_TENSOR_NAME];
        EBM_TRY(read_tensor(reader, root, header->tensors + i));
        name_tensor(reader, header->tensors + i, name);
        json_object_del(root, name);
    }
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (strcmp(key, EBM_HEADER_METADATA))
            return EBM_REFUSE(reader, "the tensor %.60s belongs to no layer",
                              key);
    }
    return check_cover(reader);
}

ebm_status ebm_header_read(ebm_context *context, const char *path,
                           const char *text, size_t length, uint64_t data_size,
                           ebm_header *header)
{
    ebm_header_reader reader = {context, path, data_size, header, ""};
    json_t *root = NULL;
    memset(header, 0, sizeof *header);
    if (!length || text[0] != '{')
        return EBM_REFUSE(&reader, "the header does not begin with a brace");
    EBM_TRY(ebm_read_json(&reader, "the header", text, length, &root));
    json_t *metadata = json_object_get(root, EBM_HEADER_METADATA);
    ebm_status status = check_metadata(&reader, metadata);
    if (status == EBM_OK)
        status = read_model(&reader, metadata);
    if (status == EBM_OK)
        status = read_tensors(&reader, root);
    if (status != EBM_OK)
        ebm_header_clear(context, header);
    json_decref(root);
    return status;
}
