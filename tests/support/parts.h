/*
 * Small models to compose, on samples [1, 1, TEST_PART_SIZE].
 */
#ifndef EBM_TEST_PARTS_H
#define EBM_TEST_PARTS_H

#include <stddef.h>

#include <ebm/ebm.h>

#include "quadratic.h"

enum { TEST_PART_SIZE = 3 };

/* A double well of any size, without parameters. */
ebm_model *test_part_points(ebm_context *context, size_t size);

/* theta |x|^2 / 2 with theta 0.5; q must outlive the model. */
ebm_model *test_part_custom(ebm_context *context, test_quadratic *q);

/* With classes, or 0. All parameters are random, the same each time. */
ebm_model *test_part_network(ebm_context *context, size_t slab,
                             size_t classes);

/* Numbers in [-1, 1), the same each time. */
void test_part_fill(float *x, size_t n);

#endif
