/* The replay buffer: statistics, what it refuses, and its memory. */
#include "buffers.h"
#include "ebm_test.h"

#include "buffer/buffer.h"
#include "chains/chains.h"

/* Ages and staleness where they can be said in closed form. */
static void test_statistics(void **state)
{
    (void)state;
    enum { N = 4, STEPS = 60 };
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = test_chains(context, N, 1);
    /* Persistent chains: all as old as the run, none out of date. */
    ebm_buffer *buffer = test_buffer(context, N, 5, EBM_BUFFER_WRITE_BACK, 0);
    for (int s = EBM_BUFFER_STAT_SIZE; s <= EBM_BUFFER_STAT_STALENESS_MAX; s++)
        assert_true(test_buffer_statistic(buffer, (ebm_buffer_statistic)s) ==
                    0);
    assert_ok(ebm_buffer_fill_normal(buffer, N, 0, 1));
    for (int k = 1; k <= 5; k++) {
        assert_ok(ebm_buffer_draw(buffer, chains));
        for (size_t i = 0; i < N; i++)
            chains->ages[i] += STEPS;
        assert_ok(ebm_buffer_store(buffer, chains));
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_AGE_MEAN) ==
                    k * STEPS);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_AGE_MIN) ==
                    k * STEPS);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_AGE_MAX) ==
                    k * STEPS);
        assert_true(
            test_buffer_statistic(buffer, EBM_BUFFER_STAT_STALENESS_MAX) == 0);
    }
    ebm_buffer_destroy(buffer);
    /* FIFO of 3 N, the k-th store of age k: ages k - 2 .. k, mean k - 1. */
    buffer = test_buffer(context, 3 * N, 5, EBM_BUFFER_FIFO, 1);
    assert_ok(ebm_buffer_fill_normal(buffer, 3 * N, 0, 1));
    for (int k = 1; k <= 9; k++) {
        assert_ok(ebm_buffer_draw(buffer, chains));
        for (size_t i = 0; i < N; i++)
            chains->ages[i] = (uint64_t)k;
        assert_ok(ebm_buffer_store(buffer, chains));
        double mean = k < 3 ? (k == 1 ? 1. / 3 : 1) : k - 1;
        /* Filled before the first store: k stores out of date. */
        double most = k < 3 ? k : 2;
        double stale = k == 1 ? 2. / 3 : 1;
        assert_close(test_buffer_statistic(buffer, EBM_BUFFER_STAT_AGE_MEAN),
                     mean, 0, 1e-15);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_AGE_MIN) ==
                    (k < 3 ? 0 : k - 2));
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_AGE_MAX) ==
                    k);
        assert_close(
            test_buffer_statistic(buffer, EBM_BUFFER_STAT_STALENESS_MEAN),
            stale, 0, 1e-15);
        assert_true(test_buffer_statistic(
                        buffer, EBM_BUFFER_STAT_STALENESS_MAX) == most);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_FRESH) ==
                    k * N);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_SEEN) ==
                    3 * N + k * N);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_SIZE) ==
                    3 * N);
    }
    ebm_buffer_destroy(buffer);
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

