/* Observers: when they are called, and that they only watch. */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

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
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_sampler *sampler = test_langevin(context, 10, 1, 0.1);
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
            right = test_states(chains);
        assert_same_bits(ebm_chains_states(chains), right,
                         11 * REF_SMALL_SIZE);
        assert_int_equal(s.count, c ? cases[c - 1].count : 0);
        assert_false(s.other_thread);
        for (size_t i = 0; i < s.count; i++) {
            assert_int_equal(s.steps[i], cases[c - 1].steps[i]);
            assert_true(s.step_counts[i] == s.steps[i]);
        }
        if (c)
            assert_true(s.first[s.count - 1] == right[0]);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_STEPS) == 10);
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
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_sampler *sampler = test_langevin(context, 10, 1, 0.1);
    ebm_sampler *shorter = test_langevin(context, 6, 1, 0.1);
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
                     5 * REF_SMALL_SIZE);
    assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_STEPS) == 6);
    assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_COORDINATES) ==
                6 * 5 * REF_SMALL_SIZE);
    ebm_chains_destroy(chains);
    ebm_chains_destroy(right);
    ebm_sampler_destroy(shorter);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observers_see_the_right_steps),
        cmocka_unit_test(observers_can_stop_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
