/* Diagnostics of draws, chains and scores: laws, extremes, and what is
   refused without a trace. */
#include "ebm_test.h"
#include "quadratic.h"

#include "diagnostics/rank.h"

static int ascending(const ebm_ranked *a, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (a[i - 1].value > a[i].value ||
            (a[i - 1].value == a[i].value && a[i - 1].index >= a[i].index))
            return 0;
    return 1;
}

static void sorting_sorts(void **state)
{
    (void)state;
    enum { MOST = 40 };
    uint64_t random = 1;
    for (size_t n = 0; n <= MOST; n++)
        for (int kind = 0; kind < 3; kind++) {
            ebm_ranked a[MOST + 1];
            size_t seen[MOST + 1] = {0};
            for (size_t i = 0; i < n; i++) {
                double value = test_random_uniform(&random, 0, 8);
                a[i] = (ebm_ranked){kind == 0   ? value
                                    : kind == 1 ? floor(value)
                                                : -(double)i,
                                    i};
            }
            ebm_sort(a, n);
            assert_true(ascending(a, n));
            for (size_t i = 0; i < n; i++)
                seen[a[i].index]++;
            for (size_t i = 0; i < n; i++)
                assert_int_equal(seen[i], 1);
        }
}

/* Phi(Phi^-1(p)) = p on both sides, down to the smallest p of 10^12 draws. */
static void normal_quantiles_invert_the_law(void **state)
{
    (void)state;
    assert_true(ebm_normal_quantile(0.5) < 1e-15);
    assert_close(ebm_normal_quantile(0.975), 1.959963984540054, 0, 1e-14);
    for (double p = 1e-13; p < 0.5; p *= 1.3) {
        double x = ebm_normal_quantile(p);
        assert_close(0.5 * erfc(-x / sqrt(2)), p, 0, 1e-13);
        if (p > 1e-3)
            assert_close(ebm_normal_quantile(1 - p), -x, 1e-13, 0);
    }
}

/* x' = a x + sqrt(1 - a^2) xi has rho_t = a^t and time (1 + a) / (1 - a). */
static void an_autoregression_has_its_time(void **state)
{
    (void)state;
    enum { CHAINS = 8, N = 4000 };
    static const double as[] = {0.9, 0.5, 0, -0.5};
    ebm_context *context = test_context_threads(2);
    double *x = test_doubles(CHAINS * N), time, ess, r_hat, rho[6];
    uint64_t random = 2;
    for (size_t k = 0; k < TEST_COUNT(as); k++) {
        double a = as[k], right = (1 + a) / (1 - a);
        for (size_t i = 0; i < CHAINS * N; i++) {
            double xi = test_random_normal(&random);
            x[i] = i % N ? a * x[i - 1] + sqrt(1 - a * a) * xi : xi;
        }
        assert_ok(ebm_diagnostics_autocorrelation(context, x, N, 5, rho));
        for (size_t t = 0; t <= 5; t++)
            assert_close(rho[t], pow(a, (double)t), 0.12, 0);
        assert_ok(ebm_diagnostics_autocorrelation_time(context, x, CHAINS, N,
                                                       &time));
        assert_close(time, right, 0, 0.15);
        for (int kind = 0; kind <= EBM_ESS_MEAN; kind += EBM_ESS_MEAN) {
            assert_ok(ebm_diagnostics_ess(context, (ebm_ess_kind)kind, x,
                                          CHAINS, N, &ess));
            assert_close(ess, CHAINS * N / right, 0, 0.15);
        }
        assert_ok(ebm_diagnostics_r_hat(context, x, CHAINS, N, &r_hat));
        assert_true(r_hat > 0.999 && r_hat < 1.01);
        /* One chain elsewhere, or wider. */
        for (size_t i = 0; i < N; i++)
            x[i] += 1;
        assert_ok(ebm_diagnostics_r_hat(context, x, CHAINS, N, &r_hat));
        assert_true(r_hat > 1.03);
        for (size_t i = 0; i < N; i++)
            x[i] = 3 * (x[i] - 1);
        assert_ok(ebm_diagnostics_r_hat(context, x, CHAINS, N, &r_hat));
        assert_true(r_hat > 1.03);
    }
    free(x);
    ebm_context_destroy(context);
}

