/*
 * Model files of compositions: what was made of parts is made of the same
 * parts again, shared ones included. Hostile ones: test_checkpoint_tree.c.
 */
#include <unistd.h>

#include "model_file.h"

enum { HEIGHT = 4, WIDTH = 6, SIZE = HEIGHT * WIDTH, SAMPLES = 3 };

static ebm_model *make_network(ebm_context *context, size_t height,
                               size_t width, uint64_t seed)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, height, width, 1, &network));
    assert_ok(ebm_network_conv2d(network, 4, 3, 1, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, seed, &model));
    ebm_network_destroy(network);
    return model;
}

/* All kinds, three deep; a network in three places, a composition in two:
   1.5 a - mixture(0.3 a, 0.7 (b at 3)) + half(-c) / 3 + (b at 3). */
static ebm_model *make_all_kinds(ebm_context *context)
{
    ebm_model *a = make_network(context, HEIGHT, WIDTH, 1);
    ebm_model *b = make_network(context, HEIGHT, WIDTH, 2);
    ebm_model *c = make_network(context, HEIGHT / 2, WIDTH / 2, 3);
    ebm_model *warm = NULL, *mixture = NULL, *less = NULL, *half = NULL;
    ebm_model *sum = NULL;
    assert_ok(ebm_model_create_tempered(b, 3, &warm));
    assert_ok(ebm_model_create_mixture((ebm_model *[]){a, warm},
                                       (double[]){0.3, 0.7}, 2, &mixture));
    assert_ok(ebm_model_create_negated(c, &less));
    assert_ok(ebm_model_create_downsampled(less, 2, &half));
    assert_ok(ebm_model_create_sum(
        (ebm_model *[]){a, mixture, half, warm, a},
        (double[]){1.5, -1, 1.0 / 3, 1, 1e300 * 1e-298}, 5, &sum));
    ebm_model_destroy(a);
    ebm_model_destroy(b);
    ebm_model_destroy(c);
    ebm_model_destroy(warm);
    ebm_model_destroy(mixture);
    ebm_model_destroy(less);
    ebm_model_destroy(half);
    return sum;
}

static void energies(ebm_model *model, float *energy)
{
    uint64_t seed = 12;
    float x[SAMPLES * SIZE];
    test_fill_normal(&seed, x, SAMPLES * SIZE, 1);
    assert_ok(ebm_model_energy(model, x, NULL, SAMPLES, energy));
}

static void assert_same_energies(ebm_model *a, ebm_model *b)
{
    float of_a[SAMPLES], of_b[SAMPLES];
    energies(a, of_a);
    energies(b, of_b);
    assert_same_bits(of_b, of_a, SAMPLES);
}

/* ---- There and back ------------------------------------------------------
 */

static void test_round_trip(void **state)
{
    (void)state;
    size_t sizes[2];
    ebm_context *context = test_context_threads(2);
    ebm_model *model = make_all_kinds(context), *loaded = NULL;
    assert_ok(ebm_model_save(model, model_path));
    unsigned char *first = test_slurp(model_path, sizes);
    assert_ok(ebm_model_load(context, model_path, &loaded));
    assert_same_energies(model, loaded);
    float parts[2][5 * SAMPLES];
    float x[SAMPLES * SIZE];
    uint64_t seed = 13;
    test_fill_normal(&seed, x, SAMPLES * SIZE, 1);
    assert_int_equal(ebm_model_part_count(loaded), 5);
    assert_ok(ebm_model_part_energies(model, x, NULL, SAMPLES, parts[0]));
    assert_ok(ebm_model_part_energies(loaded, x, NULL, SAMPLES, parts[1]));
    assert_same_bits(parts[1], parts[0], 5 * SAMPLES);
    /* One set of parameters for each network, and one model: what is written
       to it is seen in all its places. */
    size_t count = ebm_model_parameter_count(model);
    assert_int_equal(count, 2 * (40 + 4 * SIZE + 1) + 40 + SIZE + 1);
    assert_int_equal(ebm_model_parameter_count(loaded), count);
    float *p = test_floats(count);
    test_fill_normal(&seed, p, count, 0.3);
    assert_ok(ebm_model_set_parameters(model, 0, p, count));
    assert_ok(ebm_model_set_parameters(loaded, 0, p, count));
    assert_same_energies(model, loaded);
    free(p);
    ebm_model_destroy(loaded);

    ebm_model_destroy(model);
    FILE *file = fopen(model_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(first, 1, sizes[0], file), sizes[0]);
    fclose(file);
    assert_ok(ebm_model_load(context, model_path, &loaded));
    assert_ok(ebm_model_save(loaded, model_path));
    unsigned char *second = test_slurp(model_path, sizes + 1);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(first, second, sizes[0]);
    free(second);
    free(first);
    ebm_model_destroy(loaded);
    ebm_context_destroy(context);
}

