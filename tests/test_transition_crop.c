/* Random resized crop and rescaling: against torchvision, and the laws of what
   is drawn. */
#include "ebm_test.h"
#include "values.h"

#include "core/context.h"
#include "transition/crop.h"
#include "transition/rescale.h"
#include "transition/resample.h"

static const double tolerance = 1e-5;

static ebm_transition_shape shape_of(const ebm_context *context, size_t height,
                                     size_t width, size_t channels)
{
    return (ebm_transition_shape){height, width, channels,
                                  -1,     1.5f,  context->kernels};
}

/* Copies and applies; the scratch is exactly what was asked for. */
static void crops_are_torchvisions(void **state)
{
    (void)state;
    enum { SIZE = 9 * 8 * 2, BOXES = 16 };
    test_values values;
    ebm_context *context = test_context_threads(1);
    test_values_read(&values, "tests/torch/crop.txt");
    ebm_transition_shape shape = shape_of(context, 9, 8, 2);
    const double *rows = test_values_doubles(&values, "boxes", BOXES * 5);
    for (size_t k = 0; k < BOXES; k++) {
        const double *row = rows + 5 * k;
        ebm_interpolation interpolation = (ebm_interpolation)row[0];
        ebm_crop_box box = {(size_t)row[1], (size_t)row[2], (size_t)row[3],
                            (size_t)row[4], 0};
        float x[SIZE];
        float *scratch =
            test_floats(ebm_resample_scratch(&shape, interpolation, 1));
        memcpy(x, test_values_floats(&values, "image", SIZE), sizeof x);
        ebm_crop_apply(&shape, interpolation, &box, x, scratch);
        const test_array *right = test_values_numbered(&values, "crop", k);
        assert_int_equal(right->count, SIZE);
        assert_arrays_near(x, right->numbers, SIZE, tolerance);
        free(scratch);
    }
    test_values_free(&values);
    ebm_context_destroy(context);
}

static void rescaling_is_torchvisions(void **state)
{
    (void)state;
    enum { SIZE = 12 * 12, ROWS = 20 };
    test_values values;
    ebm_context *context = test_context_threads(1);
    test_values_read(&values, "tests/torch/crop.txt");
    ebm_transition_shape shape = shape_of(context, 12, 12, 1);
    const double *rows = test_values_doubles(&values, "scales", ROWS * 3);
    for (size_t k = 0; k < ROWS; k++) {
        const double *row = rows + 3 * k;
        ebm_interpolation interpolation = (ebm_interpolation)row[0];
        float x[SIZE];
        float *scratch = test_floats(
            ebm_resample_scratch(&shape, interpolation, 1.001 / row[2]));
        memcpy(x, test_values_floats(&values, "square", SIZE), sizeof x);
        ebm_rescale_apply(&shape, interpolation, (ebm_boundary)row[1], row[2],
                          row[2], x, scratch);
        const test_array *right = test_values_numbered(&values, "rescale", k);
        assert_int_equal(right->count, SIZE);
        assert_arrays_near(x, right->numbers, SIZE, tolerance);
        free(scratch);
    }
    test_values_free(&values);
    ebm_context_destroy(context);
}

/* Growing by 2 is the crop of the middle, but for the margin, where the crop
   does not look across its edge. */
static void growing_is_a_crop(void **state)
{
    (void)state;
    enum { SIDE = 16, SIZE = SIDE * SIDE };
    ebm_context *context = test_context_threads(1);
    ebm_transition_shape shape = shape_of(context, SIDE, SIDE, 1);
    uint64_t random = 4;
    float x[SIZE], y[SIZE];
    float *scratch = test_floats(
        ebm_resample_scratch(&shape, EBM_INTERPOLATION_LINEAR, 1.001));
    test_fill_uniform(&random, x, SIZE, -1, 1.5);
    memcpy(y, x, sizeof y);
    ebm_crop_box box = {4, 4, 8, 8, 0};
    ebm_crop_apply(&shape, EBM_INTERPOLATION_LINEAR, &box, x, scratch);
    ebm_rescale_apply(&shape, EBM_INTERPOLATION_LINEAR, EBM_BOUNDARY_CONSTANT,
                      2, 1, y, scratch);
    for (size_t row = 1; row < SIDE - 1; row++)
        assert_arrays_close(x + row * SIDE + 1, y + row * SIDE + 1, SIDE - 2,
                            1e-6);
    assert_other_bits(x, y, SIZE);
    free(scratch);
    ebm_context_destroy(context);
}