/* Neither huge nor tiny numbers overflow, and ranks know no scale. */
static void scale_does_not_matter(void **state)
{
    (void)state;
    enum { CHAINS = 3, N = 40 };
    /* Powers of 2: no new ties among distances from the median. */
    static const double scales[] = {1, 0x1p1000, 0x1p-1000, 0x1p-1070};
    ebm_context *context = test_context_threads(1);
    uint64_t random = 3;
    double x[CHAINS * N], y[CHAINS * N], first[5], other[5], rho[4];
    for (size_t i = 0; i < CHAINS * N; i++)
        x[i] = floor(test_random_uniform(&random, -40, 40));
    for (size_t s = 0; s < TEST_COUNT(scales); s++) {
        double *to = s ? other : first;
        for (size_t i = 0; i < CHAINS * N; i++)
            y[i] = x[i] * scales[s];
        for (int kind = 0; kind <= EBM_ESS_MEAN; kind++)
            assert_ok(ebm_diagnostics_ess(context, (ebm_ess_kind)kind, y,
                                          CHAINS, N, to + kind));
        assert_ok(ebm_diagnostics_r_hat(context, y, CHAINS, N, to + 3));
        assert_ok(ebm_diagnostics_autocorrelation(context, y, N, 3, rho));
        to[4] = rho[3];
        for (size_t i = 0; i < 5; i++)
            assert_close(to[i], first[i], 1e-12, 1e-9);
    }
    /* The whole range of a double. */
    for (size_t i = 0; i < CHAINS * N; i++)
        y[i] = i % 2 ? 1.7e308 : -1.7e308;
    for (int kind = 0; kind <= EBM_ESS_MEAN; kind++) {
        assert_ok(ebm_diagnostics_ess(context, (ebm_ess_kind)kind, y, CHAINS,
                                      N, other));
        assert_true(isfinite(other[0]) && other[0] > 0);
    }
    assert_ok(ebm_diagnostics_r_hat(context, y, CHAINS, N, other));
    assert_true(other[0] > 0 && other[0] <= 1);
    ebm_context_destroy(context);
}

/* What never changes, in whole or in part, has a status or a value. */
static void constants_are_named(void **state)
{
    (void)state;
    enum { CHAINS = 2, N = 11, LONG = 40 };
    ebm_context *context = test_context_threads(1);
    double x[CHAINS * N], still[CHAINS * LONG], value = 5;
    for (size_t i = 0; i < CHAINS * N; i++)
        x[i] = 3.25;
#define CONSTANT(call) \
    assert_error(context, call, EBM_ERROR_NOT_COMPUTED, "3.25")
    CONSTANT(ebm_diagnostics_autocorrelation(context, x, N, 1, &value));
    CONSTANT(
        ebm_diagnostics_autocorrelation_time(context, x, CHAINS, N, &value));
    CONSTANT(ebm_diagnostics_r_hat(context, x, CHAINS, N, &value));
    for (int kind = 0; kind <= EBM_ESS_MEAN; kind++)
        CONSTANT(ebm_diagnostics_ess(context, (ebm_ess_kind)kind, x, CHAINS, N,
                                     &value));
    assert_true(value == 5);
    /* Only the middle draw, which halves leave out, differs. */
    x[N / 2] = 4;
    for (int kind = 0; kind <= EBM_ESS_MEAN; kind++) {
        assert_ok(ebm_diagnostics_ess(context, (ebm_ess_kind)kind, x, CHAINS,
                                      N, &value));
        assert_true(value == CHAINS * (N - 1));
    }
    assert_ok(ebm_diagnostics_r_hat(context, x, CHAINS, N, &value));
    assert_true(value == 1);
    assert_ok(
        ebm_diagnostics_autocorrelation_time(context, x, CHAINS, N, &value));
    assert_true(isfinite(value) && value > 0);
    /* Each chain stands still, elsewhere. */
    for (size_t i = 0; i < CHAINS * N; i++)
        x[i] = i < N ? 0.1 : 0.7;
    assert_ok(ebm_diagnostics_r_hat(context, x, CHAINS, N, &value));
    assert_true(isinf(value) && value > 0);
    for (int kind = 0; kind <= EBM_ESS_MEAN; kind++) {
        assert_ok(ebm_diagnostics_ess(context, (ebm_ess_kind)kind, x, CHAINS,
                                      N, &value));
        assert_true(isfinite(value) && value > 0 && value < CHAINS * N);
    }
    /* Whatever rounding makes of the mean of equal numbers. */
    for (size_t n = 4; n <= LONG; n++) {
        for (size_t i = 0; i < CHAINS * n; i++)
            still[i] = (double)(i / n);
        assert_ok(ebm_diagnostics_r_hat(context, still, CHAINS, n, &value));
        assert_true(isinf(value) && value > 0);
    }
    ebm_context_destroy(context);
}

