/* The replay buffer: laws of its random parts, and that they are pure
   functions. */
#include "buffers.h"
#include "ebm_test.h"

#include "buffer/buffer.h"
#include "chains/chains.h"

/* sum (observed - expected)^2 / variance of a cell. */
static double chi_square(const double *counts, size_t cells, double expected,
                         double variance)
{
    double sum = 0;
    for (size_t i = 0; i < cells; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / variance;
    return sum;
}

/* Every state ever stored is held with the same probability. A sample of K
   of M without replacement: the chi-square of the counts, with the variance
   p (1 - p) of a cell, times (M - 1) / M, has M - 1 degrees of freedom. */
static void test_reservoir_is_uniform(void **state)
{
    (void)state;
    enum { HELD = 10, OFFERED = 40, TRIALS = 4000, BATCH = 5 };
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = test_chains(context, BATCH, 1);
    double counts[OFFERED] = {0}, stale = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        ebm_buffer *buffer =
            test_buffer(context, HELD, trial, EBM_BUFFER_RESERVOIR, 0.5);
        /* What was there before a fill does not count any more. */
        if (trial % 2)
            assert_ok(ebm_buffer_fill_uniform(buffer, HELD, 100, 101));
        assert_ok(ebm_buffer_fill_uniform(buffer, 0, 0, 1));
        for (size_t first = 0; first < OFFERED; first += BATCH) {
            for (size_t i = 0; i < BATCH; i++)
                chains->states[i] = (float)(first + i);
            assert_ok(ebm_buffer_store(buffer, chains));
        }
        float x[HELD];
        assert_ok(ebm_buffer_read(buffer, 0, HELD, x));
        for (size_t i = 0; i < HELD; i++) {
            assert_true(x[i] >= 0 && x[i] < OFFERED);
            counts[(size_t)x[i]]++;
        }
        stale +=
            test_buffer_statistic(buffer, EBM_BUFFER_STAT_STALENESS_MEAN) /
            TRIALS;
        ebm_buffer_destroy(buffer);
    }
    double p = (double)HELD / OFFERED;
    double chi =
        chi_square(counts, OFFERED, TRIALS * p, TRIALS * p * (1 - p)) *
        (OFFERED - 1) / OFFERED;
    assert_true(chi < 72.1); /* 39 degrees of freedom, 0.1 % */
    assert_true(chi > 14.9); /* and not better than chance, 0.01 % */
    /* 8 stores, uniformly far back: (8 - 1) / 2, standard deviation of the
       mean of all trials about 2.3 / sqrt(10 * 4000). */
    assert_close(stale, 3.5, 0.05, 0);
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

/* The places that a draw takes, by chain: counts of the first chain, of the
   last, and of both together; a fresh chain takes none. */
typedef struct places {
    double first[8], last[8], pair[64];
    double firsts, lasts, pairs, repeats;
} places;

enum { SLOTS = 8, DRAWN = 5, ROUNDS = 4000 };

static void count_places(ebm_context *context, ebm_buffer_policy policy,
                         double fresh_rate, places *p)
{
    static const float x[SLOTS] = {0, 1, 2, 3, 4, 5, 6, 7};
    ebm_chains *chains = test_chains(context, DRAWN, 1);
    ebm_buffer *buffer = test_buffer(context, SLOTS, 11, policy, fresh_rate);
    assert_ok(ebm_buffer_fill_uniform(buffer, 0, 100, 101));
    assert_ok(ebm_buffer_add(buffer, x, NULL, SLOTS, EBM_ORIGIN_NOISE));
    *p = (places){.firsts = 0};
    for (int draw = 0; draw < ROUNDS; draw++) {
        assert_ok(ebm_buffer_draw(buffer, chains));
        float a = chains->states[0], b = chains->states[DRAWN - 1];
        if (a < SLOTS) {
            p->first[(size_t)a]++;
            p->firsts++;
        }
        if (b < SLOTS) {
            p->last[(size_t)b]++;
            p->lasts++;
        }
        if (a < SLOTS && b < SLOTS) {
            p->pair[(size_t)a * SLOTS + (size_t)b]++;
            p->pairs++;
        }
        for (size_t i = 0; i < DRAWN; i++)
            for (size_t j = 0; j < i; j++)
                p->repeats += chains->states[i] == chains->states[j];
    }
    ebm_buffer_destroy(buffer);
    ebm_chains_destroy(chains);
}

/* With replacement each chain takes each slot with probability 1 / 8,
   independently; without, slots differ and each is as likely. Whether a chain
   is fresh tells nothing about the slot. */
static void test_slots_are_uniform(void **state)
{
    (void)state;
    static const double rates[] = {0, 0.5};
    ebm_context *context = test_context_threads(1);
    for (int back = 0; back < 2; back++)
        for (size_t r = 0; r < TEST_COUNT(rates); r++) {
            places p;
            count_places(context, back ? EBM_BUFFER_WRITE_BACK : 0, rates[r],
                         &p);
            /* 7 degrees of freedom, 0.1 %: 24.3. */
            double even = p.firsts / SLOTS;
            assert_true(chi_square(p.first, SLOTS, even, even) < 24.3);
            even = p.lasts / SLOTS;
            assert_true(chi_square(p.last, SLOTS, even, even) < 24.3);
            even = p.pairs / (back ? SLOTS * (SLOTS - 1) : SLOTS * SLOTS);
            double chi = 0;
            for (size_t i = 0; i < SLOTS * SLOTS; i++) {
                double e = back && i % (SLOTS + 1) == 0 ? 0 : even;
                chi += (p.pair[i] - e) * (p.pair[i] - e) / even;
            }
            /* 55 or 63 degrees of freedom, 0.1 %: 93.2 or 103.4. */
            assert_true(chi < (back ? 93.2 : 103.4));
            /* 10 pairs a draw, each equal with probability 1 / 8. */
            if (back)
                assert_true(p.repeats == 0);
            else if (rates[r] == 0)
                assert_close(p.repeats / ROUNDS, 10. / SLOTS, 0.09, 0);
        }
    ebm_context_destroy(context);
}

/* A seed whose first fresh-or-not number is exactly 0, found by search: a
   rate of 0 still means never. */
static void test_never_fresh(void **state)
{
    (void)state;
    const uint64_t seed = 7921556;
    const float x = 3;
    ebm_random random = ebm_random_at(seed, EBM_PURPOSE_BUFFER_DRAW, 0, 0);
    assert_true(ebm_random_uniform(&random, 0) == 0);
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = test_buffer(context, 1, seed, EBM_BUFFER_FIFO, 0);
    ebm_chains *chains = test_chains(context, 1, 1);
    assert_ok(ebm_buffer_fill_uniform(buffer, 0, 100, 101));
    assert_ok(ebm_buffer_add(buffer, &x, NULL, 1, EBM_ORIGIN_NOISE));
    assert_ok(ebm_buffer_draw(buffer, chains));
    assert_true(chains->states[0] == x);
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

static void test_fresh_rate(void **state)
{
    (void)state;
    enum { N = 16, DRAWS = 2000 };
    static const double rates[] = {0, 0.05, 0.5, 1};
    ebm_context *context = test_context_threads(1);
    ebm_chains *chains = test_chains(context, N, 1);
    float old[N];
    for (size_t i = 0; i < N; i++)
        old[i] = -1;
    for (int policy = 0; policy < 3; policy++)
        for (size_t r = 0; r < TEST_COUNT(rates); r++) {
            ebm_buffer *buffer = test_buffer(
                context, N, 21, (ebm_buffer_policy)policy, rates[r]);
            assert_ok(ebm_buffer_fill_uniform(buffer, 0, 3, 5));
            assert_ok(ebm_buffer_add(buffer, old, NULL, N, EBM_ORIGIN_DATA));
            double fresh = 0;
            for (int draw = 0; draw < DRAWS; draw++) {
                assert_ok(ebm_buffer_draw(buffer, chains));
                for (size_t i = 0; i < N; i++) {
                    float x = chains->states[i];
                    int is_fresh = x >= 3 && x < 5;
                    assert_true(is_fresh || x == -1);
                    assert_int_equal(chains->origins[i],
                                     is_fresh ? EBM_ORIGIN_NOISE
                                              : EBM_ORIGIN_DATA);
                    fresh += is_fresh;
                }
            }
            double total = N * DRAWS;
            /* 4.5 standard deviations of a binomial; exact at 0 and 1. */
            assert_close(fresh / total, rates[r],
                         4.5 * sqrt(rates[r] * (1 - rates[r]) / total), 0);
            assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_FRESH) ==
                        fresh);
            ebm_buffer_destroy(buffer);
        }
    ebm_chains_destroy(chains);
    ebm_context_destroy(context);
}

