/* Schedules: their values, when their callbacks are called, and what they
   refuse. */
#include "ebm_test.h"
#include "reference.h"

enum { N = 5, STEPS = 7, ALL = N * REF_SMALL_SIZE };

static const double pi = 3.14159265358979323846;

/* The formulas of sampler.h. */
static double value_at(ebm_schedule_kind kind, double from, double to,
                       size_t step)
{
    double t = (double)step / (STEPS - 1);
    switch (kind) {
    case EBM_SCHEDULE_LINEAR:
        return from + (to - from) * t;
    case EBM_SCHEDULE_COSINE:
        return to + (from - to) * (1 + cos(pi * t)) / 2;
    case EBM_SCHEDULE_GEOMETRIC:
        return from * pow(to / from, t);
    default:
        return from;
    }
}

typedef struct setting {
    ebm_sampler_kind kind;
    ebm_sampler_key key;
    double from, to;
} setting;

static const setting settings[] = {
    {EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_STEP_SIZE, 2, 0.1},
    {EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_NOISE_STD, 0.01, 0.3},
    {EBM_SAMPLER_TIED_LANGEVIN, EBM_SAMPLER_STEP_SIZE, 0.3, 0.01},
    {EBM_SAMPLER_TIED_LANGEVIN, EBM_SAMPLER_TEMPERATURE, 4, 0.1},
    {EBM_SAMPLER_MALA, EBM_SAMPLER_STEP_SIZE, 0.3, 0.01},
    {EBM_SAMPLER_MALA, EBM_SAMPLER_TEMPERATURE, 0.1, 2},
    {EBM_SAMPLER_HMC, EBM_SAMPLER_STEP_SIZE, 0.6, 0.05},
    {EBM_SAMPLER_HMC, EBM_SAMPLER_TEMPERATURE, 3, 0.1},
    {EBM_SAMPLER_GRADIENT_DESCENT, EBM_SAMPLER_STEP_SIZE, 1, 0.1},
};

static ebm_sampler *make(ebm_context *context, ebm_sampler_kind kind,
                         double steps)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, kind, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0.2));
    if (kind == EBM_SAMPLER_LANGEVIN)
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, 0.1));
    return sampler;
}

static ebm_chains *make_chains(ebm_context *context)
{
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, N, 6, 5, 2, 3, &chains));
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    return chains;
}

/* Runs of one step each, with the values set by hand. */
static void by_hand(ebm_context *context, const ebm_model *model,
                    const setting *s, ebm_schedule_kind kind, float *final)
{
    ebm_sampler *sampler = make(context, s->kind, 1);
    ebm_chains *chains = make_chains(context);
    for (size_t k = 0; k < STEPS; k++) {
        assert_ok(ebm_sampler_set(sampler, s->key,
                                  value_at(kind, s->from, s->to, k)));
        assert_ok(ebm_sampler_run(sampler, model, chains));
    }
    memcpy(final, ebm_chains_states(chains), ALL * sizeof *final);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
}

/* What a schedule of the caller's saw. */
typedef struct watched {
    const setting *setting;
    ebm_schedule_kind kind;
    const ebm_chains *chains;
    size_t calls, fail_at;
    int out_of_order, moved, other_thread;
    pthread_t thread;
    double spoiled; /* instead of the last value, unless 0 */
} watched;

static int schedule(size_t step, size_t steps, double *value, void *user)
{
    watched *w = user;
    const setting *s = w->setting;
    w->out_of_order |= step != w->calls || steps != STEPS;
    w->moved |= ebm_chains_step_count(w->chains) != 0;
    w->other_thread |= !pthread_equal(w->thread, pthread_self());
    w->calls++;
    *value = value_at(w->kind, s->from, s->to, step);
    if (step + 1 == steps && w->spoiled != 0)
        *value = w->spoiled;
    return w->calls == w->fail_at;
}

static int pass_by(size_t step, const ebm_chains *chains, void *user)
{
    (void)step;
    (void)chains;
    (void)user;
    return 0;
}

