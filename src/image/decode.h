/*
 * PNG files read and brought to one shape, as if somebody had forged them.
 *
 * Decoding runs in worker threads, which may not touch the context. So what
 * can fail leaves its text in a fault, and all memory but libpng's own is
 * made beforehand.
 */
#ifndef EBM_IMAGE_DECODE_H
#define EBM_IMAGE_DECODE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <ebm/context.h>
#include <ebm/status.h>

#include "image/area.h"

/* Why a file could not be read; text has no file name in it. */
typedef struct ebm_decode_fault {
    ebm_status status; /* IO, FORMAT or MEMORY */
    char text[100];
} ebm_decode_fault;

/* Workspace of one worker. */
typedef struct ebm_decoder {
    ebm_area area;
    uint8_t *row; /* of a source, [widest, 4] components of 16 bits */
} ebm_decoder;

/* For results [height, width, channels] of sources up to `widest` pixels
   wide. Errors: MEMORY; then nothing is held. */
ebm_status ebm_decoder_create(const ebm_context *context, size_t height,
                              size_t width, size_t channels, size_t widest,
                              ebm_decoder *decoder);

/* Does nothing to an all-zero one. */
void ebm_decoder_destroy(const ebm_context *context, ebm_decoder *decoder);

/* Reads what stands before the pixels. The file stays the caller's. */
ebm_status ebm_decode_header(FILE *file, size_t *height, size_t *width,
                             ebm_decode_fault *fault);

/* Reads and resizes a file whose header said [height, width], width at most
   the decoder's widest; another size now is FORMAT. bytes is written only on
   success. */
ebm_status ebm_decode_pixels(ebm_decoder *decoder, FILE *file, size_t height,
                             size_t width, uint8_t *bytes,
                             ebm_decode_fault *fault);

#endif
