/* Datasets: settings, arrays of the caller, the shipped digits. Batches are
   in test_batches.c, damaged files in test_idx.c. */
#include "datasets.h"
#include "ebm_test.h"

#include "dataset/dataset.h"

static void settings_are_checked(void **state)
{
    (void)state;
    ebm_dataset *dataset = test_numbers(3, 1);
    static const struct {
        ebm_dataset_key key;
        const char *name;
        double initial, good, bad[4];
    } rows[] = {
        {EBM_DATASET_RANGE_MIN,
         "range_min",
         -1,
         0,
         {NAN, INFINITY, -INFINITY, 1e39}},
        {EBM_DATASET_RANGE_MAX,
         "range_max",
         1,
         255,
         {NAN, INFINITY, -INFINITY, -1e39}},
        {EBM_DATASET_NOISE_STD,
         "noise_std",
         0,
         0.3,
         {NAN, INFINITY, -1e-9, 1e39}},
        {EBM_DATASET_SHUFFLE, "shuffle", 1, 0, {NAN, 0.5, -1, 2}},
        {EBM_DATASET_CLAMP, "clamp", 0, 1, {NAN, 0.5, -1, 2}},
        {EBM_DATASET_DEQUANTISE, "dequantise", 0, 1, {NAN, 0.5, -1, 2}},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        double value, minimum, maximum, initial;
        const char *name;
        ebm_option_kind kind;
        assert_ok(ebm_dataset_get(dataset, rows[i].key, &value));
        assert_true(value == rows[i].initial);
        assert_ok(ebm_dataset_option(rows[i].key, &name, &kind, &minimum,
                                     &maximum, &initial));
        assert_string_equal(name, rows[i].name);
        assert_int_equal(kind, i < 3 ? EBM_OPTION_REAL : EBM_OPTION_FLAG);
        assert_true(initial == rows[i].initial && minimum <= initial &&
                    initial <= maximum);
        for (size_t j = 0; j < 4; j++) {
            assert_error(test_fixture.context,
                         ebm_dataset_set(dataset, rows[i].key, rows[i].bad[j]),
                         EBM_ERROR_RANGE, rows[i].name);
            assert_ok(ebm_dataset_get(dataset, rows[i].key, &value));
            assert_true(value == rows[i].initial);
        }
        assert_ok(ebm_dataset_set(dataset, rows[i].key, rows[i].good));
        assert_ok(ebm_dataset_get(dataset, rows[i].key, &value));
        assert_true(value == rows[i].good);
    }
    assert_error(test_fixture.context,
                 ebm_dataset_set(dataset, (ebm_dataset_key)99, 1),
                 EBM_ERROR_ARGUMENT, "99");
    ebm_dataset_destroy(dataset);
}

static void arrays_are_taken_as_they_are(void **state)
{
    (void)state;
    float x[24], y[24];
    int32_t labels[2] = {-7, 2000000000}, got[2];
    size_t height, width, channels;
    for (int i = 0; i < 24; i++)
        x[i] = (float)(i * 1000 - 5000);
    memcpy(y, x, sizeof x);
    ebm_dataset *dataset = NULL;
    assert_ok(ebm_dataset_create_array(test_fixture.context, x, labels, 2, 2,
                                       3, 2, 1, &dataset));
    memset(x, 0, sizeof x); /* theirs is a copy */
    labels[0] = labels[1] = 0;
    assert_int_equal(ebm_dataset_count(dataset), 2);
    assert_int_equal(ebm_dataset_has_labels(dataset), 1);
    assert_ok(ebm_dataset_shape(dataset, &height, &width, &channels));
    assert_true(height == 2 && width == 3 && channels == 2);
    assert_ok(ebm_dataset_shape(dataset, NULL, NULL, NULL));
    assert_ok(ebm_dataset_read(dataset, 0, 2, x, got));
    assert_same_bits(x, y, 24);
    assert_true(got[0] == -7 && got[1] == 2000000000);
    assert_ok(ebm_dataset_read(dataset, 1, 1, x, got));
    assert_same_bits(x, y + 12, 12);
    assert_int_equal(got[0], 2000000000);
    ebm_dataset_sample(dataset, 1, NULL, x + 12, &got[1]);
    assert_same_bits(x + 12, y + 12, 12);
    assert_int_equal(got[1], 2000000000);
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 1, 2, x, NULL), EBM_ERROR_RANGE,
                 "2 samples from number 1");
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 2, 1, x, NULL), EBM_ERROR_RANGE,
                 "beyond");
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 1, SIZE_MAX, x, NULL),
                 EBM_ERROR_RANGE, "beyond");
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 0, 0, x, NULL), EBM_ERROR_ARGUMENT,
                 "n is 0");
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 0, 1, NULL, NULL),
                 EBM_ERROR_ARGUMENT, "x is NULL");
    ebm_dataset_destroy(dataset);
}

