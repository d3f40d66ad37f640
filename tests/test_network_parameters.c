/* Parameters of networks: their views and the law that they begin with. */
#include "ebm_test.h"
#include "reference.h"

/* Views of the digits network, as published. */
static void views_name_all_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t rank, shape[4];
    } golden[] = {
        {"0.weight", 4, {5, 5, 1, 16}},   {"0.bias", 1, {16, 1, 1, 1}},
        {"2.weight", 4, {3, 3, 16, 32}},  {"2.bias", 1, {32, 1, 1, 1}},
        {"4.weight", 4, {3, 3, 32, 64}},  {"4.bias", 1, {64, 1, 1, 1}},
        {"6.weight", 4, {3, 3, 64, 64}},  {"6.bias", 1, {64, 1, 1, 1}},
        {"9.weight", 2, {256, 64, 1, 1}}, {"9.bias", 1, {64, 1, 1, 1}},
        {"11.weight", 2, {64, 1, 1, 1}},  {"11.bias", 1, {1, 1, 1, 1}},
    };
    ebm_context *context = test_context_threads(1);
    ref_network ref;
    ref_digits(&ref);
    ebm_model *model = ref_model(&ref, context, 0, 1);
    size_t next = 0, total = ebm_model_parameter_count(model);
    assert_int_equal(total, 76993);
    assert_int_equal(ebm_model_view_count(model), TEST_COUNT(golden));
    for (size_t i = 0; i < TEST_COUNT(golden); i++) {
        const char *name;
        size_t offset, rank, shape[4], count = 1;
        assert_ok(ebm_model_view(model, i, &name, &offset, &rank, shape));
        assert_string_equal(name, golden[i].name);
        assert_int_equal(rank, golden[i].rank);
        assert_memory_equal(shape, golden[i].shape, sizeof shape);
        assert_int_equal(offset, next);
        for (size_t r = 0; r < 4; r++)
            count *= shape[r];
        next += count;
    }
    assert_int_equal(next, total);
    assert_ok(ebm_model_view(model, 0, NULL, NULL, NULL, NULL));
    size_t offset = 5;
    assert_error(context, ebm_model_view(model, 12, NULL, &offset, NULL, NULL),
                 EBM_ERROR_RANGE, "12");
    assert_int_equal(offset, 5);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    ref_free(&ref);
}

/* PyTorch's default: weights and biases uniform in +-1/sqrt(fan_in). */
static void check_law(const float *values, size_t count, double fan_in)
{
    double bound = 1 / sqrt(fan_in), mean = 0, square = 0;
    double range[2] = {-bound, bound};
    double *sorted = test_doubles(count);
    for (size_t i = 0; i < count; i++) {
        assert_true(fabsf(values[i]) <= (float)bound);
        sorted[i] = values[i];
        mean += values[i] / (double)count;
        square += (double)values[i] * (double)values[i] / (double)count;
    }
    /* Variance b^2/3; the squares have variance b^4 (1/5 - 1/9). */
    double n = (double)count;
    assert_close(mean, 0, 4.5 * bound / sqrt(3 * n), 0);
    assert_close(square, bound * bound / 3,
                 4.5 * bound * bound * sqrt(4.0 / 45 / n), 0);
    assert_true(test_ks(sorted, count, test_cdf_uniform, range) < 2.2);
    free(sorted);
}

static void initial_parameters_are_uniform(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ref_network ref;
    ref_digits(&ref);
    for (uint64_t seed = 0; seed < 5; seed++) {
        ebm_model *model = ref_model(&ref, context, 0, seed << 33);
        const float *parameters = ebm_model_parameters(model);
        float *packed = test_floats(ref.parameter_count);
        ref_pack(&ref, model, parameters, packed);
        for (size_t i = 0; i < ref.count; i++) {
            const ref_layer *l = ref.layers + i;
            if (!l->weight_count)
                continue;
            double fan_in = (double)(l->weight_count / l->units);
            check_law(packed + l->weight, l->weight_count, fan_in);
            check_law(packed + l->biases, l->units, fan_in);
        }
        free(packed);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
    ref_free(&ref);
}

static void seeds_fix_the_parameters(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ref_network ref;
    ref_begin(&ref, 8, 8, 2);
    ref_conv2d(&ref, 6, 3, 1, 1, 1);
    ref_conv2d(&ref, 6, 3, 1, 1, 1);
    ref_conv2d(&ref, 6, 3, 1, 1, 1);
    ref_flatten(&ref);
    ref_dense(&ref, 1, 1);
    ebm_model *a = ref_model(&ref, context, 0, 5);
    ebm_model *b = ref_model(&ref, context, 0, 5);
    ebm_model *c = ref_model(&ref, context, 0, 6);
    ebm_model *d = ref_model(&ref, context, 0, 5 + ((uint64_t)1 << 32));
    const float *p = ebm_model_parameters(a);
    size_t n = ebm_model_parameter_count(a), equal = 0;
    assert_same_bits(p, ebm_model_parameters(b), n);
    for (size_t i = 0; i < n; i++)
        equal += p[i] == ebm_model_parameters(c)[i] ||
                 p[i] == ebm_model_parameters(d)[i];
    assert_true(equal <= 1);
    /* Layers of one shape do not share their draws. */
    size_t second, third;
    assert_ok(ebm_model_view(a, 2, NULL, &second, NULL, NULL));
    assert_ok(ebm_model_view(a, 4, NULL, &third, NULL, NULL));
    assert_other_bits(p + second, p + third, 100);
    ebm_model_destroy(a);
    ebm_model_destroy(b);
    ebm_model_destroy(c);
    ebm_model_destroy(d);
    ebm_context_destroy(context);
    ref_free(&ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_name_all_parameters),
        cmocka_unit_test(initial_parameters_are_uniform),
        cmocka_unit_test(seeds_fix_the_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
