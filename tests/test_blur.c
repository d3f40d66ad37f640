/* Gaussian blur against torchvision (torch/colour.py), and its set-up. */
#include "ebm_test.h"
#include "values.h"

#include "core/random.h"
#include "transition/blur.h"

enum { COLUMNS = 5 };

static void initial_values(double *values)
{
    for (size_t i = 0; i < EBM_TRANSITION_KEYS; i++)
        values[i] = NAN;
    for (size_t i = 0; i < ebm_transition_blur.row_count; i++)
        values[ebm_transition_blur.rows[i].key] =
            ebm_transition_blur.rows[i].option.initial;
}

static double blur_error(const test_values *file, const ebm_kernels *kernels,
                         const double *row, size_t k)
{
    const float *range = test_values_floats(file, "range", 2);
    const ebm_transition_shape shape = {(size_t)row[0], (size_t)row[1],
                                        (size_t)row[2], range[0],
                                        range[1],       kernels};
    const size_t side = (size_t)row[3];
    const test_array *sharp = test_values_numbered(file, "sharp", k);
    const test_array *right = test_values_numbered(file, "blurred", k);
    float *x = test_floats(sharp->count);
    float *scratch = test_floats(ebm_blur_scratch(side, &shape));
    double worst = 0;
    assert_int_equal(sharp->count,
                     shape.height * shape.width * shape.channels);
    assert_int_equal(right->count, sharp->count);
    memcpy(x, sharp->floats, sharp->count * sizeof *x);
    ebm_blur_apply(side, row[4], &shape, x, scratch);
    for (size_t i = 0; i < sharp->count; i++) {
        double error = fabs(x[i] - right->numbers[i]);
        worst = error <= worst ? worst : error;
    }
    free(scratch);
    free(x);
    return worst;
}

static void blurs_are_torchvisions(void **state)
{
    (void)state;
    enum { BLURS = 6 };
    test_values file;
    test_values_read(&file, "tests/torch/colour.txt");
    const double *rows = test_values_doubles(&file, "blurs", BLURS * COLUMNS);
    for (size_t i = 0; ebm_kernels_variant(i); i++) {
        const ebm_kernels *kernels = ebm_kernels_variant(i);
        double worst = 0;
        if (!kernels->usable())
            continue;
        for (size_t k = 0; k < BLURS; k++) {
            double error = blur_error(&file, kernels, rows + k * COLUMNS, k);
            if (!(error < 1e-4))
                fail_msg("%s: blur %zu is off by %g", kernels->name, k, error);
            worst = fmax(worst, error);
        }
        print_message("%s: off by %.1e\n", kernels->name, worst);
    }
    test_values_free(&file);
}

static void widths_are_uniform(void **state)
{
    (void)state;
    enum { DRAWS = 10000 };
    static double widths[DRAWS];
    const double range[2] = {0.1, 2};
    double values[EBM_TRANSITION_KEYS];
    initial_values(values);
    for (size_t k = 0; k < DRAWS; k++) {
        const ebm_random random =
            ebm_random_at(2, EBM_PURPOSE_TRANSITION, k, 0);
        widths[k] = ebm_blur_draw(&random, values);
    }
    assert_true(test_ks(widths, DRAWS, test_cdf_uniform, range) < 1.95);
}

static void windows_and_refusals(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    double values[EBM_TRANSITION_KEYS];
    ebm_transition_shape shape = {28, 28, 1, 0, 1, ebm_kernels_best()};
    initial_values(values);
    assert_int_equal(ebm_blur_side(values, 19), 1);
    assert_int_equal(ebm_blur_side(values, 28), 3);
    assert_int_equal(ebm_blur_side(values, 128), 13);
    assert_int_equal(ebm_blur_side(values, 100000), 255);
    assert_ok(ebm_transition_blur.check(context, values, &shape));
    assert_false(ebm_transition_blur.is_identity(values));
    values[EBM_TRANSITION_BLUR_KERNEL] = 55;
    assert_ok(ebm_transition_blur.check(context, values, &shape));
    values[EBM_TRANSITION_BLUR_KERNEL] = 57;
    shape.height = 29;
    assert_error(context, ebm_transition_blur.check(context, values, &shape),
                 EBM_ERROR_SHAPE, "29 x 28");
    shape.height = 28;
    shape.width = 29;
    assert_error(context, ebm_transition_blur.check(context, values, &shape),
                 EBM_ERROR_SHAPE, "28 x 29");
    values[EBM_TRANSITION_BLUR_KERNEL] = 4;
    assert_error(context, ebm_transition_blur.check(context, values, &shape),
                 EBM_ERROR_RANGE, "4 is not odd");
    values[EBM_TRANSITION_BLUR_KERNEL] = 1;
    assert_true(ebm_transition_blur.is_identity(values));
    initial_values(values);
    values[EBM_TRANSITION_BLUR_SIGMA_MIN] = 2.5;
    assert_error(context, ebm_transition_blur.check(context, values, &shape),
                 EBM_ERROR_RANGE, "2.5");
    values[EBM_TRANSITION_BLUR_SIGMA_MIN] = 0;
    values[EBM_TRANSITION_BLUR_SIGMA_MAX] = 0;
    assert_true(ebm_transition_blur.is_identity(values));
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blurs_are_torchvisions),
        cmocka_unit_test(widths_are_uniform),
        cmocka_unit_test(windows_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
