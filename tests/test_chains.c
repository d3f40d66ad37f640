/* Chains: where they begin, their streams, their marks. */
#include "ebm_test.h"

#include <float.h>

#include "chains/chains.h"
#include "core/random.h"

enum { N = 6, SIZE = 2 * 3 * 1 };

static ebm_chains *make(ebm_context *context, size_t n, uint64_t seed)
{
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, n, 2, 3, 1, seed, &chains));
    return chains;
}

static void check_chain(const ebm_chains *chains, size_t i, ebm_origin origin,
                        uint64_t age, uint64_t diverged)
{
    ebm_origin o = EBM_ORIGIN_MAX;
    uint64_t a = 99, d = 99;
    assert_ok(ebm_chains_origin(chains, i, &o));
    assert_ok(ebm_chains_age(chains, i, &a));
    assert_ok(ebm_chains_diverged(chains, i, &d));
    assert_int_equal(o, origin);
    assert_int_equal(a, age);
    assert_int_equal(d, diverged);
}

static void test_create(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = make(context, N, 1);
    size_t height = 0, width = 0, channels = 0;
    assert_int_equal(ebm_chains_count(chains), N);
    assert_ok(ebm_chains_shape(chains, &height, &width, &channels));
    assert_int_equal(height, 2);
    assert_int_equal(width, 3);
    assert_int_equal(channels, 1);
    assert_ok(ebm_chains_shape(chains, NULL, NULL, NULL));
    assert_int_equal(ebm_chains_step_count(chains), 0);
    assert_int_equal(ebm_chains_diverged_count(chains), 0);
    for (size_t i = 0; i < N; i++) {
        check_chain(chains, i, EBM_ORIGIN_NOISE, 0, 0);
        assert_int_equal(ebm_chains_labels(chains)[i], 0);
    }
    for (size_t i = 0; i < N * SIZE; i++)
        assert_true(ebm_chains_states(chains)[i] == 0);
    ebm_chains_destroy(chains);
    ebm_chains_destroy(NULL);
    ebm_context_destroy(context);
}

