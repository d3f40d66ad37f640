/* Step-size adaptation: it reaches its target in the warm-up, and ends. */
#include "ebm_test.h"
#include "gaussian.h"
#include "targets.h"

enum { N = 200 };

typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
} scene;

static void set(const scene *s, ebm_sampler_key key, double value)
{
    assert_ok(ebm_sampler_set(s->sampler, key, value));
}

static double get(const scene *s, ebm_sampler_key key)
{
    double value = NAN;
    assert_ok(ebm_sampler_get(s->sampler, key, &value));
    return value;
}

static void begin(scene *s, test_target *target, ebm_sampler_kind kind,
                  double step_size)
{
    s->context = test_context_threads(1);
    s->model = test_target_model(s->context, target);
    assert_ok(ebm_sampler_create(s->context, kind, &s->sampler));
    set(s, EBM_SAMPLER_STEP_SIZE, step_size);
    if (kind == EBM_SAMPLER_HMC)
        set(s, EBM_SAMPLER_LEAPFROG_STEPS, 4);
    assert_ok(
        ebm_chains_create(s->context, N, 1, 1, target->size, 8, &s->chains));
    assert_ok(ebm_chains_init_normal(s->chains, 0, 0.5));
}

static void run(const scene *s, double steps)
{
    set(s, EBM_SAMPLER_STEPS, steps);
    assert_ok(ebm_sampler_run(s->sampler, s->model, s->chains));
}

static void end(scene *s)
{
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

/* From far too small and far too large, to the kind's own target and to
   others: the acceptance after the warm-up, over 200 x 300 proposals. */
static void targets_are_reached(void **state)
{
    (void)state;
    static const struct {
        ebm_sampler_kind kind;
        double start, target, right;
        test_target *energy;
    } cases[] = {
        {EBM_SAMPLER_MALA, 1e-3, 0, 0.574, &test_target_gaussian},
        {EBM_SAMPLER_MALA, 30, 0, 0.574, &test_target_gaussian},
        {EBM_SAMPLER_MALA, 0.1, 0.8, 0.8, &test_target_mixture},
        {EBM_SAMPLER_MALA, 1e-6, 0, 0.574, &test_target_bump},
        {EBM_SAMPLER_HMC, 1e-2, 0, 0.65, &test_target_gaussian},
        {EBM_SAMPLER_HMC, 20, 0, 0.65, &test_target_bump},
        {EBM_SAMPLER_HMC, 0.3, 0.9, 0.9, &test_target_mixture},
    };
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        scene s;
        begin(&s, cases[i].energy, cases[i].kind, cases[i].start);
        set(&s, EBM_SAMPLER_TARGET_ACCEPTANCE, cases[i].target);
        set(&s, EBM_SAMPLER_WARMUP_STEPS, 300);
        run(&s, 300);
        double frozen = get(&s, EBM_SAMPLER_STEP_SIZE), each[N], sum = 0;
        run(&s, 300);
        double rate = test_statistic(s.sampler, EBM_SAMPLER_STAT_ACCEPTANCE);
        print_message("%s from %g: step %.3f, accepts %.3f of %.3f\n",
                      cases[i].energy->name, cases[i].start, frozen, rate,
                      cases[i].right);
        assert_close(rate, cases[i].right, 0.03, 0);
        /* Frozen, to the bit, for good. */
        assert_true(get(&s, EBM_SAMPLER_STEP_SIZE) == frozen);
        assert_ok(ebm_sampler_acceptance(s.sampler, each, N));
        for (size_t c = 0; c < N; c++) {
            assert_true(each[c] >= 0 && each[c] <= 1);
            sum += each[c] / N;
        }
        assert_close(sum, rate, 1e-12, 0);
        end(&s);
    }
}

/* The steps of a warm-up are counted over runs, in any division, and only
   they change the step size. */
typedef struct trail {
    const ebm_sampler *sampler;
    double steps[64];
} trail;

static int note(size_t step, const ebm_chains *chains, void *user)
{
    trail *t = user;
    (void)chains;
    ebm_sampler_get(t->sampler, EBM_SAMPLER_STEP_SIZE, t->steps + step);
    return 0;
}

