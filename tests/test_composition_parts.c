/* Compositions: parts that fail, that lack something, or take labels. */
#include "ebm_test.h"
#include "parts.h"

enum { SIZE = TEST_PART_SIZE, N = 5 };

/* ---- Parts that fail --------------------------------------------------- */

static void count_call(void *argument)
{
    ++*(int *)argument;
}

/* A part's callback fails: so does the call, nothing is written, and no other
   callback runs after it. */
static void test_failing_callbacks(void **state)
{
    (void)state;
    for (int mixture = 0; mixture < 2; mixture++) {
        ebm_context *context = test_context_threads(2);
        test_quadratic q = {0}, r = {0};
        int q_calls = 0, r_calls = 0;
        ebm_model *m = NULL, *parts[3] = {test_part_custom(context, &q),
                                          test_part_network(context, 2, 0),
                                          test_part_custom(context, &r)};
        float x[N * SIZE], v[N * SIZE], out[N * SIZE], energy[N] = {77};
        const float scale[N] = {1, 1, 1, 1, 1};
        test_part_fill(x, N * SIZE);
        test_part_fill(v, N * SIZE);
        q.called = r.called = count_call;
        q.argument = &q_calls;
        r.argument = &r_calls;
        assert_ok((mixture ? ebm_model_create_mixture
                           : ebm_model_create_sum)(parts, NULL, 3, &m));
        size_t count = ebm_model_parameter_count(m);
        float *g = test_floats(count);
        memset(out, 0, sizeof out);
        r.energy_fails = 1;
        assert_error(context, ebm_model_energy(m, x, NULL, N, energy),
                     EBM_ERROR_CALLBACK, "callback");
        assert_true(q_calls == 1 && r_calls == 1);
        assert_status(ebm_model_energy_grad(m, x, NULL, N, energy, out),
                      EBM_ERROR_CALLBACK);
        q_calls = r_calls = 0;
        assert_error(context, ebm_model_backward(m, x, NULL, N, scale, energy),
                     EBM_ERROR_CALLBACK, "callback");
        assert_true(q_calls == 1 && r_calls == 1);
        r.energy_fails = 0;
        q.tangent_fails = 1;
        assert_status(ebm_model_hessian_vector(m, x, NULL, N, v, out),
                      EBM_ERROR_CALLBACK);
        assert_status(ebm_model_mixed_backward(m, x, NULL, N, v, scale, out),
                      EBM_ERROR_CALLBACK);
        q.tangent_fails = 0;
        for (size_t i = 0; i < N * SIZE; i++)
            assert_true(out[i] == 0);
        assert_true(energy[0] == 77);
        assert_ok(ebm_model_get_gradient(m, 0, g, count));
        for (size_t i = 0; i < count; i++)
            assert_true(g[i] == 0);
        /* And then it works: chunks of two, each with its own calls. */
        q_calls = 0;
        assert_ok(ebm_model_backward(m, x, NULL, N, scale, energy));
        assert_int_equal(q_calls, 2 * 3);
        for (size_t k = 0; k < 3; k++)
            ebm_model_destroy(parts[k]);
        ebm_model_destroy(m);
        free(g);
        ebm_context_destroy(context);
    }
}

/* NaN in one part is NaN in the whole, in that sample alone. */
static void test_nan(void **state)
{
    (void)state;
    for (int mixture = 0; mixture < 2; mixture++) {
        ebm_context *context = test_context_threads(1);
        test_quadratic q = {.energy_nan = 1};
        ebm_model *m = NULL;
        ebm_model *parts[2] = {test_part_points(context, SIZE),
                               test_part_custom(context, &q)};
        ebm_chains *chains = NULL;
        ebm_loss *loss = NULL;
        float x[N * SIZE], energy[N], grad[N * SIZE];
        const float scale[N] = {1, 1, 1, 1, 1};
        test_part_fill(x, N * SIZE);
        assert_ok((mixture ? ebm_model_create_mixture
                           : ebm_model_create_sum)(parts, NULL, 2, &m));
        assert_ok(ebm_model_energy_grad(m, x, NULL, N, energy, grad));
        /* Chunks of 16: sample 1 of the batch. */
        for (size_t i = 0; i < N; i++)
            assert_true(isnan(energy[i]) == (i == 1));
        for (size_t i = 0; i < N * SIZE; i++)
            assert_true(isnan(grad[i]) == (mixture && i / SIZE == 1));
        if (mixture)
            assert_status(ebm_model_backward(m, x, NULL, N, scale, energy),
                          EBM_ERROR_NON_FINITE);
        assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
        assert_ok(ebm_chains_create(context, N, 1, 1, SIZE, 1, &chains));
        assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
        assert_error(context,
                     ebm_loss_backward(loss, m, x, NULL, N, chains, NULL),
                     EBM_ERROR_NON_FINITE, mixture ? "" : "data sample 1");
        assert_true(ebm_model_gradient(m)[0] == 0);
        ebm_loss_destroy(loss);
        ebm_chains_destroy(chains);
        ebm_model_destroy(m);
        ebm_model_destroy(parts[0]);
        ebm_model_destroy(parts[1]);
        ebm_context_destroy(context);
    }
}

