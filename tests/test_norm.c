/* Group and instance norms: values and all derivatives against the
   hyper-dual reference, what the builder refuses, and that a sample's bits
   are its own. */
#include "ebm_test.h"
#include "hyper.h"

#include "core/context.h"
#include "kernel/kernels.h"

/* groups: 0 is the builder's default, ALL an instance norm. */
#define ALL SIZE_MAX

static ebm_status add_norm(ebm_network *network, size_t groups)
{
    return groups == ALL ? ebm_network_instance_norm(network)
                         : ebm_network_group_norm(network, groups);
}

/* A norm on the sample itself, one in the middle, and one before the end. */
static ebm_model *make(ebm_context *context, const size_t shape[3],
                       size_t groups, size_t inner, size_t inner_groups)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(
        ebm_network_create(context, shape[0], shape[1], shape[2], &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 3));
    assert_ok(add_norm(network, groups));
    assert_ok(ebm_network_conv2d(network, inner, 3, 1, 1));
    assert_ok(add_norm(network, inner_groups));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_conv2d(network, inner, 1, 2, 0));
    assert_ok(ebm_network_set(network, EBM_NETWORK_NORM_EPSILON, 0.1));
    assert_ok(add_norm(network, inner_groups));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 5, &model));
    test_hyper_shake(model, 6, 0.3);
    ebm_network_destroy(network);
    return model;
}

/* Shape, groups; channels inside and groups there. */
static const size_t cases[][6] = {
    {7, 5, 6, 1, 4, 2},    {7, 5, 6, 2, 8, 0},    {7, 5, 6, 3, 17, 1},
    {7, 5, 6, 6, 17, ALL}, {4, 4, 16, ALL, 6, 3}, {3, 5, 33, 11, 5, 5},
    {5, 3, 1, 1, 20, 4},   {2, 3, 64, 0, 3, ALL}, {1, 2, 70, 7, 2, 1},
};

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
        for (size_t i = 0; i < TEST_COUNT(cases); i++) {
            const size_t *c = cases[i];
            ebm_model *model = make(context, c, c[3], c[4], c[5]);
            test_hyper_check_random(model, 4, i, &worst);
            ebm_model_destroy(model);
        }
        ebm_context_destroy(context);
        assert_hyper_errors(kernels->name, &worst, 2e-6, 5e-5);
    }
}

/* Many positions, and a mean far above the deviation. */
static void large_images_are_accurate(void **state)
{
    (void)state;
    enum { SIDE = 128, SIZE = SIDE * SIDE * 2 };
    ebm_context *context = test_context_threads(2);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    test_hyper_errors worst = {0};
    float *x = test_floats(SIZE), *v = test_floats(SIZE);
    const float scale = 0.7f;
    uint64_t random = 3;
    test_fill_uniform(&random, x, SIZE, 30, 31);
    test_fill_normal(&random, v, SIZE, 1);
    assert_ok(ebm_network_create(context, SIDE, SIDE, 2, &network));
    assert_ok(ebm_network_group_norm(network, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_instance_norm(network));
    assert_ok(ebm_network_square(network));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_global_mean_pool(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 5, &model));
    test_hyper_shake(model, 2, 0.3);
    test_hyper_check(model, x, NULL, 1, v, &scale, &worst);
    /* Mixed derivatives are sums of 32,768 terms of either sign. */
    assert_hyper_errors("128 x 128", &worst, 1e-6, 2e-4);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
    free(x);
    free(v);
}

/* A group of equal numbers has no deviation to divide by; numbers whose
   squares are beyond any float are no energy. */
static void corners(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    float x[18], energy, grad[18];
    assert_ok(ebm_network_create(context, 3, 3, 2, &network));
    assert_ok(ebm_network_group_norm(network, 1));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 5, &model));
    for (int i = 0; i < 18; i++)
        x[i] = 0.5f;
    assert_ok(ebm_model_energy_grad(model, x, NULL, 1, &energy, grad));
    const float *p = ebm_model_parameters(model);
    assert_close(energy, p[ebm_model_parameter_count(model) - 1], 1e-6, 0);
    for (int i = 0; i < 18; i++) {
        assert_true(isfinite(grad[i]));
        x[i] = i % 2 ? 1e30f : -1e30f;
    }
    assert_ok(ebm_model_energy(model, x, NULL, 1, &energy));
    assert_true(!isfinite(energy));
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

enum { BATCH = 11, SIZE = 7 * 5 * 6 };

/* Everything that a batch gives, one array after the other. */
enum { RESULTS = BATCH * (1 + 2 * SIZE) };

static void compute(const ebm_model *model, const float *x, const float *v,
                    float *out)
{
    assert_ok(ebm_model_energy_grad(model, x, NULL, BATCH, out, out + BATCH));
    assert_ok(ebm_model_hessian_vector(model, x, NULL, BATCH, v,
                                       out + BATCH * (1 + SIZE)));
}

