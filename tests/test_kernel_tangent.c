/* The kernels of second derivatives and of the trajectory's derivative, every
   variant that this machine can run, against plain loops. */
#include "ebm_test.h"

#include "kernel/kernels.h"

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

/* Value and slope have the bits of the plain kernel: a state has one energy,
   whatever is computed beside it. */
static void check_swish_tangent(const ebm_kernels *kernels, size_t n,
                                uint64_t *random)
{
    static const float corners[] = {0,     -0.0f,  1e-30f, 20,   -20,
                                    88.8f, -88.8f, 104,    -104, 1e4f,
                                    -1e4f, 3e38f,  -3e38f, 2.4f, -2.3994f};
    float x[ROOM], slope[ROOM], t[ROOM], bend[ROOM];
    float plain[ROOM] = {0}, plain_slope[ROOM], in[ROOM] = {0}, dot[ROOM];
    test_fill_normal(random, in, n, 3);
    test_fill_normal(random, dot, ROOM, 1);
    for (size_t i = 0; i < TEST_COUNT(corners) && i < n / 2; i++)
        in[i] = corners[i];
    memcpy(x, in, sizeof x);
    memcpy(plain, in, sizeof plain);
    memcpy(t, dot, sizeof t);
    float *arrays[] = {x, slope, t, bend};
    for (int i = 0; i < 4; i++)
        guard(arrays[i], whole_vectors(n));
    kernels->swish(n, plain, plain_slope);
    kernels->swish_tangent(n, x, slope, t, bend);
    assert_same_bits(x, plain, n);
    assert_same_bits(slope, plain_slope, n);
    for (size_t i = 0; i < n; i++) {
        double v = in[i], s = 1 / (1 + exp(-v)), d = dot[i];
        double first = s + v * s * (1 - s);
        double second = s * (1 - s) * (2 + v * (1 - 2 * s));
        double small = 4 * 0x1p-24 * fabs(d);
        assert_close(t[i], first * d, small, 6 * 0x1p-23);
        assert_close(bend[i], second * d, 4 * small, 8 * 0x1p-23);
    }
    for (int i = 0; i < 4; i++)
        assert_guarded(arrays[i], whole_vectors(n));
}

static void swish_has_a_tangent(void **state)
{
    (void)state;
    for_each(check_swish_tangent);
}

static void check_bend(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    float slope[ROOM], bend[ROOM], g[ROOM], tg[ROOM], old_g[ROOM], old_t[ROOM];
    test_fill_normal(random, slope, ROOM, 1);
    test_fill_normal(random, bend, ROOM, 1);
    test_fill_normal(random, old_g, ROOM, 1);
    test_fill_normal(random, old_t, ROOM, 1);
    memcpy(g, old_g, sizeof g);
    memcpy(tg, old_t, sizeof tg);
    guard(g, whole_vectors(n));
    guard(tg, whole_vectors(n));
    kernels->bend_multiply(n, slope, bend, g, tg);
    for (size_t i = 0; i < n; i++) {
        double a = (double)old_t[i] * (double)slope[i];
        double b = (double)old_g[i] * (double)bend[i];
        assert_true(g[i] == old_g[i] * slope[i]);
        assert_close(tg[i], a + b, 0x1p-22 * (fabs(a) + fabs(b)), 0);
    }
    assert_guarded(g, whole_vectors(n));
    assert_guarded(tg, whole_vectors(n));
}

static void bend_is_a_product_rule(void **state)
{
    (void)state;
    for_each(check_bend);
}

static void check_rows(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    for (size_t rows = 1; rows <= ROOM / n && rows <= 9; rows++) {
        float scale[9], from[ROOM], to[ROOM];
        test_fill_normal(random, scale, rows, 1);
        test_fill_normal(random, from, ROOM, 1);
        scale[rows / 2] = 0;
        guard(to, 0);
        kernels->scale_rows(rows, n, scale, from, to);
        for (size_t i = 0; i < rows * n; i++)
            assert_true(to[i] == scale[i / n] * from[i]);
        assert_guarded(to, rows * n);
    }
}

static void rows_are_scaled(void **state)
{
    (void)state;
    for_each(check_rows);
}

