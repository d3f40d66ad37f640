/* Transitions within a run, under every kind of sampler: what a sampler
   carries from step to step belongs to where the chains were before a jump.
   And what a jump is told, and when it comes after a run that was stopped. */
#include "ebm_test.h"
#include "gaussian.h"
#include "jumps.h"
#include "reference.h"

#include "buffer/buffer.h"
#include "chains/chains.h"

enum { SIZE = REF_SMALL_SIZE, N = 7, STEPS = 12, EVERY = 4, STREAM = 5 };

/* Of the caller's own: sum of x^2 / 2 + x^4 / 4. */
static int quartic(const float *params, const float *x, const int32_t *labels,
                   size_t n, float *energy, float *grad, void *user)
{
    (void)params, (void)labels, (void)user;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = i * SIZE; j < (i + 1) * SIZE; j++) {
            float square = x[j] * x[j];
            sum += square / 2 + square * square / 4;
            if (grad)
                grad[j] = x[j] + square * x[j];
        }
        if (energy)
            energy[i] = (float)sum;
    }
    return 0;
}

static ebm_model *model_of(ebm_context *context, int is_custom)
{
    const ebm_energy_ops ops = {.struct_size = sizeof ops,
                                .energy_grad = quartic};
    ebm_model *model = NULL;
    if (!is_custom)
        return ref_small_model(context, 3, 8);
    assert_ok(ebm_model_create_custom(context, 6, 5, 2, &ops, NULL, &model));
    return model;
}

static ebm_sampler *sampler_of(ebm_context *context, ebm_sampler_kind kind,
                               double warmup)
{
    const int is_dynamics =
        kind == EBM_SAMPLER_HMC || kind == EBM_SAMPLER_BAOAB;
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, kind, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE,
                              is_dynamics ? 0.1 : 0.02));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, -2));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 2));
    if (warmup > 0)
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_WARMUP_STEPS, warmup));
    return sampler;
}

static ebm_transition *crop_and_flip(ebm_context *context)
{
    ebm_transition *parts[2] = {NULL}, *jump = NULL;
    assert_ok(ebm_transition_create(context, EBM_TRANSITION_CROP, &parts[0]));
    assert_ok(ebm_transition_create(context, EBM_TRANSITION_FLIP, &parts[1]));
    assert_ok(ebm_transition_create_sequence(context, parts, 2, &jump));
    assert_ok(ebm_transition_set(jump, EBM_TRANSITION_PROBABILITY, 0.7));
    assert_ok(ebm_transition_set(jump, EBM_TRANSITION_RANGE_MIN, -2));
    assert_ok(ebm_transition_set(jump, EBM_TRANSITION_RANGE_MAX, 2));
    ebm_transition_destroy(parts[0]);
    ebm_transition_destroy(parts[1]);
    return jump;
}

static int nothing(size_t step, const ebm_chains *chains, void *user)
{
    (void)step, (void)chains, (void)user;
    return 0;
}

static void run_steps(ebm_sampler *sampler, const ebm_model *model,
                      ebm_chains *chains, double steps)
{
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_run(sampler, model, chains));
}

/* Ways to the same states. An observer that comes with every jump makes the
   sampler forget what it carries, and so does the end of a run. */
typedef enum way { BY_HAND, ONE_RUN, OBSERVED, IN_PIECES, WAYS } way;

static void go(way w, ebm_sampler *sampler, ebm_transition *jump,
               const ebm_model *model, ebm_chains *chains)
{
    assert_ok(ebm_sampler_set_transition(sampler, w == BY_HAND ? NULL : jump,
                                         EVERY));
    if (w == OBSERVED)
        assert_ok(ebm_sampler_set_observer(sampler, 2, nothing, NULL));
    if (w == ONE_RUN || w == OBSERVED) {
        run_steps(sampler, model, chains, STEPS);
    } else if (w == IN_PIECES) {
        run_steps(sampler, model, chains, 7);
        run_steps(sampler, model, chains, 1);
        run_steps(sampler, model, chains, 4);
    } else {
        for (uint64_t k = 0; k < STEPS; k += EVERY) {
            if (k)
                assert_ok(ebm_transition_apply(jump, chains->states, NULL, N,
                                               6, 5, 2, 1, STREAM, k));
            run_steps(sampler, model, chains, EVERY);
        }
    }
}

