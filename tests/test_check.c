/* The gradient checker: right energies pass, each wrong derivative is found
   and named, and a run leaves no trace in the model. */
#include "ebm_test.h"
#include "quadratic.h"
#include "reference.h"

#include "diagnostics/difference.h"

/* E(x) = sum_j (theta0 x_j^2 / 2 + theta1 sin x_j) + theta2 label x_0 x_1
        + offset, with derivatives that can be wrong in one way at a time. */
typedef enum fault {
    RIGHT,
    ELEMENT,       /* one element of dE/dx off by 30 % */
    FACTOR,        /* dE/dx too large by 3 % */
    NO_LABEL,      /* dE/dx without the label's term */
    ALL_ZERO,      /* dE/dx is 0 */
    PARAMETER,     /* one element of dE/dtheta */
    NO_SCALE,      /* dE/dtheta does not look at scale */
    PRODUCT,       /* H v without its second term */
    PRODUCT_SIGN,  /* - H v */
    CALLBACK_FAILS /* the callback number `calls_left` */
} fault;

enum { SIZE = 6, N = 3, PARAMETERS = 3 };

typedef struct energy {
    fault fault;
    double offset;
    int calls_left;
    int log_domain; /* E is NaN where an x is above 1.5 */
    ebm_check *check;
    ebm_model *lose;
} energy;

static int fails(energy *e)
{
    if (e->lose) {
        ebm_model_destroy(e->lose);
        ebm_check_destroy(e->check);
        e->lose = NULL;
    }
    return e->fault == CALLBACK_FAILS && --e->calls_left == 0;
}

static int energy_grad(const float *p, const float *x, const int32_t *labels,
                       size_t n, float *out, float *grad, void *user)
{
    energy *e = user;
    for (size_t i = 0; i < n; i++) {
        const float *at = x + i * SIZE;
        double sum = e->offset, label = labels ? labels[i] : 0;
        double coupling = (double)p[2] * label;
        for (size_t j = 0; j < SIZE; j++) {
            double v = at[j];
            sum += (double)p[0] * v * v / 2 + (double)p[1] * sin(v);
            double g = (double)p[0] * v + (double)p[1] * cos(v);
            if (j < 2 && e->fault != NO_LABEL)
                g += coupling * (double)at[1 - j];
            if (e->fault == ELEMENT && j == 4)
                g *= 1.3;
            if (e->fault == FACTOR)
                g *= 1.03;
            if (e->fault == ALL_ZERO)
                g = 0;
            grad[i * SIZE + j] = (float)g;
            if (e->log_domain && v > 1.5)
                sum = NAN;
        }
        out[i] = (float)(sum + coupling * (double)at[0] * (double)at[1]);
    }
    return fails(e);
}

static int param_grad(const float *p, const float *x, const int32_t *labels,
                      size_t n, const float *scale, float *to, void *user)
{
    energy *e = user;
    (void)p;
    for (size_t i = 0; i < n; i++) {
        const float *at = x + i * SIZE;
        double s = e->fault == NO_SCALE ? 1 : (double)scale[i];
        double label = labels ? labels[i] : 0;
        for (size_t j = 0; j < SIZE; j++) {
            double v = at[j];
            to[0] += (float)(s * v * v / 2);
            to[1] += (float)(s * sin(v));
        }
        to[2] += (float)(s * label * (double)at[0] * (double)at[1] *
                         (e->fault == PARAMETER ? 1.1 : 1));
    }
    return fails(e);
}

static int tangent(const float *p, const float *x, const int32_t *labels,
                   size_t n, const float *v, const float *scale, float *hv,
                   float *to, void *user)
{
    energy *e = user;
    (void)scale;
    (void)to;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < SIZE; j++) {
            size_t at = i * SIZE + j;
            double h = (double)p[0] * (double)v[at];
            if (e->fault != PRODUCT)
                h -= (double)p[1] * sin((double)x[at]) * (double)v[at];
            if (j < 2 && labels)
                h += (double)p[2] * labels[i] * (double)v[i * SIZE + 1 - j];
            hv[at] = (float)(e->fault == PRODUCT_SIGN ? -h : h);
        }
    return fails(e);
}

