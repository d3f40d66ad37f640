/* Optimizers: the update rules against double arithmetic and numbers worked
   out by hand; the average; steps that are refused. */
#include "ebm_test.h"

#include "model/model.h"
#include "optimizer/optimizer.h"

/* More than one block of the trial, and not a multiple of a vector. */
enum { COUNT = 1500 };

/* E(x) = <theta, x>: the parameter gradient of a sample is the sample, so
   that ebm_model_backward() adds any vector to the gradient. */
static int energy_grad(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    size_t size = *(const size_t *)user;
    (void)labels;
    for (size_t i = 0; i < n; i++) {
        energy[i] = 0;
        for (size_t e = 0; e < size; e++)
            energy[i] += params[e] * x[i * size + e];
        memcpy(grad + i * size, params, size * sizeof *grad);
    }
    return 0;
}

static int param_grad(const float *params, const float *x,
                      const int32_t *labels, size_t n, const float *scale,
                      float *gradient, void *user)
{
    size_t size = *(const size_t *)user;
    (void)params;
    (void)labels;
    for (size_t i = 0; i < n; i++)
        for (size_t e = 0; e < size; e++)
            gradient[e] += scale[i] * x[i * size + e];
    return 0;
}

/* A model of `count` parameters with these values, and its optimizer. */
typedef struct pair {
    size_t count;
    ebm_context *context;
    ebm_model *model;
    ebm_optimizer *optimizer;
} pair;

static void begin(pair *p, ebm_context *context, ebm_optimizer_kind kind,
                  size_t count, const float *theta)
{
    p->count = count;
    p->context = context;
    ebm_energy_ops ops = {sizeof ops, count, energy_grad, param_grad, NULL};
    assert_ok(ebm_model_create_custom(context, 1, count, 1, &ops, &p->count,
                                      &p->model));
    assert_ok(ebm_model_set_parameters(p->model, 0, theta, count));
    assert_ok(ebm_optimizer_create(context, kind, p->model, &p->optimizer));
}

static void end(pair *p)
{
    ebm_optimizer_destroy(p->optimizer);
    ebm_model_destroy(p->model);
}

static void set(pair *p, ebm_optimizer_key key, double value)
{
    double got = NAN;
    assert_ok(ebm_optimizer_set(p->optimizer, key, value));
    assert_ok(ebm_optimizer_get(p->optimizer, key, &got));
    assert_true(got == value);
}

static void give(pair *p, const float *g)
{
    const float one = 1;
    assert_ok(ebm_model_backward(p->model, g, NULL, 1, &one, NULL));
}

static void step(pair *p, const float *g)
{
    give(p, g);
    assert_ok(ebm_optimizer_step(p->optimizer));
    for (size_t i = 0; i < p->count; i++)
        assert_true(ebm_model_gradient(p->model)[i] == 0);
}

static const float *theta_of(const pair *p)
{
    return ebm_model_parameters(p->model);
}

static double statistic(const pair *p, ebm_optimizer_statistic which)
{
    double value = NAN;
    assert_ok(ebm_optimizer_get_statistic(p->optimizer, which, &value));
    return value;
}

/* Chosen so that every operation is exact: g = 1 - 2^-10 and epsilon =
   2^-10 make |g| + epsilon 1, beta2 = 0 makes the root |g|. */