static void bad_arrays_are_refused(void **state)
{
    (void)state;
    float x[12] = {0};
    ebm_dataset *dataset = NULL;
    static const size_t sizes[][4] = {
        {0, 1, 1, 1}, {1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 0}};
    for (size_t i = 0; i < TEST_COUNT(sizes); i++)
        assert_error(test_fixture.context,
                     ebm_dataset_create_array(
                         test_fixture.context, x, NULL, sizes[i][0],
                         sizes[i][1], sizes[i][2], sizes[i][3], 1, &dataset),
                     EBM_ERROR_ARGUMENT, "size is 0");
    assert_error(test_fixture.context,
                 ebm_dataset_create_array(test_fixture.context, x, NULL,
                                          SIZE_MAX / 2, 3, 1, 1, 1, &dataset),
                 EBM_ERROR_OVERFLOW, "do not fit");
    assert_error(test_fixture.context,
                 ebm_dataset_create_array(test_fixture.context, NULL, NULL, 1,
                                          1, 1, 1, 1, &dataset),
                 EBM_ERROR_ARGUMENT, "x is NULL");
    assert_error(test_fixture.context,
                 ebm_dataset_create_array(test_fixture.context, x, NULL, 1, 1,
                                          1, 1, 1, NULL),
                 EBM_ERROR_ARGUMENT, "dataset");
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 12; i++) {
        char place[60];
        snprintf(place, sizeof place, "element %zu of sample %zu", i % 4,
                 i / 4);
        x[i] = bad[i % 3];
        assert_error(test_fixture.context,
                     ebm_dataset_create_array(test_fixture.context, x, NULL, 3,
                                              2, 2, 1, 1, &dataset),
                     EBM_ERROR_NON_FINITE, place);
        x[i] = 0;
    }
    assert_null(dataset);
}

