/*
 * The KL term against central differences of its own estimate: the path is
 * simulated again in double with other parameters, and L_opt and L_ent are
 * written down as they are defined. Clip and both clamps are at work.
 */
#include "ebm_test.h"
#include "path.h"
#include "quadratic.h"

#include "chains/tail.h"

enum { N = 24, SIZE = 3, M = 15, T = 5, MOST = 100 };

/* The gradient of the quartic energy in double, for parameters of the
   replicate's. */
static void gradient_of(const void *energy, const double *x, double *g)
{
    const double *theta = energy;
    for (size_t j = 0; j < SIZE; j++)
        g[j] = theta[0] * x[j] + theta[1] * x[j] * x[j] * x[j];
}

/* Two wells that lie outside the bounds. */
static const float theta[2] = {-0.9f, 0.5f};

/* -mean E at the constant parameters. */
static double opt_of(const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < N * SIZE; i++)
        sum += (double)theta[0] * x[i] * x[i] / 2 +
               (double)theta[1] * x[i] * x[i] * x[i] * x[i] / 4;
    return -sum / N;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* psi(m + 1) - psi(k) + log V_3 + 3 mean log rho_k; b NULL: the batch. */
static double ent_of(const double *x, const float *b, size_t m, size_t k)
{
    size_t candidates = b ? m : N - 1;
    double sum = 0, constant = log(4 * 3.141592653589793 / 3);
    for (size_t j = k; j <= candidates; j++)
        constant += 1 / (double)j;
    for (size_t i = 0; i < N; i++) {
        double squares[MOST];
        size_t count = 0;
        for (size_t j = 0; j < (b ? m : N); j++) {
            if (!b && j == i)
                continue;
            squares[count] = 0;
            for (size_t e = 0; e < SIZE; e++) {
                double other = b ? (double)b[j * SIZE + e] : x[j * SIZE + e];
                double difference = x[i * SIZE + e] - other;
                squares[count] += difference * difference;
            }
            count++;
        }
        qsort(squares, count, sizeof *squares, ascending);
        sum += log(squares[k - 1]) / 2;
    }
    return constant + SIZE * sum / N;
}

typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    ebm_loss *loss;
    ebm_report *report;
    float b[M * SIZE];
    test_quartic energy;
    test_path path;
    double theta[2]; /* of the replicate */
} scene;

/* A run whose values are all away from clip and bounds. */
static void begin(scene *s, int kept)
{
    uint64_t random = 8, seed = 0;
    double x[N * SIZE];
    memset(s, 0, sizeof *s);
    s->context = test_context_threads(2);
    s->energy.size = SIZE;
    assert_ok(ebm_model_create_custom(
        s->context, 1, 1, SIZE, &test_quartic_ops, &s->energy, &s->model));
    assert_ok(ebm_model_set_parameters(s->model, 0, theta, 2));
    assert_ok(
        ebm_sampler_create(s->context, EBM_SAMPLER_LANGEVIN, &s->sampler));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, T));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, kept));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, 0.3));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_NOISE_STD, 0.5));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.35));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STATE_MIN, -1.1));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STATE_MAX, 0.6));
    assert_ok(ebm_loss_create(s->context, EBM_LOSS_KL, &s->loss));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
    assert_ok(ebm_report_create(s->context, &s->report));
    test_fill_uniform(&random, s->b, M * SIZE, -1.5, 1);
    do {
        assert_true(seed < 5000);
        ebm_chains_destroy(s->chains);
        assert_ok(
            ebm_chains_create(s->context, N, 1, 1, SIZE, ++seed, &s->chains));
        assert_ok(ebm_chains_init_normal(s->chains, 0, 1.5));
        assert_ok(ebm_sampler_run(s->sampler, s->model, s->chains));
        test_path_begin(&s->path, s->sampler, s->chains);
        s->path.gradient = gradient_of;
        s->path.energy = s->theta;
        for (int p = 0; p < 2; p++)
            s->theta[p] = (double)theta[p];
        test_path_run(&s->path, x);
    } while (s->path.margin < 1e-4);
    assert_true(s->path.clipped > 9 && s->path.clamped_step > 9);
    assert_true(kept == 1 || s->path.clamped_noise > 9);
}

