/* The replay buffer: policies against a plain model of them, what travels
   with a state. Laws of the random parts stand in test_buffer_laws.c, faults
   and statistics in test_buffer_faults.c. */
#include "ebm_test.h"

#include "buffer/buffer.h"
#include "chains/chains.h"

/* States are single numbers that name them. */
static ebm_buffer *make(ebm_context *context, size_t capacity, uint64_t seed,
                        ebm_buffer_policy policy, double fresh_rate)
{
    ebm_buffer *buffer = NULL;
    assert_ok(ebm_buffer_create(context, capacity, 1, 1, 1, seed, &buffer));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, policy));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, fresh_rate));
    return buffer;
}

static ebm_chains *make_chains(ebm_context *context, size_t n)
{
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, n, 1, 1, 1, 1, &chains));
    return chains;
}

static double statistic(const ebm_buffer *buffer, ebm_buffer_statistic which)
{
    double value = NAN;
    assert_ok(ebm_buffer_get_statistic(buffer, which, &value));
    return value;
}

/* Adds n states named first, first + 1, ... */
static void add_named(ebm_buffer *buffer, size_t n, float first)
{
    float x[64];
    for (size_t i = 0; i < n; i++)
        x[i] = first + (float)i;
    assert_ok(ebm_buffer_add(buffer, x, NULL, n, EBM_ORIGIN_NOISE));
}

/* What the policies should do: a list in the order of writing. */
typedef struct model {
    float held[64];
    size_t count, capacity;
} model;

static void model_remove(model *m, size_t i)
{
    memmove(m->held + i, m->held + i + 1,
            (m->count - i - 1) * sizeof *m->held);
    m->count--;
}

static void model_push(model *m, float name)
{
    if (m->count == m->capacity)
        model_remove(m, 0);
    m->held[m->count++] = name;
}

static void model_replace(model *m, float old, float name)
{
    size_t i = 0;
    while (i < m->count && m->held[i] != old)
        i++;
    assert_true(i < m->count);
    model_remove(m, i);
    m->held[m->count++] = name;
}

static void assert_is_model(const ebm_buffer *buffer, const model *m)
{
    float x[64];
    assert_int_equal(ebm_buffer_size(buffer), m->count);
    if (!m->count)
        return;
    assert_ok(ebm_buffer_read(buffer, 0, m->count, x));
    assert_same_bits(x, m->held, m->count);
    size_t first = m->count / 2;
    assert_ok(ebm_buffer_read(buffer, first, m->count - first, x));
    assert_same_bits(x, m->held + first, m->count - first);
}

/* Draws without fresh chains, gives each chain a new name, and stores. */
static void move_and_store(ebm_buffer *buffer, ebm_chains *chains, model *m,
                           int write_back, float *name)
{
    float old[16];
    assert_ok(ebm_buffer_draw(buffer, chains));
    memcpy(old, chains->states, chains->n * sizeof *old);
    for (size_t i = 0; i < chains->n; i++)
        chains->states[i] = (*name)++;
    assert_ok(ebm_buffer_store(buffer, chains));
    for (size_t i = 0; i < chains->n; i++) {
        if (write_back)
            model_replace(m, old[i], chains->states[i]);
        else
            model_push(m, chains->states[i]);
    }
}

/* FIFO alone, then FIFO and WRITE_BACK in any order: the oldest always goes
   first, wherever it stands. */
static void test_against_model(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    static const size_t counts[] = {1, 3, 4, 9};
    uint64_t random = 3;
    for (int mixed = 0; mixed < 2; mixed++) {
        ebm_buffer *buffer = make(context, 7, 5, EBM_BUFFER_FIFO, 0);
        model m = {{0}, 0, 7};
        float name = 1;
        for (int i = 0; i < 400; i++) {
            uint64_t word = test_random_word(&random);
            size_t n = counts[word % 4];
            int back = mixed && word >> 8 & 1 && n <= m.count;
            assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY,
                                     back ? EBM_BUFFER_WRITE_BACK
                                          : EBM_BUFFER_FIFO));
            if (!m.count || (word >> 16) % 4 == 0) {
                add_named(buffer, n, name);
                for (size_t j = 0; j < n; j++)
                    model_push(&m, name++);
            } else {
                ebm_chains *chains = make_chains(context, n);
                move_and_store(buffer, chains, &m, back, &name);
                ebm_chains_destroy(chains);
            }
            assert_is_model(buffer, &m);
        }
        assert_int_equal(m.count, 7);
        assert_true(statistic(buffer, EBM_BUFFER_STAT_SEEN) == name - 1);
        ebm_buffer_destroy(buffer);
    }
    ebm_context_destroy(context);
}