static void bad_draws_are_a_status(void **state)
{
    (void)state;
    enum { CHAINS = 2, N = 8 };
    static const double not_finite[] = {NAN, INFINITY, -INFINITY};
    ebm_context *context = test_context_threads(1);
    double x[CHAINS * N], out[N] = {5};
    for (size_t i = 0; i < CHAINS * N; i++)
        x[i] = (double)(i * i % 7);
    for (size_t b = 0; b < 3; b++) {
        x[N + 3] = not_finite[b];
        assert_error(context,
                     ebm_diagnostics_r_hat(context, x, CHAINS, N, out),
                     EBM_ERROR_NON_FINITE, "draw 3 of chain 1");
        assert_error(
            context,
            ebm_diagnostics_ess(context, EBM_ESS_BULK, x, CHAINS, N, out),
            EBM_ERROR_NON_FINITE, "draw 3");
        assert_error(
            context,
            ebm_diagnostics_autocorrelation(context, x + N, N, 2, out),
            EBM_ERROR_NON_FINITE, "draw 3");
        x[N + 3] = 1;
    }
#define RANGE(call, word) assert_error(context, call, EBM_ERROR_RANGE, word)
    RANGE(ebm_diagnostics_r_hat(context, x, 1, N, out), "2 chains");
    RANGE(ebm_diagnostics_r_hat(context, x, 0, N, out), "2 chains");
    RANGE(ebm_diagnostics_r_hat(context, x, 2, 3, out), "4 draws");
    RANGE(ebm_diagnostics_ess(context, EBM_ESS_BULK, x, 0, N, out),
          "1 chains");
    RANGE(ebm_diagnostics_ess(context, EBM_ESS_BULK, x, 2, 7, out), "8 draws");
    RANGE(ebm_diagnostics_autocorrelation_time(context, x, 2, 3, out),
          "4 draws");
    RANGE(ebm_diagnostics_autocorrelation(context, x, 1, 0, out), "2 draws");
    RANGE(ebm_diagnostics_autocorrelation(context, x, N, N, out), "lag of 8");
#undef RANGE
    assert_error(context,
                 ebm_diagnostics_ess(context, (ebm_ess_kind)3, x, 2, N, out),
                 EBM_ERROR_ARGUMENT, "kind 3");
    assert_error(context, ebm_diagnostics_r_hat(context, NULL, 2, N, out),
                 EBM_ERROR_ARGUMENT, "draws");
    assert_error(context, ebm_diagnostics_r_hat(context, x, 2, N, NULL),
                 EBM_ERROR_ARGUMENT, "output");
    assert_error(context,
                 ebm_diagnostics_autocorrelation(context, NULL, N, 1, out),
                 EBM_ERROR_ARGUMENT, "series");
    assert_error(context,
                 ebm_diagnostics_autocorrelation(context, x, N, 1, NULL),
                 EBM_ERROR_ARGUMENT, "rho");
    assert_error(context,
                 ebm_diagnostics_r_hat(context, x, SIZE_MAX / 2, 8, out),
                 EBM_ERROR_OVERFLOW, "fit");
    assert_status(ebm_diagnostics_r_hat(NULL, x, 2, N, out), EBM_ERROR_HANDLE);
    assert_status(ebm_diagnostics_ess(NULL, EBM_ESS_BULK, x, 2, N, out),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_diagnostics_autocorrelation(NULL, x, N, 1, out),
                  EBM_ERROR_HANDLE);
    assert_true(out[0] == 5 && out[1] == 0);
    ebm_context_destroy(context);
}

