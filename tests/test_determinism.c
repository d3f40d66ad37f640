/*
 * The same bits for any number of threads, alone or in a batch, and however a
 * batch is divided. Layers have the shapes of the digits network, so that the
 * matrix products take the paths that they take in earnest.
 */
#include "ebm_test.h"
#include "reference.h"

static const int thread_counts[] = {1, 2, 4};
enum { THREAD_COUNTS = TEST_COUNT(thread_counts) };

/* The digits network, or a wide and shallow one with odd sizes. */
static ebm_model *make_model(ebm_context *context, int digits, size_t slab)
{
    ref_network ref;
    if (digits) {
        ref_digits(&ref);
    } else {
        ref_begin(&ref, 28, 28, 1);
        ref_conv2d(&ref, 19, 7, 3, 2, 1);
        ref_leaky_relu(&ref, 0.1);
        ref_conv2d(&ref, 33, 4, 2, 1, 0);
        ref_swish(&ref);
        ref_conv2d(&ref, 10, 1, 1, 0, 1);
        ref_relu(&ref);
        ref_flatten(&ref);
        ref_dense(&ref, 37, 1);
        ref_swish(&ref);
        ref_dense(&ref, 1, 0);
    }
    ebm_model *model = ref_model(&ref, context, slab, 5);
    ref_free(&ref);
    return model;
}

enum { SIZE = 28 * 28 };

static ebm_sampler *make_sampler(ebm_context *context, double steps)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.03));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, -1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 1));
    return sampler;
}

/* Moves chains first, ..., first + n - 1 of one world; x holds their states,
   before and after. */
static void move(ebm_context *context, const ebm_model *model, uint64_t first,
                 size_t n, double steps, float *x)
{
    ebm_sampler *sampler = make_sampler(context, steps);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, n, 28, 28, 1, 99, &chains));
    assert_ok(ebm_chains_set_first_stream(chains, first));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    memcpy(x, ebm_chains_states(chains), n * SIZE * sizeof *x);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
}

static float *start(size_t n)
{
    uint64_t random = 1;
    float *x = test_floats(n * SIZE);
    test_fill_uniform(&random, x, n * SIZE, -1, 1);
    return x;
}

static void chains_do_not_depend_on_threads(void **state)
{
    (void)state;
    enum { N = 37, STEPS = 4 };
    for (int digits = 0; digits < 2; digits++) {
        float *right = NULL;
        for (size_t t = 0; t < THREAD_COUNTS; t++) {
            ebm_context *context = test_context_threads(thread_counts[t]);
            ebm_model *model = make_model(context, digits, 0);
            float *x = start(N), *from = start(N);
            move(context, model, 0, N, STEPS, x);
            if (!right) {
                right = x;
                assert_other_bits(x, from, N * SIZE);
            } else {
                assert_same_bits(x, right, N * SIZE);
                free(x);
            }
            free(from);
            ebm_model_destroy(model);
            ebm_context_destroy(context);
        }
        free(right);
    }
}

static void gradients_do_not_depend_on_threads(void **state)
{
    (void)state;
    enum { N = 61 };
    for (int digits = 0; digits < 2; digits++) {
        float *grad = NULL, *gradient = NULL, *energy = NULL;
        float *x = start(N), scale[N];
        uint64_t random = 2;
        test_fill_uniform(&random, scale, N, -1, 1);
        for (size_t t = 0; t < THREAD_COUNTS; t++) {
            ebm_context *context = test_context_threads(thread_counts[t]);
            ebm_model *model = make_model(context, digits, 0);
            size_t count = ebm_model_parameter_count(model);
            float *g = test_floats(N * SIZE), *e = test_floats(2 * N);
            assert_ok(ebm_model_energy_grad(model, x, NULL, N, e, g));
            assert_ok(ebm_model_backward(model, x, NULL, N, scale, e + N));
            if (!grad) {
                grad = g;
                energy = e;
                gradient = test_floats(count);
                memcpy(gradient, ebm_model_gradient(model),
                       count * sizeof *gradient);
            } else {
                assert_same_bits(g, grad, N * SIZE);
                assert_same_bits(e, energy, 2 * N);
                assert_same_bits(ebm_model_gradient(model), gradient, count);
                free(g);
                free(e);
            }
            ebm_model_destroy(model);
            ebm_context_destroy(context);
        }
        free(x);
        free(grad);
        free(energy);
        free(gradient);
    }
}