/* Under WRITE_BACK, add takes free slots, then the oldest. */
static void test_write_back_add(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = make(context, 4, 5, EBM_BUFFER_WRITE_BACK, 0);
    add_named(buffer, 3, 1);
    add_named(buffer, 3, 11);
    float x[4];
    static const float expected[] = {3, 11, 12, 13};
    assert_ok(ebm_buffer_read(buffer, 0, 4, x));
    assert_same_bits(x, expected, 4);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

/* Each state goes back to its own slot; a fresh chain takes the place of the
   state in its slot. */
static void test_write_back_slots(void **state)
{
    (void)state;
    enum { HELD = 12, N = 5 };
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = make(context, 20, 5, EBM_BUFFER_WRITE_BACK, 0);
    ebm_chains *chains = make_chains(context, N);
    add_named(buffer, HELD, 0);
    for (int round = 0; round < 30; round++) {
        float before[HELD];
        memcpy(before, buffer->states, sizeof before);
        assert_ok(ebm_buffer_draw(buffer, chains));
        for (size_t i = 0; i < N; i++) {
            size_t slot = chains->slots[i];
            assert_true(slot < HELD && before[slot] == chains->states[i]);
            before[slot] = chains->states[i] += 100;
        }
        assert_ok(ebm_buffer_store(buffer, chains));
        assert_same_bits(buffer->states, before, HELD);
    }
    ebm_chains_destroy(chains);
    chains = make_chains(context, HELD);
    assert_ok(ebm_buffer_fill_uniform(buffer, HELD, 0, 1));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 1));
    float old[HELD];
    memcpy(old, buffer->states, sizeof old);
    assert_ok(ebm_buffer_draw(buffer, chains));
    assert_same_bits(buffer->states, old, HELD); /* not before the store */
    assert_ok(ebm_buffer_store(buffer, chains));
    assert_int_equal(ebm_buffer_size(buffer), HELD);
    for (size_t i = 0; i < HELD; i++)
        assert_true(buffer->states[chains->slots[i]] == chains->states[i]);
    for (size_t i = 0; i < HELD; i++)
        for (size_t j = 0; j < HELD; j++)
            assert_true(buffer->states[i] != old[j]);
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

/* Write-back is refused once the slots may hold something else. */
static void test_write_back_refusals(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = make(context, 8, 5, EBM_BUFFER_WRITE_BACK, 0);
    ebm_buffer *other = make(context, 8, 6, EBM_BUFFER_WRITE_BACK, 0);
    ebm_chains *chains = make_chains(context, 2);
    ebm_chains *more = make_chains(context, 2);
    float x[8] = {0}, before[8];
    add_named(other, 4, 50);
    for (int how = 0; how < 8; how++) {
        assert_ok(ebm_buffer_fill_uniform(buffer, 8, 0, 1));
        if (how != 0)
            assert_ok(ebm_buffer_draw(buffer, chains));
        if (how == 1)
            assert_ok(ebm_buffer_add(buffer, x, NULL, 1, EBM_ORIGIN_DATA));
        else if (how == 2)
            assert_ok(ebm_buffer_fill_normal(buffer, 8, 0, 1));
        else if (how == 3)
            assert_ok(ebm_buffer_draw(other, chains));
        else if (how == 4)
            assert_ok(ebm_chains_init_normal(chains, 0, 1));
        else if (how == 5)
            assert_ok(
                ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
        else if (how == 6) {
            assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, 0));
            assert_ok(ebm_buffer_store(buffer, chains));
        } else if (how == 7) {
            assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_POLICY, 0));
            assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 1));
            assert_ok(ebm_buffer_draw(buffer, chains));
        }
        assert_ok(
            ebm_buffer_set(buffer, EBM_BUFFER_POLICY, EBM_BUFFER_WRITE_BACK));
        memcpy(before, buffer->states, sizeof before);
        double seen = statistic(buffer, EBM_BUFFER_STAT_SEEN);
        assert_status(ebm_buffer_store(buffer, chains), EBM_ERROR_STATE);
        assert_same_bits(buffer->states, before, 8);
        assert_true(statistic(buffer, EBM_BUFFER_STAT_SEEN) == seen);
        assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_FRESH_RATE, 0));
        assert_ok(ebm_buffer_draw(buffer, chains));
        assert_ok(ebm_buffer_store(buffer, chains));
    }
    /* Two chains objects at a time, and a second store, are fine. */
    assert_ok(ebm_buffer_draw(buffer, chains));
    assert_ok(ebm_buffer_draw(buffer, more));
    assert_ok(ebm_buffer_store(buffer, chains));
    assert_ok(ebm_buffer_store(buffer, more));
    assert_ok(ebm_buffer_store(buffer, chains));
    ebm_chains_destroy(more);
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(other);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
}

