/* Observers that do more than watch: what they may change, what is refused,
   and what they may let go of. */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

#include "chains/chains.h"
#include "chains/tail.h"

enum { N = 9, STEPS = 6 };

typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler, *other;
    ebm_chains *chains, *others;
    ebm_buffer *buffer;
    ebm_loss *loss;
    size_t at;
    int (*act)(struct scene *s);
    ebm_status inner[16];
    char texts[16][200];
    size_t count;
} scene;

static int observe(size_t step, const ebm_chains *chains, void *user)
{
    scene *s = user;
    (void)chains;
    return s->act && (!s->at || step == s->at) ? s->act(s) : 0;
}

static ebm_sampler *make_sampler(ebm_context *context)
{
    ebm_sampler *sampler = test_langevin(context, STEPS, 1, 0.1);
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, 4));
    return sampler;
}

static void begin(scene *s, ebm_context *context)
{
    *s = (scene){.context = context};
    s->model = ref_small_model(context, 4, 8);
    s->sampler = make_sampler(context);
    s->other = make_sampler(context);
    assert_ok(ebm_sampler_set_observer(s->sampler, 1, observe, s));
    assert_ok(ebm_chains_create(context, N, 6, 5, 2, 1, &s->chains));
    assert_ok(ebm_chains_create(context, N, 6, 5, 2, 2, &s->others));
    assert_ok(ebm_buffer_create(context, N, 6, 5, 2, 1, &s->buffer));
    assert_ok(ebm_buffer_fill_normal(s->buffer, N, 0, 1));
    assert_ok(ebm_loss_create(context, EBM_LOSS_KL, &s->loss));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
}

static void end(scene *s)
{
    ebm_loss_destroy(s->loss);
    ebm_buffer_destroy(s->buffer);
    ebm_chains_destroy(s->others);
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->other);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static ebm_status run(scene *s)
{
    return ebm_sampler_run(s->sampler, s->model, s->chains);
}

static ebm_status pass(scene *s)
{
    return ebm_loss_backward(s->loss, s->model, NULL, NULL, 0, s->chains,
                             NULL);
}

/* The states of a run without acts; free() them. */
static float *plain_run(void)
{
    scene s;
    begin(&s, test_context_threads(2));
    assert_ok(run(&s));
    float *states = test_states(s.chains);
    end(&s);
    return states;
}

static int destroy_all(scene *s)
{
    end(s);
    return 0;
}

static void observers_may_destroy(void **state)
{
    (void)state;
    for (size_t at = 1; at <= STEPS; at++) {
        test_allocator memory;
        scene s;
        begin(&s, test_context(&memory));
        s.act = destroy_all;
        s.at = at;
        assert_ok(run(&s));
        assert_no_leaks(&memory);
    }
}

static void note(scene *s, ebm_status status)
{
    if (s->count < TEST_COUNT(s->inner)) {
        snprintf(s->texts[s->count], sizeof *s->texts, "%s",
                 ebm_context_last_error(s->context));
        s->inner[s->count++] = status;
    }
}

static int meddle(scene *s)
{
    static const float states[N * REF_SMALL_SIZE];
    s->count = 0;
    note(s, ebm_sampler_run(s->sampler, s->model, s->chains));
    note(s, ebm_sampler_run(s->sampler, s->model, s->others));
    note(s, ebm_sampler_run(s->other, s->model, s->chains));
    note(s, ebm_chains_init_normal(s->chains, 0, 1));
    note(s, ebm_chains_init_uniform(s->chains, 0, 1));
    note(s, ebm_chains_set_states(s->chains, states, NULL, EBM_ORIGIN_NOISE));
    note(s, ebm_chains_set_first_stream(s->chains, 4));
    note(s, ebm_buffer_draw(s->buffer, s->chains));
    note(s, pass(s));
    return 0;
}

static void moving_chains_are_left_alone(void **state)
{
    (void)state;
    float *right = plain_run();
    for (size_t at = 0; at <= STEPS; at++) {
        scene s;
        begin(&s, test_context_threads(2));
        s.act = meddle;
        s.at = at;
        assert_ok(run(&s));
        assert_int_equal(s.count, 9);
        for (size_t i = 0; i < s.count; i++) {
            assert_status(s.inner[i], EBM_ERROR_STATE);
            assert_non_null(strstr(s.texts[i], "in the middle of a run"));
        }
        assert_same_bits(ebm_chains_states(s.chains), right,
                         N * REF_SMALL_SIZE);
        assert_true(ebm_chains_step_count(s.chains) == STEPS);
        assert_true(ebm_chains_step_count(s.others) == 0);
        assert_true(test_statistic(s.sampler, EBM_SAMPLER_STAT_STEPS) ==
                    STEPS);
        assert_ok(pass(&s));
        assert_ok(ebm_chains_init_normal(s.chains, 0, 1));
        end(&s);
    }
    free(right);
}

/* Another sampler on other chains is free to run. */
static int run_others(scene *s)
{
    note(s, ebm_sampler_run(s->other, s->model, s->others));
    return 0;
}

static void other_chains_may_move(void **state)
{
    (void)state;
    float *right = plain_run();
    scene s;
    begin(&s, test_context_threads(2));
    s.act = run_others;
    assert_ok(run(&s));
    assert_int_equal(s.count, STEPS);
    for (size_t i = 0; i < s.count; i++)
        assert_ok(s.inner[i]);
    assert_same_bits(ebm_chains_states(s.chains), right, N * REF_SMALL_SIZE);
    assert_true(ebm_chains_step_count(s.others) == STEPS * STEPS);
    end(&s);
    free(right);
}

