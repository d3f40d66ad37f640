/* Guarded arrays and the loop over the kernels' variants. */
#include "kernel_check.h"

#include "ebm_test.h"

size_t test_whole_vectors(size_t n)
{
    return (n + EBM_LANES - 1) / EBM_LANES * EBM_LANES;
}

void test_guard(float *x, size_t from)
{
    for (size_t i = from; i < TEST_ROOM; i++)
        x[i] = TEST_GUARD;
}

void assert_guarded(const float *x, size_t from)
{
    for (size_t i = from; i < TEST_ROOM; i++)
        assert_true(x[i] == TEST_GUARD);
}

void test_each_kernel(void (*check)(const ebm_kernels *kernels, size_t n,
                                    uint64_t *random))
{
    const ebm_kernels *kernels;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++)
        for (size_t n = 1; kernels->usable() && n <= TEST_LONGEST; n++) {
            uint64_t random = n;
            check(kernels, n, &random);
        }
}
