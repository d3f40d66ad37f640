/* Self-attention: its values and derivatives, what gamma = 0 means, and what
   the builder says of it. */
#include "batch_laws.h"
#include "ebm_test.h"
#include "hyper.h"

static void end_in_a_number(ebm_network *n)
{
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
}

/* Fewer than 8 channels: one for the query. */
static void few_channels(ebm_network *n)
{
    assert_ok(ebm_network_conv2d(n, 5, 3, 1, 1));
    assert_ok(ebm_network_self_attention(n));
    end_in_a_number(n);
}

static void many_channels(ebm_network *n)
{
    assert_ok(ebm_network_conv2d(n, 24, 3, 1, 1));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_self_attention(n));
    assert_ok(ebm_network_conv2d(n, 3, 2, 2, 0));
    end_in_a_number(n);
}

static void without_bias(ebm_network *n)
{
    assert_ok(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    assert_ok(ebm_network_conv2d(n, 16, 1, 1, 0));
    assert_ok(ebm_network_self_attention(n));
    end_in_a_number(n);
}

/* On the samples themselves, twice, and behind it nothing but a sum. */
static void first_and_twice(ebm_network *n)
{
    assert_ok(ebm_network_self_attention(n));
    assert_ok(ebm_network_self_attention(n));
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
}

/* One position: the softmax is 1. */
static void one_position(ebm_network *n)
{
    assert_ok(ebm_network_self_attention(n));
    end_in_a_number(n);
}

/* The energy itself is the layer's output. */
static void last(ebm_network *n)
{
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_self_attention(n));
}

/* More rows than one block, with a rest, and rows of odd length. */
static void many_positions(ebm_network *n)
{
    assert_ok(ebm_network_self_attention(n));
    assert_ok(ebm_network_conv2d(n, 1, 3, 3, 0));
    end_in_a_number(n);
}

static const test_design designs[] = {
    {"few channels", {5, 6, 2}, few_channels},
    {"many channels", {4, 4, 3}, many_channels},
    {"without bias", {3, 3, 2}, without_bias},
    {"first and twice", {4, 5, 3}, first_and_twice},
    {"one position", {1, 1, 9}, one_position},
    {"last", {1, 1, 1}, last},
    {"one row", {1, 17, 2}, few_channels},
};

static void values_and_derivatives(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(designs); i++)
        assert_design(designs + i, 2e-6, 3e-5);
}

static void several_blocks(void **state)
{
    (void)state;
    static const test_design large = {
        "many positions", {15, 19, 2}, many_positions};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_design_model(context, &large, 0, 3, 0.5);
    test_hyper_errors worst = {0};
    test_hyper_check_random(model, 1, 4, &worst);
    /* A key's bias moves a row as a whole, which the softmax does not see: its
       gradient is what is left of large terms. */
    assert_hyper_errors(large.name, &worst, 2e-6, 2e-4);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_batch_laws(&large);
}

/* Large queries and keys: nearly all of a row's weight on one position, and
   products that exp() alone would not survive. */
