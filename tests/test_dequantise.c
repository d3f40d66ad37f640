/* Dequantisation: each byte spread over its bin, uniformly, by draws of its
   own. */
#include "datasets.h"
#include "ebm_test.h"
#include "folder.h"

#include "core/random.h"

enum { N = 40, SIZE = 16 * 31, ALL = N * SIZE, SEED = 77 };

static float first[ALL], second[ALL], x[ALL];
static double values[ALL];

static int byte_of(size_t i)
{
    return (int)(i * 7 % 256);
}

/* N images [16, 31] in the order of the file, through a file. */
static ebm_dataset *make_bytes(double low, double high)
{
    static unsigned char file[16 + ALL] = {0, 0, 8, 3,  0, 0, 0, N,
                                           0, 0, 0, 16, 0, 0, 0, 31};
    for (size_t i = 0; i < ALL; i++)
        file[16 + i] = (unsigned char)byte_of(i);
    test_folder folder;
    char path[300];
    ebm_dataset *dataset = NULL;
    test_folder_make(&folder);
    test_file_write(test_folder_file(&folder, "bytes", path), file,
                    sizeof file);
    ebm_status status = ebm_dataset_create_idx(test_fixture.context, path,
                                               NULL, SEED, &dataset);
    test_folder_remove(&folder);
    assert_ok(status);
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MIN, low));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MAX, high));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_SHUFFLE, 0));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_DEQUANTISE, 1));
    return dataset;
}

/* With [0, 256] for a range the place in the bin can be read off. */
static void places_are_uniform(void **state)
{
    (void)state;
    static const double law[2] = {0, 1};
    ebm_dataset *dataset = make_bytes(0, 256);
    assert_ok(ebm_dataset_next(dataset, N, first, NULL));
    assert_ok(ebm_dataset_next(dataset, N, second, NULL));
    double mean = 0, square = 0, product = 0, neighbours = 0;
    for (size_t i = 0; i < ALL; i++) {
        double u = (double)first[i] - byte_of(i) - 0.5;
        double v = (double)second[i] - byte_of(i) - 0.5;
        assert_true(u >= -0.5 && u <= 0.5 && v >= -0.5 && v <= 0.5);
        mean += u / ALL;
        square += u * u / ALL;
        product += u * v / ALL;
        neighbours +=
            i ? u * ((double)first[i - 1] - byte_of(i - 1) - 0.5) / ALL : 0;
        values[i] = u + 0.5;
    }
    /* Standard errors: sqrt(1/12), sqrt(1/180), 1/12 over sqrt(ALL). */
    double root = sqrt(ALL);
    assert_true(fabs(mean) < 4 * 0.2887 / root);
    assert_true(fabs(square - 1 / 12.0) < 4 * 0.0745 / root);
    assert_true(fabs(product) < 4 / 12.0 / root);
    assert_true(fabs(neighbours) < 4 / 12.0 / root);
    assert_true(test_ks(values, ALL, test_cdf_uniform, law) < 1.95);
    ebm_dataset_destroy(dataset);
}

/* It is the draw that the random numbers' contract names, in any range, and
   does not depend on the batch. */
static void values_are_the_formula(void **state)
{
    (void)state;
    static const double ranges[][2] = {{-1, 1},  {0, 1},        {1, -1},
                                       {0, 256}, {-3e38, 3e38}, {0.25, 0.25}};
    for (size_t r = 0; r < TEST_COUNT(ranges); r++) {
        double low = ranges[r][0], high = ranges[r][1];
        ebm_dataset *dataset = make_bytes(low, high);
        for (uint64_t epoch = 0; epoch < 2; epoch++) {
            for (size_t i = 0; i < N; i += 8)
                assert_ok(ebm_dataset_next(dataset, 8, x + i * SIZE, NULL));
            for (size_t i = 0; i < N; i++) {
                ebm_random random =
                    ebm_random_at(SEED, EBM_PURPOSE_DATA_DEQUANTISE, i, epoch);
                for (size_t j = 0; j < SIZE; j++) {
                    double u = ebm_random_uniform(&random, j);
                    int b = byte_of(i * SIZE + j);
                    assert_close(x[i * SIZE + j],
                                 low + (high - low) * ((b + u) / 256),
                                 1e-7 * fabs(high - low), 1e-7);
                }
            }
        }
        for (size_t i = 0; i < ALL; i++)
            assert_true(x[i] >= (float)fmin(low, high) &&
                        x[i] <= (float)fmax(low, high));
        ebm_dataset_destroy(dataset);
    }
}