/* The view names of the library are the tensors' names. */
static void test_tensors_are_the_views(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_all_kinds(context);
    size_t length = 0, size;
    assert_ok(ebm_model_save(model, model_path));
    unsigned char *bytes = test_slurp(model_path, &size);
    for (int i = 0; i < 8; i++)
        length |= (size_t)bytes[i] << (8 * i);
    json_t *root = json_loadb((char *)bytes + 8, length, 0, NULL);
    assert_int_equal(json_object_size(root), 1 + 3 * 4);
    assert_int_equal(ebm_model_view_count(model), 3 * 4);
    for (size_t v = 0; v < ebm_model_view_count(model); v++) {
        const char *name;
        assert_ok(ebm_model_view(model, v, &name, NULL, NULL, NULL));
        assert_non_null(json_object_get(root, name));
    }
    json_decref(root);
    free(bytes);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Temperatures and weights that no decimal fraction is. */
static void test_numbers_keep_their_bits(void **state)
{
    (void)state;
    static const double numbers[] = {1.0 / 3, 0.1, 1e-300, 7, 1e18, 1e300};
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(numbers); i++) {
        ebm_model *a = make_network(context, HEIGHT, WIDTH, 1);
        ebm_model *b = make_network(context, HEIGHT, WIDTH, 2);
        ebm_model *parts[2] = {a, b}, *made[2] = {NULL};
        double weights[2] = {numbers[i], 1 / numbers[i]};
        assert_ok(ebm_model_create_tempered(a, numbers[i], made));
        assert_ok(ebm_model_create_mixture(parts, weights, 2, made + 1));
        for (int k = 0; k < 2; k++) {
            ebm_model *loaded = NULL;
            float x[SIZE] = {0.5f}, energy[2];
            assert_ok(ebm_model_save(made[k], model_path));
            assert_ok(ebm_model_load(context, model_path, &loaded));
            assert_ok(ebm_model_energy(made[k], x, NULL, 1, energy));
            assert_ok(ebm_model_energy(loaded, x, NULL, 1, energy + 1));
            /* One of them is infinite, in both. */
            assert_memory_equal(energy + 1, energy, sizeof *energy);
            ebm_model_destroy(loaded);
        }
        for (int k = 0; k < 2; k++)
            ebm_model_destroy(made[k]);
        ebm_model_destroy(a);
        ebm_model_destroy(b);
    }
    ebm_context_destroy(context);
}

/* ---- Refused -------------------------------------------------------------
 */

static int flat_energy(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    (void)params, (void)x, (void)labels, (void)user;
    memset(energy, 0, n * sizeof *energy);
    memset(grad, 0, n * SIZE * sizeof *grad);
    return 0;
}

static void test_what_no_file_can_hold(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *a = make_network(context, HEIGHT, WIDTH, 1);
    ebm_model *custom = NULL, *sum = NULL, *less = NULL;
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .energy_grad = flat_energy};
    float *lent;
    assert_ok(ebm_model_create_custom(context, HEIGHT, WIDTH, 1, &ops, NULL,
                                      &custom));
    assert_ok(ebm_model_create_sum((ebm_model *[]){a, custom}, NULL, 2, &sum));
    assert_ok(ebm_model_create_negated(sum, &less));
    assert_error(context, ebm_model_save(less, model_path),
                 EBM_ERROR_UNSUPPORTED, "custom");
    ebm_model_destroy(less);
    ebm_model_destroy(sum);
    ebm_model_destroy(custom);
    assert_ok(ebm_model_create_sum((ebm_model *[]){a, a}, NULL, 2, &sum));
    assert_ok(ebm_model_begin_write(a, &lent));
    assert_status(ebm_model_save(sum, model_path), EBM_ERROR_STATE);
    assert_ok(ebm_model_end_write(a));
    ((float *)(uintptr_t)ebm_model_parameters(a))[40] = NAN;
    assert_error(context, ebm_model_save(sum, model_path),
                 EBM_ERROR_NON_FINITE, "0.3.weight");
    assert_int_equal(access(model_path, F_OK), -1);
    ebm_model_destroy(sum);
    ebm_model_destroy(a);
    ebm_context_destroy(context);
}

/* As deep and as large as models can be made, there and back. */
static void test_largest(void **state)
{
    (void)state;
    enum { MOST = 512 };
    float a, b, x = 0.5f;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = NULL, *loaded = NULL, *next;
    ebm_network *network = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    ebm_network_destroy(network);
    for (int k = 1; k < MOST; k++) {
        assert_ok(ebm_model_create_negated(model, &next));
        ebm_model_destroy(model);
        model = next;
    }
    assert_ok(ebm_model_save(model, model_path));
    assert_ok(ebm_model_load(context, model_path, &loaded));
    assert_ok(ebm_model_energy(model, &x, NULL, 1, &a));
    assert_ok(ebm_model_energy(loaded, &x, NULL, 1, &b));
    assert_same_bits(&b, &a, 1);
    ebm_model_destroy(loaded);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Every allocation fails once. */
static void test_out_of_memory(void **state)
{
    (void)state;
    test_allocator memory;
    size_t n;
    ebm_context *context = test_context(&memory);
    ebm_model *model = make_all_kinds(context), *loaded = NULL;
    assert_ok(ebm_model_save(model, model_path));
    ebm_status status = EBM_ERROR_MEMORY;
    for (n = 1; status != EBM_OK && n < 1000; n++) {
        size_t before = memory.live_bytes;
        test_fail_at(&memory, n, 0);
        status = ebm_model_save(model, model_path);
        test_fail_at(&memory, 0, 0);
        assert_int_equal(memory.live_bytes, before);
        if (status != EBM_OK)
            assert_error(context, status, EBM_ERROR_MEMORY, "out of memory");
    }
    assert_in_range(n, 6, 999);
    status = EBM_ERROR_MEMORY;
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
    assert_in_range(n, 60, 999);
    ebm_model_destroy(loaded);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FOLDER(test_round_trip),
        TEST_WITH_FOLDER(test_tensors_are_the_views),
        TEST_WITH_FOLDER(test_numbers_keep_their_bits),
        TEST_WITH_FOLDER(test_what_no_file_can_hold),
        TEST_WITH_FOLDER(test_largest),
        TEST_WITH_FOLDER(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
