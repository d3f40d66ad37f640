/* Every layer's energy and gradients against the double-precision
   reference. */
#include "ebm_test.h"
#include "reference.h"

/* Largest deviations from the reference, in the norms of the issue: energies
   by the size of their terms, gradients max |a - b| / max |b| per array. */
typedef struct errors {
    double energy, input, parameters;
} errors;

static void note(double *worst, double error)
{
    *worst = error > *worst ? error : *worst;
}

static void report(const char *what, const errors *w)
{
    print_message("%s: energy %.1e, input gradient %.1e, parameter gradient "
                  "%.1e\n",
                  what, w->energy, w->input, w->parameters);
}

/* The demand is 1e-3; float arithmetic that is right is far better. */
static void assert_small(const errors *w)
{
    assert_true(w->energy <= 1e-6);
    assert_true(w->input <= 1e-5);
    assert_true(w->parameters <= 1e-5);
}

/* A sample that is not near any kink, as double and float alike. */
static void draw_sample(const ref_network *ref, uint64_t *random, float *x,
                        double *x_double)
{
    ref_facts facts;
    size_t tries = 0;
    do {
        test_fill_uniform(random, x, ref_size(ref), -1, 1);
        for (size_t i = 0; i < ref_size(ref); i++)
            x_double[i] = x[i];
        ref_energy(ref, x_double, &facts);
        assert_true(tries++ < 200);
    } while (facts.kink < 1e-5);
}

enum { BATCH = 37 };

/* What the reference says about BATCH samples, and about the first alone. */
typedef struct truth {
    float *x, scale[BATCH];
    double energy[BATCH], magnitude[BATCH];
    double *dx;
    double *dtheta_first, *dtheta;
} truth;

static void compute_truth(const ref_network *ref, uint64_t random, truth *t)
{
    size_t size = ref_size(ref), count = ref->parameter_count;
    double *x = test_doubles(size);
    t->x = test_floats(BATCH * size);
    t->dx = test_doubles(BATCH * size);
    t->dtheta_first = test_doubles(count);
    t->dtheta = test_doubles(count);
    test_fill_uniform(&random, t->scale, BATCH, 0.5, 2);
    for (size_t i = 0; i < BATCH; i++) {
        ref_facts facts;
        /* Both signs, but so that the sum, which is the gradient of the last
           bias, does not cancel. */
        t->scale[i] *= i % 3 ? 1 : -0.3f;
        draw_sample(ref, &random, t->x + i * size, x);
        t->energy[i] = ref_gradient(ref, x, t->scale[i], t->dx + i * size,
                                    t->dtheta, &facts);
        t->magnitude[i] = facts.magnitude;
        if (i == 0 && count)
            memcpy(t->dtheta_first, t->dtheta, count * sizeof(double));
    }
    free(x);
}

static void free_truth(truth *t)
{
    free(t->x);
    free(t->dx);
    free(t->dtheta_first);
    free(t->dtheta);
}

/* Parameter gradients, array by array: the reference is packed in the order
   of layers, so each view is one stretch. */
static void compare_parameters(const ref_network *ref, const ebm_model *model,
                               const double *right, errors *w)
{
    float *packed = test_floats(ref->parameter_count);
    ref_pack(ref, model, ebm_model_gradient(model), packed);
    for (size_t i = 0; i < ref->count; i++) {
        const ref_layer *l = ref->layers + i;
        if (!l->weight_count)
            continue;
        note(&w->parameters,
             test_array_error(packed + l->weight, right + l->weight,
                              l->weight_count));
        if (l->bias)
            note(&w->parameters,
                 test_array_error(packed + l->biases, right + l->biases,
                                  l->units));
    }
    free(packed);
}

/* The library on the first n samples at once against the reference. */
static void compare(const ref_network *ref, ebm_model *model, const truth *t,
                    size_t n, errors *w)
{
    size_t size = ref_size(ref);
    float *grad = test_floats(n * size), energy[3 * BATCH];
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_energy(model, t->x, NULL, n, energy));
    assert_ok(ebm_model_energy_grad(model, t->x, NULL, n, energy + n, grad));
    assert_ok(
        ebm_model_backward(model, t->x, NULL, n, t->scale, energy + 2 * n));
    for (size_t i = 0; i < 3 * n; i++) {
        double error = fabs((double)energy[i] - t->energy[i % n]) /
                       fmax(1, t->magnitude[i % n]);
        note(&w->energy, isfinite(error) ? error : INFINITY);
    }
    note(&w->input, test_array_error(grad, t->dx, n * size));
    compare_parameters(ref, model, n == 1 ? t->dtheta_first : t->dtheta, w);
    free(grad);
}

/* All slab sizes, and batches that fill a slab, part of it, or several. */
static void compare_in_all_ways(ref_network *ref, uint64_t seed, errors *w)
{
    static const size_t slabs[] = {0, 1, 3, 16};
    ebm_context *context = test_context_threads(1);
    truth t;
    for (size_t s = 0; s < TEST_COUNT(slabs); s++) {
        ebm_model *model = ref_model(ref, context, slabs[s], seed);
        if (s == 0) {
            ref_load(ref, model);
            compute_truth(ref, seed, &t);
        }
        compare(ref, model, &t, 1, w);
        compare(ref, model, &t, BATCH, w);
        ebm_model_destroy(model);
    }
    free_truth(&t);
    ebm_context_destroy(context);
}

