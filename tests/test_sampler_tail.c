/*
 * The derivative through tied Langevin steps and gradient descent, against
 * central differences of the same path in double, with clip, bounds and a
 * schedule at work.
 */
#include "ebm_test.h"
#include "quadratic.h"

#include "chains/tail.h"
#include "core/random.h"

enum { N = 24, SIZE = 3, ALL = N * SIZE };

static const float theta[2] = {-0.9f, 0.5f};
static const float CLIP = 0.6f, LOW = -1.6f, HIGH = 1.4f;

typedef struct scene {
    ebm_context *context;
    test_quartic energy;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    int is_tied;
    double temperature;
    size_t steps;
    float start[ALL];
    /* Of the replicate: nearest to a tie, and how much was active. */
    double margin;
    size_t clipped, clamped;
} scene;

/* The step size of step k: linear from 0.4 to 0.1, as a float. */
static double step_of(const scene *s, size_t k)
{
    double t = s->steps > 1 ? (double)k / (double)(s->steps - 1) : 0;
    return (double)(float)(0.4 + (0.1 - 0.4) * t);
}

static double put(double value, double low, double high, double *margin,
                  size_t *count)
{
    *margin = fmin(*margin, fmin(fabs(value - low), fabs(value - high)));
    *count += value < low || value > high;
    return fmin(fmax(value, low), high);
}

/* x' = clamp(x - h clip(grad E(x)) + sqrt(2 h T) xi) at parameters a, for all
   steps; returns L_opt = -mean E at the constant parameters. The states that
   the first of the last `kept` steps begins with do not depend on a. */
static double replicate(scene *s, const double *a, size_t kept)
{
    double sum = 0;
    s->margin = INFINITY;
    s->clipped = s->clamped = 0;
    for (size_t i = 0; i < ALL; i++) {
        double x = s->start[i];
        for (size_t k = 0; k < s->steps; k++) {
            const double constant[2] = {(double)theta[0], (double)theta[1]};
            const double *now = k + kept < s->steps ? constant : a;
            double h = step_of(s, k);
            double std = (double)(float)sqrt(2 * h * s->temperature);
            ebm_random random = ebm_random_at(
                s->chains->seed, EBM_PURPOSE_LANGEVIN, i / SIZE, k);
            double xi = s->is_tied ? ebm_random_normal(&random, i % SIZE) : 0;
            double g = put(now[0] * x + now[1] * x * x * x, -(double)CLIP,
                           (double)CLIP, &s->margin, &s->clipped);
            x = put(x - h * g + std * xi, (double)LOW, (double)HIGH,
                    &s->margin, &s->clamped);
        }
        sum += (double)theta[0] * x * x / 2 +
               (double)theta[1] * x * x * x * x / 4;
    }
    return -sum / N;
}

/* A run that is nowhere near a tie. */
static void begin(scene *s, int is_tied, size_t steps, size_t kept)
{
    const double a[2] = {(double)theta[0], (double)theta[1]};
    uint64_t seed = 0;
    memset(s, 0, sizeof *s);
    s->is_tied = is_tied;
    s->temperature = is_tied ? 0.3 : 0;
    s->steps = steps;
    s->energy.size = SIZE;
    s->context = test_context_threads(2);
    assert_ok(ebm_model_create_custom(
        s->context, 1, 1, SIZE, &test_quartic_ops, &s->energy, &s->model));
    assert_ok(ebm_model_set_parameters(s->model, 0, theta, 2));
    assert_ok(ebm_sampler_create(s->context,
                                 is_tied ? EBM_SAMPLER_TIED_LANGEVIN
                                         : EBM_SAMPLER_GRADIENT_DESCENT,
                                 &s->sampler));
    const double settings[][2] = {{EBM_SAMPLER_STEPS, (double)steps},
                                  {EBM_SAMPLER_KEEP_STEPS, (double)kept},
                                  {EBM_SAMPLER_GRADIENT_CLIP, (double)CLIP},
                                  {EBM_SAMPLER_STATE_MIN, (double)LOW},
                                  {EBM_SAMPLER_STATE_MAX, (double)HIGH}};
    for (size_t i = 0; i < TEST_COUNT(settings); i++)
        assert_ok(ebm_sampler_set(
            s->sampler, (ebm_sampler_key)(int)settings[i][0], settings[i][1]));
    assert_ok(ebm_sampler_set_schedule(s->sampler, EBM_SAMPLER_STEP_SIZE,
                                       EBM_SCHEDULE_LINEAR, 0.4, 0.1));
    if (is_tied)
        assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_TEMPERATURE, 0.3));
    do {
        assert_true(++seed < 5000);
        ebm_chains_destroy(s->chains);
        assert_ok(
            ebm_chains_create(s->context, N, 1, 1, SIZE, seed, &s->chains));
        assert_ok(ebm_chains_init_normal(s->chains, 0, 1.2));
        memcpy(s->start, ebm_chains_states(s->chains), sizeof s->start);
        replicate(s, a, steps);
    } while (s->margin < 1e-4);
    assert_ok(ebm_sampler_run(s->sampler, s->model, s->chains));
    assert_true(s->clipped > 9 && (!is_tied || s->clamped > 3));
}

static void check(int is_tied, size_t steps, size_t kept)
{
    const double h = 1e-6;
    scene s;
    ebm_loss *loss = NULL;
    ebm_report *report = NULL;
    double right[2], opt = NAN;
    begin(&s, is_tied, steps, kept);
    assert_ok(ebm_loss_create(s.context, EBM_LOSS_KL, &loss));
    assert_ok(ebm_report_create(s.context, &report));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_OPT_WEIGHT, 1));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_ENT_WEIGHT, 0));
    assert_ok(
        ebm_loss_backward(loss, s.model, NULL, NULL, 0, s.chains, report));
    for (size_t p = 0; p < 2; p++) {
        double a[2] = {(double)theta[0], (double)theta[1]};
        a[p] += h;
        right[p] = replicate(&s, a, kept);
        a[p] -= 2 * h;
        right[p] = (right[p] - replicate(&s, a, kept)) / (2 * h);
    }
    const double a[2] = {(double)theta[0], (double)theta[1]};
    assert_ok(ebm_report_get(report, EBM_REPORT_OPT, &opt));
    assert_close(opt, replicate(&s, a, kept), 1e-5, 1e-5);
    assert_arrays_near(ebm_model_gradient(s.model), right, 2, 2e-4);
    ebm_report_destroy(report);
    ebm_loss_destroy(loss);
    ebm_chains_destroy(s.chains);
    ebm_sampler_destroy(s.sampler);
    ebm_model_destroy(s.model);
    ebm_context_destroy(s.context);
}

static void derivatives_against_differences(void **state)
{
    (void)state;
    for (int is_tied = 0; is_tied < 2; is_tied++) {
        check(is_tied, 1, 1);
        check(is_tied, 5, 1);
        check(is_tied, 5, 3);
        check(is_tied, 5, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivatives_against_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
