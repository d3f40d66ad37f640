/* Sets against each other: nearest neighbours by brute force, distances in
   closed form, threads, and what is refused. */
#include "ebm_test.h"

static double between(const float *a, const float *b, size_t d)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sqrt(sum);
}

/* Whether index and distance [n, k] are those of the nearest, by the
   definition: ascending, right, and nothing nearer is missing. */
static int are_nearest(const float *x, size_t n, const float *b, size_t m,
                       size_t d, size_t k, const size_t *index,
                       const double *distance)
{
    unsigned char *taken = test_memory(m);
    for (size_t i = 0; i < n; i++) {
        memset(taken, 0, m);
        for (size_t j = 0; j < k; j++) {
            size_t at = index[i * k + j];
            double r = distance[i * k + j];
            if (at >= m || taken[at] ||
                fabs(r - between(x + i * d, b + at * d, d)) > 1e-12 * r)
                return 0;
            taken[at] = 1;
            if (j &&
                (r < distance[i * k + j - 1] ||
                 (r == distance[i * k + j - 1] && at < index[i * k + j - 1])))
                return 0;
        }
        double last = distance[i * k + k - 1];
        for (size_t j = 0; j < m; j++) {
            double r = between(x + i * d, b + j * d, d);
            if (!taken[j] && r < last * (1 - 1e-14))
                return 0;
            /* Of equal ones the first. */
            if (!taken[j] && r == last && j < index[i * k + k - 1])
                return 0;
        }
    }
    free(taken);
    return 1;
}

/* More candidates than a piece holds, copies and ties among them. */
static void neighbours_are_the_nearest(void **state)
{
    (void)state;
    enum { N = 40, M = 9000, D = 7, K = 5 };
    float *b = test_floats(M * D), x[N * D];
    size_t index[N * K], first[N * K];
    double distance[N * K], first_distance[N * K];
    uint64_t random = 1;
    for (int coarse = 0; coarse < 2; coarse++) {
        test_fill_normal(&random, b, M * D, 1);
        test_fill_normal(&random, x, N * D, 1);
        for (size_t i = 0; coarse && i < M * D; i++)
            b[i] = roundf(b[i]);
        for (size_t i = 0; coarse && i < N * D; i++)
            x[i] = roundf(x[i]);
        memcpy(x, b + 8500 * D, D * sizeof *x);
        for (int threads = 1; threads <= 4; threads *= 2) {
            ebm_context *context = test_context_threads(threads);
            ebm_dataset *dataset = NULL;
            assert_ok(ebm_distance_nearest(context, x, N, b, M, D, K, index,
                                           distance));
            if (threads == 1) {
                assert_true(are_nearest(x, N, b, M, D, K, index, distance));
                memcpy(first, index, sizeof index);
                memcpy(first_distance, distance, sizeof distance);
            }
            assert_memory_equal(index, first, sizeof index);
            assert_memory_equal(distance, first_distance, sizeof distance);
            assert_true(distance[0] == 0);
            assert_true(coarse || index[0] == 8500);
            /* From a dataset the same, in other pieces or not. */
            memset(index, 0, sizeof index);
            memset(distance, 0, sizeof distance);
            assert_ok(ebm_dataset_create_array(context, b, NULL, M, 1, D, 1, 1,
                                               &dataset));
            assert_ok(
                ebm_distance_nearest_data(dataset, x, N, K, index, distance));
            assert_memory_equal(index, first, sizeof index);
            assert_memory_equal(distance, first_distance, sizeof distance);
            assert_ok(ebm_distance_nearest_data(dataset, x, N, K, NULL, NULL));
            ebm_dataset_destroy(dataset);
            ebm_context_destroy(context);
        }
    }
    free(b);
}

static void all_of_a_small_set_are_neighbours(void **state)
{
    (void)state;
    enum { M = 6, D = 2 };
    ebm_context *context = test_context_threads(1);
    float b[M * D];
    uint64_t random = 2;
    size_t index[M * M];
    double distance[M * M];
    test_fill_normal(&random, b, M * D, 1);
    for (size_t k = 1; k <= M; k++) {
        assert_ok(
            ebm_distance_nearest(context, b, M, b, M, D, k, index, distance));
        assert_true(are_nearest(b, M, b, M, D, k, index, distance));
        for (size_t i = 0; i < M; i++)
            assert_true(index[i * k] == i && distance[i * k] == 0);
    }
    ebm_context_destroy(context);
}

/* Moving a set by s moves it by |s|^2; scaling one about its mean by c leaves
   (1 - c)^2 of its total variance. */