static const ebm_energy_ops ops = {sizeof ops, PARAMETERS, energy_grad,
                                   param_grad, tangent};

typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_check *check;
    energy energy;
    float x[N * SIZE];
    int32_t labels[N];
} scene;

static void begin(scene *s)
{
    static const float theta[PARAMETERS] = {0.7f, 1.3f, -0.4f};
    uint64_t random = 1;
    memset(s, 0, sizeof *s);
    s->context = test_context_threads(2);
    assert_ok(ebm_model_create_custom(s->context, 1, 1, SIZE, &ops, &s->energy,
                                      &s->model));
    assert_ok(ebm_model_set_parameters(s->model, 0, theta, PARAMETERS));
    assert_ok(ebm_check_create(s->context, 3, &s->check));
    test_fill_normal(&random, s->x, N * SIZE, 1);
    for (int i = 0; i < N; i++)
        s->labels[i] = i + 1;
}

static void end(scene *s)
{
    ebm_check_destroy(s->check);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static ebm_status run(scene *s)
{
    return ebm_check_run(s->check, s->model, s->x, s->labels, N);
}

static double result(const ebm_check *check, ebm_derivative derivative,
                     ebm_check_result which)
{
    double value = NAN;
    assert_ok(ebm_check_get_result(check, derivative, which, &value));
    assert_false(isnan(value));
    return value;
}

static void passes(const ebm_check *check, ebm_derivative which,
                   double tolerance)
{
    double error = result(check, which, EBM_CHECK_WORST_ERROR);
    assert_true(result(check, which, EBM_CHECK_PASSED) == 1);
    assert_close(error, 0, tolerance, 0);
    assert_close(result(check, which, EBM_CHECK_RELATIVE_NORM), 0, tolerance,
                 0);
    assert_close(result(check, which, EBM_CHECK_COSINE), 1, tolerance, 0);
    if (which != EBM_DERIVATIVE_HESSIAN)
        assert_close(result(check, which, EBM_CHECK_DIRECTION_ERROR), 0,
                     tolerance, 0);
    /* An estimate that is honest: not much less than the truth. */
    double uncertainty = result(check, which, EBM_CHECK_UNCERTAINTY);
    assert_true(uncertainty < tolerance && uncertainty >= error / 4);
}

static void the_steps_are_extrapolated(void **state)
{
    (void)state;
    double ahead[EBM_STEPS], behind[EBM_STEPS], span[EBM_STEPS], h = 1;
    for (int k = 0; k < EBM_STEPS; k++, h /= 2) {
        ahead[k] = exp(1 + h);
        behind[k] = exp(1 - h);
        span[k] = 2 * h;
    }
    ebm_slope slope = ebm_richardson(ahead, behind, span, 1e-15);
    assert_close(slope.value, exp(1), 0, 1e-10);
    assert_true(slope.error < 1e-9 &&
                slope.error >= fabs(slope.value - exp(1)));
    /* What is not finite at long steps is left out; with one step that is
       left there is nothing to judge it by. */
    for (int k = 0; k < EBM_STEPS - 2; k++)
        ahead[k] = k % 2 ? NAN : INFINITY;
    slope = ebm_richardson(ahead, behind, span, 1e-15);
    assert_close(slope.value, exp(1), 0, 1e-5);
    assert_true(slope.error >= fabs(slope.value - exp(1)));
    ahead[EBM_STEPS - 2] = NAN;
    slope = ebm_richardson(ahead, behind, span, 1e-15);
    assert_true(isinf(slope.error) && slope.value == 0);
    /* Noise: the error covers it. */
    uint64_t random = 1;
    for (int repeat = 0; repeat < 200; repeat++) {
        h = 0.5;
        for (int k = 0; k < EBM_STEPS; k++, h /= 2) {
            ahead[k] = sin(1 + h) + test_random_uniform(&random, -1e-4, 1e-4);
            behind[k] = sin(1 - h) + test_random_uniform(&random, -1e-4, 1e-4);
            span[k] = 2 * h;
        }
        slope = ebm_richardson(ahead, behind, span, 1e-4);
        assert_true(fabs(slope.value - cos(1)) <= 1.5 * slope.error);
        assert_true(slope.error < 0.01);
    }
}

static void a_right_energy_passes(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    assert_ok(run(&s));
    for (int which = 0; which <= EBM_DERIVATIVE_HESSIAN; which++)
        passes(s.check, (ebm_derivative)which, 1e-4);
    /* All there are: fewer than asked for. */
    assert_true(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_COUNT) ==
                N * SIZE);
    assert_true(result(s.check, EBM_DERIVATIVE_PARAMETERS, EBM_CHECK_COUNT) ==
                PARAMETERS);
    assert_true(result(s.check, EBM_DERIVATIVE_HESSIAN, EBM_CHECK_COUNT) ==
                4 * N * SIZE);
    /* Without labels too, and far from 0. */
    for (size_t i = 0; i < N * SIZE; i++)
        s.x[i] += 100;
    assert_ok(ebm_check_run(s.check, s.model, s.x, NULL, N));
    for (int which = 0; which <= EBM_DERIVATIVE_HESSIAN; which++)
        passes(s.check, (ebm_derivative)which, 1e-2);
    end(&s);
}

