/* Activations, sums and updates: every variant that this machine can run,
   against plain loops and against each other. */
#include "ebm_test.h"
#include "kernel_check.h"

static void variants_are_named_and_chosen(void **state)
{
    (void)state;
    size_t count = 0, usable = 0;
    while (ebm_kernels_variant(count)) {
        const ebm_kernels *k = ebm_kernels_variant(count);
        assert_true(k->name && strlen(k->name) > 0);
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(k->name, ebm_kernels_variant(i)->name);
        if (k->usable() && !usable++)
            assert_ptr_equal(k, ebm_kernels_best());
        print_message("%s: %s\n", k->name, k->usable() ? "runs" : "not here");
        count++;
    }
    assert_true(count > 0 && usable > 0);
    assert_true(ebm_kernels_variant(count - 1)->usable());
    assert_null(ebm_kernels_variant(count + 1));
}

static void check_swish(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    static const float corners[] = {0,    -0.0f, 1e-30f, -1e-30f, 20,
                                    -20,  88.8f, -88.8f, 104,     -104,
                                    1e4f, -1e4f, 3e38f,  -3e38f,  -1.2784645f};
    float x[TEST_ROOM], slope[TEST_ROOM], in[TEST_LONGEST];
    test_fill_normal(random, in, n, 3);
    for (size_t i = 0; i < TEST_COUNT(corners) && i < n / 2; i++)
        in[i] = corners[i];
    test_guard(x, 0);
    test_guard(slope, test_whole_vectors(n));
    memcpy(x, in, n * sizeof *x);
    kernels->swish(n, x, slope);
    for (size_t i = 0; i < n; i++) {
        double v = in[i], s = 1 / (1 + exp(-v)), y = v * s;
        /* 4 units of each value; the slope passes through 0. Below -88.7
           exp(-x) overflows, and what is left of swish counts as 0. */
        assert_close(x[i], y, 3e-37, 4 * 0x1p-23);
        assert_close(slope[i], s + y * (1 - s), 4 * 0x1p-24, 4 * 0x1p-23);
    }
    assert_guarded(x, test_whole_vectors(n));
    assert_guarded(slope, test_whole_vectors(n));
}

static void swish_is_swish(void **state)
{
    (void)state;
    test_each_kernel(check_swish);
}

static void check_leaky(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    static const float leaks[] = {0, 0.01f, 0.2f, 1};
    for (size_t l = 0; l < TEST_COUNT(leaks); l++) {
        float x[TEST_ROOM], slope[TEST_ROOM], in[TEST_LONGEST];
        test_fill_normal(random, in, n, 1);
        in[n / 2] = 0;
        in[n / 3] = -0.0f;
        test_guard(x, 0);
        test_guard(slope, test_whole_vectors(n));
        memcpy(x, in, n * sizeof *x);
        kernels->leaky_relu(n, leaks[l], x, slope);
        for (size_t i = 0; i < n; i++) {
            assert_true(x[i] == (in[i] > 0 ? in[i] : leaks[l] * in[i]));
            assert_true(slope[i] == (in[i] > 0 ? 1 : leaks[l]));
        }
        assert_guarded(x, test_whole_vectors(n));
        assert_guarded(slope, test_whole_vectors(n));
    }
}

static void leaky_relu_has_its_kink_at_zero(void **state)
{
    (void)state;
    test_each_kernel(check_leaky);
}

static void check_multiply(const ebm_kernels *kernels, size_t n,
                           uint64_t *random)
{
    float slope[TEST_ROOM], g[TEST_ROOM], in[TEST_ROOM];
    test_fill_normal(random, slope, TEST_ROOM, 1);
    test_fill_normal(random, in, TEST_ROOM, 1);
    memcpy(g, in, sizeof g);
    test_guard(g, test_whole_vectors(n));
    kernels->multiply(n, slope, g);
    for (size_t i = 0; i < n; i++)
        assert_true(g[i] == in[i] * slope[i]);
    assert_guarded(g, test_whole_vectors(n));
}

static void multiply_multiplies(void **state)
{
    (void)state;
    test_each_kernel(check_multiply);
}