static void test_create_refuses(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = NULL;
    for (size_t zero = 0; zero < 4; zero++) {
        size_t s[4] = {1, 1, 1, 1};
        s[zero] = 0;
        assert_error(
            context,
            ebm_chains_create(context, s[0], s[1], s[2], s[3], 0, &chains),
            EBM_ERROR_ARGUMENT, "0");
    }
    assert_status(
        ebm_chains_create(context, SIZE_MAX / 2, 3, 1, 1, 0, &chains),
        EBM_ERROR_OVERFLOW);
    assert_status(
        ebm_chains_create(context, 1, SIZE_MAX / 4, 1, 1, 0, &chains),
        EBM_ERROR_OVERFLOW);
    assert_error(
        context,
        ebm_chains_create(context, ((size_t)1 << 44) + 1, 1, 1, 1, 0, &chains),
        EBM_ERROR_OVERFLOW, "streams");
    assert_status(ebm_chains_create(context, 1, 1, 1, 1, 0, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_chains_create(NULL, 1, 1, 1, 1, 0, &chains),
                  EBM_ERROR_HANDLE);
    assert_null(chains);
    ebm_context_destroy(context);
}

/* Every allocation of create fails once: nothing is left, nothing written. */
static void test_create_out_of_memory(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_chains *chains = NULL;
    ebm_status status = EBM_ERROR_MEMORY;
    size_t live = memory.live_blocks, failures = 0;
    for (size_t at = 1; status == EBM_ERROR_MEMORY; at++) {
        assert_null(chains);
        assert_int_equal(memory.live_blocks, live);
        test_fail_at(&memory, at, 0);
        status = ebm_chains_create(context, N, 2, 3, 1, 0, &chains);
        failures += status == EBM_ERROR_MEMORY;
    }
    test_fail_at(&memory, 0, 0);
    assert_ok(status);
    assert_true(failures >= 7);
    ebm_context_destroy(context);
    ebm_chains_destroy(chains);
    assert_no_leaks(&memory);
}

/* Element e of chain i is element e of the generator (seed, CHAIN_INIT,
   first + i, inits). */
static void test_init_is_keyed(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = make(context, N, 77);
    const float *x = ebm_chains_states(chains);
    assert_ok(ebm_chains_set_first_stream(chains, 1000));
    for (uint64_t step = 0; step < 2; step++) {
        assert_ok(ebm_chains_init_uniform(chains, -2, 6));
        for (size_t i = 0; i < N; i++) {
            ebm_random random =
                ebm_random_at(77, EBM_PURPOSE_CHAIN_INIT, 1000 + i, step);
            for (size_t e = 0; e < SIZE; e++)
                assert_close(x[i * SIZE + e],
                             8 * ebm_random_uniform(&random, e) - 2, 1e-6, 0);
        }
    }
    assert_ok(ebm_chains_init_normal(chains, 3, 0.5));
    for (size_t i = 0; i < N; i++) {
        ebm_random random =
            ebm_random_at(77, EBM_PURPOSE_CHAIN_INIT, 1000 + i, 2);
        for (size_t e = 0; e < SIZE; e++)
            assert_close(x[i * SIZE + e],
                         3 + 0.5 * ebm_random_normal(&random, e), 1e-5, 0);
    }
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

static void test_init_law(void **state)
{
    (void)state;
    enum { CHAINS = 3000 };
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = make(context, CHAINS, 5);
    const float *x = ebm_chains_states(chains);
    double *values = test_doubles(CHAINS * SIZE);
    assert_ok(ebm_chains_init_uniform(chains, -1, 3));
    for (size_t i = 0; i < CHAINS * SIZE; i++)
        values[i] = x[i];
    double range[2] = {-1, 3}, law[2] = {2, 0.25};
    assert_true(test_ks(values, CHAINS * SIZE, test_cdf_uniform, range) <
                1.95);
    assert_true(values[0] >= -1 && values[CHAINS * SIZE - 1] < 3);
    assert_ok(ebm_chains_init_normal(chains, law[0], law[1]));
    for (size_t i = 0; i < CHAINS * SIZE; i++)
        values[i] = x[i];
    assert_true(test_ks(values, CHAINS * SIZE, test_cdf_normal, law) < 1.95);
    free(values);
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

/* The same seed gives the same bits, alone or among others. */
static void test_streams(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *all = make(context, N, 9), *part = make(context, 2, 9);
    ebm_chains *other = make(context, N, 10);
    assert_ok(ebm_chains_set_first_stream(part, 3));
    assert_ok(ebm_chains_init_normal(all, 0, 1));
    assert_ok(ebm_chains_init_normal(part, 0, 1));
    assert_ok(ebm_chains_init_normal(other, 0, 1));
    assert_same_bits(ebm_chains_states(part),
                     ebm_chains_states(all) + 3 * SIZE, 2 * SIZE);
    assert_other_bits(ebm_chains_states(all), ebm_chains_states(other),
                      N * SIZE);
    assert_ok(ebm_chains_set_first_stream(all, ((uint64_t)1 << 44) - N));
    assert_error(context,
                 ebm_chains_set_first_stream(all, ((uint64_t)1 << 44) - 1),
                 EBM_ERROR_RANGE, "6 chains");
    assert_status(ebm_chains_set_first_stream(all, UINT64_MAX),
                  EBM_ERROR_RANGE);
    assert_int_equal(all->first_stream, ((uint64_t)1 << 44) - N);
    ebm_chains_destroy(other);
    ebm_chains_destroy(part);
    ebm_chains_destroy(all);
    ebm_context_destroy(context);
}

static void test_law_refusals(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = make(context, N, 9);
    static const double uniform[][2] = {
        {1, 0},        {NAN, 1},  {0, NAN},      {-INFINITY, 1},
        {0, INFINITY}, {0, 1e39}, {-3e38, 3e38}, {-1e39, 0},
    };
    static const double normal[][2] = {
        {0, -1}, {NAN, 1}, {0, NAN}, {INFINITY, 1}, {0, INFINITY}, {0, 1e38},
    };
    assert_ok(ebm_chains_init_normal(chains, 0, 1));
    float before[N * SIZE];
    memcpy(before, ebm_chains_states(chains), sizeof before);
    for (size_t i = 0; i < TEST_COUNT(uniform); i++)
        assert_status(
            ebm_chains_init_uniform(chains, uniform[i][0], uniform[i][1]),
            EBM_ERROR_RANGE);
    for (size_t i = 0; i < TEST_COUNT(normal); i++)
        assert_status(
            ebm_chains_init_normal(chains, normal[i][0], normal[i][1]),
            EBM_ERROR_RANGE);
    assert_same_bits(ebm_chains_states(chains), before, N * SIZE);
    assert_int_equal(chains->inits, 1);
    /* The ends of the range are in it. */
    assert_ok(ebm_chains_init_uniform(chains, 4, 4));
    assert_true(ebm_chains_states(chains)[5] == 4);
    assert_ok(ebm_chains_init_normal(chains, -4, 0));
    assert_true(ebm_chains_states(chains)[5] == -4);
    assert_ok(ebm_chains_init_uniform(chains, 0, FLT_MAX));
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

static void test_set_states(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = make(context, N, 9);
    const float *states = ebm_chains_states(chains);
    float x[N * SIZE];
    int32_t labels[N] = {5, -4, 3, 2, 1, 0};
    uint64_t random = 1;
    test_fill_normal(&random, x, N * SIZE, 1);
    for (int origin = 0; origin < 4; origin++) {
        assert_ok(
            ebm_chains_set_states(chains, x, labels, (ebm_origin)origin));
        for (size_t i = 0; i < N; i++)
            check_chain(chains, i, (ebm_origin)origin, 0, 0);
    }
    assert_same_bits(states, x, N * SIZE);
    assert_memory_equal(ebm_chains_labels(chains), labels, sizeof labels);
    /* The borrowed arrays can be handed back. */
    assert_ok(ebm_chains_set_states(chains, states, ebm_chains_labels(chains),
                                    EBM_ORIGIN_DATA));
    assert_same_bits(states, x, N * SIZE);
    assert_memory_equal(ebm_chains_labels(chains), labels, sizeof labels);

    float bad[N * SIZE];
    memcpy(bad, x, sizeof bad);
    bad[2 * SIZE + 4] = NAN;
    assert_error(context,
                 ebm_chains_set_states(chains, bad, NULL, EBM_ORIGIN_NOISE),
                 EBM_ERROR_NON_FINITE, "element 4 of sample 2");
    bad[2 * SIZE + 4] = -INFINITY;
    assert_status(ebm_chains_set_states(chains, bad, NULL, EBM_ORIGIN_NOISE),
                  EBM_ERROR_NON_FINITE);
    assert_status(ebm_chains_set_states(chains, NULL, NULL, EBM_ORIGIN_NOISE),
                  EBM_ERROR_ARGUMENT);
    assert_error(context,
                 ebm_chains_set_states(chains, x, NULL, (ebm_origin)4),
                 EBM_ERROR_ARGUMENT, "origin 4");
    assert_status(ebm_chains_set_states(chains, x, NULL, (ebm_origin)-1),
                  EBM_ERROR_ARGUMENT);
    assert_same_bits(states, x, N * SIZE);
    assert_memory_equal(ebm_chains_labels(chains), labels, sizeof labels);
    check_chain(chains, 2, EBM_ORIGIN_DATA, 0, 0);

    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(ebm_chains_labels(chains)[i], 0);
    assert_ptr_equal(ebm_chains_states(chains), states);
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

/* Marks and ages, as the sampler leaves them, go with every restart; the
   count of steps stays. */
static void test_restart(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = make(context, N, 9);
    float x[N * SIZE] = {0};
    for (int how = 0; how < 3; how++) {
        chains->steps = 60;
        chains->diverged[2] = 17;
        chains->diverged[4] = 3;
        chains->labels[4] = 8;
        for (size_t i = 0; i < N; i++)
            chains->ages[i] = 60;
        assert_int_equal(ebm_chains_diverged_count(chains), 2);
        assert_int_equal(ebm_chains_first_diverged(chains), 2);
        check_chain(chains, 4, chains->origins[4], 60, 3);
        assert_error(context, ebm_chains_check_healthy(chains),
                     EBM_ERROR_DIVERGED, "chain 2");
        if (how == 0)
            assert_ok(ebm_chains_init_normal(chains, 0, 1));
        else if (how == 1)
            assert_ok(ebm_chains_init_uniform(chains, 0, 1));
        else
            assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
        for (size_t i = 0; i < N; i++) {
            check_chain(chains, i,
                        how == 2 ? EBM_ORIGIN_DATA : EBM_ORIGIN_NOISE, 0, 0);
            assert_int_equal(chains->labels[i], 0);
        }
        assert_ok(ebm_chains_check_healthy(chains));
        assert_int_equal(ebm_chains_diverged_count(chains), 0);
        assert_int_equal(ebm_chains_step_count(chains), 60);
    }
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

static void test_readers_refuse(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = make(context, N, 9);
    ebm_origin origin = EBM_ORIGIN_MAX;
    uint64_t number = 99;
    assert_error(context, ebm_chains_origin(chains, N, &origin),
                 EBM_ERROR_RANGE, "chain 6 of 6");
    assert_status(ebm_chains_age(chains, SIZE_MAX, &number), EBM_ERROR_RANGE);
    assert_status(ebm_chains_diverged(chains, N, &number), EBM_ERROR_RANGE);
    assert_status(ebm_chains_origin(chains, 0, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_chains_age(chains, 0, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_chains_diverged(chains, 0, NULL), EBM_ERROR_ARGUMENT);

    /* No chains, another handle, and one whose caller has let go. */
    ebm_object_retain(chains);
    ebm_chains_destroy(chains);
    ebm_chains *const wrong[] = {NULL, (ebm_chains *)(void *)context, chains};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        ebm_chains *c = wrong[i];
        float x[N * SIZE] = {0};
        assert_status(ebm_chains_origin(c, 0, &origin), EBM_ERROR_HANDLE);
        assert_status(ebm_chains_age(c, 0, &number), EBM_ERROR_HANDLE);
        assert_status(ebm_chains_diverged(c, 0, &number), EBM_ERROR_HANDLE);
        assert_status(ebm_chains_shape(c, NULL, NULL, NULL), EBM_ERROR_HANDLE);
        assert_status(ebm_chains_init_normal(c, 0, 1), EBM_ERROR_HANDLE);
        assert_status(ebm_chains_init_uniform(c, 0, 1), EBM_ERROR_HANDLE);
        assert_status(ebm_chains_set_first_stream(c, 0), EBM_ERROR_HANDLE);
        assert_status(ebm_chains_set_states(c, x, NULL, EBM_ORIGIN_NOISE),
                      EBM_ERROR_HANDLE);
        assert_null(ebm_chains_states(c));
        assert_null(ebm_chains_labels(c));
        assert_int_equal(ebm_chains_count(c), 0);
        assert_int_equal(ebm_chains_step_count(c), 0);
        assert_int_equal(ebm_chains_diverged_count(c), 0);
    }
    assert_int_equal(origin, EBM_ORIGIN_MAX);
    assert_int_equal(number, 99);
    ebm_object_release(chains);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_refuses),
        cmocka_unit_test(test_create_out_of_memory),
        cmocka_unit_test(test_init_is_keyed),
        cmocka_unit_test(test_init_law),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_law_refusals),
        cmocka_unit_test(test_set_states),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_readers_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
