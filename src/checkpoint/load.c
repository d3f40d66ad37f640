/*
 * ebm_model_load(): nothing in the file is believed. The header's length is
 * checked against the file, the header's layers against the tensors and the
 * tensors against the length of the data, all before the parameters are
 * allocated; so a file never makes a model larger than itself.
 */
#include <ebm/checkpoint.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "checkpoint/header.h"
#include "core/file.h"
#include "core/memory.h"

typedef struct ebm_model_source {
    ebm_context *context;
    const char *path;
    FILE *stream;
    uint64_t size; /* of the file */
} ebm_model_source;

/* Lengths were checked against the file's: what is missing now was cut off
   while we read, or the disk failed. */
static ebm_status read_bytes(const ebm_model_source *source, void *bytes,
                             size_t size)
{
    errno = 0;
    if (fread(bytes, 1, size, source->stream) == size)
        return EBM_OK;
    if (ferror(source->stream))
        return ebm_file_fail(source->context, "read", source->path,
                             errno ? errno : EIO);
    return ebm_header_refuse(source->context, source->path, "",
                             "the file became shorter while it was read");
}

static ebm_status read_header(const ebm_model_source *source,
                              ebm_header *header)
{
    unsigned char bytes[EBM_HEADER_LENGTH_SIZE];
    uint64_t length = 0;
    if (source->size < sizeof bytes)
        return ebm_header_refuse(source->context, source->path, "",
                                 "%llu bytes are too few for a model file",
                                 (unsigned long long)source->size);
    EBM_TRY(read_bytes(source, bytes, sizeof bytes));
    for (int i = 0; i < EBM_HEADER_LENGTH_SIZE; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    uint64_t rest = source->size - sizeof bytes;
    if (length > rest)
        return ebm_header_refuse(
            source->context, source->path, "",
            "a header of %llu bytes in a file of %llu bytes",
            (unsigned long long)length, (unsigned long long)source->size);
    if (length > EBM_HEADER_LONGEST)
        return ebm_header_refuse(source->context, source->path, "",
                                 "a header of %llu bytes, at most %d are read",
                                 (unsigned long long)length,
                                 EBM_HEADER_LONGEST);
    char *text = ebm_alloc(source->context, (size_t)length, 1);
    if (!text)
        return ebm_out_of_memory(source->context, "a model file's header");
    ebm_status status = read_bytes(source, text, (size_t)length);
    if (status == EBM_OK)
        status = ebm_header_read(source->context, source->path, text,
                                 (size_t)length, rest - length, header);
    ebm_free(source->context, text);
    return status;
}

/* Into the parameters or the state of its network. */
static ebm_status read_tensor(const ebm_model_source *source,
                              const ebm_header *header,
                              const ebm_tensor *tensor, const ebm_model *model)
{
    unsigned char bytes[EBM_NUMBERS_AT_ONCE * EBM_NUMBER_SIZE];
    const ebm_network_model *network = ebm_network_of(model);
    const ebm_layer *layer = network->layers + tensor->layer;
    const ebm_layer_view *view = ebm_layer_find(layer, tensor->view);
    float *array = tensor->view < EBM_LAYER_VIEWS
                       ? model->parameters + layer->parameter_offset
                       : network->state + layer->state_offset;
    for (size_t i = 0; i < view->count; i++) {
        size_t held = i % EBM_NUMBERS_AT_ONCE, rest = view->count - i;
        if (!held) {
            size_t next =
                rest < EBM_NUMBERS_AT_ONCE ? rest : EBM_NUMBERS_AT_ONCE;
            EBM_TRY(read_bytes(source, bytes, next * EBM_NUMBER_SIZE));
        }
        float number = ebm_load_number(bytes + held * EBM_NUMBER_SIZE);
        if (!isfinite(number)) {
            char name[EBM_TENSOR_NAME];
            ebm_tensor_name(layer, tensor, header->tree.count > 0, name);
            return ebm_fail(source->context, EBM_ERROR_NON_FINITE,
                            "%s: element %zu of %s is %g",
                            ebm_file_tail(source->path), i, name,
                            (double)number);
        }
        array[view->offset + ebm_torch_index(layer, tensor->view, i)] = number;
    }
    return EBM_OK;
}

/* The tensors stand in the data's order and cover it, so that one pass
   without seeking reads them. */
static ebm_status read_tensors(const ebm_model_source *source,
                               const ebm_header *header,
                               ebm_model *const *networks)
{
    for (size_t i = 0; i < header->count; i++) {
        const ebm_tensor *tensor = header->tensors + i;
        EBM_TRY(
            read_tensor(source, header, tensor, networks[tensor->network]));
    }
    for (size_t k = 0; k < header->network_count; k++)
        ebm_model_parameters_written(networks[k]);
    return EBM_OK;
}

static ebm_status make_networks(const ebm_model_source *source,
                                const ebm_header *header, ebm_model **models)
{
    for (size_t k = 0; k < header->network_count; k++) {
        char place[32] = "";
        if (header->tree.count)
            snprintf(place, sizeof place, "network %zu: ", k);
        /* The seed does not matter: each parameter is in the file. */
        EBM_TRY(ebm_header_blame(
            source->context, source->path, place,
            ebm_model_create_network(header->networks[k], 0, models + k)));
    }
    return EBM_OK;
}

static ebm_status make_model(const ebm_model_source *source,
                             const ebm_header *header, ebm_model **model)
{
    ebm_model *made = NULL;
    size_t count = header->network_count;
    ebm_model **networks =
        ebm_alloc_zero(source->context, count, sizeof *networks);
    if (!networks)
        return ebm_out_of_memory(source->context, "the networks of a model");
    ebm_status status = make_networks(source, header, networks);
    if (status == EBM_OK)
        status = read_tensors(source, header, networks);
    if (status == EBM_OK && header->tree.count)
        status = ebm_header_blame(source->context, source->path, "",
                                  ebm_tree_make_model(source->context,
                                                      &header->tree, networks,
                                                      &made));
    else if (status == EBM_OK)
        made = ebm_object_retain(networks[0]);
    if (status == EBM_OK)
        *model = made;
    for (size_t k = 0; k < count; k++)
        ebm_object_release(networks[k]);
    ebm_free(source->context, networks);
    return status;
}

ebm_status ebm_model_load(ebm_context *context, const char *path,
                          ebm_model **model)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!path || !model)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        path ? "model" : "path");
    ebm_model_source source = {.context = context, .path = path};
    ebm_header header = {0};
    ebm_status status =
        ebm_file_open(context, path, &source.stream, &source.size);
    if (status == EBM_OK)
        status = read_header(&source, &header);
    if (status == EBM_OK)
        status = make_model(&source, &header, model);
    ebm_header_clear(context, &header);
    if (source.stream)
        fclose(source.stream);
    return status;
}