static void wrong_handles_are_refused(void **state)
{
    (void)state;
    float x[1];
    double value;
    ebm_dataset *wrong = (ebm_dataset *)test_fixture.context;
    assert_status(ebm_dataset_next(wrong, 1, x, NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_dataset_next(NULL, 1, x, NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_dataset_read(wrong, 0, 1, x, NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_dataset_set(wrong, EBM_DATASET_CLAMP, 1),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_dataset_get(wrong, EBM_DATASET_CLAMP, &value),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_dataset_shape(wrong, NULL, NULL, NULL),
                  EBM_ERROR_HANDLE);
    assert_int_equal(ebm_dataset_count(wrong), 0);
    assert_int_equal(ebm_dataset_has_labels(wrong), 0);
    assert_int_equal(ebm_dataset_epoch(wrong), 0);
    ebm_dataset_destroy(wrong);
    ebm_dataset_destroy(NULL);
    assert_true(ebm_context_machinery(test_fixture.context)[0]);
}

/* The numbers come from Python's gzip and sum(), not from this library. */
static void the_shipped_digits_are_whole(void **state)
{
    (void)state;
    static const int32_t first[20] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9,
                                      0, 6, 9, 0, 1, 5, 9, 7, 3, 4};
    static const size_t of_each[10] = {980, 1135, 1032, 1010, 982,
                                       892, 958,  1028, 974,  1009};
    enum { DIGITS = 10000, PIXELS = 784 };
    const char *stem = EBM_SOURCE_DIR "/examples/data/t10k-";
    char path[2][500];
    snprintf(path[0], sizeof path[0], "%simages-idx3-ubyte.gz", stem);
    snprintf(path[1], sizeof path[1], "%slabels-idx1-ubyte.gz", stem);
    ebm_dataset *dataset = NULL;
    assert_ok(ebm_dataset_create_idx(test_fixture.context, path[0], path[1], 1,
                                     &dataset));
    size_t height, width;
    assert_ok(ebm_dataset_shape(dataset, &height, &width, NULL));
    assert_int_equal(height, 28);
    assert_int_equal(width, 28);
    assert_int_equal(ebm_dataset_count(dataset), DIGITS);
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MIN, 0));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MAX, 255));
    float *x = test_floats((size_t)DIGITS * PIXELS);
    static int32_t numbers[DIGITS];
    assert_ok(ebm_dataset_read(dataset, 0, DIGITS, x, numbers));
    double sum = 0, first_sum = 0, last_sum = 0;
    size_t counts[10] = {0};
    for (size_t i = 0; i < (size_t)DIGITS * PIXELS; i++) {
        sum += x[i];
        first_sum += i < PIXELS ? x[i] : 0;
        last_sum += i >= (size_t)(DIGITS - 1) * PIXELS ? x[i] : 0;
    }
    assert_true(sum == 264923200 && first_sum == 18454 && last_sum == 41833);
    assert_true(x[7 * 28 + 5] == 0 && x[7 * 28 + 6] == 84 &&
                x[7 * 28 + 7] == 185);
    assert_memory_equal(numbers, first, sizeof first);
    for (size_t i = 0; i < DIGITS; i++)
        counts[numbers[i]]++;
    assert_memory_equal(counts, of_each, sizeof of_each);
    free(x);
    ebm_dataset_destroy(dataset);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    float x[6] = {0};
    int32_t labels[6] = {0};
    ebm_dataset *dataset = NULL;
    ebm_status status = EBM_ERROR_MEMORY;
    size_t n = 0, blocks = test_fixture.memory.live_blocks;
    while (status == EBM_ERROR_MEMORY) {
        assert_null(dataset);
        assert_int_equal(test_fixture.memory.live_blocks, blocks);
        test_fail_at(&test_fixture.memory, ++n, 0);
        status = ebm_dataset_create_array(test_fixture.context, x, labels, 6,
                                          1, 1, 1, 1, &dataset);
    }
    test_fail_at(&test_fixture.memory, 0, 0);
    assert_ok(status);
    assert_int_equal(n, 5); /* handle, samples, labels, order; then none */
    /* Batches need no memory. */
    size_t allocations = test_fixture.memory.allocations;
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, 1));
    for (int i = 0; i < 10; i++)
        assert_ok(ebm_dataset_next(dataset, 4, x, labels));
    assert_int_equal(test_fixture.memory.allocations, allocations);
    ebm_dataset_destroy(dataset);
}

static void the_context_may_go_first(void **state)
{
    (void)state;
    float x[3];
    ebm_dataset *dataset = test_numbers(3, 1);
    ebm_context_destroy(test_fixture.context);
    assert_ok(ebm_dataset_next(dataset, 3, x, NULL));
    assert_status(ebm_dataset_next(dataset, 4, x, NULL), EBM_ERROR_RANGE);
    ebm_dataset_destroy(dataset);
    test_fixture.context = NULL;
}

#define TEST(name)                                             \
    cmocka_unit_test_setup_teardown(name, test_dataset_set_up, \
                                    test_dataset_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_are_checked),         TEST(arrays_are_taken_as_they_are),
        TEST(bad_arrays_are_refused),       TEST(wrong_handles_are_refused),
        TEST(the_shipped_digits_are_whole), TEST(memory_may_run_out),
        TEST(the_context_may_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
