/*
 * ebm_model_load(): nothing in the file is believed. The header's length is
 * checked against the file, the header's layers against the tensors and the
 * tensors against the length of the data, all before the parameters are
 * allocated; so a file never makes a model larger than itself.
 */
#define _FILE_OFFSET_BITS 64

#include <ebm/checkpoint.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/header.h"
#include "core/file.h"
#include "core/memory.h"

typedef struct ebm_model_source {
    ebm_context *context;
    const char *path;
    FILE *stream;
    uint64_t size; /* of the file */
} ebm_model_source;

/* Opens a regular file. Without O_NONBLOCK a FIFO would hold us up until
   somebody writes to it. */
static ebm_status open_source(ebm_model_source *source)
{
    struct stat status;
    int descriptor = open(source->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status))
        goto fail;
    if (!S_ISREG(status.st_mode)) {
        close(descriptor);
        return ebm_fail(source->context, EBM_ERROR_IO,
                        "can not read %s: it is not a regular file",
                        ebm_file_tail(source->path));
    }
    source->size = (uint64_t)status.st_size;
    source->stream = fdopen(descriptor, "rb");
    if (source->stream)
        return EBM_OK;
fail:;
    int error = errno;
    if (descriptor >= 0)
        close(descriptor);
    return ebm_file_fail(source->context, "open", source->path, error);
}

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
    return ebm_header_refuse(source->context, source->path,
                             "the file became shorter while it was read");
}

static ebm_status read_header(const ebm_model_source *source,
                              ebm_header *header)
{
    unsigned char bytes[EBM_HEADER_LENGTH_SIZE];
    uint64_t length = 0;
    if (source->size < sizeof bytes)
        return ebm_header_refuse(source->context, source->path,
                                 "%llu bytes are too few for a model file",
                                 (unsigned long long)source->size);
    EBM_TRY(read_bytes(source, bytes, sizeof bytes));
    for (int i = 0; i < EBM_HEADER_LENGTH_SIZE; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    uint64_t rest = source->size - sizeof bytes;
    if (length > rest)
        return ebm_header_refuse(
            source->context, source->path,
            "a header of %llu bytes in a file of %llu bytes",
            (unsigned long long)length, (unsigned long long)source->size);
    if (length > EBM_HEADER_LONGEST)
        return ebm_header_refuse(source->context, source->path,
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

static ebm_status read_tensor(const ebm_model_source *source,
                              const ebm_layer *layers,
                              const ebm_tensor *tensor, float *parameters)
{
    unsigned char bytes[EBM_NUMBERS_AT_ONCE * EBM_NUMBER_SIZE];
    const ebm_layer *layer = layers + tensor->layer;
    size_t count = layer->views[tensor->view].count;
    for (size_t i = 0; i < count; i++) {
        size_t held = i % EBM_NUMBERS_AT_ONCE;
        if (!held) {
            size_t next = count - i < EBM_NUMBERS_AT_ONCE
                              ? count - i
                              : EBM_NUMBERS_AT_ONCE;
            EBM_TRY(read_bytes(source, bytes, next * EBM_NUMBER_SIZE));
        }
        float number = ebm_load_number(bytes + held * EBM_NUMBER_SIZE);
        if (!isfinite(number)) {
            char name[EBM_TENSOR_NAME];
            ebm_tensor_name(layers, tensor, name);
            return ebm_fail(source->context, EBM_ERROR_NON_FINITE,
                            "%s: element %zu of %s is %g",
                            ebm_file_tail(source->path), i, name,
                            (double)number);
        }
        size_t at = ebm_torch_index(layer, tensor->view, i);
        parameters[at] = number;
    }
    return EBM_OK;
}

/* The tensors stand in the data's order and cover it, so that one pass
   without seeking reads them. */
static ebm_status read_tensors(const ebm_model_source *source,
                               const ebm_header *header, ebm_model *model)
{
    const ebm_layer *layers = ebm_network_of(model)->layers;
    float *parameters = NULL;
    EBM_TRY(ebm_model_begin_write(model, &parameters));
    for (size_t i = 0; i < header->count; i++) {
        const ebm_tensor *tensor = header->tensors + i;
        const ebm_layer *layer = layers + tensor->layer;
        EBM_TRY(read_tensor(source, layers, tensor,
                            parameters + layer->parameter_offset +
                                layer->views[tensor->view].offset));
    }
    return ebm_model_end_write(model);
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
    ebm_model *made = NULL;
    ebm_status status = open_source(&source);
    if (status == EBM_OK)
        status = read_header(&source, &header);
    if (status == EBM_OK)
        /* The seed does not matter: each parameter is in the file. */
        status = ebm_header_blame(
            context, path, ebm_model_create_network(header.network, 0, &made));
    if (status == EBM_OK)
        status = read_tensors(&source, &header, made);
    if (status == EBM_OK)
        *model = made;
    else
        ebm_model_destroy(made);
    ebm_header_clear(context, &header);
    if (source.stream)
        fclose(source.stream);
    return status;
}
