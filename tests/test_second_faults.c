/* Second derivatives: models of the caller's own, threads, and what the calls
   refuse without a trace. */
#include "ebm_test.h"
#include "quadratic.h"

enum { N = 5, SIZE = 3, NETWORK_N = 61 };

static const float theta[2] = {1.5f, -0.25f};
static const int32_t labels[N] = {4, 5, 6, 7, 8};

typedef struct scene {
    test_quartic fault;
    ebm_context *context;
    ebm_model *model;
    float x[N * SIZE], v[N * SIZE], scale[N], hv[N * SIZE];
    float gradient[2]; /* what a refused call must leave as it is */
} scene;

static ebm_model *make_model(scene *s, ebm_tangent_fn function)
{
    ebm_model *model = NULL;
    ebm_energy_ops ops = test_quartic_ops;
    ops.tangent = function;
    assert_ok(ebm_model_create_custom(s->context, 1, 1, SIZE, &ops, &s->fault,
                                      &model));
    assert_ok(ebm_model_set_parameters(model, 0, theta, 2));
    return model;
}

static void begin(scene *s)
{
    uint64_t random = 2;
    memset(s, 0, sizeof *s);
    s->context = test_context_threads(2);
    s->fault.size = SIZE;
    s->model = make_model(s, test_quartic_ops.tangent);
    test_fill_normal(&random, s->x, N * SIZE, 1);
    test_fill_normal(&random, s->v, N * SIZE, 1);
    test_fill_normal(&random, s->scale, N, 1);
}

