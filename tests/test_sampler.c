/* The Langevin sampler: its steps one by one against the reference, and its
   counters. */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

#include "core/random.h"

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
    static double x[CHAINS][REF_SMALL_SIZE];
    float start[CHAINS * REF_SMALL_SIZE], flat[CHAINS * REF_SMALL_SIZE];
    uint64_t random = seed;
    ebm_chains *chains = NULL;
    ebm_sampler *sampler = test_langevin(context, 5, STEP, STD);
    int decided = 1;
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, CLIP));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, LOW));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, HIGH));
    test_fill_uniform(&random, start, CHAINS * REF_SMALL_SIZE, -0.4, 0.4);
    assert_ok(ebm_chains_create(context, CHAINS, 6, 5, 2, seed, &chains));
    assert_ok(ebm_chains_set_first_stream(chains, FIRST_STREAM));
    assert_ok(ebm_chains_set_states(chains, start, NULL, EBM_ORIGIN_DATA));
    for (size_t i = 0; i < CHAINS * REF_SMALL_SIZE; i++)
        x[i / REF_SMALL_SIZE][i % REF_SMALL_SIZE] = start[i];
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
        for (size_t i = 0; i < CHAINS * REF_SMALL_SIZE; i++)
            flat[i] = (float)x[i / REF_SMALL_SIZE][i % REF_SMALL_SIZE];
        assert_arrays_close(ebm_chains_states(chains), flat,
                            CHAINS * REF_SMALL_SIZE, 1e-5);
        assert_true(r.clipped > 100 && r.clamped_noise > 100 &&
                    r.clamped_step > 100);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_CLIPPED) ==
                    r.clipped);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_CLAMPED_NOISE) ==
                    r.clamped_noise);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_CLAMPED_STEP) ==
                    r.clamped_step);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_COORDINATES) ==
                    5 * CHAINS * REF_SMALL_SIZE);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_STEPS) == 5);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_DIVERGED) == 0);
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
    ref_small(&ref);
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
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_sampler *sampler = test_langevin(context, 7, 1, 0.1);
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
    float *start = test_states(chains);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    uint64_t age = 0;
    assert_ok(ebm_chains_age(chains, 0, &age));
    assert_true(age == 7 && ebm_chains_step_count(chains) == 21);
    float *first = test_states(chains);
    assert_ok(ebm_chains_set_states(chains, start, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_other_bits(first, ebm_chains_states(chains), 5 * REF_SMALL_SIZE);
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
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_sampler *sampler = test_langevin(context, 3, 0, 0);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, 5, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    float *before = test_states(chains);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_same_bits(ebm_chains_states(chains), before, 5 * REF_SMALL_SIZE);
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
    ebm_sampler *sampler = test_langevin(context, 1, 1, 1);
    double value = 77;
    for (int i = 0; i <= EBM_SAMPLER_STAT_ACCEPTANCE; i++)
        assert_true(test_statistic(sampler, (ebm_sampler_statistic)i) == 0);
    assert_status(
        ebm_sampler_get_statistic(sampler, (ebm_sampler_statistic)11, &value),
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

enum { OTHER_SIZE = 37 };

/* One sampler moves chains of several models and sizes in turn. */
static void samplers_change_models(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    test_gaussian g = {.theta = 1, .size = OTHER_SIZE};
    ebm_model *small = ref_small_model(context, 4, 8);
    ebm_model *custom = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, 4, 0.1, 0.1);
    static const size_t counts[] = {3, 40, 5, 1};
    for (size_t i = 0; i < 2 * TEST_COUNT(counts); i++) {
        ebm_sampler *fresh = test_langevin(context, 4, 0.1, 0.1);
        ebm_sampler *samplers[] = {sampler, fresh};
        float *states[2];
        size_t n = counts[i / 2], size = i % 2 ? OTHER_SIZE : REF_SMALL_SIZE;
        for (int k = 0; k < 2; k++) {
            ebm_chains *chains = NULL;
            if (i % 2)
                assert_ok(ebm_chains_create(context, n, 1, OTHER_SIZE, 1, i,
                                            &chains));
            else
                assert_ok(ebm_chains_create(context, n, 6, 5, 2, i, &chains));
            assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS,
                                      (double)(1 + i % 3)));
            assert_ok(
                ebm_sampler_run(samplers[k], i % 2 ? custom : small, chains));
            states[k] = test_states(chains);
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
        cmocka_unit_test(steps_follow_the_equations),
        cmocka_unit_test(ages_and_steps_are_counted),
        cmocka_unit_test(a_still_step_moves_nothing),
        cmocka_unit_test(the_implied_temperature),
        cmocka_unit_test(statistics_begin_at_zero),
        cmocka_unit_test(samplers_change_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
