/* Every variant of the kernels that this machine can run, against plain loops
   in double and against each other. */
#include "ebm_test.h"

#include "kernel/kernels.h"

/* Sentinels after the arrays: a kernel may write up to the next multiple of
   EBM_LANES when it is a padded one, else not past n. */
enum { LONGEST = 203, ROOM = 256 };
static const float GUARD = 1234.5f;

static size_t whole_vectors(size_t n)
{
    return (n + EBM_LANES - 1) / EBM_LANES * EBM_LANES;
}

static void guard(float *x, size_t from)
{
    for (size_t i = from; i < ROOM; i++)
        x[i] = GUARD;
}

static void assert_guarded(const float *x, size_t from)
{
    for (size_t i = from; i < ROOM; i++)
        assert_true(x[i] == GUARD);
}

/* Runs a check for each usable variant and length. */
static void for_each(void (*check)(const ebm_kernels *kernels, size_t n,
                                   uint64_t *random))
{
    const ebm_kernels *kernels;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++)
        for (size_t n = 1; kernels->usable() && n <= LONGEST; n++) {
            uint64_t random = n;
            check(kernels, n, &random);
        }
}

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
    float x[ROOM], slope[ROOM], in[LONGEST];
    test_fill_normal(random, in, n, 3);
    for (size_t i = 0; i < TEST_COUNT(corners) && i < n / 2; i++)
        in[i] = corners[i];
    guard(x, 0);
    guard(slope, whole_vectors(n));
    memcpy(x, in, n * sizeof *x);
    kernels->swish(n, x, slope);
    for (size_t i = 0; i < n; i++) {
        double v = in[i], s = 1 / (1 + exp(-v)), y = v * s;
        /* 4 units of each value; the slope passes through 0. Below -88.7
           exp(-x) overflows, and what is left of swish counts as 0. */
        assert_close(x[i], y, 3e-37, 4 * 0x1p-23);
        assert_close(slope[i], s + y * (1 - s), 4 * 0x1p-24, 4 * 0x1p-23);
    }
    assert_guarded(x, whole_vectors(n));
    assert_guarded(slope, whole_vectors(n));
}

static void swish_is_swish(void **state)
{
    (void)state;
    for_each(check_swish);
}

static void check_leaky(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    static const float leaks[] = {0, 0.01f, 0.2f, 1};
    for (size_t l = 0; l < TEST_COUNT(leaks); l++) {
        float x[ROOM], slope[ROOM], in[LONGEST];
        test_fill_normal(random, in, n, 1);
        in[n / 2] = 0;
        in[n / 3] = -0.0f;
        guard(x, 0);
        guard(slope, whole_vectors(n));
        memcpy(x, in, n * sizeof *x);
        kernels->leaky_relu(n, leaks[l], x, slope);
        for (size_t i = 0; i < n; i++) {
            assert_true(x[i] == (in[i] > 0 ? in[i] : leaks[l] * in[i]));
            assert_true(slope[i] == (in[i] > 0 ? 1 : leaks[l]));
        }
        assert_guarded(x, whole_vectors(n));
        assert_guarded(slope, whole_vectors(n));
    }
}

static void leaky_relu_has_its_kink_at_zero(void **state)
{
    (void)state;
    for_each(check_leaky);
}

static void check_multiply(const ebm_kernels *kernels, size_t n,
                           uint64_t *random)
{
    float slope[ROOM], g[ROOM], in[ROOM];
    test_fill_normal(random, slope, ROOM, 1);
    test_fill_normal(random, in, ROOM, 1);
    memcpy(g, in, sizeof g);
    guard(g, whole_vectors(n));
    kernels->multiply(n, slope, g);
    for (size_t i = 0; i < n; i++)
        assert_true(g[i] == in[i] * slope[i]);
    assert_guarded(g, whole_vectors(n));
}

static void multiply_multiplies(void **state)
{
    (void)state;
    for_each(check_multiply);
}