static void end(scene *s)
{
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static ebm_status product(scene *s)
{
    return ebm_model_hessian_vector(s->model, s->x, labels, N, s->v, s->hv);
}

static ebm_status mixed(scene *s)
{
    return ebm_model_mixed_backward(s->model, s->x, labels, N, s->v, s->scale,
                                    s->hv);
}

/* Closed forms, in whole batches, labels handed on; no param_grad is asked
   for, since none is used. */
static void works(scene *s)
{
    double right[N * SIZE], sum[2] = {0, 0};
    for (size_t i = 0; i < N * SIZE; i++) {
        double x = s->x[i], v = s->v[i], scale = s->scale[i / SIZE];
        right[i] = ((double)theta[0] + 3 * (double)theta[1] * x * x) * v;
        sum[0] += scale * x * v;
        sum[1] += scale * x * x * x * v;
    }
    s->fault = (test_quartic){.size = SIZE};
    assert_ok(product(s));
    assert_arrays_near(s->hv, right, N * SIZE, 1e-6);
    assert_int_equal(s->fault.calls, 1);
    assert_int_equal(s->fault.samples, N);
    assert_int_equal(s->fault.label, 8);
    memset(s->hv, 0, sizeof s->hv);
    assert_ok(ebm_model_zero_gradient(s->model));
    assert_ok(mixed(s));
    assert_arrays_near(s->hv, right, N * SIZE, 1e-6);
    assert_arrays_near(ebm_model_gradient(s->model), sum, 2, 1e-6);
    assert_int_equal(s->fault.calls, 2);
    assert_ok(ebm_model_mixed_backward(s->model, s->x, NULL, N, s->v, s->scale,
                                       NULL));
    assert_int_equal(s->fault.label, -1);
    memcpy(s->gradient, ebm_model_gradient(s->model), sizeof s->gradient);
    s->hv[0] = 77;
}

/* Refused by both calls; neither output changes. */
#define assert_refused(s, expected, word)                           \
    do {                                                            \
        assert_error((s)->context, product(s), (expected), (word)); \
        assert_mixed_refused(s, expected, word);                    \
    } while (0)
#define assert_mixed_refused(s, expected, word)                             \
    do {                                                                    \
        assert_error((s)->context, mixed(s), (expected), (word));           \
        assert_true((s)->hv[0] == 77);                                      \
        assert_same_bits(ebm_model_gradient((s)->model), (s)->gradient, 2); \
    } while (0)

static void custom_models_have_their_own(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    works(&s);
    s.fault.tangent_fails = 1;
    assert_refused(&s, EBM_ERROR_CALLBACK, "callback");
    s.fault.tangent_fails = 0;
    s.fault.mixed_nan = 1;
    assert_mixed_refused(&s, EBM_ERROR_NON_FINITE, "gradient");
    works(&s);
    /* Without the callback. */
    ebm_model *whole = s.model;
    s.model = make_model(&s, NULL);
    memset(s.gradient, 0, sizeof s.gradient);
    assert_refused(&s, EBM_ERROR_UNSUPPORTED, "second derivatives");
    ebm_model_destroy(s.model);
    s.model = whole;
    works(&s);
    end(&s);
}

static void bad_input_is_a_status(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    scene s;
    begin(&s);
    works(&s);
    for (size_t b = 0; b < TEST_COUNT(bad); b++) {
        float old = s.v[N * SIZE - 1];
        s.v[N * SIZE - 1] = bad[b];
        assert_refused(&s, EBM_ERROR_NON_FINITE, "v holds");
        s.v[N * SIZE - 1] = old;
        old = s.x[0];
        s.x[0] = bad[b];
        assert_refused(&s, EBM_ERROR_NON_FINITE, "x holds");
        s.x[0] = old;
        old = s.scale[1];
        s.scale[1] = bad[b];
        assert_mixed_refused(&s, EBM_ERROR_NON_FINITE, "scale");
        s.scale[1] = old;
    }
    float *lent;
    assert_ok(ebm_model_begin_write(s.model, &lent));
    assert_refused(&s, EBM_ERROR_STATE, "lent");
    assert_ok(ebm_model_end_write(s.model));
#define PRODUCT(m, x, n, v, hv) ebm_model_hessian_vector(m, x, NULL, n, v, hv)
#define MIXED(m, x, n, v, s, hv) \
    ebm_model_mixed_backward(m, x, NULL, n, v, s, hv)
    ebm_model *stranger = (ebm_model *)(void *)s.context;
    assert_status(PRODUCT(NULL, s.x, N, s.v, s.hv), EBM_ERROR_HANDLE);
    assert_status(PRODUCT(stranger, s.x, N, s.v, s.hv), EBM_ERROR_HANDLE);
    assert_status(PRODUCT(s.model, NULL, N, s.v, s.hv), EBM_ERROR_ARGUMENT);
    assert_status(PRODUCT(s.model, s.x, 0, s.v, s.hv), EBM_ERROR_ARGUMENT);
    assert_status(PRODUCT(s.model, s.x, N, NULL, s.hv), EBM_ERROR_ARGUMENT);
    assert_status(PRODUCT(s.model, s.x, N, s.v, NULL), EBM_ERROR_ARGUMENT);
    assert_status(MIXED(NULL, s.x, N, s.v, s.scale, s.hv), EBM_ERROR_HANDLE);
    assert_status(MIXED(stranger, s.x, N, s.v, s.scale, s.hv),
                  EBM_ERROR_HANDLE);
    assert_status(MIXED(s.model, NULL, N, s.v, s.scale, s.hv),
                  EBM_ERROR_ARGUMENT);
    assert_status(MIXED(s.model, s.x, 0, s.v, s.scale, s.hv),
                  EBM_ERROR_ARGUMENT);
    assert_status(MIXED(s.model, s.x, N, NULL, s.scale, s.hv),
                  EBM_ERROR_ARGUMENT);
    assert_status(MIXED(s.model, s.x, N, s.v, NULL, s.hv), EBM_ERROR_ARGUMENT);
    assert_status(PRODUCT(s.model, s.x, SIZE_MAX / 2, s.v, s.hv),
                  EBM_ERROR_OVERFLOW);
    assert_true(s.hv[0] == 77);
    assert_same_bits(ebm_model_gradient(s.model), s.gradient, 2);
    works(&s);
    end(&s);
}

static ebm_model *make_network(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 6, 6, 2, &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 4));
    assert_ok(ebm_network_conv2d(network, 8, 3, 2, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 5));
    assert_ok(ebm_network_leaky_relu(network, 0.1));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 3, &model));
    ebm_network_destroy(network);
    return model;
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    enum { IMAGE = 72 };
    static const int threads[] = {1, 2, 4};
    float *first = NULL, *first_hv = test_floats(NETWORK_N * IMAGE);
    float *x = test_floats(NETWORK_N * IMAGE), scale[NETWORK_N];
    float *v = test_floats(NETWORK_N * IMAGE);
    float *hv = test_floats(NETWORK_N * IMAGE);
    uint64_t random = 4;
    test_fill_normal(&random, x, NETWORK_N * IMAGE, 1);
    test_fill_normal(&random, v, NETWORK_N * IMAGE, 1);
    test_fill_normal(&random, scale, NETWORK_N, 1);
    for (size_t k = 0; k < TEST_COUNT(threads); k++) {
        ebm_context *context = test_context_threads(threads[k]);
        ebm_model *model = make_network(context);
        size_t count = ebm_model_parameter_count(model);
        float *to = k ? hv : first_hv;
        assert_ok(
            ebm_model_mixed_backward(model, x, NULL, NETWORK_N, v, scale, to));
        if (!k) {
            first = test_floats(count);
            memcpy(first, ebm_model_gradient(model), count * sizeof *first);
        }
        assert_same_bits(to, first_hv, NETWORK_N * IMAGE);
        assert_same_bits(ebm_model_gradient(model), first, count);
        assert_ok(ebm_model_hessian_vector(model, x, NULL, NETWORK_N, v, hv));
        assert_same_bits(hv, first_hv, NETWORK_N * IMAGE);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
    free(first);
    free(first_hv);
    free(hv);
    free(x);
    free(v);
}

/* Each allocation fails once: nothing is changed and nothing is lost. */
static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    float x[2 * 72] = {0.5f, -1}, v[2 * 72] = {1, 2}, hv[2 * 72] = {77};
    const float scale[2] = {1, 2};
    for (int with_parameters = 0; with_parameters < 2; with_parameters++) {
        size_t failures = 0;
        for (size_t at = 1, done = 0; !done; at++) {
            test_allocator memory = {0};
            ebm_context *context = test_context(&memory);
            ebm_model *model = make_network(context);
            hv[0] = 77;
            test_fail_at(&memory, at, 0);
            ebm_status status =
                with_parameters
                    ? ebm_model_mixed_backward(model, x, NULL, 2, v, scale, hv)
                    : ebm_model_hessian_vector(model, x, NULL, 2, v, hv);
            test_fail_at(&memory, 0, 0);
            done = status == EBM_OK;
            if (!done) {
                assert_int_equal(status, EBM_ERROR_MEMORY);
                assert_true(hv[0] == 77);
                for (size_t i = 0; i < ebm_model_parameter_count(model); i++)
                    assert_true(ebm_model_gradient(model)[i] == 0);
                failures++;
            }
            ebm_model_destroy(model);
            ebm_context_destroy(context);
            assert_no_leaks(&memory);
        }
        assert_true(failures >= (with_parameters ? 3 : 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(custom_models_have_their_own),
        cmocka_unit_test(bad_input_is_a_status),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
