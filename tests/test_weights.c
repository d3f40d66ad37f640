/* Weights that are made from parameters, standardised and spectral: values and
   derivatives, that they follow every way to write parameters, and when power
   iteration runs. */
#include "batch_laws.h"
#include "ebm_test.h"
#include "hyper.h"

#include "model/network/network.h"

/* ---- Networks ------------------------------------------------------------
 */

static void set_kind(ebm_network *n, ebm_network_weights kind)
{
    assert_ok(ebm_network_set(n, EBM_NETWORK_WEIGHTS, kind));
}

static void convolutions(ebm_network *n, ebm_network_weights kind)
{
    set_kind(n, kind);
    assert_ok(ebm_network_conv2d(n, 4, 3, 1, 1));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    assert_ok(ebm_network_conv2d(n, 3, 2, 2, 0));
    assert_ok(ebm_network_swish(n));
    set_kind(n, EBM_WEIGHTS_PLAIN);
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
}

static void dense_layers(ebm_network *n, ebm_network_weights kind)
{
    set_kind(n, kind);
    assert_ok(ebm_network_dense(n, 6));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_set(n, EBM_NETWORK_BIAS, 0));
    assert_ok(ebm_network_dense(n, 5));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_dense(n, 1));
}

/* More columns than a block, and more than fill a vector. */
static void wide(ebm_network *n, ebm_network_weights kind)
{
    set_kind(n, kind);
    assert_ok(ebm_network_dense(n, 83));
    assert_ok(ebm_network_swish(n));
    assert_ok(ebm_network_dense(n, 1));
}

static void block(ebm_network *n, ebm_network_weights kind)
{
    set_kind(n, kind);
    assert_ok(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_NONE));
    assert_ok(ebm_network_res_block(n, 3, EBM_RES_PLAIN));
    assert_ok(ebm_network_flatten(n));
    assert_ok(ebm_network_dense(n, 1));
}

#define DESIGN(name)                                \
    static void standardised_##name(ebm_network *n) \
    {                                               \
        name(n, EBM_WEIGHTS_STANDARDISED);          \
    }                                               \
    static void spectral_##name(ebm_network *n)     \
    {                                               \
        name(n, EBM_WEIGHTS_SPECTRAL);              \
    }
DESIGN(convolutions)
DESIGN(dense_layers)
DESIGN(wide)
DESIGN(block)

static const test_design designs[] = {
    {"standardised convolutions", {4, 5, 2}, standardised_convolutions},
    {"spectral convolutions", {4, 5, 2}, spectral_convolutions},
    {"standardised dense", {1, 1, 7}, standardised_dense_layers},
    {"spectral dense", {1, 1, 7}, spectral_dense_layers},
    {"standardised, wide", {1, 1, 3}, standardised_wide},
    {"spectral, wide", {1, 1, 3}, spectral_wide},
    {"standardised block", {3, 4, 3}, standardised_block},
    {"spectral block", {3, 4, 3}, spectral_block},
};

/* The vectors of the spectral norms are not those of the parameters here: the
   model was moved after it was made. */
static void values_and_derivatives(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(designs); i++)
        assert_design(designs + i, 2e-6, 3e-5);
}

/* ---- Every way to write parameters ---------------------------------------
 */

enum { N = 5, MOST = 40 };

/* A model and what tells its energies apart. */
typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    const ebm_network_model *network;
    size_t size, count;
    float x[N * MOST], energy[N];
} scene;

static void begin(scene *s, const test_design *design)
{
    uint64_t random = 2;
    s->context = test_context_threads(1);
    s->model = test_design_model(s->context, design, 2, 1, 0.2);
    s->network = ebm_network_of(s->model);
    s->size = design->shape[0] * design->shape[1] * design->shape[2];
    s->count = ebm_model_parameter_count(s->model);
    assert_true(s->size <= MOST);
    test_fill_normal(&random, s->x, N * s->size, 1);
    assert_ok(ebm_model_energy(s->model, s->x, NULL, N, s->energy));
}

