/* The Langevin sampler: the law of its chains, its steps one by one against
   the reference, observers, divergence, and errors. */
#include "ebm_test.h"
#include "reference.h"

#include "chains/chains.h"
#include "core/random.h"

static ebm_sampler *langevin(ebm_context *context, double steps, double step,
                             double std)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, step));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, std));
    return sampler;
}

static double statistic(const ebm_sampler *sampler, ebm_sampler_statistic key)
{
    double value = NAN;
    assert_ok(ebm_sampler_get_statistic(sampler, key, &value));
    return value;
}

/* A copy of the states, to compare with later. */
static float *states_of(const ebm_chains *chains)
{
    size_t height, width, channels, n = ebm_chains_count(chains);
    assert_ok(ebm_chains_shape(chains, &height, &width, &channels));
    size_t size = n * height * width * channels;
    float *copy = test_floats(size);
    memcpy(copy, ebm_chains_states(chains), size * sizeof *copy);
    return copy;
}

/* E(x) = theta |x|^2 / 2 for samples of `size` elements. It can spoil one row
   at one call, and fail at one call. */
typedef struct gaussian {
    float theta;
    size_t size;
    size_t calls;
    size_t spoil_call, spoil_row; /* calls from 1 on; 0: never */
    float energy_spoil, grad_spoil;
    size_t fail_call;
} gaussian;

static int gaussian_energy_grad(const float *params, const float *x,
                                const int32_t *labels, size_t n, float *energy,
                                float *grad, void *user)
{
    gaussian *g = user;
    (void)params;
    (void)labels;
    g->calls++;
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (size_t j = 0; j < g->size; j++) {
            float v = x[i * g->size + j];
            sum += v * v;
            grad[i * g->size + j] = g->theta * v;
        }
        energy[i] = g->theta * sum / 2;
    }
    if (g->calls == g->spoil_call) {
        energy[g->spoil_row] += g->energy_spoil;
        grad[g->spoil_row * g->size + g->size / 2] += g->grad_spoil;
    }
    return g->calls == g->fail_call;
}

static ebm_model *gaussian_model(ebm_context *context, gaussian *g)
{
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .energy_grad = gaussian_energy_grad};
    ebm_model *model = NULL;
    assert_ok(
        ebm_model_create_custom(context, 1, g->size, 1, &ops, g, &model));
    return model;
}

static void moments(const float *x, size_t n, double *mean, double *variance)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        square += ((double)x[i] - *mean) * ((double)x[i] - *mean);
    *variance = square / (double)n;
}

enum { LAW_CHAINS = 1000, LAW_SIZE = 120, LAW_N = LAW_CHAINS * LAW_SIZE };

/*
 * Noise first on E = theta x^2 / 2 gives x' = a (x + std xi) with a = 1 -
 * step theta, so from a point x_0, after t steps,
 *
 *     mean = a^t x_0,   variance = a^2 std^2 (1 - a^2t) / (1 - a^2).
 *
 * Both estimates are Gaussian: 5 standard errors. Noise last would lack the
 * factor a^2: the test must tell the two apart.
 */