/* Which derivative is wrong, and in which element. */
static void wrong_callbacks_are_found(void **state)
{
    (void)state;
    static const struct {
        fault fault;
        ebm_derivative wrong;
        int element; /* or -1 */
        double least, most;
    } cases[] = {
        {ELEMENT, EBM_DERIVATIVE_INPUT, 4, 0.02, 0.4},
        {FACTOR, EBM_DERIVATIVE_INPUT, -1, 0.02, 0.04},
        {NO_LABEL, EBM_DERIVATIVE_INPUT, -1, 0.1, 2},
        {ALL_ZERO, EBM_DERIVATIVE_INPUT, -1, 1, 1},
        {PARAMETER, EBM_DERIVATIVE_PARAMETERS, 2, 0.02, 0.2},
        {NO_SCALE, EBM_DERIVATIVE_PARAMETERS, -1, 0.02, 1},
        {PRODUCT, EBM_DERIVATIVE_HESSIAN, -1, 0.1, 2},
        {PRODUCT_SIGN, EBM_DERIVATIVE_HESSIAN, -1, 1.9, 2.1},
    };
    for (size_t c = 0; c < TEST_COUNT(cases); c++) {
        scene s;
        begin(&s);
        s.energy.fault = cases[c].fault;
        assert_ok(run(&s));
        for (int d = 0; d <= EBM_DERIVATIVE_HESSIAN; d++) {
            ebm_derivative which = (ebm_derivative)d;
            int is_wrong = which == cases[c].wrong;
            /* H is that of the energy, whose gradient is another. */
            if (!is_wrong && which == EBM_DERIVATIVE_HESSIAN &&
                cases[c].wrong == EBM_DERIVATIVE_INPUT)
                continue;
            if (!is_wrong) {
                passes(s.check, which, 1e-4);
                continue;
            }
            double error = result(s.check, which, EBM_CHECK_WORST_ERROR);
            assert_true(result(s.check, which, EBM_CHECK_PASSED) == 0);
            assert_true(error >= cases[c].least && error <= cases[c].most);
            assert_true(result(s.check, which, EBM_CHECK_UNCERTAINTY) < 1e-3);
            assert_true(result(s.check, which, EBM_CHECK_RELATIVE_NORM) >
                        0.01);
            if (cases[c].element >= 0)
                assert_true(result(s.check, which, EBM_CHECK_WORST_ELEMENT) ==
                            cases[c].element);
            if (cases[c].fault == FACTOR || cases[c].fault == ELEMENT) {
                double given = result(s.check, which, EBM_CHECK_WORST_GIVEN);
                double difference =
                    result(s.check, which, EBM_CHECK_WORST_DIFFERENCE);
                assert_close(given / difference,
                             cases[c].fault == FACTOR ? 1.03 : 1.3, 0.002, 0);
            }
        }
        if (cases[c].fault == PRODUCT_SIGN)
            assert_close(
                result(s.check, EBM_DERIVATIVE_HESSIAN, EBM_CHECK_COSINE), -1,
                1e-4, 0);
        if (cases[c].fault == ALL_ZERO)
            assert_true(
                result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_COSINE) == 0);
        end(&s);
    }
}