static void a_chain_alone_equals_one_in_a_batch(void **state)
{
    (void)state;
    enum { N = 21, STEPS = 3, FIRST = 40 };
    static const size_t slabs[] = {0, 1, 5};
    ebm_context *context = test_context_threads(2);
    for (size_t s = 0; s < TEST_COUNT(slabs); s++) {
        ebm_model *model = make_model(context, 1, slabs[s]);
        float *batch = start(N), *alone = start(N);
        move(context, model, FIRST, N, STEPS, batch);
        for (size_t i = 0; i < N; i++)
            move(context, model, FIRST + i, 1, STEPS, alone + i * SIZE);
        assert_same_bits(alone, batch, N * SIZE);
        free(batch);
        free(alone);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

/* Divided at multiples of the slab size, and anywhere else. */
static void batches_can_be_divided(void **state)
{
    (void)state;
    enum { N = 48, STEPS = 3, SLAB = 8 };
    static const size_t parts[][3] = {
        {8, 8, 32}, {16, 24, 8}, {40, 0, 8}, {3, 22, 23}, {1, 46, 1}};
    ebm_context *context = test_context_threads(2);
    ebm_model *model = make_model(context, 1, SLAB);
    float *whole = start(N);
    move(context, model, 0, N, STEPS, whole);
    for (size_t p = 0; p < TEST_COUNT(parts); p++) {
        float *x = start(N);
        size_t first = 0;
        for (size_t k = 0; k < 3; k++) {
            if (parts[p][k])
                move(context, model, first, parts[p][k], STEPS,
                     x + first * SIZE);
            first += parts[p][k];
        }
        assert_int_equal(first, N);
        assert_same_bits(x, whole, N * SIZE);
        free(x);
    }
    free(whole);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Steps taken in one run or in several are the same steps. */
static void runs_can_be_divided(void **state)
{
    (void)state;
    enum { N = 9 };
    ebm_context *context = test_context_threads(2);
    ebm_model *model = make_model(context, 0, 0);
    ebm_sampler *sampler = make_sampler(context, 6);
    ebm_chains *one = NULL, *many = NULL;
    assert_ok(ebm_chains_create(context, N, 28, 28, 1, 3, &one));
    assert_ok(ebm_chains_create(context, N, 28, 28, 1, 3, &many));
    assert_ok(ebm_sampler_run(sampler, model, one));
    for (int steps = 1; steps <= 3; steps++) {
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
        assert_ok(ebm_sampler_run(sampler, model, many));
    }
    assert_same_bits(ebm_chains_states(many), ebm_chains_states(one),
                     N * SIZE);
    ebm_chains_destroy(one);
    ebm_chains_destroy(many);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* What ten training iterations leave behind. */
enum { BATCH = 27, CHAINS = 21, CAPACITY = 64, ITERATIONS = 10, SAMPLES = 50 };

typedef struct outcome {
    float *parameters;
    size_t parameter_count;
    float chains[CHAINS * SIZE];
    float buffer[CAPACITY * SIZE];
    size_t buffered;
    double terms[4][ITERATIONS];
    double gradient_norm;
} outcome;

/* All that takes part in training. */
typedef struct school {
    ebm_context *context;
    ebm_model *model;
    ebm_dataset *dataset;
    ebm_buffer *buffer;
    ebm_chains *chains;
    ebm_sampler *sampler;
    ebm_loss *loss;
    ebm_report *report;
    ebm_optimizer *optimizer;
} school;

static void open_school(school *s, int threads)
{
    ebm_context *context = s->context = test_context_threads(threads);
    float *data = start(SAMPLES);
    s->model = make_model(context, 1, 0);
    assert_ok(ebm_dataset_create_array(context, data, NULL, SAMPLES, 28, 28, 1,
                                       6, &s->dataset));
    assert_ok(ebm_dataset_set(s->dataset, EBM_DATASET_NOISE_STD, 0.005));
    assert_ok(ebm_buffer_create(context, CAPACITY, 28, 28, 1, 7, &s->buffer));
    assert_ok(ebm_buffer_set(s->buffer, EBM_BUFFER_FRESH_RATE, 0.2));
    assert_ok(ebm_buffer_fill_uniform(s->buffer, CHAINS, -1, 1));
    assert_ok(ebm_chains_create(context, CHAINS, 28, 28, 1, 8, &s->chains));
    s->sampler = make_sampler(context, 3);
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &s->loss));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_ENERGY_L2, 0.1));
    assert_ok(ebm_report_create(context, &s->report));
    assert_ok(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, s->model,
                                   &s->optimizer));
    assert_ok(
        ebm_optimizer_set(s->optimizer, EBM_OPTIMIZER_LEARNING_RATE, 1e-3));
    assert_ok(ebm_optimizer_set(s->optimizer, EBM_OPTIMIZER_BETA1, 0));
    assert_ok(ebm_optimizer_set(s->optimizer, EBM_OPTIMIZER_CLIP_NORM, 0.1));
    free(data);
}

