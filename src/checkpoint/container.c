/* Opening a file that may come from anywhere, and beginning one. */
#define _FILE_OFFSET_BITS 64

#include "checkpoint/container.h"

#include <errno.h>
#include <string.h>

#include "checkpoint/header.h"
#include "core/memory.h"

/* Lengths were checked against the file's: what is missing now was cut off
   while we read, or the disk failed. */
ebm_status ebm_container_read(const ebm_container *container, void *bytes,
                              size_t size)
{
    errno = 0;
    if (fread(bytes, 1, size, container->stream) == size)
        return EBM_OK;
    if (ferror(container->stream))
        return ebm_file_fail(container->context, "read", container->path,
                             errno ? errno : EIO);
    return ebm_header_refuse(container->context, container->path, "",
                             "the file became shorter while it was read");
}

ebm_status ebm_container_seek(const ebm_container *container, uint64_t place)
{
    if (!fseeko(container->stream, (off_t)(container->begin + place),
                SEEK_SET))
        return EBM_OK;
    return ebm_file_fail(container->context, "read", container->path, errno);
}

static ebm_status read_header(ebm_container *container, uint64_t size)
{
    unsigned char bytes[EBM_HEADER_LENGTH_SIZE];
    ebm_context *context = container->context;
    const char *path = container->path;
    uint64_t length = 0;
    if (size < sizeof bytes)
        return ebm_header_refuse(context, path, "",
                                 "%llu bytes are too few for a model file",
                                 (unsigned long long)size);
    EBM_TRY(ebm_container_read(container, bytes, sizeof bytes));
    for (int i = 0; i < EBM_HEADER_LENGTH_SIZE; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    uint64_t rest = size - sizeof bytes;
    if (length > rest)
        return ebm_header_refuse(
            context, path, "",
            "a header of %llu bytes in a file of %llu bytes",
            (unsigned long long)length, (unsigned long long)size);
    if (length > EBM_HEADER_LONGEST)
        return ebm_header_refuse(
            context, path, "", "a header of %llu bytes, at most %d are read",
            (unsigned long long)length, EBM_HEADER_LONGEST);
    container->text = ebm_alloc(context, (size_t)length, 1);
    if (!container->text)
        return ebm_out_of_memory(context, "a file's header");
    container->length = (size_t)length;
    container->begin = sizeof bytes + length;
    container->data_size = rest - length;
    return ebm_container_read(container, container->text, (size_t)length);
}

ebm_status ebm_container_open(ebm_context *context, const char *path,
                              ebm_container *container)
{
    uint64_t size = 0;
    *container = (ebm_container){.context = context, .path = path};
    EBM_TRY(ebm_file_open(context, path, &container->stream, &size));
    return read_header(container, size);
}

void ebm_container_close(ebm_container *container)
{
    ebm_free(container->context, container->text);
    if (container->stream)
        fclose(container->stream);
    container->text = NULL;
    container->stream = NULL;
}

void ebm_container_begin(ebm_file *file, const char *text, size_t length)
{
    unsigned char bytes[EBM_HEADER_LENGTH_SIZE];
    for (int i = 0; i < EBM_HEADER_LENGTH_SIZE; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    ebm_file_write(file, bytes, sizeof bytes);
    ebm_file_write(file, text, length);
}