static void end(scene *s)
{
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

/* The energies are others than before, and those of the parameters as they
   are now. */
static void assert_followed(scene *s)
{
    float before[N];
    memcpy(before, s->energy, sizeof before);
    assert_ok(ebm_model_energy(s->model, s->x, NULL, N, s->energy));
    for (size_t i = 0; i < N; i++) {
        test_hyper h =
            test_hyper_energy(s->model, s->x + i * s->size, 0, NULL,
                              TEST_HYPER_NONE, TEST_HYPER_NONE, NULL);
        assert_true(fabsf(s->energy[i] - before[i]) > 1e-4f);
        assert_close(s->energy[i], h.a, 1e-5, 1e-5);
    }
}

static ebm_optimizer *optimizer_of(const scene *s)
{
    ebm_optimizer *sgd = NULL;
    assert_ok(
        ebm_optimizer_create(s->context, EBM_OPTIMIZER_SGD, s->model, &sgd));
    assert_ok(ebm_optimizer_set(sgd, EBM_OPTIMIZER_LEARNING_RATE, 0.1));
    return sgd;
}

static void step(scene *s, ebm_optimizer *optimizer)
{
    static const float scale[N] = {1, -1, 2, 0.5f, 1};
    assert_ok(ebm_model_backward(s->model, s->x, NULL, N, scale, NULL));
    assert_ok(ebm_optimizer_step(optimizer));
}

static void energies_follow_the_parameters(void **state)
{
    (void)state;
    for (size_t k = 0; k < TEST_COUNT(designs); k++) {
        scene s;
        float *theta, weight = 2;
        begin(&s, designs + k);
        assert_ok(ebm_model_set_parameters(s.model, 1, &weight, 1));
        assert_followed(&s);
        assert_ok(ebm_model_begin_write(s.model, &theta));
        theta[0] -= 3;
        assert_ok(ebm_model_end_write(s.model));
        assert_followed(&s);
        ebm_optimizer *sgd = optimizer_of(&s);
        assert_ok(ebm_optimizer_set(sgd, EBM_OPTIMIZER_EMA_DECAY, 0.5));
        step(&s, sgd);
        assert_followed(&s);
        step(&s, sgd);
        assert_followed(&s);
        assert_ok(ebm_optimizer_swap_average(sgd));
        assert_followed(&s);
        assert_ok(ebm_optimizer_swap_average(sgd));
        assert_followed(&s);
        if (s.network->state_count) {
            assert_ok(ebm_model_iterate(s.model, 100));
            assert_followed(&s);
        }
        ebm_optimizer_destroy(sgd);
        end(&s);
    }
}

/* What was folded once is not folded again when more is added. */
static void gradients_add_up(void **state)
{
    (void)state;
    static const float scale[N] = {1, -1, 2, 0.5f, 1};
    for (size_t k = 0; k < TEST_COUNT(designs); k++) {
        scene s;
        begin(&s, designs + k);
        float *twice = test_floats(s.count);
        assert_ok(ebm_model_backward(s.model, s.x, NULL, N, scale, NULL));
        for (size_t i = 0; i < s.count; i++)
            twice[i] = 2 * ebm_model_gradient(s.model)[i];
        assert_ok(ebm_model_backward(s.model, s.x, NULL, N, scale, NULL));
        assert_arrays_close(ebm_model_gradient(s.model), twice, s.count, 1e-6);
        free(twice);
        end(&s);
    }
}

/* A loss goes another way to the gradient: the mean over the data minus the
   mean over the chains. */
static void losses_fold_too(void **state)
{
    (void)state;
    for (size_t k = 0; k < TEST_COUNT(designs); k++) {
        const size_t *shape = designs[k].shape;
        float scale[N], plus[MOST];
        scene s;
        ebm_loss *nll = NULL;
        ebm_chains *chains = NULL;
        begin(&s, designs + k);
        float *right = test_floats(s.count);
        assert_ok(ebm_loss_create(s.context, EBM_LOSS_NLL, &nll));
        assert_ok(ebm_chains_create(s.context, 1, shape[0], shape[1], shape[2],
                                    1, &chains));
        for (size_t i = 0; i < s.size; i++)
            plus[i] = 0.3f + s.x[i];
        assert_ok(ebm_chains_set_states(chains, plus, NULL, EBM_ORIGIN_NOISE));
        for (size_t i = 0; i < N; i++)
            scale[i] = 1.0f / N;
        assert_ok(ebm_model_backward(s.model, s.x, NULL, N, scale, NULL));
        scale[0] = -1;
        assert_ok(ebm_model_backward(s.model, plus, NULL, 1, scale, NULL));
        assert_ok(ebm_model_get_gradient(s.model, 0, right, s.count));
        assert_ok(ebm_model_zero_gradient(s.model));
        assert_ok(ebm_loss_backward(nll, s.model, s.x, NULL, N, chains, NULL));
        assert_arrays_close(ebm_model_gradient(s.model), right, s.count, 1e-5);
        free(right);
        ebm_chains_destroy(chains);
        ebm_loss_destroy(nll);
        end(&s);
    }
}

/* ---- Power iteration -----------------------------------------------------
 */

/* A layer's matrix, and its vectors. */
typedef struct spectrum {
    size_t taps, out;
    const float *w, *u, *v, *derived;
} spectrum;

static spectrum spectrum_of(const ebm_model *model, size_t layer)
{
    const ebm_network_model *network = ebm_network_of(model);
    const ebm_layer *l = network->layers + layer;
    const float *state = network->state + l->state_offset;
    spectrum s = {.w = model->parameters + l->parameter_offset,
                  .u = state + l->states[0].offset,
                  .v = state + l->states[1].offset,
                  .derived = network->derived + l->derived_offset};
    assert_string_equal(l->states[0].name, "weight_u");
    assert_string_equal(l->states[1].name, "weight_v");
    s.out = l->states[0].count;
    s.taps = l->states[1].count;
    assert_int_equal(s.taps * s.out, l->views[0].count);
    return s;
}

static double sigma_of(const spectrum *s)
{
    double sigma = 0;
    for (size_t t = 0; t < s->taps; t++)
        for (size_t o = 0; o < s->out; o++)
            sigma += (double)s->v[t] * (double)s->w[t * s->out + o] *
                     (double)s->u[o];
    return sigma;
}

/* The largest singular value, by rotating columns against each other until all
   are orthogonal (Hestenes 1958). */
static double largest_singular_value(const float *w, size_t taps, size_t out)
{
    double *a = test_doubles(taps * out), largest = 0;
    for (size_t i = 0; i < taps * out; i++)
        a[i] = (double)w[i];
    for (int sweep = 0; sweep < 60; sweep++)
        for (size_t p = 0; p < out; p++)
            for (size_t q = p + 1; q < out; q++) {
                double pp = 0, qq = 0, pq = 0;
                for (size_t t = 0; t < taps; t++) {
                    double *row = a + t * out;
                    pp += row[p] * row[p];
                    qq += row[q] * row[q];
                    pq += row[p] * row[q];
                }
                double angle = 0.5 * atan2(2 * pq, pp - qq);
                double c = cos(angle), z = sin(angle);
                for (size_t t = 0; t < taps; t++) {
                    double *row = a + t * out, first = row[p];
                    row[p] = c * first + z * row[q];
                    row[q] = c * row[q] - z * first;
                }
            }
    for (size_t o = 0; o < out; o++) {
        double square = 0;
        for (size_t t = 0; t < taps; t++)
            square += a[t * out + o] * a[t * out + o];
        largest = fmax(largest, sqrt(square));
    }
    free(a);
    return largest;
}

static double length_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static ebm_model *one_layer(ebm_context *context, size_t taps, size_t out,
                            uint64_t seed)
{
    ebm_network *n = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, taps, &n));
    assert_ok(ebm_network_set(n, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_SPECTRAL));
    assert_ok(ebm_network_dense(n, out));
    assert_ok(ebm_network_set(n, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_PLAIN));
    if (out > 1)
        assert_ok(ebm_network_dense(n, 1));
    assert_ok(ebm_model_create_network(n, seed, &model));
    ebm_network_destroy(n);
    return model;
}

