/* Residual blocks: shapes, parameters, values and all derivatives against the
   hyper-dual reference, and what the builder refuses. */
#include "ebm_test.h"
#include "hyper.h"

#include "core/context.h"
#include "kernel/kernels.h"
#include "model/network/network.h"

/* What the sticky settings say. */
typedef struct settings {
    ebm_network_norm norm;
    size_t groups;
    ebm_network_weights weights;
    size_t classes;
    int bias;
} settings;

static void apply(ebm_network *network, const settings *s)
{
    assert_ok(ebm_network_set(network, EBM_NETWORK_NORM, s->norm));
    assert_ok(ebm_network_set(network, EBM_NETWORK_GROUPS, (double)s->groups));
    assert_ok(ebm_network_set(network, EBM_NETWORK_WEIGHTS, s->weights));
    assert_ok(
        ebm_network_set(network, EBM_NETWORK_CLASSES, (double)s->classes));
    assert_ok(ebm_network_set(network, EBM_NETWORK_BIAS, s->bias));
}

/* A block on the image, and one of `kind` behind it. */
static ebm_model *make(ebm_context *context, const size_t shape[3],
                       const settings *s, ebm_res_kind kind)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(
        ebm_network_create(context, shape[0], shape[1], shape[2], &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 3));
    apply(network, s);
    assert_ok(ebm_network_res_block(network, shape[2], EBM_RES_PLAIN));
    assert_ok(ebm_network_res_block(network, shape[2], kind));
    assert_ok(ebm_network_set(network, EBM_NETWORK_WEIGHTS, 0));
    assert_ok(ebm_network_global_mean_pool(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 5, &model));
    test_hyper_shake(model, 6, 0.1);
    ebm_network_destroy(network);
    return model;
}

static void check_settings(ebm_context *context, const settings *s,
                           test_hyper_errors *worst)
{
    static const size_t shapes[][3] = {{7, 5, 4}, {4, 6, 6}, {3, 3, 10}};
    for (size_t i = 0; i < TEST_COUNT(shapes); i++)
        for (int kind = 0; kind < 3; kind++) {
            ebm_model *model = make(context, shapes[i], s, (ebm_res_kind)kind);
            test_hyper_check_random(model, 4, 10 * i + (size_t)kind, worst);
            ebm_model_destroy(model);
        }
}

static void all_norms_and_kinds_in_every_variant(void **state)
{
    (void)state;
    static const settings all[] = {
        {EBM_NORM_NONE, 0, EBM_WEIGHTS_PLAIN, 0, 1},
        {EBM_NORM_GROUP, 0, EBM_WEIGHTS_PLAIN, 0, 0},
        {EBM_NORM_GROUP, 2, EBM_WEIGHTS_PLAIN, 0, 1},
        {EBM_NORM_INSTANCE, 0, EBM_WEIGHTS_PLAIN, 0, 1},
        {EBM_NORM_INSTANCE, 0, EBM_WEIGHTS_PLAIN, 0, 0},
    };
    const ebm_kernels *kernels;
    for (size_t k = 0; (kernels = ebm_kernels_variant(k)); k++) {
        if (!kernels->usable())
            continue;
        test_hyper_errors worst = {0};
        ebm_context *context = test_context_threads(1);
        context->kernels = kernels;
        /* All with the best variant, two with the others. */
        for (size_t i = 0; i < TEST_COUNT(all); i++)
            if (kernels == ebm_kernels_best() || i == 2 || i == 4)
                check_settings(context, all + i, &worst);
        ebm_context_destroy(context);
        assert_hyper_errors(kernels->name, &worst, 1e-6, 2e-5);
    }
}

/* With weights that are made from the parameters, and labels. */
static void all_weights_and_classes(void **state)
{
    (void)state;
    static const settings all[] = {
        {EBM_NORM_GROUP, 0, EBM_WEIGHTS_STANDARDISED, 0, 1},
        {EBM_NORM_INSTANCE, 0, EBM_WEIGHTS_STANDARDISED, 3, 0},
        {EBM_NORM_NONE, 0, EBM_WEIGHTS_SPECTRAL, 0, 1},
        {EBM_NORM_GROUP, 2, EBM_WEIGHTS_SPECTRAL, 2, 1},
    };
    test_hyper_errors worst = {0};
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(all); i++)
        check_settings(context, all + i, &worst);
    ebm_context_destroy(context);
    assert_hyper_errors("weights and classes", &worst, 1e-6, 5e-5);
}