/* One element among many that is not among those looked at: a direction sees
   it. */
static void directions_see_every_element(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    s.energy.fault = ELEMENT;
    assert_ok(ebm_check_set(s.check, EBM_CHECK_ELEMENTS, 1));
    assert_ok(ebm_check_set(s.check, EBM_CHECK_DIRECTIONS, 16));
    int missed = 0;
    for (int i = 0; i < N; i++) {
        assert_ok(
            ebm_check_run(s.check, s.model, s.x + i * SIZE, s.labels + i, 1));
        missed += result(s.check, EBM_DERIVATIVE_INPUT,
                         EBM_CHECK_WORST_ELEMENT) != 4;
        assert_true(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_PASSED) ==
                    0);
        assert_true(result(s.check, EBM_DERIVATIVE_INPUT,
                           EBM_CHECK_DIRECTION_ERROR) > 0.01);
    }
    assert_true(missed > 0);
    end(&s);
}

/* Networks with and without kinks; nothing of it is left in the model, and
   threads do not show. */
static void networks_pass_and_stay_as_they_are(void **state)
{
    (void)state;
    enum { IMAGES = 2 };
    double first[EBM_DERIVATIVE_HESSIAN + 1][EBM_CHECK_COUNT + 1];
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        ebm_model *model = ref_small_model(context, 0, 3);
        ebm_check *check = NULL;
        size_t count = ebm_model_parameter_count(model);
        float x[IMAGES * REF_SMALL_SIZE], *kept = test_floats(count);
        float *gradient = test_floats(count);
        const float scale[IMAGES] = {1, -2};
        uint64_t random = 5;
        test_fill_normal(&random, x, IMAGES * REF_SMALL_SIZE, 1);
        assert_ok(ebm_model_backward(model, x, NULL, IMAGES, scale, NULL));
        memcpy(kept, ebm_model_parameters(model), count * sizeof *kept);
        memcpy(gradient, ebm_model_gradient(model), count * sizeof *kept);
        assert_ok(ebm_check_create(context, 7, &check));
        assert_ok(ebm_check_run(check, model, x, NULL, IMAGES));
        for (int d = 0; d <= EBM_DERIVATIVE_HESSIAN; d++) {
            passes(check, (ebm_derivative)d, 2e-3);
            for (int r = 0; r <= EBM_CHECK_COUNT; r++) {
                double value = 0;
                if (d != EBM_DERIVATIVE_HESSIAN ||
                    r != EBM_CHECK_DIRECTION_ERROR)
                    value =
                        result(check, (ebm_derivative)d, (ebm_check_result)r);
                if (threads == 1)
                    first[d][r] = value;
                assert_true(value == first[d][r]);
            }
        }
        assert_same_bits(ebm_model_parameters(model), kept, count);
        assert_same_bits(ebm_model_gradient(model), gradient, count);
        ebm_check_destroy(check);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
        free(kept);
        free(gradient);
    }
}

