/*
 * Energies of the caller's own that call the library in the middle of a call:
 * they may let go of any handle, use other objects, and are turned down where
 * they would enter what is on its way.
 */
#include "ebm_test.h"
#include "quadratic.h"

#include "chains/chains.h"

enum { N = 5, SIZE = 4, DATA = 3 };

typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    ebm_loss *loss;
    ebm_report *report;
    test_quadratic quadratic;
    float states[N * SIZE], scale[N], energy[N], grad[N * SIZE];
    /* At the act_at-th callback, from 1 on, act() runs. */
    size_t calls, act_at;
    void (*act)(struct scene *s);
    /* What acts leave for the test. */
    ebm_status inner;
    char text[200];
    float number;
} scene;

static void called(void *argument)
{
    scene *s = argument;
    if (++s->calls == s->act_at)
        s->act(s);
}

static ebm_model *make_model(ebm_context *context, scene *s)
{
    const float theta = 0.5f;
    ebm_model *model = NULL;
    s->quadratic =
        (test_quadratic){.size = SIZE, .called = called, .argument = s};
    assert_ok(ebm_model_create_custom(context, 1, SIZE, 1, &test_quadratic_ops,
                                      &s->quadratic, &model));
    assert_ok(ebm_model_set_parameters(model, 0, &theta, 1));
    return model;
}

/* Chains with a tail of 2 steps, and a loss with all its parts. */
static void begin(scene *s, ebm_context *context)
{
    uint64_t random = 3;
    *s = (scene){.context = context, .inner = EBM_STATUS_MAX};
    test_fill_normal(&random, s->states, N * SIZE, 1);
    for (size_t i = 0; i < N; i++)
        s->scale[i] = 1;
    s->model = make_model(context, s);
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &s->sampler));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 4));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, 2));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, 0.1));
    assert_ok(ebm_chains_create(context, N, 1, SIZE, 1, 1, &s->chains));
    assert_ok(
        ebm_chains_set_states(s->chains, s->states, NULL, EBM_ORIGIN_DATA));
    assert_ok(ebm_loss_create(context, EBM_LOSS_CD, &s->loss));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
    assert_ok(ebm_report_create(context, &s->report));
    assert_ok(ebm_sampler_run(s->sampler, s->model, s->chains));
    s->calls = 0;
}