static void the_frechet_distance_is_in_closed_form(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{400, 5}, {300, 40}, {20, 30}, {2, 3}};
    ebm_context *context = test_context_threads(2);
    uint64_t random = 3;
    for (size_t s = 0; s < TEST_COUNT(sizes); s++) {
        size_t n = sizes[s][0], d = sizes[s][1];
        float *x = test_floats(n * d), *y = test_floats(n * d);
        double value, total = 0, far = 0, c = 3;
        /* Quarters, so that moving and scaling round nothing. */
        for (size_t i = 0; i < n * d; i++)
            x[i] = (float)round(8 * test_random_normal(&random)) / 4;
        for (size_t j = 0; j < d; j++) {
            double mean = 0, squares = 0;
            for (size_t i = 0; i < n; i++)
                mean += (double)x[i * d + j] / (double)n;
            for (size_t i = 0; i < n; i++)
                squares += pow((double)x[i * d + j] - mean, 2);
            total += squares / (double)(n - 1);
            far += (c - 1) * (c - 1) * mean * mean;
        }
        assert_ok(ebm_distance_frechet(context, x, n, x, n, d, &value));
        assert_close(value, 0, 1e-10 * total, 0);
        assert_true(value >= 0);
        for (size_t i = 0; i < n * d; i++)
            y[i] = x[i] + 2;
        assert_ok(ebm_distance_frechet(context, x, n, y, n, d, &value));
        assert_close(value, 4 * (double)d, 1e-10 * total, 1e-12);
        for (size_t i = 0; i < n * d; i++)
            y[i] = (float)c * x[i];
        assert_ok(ebm_distance_frechet(context, x, n, y, n, d, &value));
        assert_close(value, (c - 1) * (c - 1) * total + far, 0, 1e-10);
        double other;
        assert_ok(ebm_distance_frechet(context, y, n, x, n, d, &other));
        assert_close(other, value, 0, 1e-10);
        free(x);
        free(y);
    }
    /* No variance at all. */
    const float points[4] = {1, 2, 1, 2}, elsewhere[4] = {4, 6, 4, 6};
    double value;
    assert_ok(
        ebm_distance_frechet(context, points, 2, elsewhere, 2, 2, &value));
    assert_close(value, 25, 0, 1e-15);
    /* Numbers at the end of what a float can be. */
    const float large[4] = {3e38f, -3e38f, -3e38f, 1e38f};
    assert_ok(ebm_distance_frechet(context, large, 2, points, 2, 2, &value));
    assert_true(isfinite(value) && value > 1e76);
    ebm_context_destroy(context);
}

static double kernel(int gaussian, const float *a, const float *b, size_t d)
{
    double dot = 0;
    for (size_t j = 0; j < d; j++)
        dot += (double)a[j] * (double)b[j];
    return gaussian ? exp(-pow(between(a, b, d), 2) / (2 * 0.8 * 0.8))
                    : pow(0.5 * dot - 0.25, 2);
}

/* The definition, and the same bits with any number of threads. */
static void the_mmd_is_its_definition(void **state)
{
    (void)state;
    enum { N = 130, M = 71, D = 3 };
    float x[N * D], y[M * D];
    uint64_t random = 4;
    test_fill_normal(&random, x, N * D, 1);
    test_fill_uniform(&random, y, M * D, 9, 11);
    for (int gaussian = 0; gaussian < 2; gaussian++) {
        double xx = 0, yy = 0, xy = 0, first = 0, value;
        if (gaussian)
            test_fill_uniform(&random, y, M * D, -1, 1);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
                xx += i == j ? 0 : kernel(gaussian, x + i * D, x + j * D, D);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < M; j++)
                yy += i == j ? 0 : kernel(gaussian, y + i * D, y + j * D, D);
        for (size_t i = 0; i < N * M; i++)
            xy += kernel(gaussian, x + i / M * D, y + i % M * D, D);
        double right =
            xx / (N * (N - 1)) + yy / (M * (M - 1)) - 2 * xy / (N * M);
        for (int threads = 1; threads <= 4; threads *= 2) {
            ebm_context *context = test_context_threads(threads);
            if (gaussian)
                assert_ok(
                    ebm_distance_mmd_rbf(context, x, N, y, M, D, 0.8, &value));
            else
                assert_ok(ebm_distance_mmd_polynomial(context, x, N, y, M, D,
                                                      2, 0.5, -0.25, &value));
            assert_close(value, right, 1e-12, 1e-12);
            first = threads == 1 ? value : first;
            assert_true(value == first);
            ebm_context_destroy(context);
        }
    }
}