static void check_law(double theta, double step, double std, size_t steps,
                      float start)
{
    double a = 1 - step * theta, power = pow(a, (double)steps);
    double noise_last = std * std * (1 - power * power) / (1 - a * a);
    double right = a * a * noise_last;
    ebm_context *context = test_context_threads(1);
    gaussian g = {.theta = (float)theta, .size = LAW_SIZE};
    ebm_model *model = gaussian_model(context, &g);
    ebm_sampler *sampler = langevin(context, (double)steps, step, std);
    ebm_chains *chains = NULL;
    float *x = test_floats(LAW_N);
    double *sorted = test_doubles(LAW_N), mean, variance;
    for (size_t i = 0; i < LAW_N; i++)
        x[i] = start;
    assert_ok(ebm_chains_create(context, LAW_CHAINS, 1, LAW_SIZE, 1,
                                20 + steps, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    moments(ebm_chains_states(chains), LAW_N, &mean, &variance);
    double mean_error = sqrt(right / LAW_N);
    double error = right * sqrt(2.0 / LAW_N);
    assert_close(mean, power * start, 5 * mean_error, 0);
    assert_close(variance, right, 5 * error, 0);
    /* The negative control: the wrong order is far outside the bars. */
    assert_true(fabs(variance - noise_last) > 10 * error);
    double law[2] = {power * start, sqrt(right)};
    for (size_t i = 0; i < LAW_N; i++)
        sorted[i] = ebm_chains_states(chains)[i];
    assert_true(test_ks(sorted, LAW_N, test_cdf_normal, law) < 1.95);
    print_message("a = %.2f, t = %zu: mean %+.1f sigma, variance %+.1f sigma, "
                  "noise last would be off by %.0f sigma\n",
                  a, steps, (mean - power * start) / mean_error,
                  (variance - right) / error,
                  fabs(noise_last - right) / error);
    free(x);
    free(sorted);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void the_stationary_law_is_right(void **state)
{
    (void)state;
    check_law(1, 0.1, 0.3, 150, 0);
    check_law(2, 0.75, 1, 60, 0); /* a = -0.5: overshooting */
}

static void the_transient_law_is_right(void **state)
{
    (void)state;
    check_law(1, 0.1, 0.3, 1, 2);
    check_law(1, 0.1, 0.3, 5, 2);
    check_law(0.5, 0.4, 0.1, 12, -1);
}

/* No term of the law may lean on where a chain stands: coordinates and
   chains do not correlate. */
static void chains_and_coordinates_are_independent(void **state)
{
    (void)state;
    enum { N = 300, M = 300 };
    ebm_context *context = test_context_threads(1);
    gaussian g = {.theta = 1, .size = M};
    ebm_model *model = gaussian_model(context, &g);
    ebm_sampler *sampler = langevin(context, 30, 0.5, 1);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, N, 1, M, 1, 3, &chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    const float *x = ebm_chains_states(chains);
    double rows = 0, columns = 0, square = 0;
    for (size_t i = 1; i < N; i++)
        for (size_t j = 1; j < M; j++) {
            double v = x[i * M + j];
            rows += v * x[(i - 1) * M + j];
            columns += v * x[i * M + j - 1];
            square += v * v;
        }
    double count = (N - 1.0) * (M - 1.0);
    assert_close(rows / square * sqrt(count), 0, 5, 0);
    assert_close(columns / square * sqrt(count), 0, 5, 0);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* What a replicate of some steps counted, and how near any comparison came
   to going the other way. */
typedef struct replica {
    double clipped, clamped_noise, clamped_step;
    double margin;
} replica;

enum { CHAINS = 9, FIRST_STREAM = 21 };
static const double STEP = 1, STD = 0.1, CLIP = 0.1, LOW = -0.35, HIGH = 0.3;

/* Whether a value is beyond a bound, and how near to it. */
static int beyond(double value, double bound, replica *r)
{
    r->margin = fmin(r->margin, fabs(value - bound));
    return value > bound;
}

static double clamp(double v, double *count, replica *r)
{
    if (beyond(v, HIGH, r)) {
        ++*count;
        return HIGH;
    }
    if (beyond(-v, -LOW, r)) {
        ++*count;
        return LOW;
    }
    return v;
}

/* The step of sampler.h, word by word, for one chain in double. */
static void replicate(const ref_network *ref, uint64_t seed, uint64_t stream,
                      uint64_t step, double *x, replica *r)
{
    size_t size = ref_size(ref);
    double *g = test_doubles(size);
    ebm_random random =
        ebm_random_at(seed, EBM_PURPOSE_LANGEVIN, stream, step);
    for (size_t i = 0; i < size; i++)
        x[i] = clamp(x[i] + STD * ebm_random_normal(&random, i),
                     &r->clamped_noise, r);
    ref_gradient(ref, x, 1, g, NULL, NULL);
    for (size_t i = 0; i < size; i++) {
        double v = g[i];
        if (beyond(fabs(v), CLIP, r)) {
            r->clipped++;
            v = v > 0 ? CLIP : -CLIP;
        }
        x[i] = clamp(x[i] - STEP * v, &r->clamped_step, r);
    }
    free(g);
}

static void describe(ref_network *ref)
{
    ref_begin(ref, 6, 5, 2);
    ref_conv2d(ref, 7, 3, 1, 1, 1);
    ref_swish(ref);
    ref_conv2d(ref, 8, 3, 2, 1, 1);
    ref_swish(ref);
    ref_flatten(ref);
    ref_dense(ref, 1, 1);
}
enum { SIZE = 6 * 5 * 2 };

static ebm_model *small_model(ebm_context *context)
{
    ref_network ref;
    describe(&ref);
    ebm_model *model = ref_model(&ref, context, 4, 8);
    ref_free(&ref);
    return model;
}

static void scale_parameters(ebm_model *model, float factor)
{
    float *parameters = NULL;
    assert_ok(ebm_model_begin_write(model, &parameters));
    for (size_t i = 0; i < ebm_model_parameter_count(model); i++)
        parameters[i] *= factor;
    assert_ok(ebm_model_end_write(model));
}

/* One seed: steps of the library and the replicate side by side. Returns 0,
   with nothing asserted, if a comparison came too near to a tie for float. */
static int follow(const ref_network *ref, ebm_model *model,
                  ebm_context *context, uint64_t seed)
{
    static double x[CHAINS][SIZE];
    float start[CHAINS * SIZE], flat[CHAINS * SIZE];
    uint64_t random = seed;
    ebm_chains *chains = NULL;
    ebm_sampler *sampler = langevin(context, 5, STEP, STD);
    int decided = 1;
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, CLIP));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, LOW));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, HIGH));
    test_fill_uniform(&random, start, CHAINS * SIZE, -0.4, 0.4);
    assert_ok(ebm_chains_create(context, CHAINS, 6, 5, 2, seed, &chains));
    assert_ok(ebm_chains_set_first_stream(chains, FIRST_STREAM));
    assert_ok(ebm_chains_set_states(chains, start, NULL, EBM_ORIGIN_DATA));
    for (size_t i = 0; i < CHAINS * SIZE; i++)
        x[i / SIZE][i % SIZE] = start[i];
    /* The second run goes on where the first one ended: with step 5. */
    for (uint64_t run = 0; run < 2; run++) {
        replica r = {.margin = INFINITY};
        for (size_t c = 0; c < CHAINS; c++)
            for (uint64_t step = 5 * run; step < 5 * run + 5; step++)
                replicate(ref, seed, FIRST_STREAM + c, step, x[c], &r);
        decided = decided && r.margin > 2e-6;
        assert_ok(ebm_sampler_run(sampler, model, chains));
        if (!decided)
            break;
        for (size_t i = 0; i < CHAINS * SIZE; i++)
            flat[i] = (float)x[i / SIZE][i % SIZE];
        assert_arrays_close(ebm_chains_states(chains), flat, CHAINS * SIZE,
                            1e-5);
        assert_true(r.clipped > 100 && r.clamped_noise > 100 &&
                    r.clamped_step > 100);
        assert_true(statistic(sampler, EBM_SAMPLER_STAT_CLIPPED) == r.clipped);
        assert_true(statistic(sampler, EBM_SAMPLER_STAT_CLAMPED_NOISE) ==
                    r.clamped_noise);
        assert_true(statistic(sampler, EBM_SAMPLER_STAT_CLAMPED_STEP) ==
                    r.clamped_step);
        assert_true(statistic(sampler, EBM_SAMPLER_STAT_COORDINATES) ==
                    5 * CHAINS * SIZE);
        assert_true(statistic(sampler, EBM_SAMPLER_STAT_STEPS) == 5);
        assert_true(statistic(sampler, EBM_SAMPLER_STAT_DIVERGED) == 0);
    }
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    return decided;
}

