/*
 * Files of reference values that the scripts in tests/torch and tests/scipy
 * write: a name, a count, that many numbers, again and again.
 */
#ifndef EBM_TEST_VALUES_H
#define EBM_TEST_VALUES_H

#include <stddef.h>

enum { TEST_VALUES_NAME = 32 };

typedef struct test_array {
    char name[TEST_VALUES_NAME];
    size_t count;
    double *numbers;
    float *floats; /* the same, rounded */
} test_array;

typedef struct test_values {
    test_array *arrays;
    size_t count;
} test_values;

/* path is relative to the source tree. Fails the test if it can not be
   read. */
void test_values_read(test_values *values, const char *path);
void test_values_free(test_values *values);

/* One array; fails the test unless it is there with that many numbers. */
const float *test_values_floats(const test_values *values, const char *name,
                                size_t count);
const double *test_values_doubles(const test_values *values, const char *name,
                                  size_t count);

/* The array of that name, or NULL. */
const test_array *test_values_find(const test_values *values,
                                   const char *name);

/* The array whose name is these two texts, one after the other. */
const test_array *test_values_get(const test_values *values, const char *name,
                                  const char *part);

/* The array NAME_INDEX. */
const test_array *test_values_numbered(const test_values *values,
                                       const char *name, size_t index);

#endif