static void shapes_and_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "0.conv1.weight", "0.conv1.bias", "0.norm1.weight", "0.norm1.bias",
        "0.conv2.weight", "0.conv2.bias", "0.norm2.weight", "0.norm2.bias",
        "0.down.weight",  "0.down.bias"};
    static const size_t right[3][3] = {{7, 5, 6}, {4, 3, 6}, {4, 3, 12}};
    ebm_context *context = test_context_threads(1);
    for (int kind = 0; kind < 3; kind++) {
        ebm_network *network = NULL;
        ebm_model *model = NULL;
        size_t shape[3], views = kind ? 10 : 8;
        size_t count = 2 * (9 * 36 + 6 + 12);
        if (kind)
            count += (9 * 6 + 1) * right[kind][2];
        assert_ok(ebm_network_create(context, 7, 5, 6, &network));
        assert_ok(ebm_network_res_block(network, 6, (ebm_res_kind)kind));
        assert_ok(ebm_network_shape(network, shape, shape + 1, shape + 2));
        assert_memory_equal(shape, right[kind], sizeof shape);
        assert_ok(ebm_network_global_sum_pool(network));
        assert_ok(ebm_network_dense(network, 1));
        assert_ok(ebm_model_create_network(network, 5, &model));
        assert_int_equal(ebm_model_parameter_count(model),
                         count + right[kind][2] + 1);
        assert_int_equal(ebm_model_view_count(model), views + 2);
        for (size_t i = 0; i < views + 1; i++) {
            const char *name;
            assert_ok(ebm_model_view(model, i, &name, NULL, NULL, NULL));
            assert_string_equal(name, i < views ? names[i] : "2.weight");
        }
        ebm_model_destroy(model);
        ebm_network_destroy(network);
    }
    ebm_context_destroy(context);
}

/* The layers of the papers' block, in their order: the reference walks what
   the model says, so what it says is checked here. */
static void blocks_are_those_of_the_paper(void **state)
{
    (void)state;
    static const char *const right[] = {
        "fork",   "conv2d",   "norm",         "class_affine", "swish",
        "conv2d", "norm",     "class_affine", "swish",        "join",
        "conv2d", "avg_pool", "swish"};
    ebm_context *context = test_context_threads(1);
    for (int kind = 0; kind < 3; kind++)
        for (int classes = 0; classes < 2; classes++) {
            const settings s = {EBM_NORM_GROUP, 2, EBM_WEIGHTS_STANDARDISED,
                                classes ? 2 : 0, 1};
            static const size_t shape[3] = {6, 5, 4};
            ebm_model *model = make(context, shape, &s, (ebm_res_kind)kind);
            const ebm_network_model *network = ebm_network_of(model);
            size_t i = network->rows[1].first, begin = i;
            size_t end = i + network->rows[1].count, halves = 0;
            for (size_t k = 0; k < TEST_COUNT(right) && i < end; k++) {
                const ebm_layer *l = network->layers + i;
                const char *what = right[k];
                if (!classes && !strcmp(what, "class_affine"))
                    continue;
                assert_string_equal(l->ops->kind, what);
                if (!strcmp(what, "conv2d")) {
                    assert_true(l->conv.kernel == 3 && l->conv.stride == 1);
                    assert_true(l->conv.padding == 1 && l->bias);
                    assert_int_equal(l->weights, halves++ < 2
                                                     ? EBM_WEIGHTS_STANDARDISED
                                                     : EBM_WEIGHTS_PLAIN);
                }
                if (!strcmp(what, "avg_pool"))
                    assert_true(l->conv.kernel == 3 && l->conv.stride == 2 &&
                                l->conv.padding == 1 && !l->exclude_pad);
                if (!strcmp(what, "norm"))
                    assert_int_equal(l->groups, 2);
                if (!strcmp(what, "join"))
                    assert_int_equal(i - l->back, begin);
                i++;
            }
            assert_int_equal(i, end);
            assert_int_equal(end - begin,
                             8u + 2u * (unsigned)classes + (kind ? 3u : 0u));
            ebm_model_destroy(model);
        }
    ebm_context_destroy(context);
}

enum { BATCH = 7, SIZE = 7 * 5 * 4, MOST = 4000 };

