/* The KL term of a loss: its settings, what the entropy is measured against,
   and what is refused without a trace. The tail's own faults stand in
   test_tail_faults.c. */
#include "ebm_test.h"
#include "quadratic.h"

#include "chains/chains.h"

enum { N = 6, SIZE = 4 };

typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    ebm_loss *loss;
    ebm_report *report;
    float states[N * SIZE];
    test_quadratic energy;
} scene;

/* Moves the chains from the scene's states, keeping a tail. */
static void run(scene *s)
{
    assert_ok(
        ebm_chains_set_states(s->chains, s->states, NULL, EBM_ORIGIN_DATA));
    assert_ok(ebm_sampler_run(s->sampler, s->model, s->chains));
}

static void begin(scene *s, ebm_context *context, ebm_loss_kind kind)
{
    const float theta = 0.5f;
    uint64_t random = 3;
    *s = (scene){.context = context, .energy = {.size = SIZE}};
    test_fill_normal(&random, s->states, N * SIZE, 1);
    assert_ok(ebm_model_create_custom(
        context, 1, 2, SIZE / 2, &test_quadratic_ops, &s->energy, &s->model));
    assert_ok(ebm_model_set_parameters(s->model, 0, &theta, 1));
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &s->sampler));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEPS, 3));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_KEEP_STEPS, 2));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STEP_SIZE, 0.1));
    assert_ok(ebm_chains_create(context, N, 1, 2, SIZE / 2, 1, &s->chains));
    assert_ok(ebm_loss_create(context, kind, &s->loss));
    assert_ok(ebm_report_create(context, &s->report));
    run(s);
}

static void end(scene *s)
{
    ebm_report_destroy(s->report);
    ebm_loss_destroy(s->loss);
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
}

static ebm_status backward(scene *s)
{
    return ebm_loss_backward(s->loss, s->model, NULL, NULL, 0, s->chains,
                             s->report);
}

static double get(const scene *s, ebm_report_key key)
{
    double value = NAN;
    assert_ok(ebm_report_get(s->report, key, &value));
    return value;
}

/* Refused: neither the gradient nor the report changes. */
#define assert_refused(s, expected, word)                            \
    do {                                                             \
        double total_before = get((s), EBM_REPORT_TOTAL);            \
        float before = *ebm_model_gradient((s)->model);              \
        assert_error((s)->context, backward(s), (expected), (word)); \
        assert_true(get((s), EBM_REPORT_TOTAL) == total_before);     \
        assert_true(*ebm_model_gradient((s)->model) == before);      \
    } while (0)

