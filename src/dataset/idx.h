/*
 * IDX, the format of MNIST: big-endian words 0x0000TTRR (type, rank), rank
 * dimensions, then the data, last dimension fastest.
 */
#ifndef EBM_DATASET_IDX_H
#define EBM_DATASET_IDX_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

enum { EBM_IDX_RANK_MAX = 3 };

/* Reads unsigned bytes of the given rank; *bytes is the caller's, to be given
   to ebm_free(). The header is not believed: memory grows with what the file
   really holds. Errors: IO, FORMAT, OVERFLOW, MEMORY. */
ebm_status ebm_idx_read(const ebm_context *context, const char *path, int rank,
                        size_t dimensions[], uint8_t **bytes);

#endif
