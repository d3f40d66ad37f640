/* The kernels of the output heads, and those of rows of channels, every
   variant that this machine can run, against plain loops in double. */
#include <float.h>

#include "ebm_test.h"
#include "kernel_check.h"

typedef void (*plain_fn)(size_t n, float *x, float *slope);
typedef void (*tangent_fn)(size_t n, float *x, float *slope, float *t,
                           float *bend);

static const float corners[] = {0,   -0.0f, 1e-30f, -1e-30f, 1,      -1,  15,
                                -15, 20,    -20,    88.8f,   -88.8f, 102, -102,
                                104, -104,  1e4f,   -1e4f,   1.5e38f};

/* f(x) and its derivatives. */
typedef struct truth {
    double value, first, second;
} truth;

static truth square_of(double x)
{
    return (truth){x * x, 2 * x, 2};
}

static truth softplus_of(double x)
{
    double e = exp(-fabs(x));
    double sigmoid = x >= 0 ? 1 / (1 + e) : e / (1 + e);
    return (truth){fmax(x, 0) + log1p(e), sigmoid, e / ((1 + e) * (1 + e))};
}

/* Relative, down to what is too small for a normal float. */
static void assert_ulps(double got, double right, int ulps)
{
    if (fabs(right) > FLT_MAX)
        assert_true(isinf(got));
    else
        assert_close(got, right, 1e-37, ulps * 0x1p-24);
}

/* Value and slope have the bits of the plain kernel, and all four arrays are
   written up to whole vectors only. */
static void check_head(plain_fn plain, tangent_fn tangent,
                       truth (*right)(double), size_t n, uint64_t *random)
{
    float in[TEST_ROOM] = {0}, dot[TEST_ROOM], x[TEST_ROOM], slope[TEST_ROOM];
    float t[TEST_ROOM], bend[TEST_ROOM], alone[TEST_ROOM], first[TEST_ROOM];
    test_fill_normal(random, in, n, 3);
    test_fill_normal(random, dot, TEST_ROOM, 1);
    for (size_t i = 0; i < TEST_COUNT(corners) && i < n / 2; i++)
        in[i] = corners[i];
    memcpy(x, in, sizeof in);
    memcpy(alone, in, sizeof in);
    memcpy(t, dot, sizeof dot);
    float *arrays[] = {x, slope, t, bend, alone, first};
    for (size_t i = 0; i < TEST_COUNT(arrays); i++)
        test_guard(arrays[i], test_whole_vectors(n));
    plain(n, alone, first);
    tangent(n, x, slope, t, bend);
    assert_memory_equal(x, alone, n * sizeof *x);
    assert_same_bits(slope, first, n);
    for (size_t i = 0; i < n; i++) {
        truth f = right((double)in[i]);
        double d = (double)dot[i];
        assert_ulps((double)x[i], f.value, 8);
        assert_ulps((double)slope[i], f.first, 8);
        assert_ulps((double)t[i], f.first * d, 10);
        assert_ulps((double)bend[i], f.second * d, 12);
    }
    for (size_t i = 0; i < TEST_COUNT(arrays); i++)
        assert_guarded(arrays[i], test_whole_vectors(n));
}

static void check_square(const ebm_kernels *kernels, size_t n,
                         uint64_t *random)
{
    check_head(kernels->square, kernels->square_tangent, square_of, n, random);
}

static void check_softplus(const ebm_kernels *kernels, size_t n,
                           uint64_t *random)
{
    check_head(kernels->softplus, kernels->softplus_tangent, softplus_of, n,
               random);
}

static void heads_and_their_derivatives(void **state)
{
    (void)state;
    test_each_kernel(check_square);
    test_each_kernel(check_softplus);
}

static void check_non_finite(const ebm_kernels *kernels, size_t n,
                             uint64_t *random)
{
    (void)random;
    float x[TEST_ROOM] = {0}, slope[TEST_ROOM];
    for (size_t i = 0; i < n; i++)
        x[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
    kernels->softplus(n, x, slope);
    for (size_t i = 0; i < n; i++) {
        assert_true(i % 3 == 0 ? isnan(x[i])
                               : x[i] == (i % 3 == 1 ? INFINITY : 0));
        assert_true(i % 3 == 0 ? isnan(slope[i])
                               : slope[i] == (i % 3 == 1 ? 1 : 0));
    }
}

static void softplus_at_infinity(void **state)
{
    (void)state;
    test_each_kernel(check_non_finite);
}

/* As many rows as fit, of n channels. */
static void check_columns(const ebm_kernels *kernels, size_t n,
                          uint64_t *random)
{
    float a[TEST_ROOM], b[TEST_ROOM], to[TEST_ROOM], sum[TEST_ROOM];
    size_t rows = TEST_ROOM / n < 9 ? TEST_ROOM / n : 9, all = rows * n;
    test_fill_normal(random, a, TEST_ROOM, 1);
    test_fill_normal(random, b, TEST_ROOM, 1);
    test_guard(to, 0);
    test_guard(sum, 0);
    kernels->scale_columns(rows, n, b, a, to);
    kernels->column_dots(rows, n, a, b, sum);
    for (size_t c = 0; c < n; c++) {
        double right = 0, size = 0;
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * n + c;
            assert_true(to[i] == b[c] * a[i]);
            right += (double)a[i] * (double)b[i];
            size += fabs((double)a[i] * (double)b[i]);
        }
        assert_close(sum[c], right, 10 * 0x1p-24 * size, 0);
    }
    assert_guarded(to, all);
    assert_guarded(sum, n);
}

static void rows_of_channels(void **state)
{
    (void)state;
    test_each_kernel(check_columns);
}

/* Terms that a float sum would lose. */
static void check_dot(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    float a[TEST_ROOM], b[TEST_ROOM];
    double right = 0, size = 0;
    test_fill_normal(random, a, TEST_ROOM, 1);
    test_fill_normal(random, b, TEST_ROOM, 1);
    a[0] = 3e7f;
    for (size_t i = 0; i < n; i++) {
        right += (double)a[i] * (double)b[i];
        size += fabs((double)a[i] * (double)b[i]);
    }
    assert_close(kernels->dot(n, a, b), right, 1e-14 * size, 0);
    assert_true(kernels->dot(n, a, b) == ebm_kernels_variant(0)->dot(n, a, b));
}

static void dots_are_in_double(void **state)
{
    (void)state;
    if (!ebm_kernels_variant(0)->usable())
        skip();
    test_each_kernel(check_dot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_and_their_derivatives),
        cmocka_unit_test(softplus_at_infinity),
        cmocka_unit_test(rows_of_channels),
        cmocka_unit_test(dots_are_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
