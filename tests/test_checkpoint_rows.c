/*
 * Model files of every kind of layer, of every way that weights are made, and
 * of every preset: what comes back has the same bits.
 */
#include "model_file.h"

#include "model/network/network.h"

enum { SAMPLES = 3 };

#define STEP(call)                     \
    do {                               \
        ebm_status step_status = call; \
        if (step_status != EBM_OK)     \
            return step_status;        \
    } while (0)

/* ---- Networks ------------------------------------------------------------
 */

static ebm_status set_weights(ebm_network *n, ebm_network_weights weights)
{
    return ebm_network_set(n, EBM_NETWORK_WEIGHTS, weights);
}

static ebm_status end_by_mean(ebm_network *n)
{
    STEP(set_weights(n, EBM_WEIGHTS_PLAIN));
    STEP(ebm_network_global_mean_pool(n));
    return ebm_network_dense(n, 1);
}

static ebm_status build_pools(ebm_network *n)
{
    STEP(ebm_network_avg_pool(n, 3, 2, 1, 1));
    STEP(ebm_network_conv2d(n, 4, 3, 1, 1));
    STEP(ebm_network_avg_pool(n, 3, 1, 1, 0));
    STEP(ebm_network_leaky_relu(n, 0.1));
    STEP(ebm_network_relu(n));
    STEP(ebm_network_global_sum_pool(n));
    STEP(ebm_network_dense(n, 1));
    STEP(ebm_network_square(n));
    return ebm_network_softplus(n);
}

static ebm_status build_norms(ebm_network *n)
{
    STEP(ebm_network_conv2d(n, 6, 3, 1, 1));
    STEP(ebm_network_group_norm(n, 0));
    STEP(ebm_network_swish(n));
    STEP(ebm_network_set(n, EBM_NETWORK_NORM_EPSILON, 1e-3));
    STEP(ebm_network_group_norm(n, 2));
    STEP(ebm_network_set(n, EBM_NETWORK_NORM_EPSILON, 1e20));
    STEP(ebm_network_instance_norm(n));
    STEP(ebm_network_set(n, EBM_NETWORK_NORM_EPSILON, 1.0 / 3));
    STEP(ebm_network_instance_norm(n));
    STEP(ebm_network_flatten(n));
    return ebm_network_dense(n, 1);
}

static ebm_status build_attention(ebm_network *n)
{
    STEP(ebm_network_conv2d(n, 16, 3, 2, 1));
    STEP(ebm_network_self_attention(n));
    STEP(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    STEP(ebm_network_self_attention(n));
    return end_by_mean(n);
}

/* All kinds of blocks and of what normalises in them. */
static ebm_status build_blocks(ebm_network *n)
{
    STEP(ebm_network_conv2d(n, 4, 3, 1, 1));
    STEP(ebm_network_res_block(n, 4, EBM_RES_PLAIN));
    STEP(ebm_network_set(n, EBM_NETWORK_GROUPS, 4));
    STEP(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    STEP(ebm_network_res_block(n, 4, EBM_RES_DOWN));
    STEP(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_INSTANCE));
    STEP(ebm_network_set(n, EBM_NETWORK_NORM_EPSILON, 0.5));
    STEP(ebm_network_res_block(n, 4, EBM_RES_DOWN_WIDEN));
    STEP(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_NONE));
    STEP(ebm_network_set(n, EBM_NETWORK_BIAS, 1));
    STEP(ebm_network_res_block(n, 8, EBM_RES_PLAIN));
    return end_by_mean(n);
}

static ebm_status build_conditional(ebm_network *n)
{
    STEP(ebm_network_conv2d(n, 4, 3, 1, 1));
    STEP(ebm_network_class_affine(n, 3));
    STEP(ebm_network_set(n, EBM_NETWORK_CLASSES, 3));
    STEP(ebm_network_res_block(n, 4, EBM_RES_DOWN));
    return end_by_mean(n);
}

