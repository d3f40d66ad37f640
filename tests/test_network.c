/* Networks: the builder, the initial parameters, and every layer's energy and
   gradients against the double-precision reference. */
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

/* height, width, channels; output channels, kernel, stride, padding. */
static const size_t convolutions[][7] = {
    {6, 6, 1, 1, 1, 1, 0},   {6, 6, 3, 5, 1, 1, 0},    {7, 5, 3, 4, 1, 2, 0},
    {5, 9, 2, 3, 1, 3, 0},   {8, 8, 1, 4, 3, 1, 1},    {9, 7, 3, 5, 3, 2, 1},
    {6, 10, 2, 7, 2, 2, 0},  {7, 7, 3, 3, 4, 2, 3},    {8, 8, 2, 2, 2, 3, 1},
    {9, 11, 3, 4, 2, 5, 0},  {11, 6, 5, 9, 5, 2, 4},   {3, 3, 7, 13, 3, 1, 2},
    {1, 1, 3, 5, 1, 1, 0},   {1, 9, 2, 3, 3, 1, 2},    {4, 4, 16, 17, 4, 1, 0},
    {6, 5, 33, 31, 3, 1, 1}, {28, 28, 1, 16, 5, 2, 4}, {10, 10, 4, 6, 6, 4, 5},
};

