/* Diagnostics and distances against values that NumPy, SciPy and scikit-learn
   computed by the published formulas: scipy/diagnostics.py wrote them. */
#include "ebm_test.h"
#include "values.h"

static const double tolerance = 1e-6;

static int setup(void **state)
{
    static test_values values;
    test_values_read(&values, "tests/scipy/diagnostics.txt");
    *state = &values;
    return 0;
}

static int teardown(void **state)
{
    test_values_free(*state);
    return 0;
}

/* One set of draws. */
typedef struct scene {
    ebm_context *context;
    const test_values *values;
    const char *name;
    const double *draws;
    size_t chains, n;
} scene;

static double wanted(const scene *s, const char *part)
{
    const test_array *a = test_values_get(s->values, s->name, part);
    assert_int_equal(a->count, 1);
    return a->numbers[0];
}

#define assert_wanted(s, value, part)                           \
    do {                                                        \
        double expected = wanted(s, part);                      \
        if (!test_close((value), expected, 0, tolerance, part)) \
            fail_msg("%s%s", (s)->name, part);                  \
    } while (0)

static void check_draws(const scene *s)
{
    double value, rho[32];
    char name[64];
    snprintf(name, sizeof name, "%s.rho", s->name);
    const test_array *right = test_values_find(s->values, name);
    if (right) {
        assert_true(right->count >= 8 && right->count <= TEST_COUNT(rho));
        assert_ok(ebm_diagnostics_autocorrelation(s->context, s->draws, s->n,
                                                  right->count - 1, rho));
        for (size_t t = 0; t < right->count; t++)
            assert_close(rho[t], right->numbers[t], tolerance, 0);
    }
    assert_ok(ebm_diagnostics_autocorrelation_time(s->context, s->draws,
                                                   s->chains, s->n, &value));
    assert_wanted(s, value, ".time");
    static const struct {
        ebm_ess_kind kind;
        const char *part;
    } kinds[] = {{EBM_ESS_BULK, ".bulk"},
                 {EBM_ESS_TAIL, ".tail"},
                 {EBM_ESS_MEAN, ".mean"}};
    for (size_t k = 0; k < TEST_COUNT(kinds); k++) {
        assert_ok(ebm_diagnostics_ess(s->context, kinds[k].kind, s->draws,
                                      s->chains, s->n, &value));
        assert_wanted(s, value, kinds[k].part);
    }
    if (s->chains < 2)
        return;
    assert_ok(
        ebm_diagnostics_r_hat(s->context, s->draws, s->chains, s->n, &value));
    if (strcmp(s->name, "stuck") != 0)
        assert_wanted(s, value, ".rhat");
    else /* 0 divided into something */
        assert_true(isinf(value) && value > 0);
}

static void draws_have_the_published_values(void **state)
{
    const test_values *values = *state;
    ebm_context *context = test_context_threads(1);
    size_t sets = 0;
    for (size_t i = 0; i < values->count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s", values->arrays[i].name);
        char *dot = strstr(name, ".shape");
        if (!dot)
            continue;
        *dot = 0;
        const test_array *draws = test_values_get(values, name, "");
        const double *shape = values->arrays[i].numbers;
        scene s = {context,        values,           name,
                   draws->numbers, (size_t)shape[0], (size_t)shape[1]};
        assert_int_equal(draws->count, s.chains * s.n);
        check_draws(&s);
        sets++;
    }
    assert_int_equal(sets, 13);
    ebm_context_destroy(context);
}

/* All coordinates at once, from recorded states, give the same bits. */
static void a_summary_is_the_single_values(void **state)
{
    const test_values *values = *state;
    enum { CHAINS = 4, N = 50, SIZE = 3 };
    static const char *const names[SIZE] = {"independent", "", "scales"};
    float *states = test_floats(N * CHAINS * SIZE);
    for (size_t j = 0; j < SIZE; j++)
        for (size_t i = 0; i < CHAINS * N; i++)
            states[(i % N * CHAINS + i / N) * SIZE + j] =
                *names[j] ? test_values_get(values, names[j], "")->floats[i]
                          : -1;
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        double r_hat[SIZE], bulk[SIZE], tail[SIZE], one, series[CHAINS * N];
        size_t constant = 99;
        assert_ok(ebm_diagnostics_summary(context, states, N, CHAINS, SIZE,
                                          r_hat, bulk, tail, &constant));
        assert_int_equal(constant, 1);
        assert_true(r_hat[1] == 1 && bulk[1] == CHAINS * N);
        assert_true(tail[1] == CHAINS * N);
        for (size_t j = 0; j < SIZE; j += 2) {
            assert_ok(ebm_diagnostics_series(context, states, N, CHAINS, SIZE,
                                             j, series));
            assert_ok(ebm_diagnostics_r_hat(context, series, CHAINS, N, &one));
            assert_true(one == r_hat[j]);
            assert_ok(ebm_diagnostics_ess(context, EBM_ESS_BULK, series,
                                          CHAINS, N, &one));
            assert_true(one == bulk[j]);
            assert_ok(ebm_diagnostics_ess(context, EBM_ESS_TAIL, series,
                                          CHAINS, N, &one));
            assert_true(one == tail[j]);
        }
        assert_ok(ebm_diagnostics_summary(context, states, N, CHAINS, SIZE,
                                          NULL, NULL, NULL, NULL));
        ebm_context_destroy(context);
    }
    free(states);
}