static void sigma_becomes_the_largest_singular_value(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{18, 5}, {4, 33},   {1, 7},  {9, 1},
                                      {1, 1},  {150, 70}, {17, 16}};
    ebm_context *context = test_context_threads(1);
    for (size_t k = 0; k < TEST_COUNT(sizes); k++) {
        size_t taps = sizes[k][0], out = sizes[k][1];
        ebm_model *model = one_layer(context, taps, out, k);
        spectrum s = spectrum_of(model, 0);
        double right = largest_singular_value(s.w, taps, out);
        /* A new model is nearly there, and never beyond. */
        assert_in_range((long)(1000 * sigma_of(&s) / right), 900, 1000);
        assert_ok(ebm_model_iterate(model, 1000));
        assert_close(sigma_of(&s), right, 0, 1e-5);
        assert_close(length_of(s.u, out), 1, 1e-6, 0);
        assert_close(length_of(s.v, taps), 1, 1e-6, 0);
        assert_close(largest_singular_value(s.derived, taps, out), 1, 1e-5, 0);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* One round, in double. */
static void round_by_hand(const float *w, size_t taps, size_t out, double *u,
                          double *v)
{
    double length = 0;
    for (size_t t = 0; t < taps; t++) {
        v[t] = 0;
        for (size_t o = 0; o < out; o++)
            v[t] += (double)w[t * out + o] * u[o];
        length += v[t] * v[t];
    }
    for (size_t t = 0; t < taps; t++)
        v[t] /= sqrt(length);
    length = 0;
    for (size_t o = 0; o < out; o++) {
        u[o] = 0;
        for (size_t t = 0; t < taps; t++)
            u[o] += (double)w[t * out + o] * v[t];
        length += u[o] * u[o];
    }
    for (size_t o = 0; o < out; o++)
        u[o] /= sqrt(length);
}

/* Runs a sampler and all calls that compute. */
static void use(scene *s, const test_design *design)
{
    const size_t *shape = design->shape;
    float out[N * MOST], scale[N] = {1, 1, 1, 1, 1};
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    ebm_loss *loss = NULL;
    assert_ok(ebm_sampler_create(s->context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 5));
    assert_ok(ebm_chains_create(s->context, N, shape[0], shape[1], shape[2], 1,
                                &chains));
    assert_ok(ebm_loss_create(s->context, EBM_LOSS_NLL, &loss));
    assert_ok(ebm_sampler_run(sampler, s->model, chains));
    assert_ok(ebm_loss_backward(loss, s->model, s->x, NULL, N, chains, NULL));
    assert_ok(ebm_model_energy_grad(s->model, s->x, NULL, N, NULL, out));
    assert_ok(ebm_model_hessian_vector(s->model, s->x, NULL, N, s->x, out));
    assert_ok(ebm_model_backward(s->model, s->x, NULL, N, scale, NULL));
    assert_ok(
        ebm_model_mixed_backward(s->model, s->x, NULL, N, s->x, scale, NULL));
    assert_ok(ebm_model_zero_gradient(s->model));
    ebm_loss_destroy(loss);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
}

/* Energies are a fixed function: nothing that computes moves u and v, nor does
   writing parameters. */
static void nothing_else_iterates(void **state)
{
    (void)state;
    for (size_t k = 0; k < TEST_COUNT(designs); k++) {
        scene s;
        begin(&s, designs + k);
        size_t numbers = s.network->state_count;
        assert_int_equal(numbers > 0, k % 2);
        float *kept = test_floats(numbers + 1), again[N], weight = 1;
        memcpy(kept, s.network->state, numbers * sizeof *kept);
        use(&s, designs + k);
        assert_ok(ebm_model_energy(s.model, s.x, NULL, N, again));
        assert_same_bits(again, s.energy, N);
        assert_ok(ebm_model_set_parameters(s.model, 0, &weight, 1));
        ebm_optimizer *sgd = optimizer_of(&s);
        assert_ok(ebm_optimizer_set(sgd, EBM_OPTIMIZER_EMA_DECAY, 0.5));
        if (numbers)
            assert_same_bits(s.network->state, kept, numbers);
        step(&s, sgd);
        if (numbers)
            assert_other_bits(s.network->state, kept, numbers);
        memcpy(kept, s.network->state, numbers * sizeof *kept);
        assert_ok(ebm_optimizer_swap_average(sgd));
        assert_ok(ebm_optimizer_swap_average(sgd));
        if (numbers)
            assert_same_bits(s.network->state, kept, numbers);
        ebm_optimizer_destroy(sgd);
        free(kept);
        end(&s);
    }
}

/* The round runs on the new parameters, and is what ebm_model_iterate() does
   once. */
static void an_optimizer_step_is_one_round(void **state)
{
    (void)state;
    const test_design *design = designs + 3;
    scene s, twin;
    begin(&s, design);
    begin(&twin, design);
    spectrum a = spectrum_of(s.model, 0), b = spectrum_of(twin.model, 0);
    double u[16], v[16];
    for (size_t o = 0; o < a.out; o++)
        u[o] = (double)a.u[o];
    ebm_optimizer *sgd = optimizer_of(&s);
    step(&s, sgd);
    round_by_hand(a.w, a.taps, a.out, u, v);
    assert_arrays_near(a.u, u, a.out, 1e-6);
    assert_arrays_near(a.v, v, a.taps, 1e-6);
    assert_ok(ebm_model_set_parameters(
        twin.model, 0, ebm_model_parameters(s.model), s.count));
    assert_other_bits(b.u, a.u, a.out);
    assert_ok(ebm_model_iterate(twin.model, 1));
    assert_same_bits(twin.network->state, s.network->state,
                     s.network->state_count);
    assert_ok(ebm_model_energy(s.model, s.x, NULL, N, s.energy));
    assert_ok(ebm_model_energy(twin.model, s.x, NULL, N, twin.energy));
    assert_same_bits(s.energy, twin.energy, N);
    /* A second one goes on from there. */
    round_by_hand(b.w, b.taps, b.out, u, v);
    assert_ok(ebm_model_iterate(twin.model, 1));
    assert_arrays_near(b.u, u, b.out, 1e-6);
    ebm_optimizer_destroy(sgd);
    end(&twin);
    end(&s);
}

/* A refused step does not iterate either. */
static void a_refused_step_is_none(void **state)
{
    (void)state;
    scene s;
    begin(&s, designs + 1);
    ebm_optimizer *sgd = optimizer_of(&s);
    size_t numbers = s.network->state_count;
    float *kept = test_floats(numbers), again[N];
    memcpy(kept, s.network->state, numbers * sizeof *kept);
    s.model->gradient[0] = NAN;
    assert_status(ebm_optimizer_step(sgd), EBM_ERROR_NON_FINITE);
    assert_same_bits(s.network->state, kept, numbers);
    assert_ok(ebm_model_energy(s.model, s.x, NULL, N, again));
    assert_same_bits(again, s.energy, N);
    free(kept);
    ebm_optimizer_destroy(sgd);
    end(&s);
}

static void iterate_is_checked(void **state)
{
    (void)state;
    scene s;
    float *theta, again[N];
    begin(&s, designs + 1);
    assert_error(s.context, ebm_model_iterate(s.model, 1001), EBM_ERROR_RANGE,
                 "1001");
    assert_ok(ebm_model_begin_write(s.model, &theta));
    assert_error(s.context, ebm_model_iterate(s.model, 1), EBM_ERROR_STATE,
                 "lent");
    assert_ok(ebm_model_end_write(s.model));
    assert_status(ebm_model_iterate(NULL, 1), EBM_ERROR_HANDLE);
    uint64_t version = ebm_model_version(s.model);
    assert_ok(ebm_model_iterate(s.model, 0));
    assert_true(ebm_model_version(s.model) == version);
    assert_ok(ebm_model_energy(s.model, s.x, NULL, N, again));
    assert_same_bits(again, s.energy, N);
    assert_ok(ebm_model_iterate(s.model, 9));
    assert_true(ebm_model_version(s.model) != version);
    end(&s);
    begin(&s, designs); /* nothing to iterate */
    version = ebm_model_version(s.model);
    assert_ok(ebm_model_iterate(s.model, 9));
    assert_true(ebm_model_version(s.model) == version);
    assert_ok(ebm_model_energy(s.model, s.x, NULL, N, again));
    assert_same_bits(again, s.energy, N);
    end(&s);
}

/* ---- Matrices that could divide by zero ----------------------------------
 */

/* Makes the first layer's weights all the same number; then no energy and no
   derivative is a NaN. */
static void set_all(scene *s, float value)
{
    float *theta;
    size_t weights = s->network->layers[0].views[0].count;
    assert_ok(ebm_model_begin_write(s->model, &theta));
    for (size_t i = 0; i < weights; i++)
        theta[i] = value;
    assert_ok(ebm_model_end_write(s->model));
}

static void assert_all_finite(scene *s)
{
    float out[N * MOST], scale[N] = {1, 1, 1, 1, 1};
    assert_ok(ebm_model_energy_grad(s->model, s->x, NULL, N, s->energy, out));
    for (size_t i = 0; i < N * s->size; i++)
        assert_true(isfinite(out[i]));
    for (size_t i = 0; i < N; i++)
        assert_true(isfinite(s->energy[i]));
    assert_ok(ebm_model_hessian_vector(s->model, s->x, NULL, N, s->x, out));
    for (size_t i = 0; i < N * s->size; i++)
        assert_true(isfinite(out[i]));
    /* Refuses what is not finite. */
    assert_ok(ebm_model_zero_gradient(s->model));
    assert_ok(ebm_model_backward(s->model, s->x, NULL, N, scale, NULL));
    assert_ok(
        ebm_model_mixed_backward(s->model, s->x, NULL, N, s->x, scale, NULL));
    assert_ok(ebm_model_zero_gradient(s->model));
}

static void flat_matrices(void **state)
{
    (void)state;
    static const float values[] = {0, 1, -0.3f, 1e-20f, 1e-38f, 1e30f};
    for (size_t k = 0; k < TEST_COUNT(designs); k++)
        for (size_t i = 0; i < TEST_COUNT(values); i++) {
            scene s;
            begin(&s, designs + k);
            set_all(&s, values[i]);
            const ebm_layer *l = s.network->layers;
            const float *derived = s.network->derived + l->derived_offset;
            assert_all_finite(&s);
            if (k % 2 == 0 || values[i] == 0)
                for (size_t j = 0; j < l->derived_count; j++)
                    assert_true(derived[j] == 0);
            assert_ok(ebm_model_iterate(s.model, 3));
            assert_all_finite(&s);
            ebm_optimizer *sgd = optimizer_of(&s);
            step(&s, sgd);
            assert_all_finite(&s);
            ebm_optimizer_destroy(sgd);
            end(&s);
        }
}

/* u and v of a zero matrix stay, so that what is written next finds them. */
static void a_zero_matrix_keeps_its_vectors(void **state)
{
    (void)state;
    scene s;
    begin(&s, designs + 3);
    spectrum a = spectrum_of(s.model, 0);
    float u[16], v[16];
    memcpy(u, a.u, a.out * sizeof *u);
    memcpy(v, a.v, a.taps * sizeof *v);
    set_all(&s, 0);
    assert_ok(ebm_model_iterate(s.model, 5));
    assert_same_bits(a.u, u, a.out);
    assert_same_bits(a.v, v, a.taps);
    end(&s);
}

/* sigma keeps its sign: -W is the same energy, and so is a multiple. Below
   1e-12 it stands still, and the weights shrink with W. */
static void sigma_has_a_sign_and_a_floor(void **state)
{
    (void)state;
    static const double factors[] = {-1, 3, 1e-6, -1e6};
    scene s;
    begin(&s, designs + 3);
    spectrum a = spectrum_of(s.model, 0);
    size_t count = a.taps * a.out;
    float *w = test_floats(count), *scaled = test_floats(count);
    float *derived = test_floats(count);
    memcpy(w, a.w, count * sizeof *w);
    memcpy(derived, a.derived, count * sizeof *derived);
    double sigma = sigma_of(&a);
    for (size_t k = 0; k < TEST_COUNT(factors); k++) {
        for (size_t i = 0; i < count; i++)
            scaled[i] = (float)(factors[k] * (double)w[i]);
        assert_ok(ebm_model_set_parameters(s.model, 0, scaled, count));
        assert_arrays_close(a.derived, derived, count, 1e-6);
    }
    for (int sign = -1; sign <= 1; sign += 2) {
        for (size_t i = 0; i < count; i++)
            scaled[i] = (float)(sign * 1e-15 * (double)w[i]);
        assert_ok(ebm_model_set_parameters(s.model, 0, scaled, count));
        assert_true(fabs(sigma_of(&a)) < 1e-12);
        for (size_t i = 0; i < count; i++)
            assert_close(a.derived[i],
                         1e-3 * (double)w[i] * (sigma > 0 ? 1 : -1), 1e-12,
                         1e-5);
    }
    free(w);
    free(scaled);
    free(derived);
    end(&s);
}

/* ---- The builder ---------------------------------------------------------
 */

static void single_taps_are_refused(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *n = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &n));
    assert_ok(
        ebm_network_set(n, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_STANDARDISED));
    assert_error(context, ebm_network_dense(n, 4), EBM_ERROR_SHAPE,
                 "layer 0 (dense)");
    assert_error(context, ebm_network_conv2d(n, 4, 1, 1, 0), EBM_ERROR_SHAPE,
                 "layer 0 (conv2d)");
    assert_ok(ebm_network_conv2d(n, 4, 2, 1, 1)); /* four taps */
    assert_ok(ebm_network_set(n, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_SPECTRAL));
    assert_ok(ebm_network_conv2d(n, 1, 1, 1, 0));
    ebm_network_destroy(n);
    ebm_context_destroy(context);
}