static void directions_must_be_said(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    scene s;
    double value = NAN, total = NAN;
    begin(&s, context, EBM_LOSS_KL);
    assert_ok(ebm_loss_get(s.loss, EBM_LOSS_KL_DIRECTION, &value));
    assert_true(value == EBM_KL_UNSET);
    assert_error(context, backward(&s), EBM_ERROR_STATE,
                 "EBM_LOSS_KL_DIRECTION");
    assert_true(*ebm_model_gradient(s.model) == 0);
    assert_status(ebm_report_get(s.report, EBM_REPORT_TOTAL, &total),
                  EBM_ERROR_NOT_COMPUTED);
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
    assert_ok(backward(&s));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_KL_DIRECTION, EBM_KL_UNSET));
    assert_refused(&s, EBM_ERROR_STATE, "EBM_LOSS_KL_DIRECTION");
    ebm_loss *cd = NULL;
    assert_ok(ebm_loss_create(context, EBM_LOSS_CD, &cd));
    static const double wrong[] = {
        EBM_KL_MINIMISE, EBM_KL_UNSET, 3, NAN, -1, 0.5};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        assert_error(context,
                     ebm_loss_set(cd, EBM_LOSS_KL_DIRECTION, wrong[i]),
                     EBM_ERROR_RANGE, "CD");
        assert_ok(ebm_loss_get(cd, EBM_LOSS_KL_DIRECTION, &value));
        assert_true(value == EBM_KL_MAXIMISE);
    }
    assert_ok(ebm_loss_set(cd, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
    ebm_loss_destroy(cd);
    end(&s);
    ebm_context_destroy(context);
}

static void references_are_checked(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_context *strange = test_context_threads(1);
    ebm_buffer *buffer = NULL, *wide = NULL, *foreign = NULL;
    float b[5 * SIZE];
    uint64_t random = 4;
    scene s;
    begin(&s, context, EBM_LOSS_KL);
    test_fill_normal(&random, b, 5 * SIZE, 1);
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
    assert_ok(ebm_buffer_create(context, 9, 1, 2, SIZE / 2, 1, &buffer));
    assert_ok(ebm_buffer_create(context, 9, 1, 2, SIZE, 1, &wide));
    assert_ok(ebm_buffer_create(strange, 9, 1, 2, SIZE / 2, 1, &foreign));
    assert_ok(backward(&s));
    double own = get(&s, EBM_REPORT_ENT);
#define BUFFER(l, b, n) ebm_loss_set_entropy_reference(l, b, n)
#define ARRAY(l, x, n, d) ebm_loss_set_entropy_array(l, x, n, d)
    assert_status(BUFFER(NULL, buffer, 3), EBM_ERROR_HANDLE);
    assert_status(BUFFER(s.loss, (ebm_buffer *)(void *)context, 3),
                  EBM_ERROR_HANDLE);
    assert_status(BUFFER(s.loss, foreign, 3), EBM_ERROR_CONTEXT);
    assert_error(context, BUFFER(s.loss, buffer, 0), EBM_ERROR_ARGUMENT,
                 "0 draws");
    assert_status(ARRAY(NULL, b, 5, SIZE), EBM_ERROR_HANDLE);
    assert_status(ARRAY(s.loss, NULL, 5, SIZE), EBM_ERROR_ARGUMENT);
    assert_status(ARRAY(s.loss, b, 0, SIZE), EBM_ERROR_ARGUMENT);
    assert_status(ARRAY(s.loss, b, 5, 0), EBM_ERROR_ARGUMENT);
    assert_status(ARRAY(s.loss, b, SIZE_MAX / 2, SIZE), EBM_ERROR_OVERFLOW);
    for (int i = 0; i < 2; i++) {
        float old = b[7];
        b[7] = i ? NAN : -INFINITY;
        assert_error(context, ARRAY(s.loss, b, 5, SIZE), EBM_ERROR_NON_FINITE,
                     "sample 1 of the entropy's reference");
        b[7] = old;
    }
    for (int kind = 0; kind < 2; kind++) {
        ebm_loss *plain = NULL;
        assert_ok(ebm_loss_create(
            context, kind ? EBM_LOSS_CD_STAR : EBM_LOSS_NLL, &plain));
        assert_error(context, BUFFER(plain, buffer, 3), EBM_ERROR_UNSUPPORTED,
                     kind ? "CD_STAR" : "NLL");
        assert_error(context, BUFFER(plain, NULL, 0), EBM_ERROR_UNSUPPORTED,
                     "entropy");
        assert_error(context, ARRAY(plain, b, 5, SIZE), EBM_ERROR_UNSUPPORTED,
                     "entropy");
        ebm_loss_destroy(plain);
    }
    /* None of them changed what was set. */
    assert_ok(backward(&s));
    assert_true(get(&s, EBM_REPORT_ENT) == own);
    /* Shapes are known at the backward pass. */
    assert_ok(ARRAY(s.loss, b, 4, SIZE + 1));
    assert_refused(&s, EBM_ERROR_SHAPE, "5 elements");
    assert_ok(BUFFER(s.loss, wide, 3));
    assert_refused(&s, EBM_ERROR_SHAPE, "8 elements");
    /* An empty buffer; and one that is filled later. */
    assert_ok(BUFFER(s.loss, buffer, 3));
    assert_refused(&s, EBM_ERROR_STATE, "empty");
    assert_ok(ebm_buffer_add(buffer, b, NULL, 5, EBM_ORIGIN_NOISE));
    assert_ok(backward(&s));
    /* Not asked for, not looked at. */
    assert_ok(BUFFER(s.loss, wide, 3));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_WEIGHT, 0));
    assert_ok(backward(&s));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_WEIGHT, 1));
    assert_refused(&s, EBM_ERROR_SHAPE, "8 elements");
    /* The batch itself again. */
    assert_ok(BUFFER(s.loss, NULL, 7));
    assert_ok(backward(&s));
    assert_true(get(&s, EBM_REPORT_ENT) == own);
    ebm_buffer_destroy(foreign);
    ebm_buffer_destroy(wide);
    ebm_buffer_destroy(buffer);
    end(&s);
    ebm_context_destroy(strange);
    ebm_context_destroy(context);
}

