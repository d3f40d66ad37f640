/*
 * PNG files of all formats, written by libpng, and what they show in double:
 * nothing here knows how the library decodes or resizes.
 */
#ifndef EBM_TEST_PICTURES_H
#define EBM_TEST_PICTURES_H

#include "ebm_test.h"

/* Colour types of PNG with a depth, and whether a tRNS chunk makes some of it
   transparent. */
typedef struct test_format {
    int depth, colour_type, transparent;
} test_format;
enum { TEST_FORMATS = 22 };
extern const test_format test_formats[TEST_FORMATS];

/* RGBA of 8 bits. */
extern const test_format test_plain;

/* A picture of random pixels; free pixels. */
typedef struct test_picture {
    size_t height, width;
    double *pixels; /* [height, width, 4], RGBA from 0 to 1 */
} test_picture;

/* Writes a file and says what it shows. */
test_picture test_picture_write(const char *path, const test_format *format,
                                int interlaced, size_t height, size_t width,
                                uint64_t seed);

/* The mean of the part of the picture, over white, that a pixel covers when
   it becomes [height, width, channels]: out, from 0 to 255, not rounded. */
void test_picture_resize(const test_picture *picture, size_t height,
                         size_t width, size_t channels, double *out);

/* A dataset of the folder with values 0 to 255, in the order of the names. */
ebm_dataset *test_picture_dataset(ebm_context *context, const char *folder,
                                  const size_t shape[3], size_t cache_bytes);

#endif
