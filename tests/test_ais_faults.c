/* What goes wrong with annealed importance sampling: settings, samplers that
   are after no law, energies that are not numbers, callbacks, and memory. */
#include "ebm_test.h"
#include "gaussian.h"

enum { N = 40, SIZE = 2 };

static const ebm_sampler_kind LANGEVIN = EBM_SAMPLER_LANGEVIN,
                              TIED = EBM_SAMPLER_TIED_LANGEVIN,
                              MALA = EBM_SAMPLER_MALA;

/* E = slope x_0 + curve |x|^2 / 2, and `beyond` where x_0 > edge. */
typedef struct cliff {
    float slope, curve, edge, beyond;
    size_t calls, fail_call;
    void (*called)(struct cliff *cliff);
    /* For what is called. */
    ebm_ais *ais;
    ebm_sampler *sampler;
    ebm_model *model;
    ebm_chains *chains;
    int lets_go;
    ebm_status answers[4];
} cliff;

static int energy_grad(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    cliff *c = user;
    (void)params, (void)labels;
    c->calls++;
    if (c->called)
        c->called(c);
    for (size_t i = 0; i < n; i++) {
        const float *at = x + i * SIZE;
        energy[i] =
            c->slope * at[0] + c->curve * (at[0] * at[0] + at[1] * at[1]) / 2;
        if (at[0] > c->edge)
            energy[i] = c->beyond;
        grad[i * SIZE] = c->slope + c->curve * at[0];
        grad[i * SIZE + 1] = c->curve * at[1];
    }
    return c->calls == c->fail_call;
}

typedef struct scene {
    ebm_context *context;
    cliff c;
    ebm_model *model;
    ebm_chains *chains;
    ebm_sampler *sampler;
    ebm_ais *ais;
} scene;

static void set(ebm_ais *ais, ebm_ais_key key, double value)
{
    assert_ok(ebm_ais_set(ais, key, value));
}

/* Takes over the context. */
static void begin(scene *s, ebm_context *context, ebm_ais_base base,
                  ebm_sampler_kind kind)
{
    const ebm_energy_ops ops = {.struct_size = sizeof ops,
                                .energy_grad = energy_grad};
    memset(s, 0, sizeof *s);
    s->context = context;
    s->c = (cliff){.slope = 0.5f, .edge = INFINITY};
    assert_ok(
        ebm_model_create_custom(context, 1, 1, SIZE, &ops, &s->c, &s->model));
    assert_ok(ebm_chains_create(context, N, 1, 1, SIZE, 1, &s->chains));
    assert_ok(ebm_sampler_create(context, kind, &s->sampler));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 2));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, 0.02));
    if (kind == LANGEVIN)
        assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_NOISE_STD, 0.2));
    assert_ok(ebm_ais_create(context, base, &s->ais));
    set(s->ais, EBM_AIS_LEVELS, 6);
}