static void test_adam_by_hand(void **state)
{
    (void)state;
    const float g = 1 - 0x1p-10f, minus = -g, zero = 2;
    ebm_context *context = test_context_threads(1);
    pair p;
    begin(&p, context, EBM_OPTIMIZER_ADAM, 1, &zero);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 0.5);
    set(&p, EBM_OPTIMIZER_BETA1, 0);
    set(&p, EBM_OPTIMIZER_BETA2, 0);
    set(&p, EBM_OPTIMIZER_EPSILON, 0x1p-10);
    step(&p, &g);
    assert_true(*theta_of(&p) == 2 - 0.5f * g);
    step(&p, &minus);
    step(&p, &minus);
    assert_true(*theta_of(&p) == 2 + 0.5f * g);
    assert_true(statistic(&p, EBM_OPTIMIZER_STAT_STEPS) == 3);
    end(&p);
    /* beta1 = 1/2, rate 3/4: m = g / 2 with correction 1 / 2, a step of 3/4 g;
       then m = g / 4 - g / 2 with correction 3 / 4, a step of -g / 4. */
    begin(&p, context, EBM_OPTIMIZER_ADAM, 1, &zero);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 0.75);
    set(&p, EBM_OPTIMIZER_BETA1, 0.5);
    set(&p, EBM_OPTIMIZER_BETA2, 0);
    set(&p, EBM_OPTIMIZER_EPSILON, 0x1p-10);
    step(&p, &g);
    assert_true(*theta_of(&p) == 2 - 0.75f * g);
    step(&p, &minus);
    assert_true(*theta_of(&p) == 2 - 0.5f * g);
    end(&p);
    /* beta2 = 3/4: v = g^2 / 4 with correction 1 / 4. */
    begin(&p, context, EBM_OPTIMIZER_ADAM, 1, &zero);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 1);
    set(&p, EBM_OPTIMIZER_BETA1, 0);
    set(&p, EBM_OPTIMIZER_BETA2, 0.75);
    set(&p, EBM_OPTIMIZER_EPSILON, 0x1p-10);
    step(&p, &g);
    assert_true(*theta_of(&p) == 2 - g);
    end(&p);
    ebm_context_destroy(context);
}

/* The first moment is not kept while beta1 is 0, and begins at 0 after that,
   whatever it was before: m = g / 2, with the correction of the step. */
static void test_adam_begins_again(void **state)
{
    (void)state;
    const float g = 1 - 0x1p-10f, zero = 0;
    ebm_context *context = test_context_threads(1);
    pair p;
    begin(&p, context, EBM_OPTIMIZER_ADAM, 1, &zero);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 0);
    set(&p, EBM_OPTIMIZER_BETA2, 0);
    set(&p, EBM_OPTIMIZER_EPSILON, 0x1p-10);
    set(&p, EBM_OPTIMIZER_BETA1, 0.5);
    step(&p, &g);
    set(&p, EBM_OPTIMIZER_BETA1, 0);
    step(&p, &g);
    set(&p, EBM_OPTIMIZER_BETA1, 0.5);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 0.875); /* 1 - 2^-3 */
    step(&p, &g);
    assert_true(*theta_of(&p) == -0.5f * g);
    /* From one positive value to another it goes on: m = 3/4 (g / 2) + g / 4
       and 1 - (3/4)^4 = 175/256. */
    set(&p, EBM_OPTIMIZER_BETA1, 0.75);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 0.68359375);
    step(&p, &g);
    assert_close(*theta_of(&p), (-0.5 - 0.625) * (double)g, 1e-6, 0);
    end(&p);
    ebm_context_destroy(context);
}

/* Where steps of a gradient of 0 lead once beta1 is positive again: away only
   by a first moment that was kept. */
static float drift(pair *p)
{
    const float zero = 0, before = *theta_of(p);
    set(p, EBM_OPTIMIZER_BETA1, 0.5);
    step(p, &zero);
    return *theta_of(p) - before;
}

/* Nor is it kept where beta1 rounds to 0, nor by a checkpoint. */
static void test_adam_keeps_nothing(void **state)
{
    (void)state;
    const char *path = "ebm_optimizer_first.safetensors";
    const float g = 1, zero = 0;
    ebm_context *context = test_context_threads(1);
    for (int rounds = 0; rounds < 2; rounds++) {
        pair p, q;
        ebm_checkpoint *of_p, *of_q;
        begin(&p, context, EBM_OPTIMIZER_ADAM, 1, &zero);
        begin(&q, context, EBM_OPTIMIZER_ADAM, 1, &zero);
        assert_ok(ebm_checkpoint_create(context, &of_p));
        assert_ok(ebm_checkpoint_create(context, &of_q));
        assert_ok(ebm_checkpoint_add_optimizer(of_p, "adam", p.optimizer));
        assert_ok(ebm_checkpoint_add_optimizer(of_q, "adam", q.optimizer));
        step(&p, &g);
        /* A moment that is in the file, and not wanted here. */
        assert_ok(ebm_checkpoint_save(of_p, path));
        set(&q, EBM_OPTIMIZER_BETA1, 0);
        assert_ok(ebm_checkpoint_load(of_q, path));
        assert_true(drift(&q) == 0);
        set(&p, EBM_OPTIMIZER_BETA1, rounds ? 1e-60 : 0);
        step(&p, &zero);
        assert_ok(ebm_checkpoint_save(of_p, path));
        assert_true(drift(&p) == 0);
        assert_ok(ebm_checkpoint_load(of_q, path));
        assert_true(drift(&q) == 0);
        ebm_checkpoint_destroy(of_p);
        ebm_checkpoint_destroy(of_q);
        end(&p);
        end(&q);
    }
    assert_int_equal(remove(path), 0);
    ebm_context_destroy(context);
}