static void warmups_end(void **state)
{
    (void)state;
    scene s, pieces;
    trail t;
    begin(&s, &test_target_gaussian, EBM_SAMPLER_MALA, 0.2);
    begin(&pieces, &test_target_gaussian, EBM_SAMPLER_MALA, 0.2);
    t.sampler = s.sampler;
    t.steps[0] = 0.2;
    assert_ok(ebm_sampler_set_observer(s.sampler, 1, note, &t));
    set(&s, EBM_SAMPLER_WARMUP_STEPS, 25);
    run(&s, 40);
    for (size_t k = 1; k <= 40; k++)
        assert_int_equal(t.steps[k] != t.steps[k - 1], k <= 25);
    /* In pieces: 10, 10, 5 and 15 more. */
    set(&pieces, EBM_SAMPLER_WARMUP_STEPS, 25);
    run(&pieces, 10);
    assert_true(get(&pieces, EBM_SAMPLER_STEP_SIZE) == t.steps[10]);
    run(&pieces, 10);
    run(&pieces, 20);
    assert_true(get(&pieces, EBM_SAMPLER_STEP_SIZE) == t.steps[40]);
    assert_same_bits(ebm_chains_states(s.chains),
                     ebm_chains_states(pieces.chains), 3 * N);
    /* Declared again it begins again, where the step is. */
    set(&s, EBM_SAMPLER_WARMUP_STEPS, 25);
    set(&pieces, EBM_SAMPLER_WARMUP_STEPS, 0);
    run(&s, 30);
    run(&pieces, 30);
    assert_true(get(&s, EBM_SAMPLER_STEP_SIZE) != t.steps[0]);
    assert_other_bits(ebm_chains_states(s.chains),
                      ebm_chains_states(pieces.chains), 3 * N);
    end(&pieces);
    end(&s);
}

/* The recursion of Hoffman and Gelman's algorithm 5 with the acceptances that
   a single chain shows: all taken or none, so min(1, alpha) is not seen and
   the energy is flat, where it is 1. */
static int flat(const float *params, const float *x, const int32_t *labels,
                size_t n, float *energy, float *grad, void *user)
{
    size_t size = *(size_t *)user;
    (void)params;
    (void)x;
    (void)labels;
    memset(energy, 0, n * sizeof *energy);
    memset(grad, 0, n * size * sizeof *grad);
    return 0;
}

static void the_recursion_is_as_published(void **state)
{
    (void)state;
    size_t size = 2;
    ebm_energy_ops ops = {.struct_size = sizeof ops, .energy_grad = flat};
    scene s;
    s.context = test_context_threads(1);
    assert_ok(
        ebm_model_create_custom(s.context, 1, 1, 2, &ops, &size, &s.model));
    assert_ok(ebm_sampler_create(s.context, EBM_SAMPLER_MALA, &s.sampler));
    assert_ok(ebm_chains_create(s.context, 3, 1, 1, 2, 1, &s.chains));
    set(&s, EBM_SAMPLER_STEP_SIZE, 0.5);
    set(&s, EBM_SAMPLER_TARGET_ACCEPTANCE, 0.9);
    set(&s, EBM_SAMPLER_WARMUP_STEPS, 6);
    double h = 0, mean = 0, mu = log(10 * 0.5);
    for (int t = 1; t <= 6; t++) {
        run(&s, 1);
        h = (1 - 1 / (t + 10.0)) * h + (0.9 - 1) / (t + 10.0);
        double step = mu - sqrt(t) / 0.05 * h;
        mean = pow(t, -0.75) * step + (1 - pow(t, -0.75)) * mean;
        assert_close(get(&s, EBM_SAMPLER_STEP_SIZE), exp(t < 6 ? step : mean),
                     0, 1e-12);
    }
    end(&s);
}

/* On a flat energy nothing is ever refused: the step stops growing where
   floats would. */
static void steps_stay_finite(void **state)
{
    (void)state;
    size_t size = 2;
    ebm_energy_ops ops = {.struct_size = sizeof ops, .energy_grad = flat};
    scene s;
    s.context = test_context_threads(1);
    assert_ok(
        ebm_model_create_custom(s.context, 1, 1, 2, &ops, &size, &s.model));
    assert_ok(ebm_sampler_create(s.context, EBM_SAMPLER_MALA, &s.sampler));
    assert_ok(ebm_chains_create(s.context, 3, 1, 1, 2, 1, &s.chains));
    set(&s, EBM_SAMPLER_WARMUP_STEPS, 3000);
    run(&s, 3000);
    double step = get(&s, EBM_SAMPLER_STEP_SIZE);
    assert_true(isfinite(step) && step > 1e6);
    assert_int_equal(ebm_chains_diverged_count(s.chains), 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_reached),
        cmocka_unit_test(warmups_end),
        cmocka_unit_test(the_recursion_is_as_published),
        cmocka_unit_test(steps_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