/* Bias and column sums on [rows, n] arrays with nothing between the rows. */
static void check_columns(const ebm_kernels *kernels, size_t n,
                          uint64_t *random)
{
    enum { ROWS = 7 };
    float *y = test_floats(ROWS * n + 1), *in = test_floats(ROWS * n);
    float bias[ROOM], sum[ROOM];
    test_fill_normal(random, in, ROWS * n, 1);
    test_fill_normal(random, bias, n, 1);
    guard(bias, n);
    memcpy(y, in, ROWS * n * sizeof *y);
    y[ROWS * n] = GUARD;
    kernels->add_bias(ROWS, n, bias, y);
    for (size_t i = 0; i < ROWS * n; i++)
        assert_true(y[i] == in[i] + bias[i % n]);
    assert_true(y[ROWS * n] == GUARD);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        float plain[LONGEST] = {0};
        for (size_t c = 0; c < n; c++)
            sum[c] = accumulate ? (float)c : NAN;
        guard(sum, n);
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
    for_each(check_columns);
}

static ebm_conv_shape conv_shape(size_t height, size_t width, size_t channels,
                                 size_t kernel, size_t stride, size_t padding)
{
    ebm_conv_shape s = {height,
                        width,
                        channels,
                        kernel,
                        stride,
                        padding,
                        (height + 2 * padding - kernel) / stride + 1,
                        (width + 2 * padding - kernel) / stride + 1,
                        1};
    return s;
}

/* Where column entry (row, a, e, c) comes from in the image, or -1. */
static ptrdiff_t source(const ebm_conv_shape *s, size_t entry)
{
    size_t c = entry % s->channels, rest = entry / s->channels;
    size_t e = rest % s->kernel, a = rest / s->kernel % s->kernel;
    size_t place = rest / s->kernel / s->kernel;
    ptrdiff_t y = (ptrdiff_t)(place / s->out_width * s->stride + a) -
                  (ptrdiff_t)s->padding;
    ptrdiff_t x = (ptrdiff_t)(place % s->out_width * s->stride + e) -
                  (ptrdiff_t)s->padding;
    if (y < 0 || x < 0 || y >= (ptrdiff_t)s->height ||
        x >= (ptrdiff_t)s->width)
        return -1;
    return (y * (ptrdiff_t)s->width + x) * (ptrdiff_t)s->channels +
           (ptrdiff_t)c;
}

static void check_conv(const ebm_kernels *kernels, const ebm_conv_shape *s,
                       uint64_t *random)
{
    size_t size = s->height * s->width * s->channels;
    size_t entries =
        s->out_height * s->out_width * s->kernel * s->kernel * s->channels;
    size_t framed = (s->height + 2 * s->padding) *
                    (s->width + 2 * s->padding) * s->channels;
    float *image = test_floats(size), *back = test_floats(size + 1);
    float *columns = test_floats(entries + 1), *c = test_floats(entries);
    float *padded = test_floats(framed + 1);
    double *sums = test_doubles(size);
    double left = 0, right = 0, magnitude = 0;
    test_fill_normal(random, image, size, 1);
    test_fill_normal(random, c, entries, 1);
    for (size_t i = 0; i < framed; i++)
        padded[i] = NAN; /* scratch: nothing may be taken for granted */
    columns[entries] = back[size] = padded[framed] = GUARD;
    kernels->im2col(s, image, padded, columns);
    for (size_t i = 0; i < entries; i++) {
        ptrdiff_t from = source(s, i);
        assert_true(columns[i] == (from < 0 ? 0 : image[from]));
        if (from >= 0)
            sums[from] += c[i];
        left += (double)columns[i] * (double)c[i];
        magnitude += fabs((double)columns[i] * (double)c[i]);
    }
    for (size_t i = 0; i < framed; i++)
        padded[i] = NAN;
    kernels->col2im(s, c, padded, back);
    for (size_t i = 0; i < size; i++)
        right += (double)image[i] * (double)back[i];
    /* Adjoint: <im2col(x), c> = <x, col2im(c)>. */
    assert_close(left, right, 1e-6 * magnitude, 0);
    for (size_t i = 0; i < size; i++)
        assert_close(back[i], sums[i], 1e-5, 1e-5);
    assert_true(columns[entries] == GUARD && back[size] == GUARD);
    assert_true(padded[framed] == GUARD);
    free(image);
    free(back);
    free(columns);
    free(c);
    free(padded);
    free(sums);
}

