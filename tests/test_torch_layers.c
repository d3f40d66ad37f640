/*
 * Energies and all derivatives of every kind of layer, and of every preset
 * with narrow layers, against values that PyTorch computed in double:
 * torch/layer_values.py wrote them and says of what. Parameters and samples
 * come from the same formula on both sides.
 */
#include "ebm_test.h"

#include "model/network/network.h"

enum { N = 2, CLASSES = 3, NAME = 64, RECORDS = 1024 };
static const double energy_tolerance = 1e-4, tolerance = 1e-3;

/* ---- The formula ---------------------------------------------------------
 */

static double number(uint32_t salt, size_t index)
{
    uint32_t x = (uint32_t)index * 2654435761u + salt * 40503u + 12345u;
    x = (x ^ (x >> 15)) * 2246822519u;
    x = (x ^ (x >> 13)) * 3266489917u;
    return ((x ^ (x >> 16)) / 65536) / 65536.0 - 0.5;
}

/* Weights of variance 1 / taps, gains around 1, gamma 0.75. `index` is of the
   number among all of the model's. */
static double parameter(const ebm_layer *layer, const ebm_layer_view *view,
                        size_t i, size_t index)
{
    double u = number(1, index);
    int is_class = layer->ops == &ebm_layer_class_affine;
    int is_weight = !strcmp(view->name, "weight");
    if (!strcmp(view->name, "gamma"))
        return 0.75;
    if (is_weight && view->rank == 1)
        return 1 + 0.5 * u;
    if (is_weight && is_class)
        return 0.5 * u;
    if (is_weight)
        return u * (3.5 /
                    sqrt((double)(view->count / view->shape[view->rank - 1])));
    return is_class && i < view->count / 2 ? 1 + 0.5 * u
           : is_class                      ? 0.5 * u
                                           : u;
}

static void set_parameters(ebm_model *model)
{
    size_t count = ebm_model_parameter_count(model);
    float *p = test_floats(count);
    for (size_t k = 0; k < model->leaf_count; k++) {
        const ebm_network_model *network =
            ebm_network_of(model->leaves[k].model);
        assert_non_null(network);
        for (size_t i = 0; i < network->count; i++) {
            const ebm_layer *layer = network->layers + i;
            for (size_t v = 0; v < layer->view_count; v++) {
                const ebm_layer_view *view = layer->views + v;
                size_t at = model->leaves[k].offset + layer->parameter_offset +
                            view->offset;
                for (size_t j = 0; j < view->count; j++)
                    p[at + j] = (float)parameter(layer, view, j, at + j);
            }
        }
    }
    assert_ok(ebm_model_set_parameters(model, 0, p, count));
    free(p);
}

/* ---- The networks --------------------------------------------------------
 */

#define STEP(call)                     \
    do {                               \
        ebm_status step_status = call; \
        if (step_status != EBM_OK)     \
            return step_status;        \
    } while (0)

static ebm_status begin(ebm_network *n)
{
    STEP(ebm_network_conv2d(n, 8, 3, 1, 1));
    return ebm_network_swish(n);
}

static ebm_status end(ebm_network *n)
{
    STEP(ebm_network_swish(n));
    STEP(ebm_network_flatten(n));
    return ebm_network_dense(n, 1);
}

static ebm_status group_norm(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_group_norm(n, 4));
    return end(n);
}

static ebm_status norm_epsilon(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_set(n, EBM_NETWORK_NORM_EPSILON, 0.25));
    STEP(ebm_network_group_norm(n, 0));
    return end(n);
}

static ebm_status instance_norm(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_instance_norm(n));
    return end(n);
}

static ebm_status avg_pool_counted(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_avg_pool(n, 3, 2, 1, 1));
    return end(n);
}

static ebm_status avg_pool_uncounted(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_avg_pool(n, 3, 2, 1, 0));
    return end(n);
}

static ebm_status global_mean_pool(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_global_mean_pool(n));
    return end(n);
}