static int constant(const float *params, const float *x, const int32_t *labels,
                    size_t n, float *energy, float *grad, void *user)
{
    (void)params, (void)x, (void)labels;
    for (size_t i = 0; i < n; i++)
        energy[i] = *(const float *)user;
    for (size_t i = 0; i < n * SIZE; i++)
        grad[i] = 1;
    return 0;
}

/* E = infinity is no density; with it alone there is none at all. Energies far
   from 0 do not overflow on the way. */
static void test_extreme_mixtures(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_energy_ops ops = {sizeof ops, 0, constant, NULL, NULL};
    float values[2] = {INFINITY, INFINITY}, x[SIZE] = {0}, e, grad[SIZE];
    ebm_model *parts[2], *m = NULL;
    for (size_t k = 0; k < 2; k++)
        assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &ops,
                                          values + k, parts + k));
    assert_ok(ebm_model_create_mixture(parts, NULL, 2, &m));
    assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
    assert_true(isinf(e) && e > 0);
    values[0] = values[1] = NAN;
    assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
    assert_true(isnan(e) && isnan(grad[0]));
    for (size_t turn = 0; turn < 2; turn++) {
        values[turn] = 3;
        values[1 - turn] = INFINITY;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(e == 3 && grad[0] == 1);
        values[1 - turn] = NAN;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(isnan(e) && isnan(grad[0]));
        values[1 - turn] = -INFINITY;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(isinf(e) && e < 0);
        values[turn] = values[1 - turn] = -1e30f;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(e == -1e30f && grad[0] == 1);
        values[turn] = 100000;
        values[1 - turn] = 100001;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_close((double)e, 100000 - log1p(exp(-1)), 0.01, 0);
        assert_close((double)grad[0], 1, 1e-6, 0);
    }
    ebm_model_destroy(m);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_context_destroy(context);
}

/* What a part can not do the whole can not. */
static void test_missing_derivatives(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    test_quadratic q = {0};
    test_quartic quartic = {.size = SIZE};
    float value = 1, x[SIZE] = {1, 2, 3}, out[SIZE];
    const float scale = 1;
    ebm_energy_ops fixed = {sizeof fixed, 0, constant, NULL, NULL};
    ebm_model *parts[2] = {test_part_custom(context, &q), NULL}, *m = NULL;
    /* A fixed function needs no gradient, but second derivatives. */
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &fixed, &value,
                                      parts + 1));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &m));
    assert_ok(ebm_model_backward(m, x, NULL, 1, &scale, NULL));
    assert_close((double)ebm_model_gradient(m)[0], 7, 1e-6, 0);
    assert_error(context, ebm_model_hessian_vector(m, x, NULL, 1, x, out),
                 EBM_ERROR_UNSUPPORTED, "sum");
    ebm_model_destroy(m);
    ebm_model_destroy(parts[1]);
    /* Parameters without a gradient: a mixture's second derivatives need it,
       a sum's do not. */
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &test_quartic_ops,
                                      &quartic, parts + 1));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &m));
    assert_error(context, ebm_model_backward(m, x, NULL, 1, &scale, NULL),
                 EBM_ERROR_UNSUPPORTED, "sum");
    assert_ok(ebm_model_mixed_backward(m, x, NULL, 1, x, &scale, out));
    ebm_model_destroy(m);
    assert_ok(ebm_model_create_mixture(parts, NULL, 2, &m));
    assert_error(context, ebm_model_hessian_vector(m, x, NULL, 1, x, out),
                 EBM_ERROR_UNSUPPORTED, "mixture");
    ebm_model_destroy(m);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_context_destroy(context);
}