static ebm_status build_derived(ebm_network *n, ebm_network_weights weights)
{
    STEP(set_weights(n, weights));
    STEP(ebm_network_conv2d(n, 4, 3, 1, 1));
    STEP(ebm_network_res_block(n, 4, EBM_RES_DOWN));
    STEP(ebm_network_flatten(n));
    STEP(ebm_network_dense(n, 5));
    STEP(ebm_network_swish(n));
    STEP(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    return ebm_network_dense(n, 1);
}

static ebm_status build_standardised(ebm_network *n)
{
    return build_derived(n, EBM_WEIGHTS_STANDARDISED);
}

static ebm_status build_spectral(ebm_network *n)
{
    return build_derived(n, EBM_WEIGHTS_SPECTRAL);
}

static const test_net nets[] = {
    {{6, 5, 3}, build_pools},       {{6, 5, 3}, build_norms},
    {{6, 5, 3}, build_attention},   {{8, 6, 3}, build_blocks},
    {{6, 5, 3}, build_conditional}, {{6, 5, 3}, build_standardised},
    {{6, 5, 3}, build_spectral},
};

/* ---- The comparison ------------------------------------------------------
 */

/* Every parameter moves, so that none is where a new model would have it;
   states stay behind, as they do when parameters are written by hand. */
static void shake(ebm_model *model, uint64_t *random)
{
    size_t count = ebm_model_parameter_count(model);
    float *p = test_floats(count), *noise = test_floats(count);
    assert_ok(ebm_model_get_parameters(model, 0, p, count));
    test_fill_normal(random, noise, count, 0.1);
    for (size_t i = 0; i < count; i++)
        p[i] += noise[i];
    assert_ok(ebm_model_set_parameters(model, 0, p, count));
    free(noise);
    free(p);
}

static void energies(ebm_model *model, uint64_t seed, float *energy,
                     float *gradient)
{
    static const int32_t labels[SAMPLES] = {2, 0, 1};
    size_t height, width, channels;
    assert_ok(ebm_model_shape(model, &height, &width, &channels));
    size_t size = SAMPLES * height * width * channels;
    float *x = test_floats(size), *of_x = test_floats(size);
    test_fill_normal(&seed, x, size, 1);
    assert_ok(ebm_model_energy_grad(model, x, labels, SAMPLES, energy, of_x));
    memcpy(gradient, of_x, SAMPLES * sizeof *gradient);
    free(of_x);
    free(x);
}

/* Saves, loads, saves again: the same energies and the same bytes. What a
   later power iteration makes of the state is the same too. */
static void assert_round_trip(ebm_context *context, ebm_model *model)
{
    ebm_model *loaded = NULL;
    float a[2][SAMPLES], b[2][SAMPLES];
    size_t sizes[2];
    assert_ok(ebm_model_save(model, model_path));
    unsigned char *first = test_slurp(model_path, sizes);
    assert_ok(ebm_model_load(context, model_path, &loaded));
    assert_int_equal(ebm_model_class_count(loaded),
                     ebm_model_class_count(model));
    assert_int_equal(ebm_model_slab_size(loaded), ebm_model_slab_size(model));
    for (int round = 0; round < 2; round++) {
        energies(model, 11, a[0], a[1]);
        energies(loaded, 11, b[0], b[1]);
        assert_same_bits(b[0], a[0], SAMPLES);
        assert_same_bits(b[1], a[1], SAMPLES);
        if (round)
            break;
        assert_ok(ebm_model_save(loaded, model_path));
        assert_ok(ebm_model_iterate(model, 1));
        assert_ok(ebm_model_iterate(loaded, 1));
    }
    unsigned char *second = test_slurp(model_path, sizes + 1);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(first, second, sizes[0]);
    free(second);
    free(first);
    ebm_model_destroy(loaded);
}

/* ---- Tests ---------------------------------------------------------------
 */

static void test_every_kind_of_row(void **state)
{
    (void)state;
    enum { MOST = 64 };
    int seen[MOST] = {0};
    uint64_t random = 9;
    ebm_context *context = test_context_threads(2);
    for (size_t k = 0; k < TEST_COUNT(nets); k++) {
        ebm_model *model = test_make_model(context, nets + k);
        shake(model, &random);
        assert_round_trip(context, model);
        const ebm_network_model *network = ebm_network_of(model);
        for (size_t i = 0; i < network->row_count; i++)
            for (int kind = 0; ebm_row_kinds[kind]; kind++)
                seen[kind] |= network->rows[i].ops == ebm_row_kinds[kind];
        ebm_model_destroy(model);
    }
    for (int kind = 0; ebm_row_kinds[kind]; kind++) {
        assert_true(kind < MOST);
        if (!seen[kind])
            fail_msg("no network here has a row %s",
                     ebm_row_kinds[kind]->kind);
    }
    ebm_context_destroy(context);
}

/* The tensors of a network are its views and, for spectral norms, u and v. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t sizes[2]; /* first and second */
    } expected[] = {
        {"0.weight", {4, 3}},       {"0.weight_u", {4, 0}},
        {"0.weight_v", {27, 0}},    {"1.conv1.weight", {4, 4}},
        {"1.conv1.bias", {4, 0}},   {"1.conv1.weight_u", {4, 0}},
        {"1.norm1.weight", {4, 0}}, {"1.conv2.weight_v", {36, 0}},
        {"1.down.weight", {4, 4}},  {"3.weight", {5, 36}},
        {"3.weight_u", {5, 0}},     {"3.weight_v", {36, 0}},
        {"5.weight_u", {1, 0}},
    };
    ebm_context *context = test_context_threads(1);
    const test_net net = {{6, 5, 3}, build_spectral};
    ebm_model *model = test_make_model(context, &net);
    assert_ok(ebm_model_save(model, model_path));
    test_saved file = test_read_saved(model_path);
    for (size_t k = 0; k < TEST_COUNT(expected); k++) {
        json_t *entry = json_object_get(file.root, expected[k].name);
        json_t *shape = json_object_get(entry, "shape");
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(json_integer_value(json_array_get(shape, i)),
                             expected[k].sizes[i]);
    }
    assert_null(json_object_get(file.root, "1.down.weight_u"));
    assert_null(json_object_get(file.root, "5.bias"));
    size_t states = 2 * 5; /* conv, two in the block, two dense */
    assert_int_equal(json_object_size(file.root),
                     1 + ebm_model_view_count(model) + states);
    test_free_saved(&file);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* The vectors of the spectral norm matter, and are PyTorch's: a convolution's
   v counts channels first, and so does a dense layer's after a flatten. */
