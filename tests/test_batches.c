/* Batches of a dataset: order, epochs, value range, noise. */
#include "datasets.h"
#include "ebm_test.h"
#include "folder.h"

#include "core/random.h"

/* n samples of `size` floats, all `value`. */
static ebm_dataset *make_constant(size_t n, size_t size, float value,
                                  uint64_t seed)
{
    ebm_dataset *dataset = NULL;
    float *x = test_floats(n * size);
    for (size_t i = 0; i < n * size; i++)
        x[i] = value;
    assert_ok(ebm_dataset_create_array(test_fixture.context, x, NULL, n, 1,
                                       size, 1, seed, &dataset));
    free(x);
    return dataset;
}

/* One image of 16 x 16 bytes, 0 to 255, through a file. */
static ebm_dataset *make_bytes(void)
{
    unsigned char file[16 + 256] = {0, 0, 8, 3,  0, 0, 0, 1,
                                    0, 0, 0, 16, 0, 0, 0, 16};
    for (int i = 0; i < 256; i++)
        file[16 + i] = (unsigned char)i;
    test_folder folder;
    char path[300];
    ebm_dataset *dataset = NULL;
    test_folder_make(&folder);
    test_file_write(test_folder_file(&folder, "bytes", path), file,
                    sizeof file);
    ebm_status status =
        ebm_dataset_create_idx(test_fixture.context, path, NULL, 1, &dataset);
    test_folder_remove(&folder);
    assert_ok(status);
    return dataset;
}

/* Reads a whole epoch in batches of `batch` and checks that each number
   comes once. */
static void read_permutation(ebm_dataset *dataset, size_t batch, float *order)
{
    size_t n = ebm_dataset_count(dataset);
    unsigned char *seen = test_memory(n);
    memset(seen, 0, n);
    for (size_t i = 0; i < n; i += batch)
        assert_ok(ebm_dataset_next(dataset, batch, order + i, NULL));
    for (size_t i = 0; i < n; i++) {
        assert_true(order[i] >= 0 && order[i] < (float)n);
        assert_int_equal(seen[(size_t)order[i]]++, 0);
    }
    free(seen);
}

static void each_epoch_is_a_new_permutation(void **state)
{
    (void)state;
    enum { COUNT = 600, EPOCHS = 3 };
    static float order[3][EPOCHS][COUNT];
    ebm_dataset *numbers[3] = {test_numbers(COUNT, 7), test_numbers(COUNT, 7),
                               test_numbers(COUNT, 8)};
    for (size_t i = 0; i < 3; i++)
        for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
            assert_int_equal(ebm_dataset_epoch(numbers[i]), epoch);
            read_permutation(numbers[i], i == 1 ? 25 : 100, order[i][epoch]);
        }
    for (size_t epoch = 0; epoch < EPOCHS; epoch++) {
        /* The same for any size of batch, another for another seed. */
        assert_same_bits(order[0][epoch], order[1][epoch], COUNT);
        assert_other_bits(order[0][epoch], order[2][epoch], COUNT);
        assert_other_bits(order[0][epoch], order[0][(epoch + 1) % EPOCHS],
                          COUNT);
    }
    for (size_t i = 0; i < 3; i++)
        ebm_dataset_destroy(numbers[i]);
}

/* All 24 orders of four samples are equally likely: chi squared with 23
   degrees of freedom is above 49.7 with a probability of 0.1 %. */
static void orders_are_equally_likely(void **state)
{
    (void)state;
    enum { EPOCHS = 24000 };
    size_t counts[256] = {0}, different = 0;
    double chi = 0;
    float order[4];
    ebm_dataset *dataset = test_numbers(4, 11);
    for (size_t i = 0; i < EPOCHS; i++) {
        assert_ok(ebm_dataset_next(dataset, 4, order, NULL));
        counts[(size_t)(order[0] + 4 * order[1] + 16 * order[2] +
                        64 * order[3])]++;
    }
    for (size_t i = 0; i < 256; i++)
        if (counts[i]) {
            double off = (double)counts[i] - EPOCHS / 24.0;
            chi += off * off / (EPOCHS / 24.0);
            different++;
        }
    assert_int_equal(different, 24);
    assert_true(chi < 49.7 && chi > 5);
    ebm_dataset_destroy(dataset);
}

