/*
 * Saving and loading when something is in the way: wrong handles, a full
 * disk, missing memory.
 */
#include <unistd.h>

#include "model_file.h"

static int flat_energy(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    (void)params, (void)x, (void)labels, (void)user;
    memset(energy, 0, n * sizeof *energy);
    memset(grad, 0, n * sizeof *grad);
    return 0;
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_make_model(context, test_nets + POINTS);
    ebm_model *custom = NULL, *none = NULL;
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .energy_grad = flat_energy};
    float *lent;
    assert_ok(ebm_model_create_custom(context, 1, 1, 1, &ops, NULL, &custom));
    assert_error(context, ebm_model_save(custom, model_path),
                 EBM_ERROR_UNSUPPORTED, "network");
    assert_status(ebm_model_save(NULL, model_path), EBM_ERROR_HANDLE);
    assert_status(ebm_model_save((ebm_model *)(void *)context, model_path),
                  EBM_ERROR_HANDLE);
    assert_error(context, ebm_model_save(model, NULL), EBM_ERROR_ARGUMENT,
                 "path");
    assert_ok(ebm_model_begin_write(model, &lent));
    assert_status(ebm_model_save(model, model_path), EBM_ERROR_STATE);
    assert_ok(ebm_model_end_write(model));
    assert_int_equal(access(model_path, F_OK), -1);

    assert_status(ebm_model_load(NULL, model_path, &none), EBM_ERROR_HANDLE);
    assert_error(context, ebm_model_load(context, NULL, &none),
                 EBM_ERROR_ARGUMENT, "path");
    assert_error(context, ebm_model_load(context, model_path, NULL),
                 EBM_ERROR_ARGUMENT, "model");
    assert_error(context, ebm_model_load(context, model_path, &none),
                 EBM_ERROR_IO, "model.safetensors");
    assert_error(context, ebm_model_load(context, model_folder.path, &none),
                 EBM_ERROR_IO, "regular");
    assert_null(none);
    ebm_model_destroy(custom);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* The old file is what it was, and nothing lies beside it. */
static void assert_untouched(const unsigned char *bytes, size_t size)
{
    size_t now;
    unsigned char *found = test_slurp(model_path, &now);
    assert_int_equal(now, size);
    assert_memory_equal(found, bytes, size);
    free(found);
    assert_int_equal(test_folder_count(&model_folder), 1);
}

/* A disk that is full in the middle of the data, then other faults. */
static void test_failed_save_keeps_the_old_file(void **state)
{
    (void)state;
    char elsewhere[400];
    size_t size;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_make_model(context, test_nets + POINTS);
    ebm_model *large = test_make_model(context, test_nets + DIGITS);
    assert_ok(ebm_model_save(model, model_path));
    unsigned char *bytes = test_slurp(model_path, &size);

    test_file_limit(100000);
    ebm_status status = ebm_model_save(large, model_path);
    test_file_limit(0);
    assert_error(context, status, EBM_ERROR_IO, "model.safetensors");
    assert_untouched(bytes, size);

    ((float *)(uintptr_t)ebm_model_parameters(large))[0] = NAN;
    assert_error(context, ebm_model_save(large, model_path),
                 EBM_ERROR_NON_FINITE, "0.weight");
    assert_untouched(bytes, size);

    snprintf(elsewhere, sizeof elsewhere, "%s/missing/model",
             model_folder.path);
    assert_error(context, ebm_model_save(model, elsewhere), EBM_ERROR_IO,
                 "missing");
    assert_status(ebm_model_save(model, model_folder.path), EBM_ERROR_IO);
    assert_status(ebm_model_save(model, ""), EBM_ERROR_IO);
    assert_untouched(bytes, size);
    free(bytes);
    ebm_model_destroy(model);
    ebm_model_destroy(large);
    ebm_context_destroy(context);
}

/* Every allocation fails once: a status, nothing lost, nothing changed. */
static void test_out_of_memory(void **state)
{
    (void)state;
    test_allocator memory;
    size_t size, n;
    ebm_context *context = test_context(&memory);
    ebm_model *model = test_make_model(context, test_nets + ALL_KINDS),
              *loaded = NULL;
    assert_ok(ebm_model_save(model, model_path));
    unsigned char *bytes = test_slurp(model_path, &size);
    ebm_status status = EBM_ERROR_MEMORY;
    for (n = 1; status != EBM_OK && n < 1000; n++) {
        size_t before = memory.live_bytes;
        test_fail_at(&memory, n, 0);
        status = ebm_model_save(model, model_path);
        test_fail_at(&memory, 0, 0);
        if (status != EBM_OK)
            assert_error(context, status, EBM_ERROR_MEMORY, "out of memory");
        assert_int_equal(memory.live_bytes, before);
        assert_untouched(bytes, size);
    }
    assert_in_range(n, 4, 999);
    status = EBM_ERROR_MEMORY;
    for (n = 1; status != EBM_OK && n < 1000; n++) {
        size_t before = memory.live_bytes;
        test_fail_at(&memory, n, 0);
        status = ebm_model_load(context, model_path, &loaded);
        test_fail_at(&memory, 0, 0);
        if (status != EBM_OK) {
            assert_error(context, status, EBM_ERROR_MEMORY, "out of memory");
            assert_null(loaded);
            assert_int_equal(memory.live_bytes, before);
        }
    }
    assert_in_range(n, 6, 999);
    free(bytes);
    ebm_model_destroy(loaded);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FOLDER(test_wrong_arguments),
        TEST_WITH_FOLDER(test_failed_save_keeps_the_old_file),
        TEST_WITH_FOLDER(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
