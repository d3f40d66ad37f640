/*
 * Presets: parameter counts to the number, scales, classes and settings. What
 * the networks compute is compared in test_torch_layers.c, layer by layer.
 */
#include "ebm_test.h"

static ebm_preset *make_preset(ebm_context *context, const char *name,
                               const double values[4])
{
    ebm_preset *preset = NULL;
    assert_ok(ebm_preset_create(context, name, &preset));
    for (int key = 0; key < 4; key++)
        assert_ok(ebm_preset_set(preset, (ebm_preset_key)key, values[key]));
    return preset;
}

static ebm_model *make_model(ebm_context *context, const char *name,
                             const double values[4], uint64_t seed)
{
    ebm_model *model = NULL;
    ebm_preset *preset = make_preset(context, name, values);
    assert_ok(ebm_preset_make_model(preset, seed, &model));
    ebm_preset_destroy(preset);
    return model;
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"digits-small", "du2020-mnist",
                                        "du2020-cifar", "du2020-celeba"};
    for (size_t i = 0; i < TEST_COUNT(names); i++)
        assert_string_equal(ebm_preset_name(i), names[i]);
    assert_null(ebm_preset_name(TEST_COUNT(names)));
    assert_null(ebm_preset_name(SIZE_MAX));
}

/* Width, variant, classes, scales; the counts of docs/presets.md. Those of
   the published code are du2020-mnist and the code variant of du2020-cifar
   with 64 channels. */
static const struct {
    const char *name;
    double values[4];
    size_t count, height, channels, parts;
} counts[] = {
    {"digits-small", {0, 0, 0, 0}, 76993, 28, 1, 1},
    {"digits-small", {16, 1, 0, 1}, 76993, 28, 1, 1},
    {"digits-small", {8, 0, 0, 0}, 19425, 28, 1, 1},
    {"du2020-mnist", {0, 0, 0, 0}, 3101313, 28, 1, 1},
    {"du2020-mnist", {64, 1, 0, 1}, 3101313, 28, 1, 1},
    {"du2020-mnist", {0, 0, 10, 0}, 3121025, 28, 1, 1},
    {"du2020-cifar", {64, 1, 0, 1}, 4859234, 32, 3, 1},
    {"du2020-cifar", {64, 1, 0, 2}, 4859234 + 1295809, 32, 3, 2},
    {"du2020-cifar", {64, 1, 0, 3}, 4859234 + 1295809 + 409153, 32, 3, 3},
    {"du2020-cifar", {0, 1, 0, 0}, 6564196, 32, 3, 3},
    {"du2020-cifar", {0, 1, 10, 0}, 6643044, 32, 3, 3},
    {"du2020-cifar", {64, 0, 0, 1}, 4859234, 32, 3, 1},
    {"du2020-cifar", {0, 0, 0, 0}, 10871510, 32, 3, 3},
    {"du2020-cifar", {0, 0, 10, 0}, 10981334, 32, 3, 3},
    {"du2020-celeba", {64, 0, 0, 1}, 19218690, 128, 3, 1},
    {"du2020-celeba", {0, 0, 0, 0}, 28652870, 128, 3, 3},
    {"du2020-celeba", {64, 1, 0, 1}, 19661954, 128, 3, 1},
    {"du2020-celeba", {0, 1, 0, 0}, 27643780, 128, 3, 3},
};