/* The masks of both halves. Without masks the states have the same bits. */
static void check_masks(const ebm_kernels *kernels, size_t n, uint64_t *random)
{
    ebm_random r = ebm_random_at(n, EBM_PURPOSE_LANGEVIN, 5, 6);
    ebm_langevin step = {0.5f, 0.75f, 0.5f, -1, 0.75f};
    ebm_langevin_counts counts = {0, 0, 0}, plain_counts = counts;
    float x[ROOM], y[ROOM], plain[ROOM], xi[ROOM], g[ROOM], middle[ROOM];
    uint8_t masks[ROOM], first[ROOM];
    test_fill_normal(random, x, n, 0.7);
    test_fill_normal(random, g, n, 0.5);
    g[0] = -0.5f; /* on the clip: not clipped */
    memset(masks, 0xa5, sizeof masks);
    kernels->normal(&r, n, 0, 1, xi);
    kernels->langevin_noise(&r, n, &step, x, y, &counts, masks);
    kernels->langevin_noise(&r, n, &step, x, plain, &plain_counts, NULL);
    assert_same_bits(y, plain, n);
    for (size_t i = 0; i < n; i++) {
        float v = x[i] + 0.5f * xi[i];
        int inside = v >= -1 && v <= 0.75f;
        assert_int_equal(masks[i], inside ? EBM_MASK_NOISE : 0);
    }
    memcpy(middle, y, n * sizeof *y);
    memcpy(first, masks, sizeof first);
    if (n > 1) { /* stays on its bound: inside */
        g[n - 1] = 0;
        y[n - 1] = plain[n - 1] = middle[n - 1] = 0.75f;
    }
    assert_true(kernels->langevin_step(n, &step, g, y, &counts, masks));
    assert_true(
        kernels->langevin_step(n, &step, g, plain, &plain_counts, NULL));
    assert_same_bits(y, plain, n);
    assert_memory_equal(&counts, &plain_counts, sizeof counts);
    for (size_t i = 0; i < n; i++) {
        float v = middle[i] - 0.75f * fminf(fmaxf(g[i], -0.5f), 0.5f);
        int expected = first[i]; /* added to, not replaced */
        expected |= fabsf(g[i]) <= 0.5f ? EBM_MASK_CLIP : 0;
        expected |= v >= -1 && v <= 0.75f ? EBM_MASK_STEP : 0;
        assert_int_equal(masks[i], expected);
    }
    for (size_t i = n; i < ROOM; i++)
        assert_int_equal(masks[i], 0xa5);
}

static void masks_say_what_a_step_did(void **state)
{
    (void)state;
    for_each(check_masks);
}

/* All eight masks. What is masked is 0 even where it was not a number. */
static void check_adjoint(const ebm_kernels *kernels, size_t n,
                          uint64_t *random)
{
    float a[ROOM], old[ROOM], v[ROOM], hv[ROOM];
    uint8_t masks[LONGEST];
    test_fill_normal(random, old, n, 1);
    test_fill_normal(random, hv, n, 1);
    for (size_t i = 0; i < n; i++) {
        masks[i] = (uint8_t)(test_random_word(random) & 7);
        if (!(masks[i] & EBM_MASK_NOISE) && i % 5 == 0)
            hv[i] = i % 2 ? NAN : INFINITY;
    }
    memcpy(a, old, n * sizeof *a);
    guard(a, n);
    guard(v, 0);
    kernels->langevin_direction(n, masks, a, v);
    for (size_t i = 0; i < n; i++) {
        float kept = masks[i] & EBM_MASK_STEP ? old[i] : 0;
        assert_true(a[i] == kept);
        assert_true(v[i] == (masks[i] & EBM_MASK_CLIP ? kept : 0));
    }
    memcpy(old, a, n * sizeof *a);
    kernels->langevin_adjoint(n, masks, 0.3f, hv, a);
    for (size_t i = 0; i < n; i++) {
        double through = (double)old[i] - (double)0.3f * (double)hv[i];
        if (!(masks[i] & EBM_MASK_NOISE))
            assert_true(a[i] == 0);
        else
            assert_close(a[i], through,
                         0x1p-22 * (fabs((double)old[i]) + fabs(through)), 0);
    }
    assert_guarded(a, n);
    assert_guarded(v, n);
}

static void adjoint_of_a_step(void **state)
{
    (void)state;
    for_each(check_adjoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swish_has_a_tangent),
        cmocka_unit_test(bend_is_a_product_rule),
        cmocka_unit_test(rows_are_scaled),
        cmocka_unit_test(masks_say_what_a_step_did),
        cmocka_unit_test(adjoint_of_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
