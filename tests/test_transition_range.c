/* Values: what is finite stays finite, whatever the range and wherever the
   values are; what is grey stays as bright as it is. */
#include "ebm_test.h"

#include <float.h>

enum { H = 9, W = 8, C = 3, N = 6, SIZE = N * H * W * C };

static ebm_transition *make(ebm_context *context, int kind, double minimum,
                            double maximum)
{
    ebm_transition *t = NULL;
    assert_ok(ebm_transition_create(context, (ebm_transition_kind)kind, &t));
    assert_ok(ebm_transition_set(t, EBM_TRANSITION_PROBABILITY, 1));
    assert_ok(ebm_transition_set(t, EBM_TRANSITION_RANGE_MIN, minimum));
    assert_ok(ebm_transition_set(t, EBM_TRANSITION_RANGE_MAX, maximum));
    /* A tenth of the height is no window. */
    if (kind == EBM_TRANSITION_BLUR)
        assert_ok(ebm_transition_set(t, EBM_TRANSITION_BLUR_KERNEL, 5));
    if (kind == EBM_TRANSITION_CROP || kind == EBM_TRANSITION_RESCALE)
        assert_ok(ebm_transition_set(t, EBM_TRANSITION_INTERPOLATION,
                                     EBM_INTERPOLATION_CUBIC));
    return t;
}

/* Halves of extremes, and extremes by lot. */
static void fill_extreme(float *x, uint64_t *random, int is_halved)
{
    static const float values[] = {FLT_MAX, -FLT_MAX, 3e38f,   -3e38f,
                                   1e30f,   -1e30f,   0,       1e-39f,
                                   1e-45f,  0.25f,    -1e-39f, 1};
    for (size_t i = 0; i < SIZE; i++)
        x[i] = is_halved
                   ? (i / C % W < W / 2 ? FLT_MAX : -FLT_MAX)
                   : values[test_random_word(random) % TEST_COUNT(values)];
}

static void finite_images_stay_finite(void **state)
{
    (void)state;
    static const double ranges[][2] = {
        {-1, 1},      {0, 0.5},      {0, 3e-39},     {-1e38, 2e38},
        {0, FLT_MAX}, {-FLT_MAX, 0}, {-1e-39, 2e-39}};
    ebm_context *context = test_context_threads(2);
    uint64_t random = 4;
    for (size_t r = 0; r < TEST_COUNT(ranges); r++)
        for (int kind = 0; kind <= EBM_TRANSITION_ELASTIC; kind++) {
            const float low = (float)ranges[r][0], high = (float)ranges[r][1];
            ebm_transition *t = make(context, kind, low, high);
            for (uint64_t count = 0; count < 60; count++) {
                float x[SIZE];
                fill_extreme(x, &random, count % 2);
                assert_ok(
                    ebm_transition_apply(t, x, NULL, N, H, W, C, 1, 0, count));
                for (size_t i = 0; i < SIZE; i++)
                    if (!isfinite(x[i]))
                        fail_msg("kind %d on [%g, %g] made %g", kind,
                                 ranges[r][0], ranges[r][1], x[i]);
                /* These three put all of it into the range. */
                for (size_t i = 0; i < SIZE; i++)
                    if (kind == EBM_TRANSITION_JITTER ||
                        kind == EBM_TRANSITION_GRAYSCALE ||
                        kind == EBM_TRANSITION_BLUR)
                        assert_true(x[i] >= low && x[i] <= high);
            }
            ebm_transition_destroy(t);
        }
    ebm_context_destroy(context);
}

/* A range whose width has no inverse is refused. */
static void ranges_can_be_too_narrow(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition *t = make(context, EBM_TRANSITION_GRAYSCALE, 0, 1e-39);
    float x[C] = {0}, same[C] = {0};
    assert_error(context,
                 ebm_transition_apply(t, x, NULL, 1, 1, 1, C, 1, 0, 0),
                 EBM_ERROR_RANGE, "narrow");
    assert_same_bits(x, same, C);
    assert_error(context, ebm_transition_check(t, 1, 1, C), EBM_ERROR_RANGE,
                 "narrow");
    ebm_transition_destroy(t);
    ebm_context_destroy(context);
}

/* Values beyond the range count as its ends: colour and blur of an image are
   those of the clamped one. */
static void values_beyond_count_as_the_ends(void **state)
{
    (void)state;
    static const int kinds[] = {EBM_TRANSITION_JITTER,
                                EBM_TRANSITION_GRAYSCALE, EBM_TRANSITION_BLUR};
    ebm_context *context = test_context_threads(1);
    uint64_t random = 5;
    float x[SIZE], clamped[SIZE];
    for (size_t k = 0; k < TEST_COUNT(kinds); k++) {
        ebm_transition *t = make(context, kinds[k], -1, 1);
        test_fill_uniform(&random, x, SIZE, -2, 2);
        for (size_t i = 0; i < SIZE; i++)
            clamped[i] = x[i] < -1 ? -1 : x[i] > 1 ? 1 : x[i];
        assert_ok(ebm_transition_apply(t, x, NULL, N, H, W, C, 1, 0, 0));
        assert_ok(ebm_transition_apply(t, clamped, NULL, N, H, W, C, 1, 0, 0));
        assert_same_bits(x, clamped, SIZE);
        ebm_transition_destroy(t);
    }
    ebm_context_destroy(context);
}

static void grey_images_do_not_darken(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition *t = make(context, EBM_TRANSITION_GRAYSCALE, -1, 1);
    float x[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        x[i] = 1 - (float)(i / C % 21) / 10;
    for (uint64_t count = 0; count < 100; count++)
        assert_ok(ebm_transition_apply(t, x, NULL, N, H, W, C, 1, 0, count));
    for (size_t i = 0; i < SIZE; i++)
        assert_close(x[i], 1 - (double)(i / C % 21) / 10, 2e-5, 0);
    ebm_transition_destroy(t);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finite_images_stay_finite),
        cmocka_unit_test(ranges_can_be_too_narrow),
        cmocka_unit_test(values_beyond_count_as_the_ends),
        cmocka_unit_test(grey_images_do_not_darken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
