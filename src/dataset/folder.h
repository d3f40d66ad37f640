/*
 * A folder of PNG files as images of one shape: files are decoded when they
 * are asked for, in parallel, and held in a bounded cache.
 */
#ifndef EBM_DATASET_FOLDER_H
#define EBM_DATASET_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef struct ebm_folder ebm_folder;

/* Lists the folder and reads the header of every file. The shape is checked
   by the caller. Errors: IO, FORMAT (no PNG files; a broken one), MEMORY. */
ebm_status ebm_folder_open(const ebm_context *context, const char *path,
                           size_t height, size_t width, size_t channels,
                           size_t cache_bytes, ebm_folder **folder);

/* NULL is allowed. */
void ebm_folder_close(ebm_folder *folder);

/* How many images there are: at least 1. */
size_t ebm_folder_count(const ebm_folder *folder);

/* The images with these numbers, in this order, [n, elements]; the same
   number may come twice. Several threads may fetch at once. On failure the
   content of bytes is undefined. Errors: IO, FORMAT, MEMORY; of several
   broken files the first by name is told. */
ebm_status ebm_folder_fetch(ebm_folder *folder, const size_t *numbers,
                            size_t n, uint8_t *bytes);

#endif
