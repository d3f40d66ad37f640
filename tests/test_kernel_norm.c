/* The kernels of norms and pooling: every variant that this machine can run,
   against plain loops in double, and bit for bit against each other. */
#include "ebm_test.h"
#include "kernel_check.h"

/* Longest image, in positions, and what is allocated for it. */
enum { ROWS = 41, CHANNELS = 150, ROOM = ROWS * CHANNELS + 16 };

/* The variant that needs nothing special: what the others must agree with. */
static const ebm_kernels *plain_variant(void)
{
    size_t v = 0;
    while (ebm_kernels_variant(v + 1))
        v++;
    return ebm_kernels_variant(v);
}

/* One image, rows of coefficients, and room for results with a guard. */
typedef struct arrays {
    float a[ROOM], b[ROOM], row[4][CHANNELS], out[2][ROOM], plain[2][ROOM];
    double sum[2][CHANNELS + 1], plain_sum[2][CHANNELS + 1];
} arrays;

static void fill(arrays *x, uint64_t *random)
{
    test_fill_normal(random, x->a, ROOM, 1);
    test_fill_normal(random, x->b, ROOM, 1);
    for (int i = 0; i < 4; i++)
        test_fill_normal(random, x->row[i], CHANNELS, 1);
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < ROOM; i++)
            x->out[k][i] = x->plain[k][i] = TEST_GUARD;
        for (size_t i = 0; i <= CHANNELS; i++)
            x->sum[k][i] = x->plain_sum[k][i] = TEST_GUARD;
    }
}

static void assert_guards(const arrays *x, size_t n, size_t channels)
{
    for (int k = 0; k < 2; k++) {
        for (size_t i = n; i < ROOM; i++)
            assert_true(x->out[k][i] == TEST_GUARD);
        for (size_t i = channels; i <= CHANNELS; i++)
            assert_true(x->sum[k][i] == TEST_GUARD);
    }
}

typedef void check_fn(const ebm_kernels *kernels, size_t rows, size_t channels,
                      arrays *x);

/* Each variant, channel counts around all widths, few and many rows. */
static void for_each(check_fn *check)
{
    static const size_t rows[] = {1, 2, 15, 16, 17, ROWS};
    arrays *x = test_memory(sizeof *x);
    const ebm_kernels *kernels;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++)
        for (size_t c = 1; kernels->usable() && c <= CHANNELS;
             c += c < 36 ? 1 : 19)
            for (size_t r = 0; r < TEST_COUNT(rows); r++) {
                uint64_t random = c * 100 + r;
                fill(x, &random);
                check(kernels, rows[r], c, x);
            }
    free(x);
}

static void check_sums(const ebm_kernels *kernels, size_t rows,
                       size_t channels, arrays *x)
{
    const ebm_kernels *plain = plain_variant();
    const size_t bytes = channels * sizeof(double);
    kernels->channel_sums(rows, channels, x->a, x->sum[0]);
    plain->channel_sums(rows, channels, x->a, x->plain_sum[0]);
    assert_memory_equal(x->sum[0], x->plain_sum[0], bytes);
    kernels->channel_products(rows, channels, x->a, x->b, x->sum[0],
                              x->sum[1]);
    assert_memory_equal(x->sum[0], x->plain_sum[0], bytes);
    plain->channel_products(rows, channels, x->a, x->b, x->plain_sum[0],
                            x->plain_sum[1]);
    assert_memory_equal(x->sum[1], x->plain_sum[1], bytes);
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, product = 0, size = 0, product_size = 0;
        for (size_t r = 0; r < rows; r++) {
            double a = x->a[r * channels + c], b = x->b[r * channels + c];
            sum += a;
            size += fabs(a);
            product += a * b;
            product_size += fabs(a * b);
        }
        assert_close(x->sum[0][c], sum, 3e-7 * size, 0);
        assert_close(x->sum[1][c], product, 4e-7 * product_size, 0);
    }
    assert_guards(x, 0, channels);
}

static void channels_are_summed(void **state)
{
    (void)state;
    for_each(check_sums);
}