static void neighbours_must_be_there(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    float b[2 * SIZE] = {1, 2, 3};
    scene s;
    begin(&s, context, EBM_LOSS_KL);
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_NEIGHBOUR, N - 1));
    assert_ok(backward(&s));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_NEIGHBOUR, N));
    assert_refused(&s, EBM_ERROR_STATE, "neighbour number 6 among 5");
    assert_ok(ebm_loss_set_entropy_array(s.loss, b, 2, SIZE));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_NEIGHBOUR, 3));
    assert_refused(&s, EBM_ERROR_STATE, "neighbour number 3 among 2");
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_NEIGHBOUR, 2));
    assert_ok(backward(&s));
    /* A chain alone has none. */
    ebm_chains *many = s.chains;
    assert_ok(ebm_chains_create(context, 1, 1, 2, SIZE / 2, 1, &s.chains));
    run(&s);
    assert_ok(backward(&s));
    assert_ok(ebm_loss_set_entropy_reference(s.loss, NULL, 0));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_NEIGHBOUR, 1));
    assert_refused(&s, EBM_ERROR_STATE, "among 0");
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ENT_WEIGHT, 0));
    assert_ok(backward(&s));
    ebm_chains_destroy(many);
    end(&s);
    ebm_context_destroy(context);
}

/* Chains that began and stay as copies: counted, and without a gradient. */
static void copies_are_counted(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context, EBM_LOSS_KL);
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
    assert_ok(ebm_loss_set(s.loss, EBM_LOSS_OPT_WEIGHT, 0));
    assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_NOISE_STD, 0));
    memcpy(s.states + SIZE, s.states, SIZE * sizeof *s.states);
    run(&s);
    assert_ok(backward(&s));
    assert_true(get(&s, EBM_REPORT_NEAR_COPIES) == 2);
    for (size_t i = 1; i < N; i++)
        memcpy(s.states + i * SIZE, s.states, SIZE * sizeof *s.states);
    run(&s);
    assert_ok(ebm_model_zero_gradient(s.model));
    assert_ok(backward(&s));
    assert_true(get(&s, EBM_REPORT_NEAR_COPIES) == N);
    assert_true(*ebm_model_gradient(s.model) == 0);
    end(&s);
    ebm_context_destroy(context);
}

static ebm_status full_backward(scene *s)
{
    return ebm_loss_backward(s->loss, s->model, s->states, NULL, 2, s->chains,
                             s->report);
}

/* Each allocation of a first call fails once; later ones need none. */
static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    const float b[3 * SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    size_t failures = 0;
    for (size_t at = 1, done = 0; !done; at++) {
        test_allocator memory = {0};
        ebm_context *context = test_context(&memory);
        scene s;
        begin(&s, context, EBM_LOSS_CD);
        test_fail_at(&memory, at, 0);
        ebm_status status = ebm_loss_set_entropy_array(s.loss, b, 3, SIZE);
        if (status == EBM_OK)
            status = full_backward(&s);
        test_fail_at(&memory, 0, 0);
        done = status == EBM_OK;
        if (!done) {
            assert_int_equal(status, EBM_ERROR_MEMORY);
            assert_true(*ebm_model_gradient(s.model) == 0);
            failures++;
            assert_ok(full_backward(&s));
        }
        size_t allocations = memory.allocations;
        assert_ok(full_backward(&s));
        assert_int_equal(memory.allocations, allocations);
        end(&s);
        ebm_context_destroy(context);
        assert_no_leaks(&memory);
    }
    assert_true(failures >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions_must_be_said),
        cmocka_unit_test(references_are_checked),
        cmocka_unit_test(neighbours_must_be_there),
        cmocka_unit_test(copies_are_counted),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
