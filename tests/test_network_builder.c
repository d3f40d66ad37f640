/* The builder: what it refuses, and that refusing changes nothing. */
#include "ebm_test.h"

/* Adds the small network on which the error tests try their wrong calls. */
static void begin_small(ebm_context *context, ebm_network **network)
{
    assert_ok(ebm_network_create(context, 6, 5, 2, network));
    assert_ok(ebm_network_conv2d(*network, 3, 3, 1, 1));
    assert_ok(ebm_network_swish(*network));
}

static void end_small(ebm_network *network, ebm_model **model)
{
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 3, model));
}

static void try_wrong_layers(ebm_context *context, ebm_network *n)
{
    const size_t half = SIZE_MAX / 2 + 1;
    assert_error(context, ebm_network_conv2d(n, 0, 3, 1, 1),
                 EBM_ERROR_ARGUMENT, "channels");
    assert_error(context, ebm_network_conv2d(n, 1, 0, 1, 0),
                 EBM_ERROR_ARGUMENT, "kernel");
    assert_error(context, ebm_network_conv2d(n, 1, 3, 0, 1),
                 EBM_ERROR_ARGUMENT, "stride");
    /* Sizes that no image has, and those whose frame would be too large. */
    const size_t huge[] = {SIZE_MAX, half, (size_t)1 << 62, (size_t)1 << 40};
    for (size_t i = 0; i < TEST_COUNT(huge); i++) {
        assert_error(context, ebm_network_conv2d(n, 1, 3, huge[i], 1),
                     EBM_ERROR_OVERFLOW, "large");
        assert_error(context, ebm_network_conv2d(n, 1, 3, 1, huge[i]),
                     EBM_ERROR_OVERFLOW, "large");
    }
    assert_error(context, ebm_network_conv2d(n, 1, 3, 1, 2147483647),
                 EBM_ERROR_OVERFLOW, "large");
    assert_error(context, ebm_network_conv2d(n, 1, 3, 2147483647, 1 << 30),
                 EBM_ERROR_OVERFLOW, "large");
    assert_error(context, ebm_network_conv2d(n, 1, 6, 1, 0), EBM_ERROR_SHAPE,
                 "kernel of 6");
    assert_error(context, ebm_network_conv2d(n, SIZE_MAX, 3, 1, 1),
                 EBM_ERROR_OVERFLOW, "large");
    assert_error(context, ebm_network_conv2d(n, half, 2, 1, 0),
                 EBM_ERROR_OVERFLOW, "large");
    assert_error(context, ebm_network_conv2d(n, 1, half, 1, half - 1),
                 EBM_ERROR_OVERFLOW, "large");
    assert_status(ebm_network_conv2d(n, 1, 1 << 20, 1, (1 << 20) - 1),
                  EBM_ERROR_OVERFLOW);
    assert_error(context, ebm_network_dense(n, 4), EBM_ERROR_SHAPE, "flatten");
    assert_error(context, ebm_network_leaky_relu(n, -0.1), EBM_ERROR_RANGE,
                 "-0.1");
    assert_error(context, ebm_network_leaky_relu(n, 1.5), EBM_ERROR_RANGE,
                 "1.5");
    assert_error(context, ebm_network_leaky_relu(n, NAN), EBM_ERROR_RANGE,
                 "nan");
    assert_status(ebm_network_leaky_relu(n, INFINITY), EBM_ERROR_RANGE);
}

