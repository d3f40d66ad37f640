/* Buffers and chains of small samples. */
#include "buffers.h"

#include "ebm_test.h"

ebm_buffer *test_buffer(ebm_context *context, size_t capacity, uint64_t seed,
                        ebm_buffer_policy policy, double fresh_rate)
{
    ebm_buffer *buffer = NULL;
    assert_ok(ebm_buffer_create(context, capacity, 1, 1, 1, seed, &buffer));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, policy));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, fresh_rate));
    return buffer;
}

void test_buffer_add(ebm_buffer *buffer, size_t n, float first)
{
    float x[64];
    for (size_t i = 0; i < n; i++)
        x[i] = first + (float)i;
    assert_ok(ebm_buffer_add(buffer, x, NULL, n, EBM_ORIGIN_NOISE));
}

ebm_chains *test_chains(ebm_context *context, size_t n, size_t width)
{
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, n, 1, width, 1, 1, &chains));
    return chains;
}

double test_buffer_statistic(const ebm_buffer *buffer,
                             ebm_buffer_statistic which)
{
    double value = NAN;
    assert_ok(ebm_buffer_get_statistic(buffer, which, &value));
    return value;
}