/* Bias and column sums on [rows, n] arrays with nothing between the rows. */
static void check_columns(const ebm_kernels *kernels, size_t n,
                          uint64_t *random)
{
    enum { ROWS = 7 };
    float *y = test_floats(ROWS * n + 1), *in = test_floats(ROWS * n);
    float bias[TEST_ROOM], sum[TEST_ROOM];
    test_fill_normal(random, in, ROWS * n, 1);
    test_fill_normal(random, bias, n, 1);
    test_guard(bias, n);
    memcpy(y, in, ROWS * n * sizeof *y);
    y[ROWS * n] = TEST_GUARD;
    kernels->add_bias(ROWS, n, bias, y);
    for (size_t i = 0; i < ROWS * n; i++)
        assert_true(y[i] == in[i] + bias[i % n]);
    assert_true(y[ROWS * n] == TEST_GUARD);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        float plain[TEST_LONGEST] = {0};
        for (size_t c = 0; c < n; c++)
            sum[c] = accumulate ? (float)c : NAN;
        test_guard(sum, n);
        kernels->column_sums(ROWS, n, in, accumulate, sum);
        for (size_t c = 0; c < n; c++) {
            plain[c] = accumulate ? (float)c : 0;
            for (size_t r = 0; r < ROWS; r++)
                plain[c] += in[r * n + c];
        }
        /* The documented order of the sum: bits, not just values. */
        assert_same_bits(sum, plain, n);
        assert_guarded(sum, n);
    }
    free(y);
    free(in);
}

static void bias_and_column_sums(void **state)
{
    (void)state;
    test_each_kernel(check_columns);
}

static void check_clip_and_square(const ebm_kernels *kernels, size_t n,
                                  uint64_t *random)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float in[TEST_LONGEST], g[TEST_ROOM];
    double sum = 0;
    test_fill_normal(random, in, n, 1);
    test_guard(g, n);
    memcpy(g, in, n * sizeof *g);
    double got = kernels->clip_and_square(n, 0.7f, g);
    for (size_t i = 0; i < n; i++) {
        assert_true(g[i] == fminf(fmaxf(in[i], -0.7f), 0.7f));
        sum += (double)g[i] * (double)g[i];
    }
    assert_close(got, sum, 0, 1e-13);
    memcpy(g, in, n * sizeof *g);
    got = kernels->clip_and_square(n, INFINITY, g);
    assert_same_bits(g, in, n);
    assert_guarded(g, n);
    /* The variants add up in one order. */
    assert_true(got == ebm_kernels_best()->clip_and_square(n, INFINITY, g));
    for (size_t b = 0; b < TEST_COUNT(bad); b++)
        for (size_t at = 0; at < n; at += 1 + n / 9)
            for (int limited = 0; limited < 2; limited++) {
                memcpy(g, in, n * sizeof *g);
                g[at] = bad[b];
                got =
                    kernels->clip_and_square(n, limited ? 0.7f : INFINITY, g);
                assert_false(isfinite(got));
            }
    /* 1e30^2 overflows a float, not a double. */
    g[0] = 1e30f;
    assert_close(kernels->clip_and_square(1, INFINITY, g), 1e60, 0, 1e-6);
}

static void clip_and_square_sees_all(void **state)
{
    (void)state;
    test_each_kernel(check_clip_and_square);
}