static void sets_have_the_published_values(void **state)
{
    const test_values *values = *state;
    enum { N = 70, M = 90, D = 6, K = 3 };
    ebm_context *context = test_context_threads(2);
    const test_array *x = test_values_get(values, "x", "");
    const test_array *y = test_values_get(values, "y", "");
    assert_int_equal(x->count, N * D);
    assert_int_equal(y->count, M * D);
    double value, distance[N * K];
    size_t index[N * K], copies = 99;
    assert_ok(
        ebm_distance_frechet(context, x->floats, N, y->floats, M, D, &value));
    assert_close(value, test_values_get(values, "frechet", "")->numbers[0], 0,
                 tolerance);
    assert_ok(ebm_distance_frechet(
        context, test_values_get(values, "wide", "")->floats, 12,
        test_values_get(values, "tall", "")->floats, 60, 20, &value));
    /* SciPy's root of a singular product is the less exact one. */
    assert_close(value,
                 test_values_get(values, "frechet", ".wide")->numbers[0], 0,
                 tolerance);
    assert_ok(ebm_distance_mmd_rbf(context, x->floats, N, y->floats, M, D, 1.5,
                                   &value));
    assert_close(value, test_values_get(values, "mmd.rbf", "")->numbers[0], 0,
                 tolerance);
    assert_ok(ebm_distance_mmd_polynomial(context, x->floats, N, y->floats, M,
                                          D, 3, 1. / D, 1, &value));
    assert_close(value,
                 test_values_get(values, "mmd.polynomial", "")->numbers[0], 0,
                 tolerance);
    const test_array *right = test_values_get(values, "nearest.index", "");
    assert_ok(ebm_distance_nearest(context, x->floats, N, y->floats, M, D, K,
                                   index, distance));
    for (size_t i = 0; i < N * K; i++) {
        assert_int_equal(index[i], (size_t)right->numbers[i]);
        assert_close(
            distance[i],
            test_values_get(values, "nearest.distance", "")->numbers[i], 0,
            tolerance);
    }
    for (size_t k = 1; k <= 3; k += 2) {
        assert_ok(ebm_distance_entropy(context, x->floats, N, NULL, 0, D, k,
                                       &value, &copies));
        assert_int_equal(copies, 0);
        assert_close(value,
                     test_values_get(values, "entropy", k == 1 ? ".1" : ".3")
                         ->numbers[0],
                     tolerance, 0);
    }
    ebm_context_destroy(context);
}

static void the_area_is_that_of_scikit_learn(void **state)
{
    const test_values *values = *state;
    ebm_context *context = test_context_threads(1);
    for (int ties = 0; ties < 2; ties++) {
        const char *part = ties ? ".ties" : "";
        const test_array *low = test_values_get(values, "low", part);
        const test_array *high = test_values_get(values, "high", part);
        double area, other;
        assert_ok(ebm_diagnostics_auroc(context, low->floats, low->count,
                                        high->floats, high->count, &area));
        assert_close(area, test_values_get(values, "auroc", part)->numbers[0],
                     1e-14, 0);
        assert_ok(ebm_diagnostics_auroc(context, high->floats, high->count,
                                        low->floats, low->count, &other));
        assert_close(area + other, 1, 1e-14, 0);
    }
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_have_the_published_values),
        cmocka_unit_test(a_summary_is_the_single_values),
        cmocka_unit_test(sets_have_the_published_values),
        cmocka_unit_test(the_area_is_that_of_scikit_learn),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
