/* What goes wrong while sampling: chains that diverge, callbacks that fail,
   wrong arguments, and memory. */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

#include "chains/chains.h"
#include "core/random.h"

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
    test_gaussian g = {.theta = 1, .size = D_SIZE};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, steps, 0.1, 0.3);
    ebm_chains *chains = gaussian_chains(context);
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.5));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    float *states = test_states(chains);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return states;
}

/* Divides the run into segments, no more. */
static int pass_by(size_t step, const ebm_chains *chains, void *user)
{
    (void)step;
    (void)chains;
    (void)user;
    return 0;
}

static void scale_parameters(ebm_model *model, float factor)
{
    float *parameters = NULL;
    assert_ok(ebm_model_begin_write(model, &parameters));
    for (size_t i = 0; i < ebm_model_parameter_count(model); i++)
        parameters[i] *= factor;
    assert_ok(ebm_model_end_write(model));
}

/* One chain's energy or gradient is spoiled at the fourth step. */
static void check_divergence(float energy_spoil, float grad_spoil,
                             size_t observe)
{
    ebm_context *context = test_context_threads(2);
    float *ended = healthy_states(context, D_STEPS);
    float *before = healthy_states(context, D_CALL - 1);
    test_gaussian g = {.theta = 1,
                       .size = D_SIZE,
                       .spoil_call = D_CALL,
                       .spoil_row = D_BAD,
                       .energy_spoil = energy_spoil,
                       .grad_spoil = grad_spoil};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, D_STEPS, 0.1, 0.3);
    ebm_chains *chains = gaussian_chains(context);
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.5));
    if (observe)
        assert_ok(ebm_sampler_set_observer(sampler, observe, pass_by, NULL));
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
    assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_DIVERGED) == 1);
    assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_COORDINATES) ==
                D_SIZE * ((D_CHAINS - 1) * D_STEPS + D_CALL - 1));
    /* Once marked it stays, and is no error of later runs. */
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_same_bits(x + D_BAD * D_SIZE, before + D_BAD * D_SIZE, D_SIZE);
    assert_other_bits(x, ended, D_SIZE);
    assert_int_equal(ebm_chains_diverged_count(chains), 1);
    assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_DIVERGED) == 0);
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
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_sampler *sampler = test_langevin(context, 4, 1e-3, 0.1);
    float x[N * REF_SMALL_SIZE];
    float *right = NULL;
    uint64_t random = 5, step = 0;
    /* Weights that make the largest states overflow, and no others. */
    scale_parameters(model, 10);
    test_fill_normal(&random, x, N * REF_SMALL_SIZE, 1);
    for (int spoiled = 0; spoiled < 2; spoiled++) {
        ebm_chains *chains = NULL;
        assert_ok(ebm_chains_create(context, N, 6, 5, 2, 1, &chains));
        for (size_t i = 0; i < REF_SMALL_SIZE && spoiled; i++)
            x[BAD * REF_SMALL_SIZE + i] = i % 2 ? 3e38f : -3e38f;
        assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
        assert_status(ebm_sampler_run(sampler, model, chains),
                      spoiled ? EBM_ERROR_DIVERGED : EBM_OK);
        const float *states = ebm_chains_states(chains);
        if (!spoiled)
            right = test_states(chains);
        for (size_t i = 0; i < N; i++) {
            assert_ok(ebm_chains_diverged(chains, i, &step));
            assert_true(step == (spoiled && i == BAD));
            assert_same_bits(states + i * REF_SMALL_SIZE,
                             (step ? x : right) + i * REF_SMALL_SIZE,
                             REF_SMALL_SIZE);
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
    test_gaussian g = {.theta = 1, .size = D_SIZE};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, 300, 11, 0.1);
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
    test_gaussian g = {.theta = 1, .size = D_SIZE, .fail_call = D_CALL};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, D_STEPS, 0.1, 0.3);
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
    assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_STEPS) == D_CALL - 1);
    free(before);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void runs_are_checked_first(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_context *other = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 4, 8),
              *foreign = ref_small_model(other, 4, 8);
    ebm_sampler *sampler = test_langevin(context, 5, 1, 0.1);
    ebm_chains *chains = NULL, *wider = NULL, *strange = NULL;
    assert_ok(ebm_chains_create(context, 3, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_create(context, 3, 5, 6, 2, 1, &wider));
    assert_ok(ebm_chains_create(other, 3, 6, 5, 2, 1, &strange));
    assert_ok(ebm_chains_init_uniform(chains, -1, 1));
    float *before = test_states(chains), *writable = NULL;
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
    assert_status(ebm_sampler_set_observer(NULL, 1, pass_by, NULL),
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
    assert_same_bits(ebm_chains_states(chains), before, 3 * REF_SMALL_SIZE);
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
                 ebm_sampler_create(context, (ebm_sampler_kind)6, &sampler),
                 EBM_ERROR_ARGUMENT, "kind 6");
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
    ebm_sampler *sampler = test_langevin(context, 10, 0.1, 0.1);
    ebm_chains *chains = NULL;
    size_t total = 7 * height * width * channels, failures = 0;
    assert_ok(
        ebm_chains_create(context, 7, height, width, channels, 1, &chains));
    assert_ok(ebm_chains_init_uniform(chains, -1, 1));
    float *before = test_states(chains);
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

static ebm_model *make_small(ebm_context *context)
{
    return ref_small_model(context, 4, 8);
}

static ebm_model *make_gaussian(ebm_context *context)
{
    static test_gaussian g = {.theta = 1, .size = D_SIZE};
    return test_gaussian_model(context, &g);
}

static void no_step_allocates(void **state)
{
    (void)state;
    check_memory(make_small, 6, 5, 2);
    check_memory(make_gaussian, 1, D_SIZE, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diverged_chains_stop_alone),
        cmocka_unit_test(a_diverged_row_spoils_no_slab),
        cmocka_unit_test(runaway_chains_are_caught),
        cmocka_unit_test(a_failing_energy_stops_the_run),
        cmocka_unit_test(runs_are_checked_first),
        cmocka_unit_test(creation_is_checked),
        cmocka_unit_test(no_step_allocates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