/* Fresh states and fills have the law of the source. */
static void test_source_law(void **state)
{
    (void)state;
    enum { N = 4000 };
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = test_buffer(context, N, 31, EBM_BUFFER_FIFO, 1);
    ebm_chains *chains = test_chains(context, N, 1);
    double values[2 * N], range[2] = {-1, 3}, law[2] = {2, 0.25};
    for (int normal = 0; normal < 2; normal++) {
        if (normal)
            assert_ok(ebm_buffer_fill_normal(buffer, N, law[0], law[1]));
        else
            assert_ok(ebm_buffer_fill_uniform(buffer, N, range[0], range[1]));
        assert_ok(ebm_buffer_draw(buffer, chains));
        for (size_t i = 0; i < N; i++) {
            values[i] = buffer->states[i];
            values[N + i] = chains->states[i];
        }
        /* The two halves together: repeats between them would show too. */
        double ks = normal ? test_ks(values, 2 * N, test_cdf_normal, law)
                           : test_ks(values, 2 * N, test_cdf_uniform, range);
        assert_true(ks < 1.95);
        size_t same = 0;
        for (size_t i = 1; i < 2 * N; i++)
            same += values[i] == values[i - 1];
        assert_true(same < 50); /* floats collide now and then */
    }
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

/* A whole life: the same seed and calls give the same bits, and each draw
   follows from its number, not from what earlier draws looked like. */
static void test_pure(void **state)
{
    (void)state;
    enum { HELD = 20, N = 8 };
    ebm_context *context = test_context_threads(1);
    ebm_buffer *a, *b;
    ebm_chains *few = test_chains(context, 3, 1);
    ebm_chains *x = test_chains(context, N, 1);
    ebm_chains *y = test_chains(context, N, 1);
    for (int policy = 0; policy < 3; policy++) {
        a = test_buffer(context, HELD, 41, (ebm_buffer_policy)policy, 0.3);
        b = test_buffer(context, HELD, 41, (ebm_buffer_policy)policy, 0.3);
        assert_ok(ebm_buffer_fill_normal(a, HELD, 0, 1));
        assert_ok(ebm_buffer_fill_normal(b, HELD, 0, 1));
        assert_ok(ebm_buffer_draw(a, few)); /* 3 chains here, 8 there */
        assert_ok(ebm_buffer_draw(b, y));
        assert_ok(ebm_buffer_draw(a, x));
        assert_other_bits(x->states, y->states, N);
        assert_ok(ebm_buffer_draw(b, y));
        assert_same_bits(x->states, y->states, N);
        for (int round = 0; round < 20; round++) {
            assert_ok(ebm_buffer_draw(a, x));
            assert_ok(ebm_buffer_draw(b, y));
            for (size_t i = 0; i < N; i++)
                y->states[i] = x->states[i] += 1;
            assert_ok(ebm_buffer_store(a, x));
            assert_ok(ebm_buffer_store(b, y));
        }
        assert_same_bits(a->states, b->states, HELD);
        ebm_buffer_destroy(a);
        ebm_buffer_destroy(b);
    }
    /* Fresh rows do not depend on how many there are; seeds matter. */
    a = test_buffer(context, HELD, 41, EBM_BUFFER_FIFO, 1);
    b = test_buffer(context, HELD, 42, EBM_BUFFER_FIFO, 1);
    assert_ok(ebm_buffer_fill_normal(a, HELD, 0, 1));
    assert_ok(ebm_buffer_fill_normal(b, HELD, 0, 1));
    assert_other_bits(a->states, b->states, HELD);
    assert_ok(ebm_buffer_draw(a, x));
    ebm_buffer_destroy(b);
    b = test_buffer(context, HELD, 41, EBM_BUFFER_FIFO, 1);
    assert_ok(ebm_buffer_fill_normal(b, 0, 0, 1));
    assert_ok(ebm_buffer_draw(b, few)); /* empty, all fresh: allowed */
    assert_same_bits(few->states, x->states, 3);
    ebm_buffer_destroy(a);
    ebm_buffer_destroy(b);
    ebm_chains_destroy(y);
    ebm_chains_destroy(x);
    ebm_chains_destroy(few);
    ebm_context_destroy(context);
}

/* Reference states: uniform over those held, with replacement, a function of
   how often they were asked for, and without a trace in anything else. */
static void test_references(void **state)
{
    (void)state;
    enum { HELD = 8, COUNT = 20, ASKED = 400 };
    static const float names[HELD] = {0, 1, 2, 3, 4, 5, 6, 7};
    ebm_context *context = test_context_threads(1);
    ebm_chains *x = test_chains(context, 5, 1);
    ebm_chains *y = test_chains(context, 5, 1);
    float r[COUNT], few[3], last[COUNT];
    ebm_buffer *a = test_buffer(context, 12, 51, EBM_BUFFER_RESERVOIR, 0.5);
    ebm_buffer *b = test_buffer(context, 12, 51, EBM_BUFFER_RESERVOIR, 0.5);
    assert_error(context, ebm_buffer_reference(a, 1, r), EBM_ERROR_STATE,
                 "empty");
    assert_ok(ebm_buffer_fill_uniform(a, 0, 100, 101));
    assert_ok(ebm_buffer_fill_uniform(b, 0, 100, 101));
    assert_status(ebm_buffer_reference(a, 1, r), EBM_ERROR_STATE);
    assert_ok(ebm_buffer_add(a, names, NULL, HELD, EBM_ORIGIN_NOISE));
    assert_ok(ebm_buffer_add(b, names, NULL, HELD, EBM_ORIGIN_NOISE));
    assert_error(context, ebm_buffer_reference(a, 1, NULL), EBM_ERROR_ARGUMENT,
                 "NULL");
    assert_error(context, ebm_buffer_reference(a, 0, r), EBM_ERROR_ARGUMENT,
                 "0");

    double first[HELD] = {0}, all[HELD] = {0}, next[HELD * HELD] = {0};
    double total = 0, same = 0;
    for (int round = 0; round < ASKED; round++) {
        /* Chains of a and b go on alike though only a is asked. */
        assert_ok(ebm_buffer_draw(b, y));
        memcpy(last, r, sizeof r);
        assert_ok(ebm_buffer_reference(a, COUNT, r));
        assert_ok(ebm_buffer_draw(a, x));
        assert_same_bits(x->states, y->states, 5);
        for (size_t i = 0; i < COUNT; i++) {
            assert_true(r[i] >= 0 && r[i] < HELD);
            all[(size_t)r[i]]++;
            total++;
            if (i)
                next[(size_t)r[i - 1] * HELD + (size_t)r[i]]++;
            same += round && r[i] == last[i];
        }
        first[(size_t)r[0]]++;
    }
    assert_true(test_buffer_statistic(a, EBM_BUFFER_STAT_FRESH) ==
                test_buffer_statistic(b, EBM_BUFFER_STAT_FRESH));
    assert_true(test_buffer_statistic(a, EBM_BUFFER_STAT_SEEN) == HELD);
    /* 7 and 63 degrees of freedom, 0.1 %: 24.3 and 103.4. */
    double even = total / HELD;
    assert_true(chi_square(all, HELD, even, even) < 24.3);
    even = ASKED / (double)HELD;
    assert_true(chi_square(first, HELD, even, even) < 24.3);
    even = ASKED * (COUNT - 1) / (double)(HELD * HELD);
    assert_true(chi_square(next, HELD * HELD, even, even) < 103.4);
    /* One draw tells nothing of the next: 4.5 standard deviations. */
    assert_close(same / total, 1. / HELD, 4.5 * sqrt(0.11 / total) + 0.001, 0);

    /* b at its first: as many draws of references, the same bits, and row i
       whatever the count; refused ones did not count. */
    for (int round = 0; round < ASKED; round++)
        assert_ok(ebm_buffer_reference(b, round == ASKED - 1 ? 3 : 1, few));
    assert_same_bits(few, r, 3);
    ebm_buffer_destroy(b);
    ebm_buffer_destroy(a);
    /* Whole states, not single numbers. */
    assert_ok(ebm_buffer_create(context, 2, 1, 3, 1, 1, &a));
    assert_ok(ebm_buffer_add(a, names, NULL, 2, EBM_ORIGIN_NOISE));
    /* Held by another object, after the caller gave it up. */
    ebm_object_retain(a);
    ebm_buffer_destroy(a);
    assert_ok(ebm_buffer_reference(a, 6, r));
    for (size_t i = 0; i < 6; i++) {
        assert_true(r[3 * i] == 0 || r[3 * i] == 3);
        assert_true(r[3 * i + 1] == r[3 * i] + 1);
        assert_true(r[3 * i + 2] == r[3 * i] + 2);
    }
    ebm_object_release(a);
    ebm_chains_destroy(y);
    ebm_chains_destroy(x);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reservoir_is_uniform),
        cmocka_unit_test(test_slots_are_uniform),
        cmocka_unit_test(test_never_fresh),
        cmocka_unit_test(test_fresh_rate),
        cmocka_unit_test(test_source_law),
        cmocka_unit_test(test_pure),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
