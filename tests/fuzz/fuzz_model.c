/*
 * Model files. What loads has finite parameters, computes, and comes back the
 * same after a save.
 */
#include <string.h>

#include "fuzz.h"

/* Jansson's tree of a header is the most: an empty array of two bytes takes
   more than a hundred. */
enum { FACTOR = 160, BASE = 1 << 18 };

/* Samples that are computed, and what that may take: shapes are not bounded
   by the length of a file. */
enum { LARGEST = 64, WORKSPACE = 1 << 20 };

static void compare(const ebm_model *model, const ebm_model *again)
{
    size_t n = ebm_model_parameter_count(model);
    FUZZ_CHECK(ebm_model_parameter_count(again) == n);
    FUZZ_CHECK(!n || !memcmp(ebm_model_parameters(model),
                             ebm_model_parameters(again), n * sizeof(float)));
}

static void save_and_load(ebm_context *context, const ebm_model *model)
{
    ebm_model *again = NULL;
    const char *path = fuzz_target();
    FUZZ_CHECK(ebm_model_save(model, path) == EBM_OK);
    FUZZ_CHECK(ebm_model_load(context, path, &again) == EBM_OK);
    compare(model, again);
    ebm_model_destroy(again);
}

static void compute(const ebm_model *model)
{
    float x[LARGEST] = {0}, energy, grad[LARGEST];
    const int32_t label = 0;
    size_t height, width, channels;
    FUZZ_CHECK(ebm_model_shape(model, &height, &width, &channels) == EBM_OK);
    if (height > LARGEST || width > LARGEST || channels > LARGEST ||
        height * width * channels > LARGEST)
        return;
    ebm_status status = ebm_model_energy_grad(
        model, x, ebm_model_class_count(model) ? &label : NULL, 1, &energy,
        grad);
    FUZZ_CHECK(status == EBM_OK || status == EBM_ERROR_MEMORY ||
               status == EBM_ERROR_OVERFLOW || status == EBM_ERROR_NON_FINITE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(0, data, size);
    ebm_model *model = NULL;
    ebm_context *context = fuzz_begin();
    ebm_status status = ebm_model_load(context, path, &model);
    fuzz_expect(size, FACTOR, BASE);
    FUZZ_CHECK((status == EBM_OK) == (model != NULL));
    if (model) {
        size_t n = ebm_model_parameter_count(model);
        FUZZ_CHECK(n * sizeof(float) <= size);
        if (n)
            fuzz_check_floats(ebm_model_parameters(model), n, -3.5e38, 3.5e38);
        save_and_load(context, model);
        fuzz_limit(size * FACTOR + WORKSPACE);
        compute(model);
    }
    ebm_model_destroy(model);
    fuzz_end(context);
    return 0;
}

/* ---- Seeds: files that the library writes ---- */

static ebm_model *make_network(ebm_context *context, size_t which)
{
    static const size_t shapes[][3] = {
        {1, 1, 3}, {4, 4, 2}, {4, 4, 4}, {5, 3, 1}, {4, 4, 8}};
    const size_t *shape = shapes[which];
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    ebm_network_create(context, shape[0], shape[1], shape[2], &net);
    switch (which) {
    case 0:
        ebm_network_flatten(net);
        ebm_network_set(net, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_SPECTRAL);
        ebm_network_dense(net, 2);
        ebm_network_swish(net);
        break;
    case 1:
        ebm_network_conv2d(net, 2, 3, 2, 1);
        ebm_network_leaky_relu(net, 0.25);
        ebm_network_avg_pool(net, 2, 1, 1, 0);
        ebm_network_flatten(net);
        break;
    case 2:
        ebm_network_set(net, EBM_NETWORK_CLASSES, 2);
        ebm_network_set(net, EBM_NETWORK_GROUPS, 2);
        ebm_network_res_block(net, 4, EBM_RES_DOWN);
        ebm_network_global_mean_pool(net);
        break;
    case 3:
        ebm_network_set(net, EBM_NETWORK_BIAS, 0);
        ebm_network_conv2d(net, 2, 1, 1, 0);
        ebm_network_instance_norm(net);
        ebm_network_class_affine(net, 3);
        ebm_network_relu(net);
        ebm_network_global_sum_pool(net);
        break;
    default:
        ebm_network_group_norm(net, 2);
        ebm_network_self_attention(net);
        ebm_network_softplus(net);
        ebm_network_flatten(net);
    }
    ebm_network_dense(net, 1);
    ebm_network_square(net);
    FUZZ_CHECK(ebm_model_create_network(net, which, &model) == EBM_OK);
    ebm_network_destroy(net);
    return model;
}

/* log-sum, sum and the like of networks 1 and once more 1 at half size. */
static ebm_model *make_composition(ebm_context *context)
{
    ebm_model *large = make_network(context, 1), *parts[2] = {NULL, NULL};
    ebm_model *mixed = NULL, *whole = NULL;
    FUZZ_CHECK(ebm_model_create_tempered(large, 2, &parts[0]) == EBM_OK);
    FUZZ_CHECK(ebm_model_create_negated(large, &parts[1]) == EBM_OK);
    FUZZ_CHECK(ebm_model_create_mixture(parts, NULL, 2, &mixed) == EBM_OK);
    ebm_model_destroy(parts[1]);
    parts[1] = mixed;
    const double weights[2] = {1, 0.5};
    FUZZ_CHECK(ebm_model_create_sum(parts, weights, 2, &whole) == EBM_OK);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_model_destroy(large);
    return whole;
}

size_t fuzz_seed(size_t index, unsigned char *out)
{
    ebm_context *context = NULL;
    if (index > 5)
        return 0;
    FUZZ_CHECK(ebm_context_create(&context) == EBM_OK);
    ebm_model *model =
        index < 5 ? make_network(context, index) : make_composition(context);
    FUZZ_CHECK(ebm_model_save(model, fuzz_target()) == EBM_OK);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    return fuzz_target_read(out);
}

void fuzz_repair(unsigned char *data, size_t size)
{
    fuzz_repair_header(data, size);
}
