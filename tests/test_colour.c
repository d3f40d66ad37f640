/* Colour jitter and grayscale against torchvision (torch/colour.py), and the
   laws of what a jitter draws. */
#include "ebm_test.h"
#include "values.h"

#include "core/random.h"
#include "transition/colour.h"

static const double tolerance = 1e-4;
enum { HEIGHT = 5, WIDTH = 6, PIXELS = HEIGHT * WIDTH, COLUMNS = 9 };

/* The keys of a jitter at their initial values: all of SimCLR's. */
static void initial_values(double *values)
{
    for (size_t i = 0; i < EBM_TRANSITION_KEYS; i++)
        values[i] = NAN;
    for (size_t i = 0; i < ebm_transition_jitter.row_count; i++)
        values[ebm_transition_jitter.rows[i].key] =
            ebm_transition_jitter.rows[i].option.initial;
}

static double largest_error(const float *a, const double *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fabs(a[i] - b[i]) <= worst ? worst : fabs(a[i] - b[i]);
    return worst;
}

/* ---- Against torchvision --------------------------------------------------
 */

static ebm_jitter jitter_of(const double *row)
{
    ebm_jitter jitter = {.order = {0}};
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++) {
        if (row[1 + i] >= 0)
            jitter.is_on[(size_t)row[1 + i]] = 1;
        jitter.amount[i] = row[5 + i];
    }
    /* Steps that are off come last. */
    size_t at = 0;
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++)
        if (row[1 + i] >= 0)
            jitter.order[at++] = (ebm_colour_step)row[1 + i];
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++)
        if (!jitter.is_on[i])
            jitter.order[at++] = (ebm_colour_step)i;
    return jitter;
}

static double jitters_error(const test_values *file,
                            const ebm_kernels *kernels)
{
    const float *range = test_values_floats(file, "range", 2);
    const double *rows = NULL;
    size_t count = 0;
    double worst = 0;
    for (size_t k = 0; k < file->count; k++)
        if (!strcmp(file->arrays[k].name, "jitters")) {
            count = file->arrays[k].count / COLUMNS;
            rows = file->arrays[k].numbers;
        }
    assert_true(count > 20);
    for (size_t k = 0; k < count; k++) {
        const double *row = rows + k * COLUMNS;
        const ebm_transition_shape shape = {HEIGHT,   WIDTH,    (size_t)row[0],
                                            range[0], range[1], kernels};
        const test_array *image = test_values_numbered(file, "image", k);
        const test_array *right = test_values_numbered(file, "jittered", k);
        const size_t size = PIXELS * shape.channels;
        const ebm_jitter jitter = jitter_of(row);
        float x[PIXELS * 3];
        float *scratch = test_floats(ebm_colour_scratch(&shape));
        assert_int_equal(image->count, size);
        assert_int_equal(right->count, size);
        memcpy(x, image->floats, size * sizeof *x);
        ebm_jitter_apply(&jitter, &shape, x, scratch);
        double error = largest_error(x, right->numbers, size);
        if (!(error < tolerance))
            fail_msg("%s: jitter %zu is off by %g", kernels->name, k, error);
        worst = fmax(worst, error);
        free(scratch);
    }
    return worst;
}

/* In units of the range: from torchvision's, whose weight of red is 0.2989 and
   not 0.299, and from the formula with 0.299. */
static double greys_error(const test_values *file, const ebm_kernels *kernels,
                          double *from_formula)
{
    const float *range = test_values_floats(file, "range", 2);
    const ebm_transition_shape shape = {HEIGHT,   WIDTH,    3,
                                        range[0], range[1], kernels};
    float x[PIXELS * 3];
    float *scratch = test_floats(ebm_colour_scratch(&shape));
    memcpy(x, test_values_floats(file, "colours", PIXELS * 3), sizeof x);
    ebm_grayscale_apply(&shape, x, scratch);
    free(scratch);
    const float *colours = test_values_floats(file, "colours", PIXELS * 3);
    const double span = (double)range[1] - range[0];
    double formula[PIXELS * 3];
    for (size_t i = 0; i < PIXELS * 3; i++) {
        const float *pixel = colours + i / 3 * 3;
        formula[i] = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    }
    *from_formula = largest_error(x, formula, PIXELS * 3) / span;
    return largest_error(x, test_values_doubles(file, "greys", PIXELS * 3),
                         PIXELS * 3) /
           span;
}

