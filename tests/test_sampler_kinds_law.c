/*
 * The laws of the samplers without a Metropolis test, how far they are off,
 * and the laws on a part of space: bounds, walls, and energies that are not
 * numbers somewhere.
 */
#include "ebm_test.h"
#include "gaussian.h"
#include "targets.h"

static void set(ebm_sampler *sampler, ebm_sampler_key key, double value)
{
    assert_ok(ebm_sampler_set(sampler, key, value));
}

static ebm_sampler *make(ebm_context *context, ebm_sampler_kind kind,
                         double steps, double step_size, double temperature)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, kind, &sampler));
    set(sampler, EBM_SAMPLER_STEPS, steps);
    set(sampler, EBM_SAMPLER_STEP_SIZE, step_size);
    set(sampler, EBM_SAMPLER_TEMPERATURE, temperature);
    return sampler;
}

enum { ROWS = 1000, SIZE = 120, N = ROWS * SIZE };

/* The variance of all coordinates of E = theta |x|^2 / 2, for chains that
   begin at 0. */
static double variance_of(ebm_sampler_kind kind, double theta, double steps,
                          double step_size, double temperature, double *ks)
{
    ebm_context *context = test_context_threads(1);
    test_gaussian g = {.theta = (float)theta, .size = SIZE};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = make(context, kind, steps, step_size, temperature);
    ebm_chains *chains = NULL;
    double *sorted = test_doubles(N), square = 0;
    double law[2] = {0, sqrt(temperature / theta)};
    assert_ok(ebm_chains_create(context, ROWS, 1, SIZE, 1, 5, &chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    for (size_t i = 0; i < N; i++) {
        sorted[i] = ebm_chains_states(chains)[i];
        square += sorted[i] * sorted[i] / N;
    }
    *ks = test_ks(sorted, N, test_cdf_normal, law);
    free(sorted);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    return square;
}

/*
 * x' = (1 - h theta) x + sqrt(2 h T) xi has the variance
 * T / theta / (1 - h theta / 2): the bias is T h / 2 to first order.
 */
static void the_tied_bias_is_linear(void **state)
{
    (void)state;
    const double theta = 2, T = 1.5, error = sqrt(2.0 / N);
    double last = 0;
    for (double h = 0.32; h > 0.03; h /= 2) {
        double ks, right = T / theta / (1 - h * theta / 2);
        double variance = variance_of(EBM_SAMPLER_TIED_LANGEVIN, theta,
                                      ceil(8 / (h * theta)), h, T, &ks);
        double bias = variance - T / theta;
        assert_close(variance, right, 4 * error * right, 0);
        print_message("h %.2f: bias %.4f, %.3f h\n", h, bias, bias / h);
        /* Halving the step halves the bias, up to its next order. */
        if (last > 0)
            assert_close(bias / last, 0.5, 0.12, 0);
        assert_close(bias / h, T / 2 / (1 - h * theta / 2),
                     4 * error * right / h, 0);
        /* A bias of a tenth is plain to see. */
        assert_true(h < 0.1 || ks > 2.5);
        last = bias;
    }
}

/* On a quadratic energy BAOAB's law is exact for x at any stable step, here
   up to theta h^2 = 3.4 of 4. */
static void baoab_is_exact_on_quadratics(void **state)
{
    (void)state;
    static const double steps[] = {0.3, 1, 1.3};
    const double theta = 2, T = 0.7, error = sqrt(2.0 / N);
    for (size_t i = 0; i < TEST_COUNT(steps); i++) {
        double ks, variance = variance_of(EBM_SAMPLER_BAOAB, theta, 60,
                                          steps[i], T, &ks);
        print_message("BAOAB h %.1f: variance %+.1f sigma, KS %.2f\n",
                      steps[i], (variance * theta / T - 1) / error, ks);
        assert_close(variance, T / theta, 4 * error * T / theta, 0);
        assert_true(ks < 1.95);
    }
}

enum { CHAINS = 4000 };

static test_distance distance_of(test_target *target, ebm_sampler *sampler,
                                 ebm_context *context, double temperature)
{
    ebm_model *model = test_target_model(context, target);
    ebm_chains *chains = NULL;
    if (target->part)
        test_target_tabulate(target, temperature);
    assert_ok(
        ebm_chains_create(context, CHAINS, 1, 1, target->size, 6, &chains));
    assert_ok(ebm_chains_init_normal(chains, 0, 0.5));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    test_distance distance = test_target_distance(
        target, temperature, ebm_chains_states(chains), CHAINS);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    return distance;
}

/* With a small step the law is right for float eyes, at any temperature and
   friction; with a large one it is not. */
static void baoab_has_the_law_of_small_steps(void **state)
{
    (void)state;
    static const struct {
        double step_size, temperature, friction;
        test_target *target;
        int is_right;
    } cases[] = {{0.1, 1, 1, &test_target_gaussian, 1},
                 {0.1, 1, 0.5, &test_target_mixture, 1},
                 {0.08, 1, 1, &test_target_wells, 1},
                 {0.08, 1.7, 4, &test_target_wells, 1},
                 {0.75, 1, 1, &test_target_bump, 0}};
    ebm_context *context = test_context_threads(1);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        test_target *target = cases[i].target;
        double T = cases[i].temperature;
        ebm_sampler *sampler =
            make(context, EBM_SAMPLER_BAOAB, 1000, cases[i].step_size, T);
        set(sampler, EBM_SAMPLER_FRICTION, cases[i].friction);
        test_distance d = distance_of(target, sampler, context, T);
        print_message("BAOAB %s h %.2f: %.1f sigma, KS %.2f\n", target->name,
                      cases[i].step_size, d.moment, d.ks);
        if (cases[i].is_right) {
            assert_true(d.moment < test_target_moment_bound(target));
            assert_true(d.ks < test_target_ks_bound(target));
        } else {
            assert_true(d.ks > 1.5 * test_target_ks_bound(target));
        }
        ebm_sampler_destroy(sampler);
    }
    ebm_context_destroy(context);
}

/* E = |x|^2 / 2, but not a number where x_0 > EDGE. */
static const float EDGE = 0.4f;

typedef struct hole {
    int has_hole;
    size_t beyond; /* samples asked for beyond the edge */
} hole;

static int hole_energy_grad(const float *params, const float *x,
                            const int32_t *labels, size_t n, float *energy,
                            float *grad, void *user)
{
    hole *h = user;
    (void)params;
    (void)labels;
    for (size_t i = 0; i < n; i++) {
        energy[i] = (x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1]) / 2;
        grad[2 * i] = x[2 * i];
        grad[2 * i + 1] = x[2 * i + 1];
        if (!(x[2 * i] <= EDGE)) {
            h->beyond++;
            if (h->has_hole)
                energy[i] = grad[2 * i] = NAN;
        }
    }
    return 0;
}