/* Unbiased: over halves of one law the mean is 0. */
static void the_mmd_of_equal_laws_is_zero(void **state)
{
    (void)state;
    enum { N = 40, D = 2, REPEATS = 300 };
    ebm_context *context = test_context_threads(1);
    float x[N * D], y[N * D];
    uint64_t random = 5;
    double sum = 0, squares = 0, value;
    for (size_t r = 0; r < REPEATS; r++) {
        test_fill_normal(&random, x, N * D, 1);
        test_fill_normal(&random, y, N * D, 1);
        assert_ok(ebm_distance_mmd_rbf(context, x, N, y, N, D, 1, &value));
        sum += value / REPEATS;
        squares += value * value / REPEATS;
    }
    assert_close(sum, 0, 4 * sqrt(squares / REPEATS), 0);
    /* The bias of the estimate with the diagonal would be 2 / N or so. */
    assert_true(4 * sqrt(squares / REPEATS) < 0.2 / N);
    ebm_context_destroy(context);
}

static void frechet_bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    enum { N = 700, D = 60 };
    float *x = test_floats(N * D), *y = test_floats(N * D);
    uint64_t random = 6;
    double first = 0, value;
    test_fill_normal(&random, x, N * D, 1);
    test_fill_normal(&random, y, N * D, 2);
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        assert_ok(ebm_distance_frechet(context, x, N, y, N, D, &value));
        first = threads == 1 ? value : first;
        assert_true(value == first);
        ebm_context_destroy(context);
    }
    free(x);
    free(y);
}

