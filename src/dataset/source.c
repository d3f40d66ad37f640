/* Reading raw or gzip files through inflate(). */
#include "dataset/source.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/object.h"

/* inflateInit2(): the largest window, plus 16 for "gzip and nothing else". */
enum { GZIP_WINDOW = 15 + 16, INPUT_SIZE = 1 << 16, LARGEST_PIECE = 1 << 30 };

struct ebm_source {
    const ebm_context *context;
    const char *path; /* the caller's; open and close stand in one function */
    FILE *file;
    z_stream zlib; /* next_in and avail_in serve raw files too */
    int is_gzip;
    int in_member; /* between the header and the checksum of gzip data */
    unsigned char input[INPUT_SIZE];
};

static ebm_status refill(ebm_source *source)
{
    if (source->zlib.avail_in)
        return EBM_OK;
    size_t size = fread(source->input, 1, INPUT_SIZE, source->file);
    if (!size && ferror(source->file))
        return ebm_file_fail(source->context, "read", source->path, errno);
    source->zlib.next_in = source->input;
    source->zlib.avail_in = (uInt)size;
    return EBM_OK;
}

/* No gzip data begin with a magic of IDX, or the other way round. */
static ebm_status detect(ebm_source *source)
{
    EBM_TRY(refill(source));
    if (source->zlib.avail_in < 2 || source->input[0] != 0x1f ||
        source->input[1] != 0x8b)
        return EBM_OK;
    if (inflateInit2(&source->zlib, GZIP_WINDOW) != Z_OK)
        return ebm_out_of_memory(source->context, "zlib");
    source->is_gzip = 1;
    source->in_member = 1;
    return EBM_OK;
}

ebm_status ebm_source_open(const ebm_context *context, const char *path,
                           ebm_source **out)
{
    ebm_source *source = ebm_alloc_zero(context, 1, sizeof *source);
    if (!source)
        return ebm_out_of_memory(context, "reading a file");
    source->context = context;
    source->path = path;
    ebm_status status = ebm_file_open(context, path, &source->file, NULL);
    if (status == EBM_OK)
        status = detect(source);
    if (status == EBM_OK)
        *out = source;
    else
        ebm_source_close(source);
    return status;
}

void ebm_source_close(ebm_source *source)
{
    if (!source)
        return;
    if (source->is_gzip)
        inflateEnd(&source->zlib);
    if (source->file)
        fclose(source->file);
    ebm_free(source->context, source);
}

/* One call of inflate() with input at hand. Members may follow each other, as
   gzip files may be concatenated; anything else behind a member fails as the
   header that it is not. */
static ebm_status inflate_some(ebm_source *source, unsigned char *out,
                               size_t size, size_t *got)
{
    z_stream *zlib = &source->zlib;
    if (!source->in_member)
        inflateReset(zlib);
    source->in_member = 1;
    zlib->next_out = out;
    zlib->avail_out = (uInt)size;
    int code = inflate(zlib, Z_NO_FLUSH);
    *got = size - zlib->avail_out;
    if (code == Z_STREAM_END)
        source->in_member = 0;
    else if (code == Z_MEM_ERROR)
        return ebm_out_of_memory(source->context, "zlib");
    else if (code != Z_OK)
        return ebm_fail(
            source->context, EBM_ERROR_FORMAT, "%s: broken gzip data: %s",
            ebm_file_tail(source->path), zlib->msg ? zlib->msg : zError(code));
    return EBM_OK;
}

ebm_status ebm_source_read(ebm_source *source, void *out, size_t size,
                           size_t *got)
{
    unsigned char *bytes = out;
    size_t done = 0;
    while (done < size) {
        EBM_TRY(refill(source));
        size_t piece = size - done, at_hand = source->zlib.avail_in;
        if (!at_hand)
            break;
        if (source->is_gzip) {
            if (piece > LARGEST_PIECE)
                piece = LARGEST_PIECE;
            EBM_TRY(inflate_some(source, bytes + done, piece, &piece));
        } else {
            if (piece > at_hand)
                piece = at_hand;
            memcpy(bytes + done, source->zlib.next_in, piece);
            source->zlib.next_in += piece;
            source->zlib.avail_in -= (uInt)piece;
        }
        done += piece;
    }
    if (done < size && source->in_member)
        return ebm_fail(source->context, EBM_ERROR_FORMAT,
                        "%s: truncated gzip data",
                        ebm_file_tail(source->path));
    *got = done;
    return EBM_OK;
}