static void steps_follow_the_equations(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ref_network ref;
    describe(&ref);
    ebm_model *model = ref_model(&ref, context, 4, 8);
    int decided = 0;
    scale_parameters(model, 3);
    ref_load(&ref, model);
    for (uint64_t seed = 1; seed < 50 && decided < 3; seed++)
        decided += follow(&ref, model, context, seed);
    assert_int_equal(decided, 3);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    ref_free(&ref);
}

static void ages_and_steps_are_counted(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = small_model(context);
    ebm_sampler *sampler = langevin(context, 7, 1, 0.1);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, 5, 6, 5, 2, 1, &chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_true(ebm_chains_step_count(chains) == 14);
    for (size_t i = 0; i < 5; i++) {
        uint64_t age = 0;
        ebm_origin origin;
        assert_ok(ebm_chains_age(chains, i, &age));
        assert_true(age == 14);
        assert_ok(ebm_chains_origin(chains, i, &origin));
        assert_int_equal(origin, EBM_ORIGIN_NOISE);
    }
    /* A new start takes the age back, not the count that keys the noise. */
    assert_ok(ebm_chains_init_uniform(chains, -1, 1));
    float *start = states_of(chains);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    uint64_t age = 0;
    assert_ok(ebm_chains_age(chains, 0, &age));
    assert_true(age == 7 && ebm_chains_step_count(chains) == 21);
    float *first = states_of(chains);
    assert_ok(ebm_chains_set_states(chains, start, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_other_bits(first, ebm_chains_states(chains), 5 * SIZE);
    free(start);
    free(first);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* No noise and no step: nothing moves, to the bit. */
static void a_still_step_moves_nothing(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = small_model(context);
    ebm_sampler *sampler = langevin(context, 3, 0, 0);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, 5, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    float *before = states_of(chains);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_same_bits(ebm_chains_states(chains), before, 5 * SIZE);
    free(before);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* What an observer saw; asserted on after the run. */
typedef struct seen {
    size_t count;
    size_t steps[32];
    uint64_t step_counts[32];
    float first[32];
    size_t stop_at;
    int other_thread;
    pthread_t thread;
} seen;

static int look(size_t step, const ebm_chains *chains, void *user)
{
    seen *s = user;
    if (s->count < 32) {
        s->steps[s->count] = step;
        s->step_counts[s->count] = ebm_chains_step_count(chains);
        s->first[s->count] = ebm_chains_states(chains)[0];
    }
    s->count++;
    s->other_thread |= !pthread_equal(s->thread, pthread_self());
    return step == s->stop_at ? 5 : 0;
}

static void observers_see_the_right_steps(void **state)
{
    (void)state;
    static const struct {
        size_t every, count, steps[12];
    } cases[] = {
        {1, 10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
        {3, 4, {3, 6, 9, 10}},
        {5, 2, {5, 10}},
        {10, 1, {10}},
        {11, 1, {10}},
        {SIZE_MAX, 1, {10}},
    };
    ebm_context *context = test_context_threads(2);
    ebm_model *model = small_model(context);
    ebm_sampler *sampler = langevin(context, 10, 1, 0.1);
    float *right = NULL;
    for (size_t c = 0; c <= TEST_COUNT(cases); c++) {
        ebm_chains *chains = NULL;
        seen s = {.thread = pthread_self()};
        assert_ok(ebm_chains_create(context, 11, 6, 5, 2, 1, &chains));
        if (c)
            assert_ok(ebm_sampler_set_observer(sampler, cases[c - 1].every,
                                               look, &s));
        assert_ok(ebm_sampler_run(sampler, model, chains));
        if (!right)
            right = states_of(chains);
        assert_same_bits(ebm_chains_states(chains), right, 11 * SIZE);
        assert_int_equal(s.count, c ? cases[c - 1].count : 0);
        assert_false(s.other_thread);
        for (size_t i = 0; i < s.count; i++) {
            assert_int_equal(s.steps[i], cases[c - 1].steps[i]);
            assert_true(s.step_counts[i] == s.steps[i]);
        }
        if (c)
            assert_true(s.first[s.count - 1] == right[0]);
        assert_true(statistic(sampler, EBM_SAMPLER_STAT_STEPS) == 10);
        ebm_chains_destroy(chains);
    }
    seen s = {.thread = pthread_self()};
    assert_error(context, ebm_sampler_set_observer(sampler, 0, look, &s),
                 EBM_ERROR_ARGUMENT, "0");
    assert_ok(ebm_sampler_set_observer(sampler, 0, NULL, NULL));
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, 11, 6, 5, 2, 1, &chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(s.count, 0);
    ebm_chains_destroy(chains);
    free(right);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void observers_can_stop_a_run(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = small_model(context);
    ebm_sampler *sampler = langevin(context, 10, 1, 0.1);
    ebm_sampler *shorter = langevin(context, 6, 1, 0.1);
    ebm_chains *chains = NULL, *right = NULL;
    seen s = {.thread = pthread_self(), .stop_at = 6};
    uint64_t age = 0;
    assert_ok(ebm_chains_create(context, 5, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_create(context, 5, 6, 5, 2, 1, &right));
    assert_ok(ebm_sampler_set_observer(sampler, 2, look, &s));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_CALLBACK, "step 6");
    assert_ok(ebm_sampler_run(shorter, model, right));
    assert_int_equal(s.count, 3);
    assert_true(ebm_chains_step_count(chains) == 6);
    assert_ok(ebm_chains_age(chains, 4, &age));
    assert_true(age == 6);
    assert_same_bits(ebm_chains_states(chains), ebm_chains_states(right),
                     5 * SIZE);
    assert_true(statistic(sampler, EBM_SAMPLER_STAT_STEPS) == 6);
    assert_true(statistic(sampler, EBM_SAMPLER_STAT_COORDINATES) ==
                6 * 5 * SIZE);
    ebm_chains_destroy(chains);
    ebm_chains_destroy(right);
    ebm_sampler_destroy(shorter);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

enum { D_CHAINS = 6, D_SIZE = 37, D_BAD = 2, D_STEPS = 9, D_CALL = 4 };

static ebm_chains *gaussian_chains(ebm_context *context)
{
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, D_CHAINS, 1, D_SIZE, 1, 17, &chains));
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    return chains;
}

/* Runs chains of the healthy energy for some steps. */
static float *healthy_states(ebm_context *context, double steps)
{
    gaussian g = {.theta = 1, .size = D_SIZE};
    ebm_model *model = gaussian_model(context, &g);
    ebm_sampler *sampler = langevin(context, steps, 0.1, 0.3);
    ebm_chains *chains = gaussian_chains(context);
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.5));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    float *states = states_of(chains);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return states;
}

/* One chain's energy or gradient is spoiled at the fourth step. */
static void check_divergence(float energy_spoil, float grad_spoil,
                             size_t observe)
{
    ebm_context *context = test_context_threads(2);
    float *ended = healthy_states(context, D_STEPS);
    float *before = healthy_states(context, D_CALL - 1);
    gaussian g = {.theta = 1,
                  .size = D_SIZE,
                  .spoil_call = D_CALL,
                  .spoil_row = D_BAD,
                  .energy_spoil = energy_spoil,
                  .grad_spoil = grad_spoil};
    ebm_model *model = gaussian_model(context, &g);
    ebm_sampler *sampler = langevin(context, D_STEPS, 0.1, 0.3);
    ebm_chains *chains = gaussian_chains(context);
    seen s = {.thread = pthread_self()};
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.5));
    if (observe)
        assert_ok(ebm_sampler_set_observer(sampler, observe, look, &s));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_DIVERGED, "chain 2");
    assert_non_null(strstr(ebm_context_last_error(context), "step 4"));
    const float *x = ebm_chains_states(chains);
    for (size_t i = 0; i < D_CHAINS; i++) {
        const float *right = i == D_BAD ? before : ended;
        uint64_t step = 99, age = 99;
        assert_same_bits(x + i * D_SIZE, right + i * D_SIZE, D_SIZE);
        assert_ok(ebm_chains_diverged(chains, i, &step));
        assert_true(step == (i == D_BAD ? D_CALL : 0));
        assert_ok(ebm_chains_age(chains, i, &age));
        assert_true(age == (i == D_BAD ? D_CALL - 1 : D_STEPS));
    }
    assert_int_equal(ebm_chains_diverged_count(chains), 1);
    assert_true(ebm_chains_step_count(chains) == D_STEPS);
    assert_true(statistic(sampler, EBM_SAMPLER_STAT_DIVERGED) == 1);
    assert_true(statistic(sampler, EBM_SAMPLER_STAT_COORDINATES) ==
                D_SIZE * ((D_CHAINS - 1) * D_STEPS + D_CALL - 1));
    /* Once marked it stays, and is no error of later runs. */
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_same_bits(x + D_BAD * D_SIZE, before + D_BAD * D_SIZE, D_SIZE);
    assert_other_bits(x, ended, D_SIZE);
    assert_int_equal(ebm_chains_diverged_count(chains), 1);
    assert_true(statistic(sampler, EBM_SAMPLER_STAT_DIVERGED) == 0);
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    assert_int_equal(ebm_chains_diverged_count(chains), 0);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    uint64_t age = 0;
    assert_ok(ebm_chains_age(chains, D_BAD, &age));
    assert_true(age == D_STEPS);
    free(ended);
    free(before);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void diverged_chains_stop_alone(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        for (size_t observe = 0; observe < 5; observe += 2) {
            check_divergence(bad[i], 0, observe);
            check_divergence(0, bad[i], observe);
        }
}

/* In a network's slab the overflowing row is a neighbour in one matrix. */
static void a_diverged_row_spoils_no_slab(void **state)
{
    (void)state;
    enum { N = 10, BAD = 5 };
    ebm_context *context = test_context_threads(2);
    ebm_model *model = small_model(context);
    ebm_sampler *sampler = langevin(context, 4, 1e-3, 0.1);
    float x[N * SIZE];
    float *right = NULL;
    uint64_t random = 5, step = 0;
    /* Weights that make the largest states overflow, and no others. */
    scale_parameters(model, 10);
    test_fill_normal(&random, x, N * SIZE, 1);
    for (int spoiled = 0; spoiled < 2; spoiled++) {
        ebm_chains *chains = NULL;
        assert_ok(ebm_chains_create(context, N, 6, 5, 2, 1, &chains));
        for (size_t i = 0; i < SIZE && spoiled; i++)
            x[BAD * SIZE + i] = i % 2 ? 3e38f : -3e38f;
        assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
        assert_status(ebm_sampler_run(sampler, model, chains),
                      spoiled ? EBM_ERROR_DIVERGED : EBM_OK);
        const float *states = ebm_chains_states(chains);
        if (!spoiled)
            right = states_of(chains);
        for (size_t i = 0; i < N; i++) {
            assert_ok(ebm_chains_diverged(chains, i, &step));
            assert_true(step == (spoiled && i == BAD));
            assert_same_bits(states + i * SIZE, (step ? x : right) + i * SIZE,
                             SIZE);
        }
        ebm_chains_destroy(chains);
    }
    free(right);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Without bounds a step that is too large doubles the state until it
   overflows; within bounds it never does. */
static void runaway_chains_are_caught(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    gaussian g = {.theta = 1, .size = D_SIZE};
    ebm_model *model = gaussian_model(context, &g);
    ebm_sampler *sampler = langevin(context, 300, 11, 0.1);
    ebm_chains *chains = gaussian_chains(context);
    assert_status(ebm_sampler_run(sampler, model, chains), EBM_ERROR_DIVERGED);
    assert_int_equal(ebm_chains_diverged_count(chains), D_CHAINS);
    for (size_t i = 0; i < D_CHAINS * D_SIZE; i++)
        assert_true(isfinite(ebm_chains_states(chains)[i]));
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, -1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 1));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    for (size_t i = 0; i < D_CHAINS * D_SIZE; i++)
        assert_true(fabsf(ebm_chains_states(chains)[i]) <= 1);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void a_failing_energy_stops_the_run(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    float *before = healthy_states(context, D_CALL - 1);
    gaussian g = {.theta = 1, .size = D_SIZE, .fail_call = D_CALL};
    ebm_model *model = gaussian_model(context, &g);
    ebm_sampler *sampler = langevin(context, D_STEPS, 0.1, 0.3);
    ebm_chains *chains = gaussian_chains(context);
    uint64_t age = 0;
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.5));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_CALLBACK, "step 4");
    assert_same_bits(ebm_chains_states(chains), before, D_CHAINS * D_SIZE);
    assert_true(ebm_chains_step_count(chains) == D_CALL - 1);
    assert_ok(ebm_chains_age(chains, 0, &age));
    assert_true(age == D_CALL - 1);
    assert_int_equal(ebm_chains_diverged_count(chains), 0);
    assert_true(statistic(sampler, EBM_SAMPLER_STAT_STEPS) == D_CALL - 1);
    free(before);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void the_implied_temperature(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_sampler *sampler = NULL;
    double t = 77;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_implied_temperature(sampler, &t));
    assert_close(t, 1.25e-6, 0, 1e-14); /* the digits recipe */
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0.5));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, 1));
    assert_ok(ebm_sampler_implied_temperature(sampler, &t));
    assert_true(t == 1);
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0));
    assert_error(context, ebm_sampler_implied_temperature(sampler, &t),
                 EBM_ERROR_STATE, "step size");
    assert_status(ebm_sampler_implied_temperature(sampler, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_sampler_implied_temperature(NULL, &t), EBM_ERROR_HANDLE);
    assert_true(t == 1);
    ebm_sampler_destroy(sampler);
    ebm_context_destroy(context);
}