static ebm_status global_sum_pool(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_global_sum_pool(n));
    return end(n);
}

static ebm_status square(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_swish(n));
    STEP(end(n));
    return ebm_network_square(n);
}

static ebm_status softplus(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_swish(n));
    STEP(end(n));
    return ebm_network_softplus(n);
}

static ebm_status block(ebm_network *n, ebm_res_kind kind)
{
    STEP(begin(n));
    STEP(ebm_network_res_block(n, 8, kind));
    return end(n);
}

static ebm_status res_plain(ebm_network *n)
{
    return block(n, EBM_RES_PLAIN);
}

static ebm_status res_down(ebm_network *n)
{
    return block(n, EBM_RES_DOWN);
}

static ebm_status res_down_widen(ebm_network *n)
{
    STEP(ebm_network_set(n, EBM_NETWORK_GROUPS, 2));
    return block(n, EBM_RES_DOWN_WIDEN);
}

static ebm_status res_instance(ebm_network *n)
{
    STEP(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_INSTANCE));
    return block(n, EBM_RES_DOWN);
}

static ebm_status res_without_norm(ebm_network *n)
{
    STEP(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_NONE));
    return block(n, EBM_RES_DOWN);
}

static ebm_status self_attention(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_self_attention(n));
    return end(n);
}

static ebm_status derived(ebm_network *n, ebm_network_weights weights)
{
    STEP(ebm_network_set(n, EBM_NETWORK_WEIGHTS, weights));
    STEP(begin(n));
    STEP(ebm_network_res_block(n, 8, EBM_RES_DOWN));
    STEP(ebm_network_swish(n));
    return ebm_network_flatten(n);
}

static ebm_status standardised(ebm_network *n)
{
    STEP(derived(n, EBM_WEIGHTS_STANDARDISED));
    STEP(ebm_network_set(n, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_PLAIN));
    return ebm_network_dense(n, 1);
}

static ebm_status spectral(ebm_network *n)
{
    STEP(derived(n, EBM_WEIGHTS_SPECTRAL));
    STEP(ebm_network_dense(n, 4));
    STEP(ebm_network_set(n, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_PLAIN));
    STEP(ebm_network_swish(n));
    return ebm_network_dense(n, 1);
}

static ebm_status class_affine(ebm_network *n)
{
    STEP(begin(n));
    STEP(ebm_network_class_affine(n, CLASSES));
    return end(n);
}

static ebm_status res_conditional(ebm_network *n)
{
    STEP(ebm_network_set(n, EBM_NETWORK_CLASSES, CLASSES));
    return block(n, EBM_RES_DOWN_WIDEN);
}

#define ROW(name)   \
    {               \
#name, name \
    }
static const struct {
    const char *name;
    ebm_status (*build)(ebm_network *network);
} networks[] = {
    ROW(group_norm),         ROW(norm_epsilon),
    ROW(instance_norm),      ROW(avg_pool_counted),
    ROW(avg_pool_uncounted), ROW(global_mean_pool),
    ROW(global_sum_pool),    ROW(square),
    ROW(softplus),           ROW(res_plain),
    ROW(res_down),           ROW(res_down_widen),
    ROW(res_instance),       ROW(res_without_norm),
    ROW(self_attention),     ROW(standardised),
    ROW(spectral),           ROW(class_affine),
    ROW(res_conditional),
};
enum { PRESET_CASES = 11 };

/* "du2020-mnist/code/3": the preset, the variant, the classes. */
static ebm_model *make_preset(ebm_context *context, const char *name)
{
    char preset_name[NAME], variant[NAME];
    int classes;
    ebm_preset *preset = NULL;
    ebm_model *model = NULL;
    assert_int_equal(
        sscanf(name, "%63[^/]/%63[^/]/%d", preset_name, variant, &classes), 3);
    assert_ok(ebm_preset_create(context, preset_name, &preset));
    assert_ok(ebm_preset_set(preset, EBM_PRESET_WIDTH, 4));
    assert_ok(ebm_preset_set(preset, EBM_PRESET_VARIANT,
                             !strcmp(variant, "code") ? EBM_PRESET_CODE
                                                      : EBM_PRESET_PAPER));
    assert_ok(ebm_preset_set(preset, EBM_PRESET_CLASSES, classes));
    assert_ok(ebm_preset_make_model(preset, 1, &model));
    ebm_preset_destroy(preset);
    return model;
}

