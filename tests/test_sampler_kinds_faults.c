/* What goes wrong with the kinds of samplers: settings they do not have,
   energies that are not numbers, callbacks that fail, and memory. */
#include "ebm_test.h"
#include "gaussian.h"

enum { N = 6, SIZE = 5, STEPS = 8, ALL = N * SIZE };

static const ebm_sampler_kind all_kinds[] = {
    EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_TIED_LANGEVIN,
    EBM_SAMPLER_MALA,     EBM_SAMPLER_HMC,
    EBM_SAMPLER_BAOAB,    EBM_SAMPLER_GRADIENT_DESCENT};

/* Which keys a kind has, as sampler.h says. */
static int has_key(ebm_sampler_kind kind, int key)
{
    int is_metropolis = kind == EBM_SAMPLER_MALA || kind == EBM_SAMPLER_HMC;
    int is_plain = !is_metropolis && kind != EBM_SAMPLER_BAOAB;
    switch (key) {
    case EBM_SAMPLER_NOISE_STD:
        return kind == EBM_SAMPLER_LANGEVIN;
    case EBM_SAMPLER_GRADIENT_CLIP:
    case EBM_SAMPLER_KEEP_STEPS:
        return is_plain;
    case EBM_SAMPLER_TEMPERATURE:
        return kind != EBM_SAMPLER_LANGEVIN &&
               kind != EBM_SAMPLER_GRADIENT_DESCENT;
    case EBM_SAMPLER_LEAPFROG_STEPS:
        return kind == EBM_SAMPLER_HMC;
    case EBM_SAMPLER_FRICTION:
        return kind == EBM_SAMPLER_BAOAB;
    case EBM_SAMPLER_WARMUP_STEPS:
    case EBM_SAMPLER_TARGET_ACCEPTANCE:
        return is_metropolis;
    default:
        return 1;
    }
}

static void foreign_settings_are_refused(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(all_kinds); i++) {
        ebm_sampler *sampler = NULL;
        assert_ok(ebm_sampler_create(context, all_kinds[i], &sampler));
        for (int k = 0; k <= EBM_SAMPLER_TARGET_ACCEPTANCE; k++) {
            ebm_sampler_key key = (ebm_sampler_key)k;
            const char *name = NULL;
            double initial, value = NAN;
            assert_ok(
                ebm_sampler_option(key, &name, NULL, NULL, NULL, &initial));
            if (has_key(all_kinds[i], k))
                assert_ok(ebm_sampler_set(sampler, key, initial));
            else
                assert_error(context, ebm_sampler_set(sampler, key, initial),
                             EBM_ERROR_UNSUPPORTED, name);
            assert_ok(ebm_sampler_get(sampler, key, &value));
            assert_true(value == initial);
        }
        ebm_sampler_destroy(sampler);
    }
    ebm_context_destroy(context);
}

typedef struct scene {
    ebm_context *context;
    test_gaussian g;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
} scene;

static void begin(scene *s, ebm_context *context, ebm_sampler_kind kind)
{
    s->context = context;
    s->g = (test_gaussian){.theta = 1, .size = SIZE};
    s->model = test_gaussian_model(context, &s->g);
    s->sampler = NULL;
    s->chains = NULL;
    assert_ok(ebm_sampler_create(context, kind, &s->sampler));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, STEPS));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, 0.3));
    if (kind == EBM_SAMPLER_HMC)
        assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_LEAPFROG_STEPS, 2));
    assert_ok(ebm_chains_create(context, N, 1, SIZE, 1, 3, &s->chains));
    assert_ok(ebm_chains_init_normal(s->chains, 0, 1));
}

static ebm_status run(const scene *s)
{
    return ebm_sampler_run(s->sampler, s->model, s->chains);
}

