/* Optimizers: steps that are refused change nothing, and what else is. */
#include "ebm_test.h"

#include <float.h>

#include "model/model.h"
#include "optimizer/optimizer.h"

/* The bad element comes last: after one whole block of the trial. */
enum { COUNT = 1500, LAST = COUNT - 1 };

/* The energy is not asked for: the tests write the gradient themselves. */
static int no_energy(const float *params, const float *x,
                     const int32_t *labels, size_t n, float *energy,
                     float *grad, void *user)
{
    (void)params;
    (void)x;
    (void)labels;
    (void)user;
    for (size_t i = 0; i < n; i++)
        energy[i] = grad[i] = 0;
    return 0;
}

static ebm_model *make_model(ebm_context *context, size_t count)
{
    ebm_model *model = NULL;
    ebm_energy_ops ops = {sizeof ops, count, no_energy, NULL, NULL};
    assert_ok(ebm_model_create_custom(context, 1, 1, 1, &ops, NULL, &model));
    return model;
}

static ebm_optimizer *make(ebm_context *context, ebm_optimizer_kind kind,
                           ebm_model *model)
{
    ebm_optimizer *optimizer = NULL;
    assert_ok(ebm_optimizer_create(context, kind, model, &optimizer));
    assert_ok(ebm_optimizer_set(optimizer, EBM_OPTIMIZER_EMA_DECAY, 0.5));
    return optimizer;
}

static double statistic(const ebm_optimizer *optimizer,
                        ebm_optimizer_statistic which)
{
    double value = NAN;
    assert_ok(ebm_optimizer_get_statistic(optimizer, which, &value));
    return value;
}

static void good_step(ebm_optimizer *optimizer, uint64_t seed)
{
    ebm_model *model = optimizer->model;
    test_fill_normal(&seed, model->gradient, COUNT, 1);
    assert_ok(ebm_optimizer_step(optimizer));
}

/* A bad gradient, then the step is refused, and the gradient is 0. */
static void refused_step(ebm_optimizer *optimizer, float first, float last)
{
    ebm_model *model = optimizer->model;
    for (size_t i = 0; i < COUNT; i++)
        model->gradient[i] = 1;
    model->gradient[0] = first;
    model->gradient[LAST] = last;
    double refused = statistic(optimizer, EBM_OPTIMIZER_STAT_REFUSED);
    double norm = statistic(optimizer, EBM_OPTIMIZER_STAT_GRADIENT_NORM);
    assert_error(ebm_context_of(optimizer), ebm_optimizer_step(optimizer),
                 EBM_ERROR_NON_FINITE, "refused");
    assert_true(statistic(optimizer, EBM_OPTIMIZER_STAT_REFUSED) ==
                refused + 1);
    assert_true(statistic(optimizer, EBM_OPTIMIZER_STAT_GRADIENT_NORM) ==
                norm);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(model->gradient[i] == 0);
}

/* Compares everything that a step writes with a twin that never met a bad
   gradient. */
static void assert_twins(const ebm_optimizer *a, const ebm_optimizer *b)
{
    assert_same_bits(a->model->parameters, b->model->parameters, COUNT);
    assert_same_bits(a->first, b->first, COUNT);
    if (a->second)
        assert_same_bits(a->second, b->second, COUNT);
    assert_same_bits(a->average, b->average, COUNT);
    assert_true(a->steps == b->steps);
}

static void test_refused_steps(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    for (int kind = 0; kind < 2; kind++) {
        ebm_model *models[2] = {make_model(context, COUNT),
                                make_model(context, COUNT)};
        ebm_optimizer *a = make(context, (ebm_optimizer_kind)kind, models[0]);
        ebm_optimizer *b = make(context, (ebm_optimizer_kind)kind, models[1]);
        static const float bad[] = {NAN, INFINITY, -INFINITY};
        for (uint64_t round = 0; round < 6; round++) {
            /* A value clip must not hide infinity, nor a norm clip. */
            double clip = round < 3 ? INFINITY : 0.5;
            for (int twin = 0; twin < 2; twin++) {
                ebm_optimizer *o = twin ? b : a;
                assert_ok(
                    ebm_optimizer_set(o, EBM_OPTIMIZER_CLIP_VALUE, clip));
                assert_ok(ebm_optimizer_set(o, EBM_OPTIMIZER_CLIP_NORM, 9));
                good_step(o, round);
            }
            refused_step(a, 1, bad[round % 3]);
            assert_twins(a, b);
            refused_step(a, bad[round % 3], 1);
            assert_twins(a, b);
        }
        assert_true(statistic(a, EBM_OPTIMIZER_STAT_REFUSED) == 12);
        assert_true(statistic(a, EBM_OPTIMIZER_STAT_STEPS) == 6);
        ebm_optimizer_destroy(a);
        ebm_optimizer_destroy(b);
        ebm_model_destroy(models[0]);
        ebm_model_destroy(models[1]);
    }
    ebm_context_destroy(context);
}

