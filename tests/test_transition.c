/* Transitions: settings, leaves without a test of their own, presets. */
#include "ebm_test.h"

enum { N = 13, H = 9, W = 8, C = 3, IMAGE = H * W * C, SIZE = N * IMAGE };

static ebm_transition *make(ebm_context *context, ebm_transition_kind kind)
{
    ebm_transition *transition = NULL;
    assert_ok(ebm_transition_create(context, kind, &transition));
    return transition;
}

static void set(ebm_transition *transition, ebm_transition_key key,
                double value)
{
    assert_ok(ebm_transition_set(transition, key, value));
}

static double applied(const ebm_transition *transition)
{
    double value = NAN;
    assert_ok(ebm_transition_get_statistic(
        transition, EBM_TRANSITION_STAT_APPLIED, &value));
    return value;
}

static void fill(float *x, size_t n)
{
    uint64_t random = 9;
    test_fill_uniform(&random, x, n, -1, 1);
}

/* ---- Settings -------------------------------------------------------------
 */

static void settings_follow_their_tables(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    size_t rows = 0;
    for (int kind = 0; kind <= EBM_TRANSITION_ELASTIC; kind++) {
        ebm_transition *t = make(context, (ebm_transition_kind)kind);
        assert_int_equal(ebm_transition_get_kind(t), kind);
        assert_int_equal(ebm_transition_part_count(t), 0);
        assert_null(ebm_transition_part(t, 0));
        for (int key = 0; key <= EBM_TRANSITION_DISPLACEMENT_STD; key++) {
            const char *name = NULL;
            double low, high, initial, value = NAN;
            ebm_option_kind option;
            ebm_transition_key k = (ebm_transition_key)key;
            ebm_status status =
                ebm_transition_option((ebm_transition_kind)kind, k, &name,
                                      &option, &low, &high, &initial);
            if (status == EBM_ERROR_UNSUPPORTED) {
                assert_true(key > EBM_TRANSITION_RANGE_MAX);
                assert_error(context, ebm_transition_set(t, k, 1), status,
                             "does not have");
                assert_status(ebm_transition_get(t, k, &value), status);
                continue;
            }
            assert_ok(status);
            assert_true(name && *name);
            rows++;
            assert_ok(ebm_transition_get(t, k, &value));
            assert_true(value == initial);
            assert_ok(ebm_transition_set(t, k, low));
            assert_ok(ebm_transition_set(t, k, high));
            assert_ok(ebm_transition_get(t, k, &value));
            assert_true(value == high);
            assert_status(ebm_transition_set(t, k, NAN), EBM_ERROR_RANGE);
            if (high < 1e30)
                assert_error(context,
                             ebm_transition_set(t, k, nextafter(high, 1e30)),
                             EBM_ERROR_RANGE, name);
            if (option != EBM_OPTION_REAL)
                assert_status(ebm_transition_set(t, k, low + 0.5),
                              EBM_ERROR_RANGE);
        }
        assert_error(context, ebm_transition_set(t, (ebm_transition_key)22, 1),
                     EBM_ERROR_ARGUMENT, "22");
        ebm_transition_destroy(t);
    }
    /* Three common ones each, and crop 5, rescale 4, jitter 5, blur 3, noise
       1, elastic 4. */
    assert_int_equal(rows, 8 * 3 + 22);
    assert_status(ebm_transition_option((ebm_transition_kind)11, 0, NULL, NULL,
                                        NULL, NULL, NULL),
                  EBM_ERROR_ARGUMENT);
    ebm_context_destroy(context);
}

/* ---- Leaves ---------------------------------------------------------------
 */

static void flip_twice_is_nothing(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_transition *flip = make(context, EBM_TRANSITION_FLIP);
    set(flip, EBM_TRANSITION_PROBABILITY, 1);
    for (size_t width = 7; width <= W; width++) {
        size_t image = H * width * C;
        float x[SIZE], y[SIZE];
        fill(x, SIZE);
        memcpy(y, x, sizeof y);
        assert_ok(
            ebm_transition_apply(flip, x, NULL, N, H, width, C, 1, 0, 0));
        for (size_t i = 0; i < N; i++)
            for (size_t row = 0; row < H; row++)
                for (size_t k = 0; k < width; k++)
                    assert_same_bits(
                        x + i * image + (row * width + k) * C,
                        y + i * image + (row * width + width - 1 - k) * C, C);
        assert_ok(
            ebm_transition_apply(flip, x, NULL, N, H, width, C, 1, 0, 1));
        assert_same_bits(x, y, N * image);
    }
    ebm_transition_destroy(flip);
    ebm_context_destroy(context);
}

