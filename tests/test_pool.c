/* Average and global pooling: values by hand and against the hyper-dual
   reference, all derivatives, and what the builder refuses. */
#include "ebm_test.h"
#include "hyper.h"

#include "core/context.h"
#include "kernel/kernels.h"

/* Shape; kernel, stride, padding. */
static const size_t windows[][6] = {
    {8, 8, 16, 3, 2, 1}, {7, 5, 17, 3, 2, 1}, {1, 1, 3, 3, 2, 1},
    {6, 4, 5, 2, 2, 0},  {8, 8, 3, 4, 4, 0},  {7, 9, 2, 3, 1, 1},
    {5, 6, 1, 1, 1, 0},  {9, 7, 4, 2, 3, 1},  {6, 6, 33, 5, 2, 2},
    {5, 5, 70, 4, 1, 2}, {3, 2, 2, 6, 5, 3},  {4, 7, 8, 4, 9, 1},
};

typedef ebm_status global_fn(ebm_network *network);
static global_fn *const globals[] = {ebm_network_global_mean_pool,
                                     ebm_network_global_sum_pool};

/* Pooling at the beginning, in the middle and at the end. */
static ebm_model *make(ebm_context *context, const size_t *w, int count_pad,
                       global_fn *pool_all)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, w[0], w[1], w[2], &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 3));
    assert_ok(ebm_network_avg_pool(network, w[3], w[4], w[5], count_pad));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_conv2d(network, 5, 3, 1, 1));
    assert_ok(ebm_network_avg_pool(network, 3, 2, 1, !count_pad));
    assert_ok(ebm_network_swish(network));
    assert_ok(pool_all(network));
    assert_ok(ebm_network_dense(network, 4));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 5, &model));
    test_hyper_shake(model, 6, 0.3);
    ebm_network_destroy(network);
    return model;
}

static void all_derivatives_in_every_variant(void **state)
{
    (void)state;
    const ebm_kernels *kernels;
    for (size_t k = 0; (kernels = ebm_kernels_variant(k)); k++) {
        if (!kernels->usable())
            continue;
        test_hyper_errors worst = {0};
        ebm_context *context = test_context_threads(1);
        context->kernels = kernels;
        for (size_t i = 0; i < 2 * TEST_COUNT(windows); i++) {
            ebm_model *model =
                make(context, windows[i / 2], i % 2, globals[i / 2 % 2]);
            test_hyper_check_random(model, 4, i, &worst);
            ebm_model_destroy(model);
        }
        ebm_context_destroy(context);
        assert_hyper_errors(kernels->name, &worst, 1e-6, 1e-5);
    }
}

/* The energy is the pooling itself. */
static ebm_model *pool_alone(ebm_context *context, size_t side, int which,
                             int count_pad)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, side, side, 1, &network));
    assert_ok(which < 2 ? globals[which](network)
                        : ebm_network_avg_pool(network, 3, 3, 1, count_pad));
    assert_ok(ebm_model_create_network(network, 5, &model));
    ebm_network_destroy(network);
    return model;
}

