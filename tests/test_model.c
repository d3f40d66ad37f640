/* Models through the public calls: gradients add up, samples and threads do
   not disturb each other. Values are compared in test_network.c. */
#include "ebm_test.h"
#include "reference.h"

enum { SIZE = REF_SMALL_SIZE };

static float *samples(size_t n, uint64_t seed)
{
    float *x = test_floats(n * SIZE);
    test_fill_normal(&seed, x, n * SIZE, 1);
    return x;
}

static void gradients_add_up(void **state)
{
    (void)state;
    enum { N = 11 };
    ebm_context *context = test_context_threads(2);
    ebm_model *model = ref_small_model(context, 4, 3);
    size_t count = ebm_model_parameter_count(model);
    float *x = samples(2 * N, 1), *sum = test_floats(count);
    float scale[2 * N];
    uint64_t random = 2;
    test_fill_uniform(&random, scale, 2 * N, -1, 2);
    for (size_t i = 0; i < count; i++)
        assert_true(ebm_model_gradient(model)[i] == 0);
    for (int half = 0; half < 2; half++) {
        assert_ok(ebm_model_zero_gradient(model));
        assert_ok(ebm_model_backward(model, x + half * N * SIZE, NULL, N,
                                     scale + half * N, NULL));
        for (size_t i = 0; i < count; i++)
            sum[i] += ebm_model_gradient(model)[i];
    }
    assert_ok(
        ebm_model_backward(model, x, NULL, N, scale, NULL)); /* on the 2nd */
    assert_same_bits(ebm_model_gradient(model), sum, count);
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_backward(model, x, NULL, 2 * N, scale, NULL));
    assert_arrays_close(ebm_model_gradient(model), sum, count, 1e-5);
    /* Scales of 0 add nothing. */
    float zeros[N] = {0};
    memcpy(sum, ebm_model_gradient(model), count * sizeof *sum);
    assert_ok(ebm_model_backward(model, x, NULL, N, zeros, NULL));
    assert_same_bits(ebm_model_gradient(model), sum, count);
    assert_ok(ebm_model_zero_gradient(model));
    for (size_t i = 0; i < count; i++)
        assert_true(ebm_model_gradient(model)[i] == 0);
    free(x);
    free(sum);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* A sample's energy and gradient keep their bits whatever the other rows
   hold, overflowing energies included. */