static void end(scene *s)
{
    ebm_ais_destroy(s->ais);
    ebm_sampler_destroy(s->sampler);
    ebm_chains_destroy(s->chains);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static ebm_status forward(const scene *s)
{
    return ebm_ais_forward(s->ais, s->sampler, s->model, s->chains);
}

static ebm_status reverse(const scene *s)
{
    return ebm_ais_reverse(s->ais, s->sampler, s->model, s->chains);
}

static double result(const scene *s, ebm_ais_direction direction,
                     ebm_ais_result key)
{
    double value = NAN;
    assert_ok(ebm_ais_get_result(s->ais, direction, key, &value));
    return value;
}

/* Every result is a number or not computed. */
static void no_result_is_nan(const scene *s, ebm_ais_direction direction)
{
    for (int r = 0; r <= EBM_AIS_LEAST_ACCEPTANCE; r++) {
        double value = -1;
        ebm_status status =
            ebm_ais_get_result(s->ais, direction, (ebm_ais_result)r, &value);
        assert_true(status == EBM_OK || status == EBM_ERROR_NOT_COMPUTED);
        assert_true(status == EBM_OK ? !isnan(value) : value == -1);
    }
}

static void settings(void **state)
{
    (void)state;
    static const struct {
        ebm_ais_key key;
        ebm_ais_base base;
        double wrong, right;
    } cases[] = {{EBM_AIS_LEVELS, EBM_AIS_BOX, 0, 1},
                 {EBM_AIS_LEVELS, EBM_AIS_BOX, 2.5, 2},
                 {EBM_AIS_SCHEDULE, EBM_AIS_BOX, 3, EBM_AIS_GEOMETRIC},
                 {EBM_AIS_FIRST_BETA, EBM_AIS_BOX, 0, 0.5},
                 {EBM_AIS_FIRST_BETA, EBM_AIS_BOX, 1, 0.5},
                 {EBM_AIS_TEMPERATURE, EBM_AIS_BOX, 0, 2},
                 {EBM_AIS_TEMPERATURE, EBM_AIS_BOX, -1, 2},
                 {EBM_AIS_TEMPERATURE, EBM_AIS_BOX, NAN, 2},
                 {EBM_AIS_STEP_FACTOR, EBM_AIS_BOX, 0, 3},
                 {EBM_AIS_BOX_MIN, EBM_AIS_BOX, INFINITY, -1},
                 {EBM_AIS_BOX_MAX, EBM_AIS_BOX, NAN, 2},
                 {EBM_AIS_GAUSSIAN_MEAN, EBM_AIS_GAUSSIAN, INFINITY, 1},
                 {EBM_AIS_GAUSSIAN_STD, EBM_AIS_GAUSSIAN, 0, 2},
                 {EBM_AIS_CONFIDENCE, EBM_AIS_BOX, 1, 0.9}};
    static const double initial[] = {
        100, EBM_AIS_SIGMOID, 1e-4, 1, 1, 0, 1, 0, 1, 0.95};
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        const char *name = NULL;
        ebm_ais *ais = NULL;
        double value, kept;
        ebm_ais_key key = cases[i].key;
        assert_ok(ebm_ais_create(context, cases[i].base, &ais));
        assert_ok(ebm_ais_option(key, &name, NULL, NULL, NULL, &value));
        assert_true(value == initial[key]);
        assert_ok(ebm_ais_get(ais, key, &kept));
        assert_true(value == kept);
        assert_error(context, ebm_ais_set(ais, key, cases[i].wrong),
                     EBM_ERROR_RANGE, name);
        assert_ok(ebm_ais_get(ais, key, &kept));
        assert_true(value == kept);
        set(ais, key, cases[i].right);
        assert_ok(ebm_ais_get(ais, key, &kept));
        assert_true(kept == cases[i].right);
        ebm_ais_destroy(ais);
    }
    assert_status(
        ebm_ais_option((ebm_ais_key)10, NULL, NULL, NULL, NULL, NULL),
        EBM_ERROR_ARGUMENT);
    ebm_context_destroy(context);
}

static void handles_and_keys(void **state)
{
    (void)state;
    scene s;
    double value = 7, weights[N];
    begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
    ebm_context *context = s.context, *other = test_context_threads(1);
    ebm_ais *ais = NULL;
    assert_error(context, ebm_ais_create(context, (ebm_ais_base)2, &ais),
                 EBM_ERROR_ARGUMENT, "base distribution 2");
    assert_error(context, ebm_ais_create(context, EBM_AIS_BOX, NULL),
                 EBM_ERROR_ARGUMENT, "NULL");
    assert_status(ebm_ais_create(NULL, EBM_AIS_BOX, &ais), EBM_ERROR_HANDLE);
    assert_null(ais);
    assert_error(context, ebm_ais_set(s.ais, (ebm_ais_key)10, 1),
                 EBM_ERROR_ARGUMENT, "10");
    assert_error(context, ebm_ais_set(s.ais, EBM_AIS_GAUSSIAN_STD, 1),
                 EBM_ERROR_UNSUPPORTED, "gaussian_std");
    assert_error(
        context,
        ebm_ais_get_result(s.ais, EBM_AIS_REVERSE, EBM_AIS_LOG_Z, &value),
        EBM_ERROR_NOT_COMPUTED, "reverse");
    assert_error(context,
                 ebm_ais_log_weights(s.ais, EBM_AIS_FORWARD, weights, N),
                 EBM_ERROR_NOT_COMPUTED, "forward");
    assert_ok(forward(&s));
    assert_error(context,
                 ebm_ais_log_weights(s.ais, EBM_AIS_FORWARD, weights, N - 1),
                 EBM_ERROR_SHAPE, "39");
    assert_error(
        context,
        ebm_ais_get_result(s.ais, (ebm_ais_direction)2, EBM_AIS_LOG_Z, &value),
        EBM_ERROR_ARGUMENT, "direction 2");
    assert_error(
        context,
        ebm_ais_get_result(s.ais, EBM_AIS_FORWARD, (ebm_ais_result)14, &value),
        EBM_ERROR_ARGUMENT, "result 14");
    assert_error(
        context,
        ebm_ais_get_result(s.ais, EBM_AIS_FORWARD, EBM_AIS_LOG_Z, NULL),
        EBM_ERROR_ARGUMENT, "NULL");
    assert_true(value == 7);
    assert_status(ebm_ais_forward(NULL, s.sampler, s.model, s.chains),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_ais_forward(s.ais, NULL, s.model, s.chains),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_ais_forward(s.ais, s.sampler, NULL, s.chains),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_ais_forward(s.ais, s.sampler, s.model, NULL),
                  EBM_ERROR_HANDLE);
    assert_ok(ebm_ais_create(other, EBM_AIS_BOX, &ais));
    assert_status(ebm_ais_forward(ais, s.sampler, s.model, s.chains),
                  EBM_ERROR_CONTEXT);
    ebm_ais_destroy(ais);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, N, 1, 1, SIZE + 1, 1, &chains));
    assert_error(context, ebm_ais_forward(s.ais, s.sampler, s.model, chains),
                 EBM_ERROR_SHAPE, "[1, 1, 3]");
    ebm_chains_destroy(chains);
    ebm_context_destroy(other);
    end(&s);
}