/* Outside the range and of negative zeros: nothing is touched. */
static void zero_strength_is_the_identity(void **state)
{
    (void)state;
    static const struct {
        ebm_transition_kind kind;
        size_t count;
        struct {
            ebm_transition_key key;
            double value;
        } set[4];
    } cases[] = {
        {EBM_TRANSITION_FLIP, 1, {{EBM_TRANSITION_PROBABILITY, 0}}},
        {EBM_TRANSITION_CROP, 1, {{EBM_TRANSITION_AREA_MIN, 1}}},
        {EBM_TRANSITION_RESCALE,
         2,
         {{EBM_TRANSITION_SCALE_MIN, 1}, {EBM_TRANSITION_SCALE_MAX, 1}}},
        {EBM_TRANSITION_JITTER, 1, {{EBM_TRANSITION_STRENGTH, 0}}},
        {EBM_TRANSITION_JITTER,
         4,
         {{EBM_TRANSITION_BRIGHTNESS, 0},
          {EBM_TRANSITION_CONTRAST, 0},
          {EBM_TRANSITION_SATURATION, 0},
          {EBM_TRANSITION_HUE, 0}}},
        {EBM_TRANSITION_GRAYSCALE, 1, {{EBM_TRANSITION_PROBABILITY, 0}}},
        {EBM_TRANSITION_BLUR,
         2,
         {{EBM_TRANSITION_BLUR_SIGMA_MIN, 0},
          {EBM_TRANSITION_BLUR_SIGMA_MAX, 0}}},
        {EBM_TRANSITION_NOISE, 1, {{EBM_TRANSITION_NOISE_STD, 0}}},
        {EBM_TRANSITION_ELASTIC, 1, {{EBM_TRANSITION_DISPLACEMENT_STD, 0}}},
    };
    ebm_context *context = test_context_threads(2);
    ebm_transition *parts[TEST_COUNT(cases)], *all = NULL;
    float x[SIZE], y[SIZE];
    uint64_t random = 3;
    test_fill_uniform(&random, x, SIZE, -3, 3);
    x[5] = x[70] = -0.0f;
    memcpy(y, x, sizeof y);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        parts[i] = make(context, cases[i].kind);
        for (size_t j = 0; j < cases[i].count; j++)
            set(parts[i], cases[i].set[j].key, cases[i].set[j].value);
        assert_ok(
            ebm_transition_apply(parts[i], x, NULL, N, H, W, C, 1, 0, 0));
        assert_same_bits(x, y, SIZE);
        assert_true(applied(parts[i]) == 0);
    }
    assert_ok(ebm_transition_create_sequence(context, parts, TEST_COUNT(cases),
                                             &all));
    assert_ok(ebm_transition_apply(all, x, NULL, N, H, W, C, 1, 0, 0));
    assert_same_bits(x, y, SIZE);
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        ebm_transition_destroy(parts[i]);
    ebm_transition_destroy(all);
    ebm_context_destroy(context);
}

static void noise_has_its_law(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_transition *noise = make(context, EBM_TRANSITION_NOISE);
    static float x[SIZE];
    static double values[SIZE];
    const double law[] = {0.25, 0.1};
    set(noise, EBM_TRANSITION_NOISE_STD, 0.1);
    for (size_t i = 0; i < SIZE; i++)
        x[i] = 0.25f;
    assert_ok(ebm_transition_apply(noise, x, NULL, N, H, W, C, 5, 0, 0));
    for (size_t i = 0; i < SIZE; i++)
        values[i] = x[i];
    assert_true(test_ks(values, SIZE, test_cdf_normal, law) < 1.95);
    assert_other_bits(x, x + IMAGE, IMAGE);
    /* Clamped into the range. */
    set(noise, EBM_TRANSITION_RANGE_MIN, 0);
    set(noise, EBM_TRANSITION_RANGE_MAX, 0.3);
    size_t ends = 0;
    assert_ok(ebm_transition_apply(noise, x, NULL, N, H, W, C, 5, 0, 1));
    for (size_t i = 0; i < SIZE; i++) {
        assert_true(x[i] >= 0 && x[i] <= 0.3f);
        ends += x[i] == 0 || x[i] == 0.3f;
    }
    assert_true(ends > SIZE / 4);
    ebm_transition_destroy(noise);
    ebm_context_destroy(context);
}