/* Boundaries, written down. */
static void boundaries(void **state)
{
    (void)state;
    static const int right[5][10] = {
        {-1, -1, -1, 0, 1, 2, -1, -1, -1, -1}, {0, 0, 0, 0, 1, 2, 2, 2, 2, 2},
        {2, 1, 0, 0, 1, 2, 2, 1, 0, 0},        {1, 2, 1, 0, 1, 2, 1, 0, 1, 2},
        {0, 1, 2, 0, 1, 2, 0, 1, 2, 0},
    };
    for (int b = EBM_BOUNDARY_CONSTANT; b <= EBM_BOUNDARY_WRAP; b++) {
        for (int i = 0; i < 10; i++)
            assert_int_equal(ebm_boundary_index(i - 3, 3, (ebm_boundary)b),
                             right[b][i]);
        for (int i = -3; i < 4; i++)
            assert_int_equal(ebm_boundary_index(i, 1, (ebm_boundary)b),
                             b || !i ? 0 : -1);
    }
}

/* ---- Laws -----------------------------------------------------------------
 */

enum { DRAWS = 4000 };

static void settings(double *values, double area, double area_to,
                     double aspect, double aspect_to)
{
    memset(values, 0, EBM_TRANSITION_KEYS * sizeof *values);
    values[EBM_TRANSITION_AREA_MIN] = area;
    values[EBM_TRANSITION_AREA_MAX] = area_to;
    values[EBM_TRANSITION_ASPECT_MIN] = aspect;
    values[EBM_TRANSITION_ASPECT_MAX] = aspect_to;
}

static ebm_crop_box draw(const double *values,
                         const ebm_transition_shape *shape, uint64_t stream)
{
    ebm_crop_box box;
    ebm_random random = ebm_random_at(7, EBM_PURPOSE_TRANSITION, stream, 3);
    ebm_crop_draw(values, shape, &random, &box);
    return box;
}

/* Boxes that always fit: the share of the area and the logarithm of the aspect
   are uniform; so is the place. Rounding to pixels of a large image moves them
   by less than the test sees. */
static void boxes_have_their_law(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition_shape shape = shape_of(context, 1000, 1000, 1);
    double values[EBM_TRANSITION_KEYS], area[DRAWS], aspect[DRAWS];
    double top[DRAWS], left[DRAWS], both = 0;
    settings(values, 0.1, 0.5, 0.75, 4.0 / 3);
    for (size_t i = 0; i < DRAWS; i++) {
        ebm_crop_box box = draw(values, &shape, i);
        assert_true(box.top + box.height <= 1000);
        assert_true(box.left + box.width <= 1000);
        assert_int_equal(box.attempts, 0);
        area[i] = (double)(box.height * box.width) / 1e6;
        aspect[i] = log((double)box.width / (double)box.height);
        top[i] = ((double)box.top + 0.5) / (double)(1001 - box.height);
        left[i] = ((double)box.left + 0.5) / (double)(1001 - box.width);
        both += (top[i] - 0.5) * (left[i] - 0.5) + (area[i] - 0.3) * aspect[i];
    }
    const double unit[] = {0, 1}, areas[] = {0.1, 0.5};
    const double aspects[] = {log(0.75), log(4.0 / 3)};
    assert_true(test_ks(area, DRAWS, test_cdf_uniform, areas) < 1.95);
    assert_true(test_ks(aspect, DRAWS, test_cdf_uniform, aspects) < 1.95);
    assert_true(test_ks(top, DRAWS, test_cdf_uniform, unit) < 1.95);
    assert_true(test_ks(left, DRAWS, test_cdf_uniform, unit) < 1.95);
    /* Uncorrelated: standard deviation (1/12 + 0.115 0.166) / sqrt(DRAWS). */
    assert_true(fabs(both / DRAWS) < 0.006);
    ebm_context_destroy(context);
}