static int watch(size_t step, const ebm_chains *chains, void *user)
{
    (void)step, (void)chains, (void)user;
    return 0;
}

/* A single thing that is wrong with the sampler. */
static ebm_status spoil(scene *s, int what)
{
    ebm_transition *flip = NULL;
    switch (what) {
    case 0:
        return ebm_sampler_set(s->sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.5);
    case 1:
        return ebm_sampler_set_observer(s->sampler, 1, watch, NULL);
    case 2:
        assert_ok(
            ebm_transition_create(s->context, EBM_TRANSITION_FLIP, &flip));
        assert_ok(ebm_sampler_set_transition(s->sampler, flip, 3));
        ebm_transition_destroy(flip);
        return EBM_OK;
    case 3:
        return ebm_sampler_set(s->sampler, EBM_SAMPLER_WARMUP_STEPS, 3);
    case 4:
        return ebm_sampler_set_schedule(s->sampler, EBM_SAMPLER_TEMPERATURE,
                                        EBM_SCHEDULE_LINEAR, 2, 1);
    case 5:
        set(s->ais, EBM_AIS_STEP_FACTOR, 2);
        return ebm_sampler_set_schedule(s->sampler, EBM_SAMPLER_STEP_SIZE,
                                        EBM_SCHEDULE_LINEAR, 0.1, 0.2);
    case 6:
        return ebm_sampler_set(s->sampler, EBM_SAMPLER_NOISE_STD, 0);
    case 7:
        return ebm_sampler_set(s->sampler, EBM_SAMPLER_NOISE_STD, 0.3);
    case 8:
        return ebm_sampler_set_schedule(s->sampler, EBM_SAMPLER_NOISE_STD,
                                        EBM_SCHEDULE_LINEAR, 0.3, 0.1);
    case 9:
        return ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, 0);
    case 10:
        set(s->ais, EBM_AIS_BOX_MIN, 2);
        return EBM_OK;
    case 11:
        set(s->ais, EBM_AIS_BOX_MIN, 1);
        return EBM_OK;
    case 12:
        assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 1e9));
        set(s->ais, EBM_AIS_LEVELS, 1e6);
        return EBM_OK;
    default:
        return EBM_OK;
    }
}

