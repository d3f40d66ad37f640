/* The rearrangements of a convolution, in every variant. */
#include "ebm_test.h"
#include "kernel_check.h"

static ebm_conv_shape conv_shape(size_t height, size_t width, size_t channels,
                                 size_t kernel, size_t stride, size_t padding)
{
    ebm_conv_shape s = {height,
                        width,
                        channels,
                        kernel,
                        stride,
                        padding,
                        (height + 2 * padding - kernel) / stride + 1,
                        (width + 2 * padding - kernel) / stride + 1,
                        1};
    return s;
}

/* Where column entry (row, a, e, c) comes from in the image, or -1. */
static ptrdiff_t source(const ebm_conv_shape *s, size_t entry)
{
    size_t c = entry % s->channels, rest = entry / s->channels;
    size_t e = rest % s->kernel, a = rest / s->kernel % s->kernel;
    size_t place = rest / s->kernel / s->kernel;
    ptrdiff_t y = (ptrdiff_t)(place / s->out_width * s->stride + a) -
                  (ptrdiff_t)s->padding;
    ptrdiff_t x = (ptrdiff_t)(place % s->out_width * s->stride + e) -
                  (ptrdiff_t)s->padding;
    if (y < 0 || x < 0 || y >= (ptrdiff_t)s->height ||
        x >= (ptrdiff_t)s->width)
        return -1;
    return (y * (ptrdiff_t)s->width + x) * (ptrdiff_t)s->channels +
           (ptrdiff_t)c;
}

static void check_conv(const ebm_kernels *kernels, const ebm_conv_shape *s,
                       uint64_t *random)
{
    size_t size = s->height * s->width * s->channels;
    size_t entries =
        s->out_height * s->out_width * s->kernel * s->kernel * s->channels;
    size_t framed = (s->height + 2 * s->padding) *
                    (s->width + 2 * s->padding) * s->channels;
    float *image = test_floats(size), *back = test_floats(size + 1);
    float *columns = test_floats(entries + 1), *c = test_floats(entries);
    float *padded = test_floats(framed + 1);
    double *sums = test_doubles(size);
    double left = 0, right = 0, magnitude = 0;
    test_fill_normal(random, image, size, 1);
    test_fill_normal(random, c, entries, 1);
    for (size_t i = 0; i < framed; i++)
        padded[i] = NAN; /* scratch: nothing may be taken for granted */
    columns[entries] = back[size] = padded[framed] = TEST_GUARD;
    kernels->im2col(s, image, padded, columns);
    for (size_t i = 0; i < entries; i++) {
        ptrdiff_t from = source(s, i);
        assert_true(columns[i] == (from < 0 ? 0 : image[from]));
        if (from >= 0)
            sums[from] += c[i];
        left += (double)columns[i] * (double)c[i];
        magnitude += fabs((double)columns[i] * (double)c[i]);
    }
    for (size_t i = 0; i < framed; i++)
        padded[i] = NAN;
    kernels->col2im(s, c, padded, back);
    for (size_t i = 0; i < size; i++)
        right += (double)image[i] * (double)back[i];
    /* Adjoint: <im2col(x), c> = <x, col2im(c)>. */
    assert_close(left, right, 1e-6 * magnitude, 0);
    for (size_t i = 0; i < size; i++)
        assert_close(back[i], sums[i], 1e-5, 1e-5);
    assert_true(columns[entries] == TEST_GUARD && back[size] == TEST_GUARD);
    assert_true(padded[framed] == TEST_GUARD);
    free(image);
    free(back);
    free(columns);
    free(c);
    free(padded);
    free(sums);
}

static void im2col_and_its_adjoint(void **state)
{
    (void)state;
    const ebm_kernels *kernels;
    uint64_t random = 3;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        if (!kernels->usable())
            continue;
        for (size_t kernel = 1; kernel <= 5; kernel++)
            for (size_t stride = 1; stride <= 7; stride += 2)
                for (size_t padding = 0; padding < kernel; padding++)
                    for (size_t channels = 1; channels <= 21; channels += 5) {
                        ebm_conv_shape s = conv_shape(5 + kernel, 9, channels,
                                                      kernel, stride, padding);
                        check_conv(kernels, &s, &random);
                    }
        ebm_conv_shape digits = conv_shape(28, 28, 1, 5, 2, 4);
        check_conv(kernels, &digits, &random);
        ebm_conv_shape one = conv_shape(1, 1, 3, 1, 1, 0);
        check_conv(kernels, &one, &random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(im2col_and_its_adjoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
