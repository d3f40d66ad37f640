/*
 * The Metropolis samplers have the law that they are after, at steps so large
 * that without the test they would not: final states of independent chains
 * against exact moments and distributions.
 */
#include "ebm_test.h"
#include "targets.h"

enum { CHAINS = 4000 };

typedef struct setting {
    ebm_sampler_kind kind;
    double steps, step_size, leapfrogs, temperature;
} setting;

static void set(ebm_sampler *sampler, ebm_sampler_key key, double value)
{
    assert_ok(ebm_sampler_set(sampler, key, value));
}

static test_distance run(test_target *target, const setting *s, uint64_t seed,
                         double *acceptance)
{
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_target_model(context, target);
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    if (target->part)
        test_target_tabulate(target, s->temperature);
    assert_ok(ebm_sampler_create(context, s->kind, &sampler));
    set(sampler, EBM_SAMPLER_STEPS, s->steps);
    set(sampler, EBM_SAMPLER_STEP_SIZE, s->step_size);
    set(sampler, EBM_SAMPLER_TEMPERATURE, s->temperature);
    if (s->kind == EBM_SAMPLER_HMC)
        set(sampler, EBM_SAMPLER_LEAPFROG_STEPS, s->leapfrogs);
    assert_ok(
        ebm_chains_create(context, CHAINS, 1, 1, target->size, seed, &chains));
    /* Not out in the quartic's tails, where large steps are hardly ever taken
       and it would be long before the start is forgotten. */
    assert_ok(ebm_chains_init_normal(chains, 0, 0.5));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    test_distance distance = test_target_distance(
        target, s->temperature, ebm_chains_states(chains), CHAINS);
    assert_ok(ebm_sampler_get_statistic(sampler, EBM_SAMPLER_STAT_ACCEPTANCE,
                                        acceptance));
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    return distance;
}

/* HMC without the Metropolis test, in double and with the test's own random
   numbers. */
static test_distance run_uncorrected(const test_target *target,
                                     const setting *s)
{
    float *final = test_floats(CHAINS * target->size);
    uint64_t random = 11;
    for (size_t c = 0; c < CHAINS; c++) {
        double x[TARGET_LARGEST], g[TARGET_LARGEST], p[TARGET_LARGEST];
        for (size_t i = 0; i < target->size; i++)
            x[i] = 0.5 * test_random_normal(&random);
        for (double k = 0; k < s->steps; k++) {
            for (size_t i = 0; i < target->size; i++)
                p[i] = sqrt(s->temperature) * test_random_normal(&random);
            for (double l = 0; l < s->leapfrogs; l++) {
                target->energy(x, g);
                for (size_t i = 0; i < target->size; i++) {
                    p[i] -= s->step_size / 2 * g[i];
                    x[i] += s->step_size * p[i];
                }
                target->energy(x, g);
                for (size_t i = 0; i < target->size; i++)
                    p[i] -= s->step_size / 2 * g[i];
            }
        }
        for (size_t i = 0; i < target->size; i++)
            final[c * target->size + i] = (float)x[i];
    }
    test_distance distance =
        test_target_distance(target, s->temperature, final, CHAINS);
    free(final);
    return distance;
}

static void check(test_target *target, setting s, uint64_t seed, int is_large)
{
    double acceptance, ignored;
    test_distance right = run(target, &s, seed, &acceptance), wrong;
    print_message("%s, %s step %.2f T %.1f: accepts %.2f, moments %.1f sigma, "
                  "KS %.2f",
                  target->name, s.kind == EBM_SAMPLER_MALA ? "MALA" : "HMC",
                  s.step_size, s.temperature, acceptance, right.moment,
                  right.ks);
    assert_true(acceptance > 0.2 && acceptance < 0.999);
    assert_true(right.moment < test_target_moment_bound(target));
    assert_true(right.ks < test_target_ks_bound(target));
    if (is_large) {
        setting t = s;
        t.kind = EBM_SAMPLER_TIED_LANGEVIN;
        wrong = s.kind == EBM_SAMPLER_MALA ? run(target, &t, seed, &ignored)
                                           : run_uncorrected(target, &s);
        print_message("; uncorrected %.0f sigma, KS %.1f", wrong.moment,
                      wrong.ks);
        /* The negative control fails by a wide margin. */
        assert_true(wrong.moment > 2 * test_target_moment_bound(target));
        assert_true(wrong.ks > 1.5 * test_target_ks_bound(target));
    }
    print_message("\n");
}

static void mala_has_the_law(void **state)
{
    (void)state;
    const ebm_sampler_kind kind = EBM_SAMPLER_MALA;
    check(&test_target_gaussian, (setting){kind, 300, 0.1, 1, 1}, 1, 0);
    check(&test_target_gaussian, (setting){kind, 300, 0.4, 1, 1}, 2, 1);
    check(&test_target_gaussian, (setting){kind, 300, 0.4, 1, 2.5}, 3, 1);
    check(&test_target_mixture, (setting){kind, 600, 0.1, 1, 1}, 4, 0);
    check(&test_target_mixture, (setting){kind, 600, 0.4, 1, 1}, 5, 1);
    check(&test_target_wells, (setting){kind, 800, 0.05, 1, 1}, 6, 0);
    check(&test_target_wells, (setting){kind, 800, 0.1, 1, 1.5}, 7, 0);
    /* Colder: at T = 1 the step without the test runs away here. */
    check(&test_target_wells, (setting){kind, 800, 0.08, 1, 0.4}, 10, 1);
    check(&test_target_bump, (setting){kind, 1600, 0.2, 1, 1}, 8, 1);
    check(&test_target_bump, (setting){kind, 800, 0.2, 1, 0.8}, 9, 1);
}