static void close_school(school *s)
{
    ebm_optimizer_destroy(s->optimizer);
    ebm_report_destroy(s->report);
    ebm_loss_destroy(s->loss);
    ebm_sampler_destroy(s->sampler);
    ebm_chains_destroy(s->chains);
    ebm_buffer_destroy(s->buffer);
    ebm_dataset_destroy(s->dataset);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static void iterate(school *s, size_t iteration, outcome *o)
{
    static const ebm_report_key terms[4] = {
        EBM_REPORT_TOTAL, EBM_REPORT_POSITIVE, EBM_REPORT_NEGATIVE,
        EBM_REPORT_ENERGY_L2};
    static float data[BATCH * SIZE];
    assert_ok(ebm_dataset_next(s->dataset, BATCH, data, NULL));
    assert_ok(ebm_buffer_draw(s->buffer, s->chains));
    assert_ok(ebm_sampler_run(s->sampler, s->model, s->chains));
    assert_ok(ebm_loss_backward(s->loss, s->model, data, NULL, BATCH,
                                s->chains, s->report));
    assert_ok(ebm_optimizer_step(s->optimizer));
    assert_ok(ebm_buffer_store(s->buffer, s->chains));
    for (size_t k = 0; k < 4; k++)
        assert_ok(
            ebm_report_get(s->report, terms[k], &o->terms[k][iteration]));
}

static outcome *train(int threads)
{
    school s;
    outcome *o = test_memory(sizeof *o);
    open_school(&s, threads);
    for (size_t i = 0; i < ITERATIONS; i++)
        iterate(&s, i, o);
    size_t count = ebm_model_parameter_count(s.model);
    o->parameter_count = count;
    o->parameters = test_floats(count);
    memcpy(o->parameters, ebm_model_parameters(s.model),
           count * sizeof *o->parameters);
    memcpy(o->chains, ebm_chains_states(s.chains), sizeof o->chains);
    o->buffered = ebm_buffer_size(s.buffer);
    assert_true(o->buffered == CAPACITY);
    assert_ok(ebm_buffer_read(s.buffer, 0, o->buffered, o->buffer));
    assert_ok(ebm_optimizer_get_statistic(
        s.optimizer, EBM_OPTIMIZER_STAT_GRADIENT_NORM, &o->gradient_norm));
    close_school(&s);
    return o;
}

static void training_does_not_depend_on_threads(void **state)
{
    (void)state;
    outcome *right = train(1);
    for (size_t t = 0; t < THREAD_COUNTS; t++) {
        outcome *o = train(thread_counts[t]);
        assert_same_bits(o->parameters, right->parameters,
                         right->parameter_count);
        assert_same_bits(o->chains, right->chains, CHAINS * SIZE);
        assert_same_bits(o->buffer, right->buffer, CAPACITY * SIZE);
        assert_memory_equal(o->terms, right->terms, sizeof o->terms);
        assert_true(o->gradient_norm == right->gradient_norm);
        free(o->parameters);
        free(o);
    }
    /* It did learn something: the total changed, and is a number. */
    assert_true(isfinite(right->terms[0][ITERATIONS - 1]));
    assert_true(right->terms[0][0] != right->terms[0][ITERATIONS - 1]);
    free(right->parameters);
    free(right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_do_not_depend_on_threads),
        cmocka_unit_test(gradients_do_not_depend_on_threads),
        cmocka_unit_test(a_chain_alone_equals_one_in_a_batch),
        cmocka_unit_test(batches_can_be_divided),
        cmocka_unit_test(runs_can_be_divided),
        cmocka_unit_test(training_does_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