static void schedules_are_runs_of_one_step(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = ref_small_model(context, 4, 8);
    for (size_t i = 0; i < TEST_COUNT(settings); i++)
        for (int kind = 0; kind <= EBM_SCHEDULE_GEOMETRIC; kind++) {
            const setting *s = settings + i;
            ebm_schedule_kind shape = (ebm_schedule_kind)kind;
            float right[ALL];
            by_hand(context, model, s, shape, right);
            /* Ours, ours with an observer, and the caller's own. */
            for (int way = 0; way < 3; way++) {
                ebm_sampler *sampler = make(context, s->kind, STEPS);
                ebm_chains *chains = make_chains(context);
                watched w = {.setting = s,
                             .kind = shape,
                             .chains = chains,
                             .thread = pthread_self()};
                double before, after;
                if (!kind)
                    assert_ok(ebm_sampler_set(sampler, s->key, s->from));
                assert_ok(ebm_sampler_get(sampler, s->key, &before));
                if (way == 2)
                    assert_ok(ebm_sampler_set_schedule_callback(
                        sampler, s->key, schedule, &w));
                else
                    assert_ok(ebm_sampler_set_schedule(sampler, s->key, shape,
                                                       s->from, s->to));
                if (way == 1)
                    assert_ok(
                        ebm_sampler_set_observer(sampler, 3, pass_by, NULL));
                assert_ok(ebm_sampler_run(sampler, model, chains));
                assert_same_bits(ebm_chains_states(chains), right, ALL);
                assert_ok(ebm_sampler_get(sampler, s->key, &after));
                assert_true(before == after);
                assert_int_equal(w.calls, way == 2 ? STEPS : 0);
                assert_false(w.out_of_order || w.moved || w.other_thread);
                ebm_chains_destroy(chains);
                ebm_sampler_destroy(sampler);
            }
        }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Taken away again, by CONSTANT or by NULL: as if it had never been. */
static void schedules_can_be_taken_away(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 4, 8);
    float *right = NULL;
    for (int way = 0; way < 4; way++) {
        ebm_sampler *sampler = make(context, EBM_SAMPLER_MALA, STEPS);
        ebm_chains *chains = make_chains(context);
        watched w = {.setting = settings + 4, .chains = chains};
        ebm_sampler_key key = EBM_SAMPLER_STEP_SIZE;
        if (way)
            assert_ok(way == 1 ? ebm_sampler_set_schedule(
                                     sampler, key, EBM_SCHEDULE_LINEAR, 1, 0.1)
                               : ebm_sampler_set_schedule_callback(
                                     sampler, key, schedule, &w));
        if (way == 1 || way == 2)
            assert_ok(ebm_sampler_set_schedule(
                sampler, key, EBM_SCHEDULE_CONSTANT, NAN, NAN));
        if (way == 3)
            assert_ok(
                ebm_sampler_set_schedule_callback(sampler, key, NULL, NULL));
        assert_ok(ebm_sampler_run(sampler, model, chains));
        assert_int_equal(w.calls, 0);
        if (right)
            assert_same_bits(ebm_chains_states(chains), right, ALL);
        else {
            right = test_floats(ALL);
            memcpy(right, ebm_chains_states(chains), ALL * sizeof *right);
        }
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
    }
    free(right);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* A single step takes the first value. */
static void a_single_step_takes_the_first_value(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_sampler *sampler = make(context, EBM_SAMPLER_GRADIENT_DESCENT, 1);
    ebm_sampler *right = make(context, EBM_SAMPLER_GRADIENT_DESCENT, 1);
    ebm_chains *a = make_chains(context), *b = make_chains(context);
    assert_ok(ebm_sampler_set_schedule(sampler, EBM_SAMPLER_STEP_SIZE,
                                       EBM_SCHEDULE_GEOMETRIC, 0.2, 7));
    assert_ok(ebm_sampler_run(sampler, model, a));
    assert_ok(ebm_sampler_run(right, model, b));
    assert_same_bits(ebm_chains_states(a), ebm_chains_states(b), ALL);
    ebm_chains_destroy(a);
    ebm_chains_destroy(b);
    ebm_sampler_destroy(right);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void wrong_schedules_are_refused(void **state)
{
    (void)state;
    static const struct {
        ebm_sampler_kind sampler;
        int key;
        int kind;
        double from, to;
        ebm_status status;
    } wrong[] = {
        {EBM_SAMPLER_MALA, EBM_SAMPLER_NOISE_STD, 1, 1, 1,
         EBM_ERROR_UNSUPPORTED},
        {EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_TEMPERATURE, 1, 1, 1,
         EBM_ERROR_UNSUPPORTED},
        {EBM_SAMPLER_HMC, EBM_SAMPLER_LEAPFROG_STEPS, 1, 1, 2,
         EBM_ERROR_UNSUPPORTED},
        {EBM_SAMPLER_MALA, 99, 1, 1, 1, EBM_ERROR_UNSUPPORTED},
        {EBM_SAMPLER_MALA, -1, 1, 1, 1, EBM_ERROR_UNSUPPORTED},
        {EBM_SAMPLER_MALA, EBM_SAMPLER_STEP_SIZE, 4, 1, 1, EBM_ERROR_ARGUMENT},
        {EBM_SAMPLER_MALA, EBM_SAMPLER_STEP_SIZE, -1, 1, 1,
         EBM_ERROR_ARGUMENT},
        {EBM_SAMPLER_MALA, EBM_SAMPLER_STEP_SIZE, 1, -1, 1, EBM_ERROR_RANGE},
        {EBM_SAMPLER_MALA, EBM_SAMPLER_STEP_SIZE, 2, 1, NAN, EBM_ERROR_RANGE},
        {EBM_SAMPLER_MALA, EBM_SAMPLER_TEMPERATURE, 1, 1, 0, EBM_ERROR_RANGE},
        {EBM_SAMPLER_MALA, EBM_SAMPLER_TEMPERATURE, 1, 1, INFINITY,
         EBM_ERROR_RANGE},
        {EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_STEP_SIZE, 3, 1, 0,
         EBM_ERROR_RANGE},
    };
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        ebm_sampler *sampler = make(context, wrong[i].sampler, 3);
        assert_status(
            ebm_sampler_set_schedule(sampler, (ebm_sampler_key)wrong[i].key,
                                     (ebm_schedule_kind)wrong[i].kind,
                                     wrong[i].from, wrong[i].to),
            wrong[i].status);
        if (wrong[i].status == EBM_ERROR_UNSUPPORTED)
            assert_status(
                ebm_sampler_set_schedule_callback(
                    sampler, (ebm_sampler_key)wrong[i].key, schedule, NULL),
                EBM_ERROR_UNSUPPORTED);
        ebm_sampler_destroy(sampler);
    }
    assert_status(ebm_sampler_set_schedule(NULL, EBM_SAMPLER_STEP_SIZE,
                                           EBM_SCHEDULE_LINEAR, 1, 1),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_sampler_set_schedule_callback(
                      NULL, EBM_SAMPLER_STEP_SIZE, NULL, NULL),
                  EBM_ERROR_HANDLE);
    ebm_context_destroy(context);
}

/* A run that its schedule stops has moved nothing, and the next one goes on
   as if it had not been tried. */
static void refused_runs_move_nothing(void **state)
{
    (void)state;
    static const struct {
        size_t fail_at;
        double spoiled;
        ebm_status status;
        const char *word;
    } cases[] = {{1, 0, EBM_ERROR_CALLBACK, "step 0"},
                 {4, 0, EBM_ERROR_CALLBACK, "step 3"},
                 {0, -1, EBM_ERROR_RANGE, "step_size"},
                 {0, NAN, EBM_ERROR_RANGE, "step_size"},
                 {0, 1e-320, EBM_OK, ""}};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 4, 8);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        ebm_sampler *sampler = make(context, EBM_SAMPLER_HMC, STEPS);
        ebm_chains *chains = make_chains(context);
        float before[ALL];
        watched w = {.setting = settings + 6,
                     .chains = chains,
                     .fail_at = cases[i].fail_at,
                     .spoiled = cases[i].spoiled};
        memcpy(before, ebm_chains_states(chains), sizeof before);
        assert_ok(ebm_sampler_set_schedule_callback(
            sampler, EBM_SAMPLER_STEP_SIZE, schedule, &w));
        assert_error(context, ebm_sampler_run(sampler, model, chains),
                     cases[i].status, cases[i].word);
        if (cases[i].status != EBM_OK) {
            assert_same_bits(ebm_chains_states(chains), before, ALL);
            assert_true(ebm_chains_step_count(chains) == 0);
            assert_ok(ebm_sampler_set_schedule_callback(
                sampler, EBM_SAMPLER_STEP_SIZE, NULL, NULL));
            assert_ok(ebm_sampler_run(sampler, model, chains));
        }
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
    }
    /* Down to 0 is no step for these, and adapting is somebody else's. */
    ebm_sampler *sampler = make(context, EBM_SAMPLER_MALA, STEPS);
    ebm_chains *chains = make_chains(context);
    assert_ok(ebm_sampler_set_schedule(sampler, EBM_SAMPLER_STEP_SIZE,
                                       EBM_SCHEDULE_LINEAR, 1, 0));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_RANGE, "MALA");
    assert_ok(ebm_sampler_set_schedule(sampler, EBM_SAMPLER_STEP_SIZE,
                                       EBM_SCHEDULE_LINEAR, 1, 0.1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_WARMUP_STEPS, 3));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_UNSUPPORTED, "adapted");
    assert_true(ebm_chains_step_count(chains) == 0);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* What an observer tried; asserted on after the run. */