/* An energy that is rough in float can not be judged, and that is said. */
static void a_rough_energy_is_uncertain(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    s.energy.offset = 1e7;
    assert_ok(run(&s));
    assert_true(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_UNCERTAINTY) >
                0.1);
    end(&s);
}

/* Energies that are not finite at long steps: shorter ones are used. Where no
   step is short enough the check is not passed. */
static void steps_out_of_the_domain_are_left_out(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    s.energy.log_domain = 1;
    for (size_t i = 0; i < N * SIZE; i++)
        s.x[i] = 1.45f - 0.01f * (float)i;
    assert_ok(run(&s));
    passes(s.check, EBM_DERIVATIVE_INPUT, 1e-2);
    s.x[3] = 1.4999f;
    assert_ok(run(&s));
    assert_true(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_PASSED) == 0);
    assert_true(
        isinf(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_UNCERTAINTY)));
    /* The same where all that is left is 0. */
    const float zero[PARAMETERS] = {0};
    assert_ok(ebm_model_set_parameters(s.model, 0, zero, PARAMETERS));
    assert_ok(run(&s));
    assert_true(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_PASSED) == 0);
    assert_true(
        isinf(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_UNCERTAINTY)));
    s.x[3] = 1;
    assert_ok(run(&s));
    assert_true(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_PASSED) == 1);
    assert_true(result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_COSINE) == 1);
    s.x[3] = 1.6f;
    assert_error(s.context, run(&s), EBM_ERROR_NON_FINITE, "energy");
    end(&s);
}

/* Derivatives that a model does not have. */
static void what_is_not_there_is_not_computed(void **state)
{
    (void)state;
    test_quartic quartic = {.size = SIZE};
    scene s;
    begin(&s);
    ebm_model *model = NULL;
    const float theta[2] = {1, 0.1f};
    double value = 5;
    assert_error(s.context,
                 ebm_check_get_result(s.check, EBM_DERIVATIVE_INPUT,
                                      EBM_CHECK_PASSED, &value),
                 EBM_ERROR_NOT_COMPUTED, "input gradient");
    assert_ok(ebm_model_create_custom(s.context, 1, 1, SIZE, &test_quartic_ops,
                                      &quartic, &model));
    assert_ok(ebm_model_set_parameters(model, 0, theta, 2));
    assert_ok(ebm_check_run(s.check, model, s.x, NULL, N));
    passes(s.check, EBM_DERIVATIVE_INPUT, 1e-3);
    passes(s.check, EBM_DERIVATIVE_HESSIAN, 1e-3);
    assert_error(s.context,
                 ebm_check_get_result(s.check, EBM_DERIVATIVE_PARAMETERS,
                                      EBM_CHECK_PASSED, &value),
                 EBM_ERROR_NOT_COMPUTED, "parameter gradient");
    assert_error(s.context,
                 ebm_check_get_result(s.check, EBM_DERIVATIVE_HESSIAN,
                                      EBM_CHECK_DIRECTION_ERROR, &value),
                 EBM_ERROR_NOT_COMPUTED, "element by element");
    assert_true(value == 5);
    ebm_model_destroy(model);
    end(&s);
}

/* A callback that fails, at any call: parameters and gradient are as they
   were, and so are the results of the run before. */
