/* Transitions attached to a sampler. */
#include "ebm_test.h"
#include "gaussian.h"
#include "jumps.h"
#include "reference.h"

#include "chains/tail.h"

enum { STREAM = 5, CHAINS = 11, SMALL = REF_SMALL_SIZE, IMAGE = 30 };

static ebm_chains *small_chains(ebm_context *context, size_t n, uint64_t first)
{
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, n, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_set_first_stream(chains, first));
    return chains;
}

static ebm_sampler *jumping(ebm_context *context, double steps,
                            ebm_transition *jump, size_t every)
{
    ebm_sampler *sampler = test_langevin(context, steps, 1, 0.1);
    assert_ok(ebm_sampler_set_transition(sampler, jump, every));
    return sampler;
}

/* By hand: runs without, and apply in between. Also in two runs, with other
   threads, an observer, and chains by themselves. */
static int watch(size_t step, const ebm_chains *chains, void *user)
{
    size_t *sum = user;
    (void)chains;
    *sum = *sum * 32 + step;
    return 0;
}

static void runs_jump(void **state)
{
    (void)state;
    float right[CHAINS * SMALL];
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        ebm_model *model = ref_small_model(context, 4, 8);
        ebm_transition *jump = NULL, *parts[2];
        assert_ok(
            ebm_transition_create(context, EBM_TRANSITION_CROP, &parts[0]));
        assert_ok(
            ebm_transition_create(context, EBM_TRANSITION_FLIP, &parts[1]));
        assert_ok(ebm_transition_create_sequence(context, parts, 2, &jump));
        assert_ok(ebm_transition_set(jump, EBM_TRANSITION_RANGE_MIN, -9));
        assert_ok(ebm_transition_set(jump, EBM_TRANSITION_RANGE_MAX, 9));
        ebm_chains *chains = small_chains(context, CHAINS, STREAM);
        if (threads == 1) {
            ebm_sampler *plain = test_langevin(context, 4, 1, 0.1);
            for (uint64_t k = 0; k < 12; k += 4) {
                if (k)
                    assert_ok(ebm_transition_apply(jump, chains->states, NULL,
                                                   CHAINS, 6, 5, 2, 1, STREAM,
                                                   k));
                assert_ok(ebm_sampler_run(plain, model, chains));
            }
            memcpy(right, chains->states, sizeof right);
            assert_true(test_transitions(chains, 0) == 0);
            ebm_sampler_destroy(plain);
            ebm_chains_destroy(chains);
            chains = small_chains(context, CHAINS, STREAM);
        }
        ebm_sampler *sampler = jumping(context, 12, jump, 4);
        size_t seen = 0;
        assert_ok(ebm_sampler_set_observer(sampler, 3, watch, &seen));
        assert_ok(ebm_sampler_run(sampler, model, chains));
        assert_int_equal(seen, ((3 * 32 + 6) * 32 + 9) * 32 + 12);
        assert_same_bits(chains->states, right, CHAINS * SMALL);
        for (size_t i = 0; i < CHAINS; i++) {
            assert_true(test_transitions(chains, i) == 2);
            assert_true(chains->ages[i] == 12);
            assert_int_equal(chains->origins[i], EBM_ORIGIN_NOISE);
        }
        assert_true(ebm_chains_step_count(chains) == 12);
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_STEPS) == 12);
        ebm_chains_destroy(chains);
        /* 7 + 1 + 4 steps. */
        chains = small_chains(context, CHAINS, STREAM);
        static const double cut[] = {7, 1, 4};
        for (int k = 0; k < 3; k++) {
            assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, cut[k]));
            assert_ok(ebm_sampler_run(sampler, model, chains));
        }
        assert_same_bits(chains->states, right, CHAINS * SMALL);
        ebm_chains_destroy(chains);
        /* Two objects: streams 5 to 7, and 8 to 15. */
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 12));
        for (size_t first = 0, n = 3; first < CHAINS; first += n, n = 8) {
            chains = small_chains(context, n, STREAM + first);
            assert_ok(ebm_sampler_run(sampler, model, chains));
            assert_same_bits(chains->states, right + first * SMALL, n * SMALL);
            ebm_chains_destroy(chains);
        }
        ebm_sampler_destroy(sampler);
        ebm_transition_destroy(parts[0]);
        ebm_transition_destroy(parts[1]);
        ebm_transition_destroy(jump);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
}

