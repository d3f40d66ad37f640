/* Elastic deformation: the laws of its fields, and what a hundred warps leave
   of a digit. */
#include "ebm_test.h"

#include "core/random.h"
#include "transition/elastic.h"

static ebm_random generator(uint64_t seed, uint64_t stream)
{
    return ebm_random_at(seed, EBM_PURPOSE_TRANSITION, stream, 0);
}

/* ---- Fields ---------------------------------------------------------------
 */

static void controls_are_normal(void **state)
{
    (void)state;
    enum { POINTS = 5, COUNT = 2 * POINTS * POINTS, DRAWS = 200 };
    static double all[COUNT * DRAWS], sorted[COUNT * DRAWS];
    const double law[2] = {0, 1.5};
    for (size_t k = 0; k < DRAWS; k++) {
        float controls[COUNT];
        const ebm_random random = generator(3, k);
        ebm_elastic_draw(&random, POINTS, 1.5, controls);
        for (size_t i = 0; i < COUNT; i++)
            all[k * COUNT + i] = sorted[k * COUNT + i] = controls[i];
    }
    double ks = test_ks(sorted, TEST_COUNT(sorted), test_cdf_normal, law);
    print_message("Kolmogorov-Smirnov %.2f\n", ks);
    assert_true(ks < 1.95);
    /* Neighbours, and the two axes, know nothing of each other: correlations
       of N numbers are within 4 / sqrt(N) of 0. */
    for (size_t lag = 1; lag <= COUNT / 2; lag += COUNT / 2 - 1) {
        double sum = 0;
        for (size_t i = 0; i + lag < TEST_COUNT(all); i++)
            sum += all[i] * all[i + lag] / (law[1] * law[1]);
        double n = (double)TEST_COUNT(all);
        assert_true(fabs(sum / n) < 4 / sqrt(n));
    }
}

/* How often random fields on 28 x 28 pixels fold somewhere, by the spline's
   own derivatives: shares measured with SciPy, 600 fields each, whose error
   and that of as many fields here is at most 5 in a hundred (2.4 sigma of the
   difference at worst). docs/elastic.md has the table. */
static void folds_as_measured(void **state)
{
    (void)state;
    static const struct {
        size_t points;
        double std, share;
    } rows[] = {{3, 1, 0},       {3, 2, 0.003}, {3, 3, 0.187}, {3, 4, 0.547},
                {4, 1.5, 0.057}, {4, 2, 0.335}, {5, 1, 0.007}, {5, 1.5, 0.487},
                {5, 2, 0.930},   {3, 25, 1.0}};
    enum { SIDE = 28, FIELDS = 2000, ROW = 32 };
    static float u[SIDE * ROW], v[SIDE * ROW];
    for (size_t r = 0; r < TEST_COUNT(rows); r++) {
        float *scratch =
            test_floats(ebm_elastic_map_scratch(rows[r].points, SIDE));
        float controls[2 * 5 * 5];
        size_t folded = 0;
        double pixels = 0, square = 0;
        for (size_t k = 0; k < FIELDS; k++) {
            const ebm_random random = generator(r, k);
            ebm_elastic_draw(&random, rows[r].points, rows[r].std, controls);
            size_t folds =
                ebm_elastic_map(ebm_kernels_best(), rows[r].points, SIDE, SIDE,
                                controls, scratch, u, v);
            folded += folds > 0;
            pixels += (double)folds;
            for (size_t y = 0; y < SIDE; y++)
                for (size_t x = 0; x < SIDE; x++) {
                    double dx = u[y * ROW + x] - (double)x;
                    double dy = v[y * ROW + x] - (double)y;
                    square += dx * dx + dy * dy;
                }
        }
        const double n = (double)FIELDS;
        print_message("P = %zu, sigma = %4.1f: %5.1f %% fold, %.3f %% of the "
                      "pixels, rms %.2f\n",
                      rows[r].points, rows[r].std, 100 * (double)folded / n,
                      100 * pixels / (n * SIDE * SIDE),
                      sqrt(square / (n * SIDE * SIDE)));
        assert_close((double)folded / n, rows[r].share, 0.05, 0);
        if (rows[r].share == 0)
            assert_int_equal(folded, 0);
        free(scratch);
    }
}