static void a_failing_callback_leaves_no_trace(void **state)
{
    (void)state;
    const float scale[N] = {1, 1, 1};
    float kept[PARAMETERS], gradient[PARAMETERS];
    scene s;
    begin(&s);
    assert_ok(ebm_model_backward(s.model, s.x, s.labels, N, scale, NULL));
    memcpy(kept, ebm_model_parameters(s.model), sizeof kept);
    memcpy(gradient, ebm_model_gradient(s.model), sizeof gradient);
    assert_ok(ebm_check_set(s.check, EBM_CHECK_ELEMENTS, 2));
    assert_ok(ebm_check_set(s.check, EBM_CHECK_DIRECTIONS, 1));
    assert_ok(run(&s));
    double before =
        result(s.check, EBM_DERIVATIVE_INPUT, EBM_CHECK_WORST_ERROR);
    s.energy.fault = CALLBACK_FAILS;
    int failures = 0;
    for (int at = 1;; at++) {
        s.energy.calls_left = at;
        ebm_status status = run(&s);
        assert_same_bits(ebm_model_parameters(s.model), kept, PARAMETERS);
        assert_same_bits(ebm_model_gradient(s.model), gradient, PARAMETERS);
        if (status == EBM_OK)
            break;
        assert_int_equal(status, EBM_ERROR_CALLBACK);
        assert_true(result(s.check, EBM_DERIVATIVE_INPUT,
                           EBM_CHECK_WORST_ERROR) == before);
        failures++;
    }
    assert_true(failures > 60);
    end(&s);
}

/* A callback that destroys the handles it is called for. */
static void callbacks_may_destroy_the_handles(void **state)
{
    (void)state;
    test_allocator memory = {0};
    energy e = {RIGHT, 0, 0, 0, NULL, NULL};
    ebm_context *context = test_context(&memory);
    ebm_model *model = NULL;
    ebm_check *check = NULL;
    float x[SIZE] = {1, 2, 3};
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &ops, &e, &model));
    assert_ok(ebm_check_create(context, 3, &check));
    e.check = check;
    e.lose = model;
    assert_status(ebm_check_run(check, model, x, NULL, 1), EBM_ERROR_HANDLE);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void bad_input_is_a_status(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    double value = 5;
    ebm_check *check = s.check;
    ebm_context *other = test_context_threads(1);
    ebm_check *stranger = NULL;
    float *lent;
    assert_ok(ebm_check_create(other, 1, &stranger));
    assert_status(ebm_check_create(NULL, 1, &check), EBM_ERROR_HANDLE);
    assert_error(s.context, ebm_check_create(s.context, 1, NULL),
                 EBM_ERROR_ARGUMENT, "check");
    assert_error(other, ebm_check_run(stranger, s.model, s.x, NULL, N),
                 EBM_ERROR_CONTEXT, "contexts");
    assert_status(ebm_check_run(NULL, s.model, s.x, NULL, N),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_check_run(check, NULL, s.x, NULL, N), EBM_ERROR_HANDLE);
    assert_error(s.context, ebm_check_run(check, s.model, NULL, NULL, N),
                 EBM_ERROR_ARGUMENT, "x");
    assert_error(s.context, ebm_check_run(check, s.model, s.x, NULL, 0),
                 EBM_ERROR_ARGUMENT, "n is 0");
    assert_error(s.context,
                 ebm_check_run(check, s.model, s.x, NULL, SIZE_MAX / 2),
                 EBM_ERROR_OVERFLOW, "fit");
    assert_ok(ebm_model_begin_write(s.model, &lent));
    assert_error(s.context, run(&s), EBM_ERROR_STATE, "lent");
    assert_ok(ebm_model_end_write(s.model));
    s.x[4] = NAN;
    assert_error(s.context, run(&s), EBM_ERROR_NON_FINITE, "x");
    for (int key = 0; key <= EBM_CHECK_TOLERANCE + 1; key++) {
        const char *name = NULL;
        double low, high, initial, now;
        if (key > EBM_CHECK_TOLERANCE) {
            assert_status(ebm_check_option((ebm_check_key)key, &name, NULL,
                                           NULL, NULL, NULL),
                          EBM_ERROR_ARGUMENT);
            assert_status(ebm_check_set(check, (ebm_check_key)key, 1),
                          EBM_ERROR_ARGUMENT);
            break;
        }
        assert_ok(ebm_check_option((ebm_check_key)key, &name, NULL, &low,
                                   &high, &initial));
        assert_ok(ebm_check_get(check, (ebm_check_key)key, &now));
        assert_true(now == initial && low <= now && now <= high);
        assert_error(s.context,
                     ebm_check_set(check, (ebm_check_key)key, 2 * high),
                     EBM_ERROR_RANGE, name);
        assert_error(s.context, ebm_check_set(check, (ebm_check_key)key, 0),
                     EBM_ERROR_RANGE, name);
        assert_error(s.context, ebm_check_set(check, (ebm_check_key)key, NAN),
                     EBM_ERROR_RANGE, name);
        assert_ok(ebm_check_set(check, (ebm_check_key)key, high));
        assert_ok(ebm_check_get(check, (ebm_check_key)key, &now));
        assert_true(now == high);
    }
    assert_error(s.context,
                 ebm_check_get_result(check, (ebm_derivative)3,
                                      EBM_CHECK_PASSED, &value),
                 EBM_ERROR_ARGUMENT, "derivative 3");
    assert_error(s.context,
                 ebm_check_get_result(check, EBM_DERIVATIVE_INPUT,
                                      (ebm_check_result)11, &value),
                 EBM_ERROR_ARGUMENT, "result 11");
    assert_error(s.context,
                 ebm_check_get_result(check, EBM_DERIVATIVE_INPUT,
                                      EBM_CHECK_PASSED, NULL),
                 EBM_ERROR_ARGUMENT, "value");
    assert_status(ebm_check_get_result(NULL, EBM_DERIVATIVE_INPUT,
                                       EBM_CHECK_PASSED, &value),
                  EBM_ERROR_HANDLE);
    assert_true(value == 5);
    ebm_check_destroy(NULL);
    ebm_check_destroy(stranger);
    ebm_context_destroy(other);
    end(&s);
}