static void rows_are_alone(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    const size_t *c = cases[0];
    ebm_model *model = make(context, c, c[3], c[4], c[5]);
    float x[BATCH * SIZE], v[BATCH * SIZE], before[RESULTS], after[RESULTS];
    uint64_t random = 8;
    test_fill_normal(&random, x, BATCH * SIZE, 1);
    test_fill_normal(&random, v, BATCH * SIZE, 1);
    compute(model, x, v, before);
    for (size_t kept = 0; kept < BATCH; kept++) {
        for (size_t i = 0; i < BATCH; i++)
            if (i != kept)
                test_fill_normal(&random, x + i * SIZE, SIZE, 5);
        float mine[SIZE];
        compute(model, x, v, after);
        assert_same_bits(after + kept, before + kept, 1);
        for (int k = 0; k < 2; k++) {
            size_t at = BATCH * (1 + (size_t)k * SIZE) + kept * SIZE;
            assert_same_bits(after + at, before + at, SIZE);
        }
        /* The next one begins with what this one leaves. */
        memcpy(mine, x + kept * SIZE, sizeof mine);
        compute(model, x, v, before);
    }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    float x[BATCH * SIZE], v[BATCH * SIZE], scale[BATCH];
    float first[RESULTS], other[RESULTS], gradient[4000], other_gradient[4000];
    uint64_t random = 9;
    test_fill_normal(&random, x, BATCH * SIZE, 1);
    test_fill_normal(&random, v, BATCH * SIZE, 1);
    test_fill_normal(&random, scale, BATCH, 1);
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        const size_t *c = cases[2];
        ebm_model *model = make(context, c, c[3], c[4], c[5]);
        size_t count = ebm_model_parameter_count(model);
        assert_true(count <= TEST_COUNT(gradient));
        compute(model, x, v, threads == 1 ? first : other);
        assert_ok(ebm_model_backward(model, x, NULL, BATCH, scale, NULL));
        assert_ok(
            ebm_model_mixed_backward(model, x, NULL, BATCH, v, scale, NULL));
        assert_ok(ebm_model_get_gradient(
            model, 0, threads == 1 ? gradient : other_gradient, count));
        if (threads > 1) {
            assert_same_bits(other, first, RESULTS);
            assert_same_bits(other_gradient, gradient, count);
        }
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
}

/* Gains begin at 1 and biases at 0. */
static void parameters_begin_neutral(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 2, 2, 6, &network));
    assert_ok(ebm_network_group_norm(network, 0));
    assert_ok(ebm_network_global_sum_pool(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 5, &model));
    for (size_t i = 0; i < 2; i++) {
        const char *name;
        size_t offset, rank, shape[4];
        assert_ok(ebm_model_view(model, i, &name, &offset, &rank, shape));
        assert_string_equal(name, i ? "0.bias" : "0.weight");
        assert_true(rank == 1 && shape[0] == 6);
        for (size_t k = 0; k < 6; k++)
            assert_true(ebm_model_parameters(model)[offset + k] ==
                        (i ? 0 : 1));
    }
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

static void wrong_norms_are_refused(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *n = NULL;
    assert_ok(ebm_network_create(context, 2, 3, 6, &n));
    assert_error(context, ebm_network_group_norm(n, 4), EBM_ERROR_SHAPE,
                 "layer 0 (group_norm): 6 channels are not divisible into 4");
    assert_error(context, ebm_network_group_norm(n, 12), EBM_ERROR_SHAPE,
                 "12 groups");
    assert_error(context, ebm_network_group_norm(n, SIZE_MAX),
                 EBM_ERROR_OVERFLOW, "groups");
    assert_ok(ebm_network_conv2d(n, 7, 1, 1, 0));
    assert_error(context, ebm_network_group_norm(n, 0), EBM_ERROR_SHAPE,
                 "layer 1 (group_norm): 7 channels are not divisible into 3");
    assert_ok(ebm_network_global_mean_pool(n));
    assert_error(context, ebm_network_instance_norm(n), EBM_ERROR_SHAPE,
                 "layer 2 (instance_norm): [1, 1, 7] divided by 7 leaves");
    assert_ok(ebm_network_group_norm(n, 1));
    assert_ok(ebm_network_flatten(n));
    assert_error(context, ebm_network_group_norm(n, 1), EBM_ERROR_SHAPE,
                 "layer 4 (group_norm): it stands after flatten");
    assert_error(context, ebm_network_instance_norm(n), EBM_ERROR_SHAPE,
                 "flatten");
    assert_status(ebm_network_group_norm(NULL, 1), EBM_ERROR_HANDLE);
    assert_status(ebm_network_instance_norm(NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_network_group_norm((ebm_network *)(void *)context, 1),
                  EBM_ERROR_HANDLE);
    ebm_network_destroy(n);
    ebm_context_destroy(context);
}

/* Every allocation on the way to an energy fails once. */
static ebm_status construct_and_run(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    const float x[12] = {1, 2, 3, 4};
    float energy, grad[12];
    ebm_status status = ebm_network_create(context, 2, 2, 3, &network);
    for (int i = 0; i < 20 && status == EBM_OK; i++)
        status = i % 2 ? ebm_network_group_norm(network, 1)
                       : ebm_network_instance_norm(network);
    if (status == EBM_OK)
        status = ebm_network_global_mean_pool(network);
    if (status == EBM_OK)
        status = ebm_network_dense(network, 1);
    if (status == EBM_OK)
        status = ebm_model_create_network(network, 1, &model);
    if (status == EBM_OK)
        status = ebm_model_energy_grad(model, x, NULL, 1, &energy, grad);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_memory_may_run_out(construct_and_run, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_derivatives_in_every_variant),
        cmocka_unit_test(large_images_are_accurate),
        cmocka_unit_test(corners),
        cmocka_unit_test(rows_are_alone),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(parameters_begin_neutral),
        cmocka_unit_test(wrong_norms_are_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