static void the_tail_is_dropped(void **state)
{
    (void)state;
    float x[10];
    ebm_dataset *dataset = test_numbers(10, 1);
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_SHUFFLE, 0));
    /* size of the batch; first sample and epoch of it; epoch afterwards */
    static const size_t rows[][4] = {
        {4, 0, 0, 0}, {4, 4, 0, 0},  {4, 0, 1, 1}, {6, 4, 1, 2},
        {5, 0, 2, 2}, {6, 0, 3, 3},  {4, 6, 3, 4}, {10, 0, 4, 5},
        {1, 0, 5, 5}, {10, 0, 6, 7}, {9, 0, 7, 7}, {1, 9, 7, 8},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        assert_ok(ebm_dataset_next(dataset, rows[i][0], x, NULL));
        for (size_t j = 0; j < rows[i][0]; j++)
            assert_true(x[j] == (float)(rows[i][1] + j));
        assert_int_equal(ebm_dataset_epoch(dataset), rows[i][3]);
    }
    assert_error(test_fixture.context, ebm_dataset_next(dataset, 0, x, NULL),
                 EBM_ERROR_RANGE, "batch of 0");
    assert_error(test_fixture.context, ebm_dataset_next(dataset, 11, x, NULL),
                 EBM_ERROR_RANGE, "batch of 11");
    assert_error(test_fixture.context,
                 ebm_dataset_next(dataset, 4, NULL, NULL), EBM_ERROR_ARGUMENT,
                 "x is NULL");
    /* Failures moved nothing. */
    assert_int_equal(ebm_dataset_epoch(dataset), 8);
    assert_ok(ebm_dataset_next(dataset, 1, x, NULL));
    assert_true(x[0] == 0);
    ebm_dataset_destroy(dataset);
}

static void changing_shuffle_begins_the_epoch_anew(void **state)
{
    (void)state;
    float shuffled[6], x[6];
    ebm_dataset *dataset = test_numbers(6, 3);
    assert_ok(ebm_dataset_next(dataset, 4, shuffled, NULL));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_SHUFFLE, 1)); /* as is */
    assert_ok(ebm_dataset_next(dataset, 1, shuffled + 4, NULL));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_SHUFFLE, 0));
    assert_int_equal(ebm_dataset_epoch(dataset), 0);
    assert_ok(ebm_dataset_next(dataset, 5, x, NULL));
    for (int i = 0; i < 5; i++)
        assert_true(x[i] == (float)i);
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_SHUFFLE, 1));
    assert_ok(ebm_dataset_next(dataset, 5, x, NULL));
    assert_same_bits(x, shuffled, 5);
    ebm_dataset_destroy(dataset);
}

static void labels_follow_their_samples(void **state)
{
    (void)state;
    float x[50];
    int32_t labels[50];
    ebm_dataset *dataset = NULL;
    for (int i = 0; i < 50; i++) {
        x[i] = (float)i;
        labels[i] = 3 * i;
    }
    assert_ok(ebm_dataset_create_array(test_fixture.context, x, labels, 50, 1,
                                       1, 1, 2, &dataset));
    for (int noisy = 0; noisy < 2; noisy++) {
        assert_ok(
            ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, noisy * 0.01));
        memset(labels, 0, sizeof labels);
        assert_ok(ebm_dataset_next(dataset, 50, x, labels));
        for (int i = 0; i < 50; i++)
            assert_int_equal(labels[i], 3 * lround(x[i]));
        assert_ok(ebm_dataset_next(dataset, 50, x, NULL));
    }
    ebm_dataset_destroy(dataset);
    dataset = test_numbers(3, 1);
    labels[0] = labels[1] = labels[2] = 9;
    assert_ok(ebm_dataset_next(dataset, 3, x, labels));
    assert_true(!labels[0] && !labels[1] && !labels[2]);
    ebm_dataset_destroy(dataset);
}

static void bytes_are_scaled_to_the_range(void **state)
{
    (void)state;
    static const double ranges[][2] = {{-1, 1}, {0, 1},        {0, 255},
                                       {1, -1}, {-3e38, 3e38}, {0.25, 0.25}};
    ebm_dataset *dataset = make_bytes();
    for (size_t i = 0; i < TEST_COUNT(ranges); i++) {
        float x[256];
        double low = ranges[i][0], high = ranges[i][1];
        assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MIN, low));
        assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MAX, high));
        assert_ok(ebm_dataset_next(dataset, 1, x, NULL));
        assert_true(x[0] == (float)low && x[255] == (float)high);
        for (int b = 0; b < 256; b++)
            assert_close(x[b], low + (high - low) * b / 255,
                         1e-7 * fabs(high - low), 1e-7);
    }
    ebm_dataset_destroy(dataset);
}

