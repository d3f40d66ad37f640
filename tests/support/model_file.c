/* Networks and files for the tests of model files. */
#include "model_file.h"

test_folder model_folder;
char model_path[300];

int model_folder_make(void **state)
{
    (void)state;
    test_folder_make(&model_folder);
    test_folder_file(&model_folder, "model.safetensors", model_path);
    return 0;
}

int model_folder_remove(void **state)
{
    (void)state;
    size_t left = test_folder_count(&model_folder);
    test_folder_remove(&model_folder);
    return left > 1;
}

/* ---- networks ---------------------------------------------------------- */

#define STEP(call)                     \
    do {                               \
        ebm_status step_status = call; \
        if (step_status != EBM_OK)     \
            return step_status;        \
    } while (0)

/* Every kind of layer; rows, columns and channels all different; a layer
   between flatten and dense; with and without bias. */
static ebm_status build_all_kinds(ebm_network *n)
{
    STEP(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    STEP(ebm_network_conv2d(n, 4, 3, 1, 1));
    STEP(ebm_network_set(n, EBM_NETWORK_BIAS, 1));
    STEP(ebm_network_swish(n));
    STEP(ebm_network_conv2d(n, 5, 2, 2, 1));
    STEP(ebm_network_leaky_relu(n, 1.0 / 7));
    STEP(ebm_network_flatten(n));
    STEP(ebm_network_swish(n));
    STEP(ebm_network_dense(n, 7));
    STEP(ebm_network_relu(n));
    STEP(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    return ebm_network_dense(n, 1);
}

static ebm_status build_flat_twice(ebm_network *n)
{
    STEP(ebm_network_flatten(n));
    STEP(ebm_network_flatten(n));
    STEP(ebm_network_dense(n, 3));
    STEP(ebm_network_swish(n));
    return ebm_network_dense(n, 1);
}

static ebm_status build_conv_only(ebm_network *n)
{
    return ebm_network_conv2d(n, 1, 4, 1, 0);
}

static ebm_status build_points(ebm_network *n)
{
    STEP(ebm_network_dense(n, 8));
    STEP(ebm_network_swish(n));
    return ebm_network_dense(n, 1);
}

static ebm_status build_digits(ebm_network *n)
{
    const size_t channels[4] = {16, 32, 64, 64};
    for (int i = 0; i < 4; i++) {
        STEP(ebm_network_conv2d(n, channels[i], i ? 3 : 5, 2, i ? 1 : 4));
        STEP(ebm_network_swish(n));
    }
    STEP(ebm_network_flatten(n));
    STEP(ebm_network_dense(n, 64));
    STEP(ebm_network_swish(n));
    return ebm_network_dense(n, 1);
}

const test_net test_nets[NETS] = {
    [ALL_KINDS] = {{6, 5, 3}, build_all_kinds},
    [FLAT_TWICE] = {{3, 4, 2}, build_flat_twice},
    [CONV_ONLY] = {{4, 4, 1}, build_conv_only},
    [POINTS] = {{1, 1, 2}, build_points},
    [DIGITS] = {{28, 28, 1}, build_digits},
};

ebm_model *test_make_model(ebm_context *context, const test_net *net)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, net->shape[0], net->shape[1],
                                 net->shape[2], &network));
    assert_ok(net->build(network));
    assert_ok(ebm_model_create_network(network, 5, &model));
    ebm_network_destroy(network);
    return model;
}

/* ---- the file, read independently -------------------------------------- */