/* Whether an image passes and what it draws are independent, and so are the
   draws at another place or of another application. */
static void draws_are_independent(void **state)
{
    (void)state;
    enum { PIXELS = 4000 };
    ebm_context *context = test_context_threads(2);
    ebm_transition *noise = make(context, EBM_TRANSITION_NOISE), *whole = NULL;
    static float x[PIXELS], y[PIXELS];
    static double values[PIXELS];
    const double law[] = {0, 0.1};
    size_t n = 0;
    set(noise, EBM_TRANSITION_NOISE_STD, 0.1);
    set(noise, EBM_TRANSITION_PROBABILITY, 0.5);
    assert_ok(ebm_transition_apply(noise, x, NULL, PIXELS, 1, 1, 1, 5, 0, 1));
    for (size_t i = 0; i < PIXELS; i++)
        if (x[i] != 0)
            values[n++] = x[i];
    assert_close((double)n, PIXELS / 2, 130, 0);
    assert_true(test_ks(values, n, test_cdf_normal, law) < 1.95);
    assert_ok(ebm_transition_create_with_probability(noise, 1, &whole));
    for (uint64_t count = 0; count < 3; count++) {
        memset(y, 0, sizeof y);
        assert_ok(ebm_transition_apply(whole, y, NULL, PIXELS, 1, 1, 1, 5, 0,
                                       count));
        size_t same = 0;
        for (size_t i = 0; i < PIXELS; i++)
            same += x[i] != 0 && x[i] == y[i];
        assert_true(same < 5);
    }
    ebm_transition_destroy(noise);
    ebm_transition_destroy(whole);
    ebm_context_destroy(context);
}

/* Every kind, and the presets: in the range, and changed. */
static void images_keep_their_range(void **state)
{
    (void)state;
    static const char *const presets[] = {
        "simclr",         "du2020-cifar",      "du2020-celeba",
        "elastic-digits", "du2020-cifar-code", "du2020-celeba-code"};
    ebm_context *context = test_context_threads(2);
    for (size_t k = 0; k < 8 + TEST_COUNT(presets); k++) {
        ebm_transition *t = NULL;
        float x[SIZE], y[SIZE];
        if (k < 8)
            t = make(context, (ebm_transition_kind)k);
        else
            assert_ok(
                ebm_transition_create_preset(context, presets[k - 8], &t));
        set(t, EBM_TRANSITION_PROBABILITY, 1);
        set(t, EBM_TRANSITION_RANGE_MIN, 10);
        set(t, EBM_TRANSITION_RANGE_MAX, 14);
        if (k == EBM_TRANSITION_CROP || k == EBM_TRANSITION_RESCALE)
            set(t, EBM_TRANSITION_INTERPOLATION, EBM_INTERPOLATION_CUBIC);
        /* A tenth of the height is no window. */
        if (k == EBM_TRANSITION_BLUR)
            set(t, EBM_TRANSITION_BLUR_KERNEL, 3);
        fill(x, SIZE);
        /* Mostly at the ends. */
        for (size_t i = 0; i < SIZE; i++)
            x[i] = x[i] < -0.2f ? 10 : x[i] > 0.2f ? 14 : 12 + 2 * x[i];
        memcpy(y, x, sizeof y);
        assert_ok(ebm_transition_apply(t, x, NULL, N, H, W, C, 1, 0, 0));
        for (size_t i = 0; i < SIZE; i++)
            assert_true(x[i] >= 10 && x[i] <= 14);
        assert_other_bits(x, y, SIZE);
        assert_true(applied(t) == N);
        ebm_transition_destroy(t);
    }
    ebm_context_destroy(context);
}

/* ---- Presets --------------------------------------------------------------
 */

