/* Conditional energies: gains and biases by label, their derivatives, and
   every call that must refuse a label. */
#include "batch_laws.h"
#include "ebm_test.h"
#include "hyper.h"

static void end_in_a_number(ebm_network *n)
{
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
}

static void after_convolution(ebm_network *n)
{
    assert_ok(ebm_network_conv2d(n, 5, 3, 1, 1));
    assert_ok(ebm_network_class_affine(n, 4));
    end_in_a_number(n);
}

/* Also where no gradient comes from below, and without anything that bends. */
static void first_and_linear(ebm_network *n)
{
    assert_ok(ebm_network_class_affine(n, 3));
    assert_ok(ebm_network_class_affine(n, 3));
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
}

/* The energy is the layer's output. */
static void last(ebm_network *n)
{
    assert_ok(ebm_network_conv2d(n, 1, 2, 1, 0));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_class_affine(n, 10));
}

static void one_class(ebm_network *n)
{
    assert_ok(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    assert_ok(ebm_network_conv2d(n, 17, 1, 1, 0));
    assert_ok(ebm_network_class_affine(n, 1));
    end_in_a_number(n);
}

static void in_a_block(ebm_network *n)
{
    assert_ok(ebm_network_set(n, EBM_NETWORK_CLASSES, 3));
    assert_ok(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_NONE));
    assert_ok(ebm_network_conv2d(n, 4, 3, 1, 1));
    assert_ok(ebm_network_res_block(n, 4, EBM_RES_PLAIN));
    end_in_a_number(n);
}

static const test_design designs[] = {
    {"after a convolution", {4, 3, 2}, after_convolution},
    {"first and linear", {3, 4, 5}, first_and_linear},
    {"last", {2, 2, 3}, last},
    {"one class", {2, 3, 2}, one_class},
    {"in a block", {4, 4, 2}, in_a_block},
};

static void values_and_derivatives(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(designs); i++)
        assert_design(designs + i, 2e-6, 3e-5);
}

/* E(x | y) = w . (x (G[y] + g) + B[y] + b) by hand, and which of the two a
   parameter is: gains of all classes come first. */
static void by_hand(void **state)
{
    (void)state;
    static const float weight[3][4] = {
        {1, 2, 10, 20}, {3, 4, 30, 40}, {-1, 0, 5, -5}};
    static const float bias[4] = {0.5f, 0, 100, 200}, ones[2] = {1, 1};
    static const int32_t labels[3] = {2, 0, 1};
    static const float x[6] = {1, 2, 3, 4, 5, 6};
    float energy[3];
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    size_t offset, rank, shape[4];
    const char *name;
    assert_ok(ebm_network_create(context, 1, 1, 2, &network));
    assert_ok(ebm_network_class_affine(network, 3));
    assert_ok(ebm_network_set(network, EBM_NETWORK_BIAS, 0));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    assert_int_equal(ebm_model_class_count(model), 3);
    assert_ok(ebm_model_view(model, 0, &name, &offset, &rank, shape));
    assert_string_equal(name, "0.weight");
    assert_true(rank == 2 && shape[0] == 3 && shape[1] == 4);
    assert_ok(ebm_model_set_parameters(model, offset, weight[0], 12));
    assert_ok(ebm_model_view(model, 1, &name, &offset, &rank, shape));
    assert_string_equal(name, "0.bias");
    assert_true(rank == 1 && shape[0] == 4);
    assert_ok(ebm_model_set_parameters(model, offset, bias, 4));
    assert_ok(ebm_model_set_parameters(model, 16, ones, 2));
    assert_ok(ebm_model_energy(model, x, labels, 3, energy));
    for (size_t i = 0; i < 3; i++) {
        const float *w = weight[labels[i]];
        double right = 0;
        for (size_t c = 0; c < 2; c++)
            right += (double)(x[2 * i + c] * (w[c] + bias[c]) + w[2 + c] +
                              bias[2 + c]);
        assert_close(energy[i], right, 0, 1e-6);
    }
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

/* New parameters are uniform in +-1/sqrt(classes), as those of a dense layer
   that takes a one-hot label. */
static void initial_parameters(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 64, &network));
    assert_ok(ebm_network_class_affine(network, 16));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    double values[17 * 128], bounds[2] = {-0.25, 0.25};
    for (size_t i = 0; i < TEST_COUNT(values); i++)
        values[i] = (double)ebm_model_parameters(model)[i];
    assert_true(test_ks(values, TEST_COUNT(values), test_cdf_uniform, bounds) <
                1.95);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

/* ---- Labels that are not there, or not in range --------------------------
 */

enum { N = 5, SIZE = 4 * 3 * 2, CLASSES = 4 };

/* All that calls with labels need. */
typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    ebm_loss *loss;
    float x[N * SIZE], scale[N], out[N * SIZE];
} scene;