static void colours_are_torchvisions(void **state)
{
    (void)state;
    test_values file;
    test_values_read(&file, "tests/torch/colour.txt");
    for (size_t i = 0; ebm_kernels_variant(i); i++) {
        const ebm_kernels *kernels = ebm_kernels_variant(i);
        if (!kernels->usable())
            continue;
        double jitter = jitters_error(&file, kernels);
        double formula, grey = greys_error(&file, kernels, &formula);
        print_message("%s: jitter off by %.1e, grayscale by %.1e, from its "
                      "formula %.1e\n",
                      kernels->name, jitter, grey, formula);
        /* 1e-4 of a pixel that is all red, and rounding. */
        assert_true(grey < tolerance + 1e-6);
        assert_true(formula < 1e-6);
    }
    test_values_free(&file);
}

/* ---- What is drawn --------------------------------------------------------
 */

enum { DRAWS = 24000 };

static void draws_have_their_laws(void **state)
{
    (void)state;
    static double amounts[EBM_COLOUR_STEPS][DRAWS];
    /* At s = 1, and at s = 1.6 where the least factor is cut off at 0. */
    static const struct {
        double strength, hue;
        double range[EBM_COLOUR_STEPS][2];
    } rows[] = {
        {1, 0.2, {{0.2, 1.8}, {0.2, 1.8}, {0.2, 1.8}, {-0.2, 0.2}}},
        {0.5, 0.4, {{0.6, 1.4}, {0.6, 1.4}, {0.6, 1.4}, {-0.2, 0.2}}},
        {1.5, 0.2, {{0, 2.2}, {0, 2.2}, {0, 2.2}, {-0.3, 0.3}}},
    };
    for (size_t r = 0; r < TEST_COUNT(rows); r++) {
        double values[EBM_TRANSITION_KEYS];
        size_t orders[256] = {0}, kinds = 0;
        double chi_square = 0;
        initial_values(values);
        values[EBM_TRANSITION_STRENGTH] = rows[r].strength;
        values[EBM_TRANSITION_HUE] = rows[r].hue;
        for (size_t k = 0; k < DRAWS; k++) {
            const ebm_random random =
                ebm_random_at(11, EBM_PURPOSE_TRANSITION, k, r);
            const ebm_jitter jitter = ebm_jitter_draw(&random, values);
            size_t order = 0;
            int seen = 0;
            for (size_t i = 0; i < EBM_COLOUR_STEPS; i++) {
                order = 4 * order + jitter.order[i];
                seen |= 1 << jitter.order[i];
                amounts[i][k] = jitter.amount[i];
                assert_true(jitter.is_on[i]);
            }
            assert_int_equal(seen, 15);
            orders[order]++;
        }
        for (size_t i = 0; i < 256; i++)
            if (orders[i]) {
                double away = (double)orders[i] - DRAWS / 24.0;
                chi_square += away * away / (DRAWS / 24.0);
                kinds++;
            }
        assert_int_equal(kinds, 24);
        assert_true(chi_square < 49.7); /* 23 degrees of freedom, 0.1 % */
        for (size_t i = 0; i < EBM_COLOUR_STEPS; i++)
            assert_true(test_ks(amounts[i], DRAWS, test_cdf_uniform,
                                rows[r].range[i]) < 1.95);
    }
}

/* ---- Identity and refusals ------------------------------------------------
 */