static void samples_are_independent(void **state)
{
    (void)state;
    enum { N = 21, KEPT = 10 };
    static const size_t slabs[] = {0, 1, 4, 7, 16};
    static const float others[] = {0, 1e-30f, 100, 3e38f};
    ebm_context *context = test_context_threads(2);
    for (size_t s = 0; s < TEST_COUNT(slabs); s++) {
        ebm_model *model = ref_small_model(context, slabs[s], 3);
        float *x = samples(N, 4), *y = samples(N, 5);
        float *dx = test_floats(N * SIZE), *dy = test_floats(N * SIZE);
        float ex[N], ey[N];
        size_t row = KEPT * SIZE;
        assert_ok(ebm_model_energy_grad(model, x, NULL, N, ex, dx));
        for (size_t o = 0; o < TEST_COUNT(others); o++) {
            for (size_t i = 0; i < N * SIZE; i++)
                y[i] = i % 3 ? others[o] : -others[o];
            memcpy(y + row, x + row, SIZE * sizeof *y);
            assert_ok(ebm_model_energy_grad(model, y, NULL, N, ey, dy));
            assert_same_bits(ey + KEPT, ex + KEPT, 1);
            assert_same_bits(dy + row, dx + row, SIZE);
            assert_ok(ebm_model_energy(model, y, NULL, N, ey));
            assert_same_bits(ey + KEPT, ex + KEPT, 1);
        }
        free(x);
        free(y);
        free(dx);
        free(dy);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* No layer looks at labels yet, and energies may be asked for or not. */
static void labels_and_outputs_are_optional(void **state)
{
    (void)state;
    enum { N = 9 };
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 0, 3);
    size_t count = ebm_model_parameter_count(model);
    float *x = samples(N, 6), *gradient = test_floats(count);
    float *a = test_floats(N * SIZE), *b = test_floats(N * SIZE);
    float ea[N], eb[N], scale[N];
    int32_t labels[N];
    for (int i = 0; i < N; i++) {
        labels[i] = i * 1000 - 7;
        scale[i] = 1 + (float)i;
    }
    assert_ok(ebm_model_energy(model, x, NULL, N, ea));
    assert_ok(ebm_model_energy(model, x, labels, N, eb));
    assert_same_bits(ea, eb, N);
    assert_ok(ebm_model_energy_grad(model, x, NULL, N, NULL, a));
    assert_ok(ebm_model_energy_grad(model, x, labels, N, eb, b));
    assert_same_bits(a, b, N * SIZE);
    assert_arrays_close(eb, ea, N, 1e-6);
    assert_ok(ebm_model_backward(model, x, NULL, N, scale, NULL));
    memcpy(gradient, ebm_model_gradient(model), count * sizeof *gradient);
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_backward(model, x, labels, N, scale, eb));
    assert_same_bits(ebm_model_gradient(model), gradient, count);
    assert_arrays_close(eb, ea, N, 1e-6);
    free(x);
    free(gradient);
    free(a);
    free(b);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* An energy may overflow; a gradient that does is not added. */
static void overflow_is_reported(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    const float huge[3] = {1e30f, 1e30f, 0}, x[4] = {1e30f, 1, 1, 1};
    const float scale[2] = {1, 1}, overflow[2] = {1e30f, 1};
    float energy[2] = {77, 77}, grad[4];
    assert_ok(ebm_network_create(context, 1, 1, 2, &network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    assert_ok(ebm_model_set_parameters(model, 0, huge, 3));
    assert_ok(ebm_model_energy(model, x, NULL, 2, energy));
    assert_true(isinf(energy[0]) && isfinite(energy[1]));
    assert_ok(ebm_model_energy_grad(model, x, NULL, 2, energy, grad));
    assert_ok(ebm_model_backward(model, x + 2, NULL, 1, scale, NULL));
    assert_same_bits(ebm_model_gradient(model), scale, 1);
    energy[0] = 77;
    assert_error(context,
                 ebm_model_backward(model, x, NULL, 2, overflow, energy),
                 EBM_ERROR_NON_FINITE, "gradient");
    assert_true(energy[0] == 77);
    const float right[3] = {1, 1, 1};
    assert_same_bits(ebm_model_gradient(model), right, 3);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

/* Several threads use one model at once. */
typedef struct reader {
    const ebm_model *model;
    const float *x;
    float energy[16], grad[16 * SIZE];
    ebm_status status;
} reader;

static void *read_model(void *argument)
{
    reader *r = argument;
    for (int i = 0; i < 20 && r->status == EBM_OK; i++)
        r->status = ebm_model_energy_grad(r->model, r->x, NULL, 16, r->energy,
                                          r->grad);
    return NULL;
}

static void threads_share_a_model(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    ebm_context *context = test_context_threads(2);
    ebm_model *model = ref_small_model(context, 4, 3);
    float *x = samples(16, 11), *grad = test_floats(16 * SIZE), energy[16];
    static reader readers[THREADS];
    pthread_t threads[THREADS];
    assert_ok(ebm_model_energy_grad(model, x, NULL, 16, energy, grad));
    for (int i = 0; i < THREADS; i++) {
        readers[i].model = model;
        readers[i].x = x;
        readers[i].status = EBM_OK;
        assert_int_equal(
            pthread_create(threads + i, NULL, read_model, readers + i), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_ok(readers[i].status);
        assert_same_bits(readers[i].energy, energy, 16);
        assert_same_bits(readers[i].grad, grad, 16 * SIZE);
    }
    free(x);
    free(grad);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_add_up),
        cmocka_unit_test(samples_are_independent),
        cmocka_unit_test(labels_and_outputs_are_optional),
        cmocka_unit_test(overflow_is_reported),
        cmocka_unit_test(threads_share_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