static void test_refusals(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_context *strange = test_context_threads(1);
    ebm_buffer *buffer = test_buffer(context, 4, 1, EBM_BUFFER_FIFO, 0.05);
    ebm_chains *chains = test_chains(context, 2, 1);
    ebm_chains *wide = test_chains(context, 2, 3);
    ebm_chains *foreign = test_chains(strange, 2, 1);
    float x[4] = {1, 2, 3, 4}, bad[2] = {1, NAN}, before[2];
    double value = -1;
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    memcpy(before, chains->states, sizeof before);
    /* Nothing to draw from. */
    assert_error(context, ebm_buffer_draw(buffer, chains), EBM_ERROR_STATE,
                 "source");
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 0));
    assert_error(context, ebm_buffer_draw(buffer, chains), EBM_ERROR_STATE,
                 "empty");
    assert_ok(ebm_buffer_fill_uniform(buffer, 0, 0, 1));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 0.9));
    assert_status(ebm_buffer_draw(buffer, chains), EBM_ERROR_STATE);
    assert_ok(ebm_buffer_add(buffer, x, NULL, 1, EBM_ORIGIN_NOISE));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, 2));
    assert_error(context, ebm_buffer_draw(buffer, chains), EBM_ERROR_RANGE,
                 "2 chains");
    assert_error(context, ebm_buffer_draw(buffer, wide), EBM_ERROR_SHAPE,
                 "[1, 3, 1]");
    assert_status(ebm_buffer_draw(buffer, foreign), EBM_ERROR_CONTEXT);
    assert_status(ebm_buffer_draw(buffer, NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_buffer_draw(NULL, chains), EBM_ERROR_HANDLE);
    assert_same_bits(chains->states, before, 2);
    assert_null(chains->buffer);
    assert_int_equal(buffer->draws, 0);
    assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_FRESH) == 0);
    /* Store. */
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, 0));
    chains->diverged[1] = 9;
    assert_error(context, ebm_buffer_store(buffer, chains), EBM_ERROR_DIVERGED,
                 "chain 1");
    chains->diverged[1] = 0;
    assert_status(ebm_buffer_store(buffer, wide), EBM_ERROR_SHAPE);
    assert_status(ebm_buffer_store(buffer, foreign), EBM_ERROR_CONTEXT);
    assert_status(ebm_buffer_store(buffer, NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_buffer_store(NULL, chains), EBM_ERROR_HANDLE);
    /* Add and fill. */
    assert_status(ebm_buffer_add(buffer, NULL, NULL, 1, 0),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_add(buffer, x, NULL, 0, 0), EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_add(buffer, x, NULL, 1, (ebm_origin)4),
                  EBM_ERROR_ARGUMENT);
    assert_error(context, ebm_buffer_add(buffer, bad, NULL, 2, 0),
                 EBM_ERROR_NON_FINITE, "sample 1");
    assert_error(context, ebm_buffer_fill_uniform(buffer, 5, 0, 1),
                 EBM_ERROR_RANGE, "5 states");
    assert_status(ebm_buffer_fill_uniform(buffer, 1, 1, 0), EBM_ERROR_RANGE);
    assert_status(ebm_buffer_fill_uniform(buffer, 1, NAN, 0), EBM_ERROR_RANGE);
    assert_status(ebm_buffer_fill_normal(buffer, 1, 0, -1), EBM_ERROR_RANGE);
    assert_status(ebm_buffer_fill_normal(buffer, 1, INFINITY, 1),
                  EBM_ERROR_RANGE);
    assert_status(ebm_buffer_fill_normal(buffer, 5, 0, 1), EBM_ERROR_RANGE);
    assert_status(ebm_buffer_fill_normal(NULL, 1, 0, 1), EBM_ERROR_HANDLE);
    assert_status(ebm_buffer_fill_uniform(NULL, 1, 0, 1), EBM_ERROR_HANDLE);
    assert_int_equal(ebm_buffer_size(buffer), 1);
    assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_SEEN) == 1);
    /* Read, settings, statistics. */
    assert_status(ebm_buffer_read(buffer, 0, 2, x), EBM_ERROR_RANGE);
    assert_status(ebm_buffer_read(buffer, 2, SIZE_MAX, x), EBM_ERROR_RANGE);
    assert_status(ebm_buffer_read(buffer, 1, SIZE_MAX, x), EBM_ERROR_RANGE);
    assert_status(ebm_buffer_read(buffer, 0, 1, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_read(NULL, 0, 1, x), EBM_ERROR_HANDLE);
    assert_status(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, 3),
                  EBM_ERROR_RANGE);
    assert_status(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, 0.5),
                  EBM_ERROR_RANGE);
    assert_status(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 1.01),
                  EBM_ERROR_RANGE);
    assert_status(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, NAN),
                  EBM_ERROR_RANGE);
    assert_status(ebm_buffer_set(buffer, (ebm_buffer_key)3, 0),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_get(buffer, EBM_BUFFER_POLICY, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_ok(ebm_buffer_get(buffer, EBM_BUFFER_FRESH_RATE, &value));
    assert_true(value == 0.9);
    assert_ok(ebm_buffer_option(EBM_BUFFER_FRESH_RATE, NULL, NULL, NULL, NULL,
                                &value));
    assert_true(value == 0.05);
    assert_status(
        ebm_buffer_get_statistic(buffer, (ebm_buffer_statistic)8, &value),
        EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_get_statistic(buffer, 0, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_get_statistic(NULL, 0, &value), EBM_ERROR_HANDLE);
    assert_int_equal(ebm_buffer_size(NULL), 0);
    ebm_chains_destroy(foreign);
    ebm_chains_destroy(wide);
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(strange);
    ebm_context_destroy(context);
}

/* All memory comes at creation, in any order all of it goes, and a failed
   creation leaves nothing. */
static void test_memory_use(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_buffer *buffer = NULL;
    ebm_status status = EBM_ERROR_MEMORY;
    size_t live = memory.live_blocks, failures = 0;
    for (size_t at = 1; status == EBM_ERROR_MEMORY; at++) {
        assert_null(buffer);
        assert_int_equal(memory.live_blocks, live);
        test_fail_at(&memory, at, 0);
        status = ebm_buffer_create(context, 9, 1, 1, 1, 0, &buffer);
        failures += status == EBM_ERROR_MEMORY;
    }
    test_fail_at(&memory, 0, 0);
    assert_ok(status);
    assert_true(failures >= 9);
    assert_status(ebm_buffer_create(context, 0, 1, 1, 1, 0, &buffer),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_create(context, 1, 1, 0, 1, 0, &buffer),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_buffer_create(context, 1, 1, 1, 1, 0, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(
        ebm_buffer_create(context, SIZE_MAX / 2, 3, 1, 1, 0, &buffer),
        EBM_ERROR_OVERFLOW);
    assert_status(ebm_buffer_create(NULL, 1, 1, 1, 1, 0, &buffer),
                  EBM_ERROR_HANDLE);
    ebm_chains *chains = test_chains(context, 5, 1);
    size_t allocations = memory.allocations;
    test_fail_at(&memory, 1, 1);
    for (int policy = 0; policy < 3; policy++) {
        float x[9] = {0};
        assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, policy));
        assert_ok(ebm_buffer_fill_normal(buffer, 9, 0, 1));
        assert_ok(ebm_buffer_add(buffer, x, NULL, 2, EBM_ORIGIN_NOISE));
        assert_ok(ebm_buffer_draw(buffer, chains));
        assert_ok(ebm_buffer_store(buffer, chains));
        assert_ok(ebm_buffer_read(buffer, 0, 9, x));
    }
    assert_int_equal(memory.allocations, allocations);
    /* The chains remember the buffer beyond its caller's hold. */
    ebm_buffer_destroy(buffer);
    assert_status(ebm_buffer_draw(buffer, chains), EBM_ERROR_HANDLE);
    assert_int_equal(ebm_buffer_size(buffer), 0);
    size_t with_buffer = memory.live_blocks;
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    assert_true(memory.live_blocks < with_buffer);
    ebm_context_destroy(context);
    ebm_chains_destroy(chains);
    assert_no_leaks(&memory);
}

static void test_sizes_of_added_states(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = NULL;
    const float x[8] = {0};
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 8 + 1,
                            SIZE_MAX / 32 + 1};
    assert_ok(ebm_buffer_create(context, 3, 2, 2, 2, 1, &buffer));
    for (size_t i = 0; i < TEST_COUNT(sizes); i++)
        assert_status(
            ebm_buffer_add(buffer, x, NULL, sizes[i], EBM_ORIGIN_NOISE),
            EBM_ERROR_OVERFLOW);
    assert_int_equal(ebm_buffer_size(buffer), 0);
    assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_SEEN) == 0);
    assert_ok(ebm_buffer_add(buffer, x, NULL, 1, EBM_ORIGIN_NOISE));
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_sizes_of_added_states),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