static void end(scene *s)
{
    ebm_report_destroy(s->report);
    ebm_loss_destroy(s->loss);
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static double get(const scene *s, ebm_report_key key)
{
    double value = NAN;
    assert_ok(ebm_report_get(s->report, key, &value));
    return value;
}

/* What is measured against: the batch, or the array. */
typedef struct setting {
    int is_batch;
    size_t k;
    double opt_weight, ent_weight;
} setting;

/* The weighted term at parameters of the replicate. */
static double term_at(scene *s, const setting *t, size_t p, double by)
{
    double x[N * SIZE];
    s->theta[p] = (double)theta[p] + by;
    test_path_run(&s->path, x);
    s->theta[p] = (double)theta[p];
    return t->opt_weight * opt_of(x) +
           t->ent_weight * ent_of(x, t->is_batch ? NULL : s->b, M, t->k);
}

static void check(scene *s, const setting *t, ebm_kl_direction direction)
{
    const double h = 1e-6;
    double right[2], x[N * SIZE];
    double sign = direction == EBM_KL_MAXIMISE ? 1 : -1;
    if (t->is_batch)
        assert_ok(ebm_loss_set_entropy_reference(s->loss, NULL, 0));
    else
        assert_ok(ebm_loss_set_entropy_array(s->loss, s->b, M, SIZE));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_KL_DIRECTION, direction));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_OPT_WEIGHT, t->opt_weight));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_ENT_WEIGHT, t->ent_weight));
    assert_ok(ebm_loss_set(s->loss, EBM_LOSS_ENT_NEIGHBOUR, (double)t->k));
    assert_ok(ebm_model_zero_gradient(s->model));
    assert_ok(ebm_loss_backward(s->loss, s->model, NULL, NULL, 0, s->chains,
                                s->report));
    for (size_t p = 0; p < 2; p++)
        right[p] =
            sign * (term_at(s, t, p, h) - term_at(s, t, p, -h)) / (2 * h);
    assert_arrays_near(ebm_model_gradient(s->model), right, 2, 2e-4);
    /* Terms keep their signs in either direction. */
    test_path_run(&s->path, x);
    assert_close(get(s, EBM_REPORT_TOTAL), sign * term_at(s, t, 0, 0), 1e-5,
                 1e-5);
    if (t->opt_weight > 0)
        assert_close(get(s, EBM_REPORT_OPT), opt_of(x), 1e-5, 1e-5);
    if (t->ent_weight > 0) {
        assert_close(get(s, EBM_REPORT_ENT),
                     ent_of(x, t->is_batch ? NULL : s->b, M, t->k), 1e-5,
                     1e-5);
        assert_true(get(s, EBM_REPORT_NEAR_COPIES) == 0);
    }
}

static void estimates_against_differences(void **state)
{
    (void)state;
    static const int kept[] = {1, 3, T};
    static const setting settings[] = {
        {0, 1, 0, 1}, {0, 4, 0, 1}, {0, 2, 1, 1},  {1, 1, 0, 1},
        {1, 3, 0, 1}, {1, 3, 1, 1}, {1, 2, 5, .1}, {0, 1, 1, 0}};
    for (size_t c = 0; c < TEST_COUNT(kept); c++) {
        scene s;
        begin(&s, kept[c]);
        for (size_t k = 0; k < TEST_COUNT(settings); k++) {
            check(&s, settings + k, EBM_KL_MAXIMISE);
            check(&s, settings + k, EBM_KL_MINIMISE);
        }
        end(&s);
    }
}

static void backward(scene *s, float *gradient)
{
    assert_ok(ebm_model_zero_gradient(s->model));
    assert_ok(ebm_loss_backward(s->loss, s->model, NULL, NULL, 0, s->chains,
                                s->report));
    memcpy(gradient, ebm_model_gradient(s->model), 2 * sizeof *gradient);
}

/* Draws from a buffer are states that it holds, new ones at each pass. */
static void buffers_are_drawn_from(void **state)
{
    (void)state;
    scene s;
    ebm_buffer *buffer = NULL;
    float drawn[2], given[2], again[2];
    begin(&s, 3);
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_OPT_WEIGHT, 0));
    assert_ok(ebm_buffer_create(s.context, M, 1, 1, SIZE, 4, &buffer));
    /* 200 draws of three states are all three; the nearest of the copies is
       the nearest, and only psi(M + 1) differs. */
    assert_ok(ebm_buffer_add(buffer, s.b, NULL, 3, EBM_ORIGIN_DATA));
    assert_ok(ebm_loss_set_entropy_reference(s.loss, buffer, 200));
    backward(&s, drawn);
    double value = get(&s, EBM_REPORT_ENT);
    for (int j = 4; j <= 200; j++)
        value -= 1. / j;
    assert_ok(ebm_loss_set_entropy_array(s.loss, s.b, 3, SIZE));
    backward(&s, given);
    assert_arrays_close(drawn, given, 2, 1e-6);
    assert_close(value, get(&s, EBM_REPORT_ENT), 1e-9, 0);
    /* The loss keeps the buffer, sees what is added, and draws anew. */
    assert_ok(ebm_loss_set_entropy_reference(s.loss, buffer, 4));
    assert_ok(
        ebm_buffer_add(buffer, s.b + 3 * SIZE, NULL, M - 3, EBM_ORIGIN_DATA));
    ebm_buffer_destroy(buffer);
    backward(&s, drawn);
    backward(&s, again);
    assert_other_bits(drawn, again, 2);
    /* The array was copied. */
    float array[M * SIZE];
    memcpy(array, s.b, sizeof array);
    assert_ok(ebm_loss_set_entropy_array(s.loss, array, 3, SIZE));
    memset(array, 0, sizeof array);
    backward(&s, again);
    assert_same_bits(again, given, 2);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_against_differences),
        cmocka_unit_test(buffers_are_drawn_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
