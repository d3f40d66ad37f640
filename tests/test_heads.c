/* Output heads, squared and softplus: values and derivatives as last layers
   and inside a network, and at numbers where a careless form would overflow.
 */
#include "batch_laws.h"
#include "ebm_test.h"
#include "hyper.h"

static void square_last(ebm_network *n)
{
    assert_ok(ebm_network_dense(n, 6));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_dense(n, 1));
    assert_ok(ebm_network_square(n));
}

static void softplus_last(ebm_network *n)
{
    assert_ok(ebm_network_dense(n, 6));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_dense(n, 1));
    assert_ok(ebm_network_softplus(n));
}

/* On the samples, in the middle of an image, and both after each other. */
static void everywhere(ebm_network *n)
{
    assert_ok(ebm_network_softplus(n));
    assert_ok(ebm_network_conv2d(n, 4, 3, 1, 1));
    assert_ok(ebm_network_square(n));
    assert_ok(ebm_network_conv2d(n, 3, 2, 1, 0));
    assert_ok(ebm_network_softplus(n));
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
    assert_ok(ebm_network_softplus(n));
    assert_ok(ebm_network_square(n));
}

static void alone(ebm_network *n)
{
    assert_ok(ebm_network_square(n));
    assert_ok(ebm_network_softplus(n));
}

static const test_design designs[] = {
    {"square", {1, 1, 7}, square_last},
    {"softplus", {1, 1, 7}, softplus_last},
    {"everywhere", {4, 5, 2}, everywhere},
    {"alone", {1, 1, 1}, alone},
};

static void values_and_derivatives(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(designs); i++)
        assert_design(designs + i, 2e-6, 2e-5);
}

/* E(x) = softplus(x) of single numbers; the last derivative's sign is told by
   v = -1. */
static void softplus_of_any_number(void **state)
{
    (void)state;
    static const float x[] = {0,  1,   -1,  20,   -20,   50,
                              88, -87, 200, -200, 1e30f, -1e30f};
    enum { N = TEST_COUNT(x) };
    float v[N], energy[N], grad[N], hv[N];
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_softplus(network));
    assert_ok(ebm_model_create_network(network, 1, &model));
    for (size_t i = 0; i < N; i++)
        v[i] = -1;
    assert_ok(ebm_model_energy_grad(model, x, NULL, N, energy, grad));
    assert_ok(ebm_model_hessian_vector(model, x, NULL, N, v, hv));
    for (size_t i = 0; i < N; i++) {
        double z = (double)x[i], e = exp(-fabs(z));
        double s = z >= 0 ? 1 / (1 + e) : e / (1 + e);
        assert_close(energy[i], fmax(z, 0) + log1p(e), 1e-37, 1e-6);
        assert_close(grad[i], s, 1e-37, 1e-6);
        assert_close(hv[i], -e / ((1 + e) * (1 + e)), 1e-37, 1e-6);
    }
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

static void squares_are_not_negative(void **state)
{
    (void)state;
    static const float x[] = {0, -3, 3, 1e-10f, 1e18f};
    enum { N = TEST_COUNT(x) };
    float energy[N], grad[N];
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_square(network));
    assert_ok(ebm_model_create_network(network, 1, &model));
    assert_ok(ebm_model_energy_grad(model, x, NULL, N, energy, grad));
    for (size_t i = 0; i < N; i++)
        assert_true(energy[i] == x[i] * x[i] && grad[i] == 2 * x[i]);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
    assert_status(ebm_network_square(NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_network_softplus(NULL), EBM_ERROR_HANDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_derivatives),
        cmocka_unit_test(softplus_of_any_number),
        cmocka_unit_test(squares_are_not_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