static void bad_sets_are_a_status(void **state)
{
    (void)state;
    enum { N = 5, D = 2 };
    ebm_context *context = test_context_threads(1);
    float x[N * D], bad[N * D];
    double v = 5, distance[N] = {5};
    size_t index[N] = {7};
    uint64_t random = 7;
    test_fill_normal(&random, x, N * D, 1);
    memcpy(bad, x, sizeof x);
    bad[2 * D] = NAN;
#define REFUSED(call, status, word) \
    assert_error(context, call, EBM_ERROR_##status, word)
#define FRECHET(a, n, b, m, d) ebm_distance_frechet(context, a, n, b, m, d, &v)
    REFUSED(FRECHET(NULL, N, x, N, D), ARGUMENT, "x is NULL");
    REFUSED(FRECHET(x, N, NULL, N, D), ARGUMENT, "y is NULL");
    REFUSED(FRECHET(x, N, x, N, 0), ARGUMENT, "d is 0");
    REFUSED(FRECHET(x, 1, x, N, D), RANGE, "2 samples");
    REFUSED(FRECHET(x, N, x, 0, D), RANGE, "2 samples");
    REFUSED(FRECHET(bad, N, x, N, D), NON_FINITE, "sample 2 of the x");
    REFUSED(FRECHET(x, N, bad, N, D), NON_FINITE, "sample 2 of the y");
    REFUSED(FRECHET(x, SIZE_MAX / 3, x, N, D), OVERFLOW, "fit");
    REFUSED(FRECHET(x, 2, x, 2, (size_t)1 << 40), OVERFLOW, "count");
    REFUSED(ebm_distance_frechet(context, x, N, x, N, D, NULL), ARGUMENT,
            "output");
#define POLYNOMIAL(degree, scale, offset)                              \
    ebm_distance_mmd_polynomial(context, x, N, x, N, D, degree, scale, \
                                offset, &v)
    REFUSED(POLYNOMIAL(0, 1, 1), RANGE, "degree");
    REFUSED(POLYNOMIAL(17, 1, 1), RANGE, "degree");
    REFUSED(POLYNOMIAL(3, 0, 1), RANGE, "scale");
    REFUSED(POLYNOMIAL(3, NAN, 1), RANGE, "scale");
    REFUSED(POLYNOMIAL(3, 1, INFINITY), RANGE, "kernel");
    REFUSED(POLYNOMIAL(16, 1e30, 1), NON_FINITE, "range");
#define GAUSSIAN(a, width) \
    ebm_distance_mmd_rbf(context, a, N, x, N, D, width, &v)
    REFUSED(GAUSSIAN(x, 0), RANGE, "width");
    REFUSED(GAUSSIAN(x, -1), RANGE, "width");
    REFUSED(GAUSSIAN(x, NAN), RANGE, "width");
    REFUSED(GAUSSIAN(x, INFINITY), RANGE, "width");
    REFUSED(GAUSSIAN(x, 1e-200), RANGE, "width");
    REFUSED(GAUSSIAN(bad, 1), NON_FINITE, "sample 2");
#define NEAREST(a, n, b, m, d, k) \
    ebm_distance_nearest(context, a, n, b, m, d, k, index, distance)
    REFUSED(NEAREST(NULL, N, x, N, D, 1), ARGUMENT, "x is NULL");
    REFUSED(NEAREST(x, N, NULL, N, D, 1), ARGUMENT, "b is NULL");
    REFUSED(NEAREST(x, 0, x, N, D, 1), ARGUMENT, "size is 0");
    REFUSED(NEAREST(x, N, x, N, 0, 1), ARGUMENT, "size is 0");
    REFUSED(NEAREST(x, N, x, 0, D, 1), ARGUMENT, "size is 0");
    REFUSED(NEAREST(x, N, x, N, D, 0), RANGE, "k = 0");
    REFUSED(NEAREST(x, N, x, N, D, N + 1), RANGE, "k = 6");
    REFUSED(NEAREST(bad, N, x, N, D, 1), NON_FINITE, "batch");
    REFUSED(NEAREST(x, N, bad, N, D, 1), NON_FINITE, "set B");
    REFUSED(NEAREST(x, N, x, SIZE_MAX / 2, D, 1), OVERFLOW, "fit");
    REFUSED(ebm_distance_entropy(context, x, N, NULL, 0, D, N, &v, index),
            RANGE, "k = 5");
    REFUSED(ebm_distance_entropy(context, x, N, NULL, 0, D, 1, NULL, index),
            ARGUMENT, "entropy");
    assert_status(ebm_distance_frechet(NULL, x, N, x, N, D, &v),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_distance_mmd_rbf(NULL, x, N, x, N, D, 1, &v),
                  EBM_ERROR_HANDLE);
    assert_status(
        ebm_distance_mmd_polynomial(NULL, x, N, x, N, D, 1, 1, 1, &v),
        EBM_ERROR_HANDLE);
    assert_status(ebm_distance_nearest(NULL, x, N, x, N, D, 1, index, &v),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_distance_nearest_data(NULL, x, N, 1, index, &v),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_distance_entropy(NULL, x, N, NULL, 0, D, 1, &v, index),
                  EBM_ERROR_HANDLE);
    assert_true(v == 5 && distance[0] == 5 && index[0] == 7);
    ebm_context_destroy(context);
}

/* Each allocation fails once; nothing is written and nothing is lost. */
static void memory_that_runs_out_is_a_status(void **state)
{
    (void)state;
    enum { N = 5, D = 2 };
    float x[N * D];
    uint64_t random = 8;
    test_fill_normal(&random, x, N * D, 1);
    for (int which = 0; which < 6; which++)
        for (size_t at = 1, done = 0, failures = 0; !done; at++) {
            test_allocator memory = {0};
            ebm_context *context = test_context(&memory);
            ebm_dataset *dataset = NULL;
            double v[N] = {5};
            size_t index[N];
            assert_ok(ebm_dataset_create_array(context, x, NULL, N, 1, D, 1, 1,
                                               &dataset));
            test_fail_at(&memory, at, 0);
            ebm_status status =
                which == 0 ? ebm_distance_frechet(context, x, N, x, N, D, v)
                : which == 1
                    ? ebm_distance_mmd_rbf(context, x, N, x, N, D, 1, v)
                : which == 2 ? ebm_distance_mmd_polynomial(context, x, N, x, N,
                                                           D, 3, 1, 1, v)
                : which == 3
                    ? ebm_distance_nearest(context, x, N, x, N, D, 1, index, v)
                : which == 4
                    ? ebm_distance_nearest_data(dataset, x, N, 1, index, v)
                    : ebm_distance_entropy(context, x, N, NULL, 0, D, 1, v,
                                           NULL);
            test_fail_at(&memory, 0, 0);
            done = status == EBM_OK;
            if (!done) {
                assert_int_equal(status, EBM_ERROR_MEMORY);
                assert_true(v[0] == 5);
                failures++;
            }
            assert_true(failures >= 1);
            ebm_dataset_destroy(dataset);
            ebm_context_destroy(context);
            assert_no_leaks(&memory);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_the_nearest),
        cmocka_unit_test(all_of_a_small_set_are_neighbours),
        cmocka_unit_test(the_frechet_distance_is_in_closed_form),
        cmocka_unit_test(the_mmd_is_its_definition),
        cmocka_unit_test(the_mmd_of_equal_laws_is_zero),
        cmocka_unit_test(frechet_bits_do_not_depend_on_threads),
        cmocka_unit_test(bad_sets_are_a_status),
        cmocka_unit_test(memory_that_runs_out_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