static void failed_calls_leave_the_builder(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *plain = NULL, *tried = NULL;
    ebm_model *a = NULL, *b = NULL, *const nothing = (ebm_model *)&state;
    size_t shape[3];
    begin_small(context, &plain);
    begin_small(context, &tried);
    try_wrong_layers(context, tried);
    ebm_model *none = nothing;
    assert_error(context, ebm_model_create_network(tried, 1, &none),
                 EBM_ERROR_SHAPE, "[6, 5, 3]");
    assert_ptr_equal(none, nothing);
    assert_status(ebm_model_create_network(tried, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_ok(ebm_network_shape(tried, shape, shape + 1, shape + 2));
    assert_true(shape[0] == 6 && shape[1] == 5 && shape[2] == 3);
    assert_ok(ebm_network_shape(tried, NULL, NULL, NULL));
    end_small(plain, &a);
    end_small(tried, &b);
    assert_error(context, ebm_network_dense(tried, 0), EBM_ERROR_ARGUMENT,
                 "0 units");
    assert_error(context, ebm_network_dense(tried, SIZE_MAX),
                 EBM_ERROR_OVERFLOW, "dense");
    assert_error(context, ebm_network_conv2d(tried, 1, 1, 1, 0),
                 EBM_ERROR_SHAPE, "flatten");
    assert_int_equal(ebm_model_parameter_count(a),
                     ebm_model_parameter_count(b));
    assert_same_bits(ebm_model_parameters(a), ebm_model_parameters(b),
                     ebm_model_parameter_count(a));
    ebm_model_destroy(a);
    ebm_model_destroy(b);
    ebm_network_destroy(plain);
    ebm_network_destroy(tried);
    ebm_context_destroy(context);
}

/* A sample that fits, and of which no slab does: the layer is named, with its
   shape. */
static void too_large_layers_are_named(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *n = NULL;
    char text[100];
    size_t wide = SIZE_MAX / 8192;
    assert_ok(ebm_network_create(context, 3, 1, wide, &n));
    ebm_status (*const adds[])(ebm_network *) = {
        ebm_network_swish,          ebm_network_relu,
        ebm_network_square,         ebm_network_softplus,
        ebm_network_flatten,        ebm_network_global_mean_pool,
        ebm_network_global_sum_pool};
    for (size_t i = 0; i < TEST_COUNT(adds); i++) {
        size_t rows = i < 4 ? 3 : 1, channels = i == 4 ? 3 * wide : wide;
        snprintf(text, sizeof text, "): its output [%zu, 1, %zu] is too large",
                 rows, channels);
        assert_error(context, adds[i](n), EBM_ERROR_OVERFLOW, text);
        assert_error(context, adds[i](n), EBM_ERROR_OVERFLOW, "layer 0 (");
    }
    assert_error(context, ebm_network_leaky_relu(n, 0.1), EBM_ERROR_OVERFLOW,
                 "layer 0 (leaky_relu): its output");
    assert_error(context, ebm_network_group_norm(n, 1), EBM_ERROR_OVERFLOW,
                 "layer 0 (group_norm)");
    ebm_network_destroy(n);
    ebm_context_destroy(context);
}

static void creation_is_checked(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *const nothing = (ebm_network *)&state;
    ebm_network *network = nothing;
    ebm_model *model = NULL;
    assert_error(context, ebm_network_create(context, 0, 1, 1, &network),
                 EBM_ERROR_ARGUMENT, "0");
    assert_status(ebm_network_create(context, 1, 0, 1, &network),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_network_create(context, 1, 1, 0, &network),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_network_create(context, 1, 1, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_network_create(context, SIZE_MAX / 2, 3, 1, &network),
                  EBM_ERROR_OVERFLOW);
    assert_status(ebm_network_create(NULL, 1, 1, 1, &network),
                  EBM_ERROR_HANDLE);
    assert_ptr_equal(network, nothing);
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_error(context, ebm_model_create_network(network, 1, &model),
                 EBM_ERROR_SHAPE, "no layer");
    assert_null(model);
    ebm_network_destroy(network);
    ebm_network_destroy(NULL);
    ebm_context_destroy(context);
}

static void wrong_handles_are_a_status(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *wrong[] = {NULL, (ebm_network *)(void *)context};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        ebm_network *n = wrong[i];
        ebm_model *model = NULL;
        size_t height = 5;
        assert_status(ebm_network_conv2d(n, 1, 1, 1, 0), EBM_ERROR_HANDLE);
        assert_status(ebm_network_dense(n, 1), EBM_ERROR_HANDLE);
        assert_status(ebm_network_swish(n), EBM_ERROR_HANDLE);
        assert_status(ebm_network_relu(n), EBM_ERROR_HANDLE);
        assert_status(ebm_network_leaky_relu(n, 0.1), EBM_ERROR_HANDLE);
        assert_status(ebm_network_flatten(n), EBM_ERROR_HANDLE);
        assert_status(ebm_network_shape(n, &height, NULL, NULL),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_model_create_network(n, 1, &model),
                      EBM_ERROR_HANDLE);
        assert_true(!model && height == 5);
        ebm_network_destroy(n);
    }
    ebm_context_destroy(context);
}

/* A model is a copy of the builder at that moment. */
static void builders_make_many_models(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *first = NULL, *second = NULL;
    const float x[3] = {0.1f, -0.2f, 0.3f};
    float before, after, longer;
    assert_ok(ebm_network_create(context, 1, 1, 3, &network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 9, &first));
    assert_ok(ebm_model_energy(first, x, NULL, 1, &before));
    for (int i = 0; i < 40; i++) { /* beyond any first capacity */
        assert_ok(ebm_network_dense(network, 1));
        assert_ok(ebm_network_swish(network));
    }
    assert_ok(ebm_model_create_network(network, 9, &second));
    ebm_network_destroy(network);
    assert_int_equal(ebm_model_parameter_count(first), 4);
    assert_int_equal(ebm_model_parameter_count(second), 4 + 80);
    assert_ok(ebm_model_energy(first, x, NULL, 1, &after));
    assert_ok(ebm_model_energy(second, x, NULL, 1, &longer));
    assert_same_bits(&before, &after, 1);
    assert_other_bits(&before, &longer, 1);
    ebm_model_destroy(first);
    ebm_model_destroy(second);
    ebm_context_destroy(context);
}

/* Every allocation of a whole construction fails once. */
static ebm_status construct(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    ebm_status status = ebm_network_create(context, 6, 6, 1, &network);
    for (int i = 0; i < 20 && status == EBM_OK; i++)
        status = ebm_network_conv2d(network, 2, 3, 1, 1);
    if (status == EBM_OK)
        status = ebm_network_flatten(network);
    if (status == EBM_OK)
        status = ebm_network_dense(network, 1);
    if (status == EBM_OK)
        status = ebm_model_create_network(network, 1, &model);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_memory_may_run_out(construct, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_calls_leave_the_builder),
        cmocka_unit_test(too_large_layers_are_named),
        cmocka_unit_test(creation_is_checked),
        cmocka_unit_test(wrong_handles_are_a_status),
        cmocka_unit_test(builders_make_many_models),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
