/* Analytic energies: what creators refuse, and memory that runs out. */
#include "ebm_test.h"

static ebm_model *const NOTHING = (ebm_model *)(uintptr_t)64;

#define assert_refused(call, status, word)                         \
    do {                                                           \
        assert_error(context, (call), EBM_ERROR_##status, (word)); \
        assert_ptr_equal(m, NOTHING);                              \
    } while (0)

static void test_refusals(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_model *m = NOTHING;
    const double good[4] = {1, 2, 3, 4}, odd[4] = {1, 0.5, 0.4, 1};
    const double indefinite[4] = {1, 2, 2, 1}, zero[4] = {0};
    const double negative[2] = {1, -1}, bad[4] = {1, NAN, 0, 1};
    const double endless[2] = {1, INFINITY}, tiny[2] = {1, 1e-200};
    size_t before = memory.live_blocks;
    assert_status(ebm_model_create_gaussian(NULL, 2, NULL, NULL, &m),
                  EBM_ERROR_HANDLE);
#define GAUSSIAN(d, mean, c) ebm_model_create_gaussian(context, d, mean, c, &m)
    assert_refused(GAUSSIAN(0, NULL, NULL), RANGE, "0 dimensions");
    assert_refused(GAUSSIAN(4097, NULL, NULL), RANGE, "4097");
    assert_refused(GAUSSIAN(2, bad, NULL), NON_FINITE, "mean 1");
    assert_refused(GAUSSIAN(2, NULL, bad), NON_FINITE, "covariance 1");
    assert_refused(GAUSSIAN(2, NULL, odd), SHAPE, "symmetric");
    assert_refused(GAUSSIAN(2, NULL, indefinite), SHAPE, "definite");
    assert_refused(GAUSSIAN(2, NULL, zero), SHAPE, "definite");
    assert_error(context,
                 ebm_model_create_gaussian(context, 2, NULL, NULL, NULL),
                 EBM_ERROR_ARGUMENT, "model");
#define MIXTURE(d, n, w, means_, stds_) \
    ebm_model_create_gaussian_mixture(context, d, n, w, means_, stds_, &m)
    assert_refused(MIXTURE(0, 2, NULL, good, good), RANGE, "dimensions");
    assert_refused(MIXTURE(2, 0, NULL, good, good), RANGE, "0 components");
    assert_refused(MIXTURE(2, 1025, NULL, good, good), RANGE, "1025");
    assert_refused(MIXTURE(2, 2, NULL, NULL, good), ARGUMENT, "means");
    assert_refused(MIXTURE(2, 2, NULL, good, NULL), ARGUMENT, "stds");
    assert_refused(MIXTURE(2, 2, negative, good, good), RANGE, "weight 1");
    assert_refused(MIXTURE(2, 2, endless, good, good), NON_FINITE, "weight");
    assert_refused(MIXTURE(2, 2, NULL, bad, good), NON_FINITE, "mean 1");
    assert_refused(MIXTURE(2, 2, NULL, good, zero), RANGE, "std 0");
    assert_refused(MIXTURE(2, 2, NULL, good, tiny), RANGE, "std 1");
    assert_status(
        ebm_model_create_gaussian_mixture(NULL, 2, 2, NULL, good, good, &m),
        EBM_ERROR_HANDLE);
#define WELL(d, h) ebm_model_create_double_well(context, d, h, &m)
    assert_refused(WELL(0, 1), RANGE, "dimensions");
    assert_refused(WELL(1, 0), RANGE, "height");
    assert_refused(WELL(1, -1), RANGE, "height");
    assert_refused(WELL(1, NAN), RANGE, "height");
    assert_refused(WELL(1, 1.1e6), RANGE, "height");
#define RINGS(n, r, s) ebm_model_create_rings(context, n, r, s, &m)
    assert_refused(RINGS(0, good, 1), RANGE, "components");
    assert_refused(RINGS(1025, good, 1), RANGE, "components");
    assert_refused(RINGS(2, NULL, 1), ARGUMENT, "radii");
    assert_refused(RINGS(2, negative, 1), RANGE, "radius 1");
    assert_refused(RINGS(2, bad, 1), NON_FINITE, "radius 1");
    assert_refused(RINGS(2, good, 0), RANGE, "std");
    assert_refused(RINGS(2, good, NAN), NON_FINITE, "std");
    assert_refused(RINGS(2, good, 1e-170), RANGE, "std");
#define VALLEY(a, b, t) ebm_model_create_rosenbrock(context, a, b, t, &m)
    assert_refused(VALLEY(NAN, 1, 1), NON_FINITE, "a is nan");
    assert_refused(VALLEY(1, 0, 1), RANGE, "b is 0");
    assert_refused(VALLEY(1, INFINITY, 1), NON_FINITE, "b is inf");
    assert_refused(VALLEY(1, 1, 0), RANGE, "temperature");
    assert_refused(VALLEY(1, 1, 1e-310), RANGE, "temperature");
    assert_int_equal(memory.live_blocks, before);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static ebm_status create(ebm_context *context, int kind, ebm_model **m)
{
    static const double c[4] = {2, 1, 1, 2};
    switch (kind) {
    case 0:
        return ebm_model_create_gaussian(context, 2, c, c, m);
    case 1:
        return ebm_model_create_gaussian_mixture(context, 2, 2, c, c, c, m);
    case 2:
        return ebm_model_create_double_well(context, 2, 1, m);
    case 3:
        return ebm_model_create_rings(context, 2, c, 1, m);
    default:
        return ebm_model_create_rosenbrock(context, 1, 1, 1, m);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        test_allocator memory;
        ebm_context *context = test_context(&memory);
        ebm_model *m = NOTHING;
        size_t before = memory.live_blocks;
        for (size_t n = 1;; n++) {
            test_fail_at(&memory, n, 0);
            ebm_status status = create(context, kind, &m);
            if (status == EBM_OK)
                break;
            assert_error(context, status, EBM_ERROR_MEMORY, "memory");
            assert_ptr_equal(m, NOTHING);
            assert_int_equal(memory.live_blocks, before);
        }
        test_fail_at(&memory, 0, 0);
        ebm_context_destroy(context);
        ebm_model_destroy(m);
        assert_no_leaks(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