/* A callback that has a gradient but no parameters is not asked for it. */
static int never(const float *params, const float *x, const int32_t *labels,
                 size_t n, const float *scale, float *param_grad, void *user)
{
    (void)params, (void)x, (void)labels, (void)n, (void)scale, (void)user;
    return param_grad == NULL;
}

static void test_no_parameters(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    float value = 1, x[N * SIZE], scale[N], energy[N], *lent = NULL;
    ebm_energy_ops fixed = {sizeof fixed, 0, constant, never, NULL};
    ebm_model *parts[2] = {test_part_points(context, SIZE), NULL}, *m = NULL;
    ebm_optimizer *optimizer = NULL;
    test_part_fill(x, N * SIZE);
    test_part_fill(scale, N);
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &fixed, &value,
                                      parts + 1));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &m));
    assert_int_equal(ebm_model_parameter_count(m), 0);
    assert_int_equal(ebm_model_view_count(m), 0);
    assert_null(ebm_model_parameters(m));
    assert_null(ebm_model_gradient(m));
    assert_ok(ebm_model_backward(m, x, NULL, N, scale, energy));
    assert_ok(ebm_model_get_parameters(m, 0, x, 0));
    assert_ok(ebm_model_zero_gradient(m));
    assert_status(ebm_model_get_parameters(m, 0, x, 1), EBM_ERROR_RANGE);
    assert_error(
        context,
        ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, m, &optimizer),
        EBM_ERROR_UNSUPPORTED, "no parameters");
    assert_ok(ebm_model_begin_write(m, &lent));
    assert_ok(ebm_model_end_write(m));
    ebm_model_destroy(m);
    assert_ok(ebm_model_create_tempered(parts[1], 2, &m));
    assert_ok(ebm_model_backward(m, x, NULL, N, scale, energy));
    assert_true(energy[0] == 0.5f);
    ebm_model_destroy(m);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_context_destroy(context);
}

/* ---- Labels ------------------------------------------------------------ */

static void test_labels(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    test_quadratic q = {0};
    ebm_model *parts[3] = {test_part_network(context, 2, 3),
                           test_part_points(context, SIZE),
                           test_part_custom(context, &q)};
    float x[N * SIZE], energy[N], each[N], right[N];
    const int32_t labels[N] = {2, 0, 1, 1, 2};
    const int32_t wrong[N] = {0, 0, 0, 0, 3};
    int32_t best[N];
    test_part_fill(x, N * SIZE);
    /* Native, and with a part of callbacks. */
    for (size_t count = 2; count <= 3; count++) {
        ebm_model *m = NULL, *cold = NULL;
        assert_ok(ebm_model_create_sum(parts, NULL, count, &m));
        assert_ok(ebm_model_create_tempered(m, 0.5, &cold));
        assert_int_equal(ebm_model_class_count(cold), 3);
        memset(right, 0, sizeof right);
        for (size_t k = 0; k < count; k++) {
            assert_ok(ebm_model_energy(parts[k], x, labels, N, each));
            for (size_t i = 0; i < N; i++)
                right[i] += 2 * each[i];
        }
        assert_ok(ebm_model_energy(cold, x, labels, N, energy));
        assert_arrays_close(energy, right, N, 1e-6);
        assert_error(context, ebm_model_energy(cold, x, NULL, N, energy),
                     EBM_ERROR_ARGUMENT, "needs a label");
        assert_error(context, ebm_model_energy(cold, x, wrong, N, energy),
                     EBM_ERROR_RANGE, "label 3");
        int32_t own[N];
        assert_ok(ebm_model_classify(m, x, N, best, NULL));
        assert_ok(ebm_model_classify(parts[0], x, N, own, NULL));
        assert_memory_equal(best, own, sizeof own);
        ebm_model_destroy(cold);
        ebm_model_destroy(m);
    }
    for (size_t k = 0; k < 3; k++)
        ebm_model_destroy(parts[k]);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_callbacks),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_extreme_mixtures),
        cmocka_unit_test(test_missing_derivatives),
        cmocka_unit_test(test_no_parameters),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
