/* Classification by lowest energy. */
#include "batch_laws.h"
#include "ebm_test.h"

enum { N = 11, CLASSES = 5, SIZE = 3 * 3 * 2 };

static void build(ebm_network *n)
{
    assert_ok(ebm_network_conv2d(n, 4, 2, 1, 0));
    assert_ok(ebm_network_class_affine(n, CLASSES));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
}

static const test_design design = {"classes", {3, 3, 2}, build};

/* One class after the other through ebm_model_energy(), and the least. */
static void agrees_with_energies(void **state)
{
    (void)state;
    float x[N * SIZE], energies[N * CLASSES], right[N * CLASSES], column[N];
    int32_t labels[N], tags[N], alone[N];
    uint64_t random = 9;
    size_t seen[CLASSES] = {0}, kinds = 0;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = test_design_model(context, &design, 3, 1, 0.5);
    test_fill_normal(&random, x, N * SIZE, 2);
    for (int32_t y = 0; y < CLASSES; y++) {
        for (size_t i = 0; i < N; i++)
            tags[i] = y;
        assert_ok(ebm_model_energy(model, x, tags, N, column));
        for (size_t i = 0; i < N; i++)
            right[i * CLASSES + (size_t)y] = column[i];
    }
    assert_ok(ebm_model_classify(model, x, N, labels, energies));
    assert_same_bits(energies, right, N * CLASSES);
    for (size_t i = 0; i < N; i++) {
        const float *own = right + i * CLASSES;
        assert_true(labels[i] >= 0 && labels[i] < CLASSES);
        for (int32_t y = 0; y < CLASSES; y++)
            if (y != labels[i])
                assert_true(own[labels[i]] < own[y]);
        kinds += !seen[labels[i]]++;
    }
    assert_true(kinds > 1);
    /* Either output alone. */
    assert_ok(ebm_model_classify(model, x, N, alone, NULL));
    assert_memory_equal(alone, labels, sizeof labels);
    memset(energies, 0, sizeof energies);
    assert_ok(ebm_model_classify(model, x, N, NULL, energies));
    assert_same_bits(energies, right, N * CLASSES);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* E(x | y) = x (G[y] + g) + B[y] + b with G, g, b = 0. */
static ebm_model *table_model(ebm_context *context, const float *energies)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    float values[2 * CLASSES + 2] = {0};
    for (size_t y = 0; y < CLASSES; y++)
        values[2 * y + 1] = energies[y];
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_class_affine(network, CLASSES));
    assert_ok(ebm_model_create_network(network, 1, &model));
    assert_ok(ebm_model_set_parameters(model, 0, values, TEST_COUNT(values)));
    ebm_network_destroy(network);
    return model;
}

static void the_first_of_equals(void **state)
{
    (void)state;
    static const float x[2] = {1, -1};
    static const float tables[][CLASSES] = {{3, 1, 2, 1, 1},
                                            {0, 0, 0, 0, 0},
                                            {5, 4, 3, 2, 1},
                                            {2, 0, -0.0f, 7, 7}};
    static const int32_t right[] = {1, 0, 4, 1};
    ebm_context *context = test_context_threads(1);
    for (size_t k = 0; k < TEST_COUNT(tables); k++) {
        ebm_model *model = table_model(context, tables[k]);
        int32_t labels[2] = {-1, -1};
        assert_ok(ebm_model_classify(model, x, 2, labels, NULL));
        assert_true(labels[0] == right[k] && labels[1] == right[k]);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

static void refusals_leave_no_trace(void **state)
{
    (void)state;
    static const float table[CLASSES] = {1, 2, 3, 4, 5};
    const float x[2] = {1, NAN}, large[2] = {0, 3e38f};
    int32_t labels[2] = {-7, -7};
    float energies[2 * CLASSES], *lent;
    for (size_t i = 0; i < TEST_COUNT(energies); i++)
        energies[i] = 77;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = table_model(context, table), *plain = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &plain));
    assert_error(context, ebm_model_classify(plain, x, 1, labels, energies),
                 EBM_ERROR_UNSUPPORTED, "no classes");
    assert_error(context, ebm_model_classify(model, x, 2, labels, energies),
                 EBM_ERROR_NON_FINITE, "x holds");
    assert_error(context, ebm_model_classify(model, NULL, 2, labels, energies),
                 EBM_ERROR_ARGUMENT, "x is NULL");
    assert_error(context, ebm_model_classify(model, x, 0, labels, energies),
                 EBM_ERROR_ARGUMENT, "n is 0");
    assert_error(context,
                 ebm_model_classify(model, x, SIZE_MAX / 2, labels, energies),
                 EBM_ERROR_OVERFLOW, "5 energies");
    /* A gain of 4 in class 3 overflows for the second sample. */
    const float gain = 4;
    assert_ok(ebm_model_set_parameters(model, 6, &gain, 1));
    assert_error(context,
                 ebm_model_classify(model, large, 2, labels, energies),
                 EBM_ERROR_NON_FINITE, "sample 1 in class 3");
    assert_ok(ebm_model_begin_write(model, &lent));
    assert_error(context,
                 ebm_model_classify(model, large, 1, labels, energies),
                 EBM_ERROR_STATE, "lent");
    assert_ok(ebm_model_end_write(model));
    assert_status(ebm_model_classify(NULL, x, 1, labels, energies),
                  EBM_ERROR_HANDLE);
    assert_status(
        ebm_model_classify((ebm_model *)(void *)context, x, 1, labels, NULL),
        EBM_ERROR_HANDLE);
    for (size_t i = 0; i < TEST_COUNT(energies); i++)
        assert_true(energies[i] == 77);
    assert_true(labels[0] == -7 && labels[1] == -7);
    ebm_model_destroy(plain);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

static void without_memory(void **state)
{
    (void)state;
    static const float table[CLASSES] = {5, 4, 3, 2, 1};
    static const float x[2] = {1, 2};
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_model *model = table_model(context, table);
    ebm_status status = EBM_ERROR_MEMORY;
    size_t failures = 0;
    while (status != EBM_OK) {
        int32_t labels[2] = {-7, -7};
        size_t live = memory.live_bytes;
        test_fail_at(&memory, failures + 1, 0);
        status = ebm_model_classify(model, x, 2, labels, NULL);
        test_fail_at(&memory, 0, 0);
        assert_int_equal(memory.live_bytes, live);
        assert_int_equal(labels[0], status == EBM_OK ? 4 : -7);
        if (status != EBM_OK) {
            assert_status(status, EBM_ERROR_MEMORY);
            failures++;
        }
    }
    assert_true(failures >= 4);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_energies),
        cmocka_unit_test(the_first_of_equals),
        cmocka_unit_test(refusals_leave_no_trace),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