static void bad_states_are_a_status(void **state)
{
    (void)state;
    enum { DRAWS = 8, CHAINS = 2, SIZE = 2, ALL = DRAWS * CHAINS * SIZE };
    ebm_context *context = test_context_threads(1);
    float states[ALL];
    double r_hat[SIZE] = {5, 5}, series[DRAWS * CHAINS] = {5};
    for (size_t i = 0; i < ALL; i++)
        states[i] = (float)(i * i % 11);
#define SUMMARY(s, draws, chains, size)                                   \
    ebm_diagnostics_summary(context, s, draws, chains, size, r_hat, NULL, \
                            NULL, NULL)
    assert_error(context, SUMMARY(NULL, DRAWS, CHAINS, SIZE),
                 EBM_ERROR_ARGUMENT, "states");
    assert_error(context, SUMMARY(states, DRAWS, CHAINS, 0),
                 EBM_ERROR_ARGUMENT, "size is 0");
    assert_error(context, SUMMARY(states, 7, CHAINS, SIZE), EBM_ERROR_RANGE,
                 "8");
    assert_error(context, SUMMARY(states, DRAWS, 1, SIZE), EBM_ERROR_RANGE,
                 "2 chains");
    assert_error(context, SUMMARY(states, DRAWS, SIZE_MAX / 2, SIZE),
                 EBM_ERROR_OVERFLOW, "fit");
    assert_error(context,
                 ebm_diagnostics_series(context, states, DRAWS, CHAINS, SIZE,
                                        SIZE, series),
                 EBM_ERROR_RANGE, "coordinate 2");
    assert_error(
        context,
        ebm_diagnostics_series(context, states, DRAWS, CHAINS, SIZE, 0, NULL),
        EBM_ERROR_ARGUMENT, "series");
    states[5] = NAN;
    assert_error(context, SUMMARY(states, DRAWS, CHAINS, SIZE),
                 EBM_ERROR_NON_FINITE, "state");
    assert_true(r_hat[0] == 5 && r_hat[1] == 5 && series[0] == 5);
    ebm_context_destroy(context);
}