static void memory_that_runs_out_is_a_status(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t at = 1, done = 0; !done; at++) {
        test_allocator memory = {0};
        ebm_context *context = test_context(&memory);
        ebm_model *model = ref_small_model(context, 0, 3);
        ebm_check *check = NULL;
        size_t count = ebm_model_parameter_count(model);
        float x[REF_SMALL_SIZE] = {1, -1}, *kept = test_floats(count);
        memcpy(kept, ebm_model_parameters(model), count * sizeof *kept);
        test_fail_at(&memory, at, 0);
        ebm_status status = ebm_check_create(context, 1, &check);
        if (status == EBM_OK) {
            assert_ok(ebm_check_set(check, EBM_CHECK_ELEMENTS, 1));
            assert_ok(ebm_check_set(check, EBM_CHECK_DIRECTIONS, 1));
            status = ebm_check_run(check, model, x, NULL, 1);
        }
        test_fail_at(&memory, 0, 0);
        done = status == EBM_OK;
        if (!done) {
            assert_int_equal(status, EBM_ERROR_MEMORY);
            failures++;
        }
        assert_same_bits(ebm_model_parameters(model), kept, count);
        for (size_t i = 0; i < count; i++)
            assert_true(ebm_model_gradient(model)[i] == 0);
        free(kept);
        ebm_check_destroy(check);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
        assert_no_leaks(&memory);
    }
    assert_true(failures > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steps_are_extrapolated),
        cmocka_unit_test(a_right_energy_passes),
        cmocka_unit_test(wrong_callbacks_are_found),
        cmocka_unit_test(directions_see_every_element),
        cmocka_unit_test(networks_pass_and_stay_as_they_are),
        cmocka_unit_test(a_rough_energy_is_uncertain),
        cmocka_unit_test(steps_out_of_the_domain_are_left_out),
        cmocka_unit_test(what_is_not_there_is_not_computed),
        cmocka_unit_test(a_failing_callback_leaves_no_trace),
        cmocka_unit_test(callbacks_may_destroy_the_handles),
        cmocka_unit_test(bad_input_is_a_status),
        cmocka_unit_test(memory_that_runs_out_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