static void begin(scene *s)
{
    uint64_t random = 4;
    s->context = test_context_threads(2);
    s->model = test_design_model(s->context, designs, 2, 1, 0.1);
    test_fill_normal(&random, s->x, N * SIZE, 1);
    test_fill_normal(&random, s->scale, N, 1);
    assert_ok(
        ebm_sampler_create(s->context, EBM_SAMPLER_LANGEVIN, &s->sampler));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 3));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, 1));
    assert_ok(ebm_chains_create(s->context, N, 4, 3, 2, 1, &s->chains));
    assert_ok(ebm_loss_create(s->context, EBM_LOSS_NLL, &s->loss));
}

static void end(scene *s)
{
    ebm_loss_destroy(s->loss);
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static ebm_status call(scene *s, int which, const int32_t *labels)
{
    switch (which) {
    case 0:
        return ebm_model_energy(s->model, s->x, labels, N, s->out);
    case 1:
        return ebm_model_energy_grad(s->model, s->x, labels, N, NULL, s->out);
    case 2:
        return ebm_model_backward(s->model, s->x, labels, N, s->scale, NULL);
    case 3:
        return ebm_model_hessian_vector(s->model, s->x, labels, N, s->x,
                                        s->out);
    case 4:
        return ebm_model_mixed_backward(s->model, s->x, labels, N, s->x,
                                        s->scale, s->out);
    case 5:
        return ebm_model_part_energies(s->model, s->x, labels, N, s->out);
    default: /* good chains, these labels for the data */
        return ebm_loss_backward(s->loss, s->model, s->x, labels, N, s->chains,
                                 NULL);
    }
}
enum { CALLS = 7 };

static void set_chains(scene *s, const int32_t *labels)
{
    assert_ok(
        ebm_chains_set_states(s->chains, s->x, labels, EBM_ORIGIN_NOISE));
}

/* What a refused call must leave alone. */
static void assert_untouched(const scene *s, const float *gradient)
{
    for (size_t i = 0; i < N * SIZE; i++)
        assert_true(s->out[i] == 77);
    assert_same_bits(ebm_model_gradient(s->model), gradient,
                     ebm_model_parameter_count(s->model));
}

static void wrong_labels_are_refused(void **state)
{
    (void)state;
    static const int32_t good[N] = {0, 3, 1, 2, 3};
    static const int32_t wrong[][N] = {{0, 3, 4, 2, 3},
                                       {0, 3, 1, 2, -1},
                                       {INT32_MAX, 0, 0, 0, 0},
                                       {0, INT32_MIN, 0, 0, 0}};
    static const char *const names[] = {"label 4 of", "label -1 of",
                                        "label 2147483647 of",
                                        "label -2147483648 of"};
    scene s;
    begin(&s);
    set_chains(&s, good);
    for (int which = 0; which < CALLS; which++)
        assert_ok(call(&s, which, good));
    size_t count = ebm_model_parameter_count(s.model);
    float *gradient = test_floats(count);
    memcpy(gradient, ebm_model_gradient(s.model), count * sizeof *gradient);
    for (size_t i = 0; i < N * SIZE; i++)
        s.out[i] = 77;
    for (int which = 0; which < CALLS; which++) {
        assert_error(s.context, call(&s, which, NULL), EBM_ERROR_ARGUMENT,
                     which < CALLS - 1 ? ": each sample needs a label"
                                       : ": each data sample needs a label");
        for (size_t k = 0; k < TEST_COUNT(wrong); k++) {
            assert_error(s.context, call(&s, which, wrong[k]), EBM_ERROR_RANGE,
                         names[k]);
            assert_error(s.context, call(&s, which, wrong[k]), EBM_ERROR_RANGE,
                         "4 classes");
        }
        assert_untouched(&s, gradient);
    }
    assert_error(s.context, call(&s, CALLS - 1, wrong[0]), EBM_ERROR_RANGE,
                 "data sample 2");
    free(gradient);
    end(&s);
}

static void wrong_chains_are_refused(void **state)
{
    (void)state;
    static const int32_t good[N] = {0, 3, 1, 2, 3};
    static const int32_t wrong[N] = {0, 3, 1, 7, 0};
    scene s;
    begin(&s);
    set_chains(&s, wrong);
    assert_error(s.context, ebm_sampler_run(s.sampler, s.model, s.chains),
                 EBM_ERROR_RANGE, "label 7 of chain 3");
    assert_same_bits(ebm_chains_states(s.chains), s.x, N * SIZE);
    assert_error(s.context, call(&s, CALLS - 1, good), EBM_ERROR_RANGE,
                 "label 7 of chain 3");
    size_t count = ebm_model_parameter_count(s.model);
    for (size_t i = 0; i < count; i++)
        assert_true(ebm_model_gradient(s.model)[i] == 0);
    /* The KL term looks at the chains alone. */
    ebm_loss *kl = NULL;
    assert_ok(ebm_loss_create(s.context, EBM_LOSS_KL, &kl));
    assert_error(s.context,
                 ebm_loss_backward(kl, s.model, NULL, NULL, 0, s.chains, NULL),
                 EBM_ERROR_RANGE, "label 7 of chain 3");
    ebm_loss_destroy(kl);
    set_chains(&s, good);
    assert_ok(ebm_sampler_run(s.sampler, s.model, s.chains));
    end(&s);
}

/* Each chain goes down the slope of its own label: what a chain does is what
   it does when all have that label, and labels matter. */
static void chains_follow_their_labels(void **state)
{
    (void)state;
    static const int32_t labels[N] = {0, 3, 1, 2, 3};
    scene s;
    begin(&s);
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_STEP_SIZE, 0.5));
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_NOISE_STD, 0));
    set_chains(&s, labels);
    assert_ok(ebm_sampler_run(s.sampler, s.model, s.chains));
    memcpy(s.out, ebm_chains_states(s.chains), sizeof s.out);
    for (int32_t y = 0; y < CLASSES; y++) {
        const int32_t same[N] = {y, y, y, y, y};
        set_chains(&s, same);
        assert_ok(ebm_sampler_run(s.sampler, s.model, s.chains));
        const float *x = ebm_chains_states(s.chains);
        for (size_t i = 0; i < N; i++)
            if (labels[i] == y)
                assert_same_bits(x + i * SIZE, s.out + i * SIZE, SIZE);
            else
                assert_other_bits(x + i * SIZE, s.out + i * SIZE, SIZE);
    }
    end(&s);
}