/* The gradient is finite but the step would overflow: in the parameter, or in
   Adam's second moment. */
static void test_overflow_is_refused(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    for (int kind = 0; kind < 2; kind++) {
        ebm_model *models[2] = {make_model(context, COUNT),
                                make_model(context, COUNT)};
        ebm_optimizer *a = make(context, (ebm_optimizer_kind)kind, models[0]);
        ebm_optimizer *b = make(context, (ebm_optimizer_kind)kind, models[1]);
        const float large = 3e38f;
        for (int i = 0; i < 2; i++)
            assert_ok(ebm_model_set_parameters(models[i], LAST, &large, 1));
        good_step(a, 1);
        good_step(b, 1);
        assert_ok(ebm_optimizer_set(a, EBM_OPTIMIZER_LEARNING_RATE, FLT_MAX));
        refused_step(a, 1, -1);
        assert_twins(a, b);
        assert_ok(ebm_optimizer_set(a, EBM_OPTIMIZER_LEARNING_RATE, 1e-4));
        if (kind == EBM_OPTIMIZER_ADAM) {
            refused_step(a, 1, 1e30f);
            assert_twins(a, b);
        }
        good_step(a, 2);
        good_step(b, 2);
        assert_twins(a, b);
        ebm_optimizer_destroy(a);
        ebm_optimizer_destroy(b);
        ebm_model_destroy(models[0]);
        ebm_model_destroy(models[1]);
    }
    ebm_context_destroy(context);
}

