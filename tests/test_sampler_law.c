/* The law of the Langevin sampler's chains, in closed form on a Gaussian. */
#include "ebm_test.h"
#include "gaussian.h"

static void moments(const float *x, size_t n, double *mean, double *variance)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        square += ((double)x[i] - *mean) * ((double)x[i] - *mean);
    *variance = square / (double)n;
}

enum { LAW_CHAINS = 1000, LAW_SIZE = 120, LAW_N = LAW_CHAINS * LAW_SIZE };

/*
 * Noise first on E = theta x^2 / 2 gives x' = a (x + std xi) with a = 1 -
 * step theta, so from a point x_0, after t steps,
 *
 *     mean = a^t x_0,   variance = a^2 std^2 (1 - a^2t) / (1 - a^2).
 *
 * Both estimates are Gaussian: 5 standard errors. Noise last would lack the
 * factor a^2: the test must tell the two apart.
 */
static void check_law(double theta, double step, double std, size_t steps,
                      float start)
{
    double a = 1 - step * theta, power = pow(a, (double)steps);
    double noise_last = std * std * (1 - power * power) / (1 - a * a);
    double right = a * a * noise_last;
    ebm_context *context = test_context_threads(1);
    test_gaussian g = {.theta = (float)theta, .size = LAW_SIZE};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, (double)steps, step, std);
    ebm_chains *chains = NULL;
    float *x = test_floats(LAW_N);
    double *sorted = test_doubles(LAW_N), mean, variance;
    for (size_t i = 0; i < LAW_N; i++)
        x[i] = start;
    assert_ok(ebm_chains_create(context, LAW_CHAINS, 1, LAW_SIZE, 1,
                                20 + steps, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    moments(ebm_chains_states(chains), LAW_N, &mean, &variance);
    double mean_error = sqrt(right / LAW_N);
    double error = right * sqrt(2.0 / LAW_N);
    assert_close(mean, power * start, 5 * mean_error, 0);
    assert_close(variance, right, 5 * error, 0);
    /* The negative control: the wrong order is far outside the bars. */
    assert_true(fabs(variance - noise_last) > 10 * error);
    double law[2] = {power * start, sqrt(right)};
    for (size_t i = 0; i < LAW_N; i++)
        sorted[i] = ebm_chains_states(chains)[i];
    assert_true(test_ks(sorted, LAW_N, test_cdf_normal, law) < 1.95);
    print_message("a = %.2f, t = %zu: mean %+.1f sigma, variance %+.1f sigma, "
                  "noise last would be off by %.0f sigma\n",
                  a, steps, (mean - power * start) / mean_error,
                  (variance - right) / error,
                  fabs(noise_last - right) / error);
    free(x);
    free(sorted);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void the_stationary_law_is_right(void **state)
{
    (void)state;
    check_law(1, 0.1, 0.3, 150, 0);
    check_law(2, 0.75, 1, 60, 0); /* a = -0.5: overshooting */
}

static void the_transient_law_is_right(void **state)
{
    (void)state;
    check_law(1, 0.1, 0.3, 1, 2);
    check_law(1, 0.1, 0.3, 5, 2);
    check_law(0.5, 0.4, 0.1, 12, -1);
}

/* No term of the law may lean on where a chain stands: coordinates and
   chains do not correlate. */
static void chains_and_coordinates_are_independent(void **state)
{
    (void)state;
    enum { N = 300, M = 300 };
    ebm_context *context = test_context_threads(1);
    test_gaussian g = {.theta = 1, .size = M};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, 30, 0.5, 1);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, N, 1, M, 1, 3, &chains));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    const float *x = ebm_chains_states(chains);
    double rows = 0, columns = 0, square = 0;
    for (size_t i = 1; i < N; i++)
        for (size_t j = 1; j < M; j++) {
            double v = x[i * M + j];
            rows += v * x[(i - 1) * M + j];
            columns += v * x[i * M + j - 1];
            square += v * v;
        }
    double count = (N - 1.0) * (M - 1.0);
    assert_close(rows / square * sqrt(count), 0, 5, 0);
    assert_close(columns / square * sqrt(count), 0, 5, 0);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stationary_law_is_right),
        cmocka_unit_test(the_transient_law_is_right),
        cmocka_unit_test(chains_and_coordinates_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
