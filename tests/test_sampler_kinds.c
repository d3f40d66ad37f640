/*
 * What all kinds of samplers promise: the same bits for any number of
 * threads, alone or in a batch, watched or not, in one run or in several; and
 * what ties the kinds to one another.
 */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

enum { N = 13, STEPS = 9, ALL = N * REF_SMALL_SIZE };

typedef struct kind {
    const char *name;
    ebm_sampler_kind kind;
    double step_size;
    int is_metropolis, splits; /* whether runs may be cut in two */
} kind;

static const kind kinds[] = {
    {"Langevin", EBM_SAMPLER_LANGEVIN, 0.5, 0, 1},
    {"tied Langevin", EBM_SAMPLER_TIED_LANGEVIN, 0.1, 0, 1},
    {"MALA", EBM_SAMPLER_MALA, 0.35, 1, 1},
    {"HMC", EBM_SAMPLER_HMC, 0.5, 1, 1},
    {"BAOAB", EBM_SAMPLER_BAOAB, 0.3, 0, 0},
    {"gradient descent", EBM_SAMPLER_GRADIENT_DESCENT, 0.5, 0, 1},
};

static void set(ebm_sampler *sampler, ebm_sampler_key key, double value)
{
    assert_ok(ebm_sampler_set(sampler, key, value));
}

static ebm_sampler *make(ebm_context *context, const kind *k, double steps)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, k->kind, &sampler));
    set(sampler, EBM_SAMPLER_STEPS, steps);
    set(sampler, EBM_SAMPLER_STEP_SIZE, k->step_size);
    if (k->kind == EBM_SAMPLER_HMC)
        set(sampler, EBM_SAMPLER_LEAPFROG_STEPS, 3);
    if (k->kind != EBM_SAMPLER_LANGEVIN &&
        k->kind != EBM_SAMPLER_GRADIENT_DESCENT)
        set(sampler, EBM_SAMPLER_TEMPERATURE, 0.8);
    /* Bounds near enough to matter. */
    set(sampler, EBM_SAMPLER_STATE_MIN, -3.2);
    set(sampler, EBM_SAMPLER_STATE_MAX, 3.2);
    return sampler;
}

/* A network whose energy is worth a Metropolis test. */
static ebm_model *make_model(ebm_context *context)
{
    ebm_model *model = ref_small_model(context, 4, 8);
    float *parameters = NULL;
    assert_ok(ebm_model_begin_write(model, &parameters));
    for (size_t i = 0; i < ebm_model_parameter_count(model); i++)
        parameters[i] *= 3;
    assert_ok(ebm_model_end_write(model));
    return model;
}

static void start(float *x)
{
    uint64_t random = 4;
    test_fill_uniform(&random, x, ALL, -1, 1);
}

static int look(size_t step, const ebm_chains *chains, void *user)
{
    (void)step;
    (void)chains;
    ++*(size_t *)user;
    return 0;
}

typedef struct setting {
    int threads;
    size_t observe, first, n, runs;
    double warmup;
} setting;