static void convolutions_alone(void **state)
{
    (void)state;
    errors w = {0};
    for (size_t i = 0; i < TEST_COUNT(convolutions); i++)
        for (int bias = 0; bias < 2; bias++) {
            const size_t *c = convolutions[i];
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

static void build_mixed(ref_network *ref, int bias)
{
    ref_begin(ref, 13, 9, 3);
    ref_conv2d(ref, 7, 3, 1, 1, bias);
    ref_relu(ref);
    ref_conv2d(ref, 12, 4, 2, 2, bias);
    ref_leaky_relu(ref, 0.1);
    ref_conv2d(ref, 5, 1, 1, 0, bias);
    ref_swish(ref);
    ref_conv2d(ref, 6, 2, 3, 1, !bias);
    ref_flatten(ref);
    ref_leaky_relu(ref, 0.3);
    ref_dense(ref, 11, bias);
    ref_swish(ref);
    ref_dense(ref, 1, bias);
}

static void mixed_networks(void **state)
{
    (void)state;
    errors w = {0};
    for (int bias = 0; bias < 2; bias++) {
        ref_network ref;
        build_mixed(&ref, bias);
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

/* The reference itself: its gradients against central differences of its
   energy, (E(+h) - E(-h)) / 2h, in double. */
static double difference(ref_network *ref, double *x, double *value)
{
    const double h = 1e-5;
    double kept = *value;
    *value = kept + h;
    double above = ref_energy(ref, x, NULL);
    *value = kept - h;
    double below = ref_energy(ref, x, NULL);
    *value = kept;
    return (above - below) / (2 * h);
}

static void check_reference(ref_network *ref, uint64_t random, double *worst)
{
    size_t size = ref_size(ref), count = ref->parameter_count;
    double *x = test_doubles(size), *dx = test_doubles(size);
    double *dtheta = test_doubles(count);
    double largest = 0, error = 0;
    ref_facts facts;
    for (size_t i = 0; i < count; i++)
        ref->parameters[i] = test_random_uniform(&random, -0.5, 0.5);
    do {
        for (size_t i = 0; i < size; i++)
            x[i] = test_random_uniform(&random, -1, 1);
        ref_energy(ref, x, &facts);
    } while (facts.kink < 3e-4);
    ref_gradient(ref, x, 1, dx, dtheta, NULL);
    for (size_t i = 0; i < size; i++) {
        largest = fmax(largest, fabs(dx[i]));
        error = fmax(error, fabs(difference(ref, x, x + i) - dx[i]));
    }
    note(worst, error / largest);
    largest = error = 0;
    for (size_t i = 0; i < count; i += 1 + count / 300) {
        double right = difference(ref, x, ref->parameters + i);
        largest = fmax(largest, fabs(right));
        error = fmax(error, fabs(right - dtheta[i]));
    }
    if (count)
        note(worst, error / largest);
    free(x);
    free(dx);
    free(dtheta);
}

static void the_reference_is_right(void **state)
{
    (void)state;
    double worst = 0;
    ref_network ref;
    for (size_t i = 0; i < TEST_COUNT(convolutions); i++) {
        const size_t *c = convolutions[i];
        ref_begin(&ref, c[0], c[1], c[2]);
        ref_conv2d(&ref, c[3], c[4], c[5], c[6], i % 2);
        ref_swish(&ref);
        ref_flatten(&ref);
        ref_dense(&ref, 1, 1);
        check_reference(&ref, i, &worst);
        ref_free(&ref);
    }
    build_mixed(&ref, 1);
    check_reference(&ref, 50, &worst);
    ref_free(&ref);
    ref_begin(&ref, 1, 1, 1);
    ref_swish(&ref);
    check_reference(&ref, 51, &worst);
    ref_free(&ref);
    print_message("reference against central differences: %.1e\n", worst);
    assert_true(worst < 1e-6);
}

/* Views of the digits network, as published. */
static void views_name_all_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t rank, shape[4];
    } golden[] = {
        {"0.weight", 4, {5, 5, 1, 16}},   {"0.bias", 1, {16, 1, 1, 1}},
        {"2.weight", 4, {3, 3, 16, 32}},  {"2.bias", 1, {32, 1, 1, 1}},
        {"4.weight", 4, {3, 3, 32, 64}},  {"4.bias", 1, {64, 1, 1, 1}},
        {"6.weight", 4, {3, 3, 64, 64}},  {"6.bias", 1, {64, 1, 1, 1}},
        {"9.weight", 2, {256, 64, 1, 1}}, {"9.bias", 1, {64, 1, 1, 1}},
        {"11.weight", 2, {64, 1, 1, 1}},  {"11.bias", 1, {1, 1, 1, 1}},
    };
    ebm_context *context = test_context_threads(1);
    ref_network ref;
    ref_digits(&ref);
    ebm_model *model = ref_model(&ref, context, 0, 1);
    size_t next = 0, total = ebm_model_parameter_count(model);
    assert_int_equal(total, 76993);
    assert_int_equal(ebm_model_view_count(model), TEST_COUNT(golden));
    for (size_t i = 0; i < TEST_COUNT(golden); i++) {
        const char *name;
        size_t offset, rank, shape[4], count = 1;
        assert_ok(ebm_model_view(model, i, &name, &offset, &rank, shape));
        assert_string_equal(name, golden[i].name);
        assert_int_equal(rank, golden[i].rank);
        assert_memory_equal(shape, golden[i].shape, sizeof shape);
        assert_int_equal(offset, next);
        for (size_t r = 0; r < 4; r++)
            count *= shape[r];
        next += count;
    }
    assert_int_equal(next, total);
    assert_ok(ebm_model_view(model, 0, NULL, NULL, NULL, NULL));
    size_t offset = 5;
    assert_error(context, ebm_model_view(model, 12, NULL, &offset, NULL, NULL),
                 EBM_ERROR_RANGE, "12");
    assert_int_equal(offset, 5);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    ref_free(&ref);
}

/* PyTorch's default: weights and biases uniform in +-1/sqrt(fan_in). */
static void check_law(const float *values, size_t count, double fan_in)
{
    double bound = 1 / sqrt(fan_in), mean = 0, square = 0;
    double range[2] = {-bound, bound};
    double *sorted = test_doubles(count);
    for (size_t i = 0; i < count; i++) {
        assert_true(fabsf(values[i]) <= (float)bound);
        sorted[i] = values[i];
        mean += values[i] / (double)count;
        square += (double)values[i] * (double)values[i] / (double)count;
    }
    /* Variance b^2/3; the squares have variance b^4 (1/5 - 1/9). */
    double n = (double)count;
    assert_close(mean, 0, 4.5 * bound / sqrt(3 * n), 0);
    assert_close(square, bound * bound / 3,
                 4.5 * bound * bound * sqrt(4.0 / 45 / n), 0);
    assert_true(test_ks(sorted, count, test_cdf_uniform, range) < 2.2);
    free(sorted);
}

static void initial_parameters_are_uniform(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ref_network ref;
    ref_digits(&ref);
    for (uint64_t seed = 0; seed < 5; seed++) {
        ebm_model *model = ref_model(&ref, context, 0, seed << 33);
        const float *parameters = ebm_model_parameters(model);
        float *packed = test_floats(ref.parameter_count);
        ref_pack(&ref, model, parameters, packed);
        for (size_t i = 0; i < ref.count; i++) {
            const ref_layer *l = ref.layers + i;
            if (!l->weight_count)
                continue;
            double fan_in = (double)(l->weight_count / l->units);
            check_law(packed + l->weight, l->weight_count, fan_in);
            check_law(packed + l->biases, l->units, fan_in);
        }
        free(packed);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
    ref_free(&ref);
}

static void seeds_fix_the_parameters(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ref_network ref;
    ref_begin(&ref, 8, 8, 2);
    ref_conv2d(&ref, 6, 3, 1, 1, 1);
    ref_conv2d(&ref, 6, 3, 1, 1, 1);
    ref_conv2d(&ref, 6, 3, 1, 1, 1);
    ref_flatten(&ref);
    ref_dense(&ref, 1, 1);
    ebm_model *a = ref_model(&ref, context, 0, 5);
    ebm_model *b = ref_model(&ref, context, 0, 5);
    ebm_model *c = ref_model(&ref, context, 0, 6);
    ebm_model *d = ref_model(&ref, context, 0, 5 + ((uint64_t)1 << 32));
    const float *p = ebm_model_parameters(a);
    size_t n = ebm_model_parameter_count(a), equal = 0;
    assert_same_bits(p, ebm_model_parameters(b), n);
    for (size_t i = 0; i < n; i++)
        equal += p[i] == ebm_model_parameters(c)[i] ||
                 p[i] == ebm_model_parameters(d)[i];
    assert_true(equal <= 1);
    /* Layers of one shape do not share their draws. */
    size_t second, third;
    assert_ok(ebm_model_view(a, 2, NULL, &second, NULL, NULL));
    assert_ok(ebm_model_view(a, 4, NULL, &third, NULL, NULL));
    assert_other_bits(p + second, p + third, 100);
    ebm_model_destroy(a);
    ebm_model_destroy(b);
    ebm_model_destroy(c);
    ebm_model_destroy(d);
    ebm_context_destroy(context);
    ref_free(&ref);
}

/* Adds the small network on which the error tests try their wrong calls. */
static void begin_small(ebm_context *context, ebm_network **network)
{
    assert_ok(ebm_network_create(context, 6, 5, 2, network));
    assert_ok(ebm_network_conv2d(*network, 3, 3, 1, 1));
    assert_ok(ebm_network_swish(*network));
}

static void end_small(ebm_network *network, ebm_model **model)
{
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 3, model));
}

static void try_wrong_layers(ebm_context *context, ebm_network *n)
{
    const size_t half = SIZE_MAX / 2 + 1;
    assert_error(context, ebm_network_conv2d(n, 0, 3, 1, 1),
                 EBM_ERROR_ARGUMENT, "channels");
    assert_error(context, ebm_network_conv2d(n, 1, 0, 1, 0),
                 EBM_ERROR_ARGUMENT, "kernel");
    assert_error(context, ebm_network_conv2d(n, 1, 3, 0, 1),
                 EBM_ERROR_ARGUMENT, "stride");
    assert_error(context, ebm_network_conv2d(n, 1, 3, 1, 3),
                 EBM_ERROR_ARGUMENT, "padding 3");
    assert_error(context, ebm_network_conv2d(n, 1, 1, 1, 1),
                 EBM_ERROR_ARGUMENT, "padding 1");
    assert_status(ebm_network_conv2d(n, 1, 3, 1, SIZE_MAX),
                  EBM_ERROR_ARGUMENT);
    assert_error(context, ebm_network_conv2d(n, 1, 6, 1, 0), EBM_ERROR_SHAPE,
                 "kernel of 6");
    assert_error(context, ebm_network_conv2d(n, SIZE_MAX, 3, 1, 1),
                 EBM_ERROR_OVERFLOW, "large");
    assert_error(context, ebm_network_conv2d(n, half, 2, 1, 0),
                 EBM_ERROR_OVERFLOW, "large");
    assert_error(context, ebm_network_conv2d(n, 1, half, 1, half - 1),
                 EBM_ERROR_OVERFLOW, "large");
    assert_status(ebm_network_conv2d(n, 1, 1 << 20, 1, (1 << 20) - 1),
                  EBM_ERROR_OVERFLOW);
    assert_error(context, ebm_network_dense(n, 4), EBM_ERROR_SHAPE, "flatten");
    assert_error(context, ebm_network_leaky_relu(n, -0.1), EBM_ERROR_RANGE,
                 "-0.1");
    assert_error(context, ebm_network_leaky_relu(n, 1.5), EBM_ERROR_RANGE,
                 "1.5");
    assert_error(context, ebm_network_leaky_relu(n, NAN), EBM_ERROR_RANGE,
                 "nan");
    assert_status(ebm_network_leaky_relu(n, INFINITY), EBM_ERROR_RANGE);
}

static void failed_calls_leave_the_builder(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *plain = NULL, *tried = NULL;
    ebm_model *a = NULL, *b = NULL, *const nothing = (ebm_model *)&state;
    size_t shape[3];
    begin_small(context, &plain);
    begin_small(context, &tried);
    try_wrong_layers(context, tried);
    ebm_model *none = nothing;
    assert_error(context, ebm_model_create_network(tried, 1, &none),
                 EBM_ERROR_SHAPE, "[6, 5, 3]");
    assert_ptr_equal(none, nothing);
    assert_status(ebm_model_create_network(tried, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_ok(ebm_network_shape(tried, shape, shape + 1, shape + 2));
    assert_true(shape[0] == 6 && shape[1] == 5 && shape[2] == 3);
    assert_ok(ebm_network_shape(tried, NULL, NULL, NULL));
    end_small(plain, &a);
    end_small(tried, &b);
    assert_error(context, ebm_network_dense(tried, 0), EBM_ERROR_ARGUMENT,
                 "0 units");
    assert_error(context, ebm_network_dense(tried, SIZE_MAX),
                 EBM_ERROR_OVERFLOW, "dense");
    assert_error(context, ebm_network_conv2d(tried, 1, 1, 1, 0),
                 EBM_ERROR_SHAPE, "flatten");
    assert_int_equal(ebm_model_parameter_count(a),
                     ebm_model_parameter_count(b));
    assert_same_bits(ebm_model_parameters(a), ebm_model_parameters(b),
                     ebm_model_parameter_count(a));
    ebm_model_destroy(a);
    ebm_model_destroy(b);
    ebm_network_destroy(plain);
    ebm_network_destroy(tried);
    ebm_context_destroy(context);
}

static void creation_is_checked(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *const nothing = (ebm_network *)&state;
    ebm_network *network = nothing;
    ebm_model *model = NULL;
    assert_error(context, ebm_network_create(context, 0, 1, 1, &network),
                 EBM_ERROR_ARGUMENT, "0");
    assert_status(ebm_network_create(context, 1, 0, 1, &network),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_network_create(context, 1, 1, 0, &network),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_network_create(context, 1, 1, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_network_create(context, SIZE_MAX / 2, 3, 1, &network),
                  EBM_ERROR_OVERFLOW);
    assert_status(ebm_network_create(NULL, 1, 1, 1, &network),
                  EBM_ERROR_HANDLE);
    assert_ptr_equal(network, nothing);
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_error(context, ebm_model_create_network(network, 1, &model),
                 EBM_ERROR_SHAPE, "no layer");
    assert_null(model);
    ebm_network_destroy(network);
    ebm_network_destroy(NULL);
    ebm_context_destroy(context);
}

static void wrong_handles_are_a_status(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *wrong[] = {NULL, (ebm_network *)(void *)context};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        ebm_network *n = wrong[i];
        ebm_model *model = NULL;
        size_t height = 5;
        assert_status(ebm_network_conv2d(n, 1, 1, 1, 0), EBM_ERROR_HANDLE);
        assert_status(ebm_network_dense(n, 1), EBM_ERROR_HANDLE);
        assert_status(ebm_network_swish(n), EBM_ERROR_HANDLE);
        assert_status(ebm_network_relu(n), EBM_ERROR_HANDLE);
        assert_status(ebm_network_leaky_relu(n, 0.1), EBM_ERROR_HANDLE);
        assert_status(ebm_network_flatten(n), EBM_ERROR_HANDLE);
        assert_status(ebm_network_shape(n, &height, NULL, NULL),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_model_create_network(n, 1, &model),
                      EBM_ERROR_HANDLE);
        assert_true(!model && height == 5);
        ebm_network_destroy(n);
    }
    ebm_context_destroy(context);
}

/* A model is a copy of the builder at that moment. */
static void builders_make_many_models(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *first = NULL, *second = NULL;
    const float x[3] = {0.1f, -0.2f, 0.3f};
    float before, after, longer;
    assert_ok(ebm_network_create(context, 1, 1, 3, &network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 9, &first));
    assert_ok(ebm_model_energy(first, x, NULL, 1, &before));
    for (int i = 0; i < 40; i++) { /* beyond any first capacity */
        assert_ok(ebm_network_dense(network, 1));
        assert_ok(ebm_network_swish(network));
    }
    assert_ok(ebm_model_create_network(network, 9, &second));
    ebm_network_destroy(network);
    assert_int_equal(ebm_model_parameter_count(first), 4);
    assert_int_equal(ebm_model_parameter_count(second), 4 + 80);
    assert_ok(ebm_model_energy(first, x, NULL, 1, &after));
    assert_ok(ebm_model_energy(second, x, NULL, 1, &longer));
    assert_same_bits(&before, &after, 1);
    assert_other_bits(&before, &longer, 1);
    ebm_model_destroy(first);
    ebm_model_destroy(second);
    ebm_context_destroy(context);
}

/* Every allocation of a whole construction fails once. */
static ebm_status construct(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    ebm_status status = ebm_network_create(context, 6, 6, 1, &network);
    for (int i = 0; i < 20 && status == EBM_OK; i++)
        status = ebm_network_conv2d(network, 2, 3, 1, 1);
    if (status == EBM_OK)
        status = ebm_network_flatten(network);
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
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    size_t before = memory.live_blocks, failures = 0;
    for (int rest = 0; rest < 2; rest++)
        for (size_t n = 1;; n++) {
            test_fail_at(&memory, n, rest);
            ebm_status status = construct(context);
            assert_int_equal(memory.live_blocks, before);
            if (status == EBM_OK)
                break;
            assert_error(context, status, EBM_ERROR_MEMORY, "memory");
            failures++;
        }
    assert_true(failures >= 10);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_is_right),
        cmocka_unit_test(convolutions_alone),
        cmocka_unit_test(dense_layers_alone),
        cmocka_unit_test(activations_alone),
        cmocka_unit_test(the_kink_belongs_to_the_left),
        cmocka_unit_test(a_network_without_parameters),
        cmocka_unit_test(mixed_networks),
        cmocka_unit_test(the_digits_network),
        cmocka_unit_test(views_name_all_parameters),
        cmocka_unit_test(initial_parameters_are_uniform),
        cmocka_unit_test(seeds_fix_the_parameters),
        cmocka_unit_test(failed_calls_leave_the_builder),
        cmocka_unit_test(creation_is_checked),
        cmocka_unit_test(wrong_handles_are_a_status),
        cmocka_unit_test(builders_make_many_models),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
