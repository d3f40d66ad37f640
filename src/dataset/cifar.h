/*
 * CIFAR-10's binary files (Krizhevsky 2009): records of one label byte and
 * 3072 bytes of pixels, the planes R, G, B of 32 x 32 each, without a header.
 */
#ifndef EBM_DATASET_CIFAR_H
#define EBM_DATASET_CIFAR_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

enum { EBM_CIFAR_SIDE = 32, EBM_CIFAR_CHANNELS = 3 };

/* Reads the records of several files, raw or gzip, one file after the other:
   n images [32, 32, 3], channels last, and their labels, both the caller's, to
   be given to ebm_free(). Errors: IO, FORMAT, OVERFLOW, MEMORY. */
ebm_status ebm_cifar10_read(const ebm_context *context,
                            const char *const *paths, size_t count, size_t *n,
                            uint8_t **bytes, int32_t **labels);

#endif
