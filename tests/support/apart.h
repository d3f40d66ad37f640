/*
 * Safetensors files taken apart, changed, and put together again: by Jansson
 * and plain copies, not by the library's own reader and writer.
 */
#ifndef EBM_TEST_APART_H
#define EBM_TEST_APART_H

#include <jansson.h>

#include "ebm_test.h"

/* A checkpoint's `objects` are those of its metadata, or NULL. There is room
   for some bytes more in the data. */
typedef struct test_apart {
    json_t *root, *metadata, *objects;
    unsigned char *data;
    size_t size;
} test_apart;

/* Of a whole file. */
test_apart test_take_apart(const unsigned char *bytes, size_t size);

/* Writes it, the objects put back into the metadata unless they are NULL, and
   frees it. */
void test_put_together(test_apart *t, const char *path);

/* Where a tensor begins in the data. */
unsigned char *test_tensor(const test_apart *t, const char *name);

#endif
