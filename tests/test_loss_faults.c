/* Losses: which chains they take, and what they refuse without a trace. */
#include "ebm_test.h"
#include "trace.h"

#include "chains/chains.h"
#include "model/model.h"

enum { N = 3, M = 4 };

/* E(x) = theta x; the fields say what goes wrong. */
typedef struct fault {
    int energy_fails, gradient_fails, gradient_nan;
} fault;

static int energy_grad(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    (void)labels;
    for (size_t i = 0; i < n; i++) {
        energy[i] = params[0] * x[i];
        grad[i] = params[0];
    }
    return ((const fault *)user)->energy_fails;
}

static int param_grad(const float *params, const float *x,
                      const int32_t *labels, size_t n, const float *scale,
                      float *gradient, void *user)
{
    const fault *f = user;
    (void)params;
    (void)labels;
    for (size_t i = 0; i < n; i++)
        gradient[0] += scale[i] * x[i];
    if (f->gradient_nan)
        gradient[0] = NAN;
    return f->gradient_fails;
}

/* All that a call takes, and the traces that a refused one must not leave. */
typedef struct scene {
    fault fault;
    ebm_context *context;
    ebm_model *model;
    ebm_loss *loss;
    ebm_chains *chains;
    ebm_report *report;
    float data[N];
    test_trace trace;
} scene;

static void begin(scene *s, ebm_context *context)
{
    static const float states[M] = {1, 2, 3, 4};
    const float theta = 2;
    ebm_energy_ops ops = {sizeof ops, 1, energy_grad, param_grad, NULL};
    *s = (scene){.context = context, .data = {5, 6, 7}};
    assert_ok(
        ebm_model_create_custom(context, 1, 1, 1, &ops, &s->fault, &s->model));
    assert_ok(ebm_model_set_parameters(s->model, 0, &theta, 1));
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &s->loss));
    assert_ok(ebm_chains_create(context, M, 1, 1, 1, 1, &s->chains));
    assert_ok(
        ebm_chains_set_states(s->chains, states, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_report_create(context, &s->report));
}

static void end(scene *s)
{
    ebm_report_destroy(s->report);
    ebm_chains_destroy(s->chains);
    ebm_loss_destroy(s->loss);
    ebm_model_destroy(s->model);
}

static ebm_status backward(scene *s)
{
    return ebm_loss_backward(s->loss, s->model, s->data, NULL, N, s->chains,
                             s->report);
}

/* L = 2 (6 - 2.5), dL/dtheta = 3.5. */
static void works(scene *s)
{
    double total = NAN;
    assert_ok(ebm_model_zero_gradient(s->model));
    assert_ok(backward(s));
    assert_ok(ebm_report_get(s->report, EBM_REPORT_TOTAL, &total));
    assert_close(total, 7, 1e-6, 0);
    assert_close(*ebm_model_gradient(s->model), 3.5, 1e-6, 0);
    s->trace = test_trace_of(s->model, s->report);
}

#define assert_refused(s, expected, word)                            \
    do {                                                             \
        assert_error((s)->context, backward(s), (expected), (word)); \
        test_trace_kept(&(s)->trace, (s)->model, (s)->report);       \
    } while (0)

/* NLL takes noise, persisted noise and persisted data; one fresh data chain
   among them is enough to refuse. */
static void test_origins(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context);
    works(&s);
    static const int allowed[] = {1, 0, 1, 1};
    for (int origin = 0; origin < 4; origin++)
        for (size_t at = 0; at < M; at++) {
            char chain[16];
            snprintf(chain, sizeof chain, "chain %zu", at);
            s.chains->origins[at] = (ebm_origin)origin;
            if (allowed[origin]) {
                works(&s);
            } else {
                assert_refused(&s, EBM_ERROR_ORIGIN, chain);
                assert_refused(&s, EBM_ERROR_ORIGIN, "began at data");
                assert_refused(&s, EBM_ERROR_ORIGIN, "KL term");
                assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
                works(&s);
                assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 0));
            }
            s.chains->origins[at] = EBM_ORIGIN_NOISE;
        }
    end(&s);
    ebm_context_destroy(context);
}