/* The norm of a finite gradient is finite, however large its elements. */
static void test_large_gradient(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_model(context, COUNT);
    ebm_optimizer *optimizer = make(context, EBM_OPTIMIZER_ADAM, model);
    assert_ok(ebm_optimizer_set(optimizer, EBM_OPTIMIZER_CLIP_NORM, 1));
    for (size_t i = 0; i < COUNT; i++)
        model->gradient[i] = FLT_MAX;
    assert_ok(ebm_optimizer_step(optimizer));
    assert_close(statistic(optimizer, EBM_OPTIMIZER_STAT_GRADIENT_NORM),
                 (double)FLT_MAX * sqrt(COUNT), 0, 1e-12);
    ebm_optimizer_destroy(optimizer);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void test_state(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_model(context, COUNT);
    ebm_optimizer *optimizer = make(context, EBM_OPTIMIZER_SGD, model);
    float *lent;
    assert_ok(ebm_model_begin_write(model, &lent));
    model->gradient[3] = 2;
    assert_error(context, ebm_optimizer_step(optimizer), EBM_ERROR_STATE,
                 "lent");
    assert_true(model->gradient[3] == 2 && model->parameters[3] == 0);
    assert_ok(ebm_model_end_write(model));
    /* The optimizer keeps the model, and clears its gradient, when the
       caller has let go of it. */
    ebm_model_destroy(model);
    assert_ok(ebm_optimizer_step(optimizer));
    assert_true(model->parameters[3] < 0);
    assert_true(model->gradient[3] == 0);
    ebm_optimizer_destroy(optimizer);
    ebm_context_destroy(context);
}

static void test_options(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_model(context, 3);
    ebm_optimizer *both[2] = {NULL, NULL};
    static const double initial[] = {1e-4, 0.9,      0.999,    1e-8,
                                     0,    INFINITY, INFINITY, 0};
    static const double bad[][4] = {
        {-1, INFINITY, NAN, 1e39}, {-0.1, 1, 2, NAN}, {-0.1, 1, 2, NAN},
        {0, -1, INFINITY, NAN},    {-0.1, 1, 2, NAN}, {0, -1, NAN, -INFINITY},
        {0, -1, NAN, -INFINITY},   {-0.1, 1, 2, NAN}};
    for (int kind = 0; kind < 2; kind++)
        assert_ok(ebm_optimizer_create(context, (ebm_optimizer_kind)kind,
                                       model, &both[kind]));
    for (unsigned key = 0; key < 8; key++) {
        double value = NAN;
        ebm_optimizer_key k = (ebm_optimizer_key)key;
        ebm_optimizer *o = both[k == EBM_OPTIMIZER_MOMENTUM];
        assert_ok(ebm_optimizer_option(k, NULL, NULL, NULL, NULL, &value));
        assert_true(value == initial[key]);
        assert_ok(ebm_optimizer_get(o, k, &value));
        assert_true(value == initial[key]);
        for (size_t i = 0; i < 4; i++)
            assert_status(ebm_optimizer_set(o, k, bad[key][i]),
                          EBM_ERROR_RANGE);
        assert_ok(ebm_optimizer_get(o, k, &value));
        assert_true(value == initial[key]);
        int foreign = k >= EBM_OPTIMIZER_BETA1 && k <= EBM_OPTIMIZER_MOMENTUM;
        assert_status(
            ebm_optimizer_set(both[k != EBM_OPTIMIZER_MOMENTUM], k, 0.5),
            foreign ? EBM_ERROR_UNSUPPORTED : EBM_OK);
    }
    double value = -7;
    assert_status(ebm_optimizer_set(both[0], (ebm_optimizer_key)8, 0),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_optimizer_get(both[0], (ebm_optimizer_key)8, &value),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_optimizer_get(both[0], 0, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_optimizer_get_statistic(
                      both[0], (ebm_optimizer_statistic)3, &value),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_optimizer_get_statistic(both[0], 0, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_optimizer_set(NULL, 0, 0), EBM_ERROR_HANDLE);
    assert_status(ebm_optimizer_get(NULL, 0, &value), EBM_ERROR_HANDLE);
    assert_status(ebm_optimizer_step(NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_optimizer_step((ebm_optimizer *)(void *)model),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_optimizer_swap_average(NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_optimizer_get_statistic(NULL, 0, &value),
                  EBM_ERROR_HANDLE);
    assert_true(value == -7);
    ebm_optimizer_destroy(both[0]);
    ebm_optimizer_destroy(both[1]);
    ebm_optimizer_destroy(NULL);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void test_create(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_context *strange = test_context_threads(1);
    ebm_model *model = make_model(context, COUNT);
    ebm_model *fixed = make_model(context, 0);
    ebm_model *foreign = make_model(strange, 1);
    ebm_optimizer *optimizer = NULL;
    assert_status(ebm_optimizer_create(context, (ebm_optimizer_kind)2, model,
                                       &optimizer),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_optimizer_create(context, 0, model, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_optimizer_create(context, 0, fixed, &optimizer),
                  EBM_ERROR_UNSUPPORTED);
    assert_status(ebm_optimizer_create(context, 0, foreign, &optimizer),
                  EBM_ERROR_CONTEXT);
    assert_status(ebm_optimizer_create(context, 0, NULL, &optimizer),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_optimizer_create(NULL, 0, model, &optimizer),
                  EBM_ERROR_HANDLE);
    ebm_status status = EBM_ERROR_MEMORY;
    size_t live = memory.live_blocks, failures = 0;
    for (size_t at = 1; status == EBM_ERROR_MEMORY; at++) {
        assert_null(optimizer);
        assert_int_equal(memory.live_blocks, live);
        test_fail_at(&memory, at, 0);
        status = ebm_optimizer_create(context, 0, model, &optimizer);
        failures += status == EBM_ERROR_MEMORY;
    }
    assert_ok(status);
    assert_int_equal(failures, 3);
    /* A first average that finds no room changes nothing. */
    double decay = NAN;
    test_fail_at(&memory, 1, 0);
    assert_error(context,
                 ebm_optimizer_set(optimizer, EBM_OPTIMIZER_EMA_DECAY, 0.9),
                 EBM_ERROR_MEMORY, "average");
    assert_ok(ebm_optimizer_get(optimizer, EBM_OPTIMIZER_EMA_DECAY, &decay));
    assert_true(decay == 0);
    assert_ok(ebm_optimizer_set(optimizer, EBM_OPTIMIZER_EMA_DECAY, 0.9));
    /* Steps allocate nothing. */
    size_t allocations = memory.allocations;
    good_step(optimizer, 1);
    good_step(optimizer, 2);
    assert_ok(ebm_optimizer_swap_average(optimizer));
    assert_int_equal(memory.allocations, allocations);
    ebm_model_destroy(model);
    ebm_model_destroy(fixed);
    ebm_context_destroy(context);
    ebm_optimizer_destroy(optimizer);
    assert_no_leaks(&memory);
    ebm_model_destroy(foreign);
    ebm_context_destroy(strange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_steps),
        cmocka_unit_test(test_overflow_is_refused),
        cmocka_unit_test(test_large_gradient),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_create),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