static void sharp_rows(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_design_model(context, designs, 2, 3, 0.5);
    const char *name;
    size_t offset;
    float weight[5 * 7];
    assert_ok(ebm_model_view(model, 2, &name, &offset, NULL, NULL));
    assert_string_equal(name, "1.qkv.weight");
    assert_ok(ebm_model_get_parameters(model, offset, weight, 35));
    for (size_t i = 0; i < 35; i++)
        weight[i] *= i % 7 < 2 ? 15 : 1;
    assert_ok(ebm_model_set_parameters(model, offset, weight, 35));
    test_hyper_errors worst = {0};
    test_hyper_check_random(model, 3, 4, &worst);
    assert_hyper_errors("sharp rows", &worst, 1e-5, 5e-4);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* A new layer does nothing: the energies are those without it, to the bit, and
   of its parameters gamma alone has a gradient. */
static void starts_as_identity(void **state)
{
    (void)state;
    enum { N = 3, SIZE = 4 * 4 * 2 };
    ebm_context *context = test_context_threads(1);
    ebm_network *with = NULL, *without = NULL;
    ebm_model *a = NULL, *b = NULL;
    float x[N * SIZE], ea[N], eb[N], ga[N * SIZE], gb[N * SIZE];
    const float scale[N] = {1, 0.5f, -2};
    uint64_t random = 1;
    test_fill_normal(&random, x, N * SIZE, 1);
    assert_ok(ebm_network_create(context, 4, 4, 2, &with));
    assert_ok(ebm_network_create(context, 4, 4, 2, &without));
    assert_ok(ebm_network_set(with, EBM_NETWORK_SLAB, 2));
    assert_ok(ebm_network_set(without, EBM_NETWORK_SLAB, 2));
    assert_ok(ebm_network_self_attention(with));
    assert_ok(ebm_network_flatten(with));
    assert_ok(ebm_network_flatten(without));
    assert_ok(ebm_network_dense(with, 1));
    assert_ok(ebm_network_dense(without, 1));
    assert_ok(ebm_model_create_network(with, 1, &a));
    assert_ok(ebm_model_create_network(without, 1, &b));
    /* qkv [2, 4], its bias, gamma; then the dense layer that both have. */
    size_t own = 8 + 4 + 1;
    assert_int_equal(ebm_model_parameter_count(a), own + SIZE + 1);
    assert_true(ebm_model_parameters(a)[own - 1] == 0);
    assert_ok(ebm_model_set_parameters(b, 0, ebm_model_parameters(a) + own,
                                       SIZE + 1));
    assert_ok(ebm_model_energy_grad(a, x, NULL, N, ea, ga));
    assert_ok(ebm_model_energy_grad(b, x, NULL, N, eb, gb));
    assert_same_bits(ea, eb, N);
    for (size_t i = 0; i < N * SIZE; i++)
        assert_true(ga[i] == gb[i]); /* -0 + 0 is 0 */
    assert_ok(ebm_model_backward(a, x, NULL, N, scale, NULL));
    const float *gradient = ebm_model_gradient(a);
    for (size_t i = 0; i < own - 1; i++)
        assert_true(gradient[i] == 0);
    assert_true(fabsf(gradient[own - 1]) > 1e-3f);
    ebm_model_destroy(a);
    ebm_model_destroy(b);
    ebm_network_destroy(with);
    ebm_network_destroy(without);
    ebm_context_destroy(context);
}

static void assert_view(const ebm_model *model, size_t index,
                        const char *expected, size_t rank, size_t first,
                        size_t last_size)
{
    const char *name;
    size_t r, shape[4];
    assert_ok(ebm_model_view(model, index, &name, NULL, &r, shape));
    assert_string_equal(name, expected);
    assert_int_equal(r, rank);
    assert_int_equal(shape[0], first);
    assert_int_equal(shape[rank - 1], last_size);
}

static void parameters_have_names(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_design_model(context, designs + 1, 0, 1, 0);
    assert_view(model, 2, "2.qkv.weight", 4, 1, 24 + 2 * 3);
    assert_view(model, 3, "2.qkv.bias", 1, 30, 30);
    assert_view(model, 4, "2.gamma", 1, 1, 1);
    ebm_model_destroy(model);
    model = test_design_model(context, designs + 2, 0, 1, 0);
    assert_view(model, 1, "1.qkv.weight", 4, 1, 16 + 2 * 2);
    assert_view(model, 2, "1.gamma", 1, 1, 1);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void builder_errors_name_the_layer(void **state)
{
    (void)state;
    static const size_t huge[][3] = {
        {50000, 50000, 1}, {1, 47000, 3}, {46341, 1, 1}, {2, 1u << 30, 1}};
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(huge); i++) {
        const size_t *s = huge[i];
        ebm_network *n = NULL;
        size_t shape[3];
        assert_ok(ebm_network_create(context, s[0], s[1], s[2], &n));
        assert_error(context, ebm_network_self_attention(n),
                     EBM_ERROR_OVERFLOW, "layer 0 (self_attention)");
        assert_ok(ebm_network_shape(n, shape, shape + 1, shape + 2));
        assert_memory_equal(shape, s, sizeof shape);
        ebm_network_destroy(n);
    }
    ebm_network *n = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 3, 3, 2, &n));
    assert_ok(ebm_network_flatten(n));
    assert_error(context, ebm_network_self_attention(n), EBM_ERROR_SHAPE,
                 "layer 1 (self_attention)");
    assert_ok(ebm_network_dense(n, 1));
    assert_ok(ebm_model_create_network(n, 1, &model));
    assert_int_equal(ebm_model_parameter_count(model), 19);
    ebm_model_destroy(model);
    ebm_network_destroy(n);
    assert_status(ebm_network_self_attention(NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_network_self_attention((ebm_network *)(void *)context),
                  EBM_ERROR_HANDLE);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_derivatives),
        cmocka_unit_test(several_blocks),
        cmocka_unit_test(sharp_rows),
        cmocka_unit_test(starts_as_identity),
        cmocka_unit_test(parameters_have_names),
        cmocka_unit_test(builder_errors_name_the_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