static double get(const ebm_transition *whole, size_t part,
                  ebm_transition_key key)
{
    double value = NAN;
    assert_ok(
        ebm_transition_get(ebm_transition_part(whole, part), key, &value));
    return value;
}

static void presets_are_the_papers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double area, interpolation, strength, hue, blur, kernel;
    } rows[] = {
        {"simclr", 0.08, EBM_INTERPOLATION_CUBIC, 1, 0.2, 0.5, 0},
        {"du2020-cifar", 0.02, EBM_INTERPOLATION_LINEAR, 1, 0.2, 0, 0},
        {"du2020-celeba", 0.08, EBM_INTERPOLATION_LINEAR, 1, 0.2, 0, 0},
        {"du2020-cifar-code", 0.08, EBM_INTERPOLATION_LINEAR, 1, 0.4, 0, 0},
        {"du2020-celeba-code", 0.08, EBM_INTERPOLATION_LINEAR, 0.5, 0.4, 0.5,
         5},
        {NULL, 0.08, EBM_INTERPOLATION_CUBIC, 0.5, 0.2, 0.5, 0},
    };
    static const ebm_transition_kind kinds[] = {
        EBM_TRANSITION_CROP, EBM_TRANSITION_FLIP, EBM_TRANSITION_JITTER,
        EBM_TRANSITION_GRAYSCALE, EBM_TRANSITION_BLUR};
    ebm_context *context = test_context_threads(1);
    for (size_t k = 0; k < TEST_COUNT(rows); k++) {
        ebm_transition *t = NULL;
        if (rows[k].name)
            assert_ok(ebm_transition_create_preset(context, rows[k].name, &t));
        else
            assert_ok(ebm_transition_create_simclr(context, 0.5, &t));
        size_t parts = rows[k].blur > 0 ? 5 : 4;
        assert_int_equal(ebm_transition_get_kind(t), EBM_TRANSITION_SEQUENCE);
        assert_int_equal(ebm_transition_part_count(t), parts);
        for (size_t i = 0; i < parts; i++)
            assert_int_equal(
                ebm_transition_get_kind(ebm_transition_part(t, i)), kinds[i]);
        assert_null(ebm_transition_part(t, parts));
        assert_true(get(t, 0, EBM_TRANSITION_AREA_MIN) == rows[k].area);
        assert_true(get(t, 0, EBM_TRANSITION_AREA_MAX) == 1);
        assert_true(get(t, 0, EBM_TRANSITION_INTERPOLATION) ==
                    rows[k].interpolation);
        assert_true(get(t, 0, EBM_TRANSITION_ASPECT_MIN) == 0.75);
        assert_true(get(t, 0, EBM_TRANSITION_ASPECT_MAX) == 4.0 / 3);
        assert_true(get(t, 1, EBM_TRANSITION_PROBABILITY) == 0.5);
        assert_true(get(t, 2, EBM_TRANSITION_PROBABILITY) == 0.8);
        assert_true(get(t, 2, EBM_TRANSITION_STRENGTH) == rows[k].strength);
        assert_true(get(t, 2, EBM_TRANSITION_HUE) == rows[k].hue);
        assert_true(get(t, 2, EBM_TRANSITION_BRIGHTNESS) == 0.8);
        assert_true(get(t, 3, EBM_TRANSITION_PROBABILITY) == 0.2);
        if (parts == 5) {
            assert_true(get(t, 4, EBM_TRANSITION_PROBABILITY) == 0.5);
            assert_true(get(t, 4, EBM_TRANSITION_BLUR_KERNEL) ==
                        rows[k].kernel);
            assert_true(get(t, 4, EBM_TRANSITION_BLUR_SIGMA_MIN) == 0.1);
            assert_true(get(t, 4, EBM_TRANSITION_BLUR_SIGMA_MAX) == 2);
        }
        ebm_transition_destroy(t);
    }
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_follow_their_tables),
        cmocka_unit_test(flip_twice_is_nothing),
        cmocka_unit_test(zero_strength_is_the_identity),
        cmocka_unit_test(noise_has_its_law),
        cmocka_unit_test(draws_are_independent),
        cmocka_unit_test(images_keep_their_range),
        cmocka_unit_test(presets_are_the_papers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