/* A network without classes does not look. */
static void others_ignore_labels(void **state)
{
    (void)state;
    static const int32_t any[2] = {-5, 1000};
    static const float x[2] = {1, 2};
    float plain[2], labelled[2];
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    assert_int_equal(ebm_model_class_count(model), 0);
    assert_ok(ebm_model_energy(model, x, NULL, 2, plain));
    assert_ok(ebm_model_energy(model, x, any, 2, labelled));
    assert_same_bits(plain, labelled, 2);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

/* The rest of a slab repeats a sample, with its class: another one may
   overflow where the sample's own does not, and 0 times infinity is no 0. */
static void padding_keeps_the_label(void **state)
{
    (void)state;
    static const float parameters[] = {1e30f, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0};
    const float x = 1, scale = 1;
    const int32_t label = 1;
    float energy = 0;
    ebm_context *context = test_context_threads(1);
    ebm_network *n = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &n));
    assert_ok(ebm_network_set(n, EBM_NETWORK_SLAB, 2));
    for (int i = 0; i < 2; i++) {
        assert_ok(ebm_network_class_affine(n, 2));
        assert_ok(ebm_network_square(n));
    }
    assert_ok(ebm_model_create_network(n, 1, &model));
    assert_ok(ebm_model_set_parameters(model, 0, parameters,
                                       TEST_COUNT(parameters)));
    assert_ok(ebm_model_backward(model, &x, &label, 1, &scale, &energy));
    assert_true(isfinite(energy));
    ebm_model_destroy(model);
    ebm_network_destroy(n);
    ebm_context_destroy(context);
}

static void builder_errors_name_the_layer(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *n = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 2, 2, 3, &n));
    assert_error(context, ebm_network_class_affine(n, 0), EBM_ERROR_ARGUMENT,
                 "layer 0 (class_affine): 0 classes");
    assert_error(context, ebm_network_class_affine(n, SIZE_MAX),
                 EBM_ERROR_OVERFLOW, "layer 0 (class_affine)");
    assert_ok(ebm_network_class_affine(n, 4));
    assert_error(context, ebm_network_class_affine(n, 5), EBM_ERROR_ARGUMENT,
                 "layer 1 (class_affine): 5 classes");
    assert_ok(ebm_network_set(n, EBM_NETWORK_CLASSES, 6));
    assert_ok(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_NONE));
    assert_error(context, ebm_network_res_block(n, 3, EBM_RES_PLAIN),
                 EBM_ERROR_ARGUMENT, "layer 1 (res_block): 6 classes");
    assert_ok(ebm_network_flatten(n));
    assert_error(context, ebm_network_class_affine(n, 4), EBM_ERROR_SHAPE,
                 "layer 2 (class_affine)");
    assert_ok(ebm_network_dense(n, 1));
    assert_ok(ebm_model_create_network(n, 1, &model));
    assert_int_equal(ebm_model_class_count(model), 4);
    assert_int_equal(ebm_model_parameter_count(model), 4 * 6 + 6 + 12 + 1);
    assert_status(ebm_network_class_affine(NULL, 4), EBM_ERROR_HANDLE);
    ebm_model_destroy(model);
    ebm_network_destroy(n);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_derivatives),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(initial_parameters),
        cmocka_unit_test(wrong_labels_are_refused),
        cmocka_unit_test(wrong_chains_are_refused),
        cmocka_unit_test(chains_follow_their_labels),
        cmocka_unit_test(others_ignore_labels),
        cmocka_unit_test(padding_keeps_the_label),
        cmocka_unit_test(builder_errors_name_the_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
