/*
 * Model files: what is written is what PyTorch would need, and what is read
 * is what was written.
 */
#include "model_file.h"

/* ---- what is written --------------------------------------------------- */

static void test_file_means_the_same_energies(void **state)
{
    (void)state;
    enum { SAMPLES = 3 };
    ebm_context *context = test_context_threads(2);
    uint64_t random = 3;
    for (size_t k = 0; k < NETS; k++) {
        const size_t *shape = test_nets[k].shape;
        size_t size = shape[0] * shape[1] * shape[2];
        ebm_model *model = test_make_model(context, test_nets + k);
        float *x = test_floats(SAMPLES * size), energy[SAMPLES];
        test_fill_normal(&random, x, SAMPLES * size, 1);
        assert_ok(ebm_model_energy(model, x, NULL, SAMPLES, energy));
        assert_ok(ebm_model_save(model, model_path));
        test_saved file = test_read_saved(model_path);
        for (size_t i = 0; i < SAMPLES; i++)
            assert_close(energy[i],
                         test_saved_energy(&file, x + i * size, shape), 1e-6,
                         1e-5);
        test_free_saved(&file);
        free(x);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* Every view is a tensor of its name, in PyTorch's shape: rows and columns of
   the kernel last, inputs and outputs exchanged. */
static void test_tensors_are_the_views(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    for (size_t k = 0; k < NETS; k++) {
        ebm_model *model = test_make_model(context, test_nets + k);
        assert_ok(ebm_model_save(model, model_path));
        test_saved file = test_read_saved(model_path);
        size_t total = 0, views = ebm_model_view_count(model);
        assert_int_equal(json_object_size(file.root), views + 1);
        for (size_t v = 0; v < views; v++) {
            static const int from[5][4] = {
                {0}, {0}, {1, 0}, {0}, {3, 2, 0, 1}};
            const char *name;
            size_t rank, shape[4], count = 1;
            assert_ok(ebm_model_view(model, v, &name, NULL, &rank, shape));
            json_t *entry = json_object_get(file.root, name);
            json_t *sizes = json_object_get(entry, "shape");
            json_t *offsets = json_object_get(entry, "data_offsets");
            assert_int_equal(json_array_size(sizes), rank);
            for (size_t r = 0; r < rank; r++) {
                json_t *length = json_array_get(sizes, r);
                assert_int_equal(json_integer_value(length),
                                 shape[from[rank][r]]);
                count *= shape[r];
            }
            assert_string_equal(
                json_string_value(json_object_get(entry, "dtype")), "F32");
            assert_int_equal(json_integer_value(json_array_get(offsets, 0)),
                             4 * total);
            total += count;
            assert_int_equal(json_integer_value(json_array_get(offsets, 1)),
                             4 * total);
        }
        assert_int_equal(file.size, 8 + file.header + 4 * total);
        if (k == DIGITS)
            assert_int_equal(total, 76993);
        test_free_saved(&file);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* The text itself: a change here is a change of the format. */
static void test_header_text(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"libebm.format\":\"1\","
        "\"libebm.input\":\"[1,1,2]\",\"libebm.layers\":\"["
        "{\\\"kind\\\":\\\"dense\\\",\\\"units\\\":8,\\\"bias\\\":true},"
        "{\\\"kind\\\":\\\"swish\\\"},"
        "{\\\"kind\\\":\\\"dense\\\",\\\"units\\\":1,\\\"bias\\\":true}]\"},"
        "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[8,2],"
        "\"data_offsets\":[0,64]},"
        "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[8],"
        "\"data_offsets\":[64,96]},"
        "\"2.weight\":{\"dtype\":\"F32\",\"shape\":[1,8],"
        "\"data_offsets\":[96,128]},"
        "\"2.bias\":{\"dtype\":\"F32\",\"shape\":[1],"
        "\"data_offsets\":[128,132]}}";
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_make_model(context, test_nets + POINTS);
    assert_ok(ebm_model_save(model, model_path));
    test_saved file = test_read_saved(model_path);
    const char *text = (char *)file.bytes + 8;
    size_t length = strlen(expected);
    assert_int_equal(file.header % 8, 0);
    assert_true(file.header - length < 8);
    assert_memory_equal(text, expected, length);
    for (size_t i = length; i < file.header; i++)
        assert_int_equal(text[i], ' ');
    test_free_saved(&file);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* ---- there and back ---------------------------------------------------- */

static void test_round_trip(void **state)
{
    (void)state;
    enum { SAMPLES = 5 };
    ebm_context *context = test_context_threads(2);
    uint64_t random = 4;
    for (size_t k = 0; k < NETS; k++) {
        ebm_model *model = test_make_model(context, test_nets + k),
                  *loaded = NULL;
        size_t shape[3], size = 1, sizes[2];
        assert_ok(ebm_model_save(model, model_path));
        unsigned char *first = test_slurp(model_path, sizes);
        assert_ok(ebm_model_load(context, model_path, &loaded));
        assert_ok(ebm_model_shape(loaded, shape, shape + 1, shape + 2));
        for (int i = 0; i < 3; i++) {
            assert_int_equal(shape[i], test_nets[k].shape[i]);
            size *= shape[i];
        }
        assert_int_equal(ebm_model_parameter_count(loaded),
                         ebm_model_parameter_count(model));
        assert_same_bits(ebm_model_parameters(loaded),
                         ebm_model_parameters(model),
                         ebm_model_parameter_count(model));
        float *x = test_floats(SAMPLES * size), a[SAMPLES], b[SAMPLES];
        test_fill_normal(&random, x, SAMPLES * size, 1);
        assert_ok(ebm_model_energy(model, x, NULL, SAMPLES, a));
        assert_ok(ebm_model_energy(loaded, x, NULL, SAMPLES, b));
        assert_same_bits(b, a, SAMPLES);
        free(x);
        /* Written again, by the loaded model: the same bytes. */
        ebm_model_destroy(model);
        assert_ok(ebm_model_save(loaded, model_path));
        unsigned char *second = test_slurp(model_path, sizes + 1);
        assert_int_equal(sizes[0], sizes[1]);
        assert_memory_equal(first, second, sizes[0]);
        free(first);
        free(second);
        ebm_model_destroy(loaded);
    }
    ebm_context_destroy(context);
}

/* Numbers that are easily lost: the sign of 0, the smallest, the largest. */
static void test_extreme_numbers(void **state)
{
    (void)state;
    static const float extremes[] = {-0.0f,      0x1p-149f, -0x1p-126f,
                                     0x1.8p127f, -1.0f / 3, 0x1.fffffep127f};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_make_model(context, test_nets + POINTS),
              *loaded = NULL;
    assert_ok(ebm_model_set_parameters(model, 0, extremes, 6));
    assert_ok(ebm_model_save(model, model_path));
    assert_ok(ebm_model_load(context, model_path, &loaded));
    assert_same_bits(ebm_model_parameters(loaded), extremes, 6);
    ebm_model_destroy(model);
    ebm_model_destroy(loaded);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FOLDER(test_file_means_the_same_energies),
        TEST_WITH_FOLDER(test_tensors_are_the_views),
        TEST_WITH_FOLDER(test_header_text),
        TEST_WITH_FOLDER(test_round_trip),
        TEST_WITH_FOLDER(test_extreme_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
