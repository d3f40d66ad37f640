/* The nearest-neighbour entropy against its definition in double, its gradient
   against differences of that, and the law it estimates. */
#include "ebm_test.h"

#include "loss/entropy.h"

static const double pi = 3.141592653589793;

/* psi(x) for x >= 1: recurrence up to 20, then the asymptotic series. */
static double digamma(double x)
{
    double sum = 0;
    for (; x < 20; x++)
        sum -= 1 / x;
    double r = 1 / (x * x);
    return sum + log(x) - 0.5 / x -
           r * (1. / 12 - r * (1. / 120 - r * (1. / 252 - r / 240)));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The estimate as it is written down; b NULL is the batch itself. */
static double reference(const double *x, size_t n, size_t d, const double *b,
                        size_t m, size_t k)
{
    size_t rows = b ? m : n, candidates = b ? m : n - 1;
    double *distances = test_doubles(rows), sum = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        for (size_t j = 0; j < rows; j++) {
            if (!b && i == j)
                continue;
            double square = 0;
            for (size_t e = 0; e < d; e++) {
                double to = (b ? b : x)[j * d + e];
                square += (x[i * d + e] - to) * (x[i * d + e] - to);
            }
            distances[count++] = sqrt(square);
        }
        qsort(distances, count, sizeof *distances, ascending);
        sum += log(fmax(distances[k - 1], 1e-6 * sqrt((double)d)));
    }
    free(distances);
    double dimension = (double)d;
    return digamma((double)candidates + 1) - digamma((double)k) +
           0.5 * dimension * log(pi) - lgamma(0.5 * dimension + 1) +
           dimension / (double)n * sum;
}

static double *to_double(const float *x, size_t n)
{
    double *out = test_doubles(n);
    for (size_t i = 0; i < n; i++)
        out[i] = (double)x[i];
    return out;
}

/* One call with a workspace of its own. */
static double entropy_of(ebm_context *context, const float *x, size_t n,
                         size_t d, const float *b, size_t m, size_t k,
                         float *gradient, size_t *near_zero)
{
    ebm_nearest_workspace workspace = {NULL, 0};
    double entropy = NAN;
    assert_ok(ebm_entropy_nearest(context, x, n, d, b, m, k, &workspace,
                                  &entropy, gradient, near_zero));
    ebm_nearest_free(context, &workspace);
    assert_null(workspace.block);
    return entropy;
}

static void assert_is_reference(ebm_context *context, const float *x, size_t n,
                                size_t d, const float *b, size_t m, size_t k)
{
    double *x_double = to_double(x, n * d);
    double *b_double = b ? to_double(b, m * d) : NULL;
    double expected = reference(x_double, n, d, b_double, m, k);
    assert_close(entropy_of(context, x, n, d, b, m, k, NULL, NULL), expected,
                 1e-11, 1e-12);
    free(x_double);
    free(b_double);
}

static void value_is_the_definition(void **state)
{
    (void)state;
    static const size_t batches[] = {1, 2, 5, 33, 100};
    static const size_t sets[] = {0, 1, 3, 20, 120};
    static const size_t dimensions[] = {1, 2, 3, 7, 8, 17, 130};
    ebm_context *context = test_context_threads(1);
    uint64_t random = 1;
    size_t checked = 0;
    for (size_t i = 0; i < TEST_COUNT(batches); i++)
        for (size_t j = 0; j < TEST_COUNT(sets); j++)
            for (size_t e = 0; e < TEST_COUNT(dimensions); e++)
                for (size_t k = 1; k <= 19; k += k < 3 ? 2 : 8) {
                    size_t n = batches[i], m = sets[j], d = dimensions[e];
                    if (k > (m ? m : n - 1))
                        continue;
                    float *x = test_floats(n * d), *b = test_floats(m * d);
                    test_fill_normal(&random, x, n * d, 1);
                    test_fill_uniform(&random, b, m * d, -1, 3);
                    assert_is_reference(context, x, n, d, m ? b : NULL, m, k);
                    free(x);
                    free(b);
                    checked++;
                }
    assert_true(checked > 300);
    ebm_context_destroy(context);
}