static void hmc_has_the_law(void **state)
{
    (void)state;
    const ebm_sampler_kind kind = EBM_SAMPLER_HMC;
    check(&test_target_gaussian, (setting){kind, 100, 0.4, 5, 1}, 11, 0);
    check(&test_target_gaussian, (setting){kind, 100, 0.85, 3, 1}, 12, 1);
    check(&test_target_gaussian, (setting){kind, 100, 0.85, 3, 0.3}, 13, 1);
    check(&test_target_mixture, (setting){kind, 200, 0.3, 6, 1}, 14, 0);
    check(&test_target_mixture, (setting){kind, 200, 0.9, 2, 1}, 15, 1);
    check(&test_target_wells, (setting){kind, 300, 0.2, 6, 1}, 16, 0);
    check(&test_target_wells, (setting){kind, 300, 0.35, 2, 1.5}, 17, 0);
    check(&test_target_wells, (setting){kind, 300, 0.36, 2, 0.4}, 20, 1);
    check(&test_target_bump, (setting){kind, 300, 0.6, 2, 1}, 18, 1);
    check(&test_target_bump, (setting){kind, 300, 0.6, 2, 0.8}, 19, 1);
}

/*
 * Detailed balance: from the law itself one step goes from cell i of a grid to
 * cell j as often as back, so each (n_ij - n_ji)^2 / (n_ij + n_ji) is about
 * chi-squared with one degree of freedom. The first coordinate of the wells,
 * the second held by its own start.
 */
enum { CELLS = 12, STARTS = 200000 };

static size_t cell_of(double value)
{
    double at = (value + 1.8) / 3.6 * CELLS;
    return at < 0 ? 0 : at >= CELLS ? CELLS - 1 : (size_t)at;
}

/* The chi-squared sum less its mean, in its standard deviations. */
static double imbalance(const setting *s, uint64_t seed)
{
    static size_t flow[CELLS][CELLS];
    ebm_context *context = test_context_threads(1);
    test_target *target = &test_target_wells;
    ebm_model *model = test_target_model(context, target);
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    float *x = test_floats(2 * STARTS);
    uint64_t random = seed;
    double sum = 0, pairs = 0;
    memset(flow, 0, sizeof flow);
    test_target_tabulate(target, s->temperature);
    for (size_t i = 0; i < 2 * STARTS; i++)
        x[i] = (float)test_target_draw(target, i % 2,
                                       test_random_uniform(&random, 0, 1));
    assert_ok(ebm_sampler_create(context, s->kind, &sampler));
    set(sampler, EBM_SAMPLER_STEPS, s->steps);
    set(sampler, EBM_SAMPLER_STEP_SIZE, s->step_size);
    set(sampler, EBM_SAMPLER_TEMPERATURE, s->temperature);
    if (s->kind == EBM_SAMPLER_HMC)
        set(sampler, EBM_SAMPLER_LEAPFROG_STEPS, s->leapfrogs);
    assert_ok(ebm_chains_create(context, STARTS, 1, 1, 2, seed, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    for (size_t i = 0; i < STARTS; i++)
        flow[cell_of(x[2 * i])][cell_of(ebm_chains_states(chains)[2 * i])]++;
    for (size_t i = 0; i < CELLS; i++)
        for (size_t j = 0; j < i; j++) {
            double there = (double)flow[i][j], back = (double)flow[j][i];
            if (there + back < 20)
                continue;
            sum += (there - back) * (there - back) / (there + back);
            pairs++;
        }
    free(x);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_true(pairs > 20);
    return (sum - pairs) / sqrt(2 * pairs);
}

static void detailed_balance_holds(void **state)
{
    (void)state;
    static const setting right[] = {
        {EBM_SAMPLER_MALA, 1, 0.05, 1, 1}, {EBM_SAMPLER_MALA, 1, 0.15, 1, 1},
        {EBM_SAMPLER_MALA, 1, 0.15, 1, 2}, {EBM_SAMPLER_HMC, 1, 0.3, 1, 1},
        {EBM_SAMPLER_HMC, 1, 0.4, 3, 1},   {EBM_SAMPLER_HMC, 1, 0.4, 3, 0.5}};
    static const setting wrong = {EBM_SAMPLER_TIED_LANGEVIN, 1, 0.05, 1, 1};
    for (size_t i = 0; i < TEST_COUNT(right); i++) {
        double off = imbalance(right + i, 30 + i);
        print_message("balance: %+.1f sigma\n", off);
        assert_true(fabs(off) < 4);
    }
    double off = imbalance(&wrong, 40);
    print_message("uncorrected: %+.1f sigma\n", off);
    assert_true(off > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mala_has_the_law),
        cmocka_unit_test(hmc_has_the_law),
        cmocka_unit_test(detailed_balance_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