/* Which convolutions of a block the setting is about, and that parameters are
   the same whatever is made of them. */
static void kinds_of_a_block(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *models[3] = {NULL};
    for (int kind = 0; kind < 3; kind++) {
        ebm_network *n = NULL;
        assert_ok(ebm_network_create(context, 4, 4, 2, &n));
        assert_ok(ebm_network_set(n, EBM_NETWORK_WEIGHTS, kind));
        assert_ok(ebm_network_set(n, EBM_NETWORK_NORM, EBM_NORM_NONE));
        assert_ok(ebm_network_res_block(n, 2, EBM_RES_DOWN_WIDEN));
        assert_ok(ebm_network_self_attention(n));
        for (size_t i = 0; i < n->end.layers; i++) {
            const ebm_layer *l = n->layers + i;
            int first = l->part && !strncmp(l->part, "conv", 4);
            assert_int_equal(l->weights, first ? kind : 0);
        }
        assert_ok(ebm_network_flatten(n));
        assert_ok(ebm_network_dense(n, 1));
        assert_ok(ebm_model_create_network(n, 7, &models[kind]));
        ebm_network_destroy(n);
    }
    size_t count = ebm_model_parameter_count(models[0]);
    for (int kind = 1; kind < 3; kind++) {
        assert_int_equal(ebm_model_parameter_count(models[kind]), count);
        assert_same_bits(ebm_model_parameters(models[kind]),
                         ebm_model_parameters(models[0]), count);
    }
    for (int kind = 0; kind < 3; kind++)
        ebm_model_destroy(models[kind]);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_derivatives),
        cmocka_unit_test(energies_follow_the_parameters),
        cmocka_unit_test(gradients_add_up),
        cmocka_unit_test(losses_fold_too),
        cmocka_unit_test(sigma_becomes_the_largest_singular_value),
        cmocka_unit_test(nothing_else_iterates),
        cmocka_unit_test(an_optimizer_step_is_one_round),
        cmocka_unit_test(a_refused_step_is_none),
        cmocka_unit_test(iterate_is_checked),
        cmocka_unit_test(flat_matrices),
        cmocka_unit_test(a_zero_matrix_keeps_its_vectors),
        cmocka_unit_test(sigma_has_a_sign_and_a_floor),
        cmocka_unit_test(single_taps_are_refused),
        cmocka_unit_test(kinds_of_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