/* Leaving one out is the mean over the samples, each against the others. */
static void leaving_out_is_a_set_of_the_others(void **state)
{
    (void)state;
    enum { N = 40, D = 3 };
    ebm_context *context = test_context_threads(1);
    uint64_t random = 2;
    float x[N * D], others[(N - 1) * D];
    test_fill_normal(&random, x, N * D, 1);
    for (size_t k = 1; k < N; k += 2) {
        double mean = 0;
        for (size_t i = 0; i < N; i++) {
            memcpy(others, x, i * D * sizeof *x);
            memcpy(others + i * D, x + (i + 1) * D,
                   (N - 1 - i) * D * sizeof *x);
            mean += entropy_of(context, x + i * D, 1, D, others, N - 1, k,
                               NULL, NULL) /
                    N;
        }
        assert_close(entropy_of(context, x, N, D, NULL, 0, k, NULL, NULL),
                     mean, 1e-12, 1e-12);
    }
    ebm_context_destroy(context);
}

/* Central differences of the reference; a neighbour that changes within the
   step would show as a step, so seeds without are kept. */
static void gradient_is_the_slope_of_the_value(void **state)
{
    (void)state;
    enum { N = 40, M = 25 };
    static const size_t dimensions[] = {1, 2, 5, 16};
    const double h = 1e-7;
    ebm_context *context = test_context_threads(2);
    uint64_t random = 3;
    for (size_t e = 0; e < TEST_COUNT(dimensions); e++)
        for (size_t k = 1; k <= 3; k += 2)
            for (int with_b = 0; with_b < 2; with_b++) {
                size_t d = dimensions[e], size = N * d;
                float *x = test_floats(size), *b = test_floats(M * d);
                float *gradient = test_floats(size);
                test_fill_normal(&random, x, size, 1);
                test_fill_normal(&random, b, M * d, 1);
                /* What stood there does not count. */
                test_fill_normal(&random, gradient, size, 1);
                double *at = to_double(x, size),
                       *expected = test_doubles(size);
                double *to = with_b ? to_double(b, M * d) : NULL;
                for (size_t i = 0; i < size; i++) {
                    double middle = at[i];
                    at[i] = middle + h;
                    expected[i] = reference(at, N, d, to, M, k);
                    at[i] = middle - h;
                    expected[i] -= reference(at, N, d, to, M, k);
                    expected[i] /= 2 * h;
                    at[i] = middle;
                }
                size_t near_zero = 99;
                entropy_of(context, x, N, d, with_b ? b : NULL, M, k, gradient,
                           &near_zero);
                assert_int_equal(near_zero, 0);
                assert_arrays_near(gradient, expected, size, 1e-5);
                free(x);
                free(b);
                free(gradient);
                free(at);
                free(to);
                free(expected);
            }
    ebm_context_destroy(context);
}

/* Mean over replicates of the estimate for n normal samples, minus the true
   entropy, and its standard error. */
static void normal_error(ebm_context *context, size_t d, size_t k, int with_b,
                         double *mean, double *error)
{
    enum { N = 512, REPLICATES = 64 };
    const double std = 0.7;
    float *x = test_floats(N * d), *b = test_floats(N * d);
    uint64_t random = 100 * d + k;
    double sum = 0, squares = 0;
    double exact = 0.5 * (double)d * (log(2 * pi * std * std) + 1);
    for (int r = 0; r < REPLICATES; r++) {
        test_fill_normal(&random, x, N * d, std);
        test_fill_normal(&random, b, N * d, std);
        double off =
            entropy_of(context, x, N, d, with_b ? b : NULL, N, k, NULL, NULL) -
            exact;
        sum += off;
        squares += off * off;
    }
    free(x);
    free(b);
    *mean = sum / REPLICATES;
    *error = sqrt((squares / REPLICATES - *mean * *mean) / (REPLICATES - 1));
}

/* At a finite n the estimate has a bias that no constant takes away: the law
   is not flat within the distance to a neighbour. For 512 normal samples it
   was found with SciPy (a k-d tree, 1,500 replicates), to about 0.003 nats. */
static void normal_samples_have_their_entropy(void **state)
{
    (void)state;
    static const struct {
        size_t d, k;
        double bias;
    } laws[] = {
        {2, 1, -0.0108}, {2, 3, -0.0220}, {8, 1, -0.0349}, {8, 3, 0.0249}};
    ebm_context *context = test_context_threads(1);
    for (int with_b = 0; with_b < 2; with_b++)
        for (size_t i = 0; i < TEST_COUNT(laws); i++) {
            double mean, error;
            normal_error(context, laws[i].d, laws[i].k, with_b, &mean, &error);
            assert_true(error < 0.02);
            assert_close(mean, laws[i].bias, 3 * error, 0);
        }
    ebm_context_destroy(context);
}

