/* The kernels of softmax and its derivatives, every variant that this machine
   can run, against plain loops in double. */
#include "ebm_test.h"
#include "kernel_check.h"

enum { ROWS = 5, LONG = ROWS * TEST_ROOM };

/* Rows of n numbers, `stride` apart, behind which stands what must not
   matter. */
static void fill_rows(uint64_t *random, size_t n, size_t stride, double std,
                      float *x)
{
    for (size_t i = 0; i < LONG; i++)
        x[i] = i < ROWS * stride ? NAN : TEST_GUARD;
    for (size_t r = 0; r < ROWS; r++)
        test_fill_normal(random, x + r * stride, n, std);
}

static void assert_rest_guarded(const float *x, size_t from)
{
    for (size_t i = from; i < LONG; i++)
        assert_true(x[i] == TEST_GUARD);
}

static void softmax_of(size_t n, const float *s, double *p)
{
    double most = -INFINITY, sum = 0;
    for (size_t c = 0; c < n; c++)
        most = fmax(most, (double)s[c]);
    for (size_t c = 0; c < n; c++)
        sum += p[c] = exp((double)s[c] - most);
    for (size_t c = 0; c < n; c++)
        p[c] /= sum;
}

static double dot_of(size_t n, const double *a, const double *b)
{
    double sum = 0;
    for (size_t c = 0; c < n; c++)
        sum += a[c] * b[c];
    return sum;
}

/* Rows with large numbers of either sign among them, which overflow unless
   the largest is taken off first. */
static void check_softmax(const ebm_kernels *kernels, size_t n,
                          uint64_t *random)
{
    static const float shifts[ROWS] = {0, 1e4f, -1e4f, 80, 0};
    size_t stride = test_whole_vectors(n);
    float s[LONG], out[LONG];
    fill_rows(random, n, stride, 3, s);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < n; c++)
            s[r * stride + c] += shifts[r];
    s[4 * stride + n / 2] = 3e38f; /* alone, next to what is nothing */
    memcpy(out, s, sizeof s);
    kernels->softmax(ROWS, n, stride, out);
    for (size_t r = 0; r < ROWS; r++) {
        double p[TEST_ROOM], sum = 0;
        softmax_of(n, s + r * stride, p);
        for (size_t c = 0; c < n; c++) {
            assert_close(out[r * stride + c], p[c], 1e-37, 3e-6);
            sum += (double)out[r * stride + c];
        }
        assert_close(sum, 1, 1e-6, 0);
        for (size_t c = n; c < stride; c++)
            assert_true(out[r * stride + c] == 0);
    }
    assert_rest_guarded(out, ROWS * stride);
}

static void rows_become_probabilities(void **state)
{
    (void)state;
    test_each_kernel(check_softmax);
}

static void check_not_a_number(const ebm_kernels *kernels, size_t n,
                               uint64_t *random)
{
    size_t stride = test_whole_vectors(n);
    float s[LONG];
    fill_rows(random, n, stride, 1, s);
    s[stride + n / 3] = NAN;
    s[3 * stride + n - 1] = INFINITY;
    kernels->softmax(ROWS, n, stride, s);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < n; c++)
            assert_int_equal(isnan(s[r * stride + c]) != 0, r == 1 || r == 3);
}

static void what_is_no_number_stays_visible(void **state)
{
    (void)state;
    test_each_kernel(check_not_a_number);
}

/* One row, in double. */
static void widen(size_t n, const float *from, double *to)
{
    for (size_t c = 0; c < n; c++)
        to[c] = (double)from[c];
}

/* The rows of p and of its tangent are as the kernels leave them, with zeros
   behind the columns; behind those of g and its tangent stands rubbish. Errors
   are measured by the size of what is added up. */
static void check_derivatives(const ebm_kernels *kernels, size_t n,
                              uint64_t *random)
{
    size_t stride = test_whole_vectors(n);
    float p[LONG], tp[LONG], g[LONG], tg[LONG], slope[LONG], bend[LONG];
    fill_rows(random, n, stride, 1, p);
    fill_rows(random, n, stride, 1, tp);
    fill_rows(random, n, stride, 1, g);
    fill_rows(random, n, stride, 1, tg);
    kernels->softmax(ROWS, n, stride, p);
    kernels->softmax_slope(ROWS, n, stride, p, tp);
    memcpy(slope, g, sizeof g);
    memcpy(bend, tg, sizeof tg);
    kernels->softmax_slope(ROWS, n, stride, p, slope);
    assert_rest_guarded(slope, ROWS * stride);
    float again[LONG];
    memcpy(again, g, sizeof g);
    kernels->softmax_bend(ROWS, n, stride, p, tp, again, bend);
    assert_rest_guarded(again, ROWS * stride);
    assert_rest_guarded(bend, ROWS * stride);
    for (size_t r = 0; r < ROWS; r++) {
        double q[TEST_ROOM], tq[TEST_ROOM], d[TEST_ROOM], td[TEST_ROOM];
        size_t at = r * stride;
        widen(n, p + at, q);
        widen(n, tp + at, tq);
        widen(n, g + at, d);
        widen(n, tg + at, td);
        double mean = dot_of(n, q, d);
        double tmean = dot_of(n, tq, d) + dot_of(n, q, td);
        /* Both kernels give the same first derivative. */
        assert_same_bits(again + at, slope + at, stride);
        for (size_t c = 0; c < n; c++) {
            assert_close(slope[at + c], q[c] * (d[c] - mean), 3e-6 * q[c], 0);
            assert_close(bend[at + c],
                         tq[c] * (d[c] - mean) + q[c] * (td[c] - tmean),
                         1e-5 * (q[c] + fabs(tq[c])), 0);
        }
        for (size_t c = n; c < stride; c++)
            assert_true(slope[at + c] == 0 && bend[at + c] == 0);
    }
}

static void derivatives_of_rows(void **state)
{
    (void)state;
    test_each_kernel(check_derivatives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_probabilities),
        cmocka_unit_test(what_is_no_number_stays_visible),
        cmocka_unit_test(derivatives_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