/* When: before a step, counted from a start or a draw, never at the end. */
static void jumps_come_when_due(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    test_gaussian g = {.theta = 1, .size = IMAGE};
    ebm_chains *chains = NULL;
    ebm_buffer *buffer = NULL;
    ebm_model *model = test_gaussian_model(context, &g);
    test_adder a = {.add = 1};
    ebm_transition *jump = test_adding(context, &a);
    ebm_sampler *sampler = jumping(context, 10, jump, 10);
    assert_ok(ebm_chains_create(context, 2, 1, IMAGE, 1, 1, &chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(a.calls, 0);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(a.calls, 1);
    /* Starts and draws begin to count anew. */
    assert_ok(ebm_chains_init_uniform(chains, 0, 1));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(a.calls, 1);
    assert_ok(ebm_buffer_create(context, 4, 1, IMAGE, 1, 1, &buffer));
    assert_ok(ebm_buffer_fill_uniform(buffer, 4, 0, 1));
    assert_ok(ebm_buffer_draw(buffer, chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(a.calls, 1);
    /* A chain that diverged does not jump. */
    chains->diverged[1] = 3;
    float stays = chains->states[IMAGE];
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(a.calls, 2);
    assert_int_equal(a.images, 3);
    assert_true(chains->states[IMAGE] == stays);
    assert_true(test_transitions(chains, 0) == 1 &&
                test_transitions(chains, 1) == 0);
    chains->diverged[1] = 0;
    /* Every step but the first. */
    assert_ok(ebm_sampler_set_transition(sampler, jump, 1));
    assert_ok(ebm_chains_init_uniform(chains, 0, 1));
    a.calls = 0;
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(a.calls, 9);
    /* Taken away. */
    assert_ok(ebm_sampler_set_transition(sampler, NULL, 0));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(a.calls, 9);
    ebm_transition_destroy(jump);
    ebm_sampler_destroy(sampler);
    ebm_buffer_destroy(buffer);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static int stop_jumping(size_t step, const ebm_chains *chains, void *user)
{
    (void)chains;
    return step == 6 &&
           ebm_transition_set(user, EBM_TRANSITION_PROBABILITY, 0) != EBM_OK;
}

/* What an observer sets holds from the next jump on. */
static void settings_may_change_in_a_run(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    test_gaussian g = {.theta = 1, .size = IMAGE};
    ebm_chains *chains = NULL;
    ebm_model *model = test_gaussian_model(context, &g);
    test_adder a = {.add = 1};
    ebm_transition *jump = test_adding(context, &a);
    ebm_sampler *sampler = jumping(context, 10, jump, 2);
    assert_ok(ebm_chains_create(context, 2, 1, IMAGE, 1, 1, &chains));
    assert_ok(ebm_sampler_set_observer(sampler, 3, stop_jumping, jump));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    /* Before steps 3 and 5; not before 7 and 9. */
    assert_int_equal(a.calls, 2);
    assert_true(test_transitions(chains, 0) == 2);
    ebm_transition_destroy(jump);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Kept steps: after the last jump, or not at all. */
static void tails_begin_after_the_last_jump(void **state)
{
    (void)state;
    static const struct {
        double steps, every, kept;
        size_t before;
        int is_fine;
    } rows[] = {
        {10, 4, 2, 0, 1}, {10, 4, 3, 0, 0},  {10, 10, 10, 0, 1},
        {10, 9, 1, 0, 1}, {10, 9, 2, 0, 0},  {10, 4, 4, 2, 1},
        {10, 4, 5, 2, 0}, {10, 4, 1, 3, 1},  {10, 4, 2, 3, 0},
        {10, 9, 8, 7, 1}, {10, 9, 9, 7, 0},  {10, 4, 2, 9, 1},
        {10, 4, 3, 9, 0}, {10, 4, 0, 0, 1},  {10, 1, 1, 0, 1},
        {10, 1, 2, 0, 0}, {4, 100, 4, 0, 1}, {4, 3, 4, 9, 0},
        {4, 4, 4, 9, 1},
    };
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_transition *flip = NULL;
    assert_ok(ebm_transition_create(context, EBM_TRANSITION_FLIP, &flip));
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        ebm_sampler *plain =
            rows[i].before
                ? test_langevin(context, (double)rows[i].before, 1, 0.1)
                : NULL;
        ebm_sampler *sampler =
            jumping(context, rows[i].steps, flip, (size_t)rows[i].every);
        ebm_chains *chains = small_chains(context, 3, 0);
        assert_ok(
            ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, rows[i].kept));
        if (plain)
            assert_ok(ebm_sampler_run(plain, model, chains));
        if (rows[i].is_fine) {
            assert_ok(ebm_sampler_run(sampler, model, chains));
            if (rows[i].kept > 0)
                assert_ok(ebm_tail_check_current(chains, model));
        } else {
            uint64_t steps = ebm_chains_step_count(chains);
            assert_error(context, ebm_sampler_run(sampler, model, chains),
                         EBM_ERROR_RANGE, "jump");
            assert_true(ebm_chains_step_count(chains) == steps);
        }
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(plain);
        ebm_sampler_destroy(sampler);
    }
    ebm_transition_destroy(flip);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void faults_of_a_run(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_chains *chains = small_chains(context, 3, 0);
    test_adder a = {.add = 1, .fail_call = 2};
    ebm_transition *jump = test_adding(context, &a), *grey = NULL;
    ebm_sampler *sampler = jumping(context, 10, jump, 2);
    float before[3 * SMALL];
    assert_error(context, ebm_sampler_set_transition(sampler, jump, 0),
                 EBM_ERROR_ARGUMENT, "0");
    assert_status(ebm_sampler_set_transition(NULL, jump, 1), EBM_ERROR_HANDLE);
    assert_status(ebm_sampler_set_transition(
                      sampler, (ebm_transition *)(void *)sampler, 1),
                  EBM_ERROR_HANDLE);
    ebm_context *other = test_context_threads(1);
    ebm_transition *foreign = test_adding(other, &a);
    assert_status(ebm_sampler_set_transition(sampler, foreign, 1),
                  EBM_ERROR_CONTEXT);
    ebm_transition_destroy(foreign);
    ebm_context_destroy(other);
    /* Before anything moves. */
    assert_ok(ebm_transition_create(context, EBM_TRANSITION_GRAYSCALE, &grey));
    assert_ok(ebm_sampler_set_transition(sampler, grey, 100));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_SHAPE, "channels");
    assert_ok(ebm_sampler_set_transition(sampler, jump, 2));
    memcpy(before, chains->states, sizeof before);
    for (size_t n = 1, failed = 1; failed; n++) {
        test_fail_at(&memory, n, 0);
        ebm_status status = ebm_sampler_run(sampler, model, chains);
        test_fail_at(&memory, 0, 0);
        failed = status == EBM_ERROR_MEMORY;
        if (failed) {
            assert_same_bits(chains->states, before, 3 * SMALL);
            assert_int_equal(a.calls, 0);
        } else {
            /* The second jump fails: 4 steps were carried out. */
            assert_int_equal(status, EBM_ERROR_CALLBACK);
        }
    }
    assert_true(ebm_chains_step_count(chains) == 4);
    assert_true(chains->ages[0] == 4 && test_transitions(chains, 0) == 1);
    a.spoils = 1;
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_NON_FINITE, "finite");
    assert_true(ebm_chains_step_count(chains) == 4);
    assert_int_equal(ebm_chains_diverged_count(chains), 0);
    ebm_transition_destroy(grey);
    ebm_transition_destroy(jump);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* A transition's callback within a run. */
typedef struct run_meddler {
    ebm_sampler *sampler;
    ebm_model *model;
    ebm_chains *chains;
    ebm_transition *transition;
    ebm_status answers[3];
    int lends;
    float *lent;
} run_meddler;

static void meddle_with_run(void *argument)
{
    run_meddler *m = argument;
    m->answers[0] = ebm_sampler_run(m->sampler, m->model, m->chains);
    m->answers[1] = ebm_sampler_set_transition(m->sampler, NULL, 1);
    m->answers[2] = ebm_chains_init_normal(m->chains, 0, 1);
    if (m->lends) {
        ebm_model_begin_write(m->model, &m->lent);
        return;
    }
    ebm_sampler_destroy(m->sampler);
    ebm_chains_destroy(m->chains);
    ebm_model_destroy(m->model);
    ebm_transition_destroy(m->transition);
}

static void callbacks_may_meddle(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_chains *chains = small_chains(context, 3, 0);
    run_meddler m = {.model = model, .chains = chains, .lends = 1};
    test_adder a = {.add = 1, .called = meddle_with_run, .argument = &m};
    m.transition = test_adding(context, &a);
    m.sampler = jumping(context, 4, m.transition, 3);
    /* Parameters that are lent stop the run, after the jump. */
    assert_error(context, ebm_sampler_run(m.sampler, model, chains),
                 EBM_ERROR_STATE, "parameters");
    assert_ok(ebm_model_end_write(model));
    m.lends = 0;
    assert_true(ebm_chains_step_count(chains) == 3);
    assert_ok(ebm_sampler_set(m.sampler, EBM_SAMPLER_STEPS, 5));
    assert_ok(ebm_sampler_run(m.sampler, model, chains));
    assert_int_equal(a.calls, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m.answers[i], EBM_ERROR_STATE);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_jump),
        cmocka_unit_test(jumps_come_when_due),
        cmocka_unit_test(settings_may_change_in_a_run),
        cmocka_unit_test(tails_begin_after_the_last_jump),
        cmocka_unit_test(faults_of_a_run),
        cmocka_unit_test(callbacks_may_meddle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