/* Where the expansion |b|^2 - 2 x.b has no digits left. */
static void far_and_tight_clusters_are_exact(void **state)
{
    (void)state;
    enum { N = 120, D = 20 };
    ebm_context *context = test_context_threads(2);
    uint64_t random = 5;
    float x[N * D], b[N * D];
    static const struct {
        double offset, apart, spread;
    } cases[] = {
        {1000, 0, 0.005}, /* one cluster far from 0 */
        {0, 1000, 0.01},  /* two clusters far from each other */
        {-3e4, 1e4, 1},   {0, 1e-4, 1e-5}, /* all near 0 */
        {0, 0, 2e37},                      /* squares beyond a float */
        {0, 1e38, 1e37},
    };
    for (size_t c = 0; c < TEST_COUNT(cases); c++) {
        for (size_t i = 0; i < N * D; i++) {
            double centre = cases[c].offset;
            centre += i / D % 2 ? cases[c].apart : -cases[c].apart;
            x[i] = (float)(centre +
                           cases[c].spread * test_random_normal(&random));
            b[i] = (float)(centre +
                           cases[c].spread * test_random_normal(&random));
        }
        for (size_t k = 1; k <= 3; k++) {
            assert_is_reference(context, x, N, D, NULL, 0, k);
            assert_is_reference(context, x, N, D, b, N, k);
            assert_is_reference(context, x, N / 3, D, b, N, k);
        }
    }
    ebm_context_destroy(context);
}

static void copies_count_and_have_no_gradient(void **state)
{
    (void)state;
    enum { N = 60, D = 4, COPIES = 20 };
    ebm_context *context = test_context_threads(2);
    uint64_t random = 6;
    float x[N * D], gradient[N * D], zero[N * D] = {0};
    const double least = 1e-6 * sqrt(D);
    size_t near_zero = 99;
    /* All the same. */
    for (size_t i = 0; i < N * D; i++)
        x[i] = 0.1f * (float)(i % D + 1);
    for (size_t k = 1; k <= 3; k += 2) {
        assert_is_reference(context, x, N, D, NULL, 0, k);
        double h =
            entropy_of(context, x, N, D, NULL, 0, k, gradient, &near_zero);
        assert_int_equal(near_zero, N);
        assert_same_bits(gradient, zero, N * D);
        assert_close(h,
                     digamma(N) - digamma((double)k) + log(pi * pi / 2) +
                         D * log(least),
                     1e-11, 0);
    }
    /* Pairs of copies: their nearest is no neighbour, the third is. */
    test_fill_normal(&random, x, N * D, 1);
    memcpy(x + (N - COPIES) * D, x, COPIES * D * sizeof *x);
    for (size_t k = 1; k <= 2; k++) {
        assert_is_reference(context, x, N, D, NULL, 0, k);
        entropy_of(context, x, N, D, NULL, 0, k, gradient, &near_zero);
        assert_int_equal(near_zero, k == 1 ? 2 * COPIES : 0);
    }
    /* The batch as its own set: each is its own nearest. */
    entropy_of(context, x, N, D, x, N, 1, gradient, &near_zero);
    assert_int_equal(near_zero, N);
    assert_same_bits(gradient, zero, N * D);
    /* On both sides of the bound. */
    for (int side = 0; side < 2; side++) {
        float pair[2 * D] = {0};
        pair[1] = (float)(least * (side ? 1.01 : 0.99));
        assert_is_reference(context, pair, 2, D, NULL, 0, 1);
        entropy_of(context, pair, 2, D, NULL, 0, 1, gradient, &near_zero);
        assert_int_equal(near_zero, side ? 0 : 2);
        /* Both ends of both pairs, each (d / n) / rho. */
        assert_close((double)gradient[1],
                     side ? 2. * D / 2 / (double)pair[1] : 0, 0, 1e-6);
        assert_close((double)gradient[D + 1],
                     side ? -2. * D / 2 / (double)pair[1] : 0, 0, 1e-6);
        assert_true(gradient[0] == 0 && gradient[D] == 0);
    }
    ebm_context_destroy(context);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    enum { N = 150, M = 210, D = 37 };
    static const int threads[] = {1, 2, 4};
    float x[N * D], b[M * D], gradients[2][3][N * D];
    double entropies[2][3];
    uint64_t random = 7;
    test_fill_normal(&random, x, N * D, 1);
    test_fill_normal(&random, b, M * D, 1);
    for (size_t t = 0; t < 3; t++) {
        ebm_context *context = test_context_threads(threads[t]);
        for (int with_b = 0; with_b < 2; with_b++)
            entropies[with_b][t] =
                entropy_of(context, x, N, D, with_b ? b : NULL, M, 3,
                           gradients[with_b][t], NULL);
        ebm_context_destroy(context);
    }
    for (int with_b = 0; with_b < 2; with_b++)
        for (size_t t = 1; t < 3; t++) {
            assert_true(entropies[with_b][t] == entropies[with_b][0]);
            assert_same_bits(gradients[with_b][t], gradients[with_b][0],
                             N * D);
        }
}

