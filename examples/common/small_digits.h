/*
 * Digits of 8 x 8 pixels with eight greys, made of the large ones, each pixel
 * spread evenly over the bin of its grey: a density can be fitted to them.
 */
#ifndef EXAMPLES_COMMON_SMALL_DIGITS_H
#define EXAMPLES_COMMON_SMALL_DIGITS_H

#include <stddef.h>

#include <ebm/ebm.h>

#include "settings.h"

enum { SMALL_DIGITS_SIDE = 8, SMALL_DIGITS_SIZE = 64, SMALL_DIGITS_GREYS = 8 };

/* A bin's width: values are in [-1, 1]. */
#define SMALL_DIGITS_BIN (2.0 / SMALL_DIGITS_GREYS)

/* All digits that there are, [n, 64], to be freed; at least five, else the
   program ends. */
float *small_digits_create(ebm_context *context, const settings *s,
                           size_t *count);

/* Up to 64 digits above as many samples, with titles. */
void small_digits_draw(ebm_context *context, const char *path,
                       const float *digits, size_t digit_count,
                       const float *samples, size_t sample_count);

#endif