/* Final states of chains first, ..., first + n - 1. */
static void move(const kind *k, const setting *s, float *final, double *step)
{
    float x[ALL];
    size_t seen = 0;
    ebm_context *context = test_context_threads(s->threads);
    ebm_model *model = make_model(context);
    ebm_sampler *sampler = make(context, k, (double)(STEPS / s->runs));
    ebm_chains *chains = NULL;
    start(x);
    assert_ok(ebm_chains_create(context, s->n, 6, 5, 2, 5, &chains));
    assert_ok(ebm_chains_set_first_stream(chains, s->first));
    assert_ok(ebm_chains_set_states(chains, x + s->first * REF_SMALL_SIZE,
                                    NULL, EBM_ORIGIN_DATA));
    if (s->observe)
        assert_ok(ebm_sampler_set_observer(sampler, s->observe, look, &seen));
    if (s->warmup > 0)
        set(sampler, EBM_SAMPLER_WARMUP_STEPS, s->warmup);
    for (size_t r = 0; r < s->runs; r++)
        assert_ok(ebm_sampler_run(sampler, model, chains));
    memcpy(final, ebm_chains_states(chains),
           s->n * REF_SMALL_SIZE * sizeof *final);
    if (s->observe)
        assert_int_equal(seen, (STEPS + s->observe - 1) / s->observe);
    for (size_t i = 0; i < s->n; i++) {
        uint64_t age = 0;
        assert_ok(ebm_chains_age(chains, i, &age));
        assert_true(age == STEPS);
    }
    assert_true(ebm_chains_step_count(chains) == STEPS);
    if (k->is_metropolis && s->n == N && s->runs == 1) {
        double rate = test_statistic(sampler, EBM_SAMPLER_STAT_ACCEPTANCE);
        assert_true(rate > 0.1 && rate < 0.98);
    }
    assert_ok(ebm_sampler_get(sampler, EBM_SAMPLER_STEP_SIZE, step));
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void bits_do_not_depend_on_circumstances(void **state)
{
    (void)state;
    static const setting same[] = {{2, 0, 0, N, 1, 0}, {4, 0, 0, N, 1, 0},
                                   {1, 1, 0, N, 1, 0}, {2, 2, 0, N, 1, 0},
                                   {2, 4, 0, N, 1, 0}, {3, 0, 0, N, 3, 0}};
    static const setting plain = {1, 0, 0, N, 1, 0};
    for (size_t i = 0; i < TEST_COUNT(kinds); i++) {
        const kind *k = kinds + i;
        float right[ALL], x[ALL];
        double step;
        move(k, &plain, right, &step);
        start(x);
        assert_other_bits(x, right, ALL);
        for (size_t j = 0; j < TEST_COUNT(same); j++) {
            move(k, same + j, x, &step);
            if (same[j].runs == 1 || k->splits)
                assert_same_bits(x, right, ALL);
            else
                assert_other_bits(x, right, ALL);
        }
        /* Alone, and in pieces that begin in the middle of a slab. */
        for (size_t c = 0; c < N; c++) {
            setting alone = {1, 0, c, 1, 1, 0};
            move(k, &alone, x, &step);
            assert_same_bits(x, right + c * REF_SMALL_SIZE, REF_SMALL_SIZE);
        }
        setting part = {2, 3, 6, 7, 1, 0};
        move(k, &part, x, &step);
        assert_same_bits(x, right + 6 * REF_SMALL_SIZE, 7 * REF_SMALL_SIZE);
    }
}

/* Pooled adaptation: any number of threads, watched or not, in one run or in
   several; but not alone. */
static void warmups_do_not_depend_on_threads(void **state)
{
    (void)state;
    static const setting same[] = {{2, 0, 0, N, 1, 6},
                                   {4, 0, 0, N, 1, 6},
                                   {2, 4, 0, N, 1, 6},
                                   {2, 1, 0, N, 1, 6},
                                   {1, 0, 0, N, 3, 6}};
    static const setting plain = {1, 0, 0, N, 1, 6},
                         alone = {1, 0, 0, 1, 1, 6};
    for (size_t i = 0; i < TEST_COUNT(kinds); i++) {
        const kind *k = kinds + i;
        float right[ALL], x[ALL];
        double step, right_step;
        if (!k->is_metropolis)
            continue;
        move(k, &plain, right, &right_step);
        assert_true(right_step != k->step_size);
        for (size_t j = 0; j < TEST_COUNT(same); j++) {
            move(k, same + j, x, &step);
            assert_same_bits(x, right, ALL);
            assert_true(step == right_step);
        }
        move(k, &alone, x, &step);
        assert_true(step != right_step);
    }
}

/* One step of a kind from the same start. */
static void step_once(const kind *k, ebm_model *model, ebm_context *context,
                      float *x)
{
    ebm_sampler *sampler = make(context, k, 1);
    ebm_chains *chains = NULL;
    start(x);
    assert_ok(ebm_chains_create(context, N, 6, 5, 2, 5, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
    set(sampler, EBM_SAMPLER_STEP_SIZE, 0.35);
    assert_ok(ebm_sampler_run(sampler, model, chains));
    memcpy(x, ebm_chains_states(chains), ALL * sizeof *x);
    if (k->is_metropolis) {
        double each[N], sum = 0;
        assert_ok(ebm_sampler_acceptance(sampler, each, N));
        for (size_t i = 0; i < N; i++)
            sum += each[i];
        assert_true(sum == test_statistic(sampler, EBM_SAMPLER_STAT_ACCEPTED));
    }
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
}

/* An accepted proposal of MALA is the tied step, to the bit; a refused one is
   no step. */
static void mala_takes_tied_steps(void **state)
{
    (void)state;
    float from[ALL], tied[ALL], mala[ALL];
    size_t taken = 0;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_model(context);
    start(from);
    step_once(kinds + 1, model, context, tied);
    step_once(kinds + 2, model, context, mala);
    for (size_t i = 0; i < ALL; i += REF_SMALL_SIZE) {
        size_t bytes = REF_SMALL_SIZE * sizeof *mala;
        if (!memcmp(mala + i, tied + i, bytes))
            taken++;
        else
            assert_true(!memcmp(mala + i, from + i, bytes));
    }
    assert_true(taken > 0 && taken < N);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* x' = x - h g(x), element by element. */
static void descent_descends(void **state)
{
    (void)state;
    float x[ALL], moved[ALL], g[ALL], right[ALL];
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_model(context);
    start(x);
    assert_ok(ebm_model_energy_grad(model, x, NULL, N, NULL, g));
    for (size_t i = 0; i < ALL; i++)
        right[i] = x[i] - 0.35f * g[i];
    step_once(kinds + 5, model, context, moved);
    assert_arrays_close(moved, right, ALL, 1e-6);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* One pass a step, and one before the first; a warm-up does not ask again. */
static void gradients_are_kept(void **state)
{
    (void)state;
    static const size_t calls[] = {0, 0, STEPS + 1, 3 * STEPS + 1, STEPS + 1};
    for (size_t i = 2; i < TEST_COUNT(calls); i++)
        for (int warmup = 0; warmup < 2; warmup++) {
            ebm_context *context = test_context_threads(1);
            test_gaussian g = {.theta = 1, .size = 3};
            ebm_model *model = test_gaussian_model(context, &g);
            ebm_sampler *sampler = make(context, kinds + i, STEPS);
            ebm_chains *chains = NULL;
            if (warmup && kinds[i].is_metropolis)
                set(sampler, EBM_SAMPLER_WARMUP_STEPS, 4);
            assert_ok(ebm_chains_create(context, 5, 1, 3, 1, 5, &chains));
            assert_ok(ebm_sampler_run(sampler, model, chains));
            assert_int_equal(g.calls, calls[i]);
            ebm_chains_destroy(chains);
            ebm_sampler_destroy(sampler);
            ebm_model_destroy(model);
            ebm_context_destroy(context);
        }
}

static int sharpen(size_t step, const ebm_chains *chains, void *user)
{
    ebm_model *model = user;
    const float *now = ebm_model_parameters(model);
    size_t count = ebm_model_parameter_count(model);
    float *more = test_floats(count);
    (void)step;
    (void)chains;
    for (size_t i = 0; i < count; i++)
        more[i] = 1.2f * now[i];
    int failed = ebm_model_set_parameters(model, 0, more, count) != EBM_OK;
    free(more);
    return failed;
}

/* What an observer writes into the model holds from the next step on, for
   kept gradients too: as runs of one step with writing in between. */
static void kept_gradients_notice_new_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(kinds); i++) {
        float from[ALL];
        if (!kinds[i].splits)
            continue;
        ebm_context *context = test_context_threads(2);
        ebm_model *watched = make_model(context),
                  *by_hand = make_model(context);
        ebm_sampler *whole = make(context, kinds + i, 5);
        ebm_sampler *single = make(context, kinds + i, 1);
        ebm_chains *a = NULL, *b = NULL;
        start(from);
        assert_ok(ebm_chains_create(context, N, 6, 5, 2, 5, &a));
        assert_ok(ebm_chains_create(context, N, 6, 5, 2, 5, &b));
        assert_ok(ebm_chains_set_states(a, from, NULL, EBM_ORIGIN_DATA));
        assert_ok(ebm_chains_set_states(b, from, NULL, EBM_ORIGIN_DATA));
        assert_ok(ebm_sampler_set_observer(whole, 1, sharpen, watched));
        assert_ok(ebm_sampler_run(whole, watched, a));
        for (int k = 0; k < 5; k++) {
            assert_ok(ebm_sampler_run(single, by_hand, b));
            assert_int_equal(sharpen(0, NULL, by_hand), 0);
        }
        assert_same_bits(ebm_chains_states(a), ebm_chains_states(b), ALL);
        ebm_chains_destroy(a);
        ebm_chains_destroy(b);
        ebm_sampler_destroy(single);
        ebm_sampler_destroy(whole);
        ebm_model_destroy(by_hand);
        ebm_model_destroy(watched);
        ebm_context_destroy(context);
    }
}

static int ask_network(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    const ebm_model *network = user;
    (void)params;
    (void)labels;
    return ebm_model_energy_grad(network, x, NULL, n, energy, grad) != EBM_OK;
}

/* A network in slabs, and the same network behind a callback that gets whole
   batches: the samples have the same places, so the bits are the same. */
static void slabs_and_batches_agree(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *network = make_model(context), *custom = NULL;
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .energy_grad = ask_network};
    assert_ok(
        ebm_model_create_custom(context, 6, 5, 2, &ops, network, &custom));
    for (size_t i = 0; i < TEST_COUNT(kinds); i++) {
        const ebm_model *models[] = {network, custom};
        float x[2][ALL];
        for (int m = 0; m < 2; m++) {
            ebm_sampler *sampler = make(context, kinds + i, STEPS);
            ebm_chains *chains = NULL;
            start(x[m]);
            assert_ok(ebm_chains_create(context, N, 6, 5, 2, 5, &chains));
            assert_ok(
                ebm_chains_set_states(chains, x[m], NULL, EBM_ORIGIN_DATA));
            assert_ok(ebm_sampler_run(sampler, models[m], chains));
            memcpy(x[m], ebm_chains_states(chains), sizeof x[m]);
            ebm_chains_destroy(chains);
            ebm_sampler_destroy(sampler);
        }
        assert_same_bits(x[0], x[1], ALL);
    }
    ebm_model_destroy(custom);
    ebm_model_destroy(network);
    ebm_context_destroy(context);
}

/* Losses ask where chains began, not what moved them. */
static void all_kinds_train(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(kinds); i++) {
        float x[ALL];
        ebm_context *context = test_context_threads(2);
        ebm_model *model = make_model(context);
        ebm_sampler *sampler = make(context, kinds + i, STEPS);
        ebm_chains *chains = NULL;
        ebm_loss *nll = NULL, *cd = NULL;
        ebm_report *report = NULL;
        start(x);
        assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &nll));
        assert_ok(ebm_loss_create(context, EBM_LOSS_CD_STAR, &cd));
        assert_ok(ebm_report_create(context, &report));
        assert_ok(ebm_chains_create(context, N, 6, 5, 2, 5, &chains));
        assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
        assert_ok(ebm_sampler_run(sampler, model, chains));
        assert_ok(ebm_loss_backward(cd, model, x, NULL, N, chains, report));
        assert_status(
            ebm_loss_backward(nll, model, x, NULL, N, chains, report),
            EBM_ERROR_ORIGIN);
        ebm_report_destroy(report);
        ebm_loss_destroy(cd);
        ebm_loss_destroy(nll);
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_circumstances),
        cmocka_unit_test(warmups_do_not_depend_on_threads),
        cmocka_unit_test(mala_takes_tied_steps),
        cmocka_unit_test(descent_descends),
        cmocka_unit_test(gradients_are_kept),
        cmocka_unit_test(kept_gradients_notice_new_parameters),
        cmocka_unit_test(slabs_and_batches_agree),
        cmocka_unit_test(all_kinds_train),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
