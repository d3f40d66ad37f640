/* The tail of a trajectory: when there is none, and what is refused without a
   trace. */
#include "ebm_test.h"
#include "quadratic.h"
#include "trace.h"

#include "chains/tail.h"
#include "model/model.h"

enum { N = 4, SIZE = 2, T = 6 };

typedef struct scene {
    test_quadratic fault;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    ebm_loss *loss;
    ebm_report *report;
    float states[N * SIZE];
    test_trace trace;
} scene;

static ebm_model *make_model(scene *s, ebm_tangent_fn function)
{
    const float theta = 0.5f;
    ebm_model *model = NULL;
    ebm_energy_ops ops = test_quadratic_ops;
    ops.tangent = function;
    assert_ok(ebm_model_create_custom(s->context, 1, 1, SIZE, &ops, &s->fault,
                                      &model));
    assert_ok(ebm_model_set_parameters(model, 0, &theta, 1));
    return model;
}

static void begin(scene *s, ebm_context *context)
{
    uint64_t random = 3;
    memset(s, 0, sizeof *s);
    s->context = context;
    s->fault.size = SIZE;
    test_fill_normal(&random, s->states, N * SIZE, 1);
    s->model = make_model(s, test_quadratic_ops.tangent);
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &s->sampler));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, T));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, 3));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, 0.1));
    assert_ok(ebm_chains_create(context, N, 1, 1, SIZE, 1, &s->chains));
    assert_ok(
        ebm_chains_set_states(s->chains, s->states, NULL, EBM_ORIGIN_DATA));
    assert_ok(ebm_loss_create(context, EBM_LOSS_KL, &s->loss));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
    assert_ok(ebm_report_create(context, &s->report));
}

static void end(scene *s)
{
    ebm_report_destroy(s->report);
    ebm_loss_destroy(s->loss);
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
}

static ebm_status backward(scene *s)
{
    return ebm_loss_backward(s->loss, s->model, NULL, NULL, 0, s->chains,
                             s->report);
}

static ebm_status run(scene *s)
{
    return ebm_sampler_run(s->sampler, s->model, s->chains);
}

/* A run and a backward pass that succeed. */
static void works(scene *s)
{
    assert_ok(
        ebm_chains_set_states(s->chains, s->states, NULL, EBM_ORIGIN_DATA));
    assert_ok(run(s));
    assert_ok(backward(s));
    s->trace = test_trace_of(s->model, s->report);
}

#define assert_refused(s, expected, word)                            \
    do {                                                             \
        assert_error((s)->context, backward(s), (expected), (word)); \
        test_trace_kept(&(s)->trace, (s)->model, (s)->report);       \
    } while (0)

/* Whatever moves the chains otherwise, or the parameters, makes the tail
   useless; a run with a tail makes it anew. */
static void a_tail_is_of_one_run(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context);
    assert_error(context, backward(&s), EBM_ERROR_STATE, "no tail");
    works(&s);
    assert_ok(backward(&s)); /* any number of times */
    s.trace = test_trace_of(s.model, s.report);
    assert_ok(
        ebm_chains_set_states(s.chains, s.states, NULL, EBM_ORIGIN_DATA));
    assert_refused(&s, EBM_ERROR_STATE, "no tail");
    works(&s);
    assert_ok(ebm_chains_init_normal(s.chains, 0, 1));
    assert_refused(&s, EBM_ERROR_STATE, "no tail");
    works(&s);
    assert_ok(ebm_chains_init_uniform(s.chains, 0, 1));
    assert_refused(&s, EBM_ERROR_STATE, "no tail");
    works(&s);
    ebm_buffer *buffer = NULL;
    assert_ok(ebm_buffer_create(context, N, 1, 1, SIZE, 1, &buffer));
    assert_ok(ebm_buffer_fill_uniform(buffer, N, -1, 1));
    assert_ok(ebm_buffer_draw(buffer, s.chains));
    assert_refused(&s, EBM_ERROR_STATE, "no tail");
    ebm_buffer_destroy(buffer);
    works(&s);
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, 0));
    assert_ok(run(&s));
    assert_refused(&s, EBM_ERROR_STATE, "EBM_SAMPLER_KEEP_STEPS");
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, T));
    works(&s);
    /* Other parameters, even if they are the same numbers. */
    assert_ok(ebm_model_set_parameters(s.model, 0,
                                       ebm_model_parameters(s.model), 1));
    assert_refused(&s, EBM_ERROR_STATE, "written since");
    works(&s);
    /* Nothing written, and no power iteration to do. */
    const float none = 0;
    assert_ok(ebm_model_set_parameters(s.model, 0, &none, 0));
    assert_ok(ebm_model_iterate(s.model, 0));
    assert_ok(ebm_model_iterate(s.model, 5));
    assert_ok(backward(&s));
    s.trace = test_trace_of(s.model, s.report);
    float *lent;
    assert_ok(ebm_model_begin_write(s.model, &lent));
    assert_refused(&s, EBM_ERROR_STATE, "lent");
    assert_ok(ebm_model_end_write(s.model));
    assert_refused(&s, EBM_ERROR_STATE, "written since");
    ebm_optimizer *optimizer = NULL;
    assert_ok(
        ebm_optimizer_create(context, EBM_OPTIMIZER_SGD, s.model, &optimizer));
    works(&s);
    assert_ok(ebm_optimizer_step(optimizer));
    s.trace.gradient = *ebm_model_gradient(s.model);
    assert_refused(&s, EBM_ERROR_STATE, "written since");
    ebm_optimizer_destroy(optimizer);
    /* Another model, also one of the same address. */
    works(&s);
    ebm_model *first = s.model;
    s.model = make_model(&s, test_quadratic_ops.tangent);
    assert_error(context, backward(&s), EBM_ERROR_STATE, "another model");
    ebm_model_destroy(first);
    assert_error(context, backward(&s), EBM_ERROR_STATE, "another model");
    works(&s);
    end(&s);
    ebm_context_destroy(context);
}