/* u = 1, 3/2, 7/4, ...: momentum 1/2 on a gradient of 1. */
static void test_sgd_by_hand(void **state)
{
    (void)state;
    const float g[2] = {1, -2}, zero[2] = {0, 0};
    static const float expected[] = {-0.25f, -0.625f, -1.0625f};
    ebm_context *context = test_context_threads(1);
    pair p;
    begin(&p, context, EBM_OPTIMIZER_SGD, 2, zero);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 0.25);
    set(&p, EBM_OPTIMIZER_MOMENTUM, 0.5);
    for (size_t i = 0; i < 3; i++) {
        step(&p, g);
        assert_true(theta_of(&p)[0] == expected[i]);
        assert_true(theta_of(&p)[1] == -2 * expected[i]);
    }
    set(&p, EBM_OPTIMIZER_MOMENTUM, 0);
    step(&p, g);
    assert_true(theta_of(&p)[0] == expected[2] - 0.25f);
    /* Gradients add up before a step. */
    give(&p, g);
    step(&p, g);
    assert_true(theta_of(&p)[0] == expected[2] - 0.75f);
    end(&p);
    ebm_context_destroy(context);
}

/* One step of the header's formulas in double. */
typedef struct reference {
    double rate, beta1, beta2, epsilon, momentum, clip_value, clip_norm, decay;
    double theta[COUNT], m[COUNT], v[COUNT], average[COUNT];
    int steps;
} reference;

static void reference_step(reference *r, int adam, const float *gradient)
{
    double norm = 0, g[COUNT];
    r->steps++;
    for (size_t i = 0; i < COUNT; i++) {
        g[i] = fmax(-r->clip_value, fmin(r->clip_value, gradient[i]));
        norm += g[i] * g[i];
    }
    double scale = fmin(1, r->clip_norm / (sqrt(norm) + 1e-6));
    for (size_t i = 0; i < COUNT; i++) {
        g[i] *= scale;
        if (adam) {
            r->m[i] = r->beta1 * r->m[i] + (1 - r->beta1) * g[i];
            r->v[i] = r->beta2 * r->v[i] + (1 - r->beta2) * g[i] * g[i];
            double mean = r->m[i] / (1 - pow(r->beta1, r->steps));
            double square = r->v[i] / (1 - pow(r->beta2, r->steps));
            r->theta[i] -= r->rate * mean / (sqrt(square) + r->epsilon);
        } else {
            r->m[i] = r->momentum * r->m[i] + g[i];
            r->theta[i] -= r->rate * r->m[i];
        }
        r->average[i] = r->steps == 1 ? r->theta[i]
                                      : r->decay * r->average[i] +
                                            (1 - r->decay) * r->theta[i];
    }
}