static void end(scene *s)
{
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        ebm_sampler_kind kind;
        ebm_sampler_key key;
        double value;
    } wrong[] = {{EBM_SAMPLER_HMC, EBM_SAMPLER_LEAPFROG_STEPS, 0},
                 {EBM_SAMPLER_HMC, EBM_SAMPLER_LEAPFROG_STEPS, 2.5},
                 {EBM_SAMPLER_MALA, EBM_SAMPLER_TEMPERATURE, -1},
                 {EBM_SAMPLER_MALA, EBM_SAMPLER_TEMPERATURE, 0},
                 {EBM_SAMPLER_MALA, EBM_SAMPLER_STEP_SIZE, -0.1},
                 {EBM_SAMPLER_MALA, EBM_SAMPLER_TARGET_ACCEPTANCE, 1},
                 {EBM_SAMPLER_MALA, EBM_SAMPLER_WARMUP_STEPS, -1},
                 {EBM_SAMPLER_BAOAB, EBM_SAMPLER_FRICTION, 0},
                 {EBM_SAMPLER_BAOAB, EBM_SAMPLER_FRICTION, NAN}};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        scene s;
        begin(&s, test_context_threads(1), wrong[i].kind);
        assert_status(ebm_sampler_set(s.sampler, wrong[i].key, wrong[i].value),
                      EBM_ERROR_RANGE);
        end(&s);
    }
    /* A step of 0: fine for those that do not divide by it. */
    for (size_t i = 0; i < TEST_COUNT(all_kinds); i++) {
        scene s;
        int divides = i >= 2 && i <= 4;
        begin(&s, test_context_threads(1), all_kinds[i]);
        assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_STEP_SIZE, 0));
        assert_error(s.context, run(&s), divides ? EBM_ERROR_RANGE : EBM_OK,
                     divides ? "step_size" : "");
        assert_true(ebm_chains_step_count(s.chains) == (divides ? 0 : STEPS));
        end(&s);
    }
}

static void acceptances_are_read_with_care(void **state)
{
    (void)state;
    scene s, langevin;
    double each[N] = {77};
    begin(&s, test_context_threads(1), EBM_SAMPLER_MALA);
    begin(&langevin, test_context_threads(1), EBM_SAMPLER_TIED_LANGEVIN);
    assert_error(s.context, ebm_sampler_acceptance(s.sampler, each, N),
                 EBM_ERROR_STATE, "run");
    assert_ok(run(&s));
    assert_ok(run(&langevin));
    assert_error(s.context, ebm_sampler_acceptance(s.sampler, each, N + 1),
                 EBM_ERROR_SHAPE, "7");
    assert_error(s.context, ebm_sampler_acceptance(s.sampler, NULL, N),
                 EBM_ERROR_ARGUMENT, "NULL");
    assert_error(langevin.context,
                 ebm_sampler_acceptance(langevin.sampler, each, N),
                 EBM_ERROR_UNSUPPORTED, "tied");
    assert_status(ebm_sampler_acceptance(NULL, each, N), EBM_ERROR_HANDLE);
    assert_true(each[0] == 77);
    assert_ok(ebm_sampler_acceptance(s.sampler, each, N));
    double sum = 0;
    for (size_t i = 0; i < N; i++)
        sum += each[i] * STEPS;
    assert_close(sum, test_statistic(s.sampler, EBM_SAMPLER_STAT_ACCEPTED),
                 1e-9, 0);
    assert_true(test_statistic(langevin.sampler, EBM_SAMPLER_STAT_PROPOSALS) ==
                0);
    end(&langevin);
    end(&s);
}

/* The energy or the gradient of one chain is spoiled at one call. */
static void check_spoiled(ebm_sampler_kind kind, size_t call, float energy,
                          float grad)
{
    scene s, right;
    int is_metropolis = kind == EBM_SAMPLER_MALA || kind == EBM_SAMPLER_HMC;
    double each[N];
    begin(&right, test_context_threads(1), kind);
    assert_ok(run(&right));
    begin(&s, test_context_threads(1), kind);
    s.g.spoil_call = call;
    s.g.spoil_row = 2;
    s.g.energy_spoil = energy;
    s.g.grad_spoil = grad;
    /* At the start there is nothing to go back to; later only kinds without
       a test lose the chain. */
    int diverges = call == 1 || !is_metropolis;
    assert_status(run(&s), diverges ? EBM_ERROR_DIVERGED : EBM_OK);
    uint64_t step = 99, age = 99;
    assert_ok(ebm_chains_diverged(s.chains, 2, &step));
    assert_ok(ebm_chains_age(s.chains, 2, &age));
    assert_true(age == (diverges ? step - 1 : STEPS));
    assert_true(diverges == (step != 0));
    if (call == 1)
        assert_true(step == 1);
    if (is_metropolis) {
        assert_true(test_statistic(s.sampler, EBM_SAMPLER_STAT_NON_FINITE) ==
                    (call == 1 ? 0 : 1));
        assert_ok(ebm_sampler_acceptance(s.sampler, each, N));
        assert_true(call > 1 ? each[2] < 1 : each[2] == 0);
    }
    for (size_t i = 0; i < ALL; i++)
        assert_true(isfinite(ebm_chains_states(s.chains)[i]));
    for (size_t i = 0; i < N; i++)
        if (i != 2)
            assert_same_bits(ebm_chains_states(s.chains) + i * SIZE,
                             ebm_chains_states(right.chains) + i * SIZE, SIZE);
    end(&right);
    end(&s);
}

