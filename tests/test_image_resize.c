/* Resizing by area against its definition, and against integrals. */
#include "ebm_test.h"

#include <float.h>

static test_allocator memory;
static ebm_context *context;

static int set_up(void **state)
{
    (void)state;
    memset(&memory, 0, sizeof memory);
    context = test_context(&memory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
    return 0;
}

static void halves_are_means_of_four(void **state)
{
    (void)state;
    const float x[] = {1, 2, 3, 4, 5, 6, 7, 8}; /* 2 x 4 */
    float y[2];
    assert_ok(ebm_image_resize(context, x, 1, 2, 4, 1, 1, 2, y));
    assert_true(y[0] == 3.5f && y[1] == 5.5f);
}

/* The mean of a step image over [a, b) is a difference of its integral, which
   is piecewise linear: written down here without any overlap. */
static double integral(const float *row, double to)
{
    double sum = 0;
    int whole = (int)floor(to);
    for (int i = 0; i < whole; i++)
        sum += (double)row[i];
    return to > whole ? sum + (to - whole) * (double)row[whole] : sum;
}

static void rows_are_integrals(void **state)
{
    (void)state;
    enum { MOST = 31 };
    float x[MOST], y[MOST];
    for (size_t from = 1; from <= MOST; from++) {
        for (size_t i = 0; i < from; i++)
            x[i] = (float)sin(3.7 * (double)(i * i));
        for (size_t to = 1; to <= MOST; to++) {
            double size = (double)from / (double)to;
            assert_ok(ebm_image_resize(context, x, 1, 1, from, 1, 1, to, y));
            for (size_t i = 0; i < to; i++) {
                double b = fmin((double)(i + 1) * size, (double)from);
                double a = (double)i * size;
                assert_close((double)y[i],
                             (integral(x, b) - integral(x, a)) / size, 1e-6,
                             0);
            }
        }
    }
}

/* Columns, channels and samples: a product image is resized as its factors
   are, and neighbours do not leak into it. */
static void sides_are_independent(void **state)
{
    (void)state;
    enum { N = 3, H = 28, W = 13, C = 2, TO_H = 8, TO_W = 5 };
    static float x[N * H * W * C], y[N * TO_H * TO_W * C];
    float rows[N * C][H], columns[N * C][W], tall[TO_H], wide[TO_W];
    for (int k = 0; k < N * C; k++) {
        for (int i = 0; i < H; i++)
            rows[k][i] = (float)cos(1.3 * i * (k + 1));
        for (int j = 0; j < W; j++)
            columns[k][j] = (float)(1 + sin(2.1 * j * (k + 2)));
    }
    for (int n = 0; n < N; n++)
        for (int i = 0; i < H; i++)
            for (int j = 0; j < W; j++)
                for (int c = 0; c < C; c++)
                    x[((n * H + i) * W + j) * C + c] =
                        rows[n * C + c][i] * columns[n * C + c][j];
    assert_ok(ebm_image_resize(context, x, N, H, W, C, TO_H, TO_W, y));
    for (int k = 0; k < N * C; k++) {
        assert_ok(
            ebm_image_resize(context, rows[k], 1, H, 1, 1, TO_H, 1, tall));
        assert_ok(
            ebm_image_resize(context, columns[k], 1, 1, W, 1, 1, TO_W, wide));
        for (int i = 0; i < TO_H; i++)
            for (int j = 0; j < TO_W; j++)
                assert_close(
                    (double)y[((k / C * TO_H + i) * TO_W + j) * C + k % C],
                    (double)tall[i] * (double)wide[j], 1e-5, 1e-6);
    }
}

static void equal_sizes_and_extremes_are_exact(void **state)
{
    (void)state;
    const float x[] = {FLT_MAX, FLT_MAX, -FLT_MAX, 0.0f, FLT_MIN, 1e-45f};
    float y[6], one;
    assert_ok(ebm_image_resize(context, x, 1, 2, 3, 1, 2, 3, y));
    assert_memory_equal(x, y, sizeof x);
    assert_ok(ebm_image_resize(context, x, 1, 1, 2, 1, 1, 1, &one));
    assert_true(one == FLT_MAX);
}

static void bad_calls_write_nothing(void **state)
{
    (void)state;
    float x[4] = {1, 2, 3, 4}, y[4] = {9, 9, 9, 9};
    const float nan[] = {1, NAN, 3, 4};
    const struct {
        ebm_status status;
        const float *from;
        size_t n, h, w, c, to_h, to_w;
        float *to;
    } calls[] = {
        {EBM_ERROR_ARGUMENT, NULL, 1, 2, 2, 1, 1, 1, y},
        {EBM_ERROR_ARGUMENT, x, 1, 2, 2, 1, 1, 1, NULL},
        {EBM_ERROR_ARGUMENT, x, 1, 2, 2, 1, 1, 1, x},
        {EBM_ERROR_ARGUMENT, x, 0, 2, 2, 1, 1, 1, y},
        {EBM_ERROR_ARGUMENT, x, 1, 0, 2, 1, 1, 1, y},
        {EBM_ERROR_ARGUMENT, x, 1, 2, 0, 1, 1, 1, y},
        {EBM_ERROR_ARGUMENT, x, 1, 2, 2, 0, 1, 1, y},
        {EBM_ERROR_ARGUMENT, x, 1, 2, 2, 1, 0, 1, y},
        {EBM_ERROR_ARGUMENT, x, 1, 2, 2, 1, 1, 0, y},
        {EBM_ERROR_SHAPE, x, 1, 65536, 1, 1, 1, 1, y},
        {EBM_ERROR_SHAPE, x, 1, 1, 65536, 1, 1, 1, y},
        {EBM_ERROR_SHAPE, x, 1, 2, 2, 1, 65536, 1, y},
        {EBM_ERROR_SHAPE, x, 1, 2, 2, 1, 1, 65536, y},
        {EBM_ERROR_OVERFLOW, x, SIZE_MAX / 4, 2, 2, 1, 1, 1, y},
        {EBM_ERROR_OVERFLOW, x, SIZE_MAX / 16, 1, 1, 1, 4, 4, y},
        {EBM_ERROR_NON_FINITE, nan, 1, 2, 2, 1, 1, 1, y},
    };
    for (size_t i = 0; i < TEST_COUNT(calls); i++)
        assert_int_equal(ebm_image_resize(context, calls[i].from, calls[i].n,
                                          calls[i].h, calls[i].w, calls[i].c,
                                          calls[i].to_h, calls[i].to_w,
                                          calls[i].to),
                         calls[i].status);
    assert_int_equal(ebm_image_resize(NULL, x, 1, 2, 2, 1, 1, 1, y),
                     EBM_ERROR_HANDLE);
    for (int i = 0; i < 4; i++)
        assert_true(y[i] == 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(halves_are_means_of_four),
        TEST(rows_are_integrals),
        TEST(sides_are_independent),
        TEST(equal_sizes_and_extremes_are_exact),
        TEST(bad_calls_write_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
