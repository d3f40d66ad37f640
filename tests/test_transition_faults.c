/* Transitions: what they refuse, and when memory runs out. */
#include "ebm_test.h"

enum { H = 8, W = 6, C = 3, N = 4, SIZE = N * H * W * C };

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

static int nothing(float *x, const int32_t *labels, size_t n, size_t height,
                   size_t width, size_t channels, const uint64_t *keys,
                   void *user)
{
    (void)x, (void)labels, (void)n, (void)height, (void)width, (void)channels;
    (void)keys, (void)user;
    return 0;
}

static void creation_is_checked(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_context *other = test_context_threads(1);
    ebm_transition *t = NULL, *flip = make(context, EBM_TRANSITION_FLIP);
    ebm_transition *foreign = make(other, EBM_TRANSITION_FLIP);
    ebm_transition *parts[2] = {flip, foreign};
    double weights[2] = {1, 1};
    assert_status(ebm_transition_create(NULL, EBM_TRANSITION_FLIP, &t),
                  EBM_ERROR_HANDLE);
    assert_error(context, ebm_transition_create(context, 11, &t),
                 EBM_ERROR_ARGUMENT, "11");
    assert_error(context,
                 ebm_transition_create(context, EBM_TRANSITION_SEQUENCE, &t),
                 EBM_ERROR_ARGUMENT, "sequence");
    assert_status(ebm_transition_create(context, EBM_TRANSITION_FLIP, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_callback(context, NULL, NULL, &t),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_callback(context, nothing, NULL, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_error(context,
                 ebm_transition_create_sequence(context, parts, 2, &t),
                 EBM_ERROR_CONTEXT, "contexts");
    parts[1] = NULL;
    assert_status(ebm_transition_create_sequence(context, parts, 2, &t),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_transition_create_sequence(context, parts, 0, &t),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_sequence(context, NULL, 1, &t),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_sequence(context, parts, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_one_of(context, NULL, weights, 2, &t),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_one_of(context, parts, NULL, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    parts[1] = flip;
    assert_error(context,
                 ebm_transition_create_one_of(context, parts, weights, 0, &t),
                 EBM_ERROR_ARGUMENT, "count");
    static const double wrong[][2] = {
        {1, -1}, {0, 0}, {NAN, 1}, {1, INFINITY}, {1e308, 1e308}};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++)
        assert_error(
            context,
            ebm_transition_create_one_of(context, parts, wrong[i], 2, &t),
            EBM_ERROR_RANGE, "weight");
    assert_error(context,
                 ebm_transition_create_with_probability(flip, 1.5, &t),
                 EBM_ERROR_RANGE, "probability");
    assert_status(ebm_transition_create_with_probability(flip, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_with_probability(NULL, 1, &t),
                  EBM_ERROR_HANDLE);
    assert_error(context, ebm_transition_create_preset(context, "du2020", &t),
                 EBM_ERROR_ARGUMENT, "du2020");
    assert_status(ebm_transition_create_preset(context, NULL, &t),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_create_preset(context, "simclr", NULL),
                  EBM_ERROR_ARGUMENT);
    assert_error(context, ebm_transition_create_simclr(context, 2.5, &t),
                 EBM_ERROR_RANGE, "strength");
    assert_null(t);
    ebm_transition_destroy(foreign);
    ebm_transition_destroy(flip);
    ebm_context_destroy(other);
    ebm_context_destroy(context);
}

/* 128 places in a tree, wherever the same part stands. */
static void trees_are_bounded(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition *parts[128], *t = NULL, *more = NULL;
    parts[0] = make(context, EBM_TRANSITION_FLIP);
    for (size_t i = 1; i < 128; i++)
        parts[i] = parts[0];
    assert_error(context,
                 ebm_transition_create_sequence(context, parts, 128, &t),
                 EBM_ERROR_RANGE, "128");
    assert_ok(ebm_transition_create_sequence(context, parts, 127, &t));
    assert_error(context, ebm_transition_create_with_probability(t, 1, &more),
                 EBM_ERROR_RANGE, "128");
    float x[SIZE] = {0};
    assert_ok(ebm_transition_apply(t, x, NULL, N, H, W, C, 0, 0, 0));
    ebm_transition_destroy(t);
    /* Doubled 6 times: 127. */
    t = ebm_transition_get_kind(parts[0]) ? NULL : parts[0];
    for (int i = 0; i < 6; i++) {
        ebm_transition *two[2] = {t, t};
        assert_ok(ebm_transition_create_sequence(context, two, 2, &more));
        ebm_transition_destroy(t);
        t = more;
    }
    ebm_transition *two[2] = {t, t};
    assert_status(ebm_transition_create_sequence(context, two, 2, &more),
                  EBM_ERROR_RANGE);
    ebm_transition_destroy(t);
    ebm_context_destroy(context);
}

static void handles_are_checked(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition *t = make(context, EBM_TRANSITION_FLIP);
    ebm_transition *held = NULL;
    assert_ok(ebm_transition_create_with_probability(t, 1, &held));
    double value;
    float x[SIZE] = {0};
    assert_status(ebm_transition_get(t, 0, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_get_statistic(t, 0, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_error(context, ebm_transition_get_statistic(t, 2, &value),
                 EBM_ERROR_ARGUMENT, "2");
    ebm_transition_destroy(t);
    ebm_transition_destroy(t);
    const ebm_transition *wrong[] = {NULL, t,
                                     (const ebm_transition *)(void *)context};
    for (size_t i = 0; i < 3; i++) {
        ebm_transition *w = (ebm_transition *)(uintptr_t)wrong[i];
        assert_status(ebm_transition_set(w, 0, 1), EBM_ERROR_HANDLE);
        assert_status(ebm_transition_get(w, 0, &value), EBM_ERROR_HANDLE);
        assert_status(ebm_transition_check(w, 1, 1, 1), EBM_ERROR_HANDLE);
        assert_status(ebm_transition_get_statistic(w, 0, &value),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_transition_apply(w, x, NULL, N, H, W, C, 0, 0, 0),
                      EBM_ERROR_HANDLE);
        assert_int_equal(ebm_transition_get_kind(w), EBM_TRANSITION_KIND_MAX);
        assert_int_equal(ebm_transition_part_count(w), 0);
        assert_null(ebm_transition_part(w, 0));
        ebm_transition_destroy(i < 2 ? w : NULL);
    }
    ebm_transition_destroy(held);
    ebm_context_destroy(context);
}

static void shapes_and_ranges_are_checked(void **state)
{
    (void)state;
    static const struct {
        ebm_transition_kind kind;
        ebm_transition_key key;
        double value;
        ebm_transition_key then;
        double then_value;
        size_t channels;
        ebm_status status;
        const char *word;
    } rows[] = {
        {EBM_TRANSITION_CROP, EBM_TRANSITION_AREA_MAX, 0.05,
         EBM_TRANSITION_AREA_MIN, 0.06, 3, EBM_ERROR_RANGE, "area_min"},
        {EBM_TRANSITION_CROP, EBM_TRANSITION_ASPECT_MAX, 0.5,
         EBM_TRANSITION_ASPECT_MIN, 0.6, 3, EBM_ERROR_RANGE, "aspect_min"},
        {EBM_TRANSITION_RESCALE, EBM_TRANSITION_SCALE_MAX, 0.5,
         EBM_TRANSITION_SCALE_MIN, 0.6, 3, EBM_ERROR_RANGE, "scale_min"},
        {EBM_TRANSITION_BLUR, EBM_TRANSITION_BLUR_SIGMA_MAX, 1,
         EBM_TRANSITION_BLUR_SIGMA_MIN, 2, 3, EBM_ERROR_RANGE, "sigma"},
        {EBM_TRANSITION_BLUR, EBM_TRANSITION_BLUR_KERNEL, 4,
         EBM_TRANSITION_BLUR_SIGMA_MIN, 1, 3, EBM_ERROR_RANGE, "4"},
        {EBM_TRANSITION_JITTER, EBM_TRANSITION_HUE, 0.4,
         EBM_TRANSITION_STRENGTH, 1.5, 3, EBM_ERROR_RANGE, "hue"},
        {EBM_TRANSITION_JITTER, EBM_TRANSITION_HUE, 0, EBM_TRANSITION_STRENGTH,
         1, 1, EBM_ERROR_SHAPE, "1 channel"},
        {EBM_TRANSITION_JITTER, EBM_TRANSITION_SATURATION, 0,
         EBM_TRANSITION_STRENGTH, 1, 1, EBM_ERROR_SHAPE, "1 channel"},
        {EBM_TRANSITION_JITTER, EBM_TRANSITION_STRENGTH, 1,
         EBM_TRANSITION_STRENGTH, 1, 4, EBM_ERROR_SHAPE, "4"},
        {EBM_TRANSITION_GRAYSCALE, EBM_TRANSITION_PROBABILITY, 1,
         EBM_TRANSITION_PROBABILITY, 1, 1, EBM_ERROR_SHAPE, "3 channels"},
        {EBM_TRANSITION_FLIP, EBM_TRANSITION_RANGE_MIN, 1,
         EBM_TRANSITION_RANGE_MAX, 1, 1, EBM_ERROR_RANGE, "[1, 1]"},
        {EBM_TRANSITION_FLIP, EBM_TRANSITION_RANGE_MIN, -3e38,
         EBM_TRANSITION_RANGE_MAX, 3e38, 1, EBM_ERROR_RANGE, "too wide"},
    };
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        ebm_transition *t = make(context, rows[i].kind), *whole = NULL;
        set(t, rows[i].key, rows[i].value);
        set(t, rows[i].then, rows[i].then_value);
        assert_error(context, ebm_transition_check(t, H, W, rows[i].channels),
                     rows[i].status, rows[i].word);
        float x[5 * SIZE] = {0}, y[5 * SIZE] = {0};
        assert_status(ebm_transition_apply(t, x, NULL, N, H, W,
                                           rows[i].channels, 0, 0, 0),
                      rows[i].status);
        assert_same_bits(x, y, 5 * SIZE);
        /* As a part; a range is the outermost one's alone. */
        assert_ok(ebm_transition_create_with_probability(t, 0.5, &whole));
        assert_status(ebm_transition_check(whole, H, W, rows[i].channels),
                      rows[i].kind ? rows[i].status : EBM_OK);
        /* What never acts is not asked. */
        set(whole, EBM_TRANSITION_PROBABILITY, 0);
        assert_ok(ebm_transition_check(whole, H, W, rows[i].channels));
        ebm_transition_destroy(t);
        ebm_transition_destroy(whole);
    }
    /* Grey images where the operation has a meaning. */
    for (int kind = 0; kind <= EBM_TRANSITION_ELASTIC; kind++) {
        ebm_transition *t = make(context, (ebm_transition_kind)kind);
        if (kind == EBM_TRANSITION_JITTER) {
            set(t, EBM_TRANSITION_HUE, 0);
            set(t, EBM_TRANSITION_SATURATION, 0);
        }
        assert_status(ebm_transition_check(t, 28, 28, 1),
                      kind == EBM_TRANSITION_GRAYSCALE ? EBM_ERROR_SHAPE
                                                       : EBM_OK);
        ebm_transition_destroy(t);
    }
    ebm_context_destroy(context);
}

static void applications_are_checked(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition *t = make(context, EBM_TRANSITION_FLIP);
    float x[SIZE] = {0};
    const uint64_t streams = (uint64_t)1 << 44, counts = (uint64_t)1 << 36;
    assert_status(ebm_transition_apply(t, NULL, NULL, N, H, W, C, 0, 0, 0),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_apply(t, x, NULL, 0, H, W, C, 0, 0, 0),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_transition_apply(t, x, NULL, N, H, 0, C, 0, 0, 0),
                  EBM_ERROR_ARGUMENT);
    assert_status(
        ebm_transition_apply(t, x, NULL, N, SIZE_MAX / 2, W, C, 0, 0, 0),
        EBM_ERROR_OVERFLOW);
    assert_error(context, ebm_transition_check(t, (size_t)1 << 20, 1 << 12, 1),
                 EBM_ERROR_OVERFLOW, "too large");
    assert_error(
        context,
        ebm_transition_apply(t, x, NULL, N, H, W, C, 0, streams - N + 1, 0),
        EBM_ERROR_RANGE, "streams");
    assert_ok(ebm_transition_apply(t, x, NULL, N, H, W, C, 0, streams - N, 0));
    assert_error(context,
                 ebm_transition_apply(t, x, NULL, N, H, W, C, 0, 0, counts),
                 EBM_ERROR_RANGE, "count");
    x[SIZE - 1] = INFINITY;
    assert_error(context,
                 ebm_transition_apply(t, x, NULL, N, H, W, C, 0, 0, 0),
                 EBM_ERROR_NON_FINITE, "finite");
    ebm_transition_destroy(t);
    ebm_context_destroy(context);
}

/* Everything that allocates, with the n-th allocation failing. */
static ebm_status use_all(ebm_context *context, float *x)
{
    ebm_transition *parts[3] = {NULL}, *all = NULL, *some = NULL;
    ebm_status status = ebm_transition_create_simclr(context, 1, &parts[0]);
    if (status == EBM_OK)
        status =
            ebm_transition_create_preset(context, "elastic-digits", &parts[1]);
    if (status == EBM_OK)
        status =
            ebm_transition_create_callback(context, nothing, NULL, &parts[2]);
    if (status == EBM_OK)
        status = ebm_transition_create_one_of(context, parts, NULL, 3, &some);
    if (status == EBM_OK)
        status = ebm_transition_create_with_probability(some, 0.9, &all);
    if (status == EBM_OK)
        status = ebm_transition_apply(all, x, NULL, N, H, W, C, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        ebm_transition_destroy(parts[i]);
    ebm_transition_destroy(some);
    ebm_transition_destroy(all);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    size_t blocks = memory.live_blocks, failures = 0;
    float x[SIZE], y[SIZE];
    uint64_t random = 5;
    test_fill_uniform(&random, y, SIZE, -1, 1);
    for (size_t n = 1;; n++) {
        memcpy(x, y, sizeof x);
        test_fail_at(&memory, n, n % 2);
        ebm_status status = use_all(context, x);
        test_fail_at(&memory, 0, 0);
        assert_int_equal(memory.live_blocks, blocks);
        if (status == EBM_OK)
            break;
        assert_int_equal(status, EBM_ERROR_MEMORY);
        assert_same_bits(x, y, SIZE);
        failures++;
    }
    assert_true(failures > 15);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_is_checked),
        cmocka_unit_test(trees_are_bounded),
        cmocka_unit_test(handles_are_checked),
        cmocka_unit_test(shapes_and_ranges_are_checked),
        cmocka_unit_test(applications_are_checked),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