/* All ways, with one kind: BAOAB has new momenta in each run. */
static void all_ways(ebm_context *context, const ebm_model *model,
                     ebm_sampler_kind kind, double warmup, float *right,
                     int *is_known)
{
    ebm_transition *jump = crop_and_flip(context);
    for (int w = 0; w < WAYS; w++) {
        if (kind == EBM_SAMPLER_BAOAB && (w == BY_HAND || w == IN_PIECES))
            continue;
        ebm_sampler *sampler = sampler_of(context, kind, warmup);
        ebm_chains *chains = NULL;
        assert_ok(ebm_chains_create(context, N, 6, 5, 2, 1, &chains));
        assert_ok(ebm_chains_set_first_stream(chains, STREAM));
        assert_ok(ebm_chains_init_uniform(chains, -1, 1));
        go((way)w, sampler, jump, model, chains);
        if (!*is_known)
            memcpy(right, chains->states, N * SIZE * sizeof *right);
        *is_known = 1;
        if (memcmp(chains->states, right, N * SIZE * sizeof *right) != 0)
            fail_msg("kind %d, warm-up %g, way %d: other bits", (int)kind,
                     warmup, w);
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
    }
    ebm_transition_destroy(jump);
}

/* For any number of threads. */
static void all_threads(ebm_sampler_kind kind, int is_custom, double warmup)
{
    float right[N * SIZE];
    int is_known = 0;
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        ebm_model *model = model_of(context, is_custom);
        all_ways(context, model, kind, warmup, right, &is_known);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
}

static void nothing_is_carried_over_a_jump(void **state)
{
    (void)state;
    for (int kind = 0; kind <= EBM_SAMPLER_GRADIENT_DESCENT; kind++)
        for (int is_custom = 0; is_custom < 2; is_custom++) {
            all_threads((ebm_sampler_kind)kind, is_custom, 0);
            if (kind == EBM_SAMPLER_MALA || kind == EBM_SAMPLER_HMC)
                all_threads((ebm_sampler_kind)kind, is_custom, 9);
        }
}

/* ---- Labels ---------------------------------------------------------------
 */

enum { LABELLED = 6, WIDTH = 3 };

/* States name themselves: each element begins as the label. */
typedef struct reader {
    size_t calls, images, wrong, without;
} reader;

static int read_labels(float *x, const int32_t *labels, size_t n,
                       size_t height, size_t width, size_t channels,
                       const uint64_t *keys, void *user)
{
    reader *r = user;
    (void)height, (void)channels, (void)keys;
    r->calls++;
    r->images += n;
    r->without += labels == NULL;
    for (size_t i = 0; labels && i < n; i++)
        r->wrong += (float)labels[i] != x[i * width];
    return 0;
}

static ebm_transition *reading(ebm_context *context, reader *r)
{
    ebm_transition *transition = NULL;
    assert_ok(
        ebm_transition_create_callback(context, read_labels, r, &transition));
    return transition;
}

static const int32_t labels[LABELLED] = {3, 0, 4, 1, 5, 9};

static void fill_labelled(float x[LABELLED * WIDTH])
{
    for (size_t i = 0; i < LABELLED * WIDTH; i++)
        x[i] = (float)labels[i / WIDTH];
}

