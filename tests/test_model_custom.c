/* Models of the caller's own functions. */
#include "ebm_test.h"

static ebm_model *const NOTHING = (ebm_model *)(uintptr_t)64;

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
        cmocka_unit_test(custom_models_answer_the_same_calls),
        cmocka_unit_test(failing_callbacks_stop_the_call),
        cmocka_unit_test(parameters_of_custom_models_are_optional),
        cmocka_unit_test(custom_creation_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