static void test_non_finite(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context);
    works(&s);
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        s.data[1] = bad[i];
        assert_refused(&s, EBM_ERROR_NON_FINITE, "sample 1 of the data");
    }
    /* Energies that overflow, of the data and of the chains: 2 x. */
    s.data[1] = 3e38f;
    assert_refused(&s, EBM_ERROR_NON_FINITE, "data sample 1");
    s.data[1] = 6;
    s.chains->states[3] = -3e38f;
    assert_refused(&s, EBM_ERROR_NON_FINITE, "chain 3");
    s.chains->states[3] = 4;
    s.fault.gradient_nan = 1;
    assert_refused(&s, EBM_ERROR_NON_FINITE, "gradient");
    s.fault.gradient_nan = 0;
    /* Finite energies whose squares are too much for the gradient. */
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENERGY_L2, 1e38));
    s.data[1] = 1e20f;
    assert_refused(&s, EBM_ERROR_NON_FINITE, "gradient");
    s.data[1] = 6;
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENERGY_L2, 0));
    /* A marked chain. */
    s.chains->diverged[2] = 41;
    assert_refused(&s, EBM_ERROR_DIVERGED, "chain 2");
    s.chains->diverged[2] = 0;
    /* Callbacks that stop the call. */
    s.fault.energy_fails = 1;
    assert_refused(&s, EBM_ERROR_CALLBACK, "callback");
    s.fault.energy_fails = 0;
    s.fault.gradient_fails = -1;
    assert_refused(&s, EBM_ERROR_CALLBACK, "callback");
    s.fault.gradient_fails = 0;
    works(&s);
    end(&s);
    ebm_context_destroy(context);
}

static void test_arguments(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_context *strange = test_context_threads(1);
    scene s, f;
    begin(&s, context);
    begin(&f, strange);
    works(&s);
    ebm_chains *wide = NULL;
    assert_ok(ebm_chains_create(context, M, 1, 2, 1, 1, &wide));
#define CALL(l, m, d, n, c, r) ebm_loss_backward(l, m, d, NULL, n, c, r)
    assert_status(CALL(NULL, s.model, s.data, N, s.chains, s.report),
                  EBM_ERROR_HANDLE);
    assert_status(CALL(s.loss, NULL, s.data, N, s.chains, s.report),
                  EBM_ERROR_HANDLE);
    assert_status(CALL(s.loss, s.model, s.data, N, NULL, s.report),
                  EBM_ERROR_HANDLE);
    assert_status(CALL(s.loss, s.model, s.data, N, s.chains,
                       (ebm_report *)(void *)context),
                  EBM_ERROR_HANDLE);
    assert_status(CALL(s.loss, f.model, s.data, N, s.chains, s.report),
                  EBM_ERROR_CONTEXT);
    assert_status(CALL(s.loss, s.model, s.data, N, f.chains, s.report),
                  EBM_ERROR_CONTEXT);
    assert_status(CALL(s.loss, s.model, s.data, N, s.chains, f.report),
                  EBM_ERROR_CONTEXT);
    assert_status(CALL(s.loss, s.model, NULL, N, s.chains, s.report),
                  EBM_ERROR_ARGUMENT);
    assert_status(CALL(s.loss, s.model, s.data, 0, s.chains, s.report),
                  EBM_ERROR_ARGUMENT);
    assert_error(context, CALL(s.loss, s.model, s.data, N, wide, s.report),
                 EBM_ERROR_SHAPE, "[1, 2, 1]");
    test_trace_kept(&s.trace, s.model, s.report);
    float *lent;
    assert_ok(ebm_model_begin_write(s.model, &lent));
    assert_refused(&s, EBM_ERROR_STATE, "lent");
    assert_ok(ebm_model_end_write(s.model));
    ebm_energy_ops ops = {sizeof ops, 1, energy_grad, NULL, NULL};
    ebm_model *plain = NULL;
    assert_ok(
        ebm_model_create_custom(context, 1, 1, 1, &ops, &s.fault, &plain));
    assert_error(context, CALL(s.loss, plain, s.data, N, s.chains, s.report),
                 EBM_ERROR_UNSUPPORTED, "gradient");
    test_trace_kept(&s.trace, s.model, s.report);
    ebm_model_destroy(plain);
    works(&s);
    ebm_chains_destroy(wide);
    end(&f);
    end(&s);
    ebm_context_destroy(strange);
    ebm_context_destroy(context);
}

