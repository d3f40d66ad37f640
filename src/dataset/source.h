/*
 * A file as a stream of bytes, raw or gzip. zlib's own gzread() passes over
 * garbage behind the compressed data, so this one stands on inflate().
 */
#ifndef EBM_DATASET_SOURCE_H
#define EBM_DATASET_SOURCE_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef struct ebm_source ebm_source;

/* Errors: IO, MEMORY. */
ebm_status ebm_source_open(const ebm_context *context, const char *path,
                           ebm_source **source);

/* Reads up to size bytes; *got is less only at the end of the stream. The
   checksum of gzip data counts as checked once a read has seen the end.
   Errors: IO, FORMAT (broken or truncated gzip), MEMORY. */
ebm_status ebm_source_read(ebm_source *source, void *out, size_t size,
                           size_t *got);

/* NULL is allowed. */
void ebm_source_close(ebm_source *source);

#endif
