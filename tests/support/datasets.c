/* What the tests of datasets share. */
#include "datasets.h"

test_dataset_fixture test_fixture;

int test_dataset_set_up(void **state)
{
    (void)state;
    memset(&test_fixture, 0, sizeof test_fixture);
    test_fixture.context = test_context(&test_fixture.memory);
    return 0;
}

int test_dataset_tear_down(void **state)
{
    (void)state;
    ebm_context_destroy(test_fixture.context);
    assert_no_leaks(&test_fixture.memory);
    return 0;
}

ebm_dataset *test_numbers(size_t n, uint64_t seed)
{
    ebm_dataset *dataset = NULL;
    float *x = test_floats(n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)i;
    assert_ok(ebm_dataset_create_array(test_fixture.context, x, NULL, n, 1, 1,
                                       1, seed, &dataset));
    free(x);
    return dataset;
}
