/* The replay buffer: states that begin anew after some draws. */
#include "buffers.h"
#include "ebm_test.h"

#include "buffer/buffer.h"
#include "chains/chains.h"

/* Names all states from `first` on, and ages them: no draw from a source does
   either. */
static void mark_all(ebm_buffer *buffer, float first)
{
    for (size_t i = 0; i < buffer->count; i++) {
        buffer->states[i] = first + (float)i;
        buffer->ages[i] = 60;
    }
}

/* With an interval of N exactly the draws k N + 1, k from 1 on, find a buffer
   that was filled anew, whatever comes between. */
static void test_reset_interval(void **state)
{
    (void)state;
    enum { HELD = 6, N = 3, DRAWS = 25 };
    ebm_context *context = test_context_threads(1);
    for (int policy = 0; policy < 3; policy++)
        for (size_t interval = 0; interval < 5; interval++) {
            ebm_buffer *buffer =
                test_buffer(context, 9, 5, (ebm_buffer_policy)policy, 0);
            ebm_chains *chains = test_chains(context, N, 1);
            ebm_chains *wide = NULL;
            assert_ok(ebm_chains_create(context, N, 1, 2, 1, 1, &wide));
            assert_ok(ebm_buffer_fill_uniform(buffer, HELD, 0, 1));
            assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_RESET_INTERVAL,
                                     (double)interval));
            double seen = HELD;
            for (size_t number = 1; number <= DRAWS; number++) {
                mark_all(buffer, 100);
                /* A draw that is refused has no number. */
                assert_status(ebm_buffer_draw(buffer, wide), EBM_ERROR_SHAPE);
                size_t held = ebm_buffer_size(buffer);
                assert_ok(ebm_buffer_draw(buffer, chains));
                int reset =
                    number > 1 && interval && (number - 1) % interval == 0;
                seen += reset ? (double)held : 0;
                assert_int_equal(ebm_buffer_size(buffer), held);
                assert_true(test_buffer_statistic(
                                buffer, EBM_BUFFER_STAT_SEEN) == seen);
                for (size_t i = 0; i < held; i++) {
                    float x = buffer->states[i];
                    assert_true(reset ? x >= 0 && x < 1 : x >= 100);
                    assert_int_equal(buffer->ages[i], reset ? 0 : 60);
                }
                for (size_t i = 0; i < N; i++) {
                    float x = chains->states[i];
                    assert_true(reset ? x >= 0 && x < 1 : x >= 100);
                    assert_int_equal(chains->ages[i], reset ? 0 : 60);
                    assert_int_equal(chains->origins[i],
                                     reset ? EBM_ORIGIN_NOISE
                                           : EBM_ORIGIN_PERSISTED_NOISE);
                }
                if (number % 2) {
                    assert_ok(ebm_buffer_store(buffer, chains));
                    seen += N;
                }
            }
            assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_FRESH) ==
                        0);
            ebm_chains_destroy(wide);
            ebm_chains_destroy(chains);
            ebm_buffer_destroy(buffer);
        }
    ebm_context_destroy(context);
}

/* Persistent chains on data: each reset gives other samples of the dataset,
   the same in every run, and what was drawn before can not come back. */
static void test_reset_to_data(void **state)
{
    (void)state;
    enum { HELD = 16, SAMPLES = 50 };
    ebm_context *context = test_context_threads(1);
    float x[SAMPLES], held[4][HELD];
    int32_t labels[SAMPLES];
    ebm_dataset *dataset = NULL;
    for (int i = 0; i < SAMPLES; i++) {
        x[i] = (float)(10 + i);
        labels[i] = i;
    }
    assert_ok(ebm_dataset_create_array(context, x, labels, SAMPLES, 1, 1, 1, 3,
                                       &dataset));
    ebm_chains *chains = test_chains(context, HELD, 1);
    ebm_chains *older = test_chains(context, HELD, 1);
    for (int run = 0; run < 2; run++) {
        ebm_buffer *buffer =
            test_buffer(context, HELD, 5, EBM_BUFFER_WRITE_BACK, 0.1);
        assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_RESET_INTERVAL, 2));
        assert_ok(ebm_buffer_fill_data(buffer, dataset, HELD));
        for (int round = 0; round < 2; round++) {
            assert_ok(ebm_buffer_draw(buffer, chains));
            for (size_t i = 0; i < HELD; i++)
                chains->states[i] += 1000;
            for (size_t i = 0; i < HELD; i++)
                chains->ages[i] += 10;
            assert_ok(ebm_buffer_store(buffer, chains));
            assert_ok(ebm_buffer_draw(buffer, older));
            for (size_t i = 0; i < HELD; i++)
                assert_true(older->ages[i] == 10
                                ? older->states[i] > 1000 &&
                                      older->origins[i] ==
                                          EBM_ORIGIN_PERSISTED_DATA
                                : older->ages[i] == 0);
            assert_ok(ebm_buffer_draw(buffer, chains));
            for (size_t i = 0; i < HELD; i++) {
                assert_true(chains->states[i] ==
                            (float)(10 + chains->labels[i]));
                assert_int_equal(chains->origins[i], EBM_ORIGIN_DATA);
                assert_int_equal(chains->ages[i], 0);
            }
            memcpy(held[2 * run + round], buffer->states, sizeof *held);
            assert_status(ebm_buffer_store(buffer, older), EBM_ERROR_STATE);
            assert_ok(ebm_buffer_store(buffer, chains));
            assert_ok(ebm_buffer_draw(buffer, chains));
        }
        ebm_buffer_destroy(buffer);
    }
    assert_other_bits(held[0], held[1], HELD);
    assert_same_bits(held[0], held[2], HELD);
    assert_same_bits(held[1], held[3], HELD);
    ebm_chains_destroy(older);
    ebm_chains_destroy(chains);
    ebm_dataset_destroy(dataset);
    ebm_context_destroy(context);
}

/* Without a source there is nothing to begin anew from: a status when it is
   due, not before, and nothing moves. */
static void test_reset_needs_a_source(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = test_buffer(context, 8, 5, EBM_BUFFER_FIFO, 0);
    ebm_chains *chains = test_chains(context, 2, 1);
    float before[4];
    test_buffer_add(buffer, 4, 1);
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_RESET_INTERVAL, 2));
    assert_ok(ebm_buffer_draw(buffer, chains));
    assert_ok(ebm_buffer_draw(buffer, chains));
    memcpy(before, chains->states, 2 * sizeof *before);
    for (int again = 0; again < 2; again++) {
        assert_error(context, ebm_buffer_draw(buffer, chains), EBM_ERROR_STATE,
                     "reset is due after 2 draws");
        assert_same_bits(chains->states, before, 2);
        assert_int_equal(ebm_buffer_size(buffer), 4);
    }
    /* Due or not, what can not be drawn resets nothing. */
    assert_ok(ebm_buffer_fill_uniform(buffer, 1, 0, 1));
    mark_all(buffer, 100);
    assert_ok(
        ebm_buffer_set(buffer, EBM_BUFFER_POLICY, EBM_BUFFER_WRITE_BACK));
    assert_status(ebm_buffer_draw(buffer, chains), EBM_ERROR_RANGE);
    assert_true(buffer->states[0] == 100);
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, EBM_BUFFER_FIFO));
    assert_ok(ebm_buffer_draw(buffer, chains));
    assert_true(chains->states[0] < 1 && chains->states[1] < 1);
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_interval),
        cmocka_unit_test(test_reset_to_data),
        cmocka_unit_test(test_reset_needs_a_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