/* ---- Digits ---------------------------------------------------------------
 */

enum { DIGITS = 200, WARPS = 100, SIDE = 28, SIZE = SIDE * SIDE };

typedef struct survival {
    double ink;  /* mean ratio of the ink, after to before */
    double bold; /* the same of the ink above the middle of the range */
    double peak; /* mean of the brightest pixel, in units of the range */
} survival;

/* A hundred warps at sigma 0.5, one after the other, values in a range. */
static survival warp_digits(ebm_interpolation interpolation, float minimum,
                            float maximum)
{
    static const char file[] =
        EBM_SOURCE_DIR "/examples/data/t10k-images-idx3-ubyte.gz";
    const ebm_elastic elastic = {3, interpolation, EBM_BOUNDARY_CONSTANT};
    const ebm_transition_shape shape = {SIDE,    SIDE,    1,
                                        minimum, maximum, ebm_kernels_best()};
    ebm_context *context = test_context_threads(1);
    ebm_dataset *dataset = NULL;
    float *x = test_floats((size_t)DIGITS * SIZE);
    float *scratch = test_floats(ebm_elastic_scratch(&elastic, SIDE, SIDE));
    survival mean = {0, 0, 0};
    assert_ok(ebm_dataset_create_idx(context, file, NULL, 1, &dataset));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MIN, minimum));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MAX, maximum));
    assert_ok(ebm_dataset_read(dataset, 0, DIGITS, x, NULL));
    for (size_t k = 0; k < DIGITS; k++) {
        float *image = x + k * SIZE, peak = minimum, controls[18];
        const float middle = (minimum + maximum) / 2;
        double before = 0, after = 0, bold_before = 0, bold_after = 0;
        for (size_t i = 0; i < SIZE; i++) {
            before += image[i] - minimum;
            bold_before += image[i] > middle ? image[i] - minimum : 0;
        }
        for (size_t t = 0; t < WARPS; t++) {
            const ebm_random random = generator(100 + t, k);
            ebm_elastic_draw(&random, 3, 0.5, controls);
            ebm_elastic_warp(&elastic, &shape, controls, image, scratch);
        }
        for (size_t i = 0; i < SIZE; i++) {
            assert_true(image[i] >= minimum && image[i] <= maximum);
            after += image[i] - minimum;
            bold_after += image[i] > middle ? image[i] - minimum : 0;
            peak = fmaxf(peak, image[i]);
        }
        mean.ink += after / before / DIGITS;
        mean.bold += bold_after / bold_before / DIGITS;
        mean.peak += (peak - minimum) / (maximum - minimum) / DIGITS;
    }
    print_message("after %d warps: ink %.2f, above the middle %.2f, brightest "
                  "pixel %.2f\n",
                  WARPS, mean.ink, mean.bold, mean.peak);
    ebm_dataset_destroy(dataset);
    ebm_context_destroy(context);
    free(scratch);
    free(x);
    return mean;
}

static void digits_survive_cubic_warps(void **state)
{
    (void)state;
    const survival unit = warp_digits(EBM_INTERPOLATION_CUBIC, 0, 1);
    const survival wide = warp_digits(EBM_INTERPOLATION_CUBIC, -1, 1);
    assert_true(unit.ink >= 0.8 && unit.ink <= 1.2 && unit.peak >= 0.85);
    assert_true(wide.ink >= 0.8 && wide.ink <= 1.2 && wide.peak >= 0.85);
    /* The same digits whatever the range. */
    assert_close(wide.ink, unit.ink, 1e-3, 0);
}

/* Each linear interpolation blurs. The ink is spread, not lost but at the
   edges (0.78 of it stays; SciPy keeps 0.80 of 40 digits), and nothing that
   could be called a line is left. */
static void digits_fade_under_linear_ones(void **state)
{
    (void)state;
    const survival wide = warp_digits(EBM_INTERPOLATION_LINEAR, -1, 1);
    assert_true(wide.bold <= 0.4 && wide.peak <= 0.4);
    assert_true(wide.ink < 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_are_normal),
        cmocka_unit_test(folds_as_measured),
        cmocka_unit_test(digits_survive_cubic_warps),
        cmocka_unit_test(digits_fade_under_linear_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
