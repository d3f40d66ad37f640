/* The two halves of the Langevin step, in every variant. */
#include "ebm_test.h"
#include "kernel_check.h"

/* The free step's noise half against the scalar draws. */
static void check_noise(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    ebm_random r = ebm_random_at(n, EBM_PURPOSE_LANGEVIN, 5, 6);
    ebm_langevin step = {0.5f, 1, 1, -1, 0.75f};
    ebm_langevin_counts counts = {10, 20, 30};
    float x[TEST_ROOM], y[TEST_ROOM], xi[TEST_ROOM];
    uint64_t outside = 0;
    test_fill_normal(random, x, n, 0.7);
    test_guard(y, 0);
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
    test_each_kernel(check_noise);
}

static void check_step(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    ebm_langevin step = {0, 0.75f, 0.5f, -1, 0.75f};
    ebm_langevin_counts counts = {10, 20, 30}, right = counts;
    float g[TEST_ROOM], y[TEST_ROOM], in[TEST_LONGEST];
    test_fill_normal(random, g, n, 0.5);
    test_fill_uniform(random, in, n, -1, 0.75);
    g[0] = 0.5f; /* on the clip, which is not clipped */
    in[0] = -0.625f;
    if (n > 1) { /* a state on its bound that stays there */
        g[n - 1] = 0;
        in[n - 1] = -1;
    }
    test_guard(y, n);
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
    test_each_kernel(check_step);
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
                float g[TEST_ROOM], y[TEST_ROOM] = {0};
                test_fill_normal(random, g, n, 1);
                /* Beyond the end it does not matter. */
                for (size_t i = n; i < TEST_ROOM; i++)
                    g[i] = NAN;
                assert_true(
                    kernels->langevin_step(n, steps + s, g, y, &counts, NULL));
                g[at] = bad[b];
                assert_false(
                    kernels->langevin_step(n, steps + s, g, y, &counts, NULL));
            }
    float g[TEST_ROOM] = {0}, y[TEST_ROOM] = {0};
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
    test_each_kernel(check_step_finite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_added_and_clamped),
        cmocka_unit_test(step_is_clipped_and_clamped),
        cmocka_unit_test(non_finite_steps_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