static void check_adam_with(const ebm_kernels *kernels, size_t n, float beta1,
                            uint64_t *random)
{
    ebm_adam a = {0.5f, beta1, 0.99f, 1e-2f, 3.0f, 1e-6f};
    float g[TEST_ROOM], m[TEST_ROOM], v[TEST_ROOM], theta[TEST_ROOM];
    float old_g[TEST_ROOM], old_m[TEST_ROOM], old_v[TEST_ROOM],
        old_theta[TEST_ROOM];
    test_fill_normal(random, g, TEST_ROOM, 1);
    test_fill_normal(random, m, TEST_ROOM, 1);
    test_fill_uniform(random, v, TEST_ROOM, 0, 1);
    test_fill_normal(random, theta, TEST_ROOM, 1);
    g[0] = m[0] = v[0] = 0; /* as at the beginning, and in padding */
    float *arrays[] = {m, v, theta};
    for (int i = 0; i < 3; i++)
        test_guard(arrays[i], test_whole_vectors(n));
    memcpy(old_g, g, sizeof g);
    memcpy(old_m, m, sizeof m);
    memcpy(old_v, v, sizeof v);
    memcpy(old_theta, theta, sizeof theta);
    kernels->adam(n, &a, g, m, v, theta);
    for (size_t i = 0; i < n; i++) {
        double gi = 0.5 * (double)g[i];
        double mi =
            (double)beta1 * (double)old_m[i] + (1 - (double)beta1) * gi;
        double vi = 0.99f * (double)old_v[i] + (1 - (double)0.99f) * gi * gi;
        double step = mi / (sqrt(vi) * 3 + (double)1e-6f);
        assert_close(m[i], beta1 > 0 ? mi : (double)old_m[i], 1e-6, 0);
        assert_close(v[i], vi, 1e-6, 0);
        assert_close(theta[i], (double)old_theta[i] - (double)1e-2f * step,
                     1e-6 * (1 + fabs(step)), 0);
    }
    assert_true(theta[0] == old_theta[0]);
    for (int i = 0; i < 3; i++)
        assert_guarded(arrays[i], test_whole_vectors(n));
    assert_memory_equal(g, old_g, sizeof g);
}

/* With beta1 = 0 the first moment is left alone. */
static void check_adam(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    check_adam_with(kernels, n, 0.9f, random);
    check_adam_with(kernels, n, 0.0f, random);
}

static void adam_is_adam(void **state)
{
    (void)state;
    test_each_kernel(check_adam);
}

/* Transcendental kernels of two variants differ by a few units at most. */
static void variants_agree(void **state)
{
    (void)state;
    enum { N = 4096 };
    const ebm_kernels *best = ebm_kernels_best(), *other;
    float *in = test_floats(N), *x = test_floats(N), *y = test_floats(N);
    float *x_slope = test_floats(N), *y_slope = test_floats(N);
    uint64_t random = 9;
    double worst = 0, worst_noise = 0;
    test_fill_normal(&random, in, N, 3);
    for (size_t v = 0; (other = ebm_kernels_variant(v)); v++) {
        if (!other->usable())
            continue;
        memcpy(x, in, N * sizeof *x);
        memcpy(y, in, N * sizeof *y);
        best->swish(N, x, x_slope);
        other->swish(N, y, y_slope);
        for (size_t i = 0; i < N; i++) {
            worst = fmax(worst, test_ulps(x[i], y[i]));
            /* Near its zero the slope has no relative accuracy. */
            if (fabsf(x_slope[i]) > 0.1f)
                worst = fmax(worst, test_ulps(x_slope[i], y_slope[i]));
        }
        ebm_random r = ebm_random_at(4, EBM_PURPOSE_LANGEVIN, 0, 0);
        best->normal(&r, N, 0, 1, x);
        other->normal(&r, N, 0, 1, y);
        for (size_t i = 0; i < N; i++)
            worst_noise = fmax(worst_noise, fabs((double)x[i] - (double)y[i]));
        best->uniform(&r, N, -1, 1, x);
        other->uniform(&r, N, -1, 1, y);
        assert_same_bits(x, y, N);
    }
    print_message("swish: %.1f ulp, normals: %.1f x 2^-24\n", worst,
                  worst_noise * 0x1p24);
    assert_true(worst <= 4);
    /* In units of the largest normals, 4 to 5. */
    assert_true(worst_noise <= 4 * 0x1p-21);
    free(in);
    free(x);
    free(y);
    free(x_slope);
    free(y_slope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_are_named_and_chosen),
        cmocka_unit_test(swish_is_swish),
        cmocka_unit_test(leaky_relu_has_its_kink_at_zero),
        cmocka_unit_test(multiply_multiplies),
        cmocka_unit_test(bias_and_column_sums),
        cmocka_unit_test(clip_and_square_sees_all),
        cmocka_unit_test(adam_is_adam),
        cmocka_unit_test(variants_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
