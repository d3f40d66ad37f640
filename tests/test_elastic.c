/* Elastic deformation: fields and warps against SciPy's (scipy/elastic.py),
   and what a warp must keep. */
#include "ebm_test.h"
#include "values.h"

#include "core/memory.h"
#include "transition/elastic.h"

static const double tolerance = 1e-4;

/* ---- Against SciPy --------------------------------------------------------
 */

typedef struct scipy_case {
    ebm_elastic elastic;
    ebm_transition_shape shape;
    size_t size, folds;
    const test_array *controls, *field, *image, *warped;
} scipy_case;

enum { COLUMNS = 6 };

static size_t case_count(const test_values *file)
{
    size_t count = 0;
    for (size_t k = 0; k < file->count; k++)
        if (!strcmp(file->arrays[k].name, "cases"))
            count = file->arrays[k].count / COLUMNS;
    assert_true(count > 20);
    return count;
}

static scipy_case case_number(const test_values *file, size_t count, size_t k)
{
    static const ebm_interpolation orders[] = {
        EBM_INTERPOLATION_NEAREST, EBM_INTERPOLATION_LINEAR,
        EBM_INTERPOLATION_MAX, EBM_INTERPOLATION_CUBIC};
    static const ebm_boundary modes[] = {
        EBM_BOUNDARY_CONSTANT, EBM_BOUNDARY_NEAREST, EBM_BOUNDARY_REFLECT,
        EBM_BOUNDARY_MIRROR, EBM_BOUNDARY_WRAP};
    const double *row =
        test_values_doubles(file, "cases", count * COLUMNS) + k * COLUMNS;
    const float *range = test_values_floats(file, "range", 2);
    scipy_case c = {.elastic = {.points = (size_t)row[0],
                                .interpolation = orders[(size_t)row[3]],
                                .boundary = modes[(size_t)row[4]]},
                    .shape = {(size_t)row[1], (size_t)row[2], 1, range[0],
                              range[1], ebm_kernels_best()},
                    .folds = (size_t)row[5],
                    .controls = test_values_numbered(file, "controls", k),
                    .field = test_values_numbered(file, "field", k),
                    .image = test_values_numbered(file, "image", k),
                    .warped = test_values_numbered(file, "warped", k)};
    c.size = c.shape.height * c.shape.width;
    assert_int_equal(c.controls->count,
                     2 * c.elastic.points * c.elastic.points);
    assert_int_equal(c.field->count, 2 * c.size);
    assert_int_equal(c.image->count, c.size);
    assert_int_equal(c.warped->count, c.size);
    return c;
}

/* Largest difference between two arrays, in the values' own units. */
static double largest_error(const float *a, const double *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fabs(a[i] - b[i]) <= worst ? worst : fabs(a[i] - b[i]);
    return worst;
}

static double field_error(const scipy_case *c, const ebm_kernels *kernels)
{
    const size_t height = c->shape.height, width = c->shape.width;
    const size_t row = ebm_round_up(width, EBM_LANES);
    float *u = test_floats(height * row), *v = test_floats(height * row);
    float *d = test_floats(2 * c->size);
    float *scratch =
        test_floats(ebm_elastic_map_scratch(c->elastic.points, width));
    size_t folds = ebm_elastic_map(kernels, c->elastic.points, height, width,
                                   c->controls->floats, scratch, u, v);
    assert_int_equal(folds, c->folds);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            d[y * width + x] = v[y * row + x] - (float)y;
            d[c->size + y * width + x] = u[y * row + x] - (float)x;
        }
    double error = largest_error(d, c->field->numbers, 2 * c->size);
    free(scratch);
    free(d);
    free(v);
    free(u);
    return error;
}