static void test_state_is_in_order(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    const test_net net = {{6, 5, 3}, build_spectral};
    ebm_model *model = test_make_model(context, &net);
    const ebm_network_model *network = ebm_network_of(model);
    assert_ok(ebm_model_save(model, model_path));
    test_saved file = test_read_saved(model_path);
    static const struct {
        const char *name;
        size_t positions, channels;
    } rows[] = {{"0.weight_v", 9, 3}, {"3.weight_v", 9, 4}};
    for (size_t k = 0; k < 2; k++) {
        json_t *entry = json_object_get(file.root, rows[k].name);
        json_t *offsets = json_object_get(entry, "data_offsets");
        size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
        const float *ours = NULL;
        for (size_t i = 0; i < network->count; i++) {
            const ebm_layer *layer = network->layers + i;
            if (layer->row == (k ? 3u : 0u) && layer->state_count)
                ours = network->state + layer->state_offset +
                       layer->states[1].offset;
        }
        assert_non_null(ours);
        for (size_t c = 0; c < rows[k].channels; c++)
            for (size_t p = 0; p < rows[k].positions; p++) {
                float value;
                memcpy(&value,
                       file.bytes + 8 + file.header + begin +
                           4 * (c * rows[k].positions + p),
                       4);
                assert_same_bits(&value, ours + p * rows[k].channels + c, 1);
            }
    }
    test_free_saved(&file);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void test_every_preset(void **state)
{
    (void)state;
    uint64_t random = 10;
    ebm_context *context = test_context_threads(2);
    for (size_t k = 0; ebm_preset_name(k); k++)
        for (int variant = 0; variant < 2; variant++)
            for (int classes = 0; classes <= 3; classes += 3) {
                ebm_preset *preset = NULL;
                ebm_model *model = NULL;
                assert_ok(
                    ebm_preset_create(context, ebm_preset_name(k), &preset));
                assert_ok(ebm_preset_set(preset, EBM_PRESET_WIDTH,
                                         variant && k > 1 ? 8 : 4));
                assert_ok(ebm_preset_set(preset, EBM_PRESET_VARIANT, variant));
                ebm_status status =
                    ebm_preset_set(preset, EBM_PRESET_CLASSES, classes);
                if (k || !classes) {
                    assert_ok(status);
                    assert_ok(ebm_preset_make_model(preset, 3, &model));
                    shake(model, &random);
                    assert_round_trip(context, model);
                }
                ebm_model_destroy(model);
                ebm_preset_destroy(preset);
            }
    ebm_context_destroy(context);
}

/* Every allocation fails once, with states and blocks in the file. */
static void test_out_of_memory(void **state)
{
    (void)state;
    test_allocator memory;
    size_t n;
    ebm_context *context = test_context(&memory);
    const test_net net = {{6, 5, 3}, build_spectral};
    ebm_model *model = test_make_model(context, &net), *loaded = NULL;
    assert_ok(ebm_model_save(model, model_path));
    ebm_status status = EBM_ERROR_MEMORY;
    for (n = 1; status != EBM_OK && n < 1000; n++) {
        size_t before = memory.live_bytes;
        test_fail_at(&memory, n, 0);
        status = ebm_model_load(context, model_path, &loaded);
        test_fail_at(&memory, 0, 0);
        if (status != EBM_OK) {
            assert_error(context, status, EBM_ERROR_MEMORY, "out of memory");
            assert_null(loaded);
            assert_int_equal(memory.live_bytes, before);
        }
    }
    assert_in_range(n, 10, 999);
    ebm_model_destroy(loaded);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FOLDER(test_every_kind_of_row),
        TEST_WITH_FOLDER(test_names),
        TEST_WITH_FOLDER(test_state_is_in_order),
        TEST_WITH_FOLDER(test_every_preset),
        TEST_WITH_FOLDER(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