static void check_squares(const ebm_kernels *kernels, size_t rows,
                          size_t channels, arrays *x)
{
    kernels->channel_squares(rows, channels, x->a, x->row[0], x->sum[0]);
    plain_variant()->channel_squares(rows, channels, x->a, x->row[0],
                                     x->plain_sum[0]);
    assert_memory_equal(x->sum[0], x->plain_sum[0], channels * sizeof(double));
    for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t r = 0; r < rows; r++) {
            double rest =
                (double)x->a[r * channels + c] - (double)x->row[0][c];
            sum += rest * rest;
        }
        assert_close(x->sum[0][c], sum, 0, 5e-7);
    }
    assert_guards(x, 0, channels);
}

static void squares_are_summed(void **state)
{
    (void)state;
    for_each(check_squares);
}

/* A large image, all of one sign: rounding must not add up. */
static void long_sums_stay_exact(void **state)
{
    (void)state;
    enum { LONG = 128 * 128, WIDTH = 19 };
    float *x = test_floats(LONG * WIDTH), mean[WIDTH];
    const ebm_kernels *kernels;
    uint64_t random = 2;
    test_fill_uniform(&random, x, LONG * WIDTH, 0, 1);
    for (size_t c = 0; c < WIDTH; c++)
        mean[c] = 0.5f;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        double sum[WIDTH], squares[WIDTH];
        if (!kernels->usable())
            continue;
        kernels->channel_sums(LONG, WIDTH, x, sum);
        kernels->channel_squares(LONG, WIDTH, x, mean, squares);
        for (size_t c = 0; c < WIDTH; c++) {
            double right = 0, right_squares = 0;
            for (size_t r = 0; r < LONG; r++) {
                double value = x[r * WIDTH + c];
                right += value;
                right_squares += (value - 0.5) * (value - 0.5);
            }
            assert_close(sum[c], right, 0, 3e-8);
            assert_close(squares[c], right_squares, 0, 3e-8);
        }
    }
    free(x);
}

static void check_normalise(const ebm_kernels *kernels, size_t rows,
                            size_t channels, arrays *x)
{
    size_t n = rows * channels;
    ebm_norm_rows norm = {x->row[0], x->row[1], x->row[2], x->row[3]};
    memcpy(x->out[0], x->a, n * sizeof(float));
    memcpy(x->plain[0], x->a, n * sizeof(float));
    kernels->normalise(rows, channels, &norm, x->out[0], x->out[1]);
    plain_variant()->normalise(rows, channels, &norm, x->plain[0],
                               x->plain[1]);
    for (int k = 0; k < 2; k++)
        assert_same_bits(x->out[k], x->plain[k], n);
    for (size_t i = 0; i < n; i++) {
        size_t c = i % channels;
        double mean = x->row[0][c], scale = x->row[1][c];
        double gain = x->row[2][c], bias = x->row[3][c];
        double z = ((double)x->a[i] - mean) * scale;
        assert_close(x->out[1][i], z, 0, 4e-7);
        assert_close(x->out[0][i], gain * z + bias,
                     6e-7 * (fabs(gain * z) + fabs(bias)), 0);
    }
    assert_guards(x, n, 0);
}

static void rows_are_normalised(void **state)
{
    (void)state;
    for_each(check_normalise);
}

/* Into a third array, and into either of the two. */
static void check_combine(const ebm_kernels *kernels, size_t rows,
                          size_t channels, arrays *x)
{
    size_t n = rows * channels;
    ebm_combination k = {x->row[0], x->row[1], x->row[2]};
    plain_variant()->combine(rows, channels, &k, x->a, x->b, x->plain[0]);
    kernels->combine(rows, channels, &k, x->a, x->b, x->out[0]);
    assert_same_bits(x->out[0], x->plain[0], n);
    for (size_t i = 0; i < n; i++) {
        size_t c = i % channels;
        double a = (double)x->a[i] * (double)x->row[0][c];
        double b = (double)x->b[i] * (double)x->row[1][c];
        double rest = x->row[2][c];
        assert_close(x->out[0][i], a + b + rest,
                     3e-7 * (fabs(a) + fabs(b) + fabs(rest)), 0);
    }
    for (int which = 0; which < 2; which++) {
        float *to = x->out[1];
        memcpy(to, which ? x->b : x->a, n * sizeof *to);
        kernels->combine(rows, channels, &k, which ? x->a : to,
                         which ? to : x->b, to);
        assert_same_bits(to, x->plain[0], n);
    }
    assert_guards(x, n, 0);
}