unsigned char *test_slurp(const char *from, size_t *size)
{
    FILE *file = fopen(from, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = test_memory(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static const char *metadata(const test_saved *file, const char *key)
{
    json_t *map = json_object_get(file->root, "__metadata__");
    const char *text = json_string_value(json_object_get(map, key));
    assert_non_null(text);
    return text;
}

test_saved test_read_saved(const char *path)
{
    test_saved file = {0};
    file.bytes = test_slurp(path, &file.size);
    for (int i = 0; i < 8; i++)
        file.header |= (size_t)file.bytes[i] << (8 * i);
    assert_true(file.header + 8 <= file.size);
    file.root = json_loadb((char *)file.bytes + 8, file.header,
                           JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(file.root);
    file.layers = json_loads(metadata(&file, "libebm.layers"), 0, NULL);
    assert_true(json_is_array(file.layers));
    return file;
}

void test_free_saved(test_saved *file)
{
    json_decref(file->layers);
    json_decref(file->root);
    free(file->bytes);
}

/* A tensor as doubles; NULL when the file has none of that name. */
static double *tensor(const test_saved *file, size_t layer, const char *name,
                      size_t *count)
{
    char key[32];
    snprintf(key, sizeof key, "%zu.%s", layer, name);
    json_t *entry = json_object_get(file->root, key);
    if (!entry)
        return NULL;
    json_t *offsets = json_object_get(entry, "data_offsets");
    size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
    size_t end = (size_t)json_integer_value(json_array_get(offsets, 1));
    assert_true(begin < end && 8 + file->header + end <= file->size);
    const unsigned char *b = file->bytes + 8 + file->header + begin;
    *count = (end - begin) / 4;
    double *values = test_doubles(*count);
    for (size_t i = 0; i < *count; i++, b += 4) {
        uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                        (uint32_t)b[3] << 24;
        float value;
        memcpy(&value, &bits, sizeof value);
        values[i] = value;
    }
    return values;
}

static size_t argument(const json_t *layer, const char *name)
{
    json_t *value = json_object_get(layer, name);
    assert_true(json_is_integer(value));
    return (size_t)json_integer_value(value);
}

/* y[o][i][j] = b[o] + sum w[o][c][a][e] x[c][i s + a - p][j s + e - p] */
static double *convolve(const json_t *layer, const double *w, const double *b,
                        const double *x, size_t shape[3])
{
    size_t out = argument(layer, "channels"), k = argument(layer, "kernel");
    size_t s = argument(layer, "stride"), p = argument(layer, "padding");
    size_t channels = shape[0], rows = shape[1], columns = shape[2];
    size_t h = (rows + 2 * p - k) / s + 1, v = (columns + 2 * p - k) / s + 1;
    double *y = test_doubles(out * h * v);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < h * v; i++) {
            double sum = b ? b[o] : 0;
            for (size_t t = 0; t < channels * k * k; t++) {
                size_t row = i / v * s + t / k % k - p; /* may wrap, */
                size_t column = i % v * s + t % k - p;  /* then is large */
                if (row < rows && column < columns)
                    sum += w[o * channels * k * k + t] *
                           x[(t / (k * k) * rows + row) * columns + column];
            }
            y[o * h * v + i] = sum;
        }
    shape[0] = out;
    shape[1] = h;
    shape[2] = v;
    return y;
}

static double *product(const double *w, const double *b, const double *x,
                       size_t in, size_t out)
{
    double *y = test_doubles(out);
    for (size_t o = 0; o < out; o++) {
        y[o] = b ? b[o] : 0;
        for (size_t j = 0; j < in; j++)
            y[o] += w[o * in + j] * x[j];
    }
    return y;
}

static void activate(const char *kind, const json_t *layer, double *x,
                     size_t n)
{
    double slope = json_number_value(json_object_get(layer, "slope"));
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(kind, "swish"))
            x[i] /= 1 + exp(-x[i]);
        else if (!strcmp(kind, "relu") || !strcmp(kind, "leaky_relu"))
            x[i] = x[i] > 0 ? x[i] : slope * x[i];
        else
            assert_string_equal(kind, "flatten");
    }
}

double test_saved_energy(const test_saved *file, const float *sample,
                         const size_t input[3])
{
    size_t shape[3] = {input[2], input[0], input[1]};
    double *x = test_doubles(shape[0] * shape[1] * shape[2]);
    for (size_t c = 0; c < input[2]; c++)
        for (size_t i = 0; i < input[0] * input[1]; i++)
            x[c * input[0] * input[1] + i] = sample[i * input[2] + c];
    size_t index;
    json_t *layer;
    json_array_foreach(file->layers, index, layer)
    {
        const char *kind = json_string_value(json_object_get(layer, "kind"));
        size_t in = shape[0] * shape[1] * shape[2], taps = 0, units = 0;
        double *w = tensor(file, index, "weight", &taps);
        double *b = tensor(file, index, "bias", &units);
        double *y = NULL;
        if (w)
            assert_int_equal(json_is_true(json_object_get(layer, "bias")),
                             b != NULL);
        if (!strcmp(kind, "conv2d")) {
            y = convolve(layer, w, b, x, shape);
        } else if (!strcmp(kind, "dense")) {
            shape[0] = argument(layer, "units");
            shape[1] = shape[2] = 1;
            assert_int_equal(taps, in * shape[0]);
            y = product(w, b, x, in, shape[0]);
        } else {
            activate(kind, layer, x, in);
        }
        if (y) {
            free(x);
            x = y;
        }
        free(w);
        free(b);
    }
    double energy = x[0];
    assert_int_equal(shape[0] * shape[1] * shape[2], 1);
    free(x);
    return energy;
}