static void test_settings(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_loss *loss = NULL;
    double value = -7;
    assert_error(context, ebm_loss_create(context, (ebm_loss_kind)4, &loss),
                 EBM_ERROR_ARGUMENT, "4");
    assert_status(ebm_loss_create(context, EBM_LOSS_NLL, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_loss_create(NULL, EBM_LOSS_NLL, &loss),
                  EBM_ERROR_HANDLE);
    assert_null(loss);
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
    static const double bad[][3] = {{-1, NAN, INFINITY}, {0.5, 2, NAN}};
    for (int key = 0; key < 2; key++) {
        for (size_t i = 0; i < 3; i++)
            assert_status(ebm_loss_set(loss, (ebm_loss_key)key, bad[key][i]),
                          EBM_ERROR_RANGE);
        assert_ok(ebm_loss_get(loss, (ebm_loss_key)key, &value));
        assert_true(value == 0);
        assert_ok(ebm_loss_option((ebm_loss_key)key, NULL, NULL, NULL, NULL,
                                  &value));
        assert_true(value == 0);
        assert_ok(ebm_loss_set(loss, (ebm_loss_key)key, 1));
        assert_ok(ebm_loss_get(loss, (ebm_loss_key)key, &value));
        assert_true(value == 1);
    }
    assert_ok(ebm_loss_get(loss, EBM_LOSS_PARTS, &value));
    assert_true(value == EBM_PARTS_SUM);
    assert_ok(ebm_loss_set(loss, EBM_LOSS_PARTS, EBM_PARTS_MEAN));
    assert_status(ebm_loss_set(loss, EBM_LOSS_PARTS, 2), EBM_ERROR_RANGE);
    assert_status(ebm_loss_set(loss, (ebm_loss_key)9, 0), EBM_ERROR_ARGUMENT);
    assert_status(ebm_loss_get(loss, (ebm_loss_key)9, &value),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_loss_get(loss, EBM_LOSS_ENERGY_L2, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(
        ebm_loss_option((ebm_loss_key)9, NULL, NULL, NULL, NULL, NULL),
        EBM_ERROR_ARGUMENT);
    assert_status(ebm_loss_set(NULL, 0, 0), EBM_ERROR_HANDLE);
    assert_status(ebm_loss_get(NULL, 0, &value), EBM_ERROR_HANDLE);
    ebm_loss_destroy(loss);
    ebm_loss_destroy(NULL);
    ebm_context_destroy(context);
}

/* Each allocation of a first call fails once: nothing is changed, and the
   next call works. */
static void test_out_of_memory(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t at = 1, done = 0; !done; at++) {
        test_allocator memory = {0};
        ebm_context *context = test_context(&memory);
        scene s;
        begin(&s, context);
        test_fail_at(&memory, at, 0);
        ebm_status status = backward(&s);
        test_fail_at(&memory, 0, 0);
        done = status == EBM_OK;
        if (!done) {
            double total = -7;
            assert_int_equal(status, EBM_ERROR_MEMORY);
            assert_true(*ebm_model_gradient(s.model) == 0);
            assert_status(ebm_report_get(s.report, EBM_REPORT_TOTAL, &total),
                          EBM_ERROR_NOT_COMPUTED);
            failures++;
        }
        works(&s);
        end(&s);
        ebm_context_destroy(context);
        assert_no_leaks(&memory);
    }
    assert_true(failures >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_non_finite),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