static int lend(scene *s)
{
    float *parameters;
    note(s, ebm_model_begin_write(s->model, &parameters));
    return 0;
}

static void lent_parameters_end_a_run(void **state)
{
    (void)state;
    for (size_t at = 1; at <= STEPS; at++) {
        scene s;
        begin(&s, test_context_threads(1));
        s.act = lend;
        s.at = at;
        assert_error(s.context, run(&s), EBM_ERROR_STATE, "lent");
        assert_ok(s.inner[0]);
        assert_true(ebm_chains_step_count(s.chains) == at);
        assert_true(test_statistic(s.sampler, EBM_SAMPLER_STAT_STEPS) ==
                    (double)at);
        assert_ok(ebm_model_end_write(s.model));
        assert_status(pass(&s), EBM_ERROR_STATE);
        s.act = NULL;
        assert_ok(run(&s));
        assert_ok(pass(&s));
        end(&s);
    }
}

/* Each row's settings come at the next run. */
static int lengthen(scene *s)
{
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 1000));
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, 900));
    return 0;
}

static int shorten(scene *s)
{
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 1));
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, 0));
    return 0;
}

static int keep_too_many(scene *s)
{
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 2));
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, 1e9));
    return 0;
}

static void the_length_of_a_run_is_fixed(void **state)
{
    (void)state;
    int (*const acts[])(scene *) = {lengthen, shorten, keep_too_many};
    float *right = plain_run();
    for (size_t a = 0; a < TEST_COUNT(acts); a++)
        for (size_t at = 1; at <= STEPS; at++) {
            scene s;
            begin(&s, test_context_threads(2));
            s.act = acts[a];
            s.at = at;
            assert_ok(run(&s));
            assert_ok(s.inner[0]);
            assert_ok(s.inner[1]);
            assert_same_bits(ebm_chains_states(s.chains), right,
                             N * REF_SMALL_SIZE);
            assert_int_equal(s.chains->tail.kept, 4);
            assert_ok(pass(&s));
            end(&s);
        }
    free(right);
}

static int anneal(scene *s)
{
    double step;
    note(s, ebm_sampler_get(s->sampler, EBM_SAMPLER_STEP_SIZE, &step));
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, step / 2));
    return 0;
}

/* The same as runs of one step each; the tail knows each step's size. */
static void step_sizes_anneal(void **state)
{
    (void)state;
    scene s, right;
    begin(&s, test_context_threads(2));
    begin(&right, test_context_threads(2));
    s.act = anneal;
    assert_ok(run(&s));
    assert_ok(ebm_sampler_set(right.sampler, EBM_SAMPLER_KEEP_STEPS, 0));
    assert_ok(ebm_sampler_set(right.sampler, EBM_SAMPLER_STEPS, 1));
    for (int k = 0; k < STEPS; k++) {
        assert_ok(ebm_sampler_set(right.sampler, EBM_SAMPLER_STEP_SIZE,
                                  ldexp(1, -k)));
        assert_ok(run(&right));
    }
    assert_same_bits(ebm_chains_states(s.chains),
                     ebm_chains_states(right.chains), N * REF_SMALL_SIZE);
    assert_int_equal(s.chains->tail.kept, 4);
    for (int k = 0; k < 4; k++)
        assert_true(s.chains->tail.step_sizes[k] == ldexpf(1, -(k + 2)));
    assert_ok(pass(&s));
    end(&right);
    end(&s);
}

static int cross(scene *s)
{
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_STATE_MIN, 1));
    note(s, ebm_sampler_set(s->sampler, EBM_SAMPLER_STATE_MAX, -1));
    return 0;
}

static void crossed_bounds_end_a_run(void **state)
{
    (void)state;
    scene s;
    begin(&s, test_context_threads(1));
    s.act = cross;
    s.at = 2;
    assert_error(s.context, run(&s), EBM_ERROR_RANGE, "state_min");
    assert_true(ebm_chains_step_count(s.chains) == 2);
    assert_status(pass(&s), EBM_ERROR_STATE);
    end(&s);
}

static int write_parameter(scene *s)
{
    const float value = 0.5f;
    note(s, ebm_model_set_parameters(s->model, 0, &value, 1));
    return 0;
}

/* Steps with other parameters are no one trajectory. */
static void written_parameters_forget_the_tail(void **state)
{
    (void)state;
    for (size_t at = 1; at <= STEPS; at++) {
        scene s;
        begin(&s, test_context_threads(2));
        s.act = write_parameter;
        s.at = at;
        assert_ok(run(&s));
        assert_ok(s.inner[0]);
        assert_error(s.context, pass(&s), EBM_ERROR_STATE, "tail");
        s.act = NULL;
        assert_ok(run(&s));
        assert_ok(pass(&s));
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observers_may_destroy),
        cmocka_unit_test(moving_chains_are_left_alone),
        cmocka_unit_test(other_chains_may_move),
        cmocka_unit_test(lent_parameters_end_a_run),
        cmocka_unit_test(the_length_of_a_run_is_fixed),
        cmocka_unit_test(step_sizes_anneal),
        cmocka_unit_test(crossed_bounds_end_a_run),
        cmocka_unit_test(written_parameters_forget_the_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