/* The figures of the papers, PyTorch's defaults, and strange ones. */
static void test_against_double(void **state)
{
    (void)state;
    static const double settings[][7] = {
        /* rate, beta1, beta2, epsilon, momentum, clip value, clip norm */
        {1e-2, 0.9, 0.999, 1e-8, 0, INFINITY, INFINITY},
        {1e-2, 0, 0.999, 1e-8, 0, INFINITY, 0.1},
        {1e-2, 0.5, 0.5, 1e-2, 0.9, 0.7, 20},
        {1e-2, 0.99, 0.9, 1, 0.99, 0.3, INFINITY},
        {0, 0.9, 0.999, 1e-8, 0.5, INFINITY, INFINITY},
    };
    ebm_context *context = test_context_threads(1);
    reference *r = test_memory(sizeof *r);
    float *g = test_floats(COUNT), *theta = test_floats(COUNT);
    for (size_t s = 0; s < TEST_COUNT(settings); s++)
        for (int adam = 0; adam < 2; adam++) {
            const double *v = settings[s];
            *r = (reference){v[0], v[1], v[2], v[3], v[4], v[5], v[6],
                             0.9,  {0},  {0},  {0},  {0},  0};
            uint64_t random = s;
            test_fill_uniform(&random, theta, COUNT, -1, 1);
            for (size_t i = 0; i < COUNT; i++)
                r->theta[i] = theta[i];
            pair p;
            begin(&p, context, adam ? EBM_OPTIMIZER_ADAM : EBM_OPTIMIZER_SGD,
                  COUNT, theta);
            set(&p, EBM_OPTIMIZER_LEARNING_RATE, v[0]);
            if (adam) {
                set(&p, EBM_OPTIMIZER_BETA1, v[1]);
                set(&p, EBM_OPTIMIZER_BETA2, v[2]);
                set(&p, EBM_OPTIMIZER_EPSILON, v[3]);
            } else {
                set(&p, EBM_OPTIMIZER_MOMENTUM, v[4]);
            }
            set(&p, EBM_OPTIMIZER_CLIP_VALUE, v[5]);
            set(&p, EBM_OPTIMIZER_CLIP_NORM, v[6]);
            set(&p, EBM_OPTIMIZER_EMA_DECAY, r->decay);
            for (int t = 0; t < 60; t++) {
                test_fill_normal(&random, g, COUNT, t % 3 ? 1 : 0.01);
                reference_step(r, adam, g);
                step(&p, g);
                /* The total way is up to 0.6 and rounds at 1e-7 a step. */
                assert_arrays_near(theta_of(&p), r->theta, COUNT, 3e-6);
            }
            assert_ok(ebm_optimizer_swap_average(p.optimizer));
            assert_arrays_near(theta_of(&p), r->average, COUNT, 3e-6);
            for (size_t i = COUNT; i < p.optimizer->padded; i++)
                assert_true(p.model->parameters[i] == 0 &&
                            p.optimizer->first[i] == 0);
            end(&p);
        }
    free(theta);
    free(g);
    free(r);
    ebm_context_destroy(context);
}

/* The value clip comes first, the norm is taken between, and the norm clip is
   g min(1, c / (|g| + 1e-6)). */
static void test_clips(void **state)
{
    (void)state;
    const float g[2] = {3, -4}, zero[2] = {0, 0};
    ebm_context *context = test_context_threads(1);
    pair p;
    begin(&p, context, EBM_OPTIMIZER_SGD, 2, zero);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 1);
    assert_true(statistic(&p, EBM_OPTIMIZER_STAT_GRADIENT_NORM) == 0);
    static const double norms[] = {1, 4.999, 5, 5.001, 1e-3, 1e30};
    for (size_t i = 0; i < TEST_COUNT(norms); i++) {
        double scale = fmin(1, norms[i] / (5 + 1e-6));
        assert_ok(ebm_model_set_parameters(p.model, 0, zero, 2));
        set(&p, EBM_OPTIMIZER_CLIP_NORM, norms[i]);
        step(&p, g);
        assert_close(theta_of(&p)[0], -3 * scale, 0, 1e-7);
        assert_close(theta_of(&p)[1], 4 * scale, 0, 1e-7);
        assert_true(statistic(&p, EBM_OPTIMIZER_STAT_GRADIENT_NORM) == 5);
        /* Below the clip nothing changes, not even in the last place. */
        assert_int_equal(theta_of(&p)[0] == -3, norms[i] > 5);
    }
    /* |(0.5, -0.5)| = 0.707 before the norm clip to 0.1. */
    assert_ok(ebm_model_set_parameters(p.model, 0, zero, 2));
    set(&p, EBM_OPTIMIZER_CLIP_VALUE, 0.5);
    set(&p, EBM_OPTIMIZER_CLIP_NORM, 0.1);
    step(&p, g);
    double norm = sqrt(0.5), scale = 0.1 / (norm + 1e-6);
    assert_close(theta_of(&p)[0], -0.5 * scale, 0, 1e-7);
    assert_close(theta_of(&p)[1], 0.5 * scale, 0, 1e-7);
    assert_close(statistic(&p, EBM_OPTIMIZER_STAT_GRADIENT_NORM), norm, 0,
                 1e-15);
    /* No gradient at all. */
    step(&p, zero);
    assert_true(statistic(&p, EBM_OPTIMIZER_STAT_GRADIENT_NORM) == 0);
    end(&p);
    ebm_context_destroy(context);
}