static void wrong_samplers_are_refused(void **state)
{
    (void)state;
    static const struct {
        ebm_sampler_kind kind;
        int what;
        ebm_status status;
        const char *word;
    } cases[] = {
        {EBM_SAMPLER_TIED_LANGEVIN, 0, EBM_ERROR_UNSUPPORTED, "0.5"},
        {EBM_SAMPLER_MALA, 1, EBM_ERROR_UNSUPPORTED, "observer"},
        {EBM_SAMPLER_MALA, 2, EBM_ERROR_UNSUPPORTED, "transition"},
        {EBM_SAMPLER_HMC, 3, EBM_ERROR_UNSUPPORTED, "warm-up"},
        {EBM_SAMPLER_MALA, 4, EBM_ERROR_UNSUPPORTED, "temperature"},
        {EBM_SAMPLER_MALA, 5, EBM_ERROR_UNSUPPORTED, "step_factor"},
        {EBM_SAMPLER_LANGEVIN, 6, EBM_ERROR_RANGE, "imply temperature 0"},
        {EBM_SAMPLER_LANGEVIN, 7, EBM_ERROR_RANGE, "temperature 2.25"},
        {EBM_SAMPLER_LANGEVIN, 8, EBM_ERROR_UNSUPPORTED, "noise"},
        {EBM_SAMPLER_TIED_LANGEVIN, 9, EBM_ERROR_RANGE, "step_size 0"},
        {EBM_SAMPLER_MALA, 9, EBM_ERROR_RANGE, "step_size 0"},
        {EBM_SAMPLER_GRADIENT_DESCENT, 13, EBM_ERROR_UNSUPPORTED, "descent"},
        {EBM_SAMPLER_MALA, 10, EBM_ERROR_RANGE, "from 2 to 1"},
        {EBM_SAMPLER_MALA, 11, EBM_ERROR_RANGE, "from 1 to 1"},
        {EBM_SAMPLER_MALA, 12, EBM_ERROR_RANGE, "1e+15"},
    };
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        scene s;
        begin(&s, test_context_threads(1), EBM_AIS_BOX, cases[i].kind);
        assert_ok(spoil(&s, cases[i].what));
        assert_error(s.context, forward(&s), cases[i].status, cases[i].word);
        assert_error(s.context, reverse(&s), cases[i].status, cases[i].word);
        assert_int_equal(s.c.calls, 0);
        assert_true(ebm_chains_states(s.chains)[0] == 0);
        end(&s);
    }
}

static void right_samplers_are_not(void **state)
{
    (void)state;
    scene s;
    /* A warm-up that is over, and a schedule of the step size. */
    begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_WARMUP_STEPS, 2));
    assert_ok(ebm_sampler_run(s.sampler, s.model, s.chains));
    assert_ok(forward(&s));
    assert_ok(ebm_sampler_set_schedule(s.sampler, EBM_SAMPLER_STEP_SIZE,
                                       EBM_SCHEDULE_LINEAR, 0.1, 0.2));
    assert_ok(forward(&s));
    end(&s);
}

static void reverse_wants_samples(void **state)
{
    (void)state;
    scene s;
    float x[N * SIZE] = {0};
    begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
    x[2 * SIZE + 1] = 1.5f;
    assert_ok(ebm_chains_set_states(s.chains, x, NULL, EBM_ORIGIN_DATA));
    assert_error(s.context, reverse(&s), EBM_ERROR_RANGE,
                 "element 1 of chain 2 is 1.5");
    x[2 * SIZE + 1] = 1; /* a bound is inside */
    s.c.edge = 0.5f;
    s.c.beyond = INFINITY;
    x[3 * SIZE] = 0.75f;
    assert_ok(ebm_chains_set_states(s.chains, x, NULL, EBM_ORIGIN_DATA));
    assert_error(s.context, reverse(&s), EBM_ERROR_DIVERGED, "1 of 40");
    assert_true(result(&s, EBM_AIS_REVERSE, EBM_AIS_DIVERGED) == 1);
    assert_true(result(&s, EBM_AIS_REVERSE, EBM_AIS_BOUND) == INFINITY);
    assert_true(isfinite(result(&s, EBM_AIS_REVERSE, EBM_AIS_LOG_Z)));
    no_result_is_nan(&s, EBM_AIS_REVERSE);
    /* It is marked now. */
    assert_error(s.context, reverse(&s), EBM_ERROR_DIVERGED, "chain 3");
    end(&s);
}

/* An infinite energy is a density of 0. */
static void walls_have_no_weight(void **state)
{
    (void)state;
    scene s;
    double weights[N], dead = 0;
    begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
    s.c = (cliff){.edge = 0.625f, .beyond = INFINITY};
    assert_ok(forward(&s));
    assert_ok(ebm_ais_log_weights(s.ais, EBM_AIS_FORWARD, weights, N));
    for (size_t i = 0; i < N; i++) {
        assert_true(weights[i] == 0 || weights[i] == -INFINITY);
        dead += weights[i] != 0;
    }
    assert_true(dead > 5 && dead < 25);
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_ZERO_WEIGHTS) == dead);
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_DIVERGED) == 0);
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_ESS) == N - dead);
    assert_close(result(&s, EBM_AIS_FORWARD, EBM_AIS_LOG_Z),
                 log((N - dead) / N), 1e-14, 0);
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_BOUND) == -INFINITY);
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_LOW) < log(0.625) &&
                result(&s, EBM_AIS_FORWARD, EBM_AIS_HIGH) > log(0.625));
    no_result_is_nan(&s, EBM_AIS_FORWARD);
    /* Nothing but wall: a status, not the logarithm of 0. */
    s.c.edge = -1;
    double value = 3;
    assert_ok(forward(&s));
    assert_error(
        s.context,
        ebm_ais_get_result(s.ais, EBM_AIS_FORWARD, EBM_AIS_LOG_Z, &value),
        EBM_ERROR_NOT_COMPUTED, "40 of weight 0");
    assert_status(
        ebm_ais_bits_per_dimension(s.ais, EBM_AIS_FORWARD, 1, 1, &value, NULL),
        EBM_ERROR_NOT_COMPUTED);
    assert_true(value == 3);
    no_result_is_nan(&s, EBM_AIS_FORWARD);
    end(&s);
}