static void test_parameter_counts(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(counts); i++) {
        ebm_model *model =
            make_model(context, counts[i].name, counts[i].values, 1);
        size_t height, width, channels;
        assert_ok(ebm_model_shape(model, &height, &width, &channels));
        assert_int_equal(height, counts[i].height);
        assert_int_equal(width, counts[i].height);
        assert_int_equal(channels, counts[i].channels);
        assert_int_equal(ebm_model_part_count(model), counts[i].parts);
        assert_int_equal(ebm_model_class_count(model),
                         (size_t)counts[i].values[2]);
        assert_int_equal(ebm_model_parameter_count(model), counts[i].count);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* Each scale begins with numbers of its own, and the same seed with the same
   ones. */
static void test_seeds(void **state)
{
    (void)state;
    static const double values[4] = {4, 0, 0, 0};
    enum { STEM = 3 * 3 * 3 * 4 };
    float p[3][STEM];
    size_t offsets[3] = {0}, scales = 0;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_model(context, "du2020-cifar", values, 5);
    for (size_t v = 0; v < ebm_model_view_count(model); v++) {
        const char *name;
        size_t offset;
        assert_ok(ebm_model_view(model, v, &name, &offset, NULL, NULL));
        if (!strcmp(name + 1, ".0.weight") && scales < 3)
            offsets[scales++] = offset;
    }
    assert_int_equal(scales, 3);
    for (int k = 0; k < 3; k++)
        assert_ok(ebm_model_get_parameters(model, offsets[k], p[k], STEM));
    assert_other_bits(p[0], p[1], STEM);
    assert_other_bits(p[0], p[2], STEM);
    assert_other_bits(p[1], p[2], STEM);
    ebm_model_destroy(model);
    for (uint64_t seed = 5; seed < 7; seed++) {
        model = make_model(context, "du2020-cifar", values, seed);
        assert_ok(ebm_model_get_parameters(model, offsets[1], p[0], STEM));
        assert_int_equal(memcmp(p[0], p[1], sizeof p[0]) == 0, seed == 5);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* The energy is the sum of the scales', and the full scale is the same
   network alone. */
static void test_scales_add_up(void **state)
{
    (void)state;
    enum { SIZE = 32 * 32 * 3 };
    ebm_context *context = test_context_threads(1);
    uint64_t random = 4;
    float *x = test_floats(SIZE), energy, parts[3], alone;
    test_fill_uniform(&random, x, SIZE, 0, 1);
    for (int variant = 0; variant < 2; variant++) {
        double values[4] = {4, variant, 0, 0};
        ebm_model *model = make_model(context, "du2020-cifar", values, 5);
        values[3] = 1;
        ebm_model *full = make_model(context, "du2020-cifar", values, 5);
        assert_ok(ebm_model_energy(model, x, NULL, 1, &energy));
        assert_ok(ebm_model_part_energies(model, x, NULL, 1, parts));
        assert_ok(ebm_model_energy(full, x, NULL, 1, &alone));
        assert_close(energy, (double)parts[0] + parts[1] + parts[2], 1e-6,
                     1e-6);
        assert_same_bits(&alone, parts, 1);
        ebm_model_destroy(full);
        ebm_model_destroy(model);
    }
    free(x);
    ebm_context_destroy(context);
}

static void test_settings(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double minimum, maximum;
    } rows[] = {{"width", 0, 4096},
                {"variant", 0, 1},
                {"classes", 0, 65536},
                {"scales", 0, 3}};
    ebm_context *context = test_context_threads(1);
    ebm_preset *preset = NULL;
    assert_ok(ebm_preset_create(context, "du2020-cifar", &preset));
    for (int key = 0; key < 4; key++) {
        const char *name;
        double minimum, maximum, initial, value = -1;
        assert_ok(ebm_preset_option((ebm_preset_key)key, &name, NULL, &minimum,
                                    &maximum, &initial));
        assert_string_equal(name, rows[key].name);
        assert_true(minimum == rows[key].minimum);
        assert_true(maximum == rows[key].maximum);
        assert_ok(ebm_preset_get(preset, (ebm_preset_key)key, &value));
        assert_true(value == initial && value == 0);
        assert_ok(ebm_preset_set(preset, (ebm_preset_key)key, 1));
        assert_ok(ebm_preset_get(preset, (ebm_preset_key)key, &value));
        assert_true(value == 1);
    }
    ebm_preset_destroy(preset);
    ebm_context_destroy(context);
}

static void test_wrong_settings(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_preset *preset = NULL, *digits = NULL;
    ebm_model *model = NULL;
    double value = 7;
    assert_error(context, ebm_preset_create(context, "du2021", &preset),
                 EBM_ERROR_ARGUMENT, "du2021");
    assert_error(context, ebm_preset_create(context, NULL, &preset),
                 EBM_ERROR_ARGUMENT, "name");
    assert_error(context, ebm_preset_create(context, "du2020-mnist", NULL),
                 EBM_ERROR_ARGUMENT, "preset");
    assert_status(ebm_preset_create(NULL, "du2020-mnist", &preset),
                  EBM_ERROR_HANDLE);
    assert_null(preset);
    assert_ok(ebm_preset_create(context, "du2020-cifar", &preset));
    assert_ok(ebm_preset_create(context, "digits-small", &digits));
    assert_error(context, ebm_preset_set(preset, EBM_PRESET_SCALES, 4),
                 EBM_ERROR_RANGE, "scales");
    assert_error(context, ebm_preset_set(digits, EBM_PRESET_SCALES, 2),
                 EBM_ERROR_RANGE, "digits-small has 1");
    assert_error(context, ebm_preset_set(digits, EBM_PRESET_CLASSES, 10),
                 EBM_ERROR_UNSUPPORTED, "digits-small");
    assert_ok(ebm_preset_set(digits, EBM_PRESET_CLASSES, 0));
    assert_error(context, ebm_preset_set(preset, EBM_PRESET_WIDTH, 2.5),
                 EBM_ERROR_RANGE, "width");
    assert_error(context, ebm_preset_set(preset, EBM_PRESET_WIDTH, NAN),
                 EBM_ERROR_RANGE, "width");
    assert_error(context, ebm_preset_set(preset, EBM_PRESET_VARIANT, 2),
                 EBM_ERROR_RANGE, "variant");
    assert_status(ebm_preset_set(preset, (ebm_preset_key)4, 0),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_preset_get(preset, (ebm_preset_key)4, &value),
                  EBM_ERROR_ARGUMENT);
    assert_status(
        ebm_preset_option((ebm_preset_key)4, NULL, NULL, NULL, NULL, NULL),
        EBM_ERROR_ARGUMENT);
    assert_error(context, ebm_preset_make_model(preset, 1, NULL),
                 EBM_ERROR_ARGUMENT, "model");
    for (int key = 0; key < 4; key++) {
        assert_ok(ebm_preset_get(preset, (ebm_preset_key)key, &value));
        assert_true(value == 0);
    }
    /* A width that groups do not divide: the stem's 35 channels in 17 groups,
       in the layer after stem and swish; and 33 * 4 in 32 groups. */
    assert_ok(ebm_preset_set(preset, EBM_PRESET_WIDTH, 35));
    assert_error(context, ebm_preset_make_model(preset, 1, &model),
                 EBM_ERROR_SHAPE, "layer 2 (res_block): 35 channels");
    assert_ok(ebm_preset_set(preset, EBM_PRESET_WIDTH, 33));
    assert_ok(ebm_preset_set(preset, EBM_PRESET_VARIANT, EBM_PRESET_CODE));
    assert_error(context, ebm_preset_make_model(preset, 1, &model),
                 EBM_ERROR_SHAPE, "layer 9 (res_block): 132 channels");
    assert_null(model);
    ebm_preset_destroy(digits);
    ebm_preset_destroy(preset);
    assert_status(ebm_preset_set(NULL, EBM_PRESET_WIDTH, 1), EBM_ERROR_HANDLE);
    assert_status(ebm_preset_get(NULL, EBM_PRESET_WIDTH, &value),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_preset_make_model(NULL, 1, &model), EBM_ERROR_HANDLE);
    ebm_preset_destroy(NULL);
    ebm_context_destroy(context);
}

/* Every allocation fails once. */
static void test_out_of_memory(void **state)
{
    (void)state;
    static const double values[4] = {4, 0, 3, 0};
    test_allocator memory;
    size_t n;
    ebm_context *context = test_context(&memory);
    ebm_preset *preset = make_preset(context, "du2020-cifar", values);
    ebm_model *model = NULL;
    ebm_status status = EBM_ERROR_MEMORY;
    for (n = 1; status != EBM_OK && n < 1000; n++) {
        size_t before = memory.live_bytes;
        test_fail_at(&memory, n, 0);
        status = ebm_preset_make_model(preset, 1, &model);
        test_fail_at(&memory, 0, 0);
        if (status != EBM_OK) {
            assert_error(context, status, EBM_ERROR_MEMORY, "out of memory");
            assert_null(model);
            assert_int_equal(memory.live_bytes, before);
        }
    }
    assert_in_range(n, 30, 999);
    ebm_model_destroy(model);
    ebm_preset_destroy(preset);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_parameter_counts),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_scales_add_up),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_wrong_settings),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