static void statistics_begin_at_zero(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_sampler *sampler = langevin(context, 1, 1, 1);
    double value = 77;
    for (int i = 0; i <= EBM_SAMPLER_STAT_DIVERGED; i++)
        assert_true(statistic(sampler, (ebm_sampler_statistic)i) == 0);
    assert_status(
        ebm_sampler_get_statistic(sampler, (ebm_sampler_statistic)6, &value),
        EBM_ERROR_ARGUMENT);
    assert_status(
        ebm_sampler_get_statistic(sampler, (ebm_sampler_statistic)-1, &value),
        EBM_ERROR_ARGUMENT);
    assert_status(
        ebm_sampler_get_statistic(sampler, EBM_SAMPLER_STAT_STEPS, NULL),
        EBM_ERROR_ARGUMENT);
    assert_status(
        ebm_sampler_get_statistic(NULL, EBM_SAMPLER_STAT_STEPS, &value),
        EBM_ERROR_HANDLE);
    assert_true(value == 77);
    ebm_sampler_destroy(sampler);
    ebm_context_destroy(context);
}

static void runs_are_checked_first(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_context *other = test_context_threads(1);
    ebm_model *model = small_model(context), *foreign = small_model(other);
    ebm_sampler *sampler = langevin(context, 5, 1, 0.1);
    ebm_chains *chains = NULL, *wider = NULL, *strange = NULL;
    assert_ok(ebm_chains_create(context, 3, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_create(context, 3, 5, 6, 2, 1, &wider));
    assert_ok(ebm_chains_create(other, 3, 6, 5, 2, 1, &strange));
    assert_ok(ebm_chains_init_uniform(chains, -1, 1));
    float *before = states_of(chains), *writable = NULL;
    assert_error(context, ebm_sampler_run(sampler, model, wider),
                 EBM_ERROR_SHAPE, "[5, 6, 2]");
    assert_error(context, ebm_sampler_run(sampler, foreign, chains),
                 EBM_ERROR_CONTEXT, "contexts");
    assert_error(context, ebm_sampler_run(sampler, model, strange),
                 EBM_ERROR_CONTEXT, "contexts");
    assert_status(ebm_sampler_run(NULL, model, chains), EBM_ERROR_HANDLE);
    assert_status(ebm_sampler_run(sampler, NULL, chains), EBM_ERROR_HANDLE);
    assert_status(ebm_sampler_run(sampler, model, NULL), EBM_ERROR_HANDLE);
    assert_status(
        ebm_sampler_run((ebm_sampler *)(void *)chains, model, chains),
        EBM_ERROR_HANDLE);
    assert_status(ebm_sampler_set_observer(NULL, 1, look, NULL),
                  EBM_ERROR_HANDLE);
    assert_ok(ebm_model_begin_write(model, &writable));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_STATE, "lent");
    assert_ok(ebm_model_end_write(model));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, 1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 0.5));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_RANGE, "state_min");
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 1));
    chains->steps = EBM_RANDOM_LIMIT - 4;
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_RANGE, "step");
    assert_same_bits(ebm_chains_states(chains), before, 3 * SIZE);
    chains->steps = EBM_RANDOM_LIMIT - 5;
    assert_ok(ebm_sampler_run(sampler, model, chains));
    /* Both bounds are 1. */
    assert_true(ebm_chains_states(chains)[7] == 1);
    free(before);
    ebm_chains_destroy(chains);
    ebm_chains_destroy(wider);
    ebm_chains_destroy(strange);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_model_destroy(foreign);
    ebm_context_destroy(context);
    ebm_context_destroy(other);
}