static void im2col_and_its_adjoint(void **state)
{
    (void)state;
    const ebm_kernels *kernels;
    uint64_t random = 3;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        if (!kernels->usable())
            continue;
        for (size_t kernel = 1; kernel <= 5; kernel++)
            for (size_t stride = 1; stride <= 7; stride += 2)
                for (size_t padding = 0; padding < kernel; padding++)
                    for (size_t channels = 1; channels <= 21; channels += 5) {
                        ebm_conv_shape s = conv_shape(5 + kernel, 9, channels,
                                                      kernel, stride, padding);
                        check_conv(kernels, &s, &random);
                    }
        ebm_conv_shape digits = conv_shape(28, 28, 1, 5, 2, 4);
        check_conv(kernels, &digits, &random);
        ebm_conv_shape one = conv_shape(1, 1, 3, 1, 1, 0);
        check_conv(kernels, &one, &random);
    }
}

/* The free step's noise half against the scalar draws. */
static void check_noise(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    ebm_random r = ebm_random_at(n, EBM_PURPOSE_LANGEVIN, 5, 6);
    ebm_langevin step = {0.5f, 1, 1, -1, 0.75f};
    ebm_langevin_counts counts = {10, 20, 30};
    float x[ROOM], y[ROOM], xi[ROOM];
    uint64_t outside = 0;
    test_fill_normal(random, x, n, 0.7);
    guard(y, 0);
    kernels->normal(&r, n, 0, 1, xi);
    kernels->langevin_noise(&r, n, &step, x, y, &counts, NULL);
    for (size_t i = 0; i < n; i++) {
        float v = x[i] + step.noise_std * xi[i];
        outside += v < step.minimum || v > step.maximum;
        assert_true(y[i] == fminf(fmaxf(v, -1), 0.75f));
    }
    assert_guarded(y, n);
    assert_int_equal(counts.clamped_noise, 20 + outside);
    assert_int_equal(counts.clipped, 10);
    assert_int_equal(counts.clamped_step, 30);
    /* In place, and without bounds. */
    step.minimum = -INFINITY;
    step.maximum = INFINITY;
    memcpy(y, x, n * sizeof *y);
    kernels->langevin_noise(&r, n, &step, y, y, &counts, NULL);
    for (size_t i = 0; i < n; i++)
        assert_true(y[i] == x[i] + step.noise_std * xi[i]);
    assert_int_equal(counts.clamped_noise, 20 + outside);
    /* No noise: states on a bound are inside. */
    step.noise_std = 0;
    step.minimum = -1;
    step.maximum = 1;
    for (size_t i = 0; i < n; i++)
        x[i] = i % 3 ? 1 : -1;
    kernels->langevin_noise(&r, n, &step, x, y, &counts, NULL);
    assert_same_bits(y, x, n);
    assert_int_equal(counts.clamped_noise, 20 + outside);
}

static void noise_is_added_and_clamped(void **state)
{
    (void)state;
    for_each(check_noise);
}

static void check_step(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    ebm_langevin step = {0, 0.75f, 0.5f, -1, 0.75f};
    ebm_langevin_counts counts = {10, 20, 30}, right = counts;
    float g[ROOM], y[ROOM], in[LONGEST];
    test_fill_normal(random, g, n, 0.5);
    test_fill_uniform(random, in, n, -1, 0.75);
    g[0] = 0.5f; /* on the clip, which is not clipped */
    in[0] = -0.625f;
    if (n > 1) { /* a state on its bound that stays there */
        g[n - 1] = 0;
        in[n - 1] = -1;
    }
    guard(y, n);
    memcpy(y, in, n * sizeof *y);
    assert_true(kernels->langevin_step(n, &step, g, y, &counts, NULL));
    for (size_t i = 0; i < n; i++) {
        float clipped = fminf(fmaxf(g[i], -0.5f), 0.5f);
        float v = in[i] - 0.75f * clipped;
        right.clipped += fabsf(g[i]) > 0.5f;
        right.clamped_step += v < -1 || v > 0.75f;
        assert_true(y[i] == fminf(fmaxf(v, -1), 0.75f));
    }
    assert_guarded(y, n);
    assert_memory_equal(&counts, &right, sizeof right);
}

static void step_is_clipped_and_clamped(void **state)
{
    (void)state;
    for_each(check_step);
}

/* Any one non-finite gradient, and an overflow of the state, is reported; a
   clip or a bound hides neither. */