static void divergence_is_told(void **state)
{
    (void)state;
    static const float values[] = {NAN, -INFINITY};
    for (size_t i = 0; i < TEST_COUNT(values); i++) {
        scene s;
        begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
        s.c.edge = 0.75f;
        s.c.beyond = values[i];
        assert_error(s.context, forward(&s), EBM_ERROR_DIVERGED, "count as 0");
        double diverged = result(&s, EBM_AIS_FORWARD, EBM_AIS_DIVERGED);
        assert_true(diverged > 2 && diverged < 20);
        assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_ZERO_WEIGHTS) ==
                    diverged);
        assert_int_equal(ebm_chains_diverged_count(s.chains), diverged);
        assert_true(isfinite(result(&s, EBM_AIS_FORWARD, EBM_AIS_LOG_Z)));
        no_result_is_nan(&s, EBM_AIS_FORWARD);
        end(&s);
    }
    /* A free fall without a test: all or some run away. */
    scene s;
    begin(&s, test_context_threads(1), EBM_AIS_GAUSSIAN, TIED);
    s.c.curve = -1e30f;
    assert_error(s.context, forward(&s), EBM_ERROR_DIVERGED, "40 of 40");
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_DIVERGED) == N);
    double value;
    assert_status(
        ebm_ais_get_result(s.ais, EBM_AIS_FORWARD, EBM_AIS_LOG_Z, &value),
        EBM_ERROR_NOT_COMPUTED);
    no_result_is_nan(&s, EBM_AIS_FORWARD);
    end(&s);
}

/* One chain has a log Z but no error of it. */
static void one_chain_has_no_error(void **state)
{
    (void)state;
    scene s;
    double value = 2;
    begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
    ebm_chains_destroy(s.chains);
    assert_ok(ebm_chains_create(s.context, 1, 1, 1, SIZE, 1, &s.chains));
    assert_ok(forward(&s));
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_LOG_Z) ==
                result(&s, EBM_AIS_FORWARD, EBM_AIS_BOUND));
    assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_ESS) == 1);
    assert_error(
        s.context,
        ebm_ais_get_result(s.ais, EBM_AIS_FORWARD, EBM_AIS_LOW, &value),
        EBM_ERROR_NOT_COMPUTED, "1 chains");
    no_result_is_nan(&s, EBM_AIS_FORWARD);
    end(&s);
}

static void callbacks_can_stop_it(void **state)
{
    (void)state;
    scene s;
    begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_STATE_MAX, 0.25));
    assert_ok(forward(&s));
    double before = result(&s, EBM_AIS_FORWARD, EBM_AIS_LOG_Z), maximum = 0;
    size_t calls = s.c.calls;
    for (size_t k = 1; k <= calls; k++) {
        s.c.calls = 0;
        s.c.fail_call = k;
        assert_error(s.context, forward(&s), EBM_ERROR_CALLBACK, "callback");
        assert_true(result(&s, EBM_AIS_FORWARD, EBM_AIS_LOG_Z) == before);
        assert_ok(ebm_sampler_get(s.sampler, EBM_SAMPLER_STATE_MAX, &maximum));
        assert_true(maximum == 0.25);
    }
    s.c.fail_call = 0;
    assert_ok(forward(&s));
    end(&s);
}

static void meddle(cliff *c)
{
    c->answers[0] = ebm_ais_set(c->ais, EBM_AIS_LEVELS, 9);
    c->answers[1] = ebm_ais_forward(c->ais, c->sampler, c->model, c->chains);
    c->answers[2] = ebm_chains_init_uniform(c->chains, 0, 1);
    c->answers[3] = ebm_sampler_set(c->sampler, EBM_SAMPLER_STEP_SIZE, 5);
    c->called = NULL;
    if (!c->lets_go)
        return;
    ebm_ais_destroy(c->ais);
    ebm_sampler_destroy(c->sampler);
    ebm_model_destroy(c->model);
    ebm_chains_destroy(c->chains);
}