static ebm_model *make_model(ebm_context *context, const char *name)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    size_t k = 0;
    if (strchr(name, '/'))
        return make_preset(context, name);
    while (k < TEST_COUNT(networks) && strcmp(networks[k].name, name))
        k++;
    if (k == TEST_COUNT(networks))
        fail_msg("no network %s", name);
    assert_ok(ebm_network_create(context, 6, 5, 3, &network));
    assert_ok(networks[k].build(network));
    assert_ok(ebm_model_create_network(network, 1, &model));
    ebm_network_destroy(network);
    return model;
}

/* ---- The file ------------------------------------------------------------
 */

/* Some elements of an array: number 0, number step, ... */
typedef struct record {
    char name[NAME];
    size_t total, step, count;
    double largest; /* absolute value, of all elements */
    double *values;
} record;

typedef struct scene {
    char name[NAME];
    size_t parameters;
    record records[RECORDS];
    size_t count;
} scene;

/* The next case of the file; 0 at its end. */
static int read_case(FILE *file, scene *s)
{
    char word[NAME];
    s->count = 0;
    if (fscanf(file, "%63s", word) != 1)
        return 0;
    assert_string_equal(word, "case");
    assert_int_equal(fscanf(file, "%63s %zu", s->name, &s->parameters), 2);
    for (;;) {
        long place = ftell(file);
        if (fscanf(file, "%63s", word) != 1)
            return 1;
        if (!strcmp(word, "case")) {
            assert_int_equal(fseek(file, place, SEEK_SET), 0);
            return 1;
        }
        assert_string_equal(word, "array");
        assert_true(s->count < RECORDS);
        record *r = s->records + s->count++;
        assert_int_equal(fscanf(file, "%63s %zu %zu %lf", r->name, &r->total,
                                &r->step, &r->largest),
                         4);
        r->count = (r->total + r->step - 1) / r->step;
        r->values = test_doubles(r->count);
        for (size_t i = 0; i < r->count; i++)
            assert_int_equal(fscanf(file, "%lf", r->values + i), 1);
    }
}

static void free_case(scene *s)
{
    for (size_t k = 0; k < s->count; k++)
        free(s->records[k].values);
}

static const record *find(const scene *s, const char *first,
                          const char *second, size_t total)
{
    char name[2 * NAME];
    snprintf(name, sizeof name, "%s%s", first, second);
    for (size_t k = 0; k < s->count; k++)
        if (!strcmp(s->records[k].name, name)) {
            assert_int_equal(s->records[k].total, total);
            return s->records + k;
        }
    fail_msg("%s has no array %s", s->name, name);
    return NULL;
}

/* ---- The comparison ------------------------------------------------------
 */

/* Vectors of spectral norms are the file's. */
static void set_state(const scene *s, ebm_model *model)
{
    const ebm_network_model *network = ebm_network_of(model);
    for (size_t i = 0; network && i < network->count; i++) {
        const ebm_layer *layer = network->layers + i;
        for (size_t v = 0; v < layer->state_view_count; v++) {
            const ebm_layer_view *view = layer->states + v;
            char name[NAME];
            ebm_layer_view_name(layer, view, name, sizeof name);
            const record *r = find(s, name, "", view->count);
            assert_int_equal(r->step, 1);
            for (size_t k = 0; k < view->count; k++)
                network->state[layer->state_offset + view->offset + k] =
                    (float)r->values[k];
        }
    }
    ebm_model_parameters_written(model);
}