/* The normal law below `edge`; argument {T, edge}. */
static double cut_cdf(double value, const void *argument)
{
    const double *a = argument;
    double law[2] = {0, sqrt(a[0])};
    double f = test_cdf_normal(value, law) / test_cdf_normal(a[1], law);
    return f > 1 ? 1 : f;
}

/* What lies beyond the edge is refused, by NaN or by a bound, and the law is
   the normal one cut off there. */
static void check_cut(ebm_sampler_kind kind, int has_hole, double step_size)
{
    ebm_context *context = test_context_threads(1);
    hole h = {.has_hole = has_hole};
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .energy_grad = hole_energy_grad};
    ebm_model *model = NULL;
    ebm_chains *chains = NULL;
    ebm_sampler *sampler = make(context, kind, 150, step_size, 1.3);
    double cut[CHAINS], law[2] = {1.3, EDGE};
    assert_ok(ebm_model_create_custom(context, 1, 1, 2, &ops, &h, &model));
    assert_ok(ebm_chains_create(context, CHAINS, 1, 1, 2, 9, &chains));
    if (!has_hole)
        set(sampler, EBM_SAMPLER_STATE_MAX, EDGE);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    int is_metropolis = kind != EBM_SAMPLER_BAOAB;
    for (size_t i = 0; i < CHAINS; i++)
        cut[i] = ebm_chains_states(chains)[2 * i];
    double ks = test_ks(cut, CHAINS, cut_cdf, law);
    print_message("kind %d, %s: KS %.2f, not finite %g, outside %g of %g\n",
                  kind, has_hole ? "hole" : "bound", ks,
                  test_statistic(sampler, EBM_SAMPLER_STAT_NON_FINITE),
                  test_statistic(sampler, EBM_SAMPLER_STAT_OUTSIDE),
                  test_statistic(sampler, EBM_SAMPLER_STAT_PROPOSALS));
    assert_true(ks < 1.95);
    assert_true(cut[CHAINS - 1] <= (double)EDGE);
    double all = is_metropolis ? 150.0 * CHAINS : 0;
    assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_PROPOSALS) == all);
    double refused =
        test_statistic(sampler, has_hole ? EBM_SAMPLER_STAT_NON_FINITE
                                         : EBM_SAMPLER_STAT_OUTSIDE);
    double other =
        test_statistic(sampler, has_hole ? EBM_SAMPLER_STAT_OUTSIDE
                                         : EBM_SAMPLER_STAT_NON_FINITE);
    assert_true(other == 0);
    if (is_metropolis)
        assert_true(refused > all / 20 && refused < all * 0.7);
    else
        assert_true(test_statistic(sampler, EBM_SAMPLER_STAT_CLAMPED_STEP) >
                    1e4);
    /* MALA asks at every proposal inside the bounds and nowhere else. */
    if (kind == EBM_SAMPLER_MALA)
        assert_true((double)h.beyond == (has_hole ? refused : 0));
    assert_int_equal(ebm_chains_diverged_count(chains), 0);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void refused_proposals_cut_the_law(void **state)
{
    (void)state;
    check_cut(EBM_SAMPLER_MALA, 1, 0.5);
    check_cut(EBM_SAMPLER_MALA, 0, 0.5);
    check_cut(EBM_SAMPLER_HMC, 1, 0.15);
    check_cut(EBM_SAMPLER_HMC, 0, 0.15);
    check_cut(EBM_SAMPLER_BAOAB, 0, 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tied_bias_is_linear),
        cmocka_unit_test(baoab_is_exact_on_quadratics),
        cmocka_unit_test(baoab_has_the_law_of_small_steps),
        cmocka_unit_test(refused_proposals_cut_the_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