static void memory_that_runs_out_is_a_status(void **state)
{
    (void)state;
    enum { CHAINS = 2, N = 8 };
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    double x[CHAINS * N], value = 5;
    float states[CHAINS * N];
    for (size_t i = 0; i < CHAINS * N; i++)
        x[i] = states[i] = (float)(i * i % 7);
    test_fail_at(&memory, 1, 1);
    assert_status(ebm_diagnostics_r_hat(context, x, CHAINS, N, &value),
                  EBM_ERROR_MEMORY);
    assert_status(
        ebm_diagnostics_ess(context, EBM_ESS_TAIL, x, CHAINS, N, &value),
        EBM_ERROR_MEMORY);
    assert_status(ebm_diagnostics_autocorrelation(context, x, N, 0, &value),
                  EBM_ERROR_MEMORY);
    assert_status(ebm_diagnostics_summary(context, states, N, CHAINS, 1,
                                          &value, NULL, NULL, NULL),
                  EBM_ERROR_MEMORY);
    assert_status(ebm_diagnostics_auroc(context, states, 4, states, 5, &value),
                  EBM_ERROR_MEMORY);
    assert_true(value == 5);
    test_fail_at(&memory, 0, 0);
    assert_ok(ebm_diagnostics_r_hat(context, x, CHAINS, N, &value));
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* Chains of two origins, of which one diverged. */
static void energies_go_by_origin(void **state)
{
    (void)state;
    enum { N = 6 };
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = NULL;
    ebm_buffer *buffer = NULL;
    const float x[N] = {1, 2, 3, 4, 5, 6};
    float energy[N] = {1, 5, 3, 3, 8, 4};
    size_t count = 99;
    double mean = 5, std = 5;
    assert_ok(ebm_chains_create(context, N, 1, 1, 1, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
    assert_ok(ebm_diagnostics_energy(chains, energy, EBM_ORIGIN_DATA, &count,
                                     &mean, &std));
    assert_int_equal(count, N);
    assert_close(mean, 4, 0, 1e-15);
    assert_close(std, sqrt(28. / 6), 0, 1e-15);
    assert_ok(ebm_diagnostics_energy(chains, energy, EBM_ORIGIN_DATA, NULL,
                                     NULL, NULL));
    assert_error(context,
                 ebm_diagnostics_energy(chains, energy, EBM_ORIGIN_NOISE,
                                        &count, &mean, &std),
                 EBM_ERROR_NOT_COMPUTED, "noise");
    energy[4] = NAN;
    assert_error(context,
                 ebm_diagnostics_energy(chains, energy, EBM_ORIGIN_DATA,
                                        &count, &mean, &std),
                 EBM_ERROR_NON_FINITE, "chain 4");
    assert_error(context,
                 ebm_diagnostics_energy(chains, NULL, EBM_ORIGIN_DATA, &count,
                                        &mean, &std),
                 EBM_ERROR_ARGUMENT, "energy");
    assert_status(ebm_diagnostics_energy(chains, energy, (ebm_origin)9, &count,
                                         &mean, &std),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_diagnostics_energy(NULL, energy, EBM_ORIGIN_DATA, &count,
                                         &mean, &std),
                  EBM_ERROR_HANDLE);
    assert_int_equal(count, N);
    /* A mixture, from a buffer that was filled with both. */
    assert_ok(ebm_buffer_create(context, N, 1, 1, 1, 2, &buffer));
    assert_ok(ebm_buffer_add(buffer, x, NULL, 3, EBM_ORIGIN_DATA));
    assert_ok(ebm_buffer_add(buffer, x + 3, NULL, 3, EBM_ORIGIN_NOISE));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 0));
    assert_ok(ebm_buffer_draw(buffer, chains));
    size_t found = 0;
    for (int origin = 0; origin < 4; origin++) {
        double sum = 0, squares = 0;
        size_t right = 0;
        for (size_t i = 0; i < N; i++) {
            ebm_origin is;
            assert_ok(ebm_chains_origin(chains, i, &is));
            energy[i] = (float)(i * i);
            if ((int)is != origin)
                continue;
            right++;
            sum += energy[i];
            squares += (double)energy[i] * (double)energy[i];
        }
        if (!right)
            continue;
        assert_ok(ebm_diagnostics_energy(chains, energy, (ebm_origin)origin,
                                         &count, &mean, &std));
        assert_int_equal(count, right);
        sum /= (double)right;
        assert_close(mean, sum, 0, 1e-14);
        assert_close(std, sqrt(squares / (double)right - sum * sum), 1e-12,
                     1e-12);
        found += count;
    }
    assert_int_equal(found, N);
    ebm_buffer_destroy(buffer);
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

/* A chain that diverged counts for nothing. */
static void diverged_chains_are_left_out(void **state)
{
    (void)state;
    enum { N = 3 };
    test_quadratic fault = {.size = 1, .energy_nan = 1};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = NULL;
    ebm_chains *chains = NULL;
    ebm_sampler *sampler = NULL;
    const float x[N] = {1, 2, 3}, energy[N] = {1, NAN, 3};
    size_t count = 99;
    double mean = 5;
    assert_ok(ebm_model_create_custom(context, 1, 1, 1, &test_quadratic_ops,
                                      &fault, &model));
    assert_ok(ebm_chains_create(context, N, 1, 1, 1, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    double share = 5;
    assert_error(context,
                 ebm_diagnostics_shares(sampler, &share, &share, &share),
                 EBM_ERROR_NOT_COMPUTED, "no coordinate");
    assert_true(share == 5);
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 1));
    assert_status(ebm_sampler_run(sampler, model, chains), EBM_ERROR_DIVERGED);
    assert_ok(ebm_diagnostics_energy(chains, energy, EBM_ORIGIN_NOISE, &count,
                                     &mean, NULL));
    assert_int_equal(count, 2);
    assert_true(mean == 2);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* E = theta x^2 / 2 with theta = 1: the gradient is x. */
static void shares_are_counted(void **state)
{
    (void)state;
    enum { N = 8 };
    test_quadratic fault = {.size = 1};
    const float theta = 1, x[N] = {-4, -3, -2, -1, 1, 2, 3, 4};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = NULL;
    ebm_chains *chains = NULL;
    ebm_sampler *sampler = NULL;
    double clipped = 5, noise = 5, step = 5;
    assert_ok(ebm_model_create_custom(context, 1, 1, 1, &test_quadratic_ops,
                                      &fault, &model));
    assert_ok(ebm_model_set_parameters(model, 0, &theta, 1));
    assert_ok(ebm_chains_create(context, N, 1, 1, 1, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, 0));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 4));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 1.5));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, -3.5));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 3.5));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_ok(ebm_diagnostics_shares(sampler, &clipped, &noise, &step));
    assert_true(clipped == 6. / N); /* all but 1 and -1 */
    assert_true(noise == 2. / N);   /* 4 and -4 */
    assert_true(step == 2. / N);    /* 2 - 6 and its mirror image */
    assert_ok(ebm_diagnostics_shares(sampler, NULL, NULL, NULL));
    assert_status(ebm_diagnostics_shares(NULL, NULL, NULL, NULL),
                  EBM_ERROR_HANDLE);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void the_area_counts_pairs(void **state)
{
    (void)state;
    enum { N = 37, M = 23 };
    ebm_context *context = test_context_threads(1);
    float low[N], high[M];
    uint64_t random = 4;
    double area = 5;
    for (int coarse = 0; coarse < 2; coarse++) {
        double pairs = 0;
        for (size_t i = 0; i < N; i++)
            low[i] = (float)test_random_uniform(&random, 0, 5);
        for (size_t i = 0; i < M; i++)
            high[i] = (float)test_random_uniform(&random, 1, 6);
        for (size_t i = 0; coarse && i < N; i++)
            low[i] = floorf(low[i]);
        for (size_t i = 0; coarse && i < M; i++)
            high[i] = floorf(high[i]);
        for (size_t i = 0; i < N * M; i++)
            pairs += low[i / M] < high[i % M]    ? 1
                     : low[i / M] == high[i % M] ? 0.5
                                                 : 0;
        assert_ok(ebm_diagnostics_auroc(context, low, N, high, M, &area));
        assert_true(area == pairs / (N * M));
    }
    const float zeros[2] = {0, -0.f}, one[1] = {1};
    assert_ok(ebm_diagnostics_auroc(context, zeros, 2, zeros, 2, &area));
    assert_true(area == 0.5);
    assert_ok(ebm_diagnostics_auroc(context, zeros, 2, one, 1, &area));
    assert_true(area == 1);
    assert_ok(ebm_diagnostics_auroc(context, one, 1, zeros, 2, &area));
    assert_true(area == 0);
    area = 5;
#define AREA(a, n, b, m) ebm_diagnostics_auroc(context, a, n, b, m, &area)
    assert_error(context, AREA(NULL, N, high, M), EBM_ERROR_ARGUMENT, "low");
    assert_error(context, AREA(low, N, NULL, M), EBM_ERROR_ARGUMENT, "high");
    assert_error(context, AREA(low, 0, high, M), EBM_ERROR_ARGUMENT, "0 low");
    assert_error(context, AREA(low, N, high, 0), EBM_ERROR_ARGUMENT, "0 high");
    assert_error(context, AREA(low, SIZE_MAX / 2, high, 3), EBM_ERROR_OVERFLOW,
                 "pairs");
    low[3] = NAN;
    assert_error(context, AREA(low, N, high, M), EBM_ERROR_NON_FINITE,
                 "score 3 of low");
    low[3] = 0;
    high[2] = INFINITY;
    assert_error(context, AREA(low, N, high, M), EBM_ERROR_NON_FINITE,
                 "score 2 of high");
    assert_true(area == 5);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorting_sorts),
        cmocka_unit_test(normal_quantiles_invert_the_law),
        cmocka_unit_test(an_autoregression_has_its_time),
        cmocka_unit_test(scale_does_not_matter),
        cmocka_unit_test(constants_are_named),
        cmocka_unit_test(bad_draws_are_a_status),
        cmocka_unit_test(bad_states_are_a_status),
        cmocka_unit_test(memory_that_runs_out_is_a_status),
        cmocka_unit_test(energies_go_by_origin),
        cmocka_unit_test(diverged_chains_are_left_out),
        cmocka_unit_test(shares_are_counted),
        cmocka_unit_test(the_area_counts_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