/* theta = -1, -2, -3, ...; the average begins at the parameters of its first
   step and halves its distance. */
static void test_average(void **state)
{
    (void)state;
    const float g = 1, zero = 0;
    ebm_context *context = test_context_threads(1);
    pair p;
    begin(&p, context, EBM_OPTIMIZER_SGD, 1, &zero);
    set(&p, EBM_OPTIMIZER_LEARNING_RATE, 1);
    assert_error(context, ebm_optimizer_swap_average(p.optimizer),
                 EBM_ERROR_STATE, "ema_decay");
    step(&p, &g);
    set(&p, EBM_OPTIMIZER_EMA_DECAY, 0.5);
    assert_status(ebm_optimizer_swap_average(p.optimizer), EBM_ERROR_STATE);
    step(&p, &g); /* theta -2: average -2 */
    step(&p, &g); /* -3: -2.5 */
    step(&p, &g); /* -4: -3.25 */
    assert_ok(ebm_optimizer_swap_average(p.optimizer));
    assert_true(*theta_of(&p) == -3.25f);
    /* In the model's place: no step, no change of the decay; the gradient
       waits. */
    give(&p, &g);
    assert_error(context, ebm_optimizer_step(p.optimizer), EBM_ERROR_STATE,
                 "swap");
    assert_true(*ebm_model_gradient(p.model) == 1);
    assert_status(ebm_optimizer_set(p.optimizer, EBM_OPTIMIZER_EMA_DECAY, 0),
                  EBM_ERROR_STATE);
    assert_ok(ebm_optimizer_set(p.optimizer, EBM_OPTIMIZER_LEARNING_RATE, 1));
    assert_true(*theta_of(&p) == -3.25f);
    float *lent;
    assert_ok(ebm_model_begin_write(p.model, &lent));
    assert_status(ebm_optimizer_swap_average(p.optimizer), EBM_ERROR_STATE);
    assert_ok(ebm_model_end_write(p.model));
    assert_ok(ebm_optimizer_swap_average(p.optimizer));
    assert_true(*theta_of(&p) == -4);
    assert_ok(ebm_optimizer_step(p.optimizer)); /* -5: -4.125 */
    set(&p, EBM_OPTIMIZER_EMA_DECAY, 0.75);     /* goes on from there */
    step(&p, &g);                               /* -6: -4.59375 */
    assert_ok(ebm_optimizer_swap_average(p.optimizer));
    assert_true(*theta_of(&p) == -4.59375f);
    assert_ok(ebm_optimizer_swap_average(p.optimizer));
    /* 0 keeps none; a new one begins anew. */
    set(&p, EBM_OPTIMIZER_EMA_DECAY, 0);
    assert_status(ebm_optimizer_swap_average(p.optimizer), EBM_ERROR_STATE);
    step(&p, &g);
    set(&p, EBM_OPTIMIZER_EMA_DECAY, 0.5);
    step(&p, &g);
    assert_ok(ebm_optimizer_swap_average(p.optimizer));
    assert_true(*theta_of(&p) == -8);
    end(&p);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adam_by_hand),
        cmocka_unit_test(test_adam_begins_again),
        cmocka_unit_test(test_adam_keeps_nothing),
        cmocka_unit_test(test_sgd_by_hand),
        cmocka_unit_test(test_against_double),
        cmocka_unit_test(test_clips),
        cmocka_unit_test(test_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