static double warp_error(const scipy_case *c, const ebm_kernels *kernels)
{
    ebm_transition_shape shape = c->shape;
    float *image = test_floats(c->size);
    shape.kernels = kernels;
    float *scratch = test_floats(
        ebm_elastic_scratch(&c->elastic, c->shape.height, c->shape.width));
    memcpy(image, c->image->floats, c->size * sizeof *image);
    size_t folds = ebm_elastic_warp(&c->elastic, &shape, c->controls->floats,
                                    image, scratch);
    assert_int_equal(folds, c->folds);
    double error = largest_error(image, c->warped->numbers, c->size);
    free(scratch);
    free(image);
    return error;
}

static void fields_and_warps_are_scipys(void **state)
{
    (void)state;
    test_values file;
    test_values_read(&file, "tests/scipy/elastic.txt");
    const size_t count = case_count(&file);
    for (size_t i = 0; ebm_kernels_variant(i); i++) {
        const ebm_kernels *kernels = ebm_kernels_variant(i);
        double field = 0, warp = 0;
        if (!kernels->usable())
            continue;
        for (size_t k = 0; k < count; k++) {
            const scipy_case c = case_number(&file, count, k);
            double f = field_error(&c, kernels), w = warp_error(&c, kernels);
            if (!(f < tolerance) || !(w < tolerance))
                fail_msg("case %zu: field off by %g, warp by %g", k, f, w);
            field = fmax(field, f);
            warp = fmax(warp, w);
        }
        print_message("%s: field off by %.1e, warp by %.1e\n", kernels->name,
                      field, warp);
    }
    test_values_free(&file);
}

/* ---- What follows from the definition -------------------------------------
 */

/* Each channel moves as it would alone, to the bit. */
static void channels_move_together(void **state)
{
    (void)state;
    enum { HEIGHT = 13, WIDTH = 21, CHANNELS = 3, SIZE = HEIGHT * WIDTH };
    ebm_transition_shape shape = {HEIGHT, WIDTH, CHANNELS,
                                  -1,     1,     ebm_kernels_best()};
    ebm_transition_shape one = {HEIGHT, WIDTH, 1, -1, 1, ebm_kernels_best()};
    uint64_t random = 4;
    for (int boundary = 0; boundary <= EBM_BOUNDARY_WRAP; boundary++) {
        const ebm_elastic elastic = {4, EBM_INTERPOLATION_CUBIC,
                                     (ebm_boundary)boundary};
        float controls[2 * 4 * 4], image[SIZE * CHANNELS];
        float alone[SIZE], together[SIZE];
        float *scratch =
            test_floats(ebm_elastic_scratch(&elastic, HEIGHT, WIDTH));
        float before[SIZE * CHANNELS];
        test_fill_normal(&random, controls, TEST_COUNT(controls), 2);
        test_fill_uniform(&random, image, TEST_COUNT(image), -1, 1);
        memcpy(before, image, sizeof before);
        ebm_elastic_warp(&elastic, &shape, controls, image, scratch);
        for (size_t c = 0; c < CHANNELS; c++) {
            for (size_t i = 0; i < SIZE; i++) {
                alone[i] = before[i * CHANNELS + c];
                together[i] = image[i * CHANNELS + c];
                assert_true(together[i] >= -1 && together[i] <= 1);
            }
            ebm_elastic_warp(&elastic, &one, controls, alone, scratch);
            assert_same_bits(together, alone, SIZE);
        }
        free(scratch);
    }
}

/* A displacement that is the same everywhere shifts the image by it; what
   comes in from beyond the edge is the fill. (Rows and columns that come from
   the edge itself are in or out by a rounding.) */