static void check_step_finite(const ebm_kernels *kernels, size_t n,
                              uint64_t *random)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    ebm_langevin steps[] = {{0, 1, 0.5f, -1, 1},
                            {0, 1, INFINITY, -INFINITY, INFINITY},
                            {0, 0, 0.5f, -INFINITY, INFINITY}};
    ebm_langevin_counts counts = {0, 0, 0};
    for (size_t s = 0; s < TEST_COUNT(steps); s++)
        for (size_t b = 0; b < TEST_COUNT(bad); b++)
            for (size_t at = 0; at < n; at += 1 + n / 9) {
                float g[ROOM], y[ROOM] = {0};
                test_fill_normal(random, g, n, 1);
                /* Beyond the end it does not matter. */
                for (size_t i = n; i < ROOM; i++)
                    g[i] = NAN;
                assert_true(
                    kernels->langevin_step(n, steps + s, g, y, &counts, NULL));
                g[at] = bad[b];
                assert_false(
                    kernels->langevin_step(n, steps + s, g, y, &counts, NULL));
            }
    float g[ROOM] = {0}, y[ROOM] = {0};
    ebm_langevin far = {0, 10, INFINITY, -INFINITY, INFINITY};
    g[n - 1] = 3e38f;
    assert_false(kernels->langevin_step(n, &far, g, y, &counts, NULL));
    /* Large and finite is fine. */
    memset(y, 0, sizeof y);
    far.step_size = 1;
    assert_true(kernels->langevin_step(n, &far, g, y, &counts, NULL));
}

static void non_finite_steps_are_seen(void **state)
{
    (void)state;
    for_each(check_step_finite);
}

static void check_clip_and_square(const ebm_kernels *kernels, size_t n,
                                  uint64_t *random)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float in[LONGEST], g[ROOM];
    double sum = 0;
    test_fill_normal(random, in, n, 1);
    guard(g, n);
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
    for_each(check_clip_and_square);
}

static void check_adam(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    ebm_adam a = {0.5f, 0.9f, 0.99f, 1e-2f, 3.0f, 1e-6f};
    float g[ROOM], m[ROOM], v[ROOM], theta[ROOM];
    float old_g[ROOM], old_m[ROOM], old_v[ROOM], old_theta[ROOM];
    test_fill_normal(random, g, ROOM, 1);
    test_fill_normal(random, m, ROOM, 1);
    test_fill_uniform(random, v, ROOM, 0, 1);
    test_fill_normal(random, theta, ROOM, 1);
    g[0] = m[0] = v[0] = 0; /* as at the beginning, and in padding */
    float *arrays[] = {m, v, theta};
    for (int i = 0; i < 3; i++)
        guard(arrays[i], whole_vectors(n));
    memcpy(old_g, g, sizeof g);
    memcpy(old_m, m, sizeof m);
    memcpy(old_v, v, sizeof v);
    memcpy(old_theta, theta, sizeof theta);
    kernels->adam(n, &a, g, m, v, theta);
    for (size_t i = 0; i < n; i++) {
        double gi = 0.5 * (double)g[i];
        double mi = 0.9f * (double)old_m[i] + (1 - (double)0.9f) * gi;
        double vi = 0.99f * (double)old_v[i] + (1 - (double)0.99f) * gi * gi;
        double step = mi / (sqrt(vi) * 3 + (double)1e-6f);
        assert_close(m[i], mi, 1e-6, 0);
        assert_close(v[i], vi, 1e-6, 0);
        assert_close(theta[i], (double)old_theta[i] - (double)1e-2f * step,
                     1e-6 * (1 + fabs(step)), 0);
    }
    assert_true(theta[0] == old_theta[0]);
    for (int i = 0; i < 3; i++)
        assert_guarded(arrays[i], whole_vectors(n));
    assert_memory_equal(g, old_g, sizeof g);
}

static void adam_is_adam(void **state)
{
    (void)state;
    for_each(check_adam);
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
        cmocka_unit_test(im2col_and_its_adjoint),
        cmocka_unit_test(noise_is_added_and_clamped),
        cmocka_unit_test(step_is_clipped_and_clamped),
        cmocka_unit_test(non_finite_steps_are_seen),
        cmocka_unit_test(clip_and_square_sees_all),
        cmocka_unit_test(adam_is_adam),
        cmocka_unit_test(variants_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