/* max |a - b|, of what the file has, by a measure; infinity for NaN. */
static double error_of(const record *r, const float *a, double measure)
{
    double worst = 0;
    for (size_t i = 0; i < r->count; i++) {
        double error = fabs((double)a[i * r->step] - r->values[i]) / measure;
        if (!(error <= worst))
            worst = isnan(error) ? INFINITY : error;
    }
    return worst;
}

static double array_error(const scene *s, const char *name, const float *a,
                          size_t total)
{
    const record *r = find(s, name, "", total);
    return error_of(r, a, r->largest);
}

/* View by view, but measured by no less than a hundredth of the largest
   element of all: some are 0 but for rounding. */
static double gradient_error(const scene *s, const char *name,
                             ebm_model *model)
{
    size_t count = ebm_model_parameter_count(model);
    float *gradient = test_floats(count);
    double largest = 0, worst = 0;
    assert_ok(ebm_model_get_gradient(model, 0, gradient, count));
    for (int pass = 0; pass < 2; pass++)
        for (size_t v = 0; v < ebm_model_view_count(model); v++) {
            const char *view;
            size_t offset, rank, shape[4], total = 1;
            assert_ok(ebm_model_view(model, v, &view, &offset, &rank, shape));
            for (size_t k = 0; k < rank; k++)
                total *= shape[k];
            const record *r = find(s, name, view, total);
            if (!pass)
                largest = fmax(largest, r->largest);
            else
                worst =
                    fmax(worst, error_of(r, gradient + offset,
                                         fmax(r->largest, 0.01 * largest)));
        }
    free(gradient);
    return worst;
}

typedef struct errors {
    double energy, gradient, parameters, hv, mixed;
} errors;

static errors compare(const scene *s, ebm_model *model)
{
    static const int32_t labels[N] = {2, 0};
    static const float scale[N] = {1, -0.5f};
    errors e;
    size_t height, width, channels;
    assert_ok(ebm_model_shape(model, &height, &width, &channels));
    size_t size = N * height * width * channels;
    float *x = test_floats(size), *v = test_floats(size);
    float *out = test_floats(size), energy[N];
    for (size_t i = 0; i < size; i++) {
        x[i] = (float)(2 * number(2, i));
        v[i] = (float)(2 * number(3, i));
    }
    assert_ok(ebm_model_energy_grad(model, x, labels, N, energy, out));
    const record *energies = find(s, "energy", "", N);
    e.energy = error_of(energies, energy, fmax(1, energies->largest));
    e.gradient = array_error(s, "gradient", out, size);
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_backward(model, x, labels, N, scale, NULL));
    e.parameters = gradient_error(s, "parameters.", model);
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_mixed_backward(model, x, labels, N, v, scale, out));
    e.hv = array_error(s, "hv", out, size);
    e.mixed = gradient_error(s, "mixed.", model);
    free(out);
    free(v);
    free(x);
    return e;
}

static void every_layer_and_preset(void **state)
{
    (void)state;
    size_t cases = 0;
    int good = 1;
    ebm_context *context = test_context_threads(2);
    scene *s = test_memory(sizeof *s);
    FILE *file = fopen(EBM_SOURCE_DIR "/tests/torch/layer_values.txt", "r");
    assert_non_null(file);
    for (; read_case(file, s); cases++) {
        ebm_model *model = make_model(context, s->name);
        assert_int_equal(ebm_model_parameter_count(model), s->parameters);
        set_parameters(model);
        set_state(s, model);
        errors e = compare(s, model);
        print_message("%-24s E %.0e  grad %.0e  theta %.0e  Hv %.0e  "
                      "mixed %.0e\n",
                      s->name, e.energy, e.gradient, e.parameters, e.hv,
                      e.mixed);
        good &= e.energy < energy_tolerance && e.gradient < tolerance &&
                e.parameters < tolerance && e.hv < tolerance &&
                e.mixed < tolerance;
        ebm_model_destroy(model);
        free_case(s);
    }
    assert_int_equal(cases, TEST_COUNT(networks) + PRESET_CASES);
    assert_true(good);
    fclose(file);
    free(s);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_and_preset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