/* A sampler's jump tells the callback which labels the chains have. */
static void jumps_tell_the_chains_labels(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    test_gaussian g = {.theta = 0, .size = WIDTH};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, 4, 0.1, 0);
    reader r = {0};
    ebm_transition *jump = reading(context, &r);
    ebm_chains *chains = NULL;
    float x[LABELLED * WIDTH];
    fill_labelled(x);
    assert_ok(ebm_chains_create(context, LABELLED, 1, WIDTH, 1, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, x, labels, EBM_ORIGIN_DATA));
    assert_ok(ebm_sampler_set_transition(sampler, jump, 2));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.images, LABELLED);
    assert_int_equal(r.without, 0);
    assert_int_equal(r.wrong, 0);
    ebm_transition_destroy(jump);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* So do a buffer's draws, and those of references. */
static void draws_tell_the_states_labels(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    reader r = {0};
    ebm_transition *jump = reading(context, &r);
    ebm_buffer *buffer = NULL;
    ebm_chains *chains = NULL;
    float x[LABELLED * WIDTH], references[2 * LABELLED * WIDTH];
    fill_labelled(x);
    assert_ok(ebm_buffer_create(context, LABELLED, 1, WIDTH, 1, 1, &buffer));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 0));
    assert_ok(ebm_buffer_add(buffer, x, labels, LABELLED, EBM_ORIGIN_DATA));
    assert_ok(ebm_buffer_set_transition(buffer, jump));
    assert_ok(ebm_chains_create(context, LABELLED, 1, WIDTH, 1, 1, &chains));
    assert_ok(ebm_buffer_draw(buffer, chains));
    assert_int_equal(r.images, LABELLED);
    assert_ok(ebm_buffer_reference(buffer, 2 * LABELLED, references));
    assert_int_equal(r.images, 3 * LABELLED);
    assert_int_equal(r.calls, 2);
    assert_int_equal(r.without, 0);
    assert_int_equal(r.wrong, 0);
    ebm_transition_destroy(jump);
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

/* ---- When ----------------------------------------------------------------
 */

/* Steps that a stopped run did not take bring no jump nearer. */
static void stopped_runs_count_the_steps_they_took(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    test_gaussian g = {.theta = 1, .size = WIDTH, .fail_call = 4};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, 6, 0.1, 0.1);
    test_adder a = {.add = 1};
    ebm_transition *jump = test_adding(context, &a);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, LABELLED, 1, WIDTH, 1, 1, &chains));
    assert_ok(ebm_sampler_set_transition(sampler, jump, 10));
    assert_status(ebm_sampler_run(sampler, model, chains), EBM_ERROR_CALLBACK);
    assert_true(ebm_chains_step_count(chains) == 3);
    run_steps(sampler, model, chains, 7);
    assert_int_equal(a.calls, 0);
    run_steps(sampler, model, chains, 1);
    assert_int_equal(a.calls, 1);
    ebm_transition_destroy(jump);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* A step's number keys the jump before it, in 36 bits. */
static void step_numbers_of_jumps_end(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    test_gaussian g = {.theta = 1, .size = WIDTH};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, 6, 0.1, 0.1);
    test_adder a = {.add = 1};
    ebm_transition *jump = test_adding(context, &a);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, LABELLED, 1, WIDTH, 1, 1, &chains));
    assert_ok(ebm_sampler_set_transition(sampler, jump, 1));
    const uint64_t last = ((uint64_t)1 << 36) - 5;
    chains->steps = last;
    assert_error(context, ebm_sampler_run(sampler, model, chains),
                 EBM_ERROR_RANGE, "transitions");
    assert_true(chains->steps == last);
    run_steps(sampler, model, chains, 5);
    assert_int_equal(a.calls, 4);
    /* Without a transition there is room for more. */
    assert_ok(ebm_sampler_set_transition(sampler, NULL, 0));
    run_steps(sampler, model, chains, 6);
    ebm_transition_destroy(jump);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_carried_over_a_jump),
        cmocka_unit_test(jumps_tell_the_chains_labels),
        cmocka_unit_test(draws_tell_the_states_labels),
        cmocka_unit_test(stopped_runs_count_the_steps_they_took),
        cmocka_unit_test(step_numbers_of_jumps_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
