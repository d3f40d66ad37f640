/*
 * What the tests of datasets share: a context on counted memory, made anew
 * for each test, and samples that name themselves.
 */
#ifndef EBM_TEST_DATASETS_H
#define EBM_TEST_DATASETS_H

#include "ebm_test.h"

typedef struct test_dataset_fixture {
    test_allocator memory;
    ebm_context *context;
} test_dataset_fixture;

extern test_dataset_fixture test_fixture;

/* CMocka's setup and teardown of a test; the latter asks for all memory. */
int test_dataset_set_up(void **state);
int test_dataset_tear_down(void **state);

/* n samples of one float each, which is the sample's number. */
ebm_dataset *test_numbers(size_t n, uint64_t seed);

#endif
