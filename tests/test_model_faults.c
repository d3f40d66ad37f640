/* Models: bad arguments, lent parameters, wrong handles and short memory
   leave everything as it was. */
#include "ebm_test.h"
#include "reference.h"

enum { SIZE = REF_SMALL_SIZE };

static float *samples(size_t n, uint64_t seed)
{
    float *x = test_floats(n * SIZE);
    test_fill_normal(&seed, x, n * SIZE, 1);
    return x;
}

static void bad_arguments_change_nothing(void **state)
{
    (void)state;
    enum { N = 5 };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 0, 3);
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

static void parameters_are_written_as_a_whole(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 0, 3);
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
    /* The text does not add them up. */
    char text[80];
    snprintf(text, sizeof text, "%zu parameters from offset 1 on", SIZE_MAX);
    assert_error(context, ebm_model_set_parameters(model, 1, kept, SIZE_MAX),
                 EBM_ERROR_RANGE, text);
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
    ebm_model *model = ref_small_model(context, 0, 3);
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
    ebm_model *model = ref_small_model(context, 2, 3);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_change_nothing),
        cmocka_unit_test(parameters_are_written_as_a_whole),
        cmocka_unit_test(lent_parameters_block_their_use),
        cmocka_unit_test(wrong_handles_are_a_status),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