static void bad_runs_leave_no_tail(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context);
    works(&s);
    /* More than all steps: nothing moves and the tail stays. */
    float before[N * SIZE];
    memcpy(before, ebm_chains_states(s.chains), sizeof before);
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, T + 1));
    assert_error(context, run(&s), EBM_ERROR_RANGE, "keep_steps 7");
    assert_same_bits(ebm_chains_states(s.chains), before, N * SIZE);
    assert_ok(backward(&s));
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, T));
    works(&s);
    /* A run that its energy stops, half-way or at once. */
    s.fault.energy_fails = 1;
    assert_error(context, run(&s), EBM_ERROR_CALLBACK, "callback");
    s.fault.energy_fails = 0;
    assert_refused(&s, EBM_ERROR_STATE, "no tail");
    works(&s);
    /* A chain that diverges. */
    s.fault.energy_nan = 1;
    assert_error(context, run(&s), EBM_ERROR_DIVERGED, "chain 1");
    s.fault.energy_nan = 0;
    assert_refused(&s, EBM_ERROR_DIVERGED, "chain 1");
    /* Also after a later run, in which it stood still. */
    assert_ok(run(&s));
    assert_refused(&s, EBM_ERROR_DIVERGED, "chain 1");
    works(&s);
    end(&s);
    ebm_context_destroy(context);
}

static void non_finite_is_a_status(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context);
    works(&s);
    for (size_t b = 0; b < TEST_COUNT(bad); b++)
        for (size_t k = 0; k < 3; k++) {
            float *kept = ebm_tail_states(s.chains, k, 2) + 1, old = *kept;
            *kept = bad[b];
            assert_refused(&s, EBM_ERROR_NON_FINITE, "2 of the tail");
            *kept = old;
        }
    /* Finite, and too much for the gradient. */
    float *kept = ebm_tail_states(s.chains, 0, 0), old = *kept;
    *kept = 3e38f;
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_OPT_WEIGHT, 1e20));
    assert_refused(&s, EBM_ERROR_NON_FINITE, "gradient");
    *kept = old;
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_OPT_WEIGHT, 1));
    s.fault.energy_nan = 1;
    assert_refused(&s, EBM_ERROR_NON_FINITE, "chain 1");
    s.fault.energy_nan = 0;
    s.fault.tangent_fails = 1;
    assert_refused(&s, EBM_ERROR_CALLBACK, "callback");
    s.fault.tangent_fails = 0;
    s.fault.energy_fails = 1;
    assert_refused(&s, EBM_ERROR_CALLBACK, "callback");
    s.fault.energy_fails = 0;
    ebm_model *whole = s.model;
    s.model = make_model(&s, NULL);
    assert_error(context, backward(&s), EBM_ERROR_UNSUPPORTED,
                 "second derivatives");
    ebm_model_destroy(s.model);
    s.model = whole;
    test_trace_kept(&s.trace, s.model, s.report);
    works(&s);
    end(&s);
    ebm_context_destroy(context);
}

/* Each allocation of a run that asks for a longer tail, and of a first
   backward pass, fails once: the old tail and the gradient stay. */
static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        size_t failures = 0;
        for (size_t at = 1, done = 0; !done; at++) {
            test_allocator memory = {0};
            ebm_context *context = test_context(&memory);
            scene s;
            begin(&s, context);
            assert_ok(run(&s));
            assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, T));
            test_fail_at(&memory, at, 0);
            ebm_status status = which ? backward(&s) : run(&s);
            test_fail_at(&memory, 0, 0);
            done = status == EBM_OK;
            if (!done) {
                assert_int_equal(status, EBM_ERROR_MEMORY);
                assert_true(*ebm_model_gradient(s.model) == 0);
                assert_int_equal(ebm_chains_step_count(s.chains), T);
                assert_ok(backward(&s));
                failures++;
            }
            end(&s);
            ebm_context_destroy(context);
            assert_no_leaks(&memory);
        }
        assert_true(failures >= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_is_of_one_run),
        cmocka_unit_test(bad_runs_leave_no_tail),
        cmocka_unit_test(non_finite_is_a_status),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
