/* Transitions attached to a buffer. */
#include "ebm_test.h"
#include "jumps.h"

#include "buffer/buffer.h"
#include "chains/chains.h"

enum { H = 6, W = 5, IMAGE = H * W, N = 12, HELD = 40 };

static ebm_buffer *filled(ebm_context *context, double fresh_rate)
{
    ebm_buffer *buffer = NULL;
    assert_ok(ebm_buffer_create(context, HELD, H, W, 1, 3, &buffer));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, fresh_rate));
    assert_ok(ebm_buffer_fill_uniform(buffer, HELD, -1, 1));
    return buffer;
}

static ebm_chains *chains_of(ebm_context *context, size_t n)
{
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, n, H, W, 1, 8, &chains));
    return chains;
}

/* What is drawn is what would be drawn without, and then what apply makes of
   it: the same slots, origins, ages; fresh chains untouched. */
static void draws_pass_the_transition(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        ebm_buffer *plain = filled(context, 0.3);
        ebm_buffer *jumping = filled(context, 0.3);
        ebm_chains *a = chains_of(context, N), *b = chains_of(context, N);
        ebm_transition *jump = NULL;
        size_t fresh = 0;
        assert_ok(ebm_chains_set_first_stream(b, 1000));
        assert_ok(
            ebm_transition_create_preset(context, "elastic-digits", &jump));
        assert_ok(ebm_buffer_set_transition(jumping, jump));
        for (uint64_t draw = 0; draw < 4; draw++) {
            assert_ok(ebm_buffer_draw(plain, a));
            assert_ok(ebm_buffer_draw(jumping, b));
            for (size_t i = 0; i < N; i++) {
                float *x = a->states + i * IMAGE, *y = b->states + i * IMAGE;
                assert_int_equal(a->slots[i], b->slots[i]);
                assert_int_equal(a->origins[i], b->origins[i]);
                assert_true(a->ages[i] == b->ages[i]);
                assert_true(test_transitions(a, i) == 0);
                fresh += a->slots[i] == EBM_NO_SLOT;
                if (a->slots[i] == EBM_NO_SLOT) {
                    assert_true(test_transitions(b, i) == 0);
                } else {
                    /* Its purpose keeps it apart from a sampler's. */
                    ebm_transition_work work = {0};
                    ebm_transition_batch batch = {
                        x,        NULL, 1, 3, EBM_PURPOSE_DRAW_TRANSITION,
                        1000 + i, draw};
                    assert_ok(ebm_transition_prepare(&work, jump, 1, H, W, 1));
                    assert_ok(ebm_transition_run(&work, &batch));
                    ebm_transition_work_free(context, &work);
                    assert_true(test_transitions(b, i) == 1);
                }
                assert_same_bits(x, y, IMAGE);
            }
        }
        assert_true(fresh > 4 && fresh < 2 * N);
        /* Taken away: as plain ones again. */
        assert_ok(ebm_buffer_set_transition(jumping, NULL));
        assert_ok(ebm_buffer_draw(plain, a));
        assert_ok(ebm_buffer_draw(jumping, b));
        assert_same_bits(a->states, b->states, N * IMAGE);
        ebm_transition_destroy(jump);
        ebm_chains_destroy(a);
        ebm_chains_destroy(b);
        ebm_buffer_destroy(plain);
        ebm_buffer_destroy(jumping);
        ebm_context_destroy(context);
    }
}

