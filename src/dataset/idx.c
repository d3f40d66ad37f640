/* Reading IDX files as if somebody had forged them. */
#include "dataset/idx.h"

#include <string.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/object.h"
#include "dataset/source.h"

/* Type byte of unsigned bytes, and what is allocated before any data came. */
enum { TYPE_UNSIGNED_BYTE = 0x08, FIRST_PIECE = 1 << 20 };

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

static ebm_status read_header(const ebm_context *context, ebm_source *source,
                              const char *path, int rank, size_t dimensions[])
{
    unsigned char head[4 + 4 * EBM_IDX_RANK_MAX];
    size_t got, size = 4 + 4 * (size_t)rank;
    const char *name = ebm_file_tail(path);
    EBM_TRY(ebm_source_read(source, head, 4, &got));
    if (got < 4)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: %zu bytes are too few for an IDX file", name,
                        got);
    uint32_t magic = big_endian(head);
    if (magic >> 16)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: not an IDX file: the magic is 0x%08x", name,
                        (unsigned)magic);
    if (magic >> 8 != TYPE_UNSIGNED_BYTE)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: IDX data of type 0x%02x instead of 0x08, "
                        "unsigned bytes",
                        name, (unsigned)(magic >> 8));
    if ((magic & 0xff) != (uint32_t)rank)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: IDX data of rank %u instead of %d", name,
                        (unsigned)(magic & 0xff), rank);
    EBM_TRY(ebm_source_read(source, head + 4, size - 4, &got));
    if (got < size - 4)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: the file ends within its header", name);
    for (int i = 0; i < rank; i++) {
        dimensions[i] = big_endian(head + 4 + 4 * i);
        if (!dimensions[i])
            return ebm_fail(context, EBM_ERROR_FORMAT, "%s: dimension %d is 0",
                            name, i);
    }
    return EBM_OK;
}

/* Makes *bytes `size` bytes long, of which the first `kept` stay. */
static ebm_status grow(const ebm_context *context, uint8_t **bytes,
                       size_t kept, size_t size)
{
    uint8_t *grown = ebm_alloc(context, size, 1);
    if (!grown)
        return ebm_out_of_memory(context, "the samples of a file");
    if (kept)
        memcpy(grown, *bytes, kept);
    ebm_free(context, *bytes);
    *bytes = grown;
    return EBM_OK;
}

/* Reads exactly `size` bytes and sees to it that no more follow. Doubling as
   data arrive: a lie about the size costs memory only in proportion to what
   is there. */
static ebm_status read_data(const ebm_context *context, ebm_source *source,
                            const char *path, size_t size, uint8_t **bytes)
{
    size_t held = 0, got, more;
    unsigned char behind;
    while (held < size) {
        size_t room = held ? held : FIRST_PIECE;
        if (room > size - held)
            room = size - held;
        EBM_TRY(grow(context, bytes, held, held + room));
        EBM_TRY(ebm_source_read(source, *bytes + held, room, &got));
        held += got;
        if (got < room)
            return ebm_fail(context, EBM_ERROR_FORMAT,
                            "%s: the header claims %zu bytes of data, the "
                            "file holds %zu",
                            ebm_file_tail(path), size, held);
    }
    /* Also brings the reader to the checksum of gzip data. */
    EBM_TRY(ebm_source_read(source, &behind, 1, &more));
    if (more)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: the file goes on after the %zu bytes of data "
                        "that its header claims",
                        ebm_file_tail(path), size);
    return EBM_OK;
}

ebm_status ebm_idx_read(const ebm_context *context, const char *path, int rank,
                        size_t dimensions[], uint8_t **out)
{
    ebm_source *source = NULL;
    uint8_t *bytes = NULL;
    size_t shape[EBM_IDX_RANK_MAX] = {1, 1, 1}, size;
    EBM_TRY(ebm_source_open(context, path, &source));
    ebm_status status = read_header(context, source, path, rank, shape);
    if (status != EBM_OK)
        goto done;
    /* The samples become floats one day, with room to pad. */
    if (!ebm_multiply4(shape[0], shape[1], shape[2], 16 * sizeof(float),
                       &size)) {
        status = ebm_fail(context, EBM_ERROR_OVERFLOW,
                          "%s: dimensions %zu x %zu x %zu are more than "
                          "memory can hold",
                          ebm_file_tail(path), shape[0], shape[1], shape[2]);
        goto done;
    }
    size = shape[0] * shape[1] * shape[2];
    status = read_data(context, source, path, size, &bytes);
    if (status != EBM_OK)
        goto done;
    memcpy(dimensions, shape, (size_t)rank * sizeof *shape);
    *out = bytes;
    bytes = NULL;
done:
    ebm_free(context, bytes);
    ebm_source_close(source);
    return status;
}
