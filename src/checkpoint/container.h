/*
 * What model files and checkpoints are: a length, a header of so many bytes,
 * and data.
 */
#ifndef EBM_CHECKPOINT_CONTAINER_H
#define EBM_CHECKPOINT_CONTAINER_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "core/file.h"
#include "core/object.h"

/* A file that is being read. */
typedef struct ebm_container {
    ebm_context *context;
    const char *path;
    FILE *stream;   /* behind the header, once it is open */
    char *text;     /* the header, without an end */
    size_t length;  /* of it */
    uint64_t begin; /* of the data */
    uint64_t data_size;
} ebm_container;

/* Opens a file and reads its header; its length is checked against the file
   and EBM_HEADER_LONGEST before memory is asked for. The caller closes it,
   whatever comes back. Errors: IO, FORMAT, MEMORY. */
ebm_status ebm_container_open(ebm_context *context, const char *path,
                              ebm_container *container);
void ebm_container_close(ebm_container *container);

/* Reads the next bytes; there are so many unless the file changes. Errors: IO,
   FORMAT. */
ebm_status ebm_container_read(const ebm_container *container, void *bytes,
                              size_t size);

/* Goes to a byte of the data. Errors: IO. */
ebm_status ebm_container_seek(const ebm_container *container, uint64_t place);

/* Writes length and header. Errors stick to the file. */
void ebm_container_begin(ebm_file *file, const char *text, size_t length);

/* Dumps to a block of ours, to be freed by ebm_free(), padded by spaces to a
   multiple of 8 and ended by a NUL that *length does not count. NULL json:
   memory ran out before. Errors: MEMORY. */
ebm_status ebm_json_dump(const ebm_context *context, const json_t *json,
                         char **text, size_t *length);

/* Metadata are texts, so what has a structure becomes JSON within JSON. The
   value is let go of. */
ebm_status ebm_json_set_text(const ebm_context *context, json_t *metadata,
                             const char *key, json_t *value);

/* NULL when memory runs out. */
json_t *ebm_json_sizes(const size_t *sizes, size_t count);

/* "0.weight":{"dtype":"F32","shape":[16,1,5,5],"data_offsets":[0,1600]}
   Non-zero when memory ran out. */
int ebm_json_set_tensor(json_t *root, const char *name, const char *dtype,
                        const size_t *shape, size_t rank, size_t begin,
                        size_t end);

#endif