/* The order of the samples, or of the set, is none of the estimate's. */
static void order_does_not_matter(void **state)
{
    (void)state;
    enum { N = 90, D = 12, STRIDE = 37 };
    ebm_context *context = test_context_threads(2);
    float x[N * D], b[N * D], other_x[N * D], other_b[N * D];
    float gradient[N * D], other[N * D], back[N * D];
    uint64_t random = 8;
    test_fill_normal(&random, x, N * D, 1);
    test_fill_normal(&random, b, N * D, 1);
    for (size_t i = 0; i < N; i++) {
        size_t to = i * STRIDE % N;
        memcpy(other_x + to * D, x + i * D, D * sizeof *x);
        memcpy(other_b + to * D, b + i * D, D * sizeof *b);
    }
    for (int with_b = 0; with_b < 2; with_b++) {
        double h = entropy_of(context, x, N, D, with_b ? b : NULL, N, 3,
                              gradient, NULL);
        double g = entropy_of(context, other_x, N, D, with_b ? other_b : NULL,
                              N, 3, other, NULL);
        assert_close(g, h, 0, 1e-13);
        for (size_t i = 0; i < N; i++)
            memcpy(back + i * D, other + i * STRIDE % N * D, D * sizeof *back);
        if (with_b)
            assert_same_bits(back, gradient, N * D);
        else /* sums in another order */
            assert_arrays_close(back, gradient, N * D, 1e-6);
    }
    ebm_context_destroy(context);
}