/* The count comes back with a state; an init forgets it. */
static void counts_travel_with_states(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    test_adder a = {.add = 1};
    ebm_transition *jump = test_adding(context, &a);
    for (int policy = 0; policy <= EBM_BUFFER_WRITE_BACK; policy++) {
        ebm_buffer *buffer = NULL;
        ebm_chains *chains = chains_of(context, N);
        assert_ok(ebm_buffer_create(context, N, H, W, 1, 3, &buffer));
        assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, policy));
        assert_ok(ebm_buffer_fill_uniform(buffer, N, 0, 0));
        assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 0));
        assert_ok(ebm_buffer_set_transition(buffer, jump));
        uint64_t most = 0;
        for (int k = 1; k < 6; k++) {
            assert_ok(ebm_buffer_draw(buffer, chains));
            for (size_t i = 0; i < N; i++) {
                /* Each jump adds 1 to what was 0. */
                assert_true(chains->states[i * IMAGE] ==
                            (float)test_transitions(chains, i));
                assert_true(chains->ages[i] == 0);
                assert_int_equal(chains->origins[i], EBM_ORIGIN_NOISE);
                most = test_transitions(chains, i) > most
                           ? test_transitions(chains, i)
                           : most;
            }
            assert_ok(ebm_buffer_store(buffer, chains));
        }
        assert_true(policy == EBM_BUFFER_RESERVOIR ? most >= 2 : most == 5);
        assert_ok(ebm_chains_init_normal(chains, 0, 1));
        assert_true(test_transitions(chains, 0) == 0);
        ebm_chains_destroy(chains);
        ebm_buffer_destroy(buffer);
    }
    uint64_t count;
    ebm_chains *chains = chains_of(context, 2);
    assert_status(ebm_chains_transitions(NULL, 0, &count), EBM_ERROR_HANDLE);
    assert_status(ebm_chains_transitions(chains, 2, &count), EBM_ERROR_RANGE);
    assert_status(ebm_chains_transitions(chains, 0, NULL), EBM_ERROR_ARGUMENT);
    ebm_chains_destroy(chains);
    ebm_transition_destroy(jump);
    ebm_context_destroy(context);
}

/* References of an entropy: the same states, each moved. A draw of them that
   fails does not count: the next one is that one. */
