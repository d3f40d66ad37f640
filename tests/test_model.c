/* Models of both kinds through the public calls: parameters, gradients,
   independence of samples, callbacks, and every documented error. */
#include "ebm_test.h"
#include "reference.h"

static ebm_model *const NOTHING = (ebm_model *)(uintptr_t)64;

/* A convolution network that is small enough to call often. */
static void describe(ref_network *ref)
{
    ref_begin(ref, 7, 6, 2);
    ref_conv2d(ref, 5, 3, 1, 1, 1);
    ref_swish(ref);
    ref_conv2d(ref, 9, 3, 2, 1, 1);
    ref_swish(ref);
    ref_flatten(ref);
    ref_dense(ref, 1, 1);
}
enum { SIZE = 7 * 6 * 2 };

static ebm_model *small_model(ebm_context *context, size_t slab)
{
    ref_network ref;
    describe(&ref);
    ebm_model *model = ref_model(&ref, context, slab, 3);
    ref_free(&ref);
    return model;
}

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
    ebm_model *model = small_model(context, 4);
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
        ebm_model *model = small_model(context, slabs[s]);
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
    ebm_model *model = small_model(context, 0);
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

static void bad_arguments_change_nothing(void **state)
{
    (void)state;
    enum { N = 5 };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = small_model(context, 0);
    size_t count = ebm_model_parameter_count(model);
    float *x = samples(N, 7), *out = test_floats(N * SIZE);
    float *gradient = test_floats(count);
    float scale[N] = {1, 1, 1, 1, 1}, energy[N];
    assert_ok(ebm_model_backward(model, x, NULL, N, scale, NULL));
    memcpy(gradient, ebm_model_gradient(model), count * sizeof *gradient);
    for (size_t i = 0; i < N; i++)
        energy[i] = 77;
    for (size_t i = 0; i < N * SIZE; i++)
        out[i] = 77;
    assert_error(context, ebm_model_energy(model, NULL, NULL, N, energy),
                 EBM_ERROR_ARGUMENT, "x");
    assert_error(context, ebm_model_energy(model, x, NULL, 0, energy),
                 EBM_ERROR_ARGUMENT, "n is 0");
    assert_error(context, ebm_model_energy(model, x, NULL, N, NULL),
                 EBM_ERROR_ARGUMENT, "energy");
    assert_error(context,
                 ebm_model_energy_grad(model, x, NULL, N, energy, NULL),
                 EBM_ERROR_ARGUMENT, "grad");
    assert_error(context,
                 ebm_model_energy_grad(model, NULL, NULL, N, energy, out),
                 EBM_ERROR_ARGUMENT, "x");
    assert_error(context, ebm_model_backward(model, x, NULL, N, NULL, energy),
                 EBM_ERROR_ARGUMENT, "scale");
    assert_error(context, ebm_model_backward(model, x, NULL, 0, scale, energy),
                 EBM_ERROR_ARGUMENT, "n is 0");
    for (size_t b = 0; b < TEST_COUNT(bad); b++)
        for (size_t at = 0; at < N * SIZE; at += N * SIZE - 1) {
            float kept = x[at];
            x[at] = bad[b];
            assert_error(context, ebm_model_energy(model, x, NULL, N, energy),
                         EBM_ERROR_NON_FINITE, "x");
            assert_status(
                ebm_model_energy_grad(model, x, NULL, N, energy, out),
                EBM_ERROR_NON_FINITE);
            assert_status(ebm_model_backward(model, x, NULL, N, scale, energy),
                          EBM_ERROR_NON_FINITE);
            x[at] = kept;
            scale[at % N] = bad[b];
            assert_error(context,
                         ebm_model_backward(model, x, NULL, N, scale, energy),
                         EBM_ERROR_NON_FINITE, "scale");
            scale[at % N] = 1;
        }
    for (size_t i = 0; i < N; i++)
        assert_true(energy[i] == 77);
    for (size_t i = 0; i < N * SIZE; i++)
        assert_true(out[i] == 77);
    assert_same_bits(ebm_model_gradient(model), gradient, count);
    free(x);
    free(out);
    free(gradient);
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

static void parameters_are_written_as_a_whole(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = small_model(context, 0);
    const float *p = ebm_model_parameters(model);
    size_t count = ebm_model_parameter_count(model);
    float *kept = test_floats(count + 1), *x = samples(1, 8);
    float before, after;
    memcpy(kept, p, count * sizeof *kept);
    assert_ok(ebm_model_energy(model, x, NULL, 1, &before));
    float values[3] = {7, 8, NAN};
    assert_error(context, ebm_model_set_parameters(model, 1, values, 3),
                 EBM_ERROR_NON_FINITE, "finite");
    assert_status(ebm_model_set_parameters(model, 0, NULL, 3),
                  EBM_ERROR_ARGUMENT);
    assert_error(context, ebm_model_set_parameters(model, count - 1, kept, 2),
                 EBM_ERROR_RANGE, "parameters");
    assert_status(ebm_model_set_parameters(model, count + 1, kept, 0),
                  EBM_ERROR_RANGE);
    assert_status(ebm_model_set_parameters(model, 1, kept, SIZE_MAX),
                  EBM_ERROR_RANGE);
    assert_same_bits(p, kept, count);
    assert_ok(ebm_model_set_parameters(model, 1, values, 2));
    kept[1] = 7;
    kept[2] = 8;
    assert_same_bits(ebm_model_parameters(model), kept, count);
    assert_ptr_equal(ebm_model_parameters(model), p);
    assert_ok(ebm_model_energy(model, x, NULL, 1, &after));
    assert_other_bits(&before, &after, 1);
    assert_ok(ebm_model_set_parameters(model, count, kept, 0));
    free(kept);
    free(x);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void lent_parameters_block_their_use(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = small_model(context, 0);
    float *x = samples(1, 9), *grad = test_floats(SIZE), *writable = NULL;
    float before, after, scale = 1, value = 2, *again = &value;
    assert_error(context, ebm_model_end_write(model), EBM_ERROR_STATE, "lent");
    assert_ok(ebm_model_energy(model, x, NULL, 1, &before));
    assert_status(ebm_model_begin_write(model, NULL), EBM_ERROR_ARGUMENT);
    assert_ok(ebm_model_begin_write(model, &writable));
    assert_ptr_equal(writable, ebm_model_parameters(model));
    assert_error(context, ebm_model_begin_write(model, &again),
                 EBM_ERROR_STATE, "lent");
    assert_ptr_equal(again, &value);
    after = 77;
    assert_error(context, ebm_model_energy(model, x, NULL, 1, &after),
                 EBM_ERROR_STATE, "lent");
    assert_status(ebm_model_energy_grad(model, x, NULL, 1, &after, grad),
                  EBM_ERROR_STATE);
    assert_status(ebm_model_backward(model, x, NULL, 1, &scale, &after),
                  EBM_ERROR_STATE);
    assert_status(ebm_model_set_parameters(model, 0, &value, 1),
                  EBM_ERROR_STATE);
    assert_true(after == 77);
    writable[3] = NAN;
    assert_error(context, ebm_model_end_write(model), EBM_ERROR_NON_FINITE,
                 "finite");
    assert_status(ebm_model_energy(model, x, NULL, 1, &after),
                  EBM_ERROR_STATE);
    writable[3] = 2;
    assert_ok(ebm_model_end_write(model));
    assert_status(ebm_model_end_write(model), EBM_ERROR_STATE);
    assert_ok(ebm_model_energy(model, x, NULL, 1, &after));
    assert_other_bits(&before, &after, 1);
    assert_true(ebm_model_parameters(model)[3] == 2);
    free(x);
    free(grad);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void wrong_handles_are_a_status(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *wrong[] = {NULL, (ebm_model *)(void *)context};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        ebm_model *m = wrong[i];
        float x[2] = {0, 0}, out[2] = {77, 77}, *p = NULL;
        size_t size = 5;
        assert_status(ebm_model_energy(m, x, NULL, 1, out), EBM_ERROR_HANDLE);
        assert_status(ebm_model_energy_grad(m, x, NULL, 1, out, out),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_model_backward(m, x, NULL, 1, x, out),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_model_shape(m, &size, NULL, NULL), EBM_ERROR_HANDLE);
        assert_status(ebm_model_set_parameters(m, 0, x, 1), EBM_ERROR_HANDLE);
        assert_status(ebm_model_begin_write(m, &p), EBM_ERROR_HANDLE);
        assert_status(ebm_model_end_write(m), EBM_ERROR_HANDLE);
        assert_status(ebm_model_zero_gradient(m), EBM_ERROR_HANDLE);
        assert_status(ebm_model_view(m, 0, NULL, &size, NULL, NULL),
                      EBM_ERROR_HANDLE);
        assert_int_equal(ebm_model_parameter_count(m), 0);
        assert_int_equal(ebm_model_view_count(m), 0);
        assert_null(ebm_model_parameters(m));
        assert_null(ebm_model_gradient(m));
        assert_true(size == 5 && out[0] == 77 && !p);
        ebm_model_destroy(m);
    }
    ebm_context_destroy(context);
}

/* Every allocation of every call fails once, and nothing else happens. */
static void memory_may_run_out(void **state)
{
    (void)state;
    enum { N = 5 };
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, 2));
    ebm_model *model = small_model(context, 2);
    size_t count = ebm_model_parameter_count(model), failures = 0;
    float *x = samples(N, 10), *grad = test_floats(N * SIZE);
    float *zeros = test_floats(count), energy[N];
    const float scale[N] = {1, 2, 3, 4, 5};
    for (int call = 0; call < 3; call++) {
        size_t before = memory.live_blocks;
        for (size_t n = 1;; n++) {
            ebm_status status;
            energy[0] = grad[0] = 77;
            test_fail_at(&memory, n, 0);
            if (call == 0)
                status = ebm_model_energy(model, x, NULL, N, energy);
            else if (call == 1)
                status =
                    ebm_model_energy_grad(model, x, NULL, N, energy, grad);
            else
                status = ebm_model_backward(model, x, NULL, N, scale, energy);
            assert_int_equal(memory.live_blocks, before);
            if (status == EBM_OK)
                break;
            assert_error(context, status, EBM_ERROR_MEMORY, "memory");
            assert_true(energy[0] == 77 && grad[0] == 77);
            assert_same_bits(ebm_model_gradient(model), zeros, count);
            failures++;
        }
        test_fail_at(&memory, 0, 0);
    }
    assert_true(failures >= 3);
    free(x);
    free(grad);
    free(zeros);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
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
    ebm_model *model = small_model(context, 4);
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

/*
 * A custom energy: E(x) = theta_0 x_0^2 / 2 + theta_1 x_1 + label. The
 * callbacks note what they were given; tests assert afterwards.
 */
typedef struct notes {
    int energy_calls, param_calls;
    int fail_energy, fail_param; /* what to return */
    const float *params;
    const float *x;
    int had_labels;
    size_t n;
    pthread_t thread;
} notes;

static int quadratic(const float *params, const float *x,
                     const int32_t *labels, size_t n, float *energy,
                     float *grad, void *user)
{
    notes *note = user;
    note->energy_calls++;
    note->params = params;
    note->x = x;
    note->had_labels = labels != NULL;
    note->n = n;
    note->thread = pthread_self();
    for (size_t i = 0; i < n; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        energy[i] = params[0] * a * a / 2 + params[1] * b;
        energy[i] += labels ? (float)labels[i] : 0;
        grad[2 * i] = params[0] * a;
        grad[2 * i + 1] = params[1];
    }
    return note->fail_energy;
}

static int quadratic_params(const float *params, const float *x,
                            const int32_t *labels, size_t n,
                            const float *scale, float *param_grad, void *user)
{
    notes *note = user;
    (void)params;
    (void)labels;
    note->param_calls++;
    for (size_t i = 0; i < n; i++) {
        param_grad[0] += scale[i] * x[2 * i] * x[2 * i] / 2;
        param_grad[1] += scale[i] * x[2 * i + 1];
    }
    return note->fail_param;
}

static const ebm_energy_ops quadratic_ops = {
    sizeof quadratic_ops, 2, quadratic, quadratic_params, NULL};

static void custom_models_answer_the_same_calls(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(3);
    ebm_model *model = NULL;
    notes note = {0};
    const float theta[2] = {2, 3}, x[6] = {1, 2, 3, 4, 5, 6};
    const float scale[3] = {1, -1, 0.5f};
    const int32_t labels[3] = {10, 20, 30};
    float energy[3], grad[6];
    assert_ok(ebm_model_create_custom(context, 1, 2, 1, &quadratic_ops, &note,
                                      &model));
    size_t shape[3];
    assert_ok(ebm_model_shape(model, shape, shape + 1, shape + 2));
    assert_true(shape[0] == 1 && shape[1] == 2 && shape[2] == 1);
    assert_int_equal(ebm_model_parameter_count(model), 2);
    assert_true(ebm_model_parameters(model)[0] == 0);
    assert_true(ebm_model_parameters(model)[1] == 0);
    const char *name;
    size_t offset, rank, view[4];
    assert_int_equal(ebm_model_view_count(model), 1);
    assert_ok(ebm_model_view(model, 0, &name, &offset, &rank, view));
    assert_string_equal(name, "parameters");
    assert_true(offset == 0 && rank == 1 && view[0] == 2 && view[3] == 1);
    assert_ok(ebm_model_set_parameters(model, 0, theta, 2));
    assert_ok(ebm_model_energy(model, x, NULL, 3, energy));
    const float plain[3] = {1 + 6, 9 + 12, 25 + 18};
    assert_same_bits(energy, plain, 3);
    /* One call, the whole batch, our thread. */
    assert_true(note.energy_calls == 1 && note.n == 3 && !note.had_labels);
    assert_true(pthread_equal(note.thread, pthread_self()));
    assert_ptr_equal(note.params, ebm_model_parameters(model));
    assert_ok(ebm_model_energy_grad(model, x, labels, 3, energy, grad));
    const float labelled[3] = {17, 41, 73};
    const float right_grad[6] = {2, 3, 6, 3, 10, 3};
    assert_true(note.energy_calls == 2 && note.had_labels);
    assert_same_bits(energy, labelled, 3);
    assert_same_bits(grad, right_grad, 6);
    assert_ok(ebm_model_energy_grad(model, x, NULL, 3, NULL, grad));
    assert_ok(ebm_model_backward(model, x, labels, 3, scale, energy));
    const float right[2] = {0.5f - 4.5f + 6.25f, 2 - 4 + 3};
    assert_same_bits(ebm_model_gradient(model), right, 2);
    assert_same_bits(energy, labelled, 3);
    assert_int_equal(note.param_calls, 1);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void failing_callbacks_stop_the_call(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = NULL;
    notes note = {0};
    const float x[2] = {1, 2}, scale[1] = {1}, zeros[2] = {0, 0};
    float energy = 77, grad[2] = {77, 77};
    assert_ok(ebm_model_create_custom(context, 1, 2, 1, &quadratic_ops, &note,
                                      &model));
    note.fail_energy = -3;
    assert_error(context, ebm_model_energy(model, x, NULL, 1, &energy),
                 EBM_ERROR_CALLBACK, "callback");
    assert_status(ebm_model_energy_grad(model, x, NULL, 1, &energy, grad),
                  EBM_ERROR_CALLBACK);
    assert_status(ebm_model_backward(model, x, NULL, 1, scale, &energy),
                  EBM_ERROR_CALLBACK);
    assert_int_equal(note.param_calls, 0);
    note.fail_energy = 0;
    note.fail_param = 1;
    assert_status(ebm_model_backward(model, x, NULL, 1, scale, &energy),
                  EBM_ERROR_CALLBACK);
    assert_int_equal(note.param_calls, 1);
    assert_true(energy == 77 && grad[0] == 77 && grad[1] == 77);
    assert_same_bits(ebm_model_gradient(model), zeros, 2);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static int constant(const float *params, const float *x, const int32_t *labels,
                    size_t n, float *energy, float *grad, void *user)
{
    (void)x;
    (void)labels;
    *(int *)user += params == NULL;
    memset(energy, 0, n * sizeof *energy);
    memset(grad, 0, n * sizeof *grad);
    return 0;
}

static void parameters_of_custom_models_are_optional(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_energy_ops ops = {sizeof ops, 0, constant, NULL, NULL};
    ebm_model *model = NULL;
    int calls_without = 0;
    const float x = 1, scale = 1;
    float energy = 77;
    assert_ok(ebm_model_create_custom(context, 1, 1, 1, &ops, &calls_without,
                                      &model));
    assert_int_equal(ebm_model_parameter_count(model), 0);
    assert_int_equal(ebm_model_view_count(model), 0);
    assert_null(ebm_model_parameters(model));
    assert_null(ebm_model_gradient(model));
    assert_ok(ebm_model_energy(model, &x, NULL, 1, &energy));
    assert_true(energy == 0 && calls_without == 1);
    energy = 77;
    assert_error(context,
                 ebm_model_backward(model, &x, NULL, 1, &scale, &energy),
                 EBM_ERROR_UNSUPPORTED, "gradient");
    assert_true(energy == 77);
    assert_ok(ebm_model_zero_gradient(model));
    assert_status(ebm_model_view(model, 0, NULL, NULL, NULL, NULL),
                  EBM_ERROR_RANGE);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void custom_creation_is_checked(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_energy_ops ops = quadratic_ops;
    ebm_model *model = NOTHING;
    notes note = {0};
    for (int zero = 0; zero < 3; zero++)
        assert_error(context,
                     ebm_model_create_custom(context, zero != 0, zero != 1,
                                             zero != 2, &ops, &note, &model),
                     EBM_ERROR_ARGUMENT, "0");
    assert_status(
        ebm_model_create_custom(context, 1, 2, 1, NULL, &note, &model),
        EBM_ERROR_ARGUMENT);
    assert_status(ebm_model_create_custom(context, 1, 2, 1, &ops, &note, NULL),
                  EBM_ERROR_ARGUMENT);
    ops.struct_size--;
    assert_error(
        context,
        ebm_model_create_custom(context, 1, 2, 1, &ops, &note, &model),
        EBM_ERROR_ARGUMENT, "struct_size");
    ops.struct_size++;
    ops.energy_grad = NULL;
    assert_error(
        context,
        ebm_model_create_custom(context, 1, 2, 1, &ops, &note, &model),
        EBM_ERROR_ARGUMENT, "energy_grad");
    ops = quadratic_ops;
    assert_status(
        ebm_model_create_custom(context, SIZE_MAX, 2, 1, &ops, &note, &model),
        EBM_ERROR_OVERFLOW);
    ops.parameter_count = SIZE_MAX / 4;
    assert_status(
        ebm_model_create_custom(context, 1, 2, 1, &ops, &note, &model),
        EBM_ERROR_OVERFLOW);
    ops = quadratic_ops;
    assert_status(ebm_model_create_custom(NULL, 1, 2, 1, &ops, &note, &model),
                  EBM_ERROR_HANDLE);
    size_t before = memory.live_blocks;
    for (size_t n = 1;; n++) {
        test_fail_at(&memory, n, 0);
        ebm_status status =
            ebm_model_create_custom(context, 1, 2, 1, &ops, &note, &model);
        if (status == EBM_OK)
            break;
        assert_error(context, status, EBM_ERROR_MEMORY, "memory");
        assert_int_equal(memory.live_blocks, before);
        assert_ptr_equal(model, NOTHING);
    }
    test_fail_at(&memory, 0, 0);
    /* The table is copied, and a longer one of a later version is fine. */
    memset(&ops, 0, sizeof ops);
    const float x[2] = {1, 1};
    float energy;
    assert_ok(ebm_model_energy(model, x, NULL, 1, &energy));
    ebm_model_destroy(model);
    ops = quadratic_ops;
    ops.struct_size += 32;
    assert_ok(ebm_model_create_custom(context, 1, 2, 1, &ops, &note, &model));
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_add_up),
        cmocka_unit_test(samples_are_independent),
        cmocka_unit_test(labels_and_outputs_are_optional),
        cmocka_unit_test(bad_arguments_change_nothing),
        cmocka_unit_test(overflow_is_reported),
        cmocka_unit_test(parameters_are_written_as_a_whole),
        cmocka_unit_test(lent_parameters_block_their_use),
        cmocka_unit_test(wrong_handles_are_a_status),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(custom_models_answer_the_same_calls),
        cmocka_unit_test(failing_callbacks_stop_the_call),
        cmocka_unit_test(parameters_of_custom_models_are_optional),
        cmocka_unit_test(custom_creation_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