static void creation_is_checked(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_sampler *sampler = NULL;
    assert_error(context,
                 ebm_sampler_create(context, (ebm_sampler_kind)1, &sampler),
                 EBM_ERROR_ARGUMENT, "kind 1");
    assert_status(ebm_sampler_create(context, (ebm_sampler_kind)-1, &sampler),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_sampler_create(NULL, EBM_SAMPLER_LANGEVIN, &sampler),
                  EBM_ERROR_HANDLE);
    test_fail_at(&memory, 1, 0);
    assert_error(context,
                 ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler),
                 EBM_ERROR_MEMORY, "memory");
    assert_null(sampler);
    ebm_sampler_destroy(NULL);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* After the first run neither a run nor any of its steps asks for memory;
   when memory is short at the first, the chains stay where they are. */
static void check_memory(ebm_model *(*make)(ebm_context *context),
                         size_t height, size_t width, size_t channels)
{
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, 2));
    ebm_model *model = make(context);
    ebm_sampler *sampler = langevin(context, 10, 0.1, 0.1);
    ebm_chains *chains = NULL;
    size_t total = 7 * height * width * channels, failures = 0;
    assert_ok(
        ebm_chains_create(context, 7, height, width, channels, 1, &chains));
    assert_ok(ebm_chains_init_uniform(chains, -1, 1));
    float *before = states_of(chains);
    for (size_t n = 1;; n++) {
        test_fail_at(&memory, n, 0);
        ebm_status status = ebm_sampler_run(sampler, model, chains);
        if (status == EBM_OK)
            break;
        assert_error(context, status, EBM_ERROR_MEMORY, "memory");
        assert_same_bits(ebm_chains_states(chains), before, total);
        assert_true(ebm_chains_step_count(chains) == 0);
        failures++;
    }
    assert_true(failures >= 1);
    test_fail_at(&memory, 0, 0);
    static const double steps[] = {10, 100, 1};
    for (size_t i = 0; i < TEST_COUNT(steps); i++) {
        size_t allocations = memory.allocations;
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps[i]));
        assert_ok(ebm_sampler_run(sampler, model, chains));
        assert_int_equal(memory.allocations, allocations);
    }
    free(before);
    /* Any order will do. */
    ebm_context_destroy(context);
    ebm_model_destroy(model);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    assert_no_leaks(&memory);
}