/* Boxes that may not fit are drawn again, alone those that do remain: a is
   uniform where it and its aspect fit. With aspect 1 and area up to 1 on an
   image twice as wide as high, a box of area a fits if a <= 1/2. */
static void boxes_are_drawn_until_they_fit(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition_shape shape = shape_of(context, 1000, 2000, 1);
    double values[EBM_TRANSITION_KEYS], area[DRAWS], missed = 0;
    settings(values, 0.25, 1, 1, 1);
    for (size_t i = 0; i < DRAWS; i++) {
        ebm_crop_box box = draw(values, &shape, i);
        assert_int_equal(box.height, box.width);
        area[i] = (double)(box.height * box.width) / 2e6;
        missed += box.attempts;
    }
    const double areas[] = {0.25, 0.5};
    assert_true(test_ks(area, DRAWS, test_cdf_uniform, areas) < 1.95);
    /* Geometric: 2 misses in the mean, standard deviation sqrt(6 / DRAWS). */
    assert_close(missed / DRAWS, 2, 0.12, 0);
    /* None fits: the whole image. */
    settings(values, 0.9, 1, 1, 1);
    for (size_t i = 0; i < 10; i++) {
        ebm_crop_box box = draw(values, &shape, i);
        assert_int_equal(box.attempts, 100);
        assert_int_equal(box.top + box.left, 0);
        assert_int_equal(box.height, 1000);
        assert_int_equal(box.width, 2000);
    }
    ebm_context_destroy(context);
}

/* Small images: every place is as likely, the last one too. */
static void places_are_uniform(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_transition_shape shape = shape_of(context, 2, 3, 1);
    double values[EBM_TRANSITION_KEYS], counts[6] = {0}, chi = 0;
    settings(values, 1.0 / 6, 1.0 / 6, 1, 1);
    for (size_t i = 0; i < DRAWS; i++) {
        ebm_crop_box box = draw(values, &shape, i);
        assert_true(box.top < 2 && box.left < 3);
        counts[box.top * 3 + box.left]++;
    }
    for (int k = 0; k < 6; k++)
        chi += (counts[k] - DRAWS / 6.0) * (counts[k] - DRAWS / 6.0) /
               (DRAWS / 6.0);
    assert_true(chi < 20.5); /* 5 degrees of freedom, 0.1 % */
    ebm_context_destroy(context);
}

static void scales_have_their_law(void **state)
{
    (void)state;
    double values[EBM_TRANSITION_KEYS] = {0}, scale[DRAWS];
    values[EBM_TRANSITION_SCALE_MIN] = 0.5;
    values[EBM_TRANSITION_SCALE_MAX] = 3;
    for (size_t i = 0; i < DRAWS; i++) {
        ebm_random random = ebm_random_at(7, EBM_PURPOSE_TRANSITION, i, 3);
        scale[i] = log(ebm_rescale_draw(values, &random));
    }
    const double scales[] = {log(0.5), log(3)};
    assert_true(test_ks(scale, DRAWS, test_cdf_uniform, scales) < 1.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_are_torchvisions),
        cmocka_unit_test(rescaling_is_torchvisions),
        cmocka_unit_test(growing_is_a_crop),
        cmocka_unit_test(boundaries),
        cmocka_unit_test(boxes_have_their_law),
        cmocka_unit_test(boxes_are_drawn_until_they_fit),
        cmocka_unit_test(places_are_uniform),
        cmocka_unit_test(scales_have_their_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