static void strength_zero_is_the_identity(void **state)
{
    (void)state;
    double values[EBM_TRANSITION_KEYS];
    initial_values(values);
    assert_false(ebm_transition_jitter.is_identity(values));
    values[EBM_TRANSITION_STRENGTH] = 0;
    assert_true(ebm_transition_jitter.is_identity(values));
    initial_values(values);
    values[EBM_TRANSITION_BRIGHTNESS] = values[EBM_TRANSITION_CONTRAST] = 0;
    values[EBM_TRANSITION_SATURATION] = 0;
    assert_false(ebm_transition_jitter.is_identity(values));
    values[EBM_TRANSITION_HUE] = 0;
    assert_true(ebm_transition_jitter.is_identity(values));
}

/* A step of strength 0 is left out, whatever is drawn for the others. */
static void steps_of_strength_zero_are_left_out(void **state)
{
    (void)state;
    const ebm_transition_shape shape = {HEIGHT, WIDTH, 3,
                                        -1,     1,     ebm_kernels_best()};
    double values[EBM_TRANSITION_KEYS];
    float x[PIXELS * 3], before[PIXELS * 3];
    uint64_t random = 3;
    float *scratch = test_floats(ebm_colour_scratch(&shape));
    initial_values(values);
    values[EBM_TRANSITION_BRIGHTNESS] = values[EBM_TRANSITION_CONTRAST] = 0;
    values[EBM_TRANSITION_SATURATION] = 0;
    test_fill_uniform(&random, x, PIXELS * 3, -1, 1);
    memcpy(before, x, sizeof x);
    const ebm_random draw = ebm_random_at(1, EBM_PURPOSE_TRANSITION, 0, 0);
    const ebm_jitter jitter = ebm_jitter_draw(&draw, values);
    ebm_jitter_apply(&jitter, &shape, x, scratch);
    assert_true(fabs(jitter.amount[EBM_COLOUR_HUE]) > 0.01);
    /* Turning the hue keeps the largest and the smallest channel. */
    for (size_t i = 0; i < PIXELS; i++) {
        const float *a = x + 3 * i, *b = before + 3 * i;
        assert_close(fmaxf(a[0], fmaxf(a[1], a[2])),
                     fmaxf(b[0], fmaxf(b[1], b[2])), 1e-6, 0);
        assert_close(fminf(a[0], fminf(a[1], a[2])),
                     fminf(b[0], fminf(b[1], b[2])), 1e-6, 0);
    }
    assert_other_bits(x, before, PIXELS * 3);
    free(scratch);
}

static void grey_images_are_refused_where_colour_is_meant(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    double values[EBM_TRANSITION_KEYS];
    ebm_transition_shape shape = {4, 4, 1, 0, 1, ebm_kernels_best()};
    initial_values(values);
    assert_error(context, ebm_transition_jitter.check(context, values, &shape),
                 EBM_ERROR_SHAPE, "saturation");
    assert_error(context,
                 ebm_transition_grayscale.check(context, values, &shape),
                 EBM_ERROR_SHAPE, "3 channels");
    values[EBM_TRANSITION_SATURATION] = 0;
    assert_error(context, ebm_transition_jitter.check(context, values, &shape),
                 EBM_ERROR_SHAPE, "hue");
    initial_values(values);
    values[EBM_TRANSITION_HUE] = 0;
    assert_error(context, ebm_transition_jitter.check(context, values, &shape),
                 EBM_ERROR_SHAPE, "saturation");
    values[EBM_TRANSITION_SATURATION] = 0;
    assert_ok(ebm_transition_jitter.check(context, values, &shape));
    shape.channels = 2;
    assert_error(context, ebm_transition_jitter.check(context, values, &shape),
                 EBM_ERROR_SHAPE, "3 channels");
    shape.channels = 3;
    assert_ok(ebm_transition_grayscale.check(context, values, &shape));
    values[EBM_TRANSITION_HUE] = 0.4;
    values[EBM_TRANSITION_STRENGTH] = 1.3;
    assert_error(context, ebm_transition_jitter.check(context, values, &shape),
                 EBM_ERROR_RANGE, "0.52");
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_are_torchvisions),
        cmocka_unit_test(draws_have_their_laws),
        cmocka_unit_test(strength_zero_is_the_identity),
        cmocka_unit_test(steps_of_strength_zero_are_left_out),
        cmocka_unit_test(grey_images_are_refused_where_colour_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
