/* Slabs from outside: their size, and that padding adds nothing. */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

static ebm_model *with_slab(ebm_context *context, size_t slab)
{
    ref_network ref;
    ref_mixed(&ref, 1);
    ebm_model *model = ref_model(&ref, context, slab, 1);
    ref_free(&ref);
    return model;
}

static void slab_sizes_are_told(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    const size_t sizes[] = {1, 7, 32, 1024};
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        ebm_model *model = with_slab(context, sizes[i]);
        assert_int_equal(ebm_model_slab_size(model), sizes[i]);
        ebm_model_destroy(model);
    }
    ebm_model *model = with_slab(context, 0);
    size_t slab = ebm_model_slab_size(model);
    assert_true(slab > 0 && (slab & (slab - 1)) == 0);
    assert_int_equal(ebm_model_slab_size((const ebm_model *)context), 0);
    assert_int_equal(ebm_model_slab_size(NULL), 0);
    ebm_model_destroy(model);
    test_gaussian g = {.theta = 1, .size = 2};
    model = test_gaussian_model(context, &g);
    assert_int_equal(ebm_model_slab_size(model), 0);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* E(x) = 1e30 relu(1e30 (1 - x)): 0 from 1 on, infinite at 0. */
static ebm_model *steep(ebm_context *context)
{
    const float parameters[] = {-1e30f, 1e30f, 1e30f, 0, 1, 0};
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 8));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_network_relu(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    ebm_network_destroy(network);
    for (size_t v = 0; v < ebm_model_view_count(model); v++) {
        size_t offset = 0;
        assert_ok(ebm_model_view(model, v, NULL, &offset, NULL, NULL));
        assert_ok(ebm_model_set_parameters(model, offset, parameters + v, 1));
    }
    return model;
}

/* What is finite alone stays so, wherever padding stands. */
static void padding_adds_nothing(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = steep(context);
    size_t count = ebm_model_parameter_count(model), bias[2];
    float *right = test_floats(count);
    const float x[9] = {1, 2, 1, 3, 1, 1, 2, 1, 1}, zero = 0;
    const float scale[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    float energy[9], hv[9];
    /* Only the last two biases move the energy there, each by itself. */
    assert_ok(ebm_model_view(model, 3, NULL, &bias[0], NULL, NULL));
    assert_ok(ebm_model_view(model, 5, NULL, &bias[1], NULL, NULL));
    assert_ok(ebm_model_energy(model, &zero, NULL, 1, energy));
    assert_true(isinf(energy[0]));
    memset(right, 0, count * sizeof *right);
    const size_t sizes[] = {1, 3, 7, 8, 9};
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        size_t n = sizes[i];
        right[bias[0]] = right[bias[1]] = (float)n;
        assert_ok(ebm_model_zero_gradient(model));
        assert_ok(ebm_model_backward(model, x, NULL, n, scale, energy));
        for (size_t j = 0; j < n; j++)
            assert_true(energy[j] == 0);
        for (size_t j = 0; j < count; j++)
            assert_true(ebm_model_gradient(model)[j] == right[j]);
        assert_ok(ebm_model_zero_gradient(model));
        assert_ok(ebm_model_mixed_backward(model, x, NULL, n, x, scale, hv));
        for (size_t j = 0; j < n; j++)
            assert_true(hv[j] == 0);
        for (size_t j = 0; j < count; j++)
            assert_true(ebm_model_gradient(model)[j] == 0);
    }
    free(right);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* The same through a loss, whose chains and data pad two slabs. */
static void padding_adds_nothing_to_a_loss(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = steep(context);
    ebm_chains *chains = NULL;
    ebm_loss *loss = NULL;
    const float x[3] = {1, 2, 3};
    assert_ok(ebm_chains_create(context, 3, 1, 1, 1, 1, &chains));
    assert_ok(ebm_chains_set_first_stream(chains, 2));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
    assert_ok(ebm_loss_backward(loss, model, x, NULL, 3, chains, NULL));
    for (size_t j = 0; j < ebm_model_parameter_count(model); j++)
        assert_true(fabs((double)ebm_model_gradient(model)[j]) < 1e-6);
    ebm_loss_destroy(loss);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slab_sizes_are_told),
        cmocka_unit_test(padding_adds_nothing),
        cmocka_unit_test(padding_adds_nothing_to_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