static ebm_model *make_gaussian(ebm_context *context)
{
    static gaussian g = {.theta = 1, .size = D_SIZE};
    return gaussian_model(context, &g);
}

static void no_step_allocates(void **state)
{
    (void)state;
    check_memory(small_model, 6, 5, 2);
    check_memory(make_gaussian, 1, D_SIZE, 1);
}

/* One sampler moves chains of several models and sizes in turn. */
static void samplers_change_models(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    gaussian g = {.theta = 1, .size = D_SIZE};
    ebm_model *small = small_model(context);
    ebm_model *custom = gaussian_model(context, &g);
    ebm_sampler *sampler = langevin(context, 4, 0.1, 0.1);
    static const size_t counts[] = {3, 40, 5, 1};
    for (size_t i = 0; i < 2 * TEST_COUNT(counts); i++) {
        ebm_sampler *fresh = langevin(context, 4, 0.1, 0.1);
        ebm_sampler *samplers[] = {sampler, fresh};
        float *states[2];
        size_t n = counts[i / 2], size = i % 2 ? D_SIZE : SIZE;
        for (int k = 0; k < 2; k++) {
            ebm_chains *chains = NULL;
            if (i % 2)
                assert_ok(
                    ebm_chains_create(context, n, 1, D_SIZE, 1, i, &chains));
            else
                assert_ok(ebm_chains_create(context, n, 6, 5, 2, i, &chains));
            assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS,
                                      (double)(1 + i % 3)));
            assert_ok(
                ebm_sampler_run(samplers[k], i % 2 ? custom : small, chains));
            states[k] = states_of(chains);
            ebm_chains_destroy(chains);
        }
        assert_same_bits(states[0], states[1], n * size);
        free(states[0]);
        free(states[1]);
        ebm_sampler_destroy(fresh);
    }
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(custom);
    ebm_model_destroy(small);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stationary_law_is_right),
        cmocka_unit_test(the_transient_law_is_right),
        cmocka_unit_test(chains_and_coordinates_are_independent),
        cmocka_unit_test(steps_follow_the_equations),
        cmocka_unit_test(ages_and_steps_are_counted),
        cmocka_unit_test(a_still_step_moves_nothing),
        cmocka_unit_test(observers_see_the_right_steps),
        cmocka_unit_test(observers_can_stop_a_run),
        cmocka_unit_test(diverged_chains_stop_alone),
        cmocka_unit_test(a_diverged_row_spoils_no_slab),
        cmocka_unit_test(runaway_chains_are_caught),
        cmocka_unit_test(a_failing_energy_stops_the_run),
        cmocka_unit_test(the_implied_temperature),
        cmocka_unit_test(statistics_begin_at_zero),
        cmocka_unit_test(runs_are_checked_first),
        cmocka_unit_test(creation_is_checked),
        cmocka_unit_test(no_step_allocates),
        cmocka_unit_test(samplers_change_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