static void threads_and_other_rows_change_no_bit(void **state)
{
    (void)state;
    static const size_t shape[3] = {7, 5, 4};
    static const settings s = {EBM_NORM_GROUP, 2, EBM_WEIGHTS_PLAIN, 0, 1};
    float x[BATCH * SIZE], v[BATCH * SIZE], scale[BATCH], energy[BATCH];
    float grad[BATCH * SIZE], hv[BATCH * SIZE], theta[MOST];
    float first_grad[BATCH * SIZE], first_hv[BATCH * SIZE], first_theta[MOST];
    for (int threads = 1; threads <= 4; threads *= 2) {
        uint64_t random = 3;
        ebm_context *context = test_context_threads(threads);
        ebm_model *model = make(context, shape, &s, EBM_RES_DOWN_WIDEN);
        size_t count = ebm_model_parameter_count(model);
        assert_true(count <= MOST);
        test_fill_normal(&random, x, BATCH * SIZE, 1);
        test_fill_normal(&random, v, BATCH * SIZE, 1);
        test_fill_normal(&random, scale, BATCH, 1);
        assert_ok(ebm_model_energy_grad(model, x, NULL, BATCH, energy, grad));
        assert_ok(ebm_model_backward(model, x, NULL, BATCH, scale, NULL));
        assert_ok(
            ebm_model_mixed_backward(model, x, NULL, BATCH, v, scale, hv));
        assert_ok(ebm_model_get_gradient(model, 0, theta, count));
        if (threads == 1) {
            memcpy(first_grad, grad, sizeof grad);
            memcpy(first_hv, hv, sizeof hv);
            memcpy(first_theta, theta, sizeof theta);
        }
        assert_same_bits(grad, first_grad, BATCH * SIZE);
        assert_same_bits(hv, first_hv, BATCH * SIZE);
        assert_same_bits(theta, first_theta, count);
        /* All rows but number 4 change. */
        test_fill_normal(&random, x, 4 * SIZE, 3);
        test_fill_normal(&random, v, 4 * SIZE, 3);
        test_fill_normal(&random, x + 5 * SIZE, (BATCH - 5) * SIZE, 3);
        test_fill_normal(&random, v + 5 * SIZE, (BATCH - 5) * SIZE, 3);
        assert_ok(ebm_model_energy_grad(model, x, NULL, BATCH, energy, grad));
        assert_ok(ebm_model_hessian_vector(model, x, NULL, BATCH, v, hv));
        assert_same_bits(grad + 4 * SIZE, first_grad + 4 * SIZE, SIZE);
        assert_same_bits(hv + 4 * SIZE, first_hv + 4 * SIZE, SIZE);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
}

/* A block that fails in its middle leaves nothing behind. */
static void wrong_blocks_are_refused(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *n = NULL;
    ebm_model *model = NULL;
    size_t shape[3];
    assert_ok(ebm_network_create(context, 4, 4, 3, &n));
    assert_ok(ebm_network_conv2d(n, 6, 3, 1, 1));
    assert_error(
        context, ebm_network_res_block(n, 5, EBM_RES_PLAIN), EBM_ERROR_SHAPE,
        "layer 1 (res_block): a block of 5 channels on an image of 6");
    assert_error(context, ebm_network_res_block(n, 6, (ebm_res_kind)3),
                 EBM_ERROR_ARGUMENT,
                 "layer 1 (res_block): there is no kind 3");
    assert_status(ebm_network_res_block(n, 0, EBM_RES_PLAIN), EBM_ERROR_SHAPE);
    assert_status(ebm_network_res_block(n, SIZE_MAX, EBM_RES_PLAIN),
                  EBM_ERROR_OVERFLOW);
    assert_ok(ebm_network_set(n, EBM_NETWORK_GROUPS, 4));
    assert_error(context, ebm_network_res_block(n, 6, EBM_RES_DOWN),
                 EBM_ERROR_SHAPE,
                 "layer 1 (res_block): 6 channels are not divisible into 4");
    assert_ok(ebm_network_set(n, EBM_NETWORK_GROUPS, 0));
    assert_ok(ebm_network_shape(n, shape, shape + 1, shape + 2));
    assert_true(shape[0] == 4 && shape[1] == 4 && shape[2] == 6);
    assert_ok(ebm_network_res_block(n, 6, EBM_RES_DOWN_WIDEN));
    assert_ok(ebm_network_flatten(n));
    assert_error(context, ebm_network_res_block(n, 48, EBM_RES_PLAIN),
                 EBM_ERROR_SHAPE, "layer 3 (res_block): it stands after");
    assert_ok(ebm_network_dense(n, 1));
    assert_ok(ebm_model_create_network(n, 1, &model));
    assert_int_equal(ebm_model_parameter_count(model),
                     9 * 18 + 6 + 2 * (9 * 36 + 6 + 12) + 9 * 72 + 12 + 49);
    assert_status(ebm_network_res_block(NULL, 6, EBM_RES_PLAIN),
                  EBM_ERROR_HANDLE);
    ebm_model_destroy(model);
    ebm_network_destroy(n);
    /* An instance of a single number. */
    assert_ok(ebm_network_create(context, 1, 1, 4, &n));
    assert_ok(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_INSTANCE));
    assert_error(context, ebm_network_res_block(n, 4, EBM_RES_PLAIN),
                 EBM_ERROR_SHAPE,
                 "layer 0 (res_block): [1, 1, 4] divided by 4");
    ebm_network_destroy(n);
    ebm_context_destroy(context);
}

/* Every allocation of a construction fails once, those within a row too. */
static ebm_status construct(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    ebm_status status = ebm_network_create(context, 6, 6, 2, &network);
    for (int i = 0; i < 20 && status == EBM_OK; i++)
        status = ebm_network_res_block(network, 2, EBM_RES_DOWN);
    if (status == EBM_OK)
        status = ebm_network_global_sum_pool(network);
    if (status == EBM_OK)
        status = ebm_network_dense(network, 1);
    if (status == EBM_OK)
        status = ebm_model_create_network(network, 1, &model);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_memory_may_run_out(construct, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_norms_and_kinds_in_every_variant),
        cmocka_unit_test(all_weights_and_classes),
        cmocka_unit_test(shapes_and_names),
        cmocka_unit_test(blocks_are_those_of_the_paper),
        cmocka_unit_test(threads_and_other_rows_change_no_bit),
        cmocka_unit_test(wrong_blocks_are_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