static void callbacks_can_not_meddle(void **state)
{
    (void)state;
    test_allocator memory;
    for (int lets_go = 0; lets_go < 2; lets_go++) {
        scene s;
        double step = 0;
        begin(&s, test_context(&memory), EBM_AIS_BOX, MALA);
        s.c.called = meddle;
        s.c.lets_go = lets_go;
        s.c.ais = s.ais;
        s.c.sampler = s.sampler;
        s.c.model = s.model;
        s.c.chains = s.chains;
        if (lets_go)
            assert_error(s.context, forward(&s), EBM_ERROR_STATE, "destroyed");
        else
            assert_ok(forward(&s));
        assert_int_equal(s.c.answers[0], EBM_ERROR_STATE);
        assert_int_equal(s.c.answers[1], EBM_ERROR_STATE);
        assert_int_equal(s.c.answers[2], EBM_ERROR_STATE);
        assert_int_equal(s.c.answers[3], EBM_OK);
        if (lets_go) {
            s.ais = NULL;
            s.sampler = NULL;
            s.model = NULL;
            s.chains = NULL;
        } else {
            assert_ok(
                ebm_sampler_get(s.sampler, EBM_SAMPLER_STEP_SIZE, &step));
            assert_true(step == 0.02);
        }
        end(&s);
        assert_no_leaks(&memory);
    }
}

/* An observer is attached in the middle. */
static void attach(cliff *c)
{
    if (c->calls == 4)
        c->answers[0] = ebm_sampler_set_observer(c->sampler, 1, watch, NULL);
}

static void attached_later_is_refused_too(void **state)
{
    (void)state;
    scene s;
    begin(&s, test_context_threads(1), EBM_AIS_BOX, MALA);
    s.c.called = attach;
    s.c.sampler = s.sampler;
    assert_error(s.context, forward(&s), EBM_ERROR_UNSUPPORTED, "observer");
    end(&s);
}

static void memory_can_run_out(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        test_allocator memory;
        scene s;
        begin(&s, test_context(&memory), EBM_AIS_GAUSSIAN, EBM_SAMPLER_HMC);
        size_t failed = 0;
        for (size_t k = 1;; k++) {
            double value = 4;
            float *x = test_states(s.chains);
            test_fail_at(&memory, k, 0);
            ebm_status status = way ? reverse(&s) : forward(&s);
            test_fail_at(&memory, 0, 0);
            if (status == EBM_OK) {
                free(x);
                break;
            }
            failed++;
            assert_error(s.context, status, EBM_ERROR_MEMORY, "memory");
            assert_status(ebm_ais_get_result(s.ais, (ebm_ais_direction)way,
                                             EBM_AIS_LOG_Z, &value),
                          EBM_ERROR_NOT_COMPUTED);
            if (way)
                assert_same_bits(ebm_chains_states(s.chains), x, N * SIZE);
            assert_ok(
                ebm_sampler_get(s.sampler, EBM_SAMPLER_STEP_SIZE, &value));
            assert_true(value == 0.02);
            free(x);
        }
        assert_true(failed > 5);
        assert_true(
            isfinite(result(&s, (ebm_ais_direction)way, EBM_AIS_LOG_Z)));
        end(&s);
        assert_no_leaks(&memory);
    }
}

static void creation_can_run_out(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_ais *ais = NULL;
    test_fail_at(&memory, 1, 0);
    assert_status(ebm_ais_create(context, EBM_AIS_BOX, &ais),
                  EBM_ERROR_MEMORY);
    assert_null(ais);
    test_fail_at(&memory, 0, 0);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings),
        cmocka_unit_test(handles_and_keys),
        cmocka_unit_test(wrong_samplers_are_refused),
        cmocka_unit_test(right_samplers_are_not),
        cmocka_unit_test(reverse_wants_samples),
        cmocka_unit_test(walls_have_no_weight),
        cmocka_unit_test(divergence_is_told),
        cmocka_unit_test(one_chain_has_no_error),
        cmocka_unit_test(callbacks_can_stop_it),
        cmocka_unit_test(callbacks_can_not_meddle),
        cmocka_unit_test(attached_later_is_refused_too),
        cmocka_unit_test(memory_can_run_out),
        cmocka_unit_test(creation_can_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