static void arrays_are_combined(void **state)
{
    (void)state;
    for_each(check_combine);
}

/* ---- Pooling --------------------------------------------------------- */

static double pixels(const ebm_conv_shape *s, size_t i, size_t size)
{
    double count = 0;
    for (size_t a = i * s->stride; a < i * s->stride + s->kernel; a++)
        count += a >= s->padding && a - s->padding < size;
    return count;
}

static void check_pool(const ebm_kernels *kernels, const ebm_conv_shape *s,
                       int exclude_pad)
{
    const ebm_kernels *plain = plain_variant();
    size_t size = s->height * s->width * s->channels;
    size_t out_size = s->out_height * s->out_width * s->channels;
    size_t most = size > out_size ? size : out_size;
    float *image = test_floats(size), *out = test_floats(out_size);
    float *result = test_floats(most + 1), *other = test_floats(most);
    double *right = test_doubles(out_size), *back = test_doubles(size);
    uint64_t random = size + out_size;
    test_fill_normal(&random, image, size, 1);
    test_fill_normal(&random, out, out_size, 1);
    for (size_t o = 0; o < out_size; o++) {
        size_t c = o % s->channels, place = o / s->channels;
        size_t i = place / s->out_width, j = place % s->out_width;
        double share =
            1 / (exclude_pad ? pixels(s, i, s->height) * pixels(s, j, s->width)
                             : (double)(s->kernel * s->kernel));
        for (size_t t = 0; t < s->kernel * s->kernel; t++) {
            size_t y = i * s->stride + t / s->kernel - s->padding;
            size_t x = j * s->stride + t % s->kernel - s->padding;
            if (y >= s->height || x >= s->width) /* or below 0: wrapped */
                continue;
            size_t from = (y * s->width + x) * s->channels + c;
            right[o] += share * (double)image[from];
            back[from] += share * (double)out[o];
        }
    }
    result[out_size] = TEST_GUARD;
    kernels->pool(s, exclude_pad, image, result);
    plain->pool(s, exclude_pad, image, other);
    assert_same_bits(result, other, out_size);
    for (size_t o = 0; o < out_size; o++)
        assert_close(result[o], right[o], 1e-6, 0);
    assert_true(result[out_size] == TEST_GUARD);
    result[size] = TEST_GUARD;
    kernels->unpool(s, exclude_pad, out, result);
    plain->unpool(s, exclude_pad, out, other);
    assert_same_bits(result, other, size);
    for (size_t i = 0; i < size; i++)
        assert_close(result[i], back[i], 1e-6, 0);
    assert_true(result[size] == TEST_GUARD);
    free(image);
    free(out);
    free(result);
    free(other);
    free(right);
    free(back);
}

static void windows_are_averaged(void **state)
{
    (void)state;
    const ebm_kernels *kernels;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        if (!kernels->usable())
            continue;
        for (size_t kernel = 1; kernel <= 5; kernel++)
            for (size_t stride = 1; stride <= 6; stride++)
                for (size_t padding = 0; padding <= kernel / 2; padding++)
                    for (size_t channels = 1; channels <= 85; channels += 7) {
                        ebm_conv_shape s = {
                            6,
                            9,
                            channels,
                            kernel,
                            stride,
                            padding,
                            (6 + 2 * padding - kernel) / stride + 1,
                            (9 + 2 * padding - kernel) / stride + 1,
                            channels};
                        check_pool(kernels, &s, 0);
                        check_pool(kernels, &s, 1);
                    }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_are_summed),
        cmocka_unit_test(squares_are_summed),
        cmocka_unit_test(long_sums_stay_exact),
        cmocka_unit_test(rows_are_normalised),
        cmocka_unit_test(arrays_are_combined),
        cmocka_unit_test(windows_are_averaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