/* Origin, age and label through a store and a draw. */
static void test_what_travels(void **state)
{
    (void)state;
    static const ebm_origin persisted[] = {
        EBM_ORIGIN_PERSISTED_NOISE, EBM_ORIGIN_PERSISTED_DATA,
        EBM_ORIGIN_PERSISTED_NOISE, EBM_ORIGIN_PERSISTED_DATA};
    ebm_context *context = test_context_threads(1);
    for (int origin = 0; origin < 4; origin++)
        for (uint64_t age = 0; age < 121; age += 60) {
            ebm_buffer *buffer = make(context, 1, 5, EBM_BUFFER_FIFO, 0);
            ebm_chains *chains = make_chains(context, 3);
            float x[3] = {7, 7, 7};
            int32_t labels[3] = {-3, -3, -3};
            assert_ok(
                ebm_chains_set_states(chains, x, labels, (ebm_origin)origin));
            for (size_t i = 0; i < 3; i++)
                chains->ages[i] = age;
            assert_ok(ebm_buffer_store(buffer, chains));
            assert_ok(ebm_chains_init_normal(chains, 0, 1));
            chains->diverged[1] = 5;
            assert_ok(ebm_buffer_draw(buffer, chains));
            for (size_t i = 0; i < 3; i++) {
                assert_true(chains->states[i] == 7);
                assert_int_equal(chains->labels[i], -3);
                assert_int_equal(chains->ages[i], age);
                assert_int_equal(chains->diverged[i], 0);
                assert_int_equal(chains->origins[i],
                                 age ? persisted[origin] : (ebm_origin)origin);
            }
            ebm_chains_destroy(chains);
            ebm_buffer_destroy(buffer);
        }
    ebm_context_destroy(context);
}

/* Data as the source: states and labels are the dataset's, which lives on. */
static void test_fill_data(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    static const float x[] = {10, 11, 12, 13};
    static const int32_t labels[] = {0, 1, 2, 3};
    ebm_dataset *dataset = NULL, *wide = NULL;
    ebm_buffer *buffer = make(context, 64, 5, EBM_BUFFER_FIFO, 1);
    ebm_chains *chains = make_chains(context, 16);
    assert_ok(
        ebm_dataset_create_array(context, x, labels, 4, 1, 1, 1, 3, &dataset));
    assert_ok(
        ebm_dataset_create_array(context, x, NULL, 2, 1, 2, 1, 3, &wide));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, 1));
    assert_error(context, ebm_buffer_fill_data(buffer, wide, 1),
                 EBM_ERROR_SHAPE, "[1, 2, 1]");
    assert_error(context, ebm_buffer_fill_data(buffer, dataset, 65),
                 EBM_ERROR_RANGE, "65");
    assert_status(ebm_buffer_fill_data(buffer, NULL, 1), EBM_ERROR_HANDLE);
    ebm_context *strange = test_context_threads(1);
    ebm_dataset *foreign = NULL;
    assert_ok(
        ebm_dataset_create_array(strange, x, NULL, 4, 1, 1, 1, 3, &foreign));
    assert_status(ebm_buffer_fill_data(buffer, foreign, 1), EBM_ERROR_CONTEXT);
    ebm_dataset_destroy(foreign);
    ebm_context_destroy(strange);
    assert_int_equal(ebm_buffer_size(buffer), 0);

    ebm_dataset_destroy(wide);
    size_t live = memory.live_blocks;
    assert_ok(ebm_buffer_fill_data(buffer, dataset, 64));
    assert_ok(ebm_buffer_fill_data(buffer, dataset, 64));
    assert_int_equal(memory.live_blocks, live);
    ebm_dataset_destroy(dataset);
    assert_int_equal(memory.live_blocks, live);
    int found[4] = {0};
    for (size_t i = 0; i < 64; i++) {
        assert_in_range(buffer->labels[i], 0, 3);
        assert_true(buffer->states[i] == (float)(10 + buffer->labels[i]));
        assert_int_equal(buffer->origins[i], EBM_ORIGIN_DATA);
        found[buffer->labels[i]]++;
    }
    for (size_t i = 0; i < 4; i++)
        assert_true(found[i] > 4); /* 64 draws: 16 expected */
    assert_ok(ebm_buffer_draw(buffer, chains));
    for (size_t i = 0; i < 16; i++) {
        assert_true(chains->states[i] == (float)(10 + chains->labels[i]));
        assert_int_equal(chains->origins[i], EBM_ORIGIN_DATA);
        assert_int_equal(chains->ages[i], 0);
    }
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

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
                make(context, 9, 5, (ebm_buffer_policy)policy, 0);
            ebm_chains *chains = make_chains(context, N);
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
                assert_true(statistic(buffer, EBM_BUFFER_STAT_SEEN) == seen);
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
            assert_true(statistic(buffer, EBM_BUFFER_STAT_FRESH) == 0);
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
    ebm_chains *chains = make_chains(context, HELD);
    ebm_chains *older = make_chains(context, HELD);
    for (int run = 0; run < 2; run++) {
        ebm_buffer *buffer =
            make(context, HELD, 5, EBM_BUFFER_WRITE_BACK, 0.1);
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
    ebm_buffer *buffer = make(context, 8, 5, EBM_BUFFER_FIFO, 0);
    ebm_chains *chains = make_chains(context, 2);
    float before[4];
    add_named(buffer, 4, 1);
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
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_write_back_add),
        cmocka_unit_test(test_write_back_slots),
        cmocka_unit_test(test_write_back_refusals),
        cmocka_unit_test(test_what_travels),
        cmocka_unit_test(test_fill_data),
        cmocka_unit_test(test_reset_interval),
        cmocka_unit_test(test_reset_to_data),
        cmocka_unit_test(test_reset_needs_a_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