static void noise_is_normal_and_of_its_own_stream(void **state)
{
    (void)state;
    enum { COUNT = 50, SIZE = 403, ALL = COUNT * SIZE };
    static const double law[2] = {0.5, 0.25}, half = 0.5;
    static float first[ALL], second[ALL], again[ALL], clean[ALL];
    static double values[ALL];
    ebm_dataset *dataset = make_constant(COUNT, SIZE, 0.5f, 21);
    ebm_dataset *other = make_constant(COUNT, SIZE, 0.5f, 21);
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, 0.25));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_SHUFFLE, 0));
    assert_ok(ebm_dataset_set(other, EBM_DATASET_NOISE_STD, 0.25));
    assert_ok(ebm_dataset_set(other, EBM_DATASET_SHUFFLE, 0));
    assert_ok(ebm_dataset_next(dataset, COUNT, first, NULL));
    assert_ok(ebm_dataset_next(dataset, COUNT, second, NULL));
    for (size_t i = 0; i < ALL; i++)
        values[i] = first[i];
    assert_true(test_ks(values, ALL, test_cdf_normal, law) < 1.95);
    double product = 0;
    for (size_t i = 0; i < ALL; i++)
        product += (first[i] - half) * (second[i] - half);
    /* Uncorrelated: standard error std^2 / sqrt(ALL). */
    assert_true(fabs(product / ALL) < 4 * 0.0625 / sqrt(ALL));
    assert_other_bits(first, first + SIZE, SIZE);
    /* What a sample gets does not depend on the batch. */
    for (size_t i = 0; i < COUNT; i += 5)
        assert_ok(ebm_dataset_next(other, 5, again + i * SIZE, NULL));
    assert_same_bits(again, first, ALL);
    /* It is the draw that the random numbers' contract names. */
    for (size_t i = 0; i < COUNT; i++) {
        ebm_random random = ebm_random_at(21, EBM_PURPOSE_DATA_NOISE, i, 1);
        for (size_t j = 0; j < SIZE; j++)
            assert_close(second[i * SIZE + j],
                         0.5 + 0.25 * ebm_random_normal(&random, j), 1e-6, 0);
    }
    assert_ok(ebm_dataset_read(dataset, 0, COUNT, clean, NULL));
    for (size_t i = 0; i < ALL; i++)
        assert_true(clean[i] == 0.5f);
    ebm_dataset_destroy(dataset);
    ebm_dataset_destroy(other);
}

static void noisy_bytes_are_clamped(void **state)
{
    (void)state;
    ebm_dataset *dataset = make_bytes();
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, 0.5));
    for (int inverted = 0; inverted < 2; inverted++) {
        double low = inverted ? 1 : -1;
        size_t lower = 0, upper = 0;
        float x[256];
        assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MIN, low));
        assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MAX, -low));
        assert_ok(ebm_dataset_next(dataset, 1, x, NULL));
        for (int i = 0; i < 256; i++) {
            assert_true(x[i] >= -1 && x[i] <= 1);
            lower += x[i] == -1;
            upper += x[i] == 1;
        }
        /* E[max(0, noise beyond an end)]: about 256 * 0.2 / 2 at each. */
        assert_true(lower > 10 && lower < 50 && upper > 10 && upper < 50);
    }
    ebm_dataset_destroy(dataset);
}

static void arrays_are_clamped_on_request(void **state)
{
    (void)state;
    enum { SIZE = 1000 };
    static float x[SIZE];
    ebm_dataset *dataset = make_constant(1, SIZE, 2, 5);
    for (int noisy = 0; noisy < 2; noisy++)
        for (int clamped = 0; clamped < 2; clamped++) {
            size_t outside = 0;
            assert_ok(ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, noisy));
            assert_ok(ebm_dataset_set(dataset, EBM_DATASET_CLAMP, clamped));
            assert_ok(ebm_dataset_next(dataset, 1, x, NULL));
            for (size_t i = 0; i < SIZE; i++)
                outside += !(x[i] >= -1 && x[i] <= 1);
            if (clamped)
                assert_int_equal(outside, 0);
            else
                assert_true(outside > SIZE / 2);
        }
    ebm_dataset_destroy(dataset);
}

#define TEST(name)                                             \
    cmocka_unit_test_setup_teardown(name, test_dataset_set_up, \
                                    test_dataset_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_epoch_is_a_new_permutation),
        TEST(orders_are_equally_likely),
        TEST(the_tail_is_dropped),
        TEST(changing_shuffle_begins_the_epoch_anew),
        TEST(labels_follow_their_samples),
        TEST(bytes_are_scaled_to_the_range),
        TEST(noise_is_normal_and_of_its_own_stream),
        TEST(noisy_bytes_are_clamped),
        TEST(arrays_are_clamped_on_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
