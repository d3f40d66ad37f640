/*
 * Arrays that a script computed: a text file of a name, a count and the
 * numbers, again and again.
 */
#ifndef EBM_TEST_VALUES_H
#define EBM_TEST_VALUES_H

#include "ebm_test.h"

typedef struct test_array {
    char name[32];
    size_t count;
    double *numbers;
    float *floats; /* the same, rounded */
} test_array;

enum { TEST_ARRAYS = 192 };

typedef struct test_values {
    test_array arrays[TEST_ARRAYS];
    size_t count;
} test_values;

/* Reads a file of the source tree; fails the test if that fails. */
void test_values_read(test_values *values, const char *path);
void test_values_free(test_values *values);

/* The array of that name, or NULL. */
const test_array *test_values_find(const test_values *values,
                                   const char *name);

/* The same; it must be there. NAME is made of two parts. */
const test_array *test_values_get(const test_values *values, const char *name,
                                  const char *part);

#endif