static void references_pass_it_too(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_buffer *plain = filled(context, 0), *jumping = filled(context, 0);
    test_adder a = {.add = 0.5f};
    ebm_transition *jump = test_adding(context, &a);
    float x[3 * IMAGE], y[3 * IMAGE];
    assert_ok(ebm_buffer_set_transition(jumping, jump));
    assert_ok(ebm_buffer_reference(plain, 3, x));
    assert_ok(ebm_buffer_reference(jumping, 3, y));
    for (size_t i = 0; i < 3 * IMAGE; i++)
        assert_true(y[i] == x[i] + 0.5f);
    assert_int_equal(a.images, 3);
    a.fail_call = 2;
    assert_status(ebm_buffer_reference(jumping, 3, y), EBM_ERROR_CALLBACK);
    a.fail_call = 0;
    a.spoils = 1;
    assert_status(ebm_buffer_reference(jumping, 3, y), EBM_ERROR_NON_FINITE);
    a.spoils = 0;
    memcpy(x, y, sizeof x);
    for (size_t n = 1, failed = 1; failed; n++) {
        test_fail_at(&memory, n, 0);
        ebm_status status = ebm_buffer_reference(jumping, 3, y);
        test_fail_at(&memory, 0, 0);
        failed = status == EBM_ERROR_MEMORY;
        if (failed)
            assert_same_bits(x, y, 3 * IMAGE);
        else
            assert_ok(status);
        assert_true(n > 1 || failed);
    }
    assert_ok(ebm_buffer_reference(plain, 3, x));
    for (size_t i = 0; i < 3 * IMAGE; i++)
        assert_true(y[i] == x[i] + 0.5f);
    ebm_transition_destroy(jump);
    ebm_buffer_destroy(plain);
    ebm_buffer_destroy(jumping);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* What a callback may not do to the draw it is called by. */
typedef struct meddler {
    ebm_buffer *buffer;
    ebm_chains *chains;
    ebm_transition *transition;
    ebm_status answers[5];
    int destroys;
} meddler;

static void meddle(void *argument)
{
    meddler *m = argument;
    m->answers[0] = ebm_buffer_draw(m->buffer, m->chains);
    m->answers[1] = ebm_buffer_set_transition(m->buffer, NULL);
    m->answers[2] = ebm_chains_init_normal(m->chains, 0, 1);
    if (m->destroys) {
        ebm_buffer_destroy(m->buffer);
        ebm_chains_destroy(m->chains);
        ebm_transition_destroy(m->transition);
    }
}

static void faults_of_a_draw(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_buffer *buffer = filled(context, 0), *plain = filled(context, 0);
    ebm_chains *chains = chains_of(context, N), *same = chains_of(context, N);
    test_adder a = {.add = 1, .fail_call = 2};
    ebm_transition *jump = test_adding(context, &a), *grey = NULL;
    /* At set-up: what grey images can not be. */
    assert_ok(ebm_transition_create(context, EBM_TRANSITION_GRAYSCALE, &grey));
    assert_error(context, ebm_buffer_set_transition(buffer, grey),
                 EBM_ERROR_SHAPE, "channels");
    ebm_context *other = test_context_threads(1);
    ebm_transition *foreign = test_adding(other, &a);
    assert_status(ebm_buffer_set_transition(buffer, foreign),
                  EBM_ERROR_CONTEXT);
    assert_status(ebm_buffer_set_transition(NULL, jump), EBM_ERROR_HANDLE);
    assert_status(
        ebm_buffer_set_transition(buffer, (ebm_transition *)(void *)buffer),
        EBM_ERROR_HANDLE);
    ebm_transition_destroy(foreign);
    ebm_context_destroy(other);
    /* Settings that stopped fitting: nothing is drawn. */
    ebm_transition *crop = NULL;
    assert_ok(ebm_transition_create(context, EBM_TRANSITION_CROP, &crop));
    assert_ok(ebm_buffer_set_transition(buffer, crop));
    assert_ok(ebm_transition_set(crop, EBM_TRANSITION_AREA_MAX, 0.01));
    assert_error(context, ebm_buffer_draw(buffer, chains), EBM_ERROR_RANGE,
                 "area_min");
    /* Memory: nothing is drawn either. */
    assert_ok(ebm_buffer_set_transition(buffer, jump));
    for (size_t n = 1, failed = 1; failed; n++) {
        test_fail_at(&memory, n, 0);
        ebm_status status = ebm_buffer_draw(buffer, chains);
        test_fail_at(&memory, 0, 0);
        failed = status == EBM_ERROR_MEMORY;
        assert_true(failed ? !a.calls : status == EBM_OK);
    }
    assert_ok(ebm_buffer_draw(plain, same));
    for (size_t i = 0; i < N * IMAGE; i++)
        assert_true(chains->states[i] == same->states[i] + 1);
    /* A failing callback: drawn, and as the buffer held them, whatever came
       before it. */
    test_adder fine = {.add = 2};
    ebm_transition *parts[2] = {test_adding(context, &fine), jump};
    ebm_transition *both = NULL;
    assert_ok(ebm_transition_create_sequence(context, parts, 2, &both));
    assert_ok(ebm_buffer_set_transition(buffer, both));
    for (int k = 0; k < 2; k++) {
        a.spoils = k;
        assert_status(ebm_buffer_draw(buffer, chains),
                      k ? EBM_ERROR_NON_FINITE : EBM_ERROR_CALLBACK);
        assert_ok(ebm_buffer_draw(plain, same));
        assert_same_bits(chains->states, same->states, N * IMAGE);
        assert_true(test_transitions(chains, 0) == 0);
    }
    a.spoils = 0;
    assert_int_equal(fine.calls, 2);
    assert_ok(ebm_buffer_set_transition(buffer, jump));
    ebm_transition_destroy(parts[0]);
    ebm_transition_destroy(both);
    /* Within the draw; the second time it lets go of everything. */
    meddler m = {.buffer = buffer, .chains = chains, .transition = jump};
    a.called = meddle;
    a.argument = &m;
    for (int k = 0; k < 2; k++) {
        m.destroys = k;
        assert_ok(ebm_buffer_draw(buffer, chains));
        for (int i = 0; i < 3; i++)
            assert_int_equal(m.answers[i], EBM_ERROR_STATE);
    }
    ebm_transition_destroy(grey);
    ebm_transition_destroy(crop);
    ebm_chains_destroy(same);
    ebm_buffer_destroy(plain);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_pass_the_transition),
        cmocka_unit_test(counts_travel_with_states),
        cmocka_unit_test(references_pass_it_too),
        cmocka_unit_test(faults_of_a_draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