static void same_displacement_is_a_shift(void **state)
{
    (void)state;
    enum { SIDE = 10, SIZE = SIDE * SIDE };
    const ebm_transition_shape shape = {SIDE, SIDE, 1,
                                        -2,   3,    ebm_kernels_best()};
    uint64_t random = 9;
    for (int order = 0; order <= EBM_INTERPOLATION_CUBIC; order++) {
        const ebm_elastic elastic = {3, (ebm_interpolation)order,
                                     EBM_BOUNDARY_CONSTANT};
        float controls[18], image[SIZE], before[SIZE];
        float *scratch =
            test_floats(ebm_elastic_scratch(&elastic, SIDE, SIDE));
        for (size_t i = 0; i < 9; i++) {
            controls[i] = -2.25f;    /* nearest: two rows, */
            controls[9 + i] = 1.25f; /* one column */
            if (order != EBM_INTERPOLATION_NEAREST) {
                controls[i] = -2;
                controls[9 + i] = 1;
            }
        }
        test_fill_uniform(&random, image, SIZE, -2, 3);
        memcpy(before, image, sizeof before);
        assert_int_equal(
            ebm_elastic_warp(&elastic, &shape, controls, image, scratch), 0);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int inside = y >= 3 && x < SIDE - 2;
                int outside = y < 2 || x >= SIDE - 1;
                float expected = -2;
                if (!outside)
                    expected = before[(y - 2) * SIDE + x + 1];
                if (inside || outside)
                    assert_close(image[y * SIDE + x], expected, 1e-5, 0);
            }
        free(scratch);
    }
}

/* ---- As a transition ------------------------------------------------------
 */

enum { IMAGES = 9, HEIGHT = 11, WIDTH = 17, IMAGE = HEIGHT * WIDTH * 3 };

static void apply(int threads, double std, size_t first, size_t n, float *x,
                  double *folded)
{
    ebm_context *context = test_context_threads(threads);
    ebm_transition *elastic = NULL;
    assert_ok(
        ebm_transition_create(context, EBM_TRANSITION_ELASTIC, &elastic));
    assert_ok(
        ebm_transition_set(elastic, EBM_TRANSITION_DISPLACEMENT_STD, std));
    assert_ok(ebm_transition_apply(elastic, x + first * IMAGE, NULL, n, HEIGHT,
                                   WIDTH, 3, 5, first, 2));
    assert_ok(ebm_transition_get_statistic(elastic, EBM_TRANSITION_STAT_FOLDED,
                                           folded));
    ebm_transition_destroy(elastic);
    ebm_context_destroy(context);
}

static void transitions_draw_by_stream_alone(void **state)
{
    (void)state;
    static float start[IMAGES * IMAGE], whole[IMAGES * IMAGE];
    static float other[IMAGES * IMAGE];
    uint64_t random = 8;
    double folded = NAN, again = NAN;
    test_fill_uniform(&random, start, IMAGES * IMAGE, -1, 1);
    memcpy(whole, start, sizeof start);
    apply(1, 2.5, 0, IMAGES, whole, &folded);
    assert_other_bits(whole, start, IMAGE);
    assert_true(folded > 0 && folded < 0.5);
    for (int threads = 2; threads <= 4; threads += 2) {
        memcpy(other, start, sizeof start);
        apply(threads, 2.5, 0, IMAGES, other, &again);
        assert_same_bits(other, whole, IMAGES * IMAGE);
        assert_true(again == folded);
    }
    memcpy(other, start, sizeof start);
    apply(2, 2.5, 0, 4, other, &again);
    apply(1, 2.5, 4, IMAGES - 4, other, &again);
    assert_same_bits(other, whole, IMAGES * IMAGE);
}

static void no_displacement_changes_no_bit(void **state)
{
    (void)state;
    static float x[IMAGES * IMAGE], start[IMAGES * IMAGE];
    uint64_t random = 8;
    double folded = NAN;
    /* Outside the range, too: nothing is clamped. */
    test_fill_uniform(&random, start, IMAGES * IMAGE, -2, 2);
    memcpy(x, start, sizeof start);
    apply(2, 0, 0, IMAGES, x, &folded);
    assert_same_bits(x, start, IMAGES * IMAGE);
    assert_true(folded == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_warps_are_scipys),
        cmocka_unit_test(channels_move_together),
        cmocka_unit_test(same_displacement_is_a_shift),
        cmocka_unit_test(transitions_draw_by_stream_alone),
        cmocka_unit_test(no_displacement_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