static void convolutions_alone(void **state)
{
    (void)state;
    errors w = {0};
    for (size_t i = 0; i < REF_CONVOLUTIONS; i++)
        for (int bias = 0; bias < 2; bias++) {
            const size_t *c = ref_convolutions[i];
            ref_network ref;
            ref_begin(&ref, c[0], c[1], c[2]);
            ref_conv2d(&ref, c[3], c[4], c[5], c[6], bias);
            ref_flatten(&ref);
            ref_dense(&ref, 1, !bias);
            compare_in_all_ways(&ref, 100 * i, &w);
            ref_free(&ref);
        }
    /* The convolution itself is the energy. */
    ref_network ref;
    ref_begin(&ref, 5, 5, 3);
    ref_conv2d(&ref, 1, 5, 1, 0, 1);
    compare_in_all_ways(&ref, 7, &w);
    ref_free(&ref);
    report("convolutions", &w);
    assert_small(&w);
}

static void dense_layers_alone(void **state)
{
    (void)state;
    static const size_t units[] = {1, 2, 7, 16, 65};
    errors w = {0};
    for (size_t i = 0; i < TEST_COUNT(units); i++)
        for (int bias = 0; bias < 2; bias++) {
            ref_network ref;
            ref_begin(&ref, 1, 1, 3 + 20 * i);
            ref_dense(&ref, units[i], bias);
            if (units[i] > 1)
                ref_dense(&ref, 1, !bias);
            compare_in_all_ways(&ref, i, &w);
            ref_free(&ref);
            ref_begin(&ref, 3, 5, 1 + i);
            ref_flatten(&ref);
            ref_dense(&ref, 1, bias);
            compare_in_all_ways(&ref, i, &w);
            ref_free(&ref);
        }
    report("dense layers", &w);
    assert_small(&w);
}

static void add_activation(ref_network *ref, int which)
{
    if (which == 0)
        ref_swish(ref);
    else if (which == 1)
        ref_relu(ref);
    else
        ref_leaky_relu(ref, which == 2 ? 0.2 : which == 3 ? 0.01 : 1);
}

/* First, last, before and after a flatten, and several in a row. */
static void activations_alone(void **state)
{
    (void)state;
    errors w = {0};
    for (int which = 0; which < 5; which++) {
        ref_network ref;
        ref_begin(&ref, 5, 3, 2);
        add_activation(&ref, which);
        ref_flatten(&ref);
        ref_dense(&ref, 1, 0);
        compare_in_all_ways(&ref, 1, &w);
        ref_free(&ref);
        ref_begin(&ref, 5, 3, 3);
        ref_flatten(&ref);
        add_activation(&ref, which);
        ref_dense(&ref, 9, 1);
        add_activation(&ref, which);
        add_activation(&ref, (which + 1) % 5);
        ref_flatten(&ref);
        ref_dense(&ref, 1, 1);
        add_activation(&ref, which == 1 ? 2 : which);
        ref_flatten(&ref);
        compare_in_all_ways(&ref, 2, &w);
        ref_free(&ref);
    }
    report("activations", &w);
    assert_small(&w);
}

/* At 0 itself the derivative is that of the left side. */
static void the_kink_belongs_to_the_left(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    for (int leaky = 0; leaky < 2; leaky++) {
        const float x[2] = {0, -0.0f}, weight[2] = {2, 4};
        const float right[2] = {leaky ? 0.5f : 0, leaky ? 1.0f : 0};
        float energy, grad[2];
        ref_network ref;
        ref_begin(&ref, 1, 1, 2);
        if (leaky)
            ref_leaky_relu(&ref, 0.25);
        else
            ref_relu(&ref);
        ref_dense(&ref, 1, 0);
        ebm_model *model = ref_model(&ref, context, 0, 1);
        assert_ok(ebm_model_set_parameters(model, 0, weight, 2));
        assert_ok(ebm_model_energy_grad(model, x, NULL, 1, &energy, grad));
        assert_same_bits(grad, right, 2);
        assert_true(energy == 0);
        ebm_model_destroy(model);
        ref_free(&ref);
    }
    ebm_context_destroy(context);
}

/* No layer with parameters at all: the energy is an activation. */
static void a_network_without_parameters(void **state)
{
    (void)state;
    ref_network ref;
    errors w = {0};
    ref_begin(&ref, 1, 1, 1);
    ref_flatten(&ref);
    ref_swish(&ref);
    compare_in_all_ways(&ref, 5, &w);
    ref_free(&ref);
    ref_begin(&ref, 1, 1, 1);
    ref_flatten(&ref);
    compare_in_all_ways(&ref, 5, &w);
    ref_free(&ref);
    assert_small(&w);
}

static void mixed_networks(void **state)
{
    (void)state;
    errors w = {0};
    for (int bias = 0; bias < 2; bias++) {
        ref_network ref;
        ref_mixed(&ref, bias);
        compare_in_all_ways(&ref, 3, &w);
        ref_free(&ref);
    }
    report("mixed networks", &w);
    assert_small(&w);
}

static void the_digits_network(void **state)
{
    (void)state;
    ref_network ref;
    errors w = {0};
    ref_digits(&ref);
    assert_int_equal(ref.parameter_count, 76993);
    compare_in_all_ways(&ref, 4, &w);
    report("digits network", &w);
    assert_small(&w);
    ref_free(&ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_alone),
        cmocka_unit_test(dense_layers_alone),
        cmocka_unit_test(activations_alone),
        cmocka_unit_test(the_kink_belongs_to_the_left),
        cmocka_unit_test(a_network_without_parameters),
        cmocka_unit_test(mixed_networks),
        cmocka_unit_test(the_digits_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