static void end(scene *s)
{
    ebm_report_destroy(s->report);
    ebm_loss_destroy(s->loss);
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static ebm_status do_energy(scene *s)
{
    return ebm_model_energy(s->model, s->states, NULL, N, s->energy);
}

static ebm_status do_energy_grad(scene *s)
{
    return ebm_model_energy_grad(s->model, s->states, NULL, N, s->energy,
                                 s->grad);
}

static ebm_status do_backward(scene *s)
{
    return ebm_model_backward(s->model, s->states, NULL, N, s->scale,
                              s->energy);
}

static ebm_status do_hessian_vector(scene *s)
{
    return ebm_model_hessian_vector(s->model, s->states, NULL, N, s->states,
                                    s->grad);
}

static ebm_status do_mixed(scene *s)
{
    return ebm_model_mixed_backward(s->model, s->states, NULL, N, s->states,
                                    s->scale, s->grad);
}

static ebm_status do_run(scene *s)
{
    return ebm_sampler_run(s->sampler, s->model, s->chains);
}

static ebm_status do_loss(scene *s)
{
    return ebm_loss_backward(s->loss, s->model, s->states, NULL, DATA,
                             s->chains, s->report);
}

typedef ebm_status (*call_fn)(scene *s);
static const call_fn calls[] = {
    do_energy, do_energy_grad, do_backward, do_hessian_vector,
    do_mixed,  do_run,         do_loss};

/* How many callbacks a call makes. */
static size_t callbacks_of(call_fn call)
{
    scene s;
    begin(&s, test_context_threads(1));
    assert_ok(call(&s));
    size_t count = s.calls;
    end(&s);
    return count;
}

/* ---- Letting go -----------------------------------------------------------
 */

/* From the first to the last, or back. */
static void destroy_all(scene *s)
{
    end(s);
}

static void destroy_all_backward(scene *s)
{
    ebm_context_destroy(s->context);
    ebm_model_destroy(s->model);
    ebm_sampler_destroy(s->sampler);
    ebm_chains_destroy(s->chains);
    ebm_loss_destroy(s->loss);
    ebm_report_destroy(s->report);
}

/* At each callback of each call everything goes; the call ends as it would
   have, and all memory with it. */
static void callbacks_may_destroy(void **state)
{
    (void)state;
    void (*const acts[])(scene *) = {destroy_all, destroy_all_backward};
    for (size_t c = 0; c < TEST_COUNT(calls); c++) {
        size_t count = callbacks_of(calls[c]);
        assert_true(count > 0);
        scene right;
        begin(&right, test_context_threads(1));
        assert_ok(calls[c](&right));
        for (size_t a = 0; a < 2; a++)
            for (size_t at = 1; at <= count; at++) {
                test_allocator memory;
                scene s;
                begin(&s, test_context(&memory));
                s.act = acts[a];
                s.act_at = at;
                assert_ok(calls[c](&s));
                assert_int_equal(s.calls, count);
                assert_same_bits(s.energy, right.energy, N);
                assert_same_bits(s.grad, right.grad, N * SIZE);
                assert_no_leaks(&memory);
            }
        end(&right);
    }
}

/* ---- Calling back ---------------------------------------------------------
 */

/* Another model, sampler, chains and loss in the middle of a call. */
static void use_others(scene *s)
{
    scene other;
    begin(&other, s->context);
    float theta[1];
    s->inner = do_run(&other);
    if (s->inner == EBM_OK)
        s->inner = do_loss(&other);
    memcpy(theta, ebm_model_gradient(other.model), sizeof theta);
    s->number = theta[0];
    other.context = NULL;
    end(&other);
}

/* This model once more, for something else. */
static void use_this_model(scene *s)
{
    float energy[N], grad[N * SIZE];
    s->inner =
        ebm_model_energy_grad(s->model, s->states, NULL, N, energy, grad);
    s->number = energy[0];
}

static void callbacks_may_call_the_library(void **state)
{
    (void)state;
    void (*const acts[])(scene *) = {use_others, use_this_model};
    for (size_t c = 0; c < TEST_COUNT(calls); c++) {
        size_t count = callbacks_of(calls[c]);
        scene right;
        begin(&right, test_context_threads(1));
        assert_ok(calls[c](&right));
        for (size_t a = 0; a < 2; a++)
            for (size_t at = 1; at <= count; at++) {
                scene s;
                begin(&s, test_context_threads(1));
                s.act = acts[a];
                s.act_at = at;
                assert_ok(calls[c](&s));
                assert_status(s.inner, EBM_OK);
                assert_true(isfinite(s.number) && s.number != 0);
                assert_same_bits(s.energy, right.energy, N);
                assert_same_bits(s.grad, right.grad, N * SIZE);
                assert_same_bits(ebm_chains_states(s.chains),
                                 ebm_chains_states(right.chains), N * SIZE);
                assert_same_bits(ebm_model_gradient(s.model),
                                 ebm_model_gradient(right.model), 1);
                end(&s);
            }
        end(&right);
    }
}

static void note_refusal(scene *s, ebm_status status)
{
    s->inner = status;
    snprintf(s->text, sizeof s->text, "%s",
             ebm_context_last_error(s->context));
}

static void enter_run(scene *s)
{
    note_refusal(s, do_run(s));
}

static void enter_loss(scene *s)
{
    note_refusal(s, do_loss(s));
}

static void enter_long_run(scene *s)
{
    ebm_sampler *other = NULL;
    ebm_sampler_create(s->context, EBM_SAMPLER_LANGEVIN, &other);
    ebm_sampler_set(other, EBM_SAMPLER_KEEP_STEPS, 50);
    note_refusal(s, ebm_sampler_run(other, s->model, s->chains));
    ebm_sampler_destroy(other);
}

static void set_array(scene *s)
{
    note_refusal(s, ebm_loss_set_entropy_array(s->loss, s->states, N, SIZE));
}

static void set_reference(scene *s)
{
    note_refusal(s, ebm_loss_set_entropy_reference(s->loss, NULL, 0));
}

static void enter_start(scene *s)
{
    note_refusal(s, ebm_chains_init_normal(s->chains, 0, 1));
}

/* A run and a pass can not be entered twice, and go on unharmed. */
static void calls_can_not_be_entered_twice(void **state)
{
    (void)state;
    static const struct {
        call_fn call;
        void (*act)(scene *);
        const char *word;
    } rows[] = {
        {do_run, enter_run, "run"},        {do_run, enter_loss, "run"},
        {do_run, enter_start, "run"},      {do_run, enter_long_run, "run"},
        {do_loss, enter_long_run, "loss"}, {do_loss, enter_start, "loss"},
        {do_loss, set_array, "pass"},      {do_loss, set_reference, "pass"},
        {do_loss, enter_loss, "pass"},
    };
    for (size_t r = 0; r < TEST_COUNT(rows); r++) {
        size_t count = callbacks_of(rows[r].call);
        scene right;
        begin(&right, test_context_threads(1));
        assert_ok(rows[r].call(&right));
        for (size_t at = 1; at <= count; at++) {
            scene s;
            begin(&s, test_context_threads(1));
            s.act = rows[r].act;
            s.act_at = at;
            assert_ok(rows[r].call(&s));
            assert_int_equal(s.calls, count);
            assert_status(s.inner, EBM_ERROR_STATE);
            assert_non_null(strstr(s.text, rows[r].word));
            assert_same_bits(ebm_chains_states(s.chains),
                             ebm_chains_states(right.chains), N * SIZE);
            assert_same_bits(ebm_model_gradient(s.model),
                             ebm_model_gradient(right.model), 1);
            /* And afterwards all is open again. */
            s.act_at = 0;
            assert_ok(do_run(&s));
            assert_ok(do_loss(&s));
            end(&s);
        }
        end(&right);
    }
}

/* A refused or failed call leaves nothing closed. */
static void failures_leave_all_open(void **state)
{
    (void)state;
    scene s;
    const float bad[N * SIZE] = {NAN};
    begin(&s, test_context_threads(1));
    assert_status(ebm_loss_backward(s.loss, s.model, bad, NULL, DATA, s.chains,
                                    s.report),
                  EBM_ERROR_NON_FINITE);
    assert_ok(do_loss(&s));
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, 5));
    assert_status(do_run(&s), EBM_ERROR_RANGE);
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, 4));
    assert_ok(do_run(&s));
    assert_ok(do_loss(&s));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_may_destroy),
        cmocka_unit_test(callbacks_may_call_the_library),
        cmocka_unit_test(calls_can_not_be_entered_twice),
        cmocka_unit_test(failures_leave_all_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
