/*
 * Buffers and chains of small samples, and short ways to question them.
 */
#ifndef EBM_TEST_BUFFERS_H
#define EBM_TEST_BUFFERS_H

#include <ebm/ebm.h>

/* States are single numbers that name them. */
ebm_buffer *test_buffer(ebm_context *context, size_t capacity, uint64_t seed,
                        ebm_buffer_policy policy, double fresh_rate);

/* Adds n states named first, first + 1, ...; n up to 64. */
void test_buffer_add(ebm_buffer *buffer, size_t n, float first);

/* n chains of samples [1, width, 1]. */
ebm_chains *test_chains(ebm_context *context, size_t n, size_t width);

double test_buffer_statistic(const ebm_buffer *buffer,
                             ebm_buffer_statistic which);

#endif