static void bad_input_is_a_status(void **state)
{
    (void)state;
    enum { N = 6, D = 2 };
    ebm_context *context = test_context_threads(1);
    ebm_nearest_workspace w = {NULL, 0};
    float x[N * D], b[N * D], bad[N * D], gradient[N * D], before[N * D];
    double h = 5;
    size_t near_zero = 77;
    uint64_t random = 9;
    test_fill_normal(&random, x, N * D, 1);
    test_fill_normal(&random, b, N * D, 1);
    test_fill_normal(&random, gradient, N * D, 1);
    memcpy(before, gradient, sizeof before);
#define REFUSED(x, n, d, b, m, k, w, h, status, word)                 \
    assert_error(context,                                             \
                 ebm_entropy_nearest(context, x, n, d, b, m, k, w, h, \
                                     gradient, &near_zero),           \
                 status, word)
    REFUSED(NULL, N, D, b, N, 1, &w, &h, EBM_ERROR_ARGUMENT, "x is NULL");
    REFUSED(x, N, D, b, N, 1, NULL, &h, EBM_ERROR_ARGUMENT, "workspace");
    REFUSED(x, N, D, b, N, 1, &w, NULL, EBM_ERROR_ARGUMENT, "entropy");
    REFUSED(x, 0, D, b, N, 1, &w, &h, EBM_ERROR_ARGUMENT, "[0, 2]");
    REFUSED(x, N, 0, b, N, 1, &w, &h, EBM_ERROR_ARGUMENT, "[6, 0]");
    REFUSED(x, N, D, b, 0, 1, &w, &h, EBM_ERROR_ARGUMENT, "empty");
    REFUSED(x, N, D, b, N, 0, &w, &h, EBM_ERROR_RANGE, "k = 0");
    REFUSED(x, N, D, b, N, N + 1, &w, &h, EBM_ERROR_RANGE, "6 candidates");
    REFUSED(x, N, D, b, N, SIZE_MAX, &w, &h, EBM_ERROR_RANGE, "candidates");
    REFUSED(x, N, D, NULL, 0, N, &w, &h, EBM_ERROR_RANGE, "5 candidates");
    REFUSED(x, 1, D, NULL, 0, 1, &w, &h, EBM_ERROR_RANGE, "0 candidates");
    REFUSED(x, SIZE_MAX / 2, 3, b, N, 1, &w, &h, EBM_ERROR_OVERFLOW, "fit");
    REFUSED(x, N, 3, b, SIZE_MAX / 2, 1, &w, &h, EBM_ERROR_OVERFLOW, "fit");
    REFUSED(x, N, D, b, (size_t)1 << 31, 1, &w, &h, EBM_ERROR_OVERFLOW, "fit");
    REFUSED(x, SIZE_MAX, 1, NULL, 0, SIZE_MAX / 2, &w, &h, EBM_ERROR_OVERFLOW,
            "fit");
    static const float not_finite[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < TEST_COUNT(not_finite); i++) {
        memcpy(bad, x, sizeof bad);
        bad[2 * D + 1] = not_finite[i];
        REFUSED(bad, N, D, b, N, 1, &w, &h, EBM_ERROR_NON_FINITE,
                "1 of sample 2 of the batch");
        REFUSED(bad, N, D, NULL, 0, 1, &w, &h, EBM_ERROR_NON_FINITE, "batch");
        REFUSED(x, N, D, bad, N, 1, &w, &h, EBM_ERROR_NON_FINITE, "set B");
    }
#undef REFUSED
    assert_null(w.block);
    assert_true(h == 5 && near_zero == 77);
    assert_same_bits(gradient, before, N * D);
    ebm_context_destroy(context);
}

/* The workspace grows when it must and only then. */
static void memory_is_the_workspace(void **state)
{
    (void)state;
    enum { N = 20, D = 3 };
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_nearest_workspace w = {NULL, 0};
    float x[N * D], gradient[N * D], before[N * D];
    uint64_t random = 10;
    double h = 5;
    test_fill_normal(&random, x, N * D, 1);
    memcpy(gradient, x, sizeof x);
    memcpy(before, x, sizeof x);
    test_fail_at(&memory, 1, 0);
    assert_error(context,
                 ebm_entropy_nearest(context, x, N / 2, D, NULL, 0, 1, &w, &h,
                                     gradient, NULL),
                 EBM_ERROR_MEMORY, "neighbours");
    assert_null(w.block);
    assert_ok(ebm_entropy_nearest(context, x, N / 2, D, NULL, 0, 1, &w, &h,
                                  NULL, NULL));
    double half = h;
    ebm_nearest_workspace held = w;
    test_fail_at(&memory, 1, 1);
    assert_status(ebm_entropy_nearest(context, x, N, D, NULL, 0, 1, &w, &h,
                                      gradient, NULL),
                  EBM_ERROR_MEMORY);
    assert_true(h == half && w.block == held.block && w.held == held.held);
    assert_same_bits(gradient, before, N * D);
    /* No more memory, and none needed. */
    for (size_t n = 2; n <= N / 2; n++)
        assert_ok(ebm_entropy_nearest(context, x, n, D, NULL, 0, 1, &w, &h,
                                      gradient, NULL));
    assert_true(h == half);
    test_fail_at(&memory, 0, 0);
    assert_ok(ebm_entropy_nearest(context, x, N, D, x, N, 2, &w, &h, gradient,
                                  NULL));
    ebm_nearest_free(context, &w);
    ebm_nearest_free(context, &w);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_is_the_definition),
        cmocka_unit_test(leaving_out_is_a_set_of_the_others),
        cmocka_unit_test(gradient_is_the_slope_of_the_value),
        cmocka_unit_test(normal_samples_have_their_entropy),
        cmocka_unit_test(far_and_tight_clusters_are_exact),
        cmocka_unit_test(copies_count_and_have_no_gradient),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(bad_input_is_a_status),
        cmocka_unit_test(memory_is_the_workspace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