static void spoiled_energies_are_refusals(void **state)
{
    (void)state;
    for (size_t i = 1; i < TEST_COUNT(all_kinds); i++) {
        check_spoiled(all_kinds[i], 1, NAN, 0);
        check_spoiled(all_kinds[i], 1, 0, INFINITY);
        /* The end of a trajectory of two leapfrog steps, too. */
        check_spoiled(all_kinds[i], 5, NAN, 0);
        check_spoiled(all_kinds[i], 5, -INFINITY, 0);
        check_spoiled(all_kinds[i], 5, INFINITY, 0);
        check_spoiled(all_kinds[i], 5, 0, NAN);
        check_spoiled(all_kinds[i], 5, 0, -INFINITY);
    }
    /* In the middle of one. */
    check_spoiled(EBM_SAMPLER_HMC, 4, 0, NAN);
    check_spoiled(EBM_SAMPLER_HMC, 4, 0, INFINITY);
}

/* A failing energy stops the run at whole steps. */
static void a_failing_energy_stops_the_run(void **state)
{
    (void)state;
    for (size_t i = 1; i < TEST_COUNT(all_kinds); i++)
        for (size_t call = 1; call < 6; call++) {
            scene s, shorter;
            int carries = i >= 2 && i <= 4;
            size_t calls = all_kinds[i] == EBM_SAMPLER_HMC ? 2 : 1;
            size_t done =
                carries ? call < 2 ? 0 : (call - 2) / calls : call - 1;
            begin(&s, test_context_threads(1), all_kinds[i]);
            begin(&shorter, test_context_threads(1), all_kinds[i]);
            s.g.fail_call = call;
            assert_error(s.context, run(&s), EBM_ERROR_CALLBACK, "callback");
            assert_true(ebm_chains_step_count(s.chains) == done);
            if (done) {
                assert_ok(ebm_sampler_set(shorter.sampler, EBM_SAMPLER_STEPS,
                                          (double)done));
                assert_ok(run(&shorter));
            }
            assert_same_bits(ebm_chains_states(s.chains),
                             ebm_chains_states(shorter.chains), ALL);
            for (size_t c = 0; c < N; c++) {
                uint64_t age = 99;
                assert_ok(ebm_chains_age(s.chains, c, &age));
                assert_true(age == done);
            }
            assert_ok(run(&s));
            end(&shorter);
            end(&s);
        }
}

static int keep_still(size_t step, size_t steps, double *value, void *user)
{
    (void)step;
    (void)steps;
    (void)user;
    *value = 0.3;
    return 0;
}

/* When memory is short at the first run the chains stay where they are; after
   it no run asks for more. */
static void memory_is_asked_for_once(void **state)
{
    (void)state;
    for (size_t i = 1; i < TEST_COUNT(all_kinds); i++) {
        test_allocator memory;
        scene s;
        begin(&s, test_context(&memory), all_kinds[i]);
        float *before = test_states(s.chains);
        assert_ok(ebm_sampler_set_schedule_callback(
            s.sampler, EBM_SAMPLER_STEP_SIZE, keep_still, NULL));
        size_t failures = 0;
        for (size_t n = 1;; n = 2) {
            /* The first time nothing is given, then one more each time. */
            test_fail_at(&memory, n, 0);
            ebm_status status = run(&s);
            if (status == EBM_OK)
                break;
            assert_error(s.context, status, EBM_ERROR_MEMORY, "memory");
            assert_same_bits(ebm_chains_states(s.chains), before, ALL);
            assert_true(ebm_chains_step_count(s.chains) == 0);
            failures++;
        }
        assert_true(failures >= 3);
        test_fail_at(&memory, 0, 0);
        size_t allocations = memory.allocations;
        assert_ok(run(&s));
        assert_int_equal(memory.allocations, allocations);
        free(before);
        end(&s);
        assert_no_leaks(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_settings_are_refused),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(acceptances_are_read_with_care),
        cmocka_unit_test(spoiled_energies_are_refusals),
        cmocka_unit_test(a_failing_energy_stops_the_run),
        cmocka_unit_test(memory_is_asked_for_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