/* The same numbers for the same seed; whatever order they come in. */
static void shuffling_moves_no_draw(void **state)
{
    (void)state;
    ebm_dataset *dataset = make_bytes(-1, 1), *other = make_bytes(-1, 1);
    assert_ok(ebm_dataset_set(other, EBM_DATASET_SHUFFLE, 1));
    assert_ok(ebm_dataset_next(dataset, N, first, NULL));
    assert_ok(ebm_dataset_next(other, N, second, NULL));
    assert_other_bits(first, second, ALL);
    size_t found = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            found += !memcmp(first + i * SIZE, second + j * SIZE,
                             SIZE * sizeof *first);
    assert_int_equal(found, N);
    ebm_dataset_destroy(other);
    ebm_dataset_destroy(dataset);
}

/* Both kinds of noise add up, each drawing what it draws alone; the sum is
   clamped. */
static void it_works_with_noise(void **state)
{
    (void)state;
    static float noisy[ALL], clean[ALL], sum[ALL];
    const double std = 0.05;
    for (int both = 0; both < 2; both++)
        for (int noise = 0; noise < 2; noise++) {
            ebm_dataset *dataset = make_bytes(-1, 1);
            assert_ok(ebm_dataset_set(dataset, EBM_DATASET_DEQUANTISE, both));
            assert_ok(
                ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, noise * std));
            float *out = both ? noise ? sum : first : noise ? noisy : clean;
            assert_ok(ebm_dataset_next(dataset, N, out, NULL));
            ebm_dataset_destroy(dataset);
        }
    size_t inside = 0;
    for (size_t i = 0; i < ALL; i++) {
        assert_true(sum[i] >= -1 && sum[i] <= 1);
        if (fabs(clean[i]) > 1 - 8 * std)
            continue;
        assert_close(sum[i], (double)first[i] + noisy[i] - clean[i], 1e-6, 0);
        inside++;
    }
    assert_true(inside > ALL / 2);
    assert_other_bits(sum, noisy, ALL);
}

/* Reading gives b / 255 of the range, a point of the same bin; floats of the
   caller's are left as they are. */
static void other_values_stay(void **state)
{
    (void)state;
    ebm_dataset *dataset = make_bytes(0, 256);
    assert_ok(ebm_dataset_read(dataset, 0, N, x, NULL));
    for (size_t i = 0; i < ALL; i++) {
        int b = byte_of(i);
        assert_close(x[i], 256 * b / 255.0, 1e-4, 0);
        assert_true(x[i] >= (float)b && x[i] <= (float)(b + 1));
    }
    ebm_dataset_destroy(dataset);
    float got[3];
    dataset = test_numbers(3, 1);
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_SHUFFLE, 0));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_DEQUANTISE, 1));
    assert_ok(ebm_dataset_next(dataset, 3, got, NULL));
    assert_true(got[0] == 0 && got[1] == 1 && got[2] == 2);
    ebm_dataset_destroy(dataset);
}

#define TEST(name)                                             \
    cmocka_unit_test_setup_teardown(name, test_dataset_set_up, \
                                    test_dataset_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(places_are_uniform),      TEST(values_are_the_formula),
        TEST(shuffling_moves_no_draw), TEST(it_works_with_noise),
        TEST(other_values_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