static void values_by_hand(void **state)
{
    (void)state;
    const float x[4] = {1, 2, 3, 6};
    const double right[4] = {3, 12, 12.0 / 9, 3};
    const double slope[4] = {0.25, 1, 1.0 / 9, 0.25};
    ebm_context *context = test_context_threads(1);
    for (int which = 0; which < 4; which++) {
        ebm_model *model = pool_alone(context, 2, which, which == 2);
        float energy, grad[4];
        test_hyper_errors worst = {0};
        assert_ok(ebm_model_energy_grad(model, x, NULL, 1, &energy, grad));
        assert_close(energy, right[which], 0, 1e-7);
        for (int i = 0; i < 4; i++)
            assert_close(grad[i], slope[which], 0, 1e-7);
        test_hyper_check_random(model, 3, 1, &worst);
        assert_true(worst.energy < 1e-6 && worst.input < 1e-6);
        assert_true(worst.hessian == 0);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* A constant image stays as it is where padding is not counted, and darkens
   at its border where it is. */
static void padding_counts_or_not(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    for (int count_pad = 0; count_pad < 2; count_pad++) {
        ebm_network *network = NULL;
        ebm_model *model = NULL;
        float x[25], energy;
        size_t shape[3];
        assert_ok(ebm_network_create(context, 5, 5, 1, &network));
        assert_ok(ebm_network_avg_pool(network, 3, 2, 1, count_pad));
        assert_ok(ebm_network_shape(network, shape, shape + 1, shape + 2));
        assert_true(shape[0] == 3 && shape[1] == 3 && shape[2] == 1);
        assert_ok(ebm_network_global_sum_pool(network));
        assert_ok(ebm_model_create_network(network, 5, &model));
        for (int i = 0; i < 25; i++)
            x[i] = 2;
        assert_ok(ebm_model_energy(model, x, NULL, 1, &energy));
        /* Four corners of 4 pixels, four edges of 6, one middle of 9. */
        assert_close(energy, count_pad ? 2 * 49.0 / 9 : 18, 0, 1e-6);
        ebm_model_destroy(model);
        ebm_network_destroy(network);
    }
    ebm_context_destroy(context);
}

enum { BATCH = 10, SIZE = 7 * 5 * 17 };

static void rows_are_alone_for_any_threads(void **state)
{
    (void)state;
    static float x[BATCH * SIZE], v[BATCH * SIZE], hv[BATCH * SIZE];
    static float grad[BATCH * SIZE], first[BATCH * SIZE], first_hv[SIZE];
    float energy[BATCH], first_energy[BATCH];
    uint64_t random = 4;
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        ebm_model *model = make(context, windows[1], 0, globals[0]);
        test_fill_normal(&random, x, BATCH * SIZE, 1);
        test_fill_normal(&random, v, BATCH * SIZE, 1);
        for (int again = 0; again < 2; again++) {
            uint64_t same = 5; /* sample 4, all others are new */
            test_fill_normal(&same, x + 4 * SIZE, SIZE, 1);
            test_fill_normal(&same, v + 4 * SIZE, SIZE, 1);
            assert_ok(
                ebm_model_energy_grad(model, x, NULL, BATCH, energy, grad));
            assert_ok(ebm_model_hessian_vector(model, x, NULL, BATCH, v, hv));
            if (threads == 1 && !again) {
                memcpy(first, grad, sizeof grad);
                memcpy(first_energy, energy, sizeof energy);
                memcpy(first_hv, hv + 4 * SIZE, sizeof first_hv);
            }
            assert_same_bits(energy + 4, first_energy + 4, 1);
            assert_same_bits(grad + 4 * SIZE, first + 4 * SIZE, SIZE);
            assert_same_bits(hv + 4 * SIZE, first_hv, SIZE);
            test_fill_normal(&random, x, BATCH * SIZE, 2);
            test_fill_normal(&random, v, BATCH * SIZE, 2);
        }
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
}

static void wrong_pools_are_refused(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *n = NULL, *wrong[] = {NULL, (ebm_network *)(void *)context};
    assert_ok(ebm_network_create(context, 6, 5, 2, &n));
    assert_ok(ebm_network_swish(n));
    assert_error(context, ebm_network_avg_pool(n, 0, 1, 0, 1),
                 EBM_ERROR_ARGUMENT, "layer 1 (avg_pool)");
    assert_error(context, ebm_network_avg_pool(n, 2, 0, 0, 1),
                 EBM_ERROR_ARGUMENT, "stride");
    assert_error(context, ebm_network_avg_pool(n, 3, 1, 2, 1),
                 EBM_ERROR_ARGUMENT, "a padding of 2");
    assert_error(context, ebm_network_avg_pool(n, 3, 1, 1, 2),
                 EBM_ERROR_ARGUMENT, "count_include_pad = 2");
    assert_error(context, ebm_network_avg_pool(n, 3, 1, 1, -1),
                 EBM_ERROR_ARGUMENT, "count_include_pad = -1");
    assert_error(context, ebm_network_avg_pool(n, 6, 1, 0, 1), EBM_ERROR_SHAPE,
                 "layer 1 (avg_pool): a kernel of 6");
    assert_error(context, ebm_network_avg_pool(n, SIZE_MAX, 1, 0, 1),
                 EBM_ERROR_OVERFLOW, "kernel");
    assert_error(context, ebm_network_avg_pool(n, (size_t)1 << 40, 1, 0, 1),
                 EBM_ERROR_OVERFLOW, "large");
    assert_ok(ebm_network_avg_pool(n, 2, (size_t)1 << 20, 0, 1));
    assert_ok(ebm_network_flatten(n));
    assert_error(context, ebm_network_avg_pool(n, 1, 1, 0, 1), EBM_ERROR_SHAPE,
                 "layer 3 (avg_pool): it stands after");
    assert_error(context, ebm_network_global_mean_pool(n), EBM_ERROR_SHAPE,
                 "layer 3 (global_mean_pool): it stands after flatten");
    assert_error(context, ebm_network_global_sum_pool(n), EBM_ERROR_SHAPE,
                 "layer 3 (global_sum_pool): it stands after flatten");
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        assert_status(ebm_network_avg_pool(wrong[i], 1, 1, 0, 1),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_network_global_mean_pool(wrong[i]),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_network_global_sum_pool(wrong[i]), EBM_ERROR_HANDLE);
    }
    ebm_network_destroy(n);
    ebm_context_destroy(context);
}

/* Every allocation of a construction fails once. */
static ebm_status construct(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    ebm_status status = ebm_network_create(context, 6, 6, 1, &network);
    for (int i = 0; i < 20 && status == EBM_OK; i++)
        status = ebm_network_avg_pool(network, 3, 1, 1, i % 2);
    if (status == EBM_OK)
        status = ebm_network_global_sum_pool(network);
    if (status == EBM_OK)
        status = ebm_model_create_network(network, 1, &model);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_memory_may_run_out(construct, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_derivatives_in_every_variant),
        cmocka_unit_test(values_by_hand),
        cmocka_unit_test(padding_counts_or_not),
        cmocka_unit_test(rows_are_alone_for_any_threads),
        cmocka_unit_test(wrong_pools_are_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
