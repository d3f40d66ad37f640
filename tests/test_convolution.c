/* Strides and paddings at their far ends: any stride beyond the image visits
   the same positions, and no size is taken at its word for memory. */
#include "ebm_test.h"
#include "reference.h"

enum { N = 3, MOST = 4096 };

typedef struct convolution {
    size_t height, width, channels, kernel, stride, padding;
} convolution;

/* Energies and both gradients against the reference; the library's memory
   stays below what the sizes ask for. */
static void compare(const convolution *c)
{
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ref_network ref;
    uint64_t random = 31;
    ref_begin(&ref, c->height, c->width, c->channels);
    ref_conv2d(&ref, 3, c->kernel, c->stride, c->padding, 1);
    ref_swish(&ref);
    ref_flatten(&ref);
    ref_dense(&ref, 1, 1);
    ebm_model *model = ref_model(&ref, context, 2, 4);
    ref_load(&ref, model);
    size_t size = ref_size(&ref), count = ref.parameter_count;
    assert_true(size <= MOST && count <= MOST);
    float x[N * MOST / 4], energy[N], grad[N * MOST / 4], packed[MOST];
    assert_true(size <= MOST / 4);
    double *dx = test_doubles(N * size), *dtheta = test_doubles(count);
    double *values = test_doubles(size), energies[N];
    const float scale[N] = {1, -0.5f, 2};
    test_fill_uniform(&random, x, N * size, -1, 1);
    memset(dtheta, 0, count * sizeof *dtheta);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < size; j++)
            values[j] = (double)x[i * size + j];
        energies[i] = ref_gradient(&ref, values, (double)scale[i],
                                   dx + i * size, dtheta, NULL);
    }
    assert_ok(ebm_model_energy_grad(model, x, NULL, N, energy, grad));
    assert_ok(ebm_model_backward(model, x, NULL, N, scale, NULL));
    ref_pack(&ref, model, ebm_model_gradient(model), packed);
    assert_arrays_near(energy, energies, N, 2e-5);
    assert_arrays_near(grad, dx, N * size, 2e-5);
    assert_arrays_near(packed, dtheta, count, 2e-5);
    assert_true(memory.peak_bytes < 4 << 20);
    free(values);
    free(dtheta);
    free(dx);
    ref_free(&ref);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void strides_beyond_the_image(void **state)
{
    (void)state;
    for (size_t channels = 1; channels <= 2; channels++)
        for (size_t stride = 1; stride <= 43; stride++) {
            const size_t far[] = {1000, 1000003, 2147483647};
            size_t s = stride > 40 ? far[stride - 41] : stride;
            const convolution shapes[] = {
                {7, 5, channels, 3, s, 1},   {5, 9, channels, 2, s, 0},
                {1, 12, channels, 1, s, 0},  {12, 1, channels, 1, s, 0},
                {17, 13, channels, 5, s, 4}, {4, 20, channels, 4, s, 2},
            };
            for (size_t i = 0; i < TEST_COUNT(shapes); i++)
                compare(shapes + i);
        }
}

static void padding_beyond_the_kernel(void **state)
{
    (void)state;
    for (size_t channels = 1; channels <= 2; channels++)
        for (size_t kernel = 1; kernel <= 5; kernel++)
            for (size_t padding = kernel; padding <= kernel + 3; padding++)
                for (size_t stride = 1; stride <= 6; stride++) {
                    convolution c = {4, 5, channels, kernel, stride, padding};
                    compare(&c);
                }
    /* A frame that is most of the image, and strides across it. */
    for (size_t channels = 1; channels <= 2; channels++)
        for (size_t stride = 9; stride <= 50; stride++) {
            convolution c = {3, 2, channels, 3, stride, 20};
            compare(&c);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strides_beyond_the_image),
        cmocka_unit_test(padding_beyond_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