typedef struct meddler {
    ebm_sampler *sampler;
    ebm_status schedule, callback, step;
} meddler;

static int meddle(size_t step, const ebm_chains *chains, void *user)
{
    meddler *m = user;
    (void)step;
    (void)chains;
    m->schedule = ebm_sampler_set_schedule(m->sampler, EBM_SAMPLER_TEMPERATURE,
                                           EBM_SCHEDULE_LINEAR, 1, 2);
    m->callback = ebm_sampler_set_schedule_callback(
        m->sampler, EBM_SAMPLER_TEMPERATURE, NULL, NULL);
    m->step = ebm_sampler_set(m->sampler, EBM_SAMPLER_STEP_SIZE, 0);
    return 0;
}

/* In a run no schedule changes, and settings are checked once more. */
static void observers_change_no_schedule(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_sampler *sampler = make(context, EBM_SAMPLER_MALA, STEPS);
    ebm_chains *chains = make_chains(context);
    meddler m = {.sampler = sampler};
    assert_ok(ebm_sampler_set_observer(sampler, 2, meddle, &m));
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_RANGE, "step_size 0");
    assert_status(m.schedule, EBM_ERROR_STATE);
    assert_status(m.callback, EBM_ERROR_STATE);
    assert_ok(m.step);
    assert_true(ebm_chains_step_count(chains) == 2);
    /* A scheduled step is not that one. */
    assert_ok(ebm_sampler_set_schedule(sampler, EBM_SAMPLER_STEP_SIZE,
                                       EBM_SCHEDULE_LINEAR, 0.1, 0.2));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void temperatures_are_told(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_sampler *mala = make(context, EBM_SAMPLER_MALA, 1);
    ebm_sampler *langevin = make(context, EBM_SAMPLER_LANGEVIN, 1);
    ebm_sampler *descent = make(context, EBM_SAMPLER_GRADIENT_DESCENT, 1);
    double t = 7;
    assert_ok(ebm_sampler_implied_temperature(mala, &t));
    assert_true(t == 1);
    assert_ok(ebm_sampler_set(mala, EBM_SAMPLER_TEMPERATURE, 0.25));
    assert_ok(ebm_sampler_implied_temperature(mala, &t));
    assert_true(t == 0.25);
    assert_ok(ebm_sampler_implied_temperature(descent, &t));
    assert_true(t == 0);
    assert_ok(ebm_sampler_set_schedule(mala, EBM_SAMPLER_STEP_SIZE,
                                       EBM_SCHEDULE_LINEAR, 1, 2));
    assert_ok(ebm_sampler_implied_temperature(mala, &t));
    assert_true(t == 0.25);
    assert_ok(ebm_sampler_set_schedule(mala, EBM_SAMPLER_TEMPERATURE,
                                       EBM_SCHEDULE_LINEAR, 1, 2));
    assert_error(context, ebm_sampler_implied_temperature(mala, &t),
                 EBM_ERROR_STATE, "schedule");
    assert_ok(ebm_sampler_set_schedule(langevin, EBM_SAMPLER_NOISE_STD,
                                       EBM_SCHEDULE_LINEAR, 1, 2));
    assert_error(context, ebm_sampler_implied_temperature(langevin, &t),
                 EBM_ERROR_STATE, "schedule");
    assert_true(t == 0.25);
    ebm_sampler_destroy(descent);
    ebm_sampler_destroy(langevin);
    ebm_sampler_destroy(mala);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_are_runs_of_one_step),
        cmocka_unit_test(schedules_can_be_taken_away),
        cmocka_unit_test(a_single_step_takes_the_first_value),
        cmocka_unit_test(wrong_schedules_are_refused),
        cmocka_unit_test(refused_runs_move_nothing),
        cmocka_unit_test(observers_change_no_schedule),
        cmocka_unit_test(temperatures_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
