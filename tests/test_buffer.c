/* The replay buffer: policies against a plain model of them, what travels
   with a state. Resets stand in test_buffer_reset.c, laws of the
   random parts in test_buffer_laws.c, faults and statistics in
   test_buffer_faults.c. */
#include "buffers.h"
#include "ebm_test.h"

#include "buffer/buffer.h"
#include "chains/chains.h"

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
        ebm_buffer *buffer = test_buffer(context, 7, 5, EBM_BUFFER_FIFO, 0);
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
                test_buffer_add(buffer, n, name);
                for (size_t j = 0; j < n; j++)
                    model_push(&m, name++);
            } else {
                ebm_chains *chains = test_chains(context, n, 1);
                move_and_store(buffer, chains, &m, back, &name);
                ebm_chains_destroy(chains);
            }
            assert_is_model(buffer, &m);
        }
        assert_int_equal(m.count, 7);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_SEEN) ==
                    name - 1);
        ebm_buffer_destroy(buffer);
    }
    ebm_context_destroy(context);
}

/* Under WRITE_BACK, add takes free slots, then the oldest. */
static void test_write_back_add(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_buffer *buffer = test_buffer(context, 4, 5, EBM_BUFFER_WRITE_BACK, 0);
    test_buffer_add(buffer, 3, 1);
    test_buffer_add(buffer, 3, 11);
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
    ebm_buffer *buffer = test_buffer(context, 20, 5, EBM_BUFFER_WRITE_BACK, 0);
    ebm_chains *chains = test_chains(context, N, 1);
    test_buffer_add(buffer, HELD, 0);
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
    chains = test_chains(context, HELD, 1);
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
    ebm_buffer *buffer = test_buffer(context, 8, 5, EBM_BUFFER_WRITE_BACK, 0);
    ebm_buffer *other = test_buffer(context, 8, 6, EBM_BUFFER_WRITE_BACK, 0);
    ebm_chains *chains = test_chains(context, 2, 1);
    ebm_chains *more = test_chains(context, 2, 1);
    float x[8] = {0}, before[8];
    test_buffer_add(other, 4, 50);
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
        double seen = test_buffer_statistic(buffer, EBM_BUFFER_STAT_SEEN);
        assert_status(ebm_buffer_store(buffer, chains), EBM_ERROR_STATE);
        assert_same_bits(buffer->states, before, 8);
        assert_true(test_buffer_statistic(buffer, EBM_BUFFER_STAT_SEEN) ==
                    seen);
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
            ebm_buffer *buffer =
                test_buffer(context, 1, 5, EBM_BUFFER_FIFO, 0);
            ebm_chains *chains = test_chains(context, 3, 1);
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
    ebm_buffer *buffer = test_buffer(context, 64, 5, EBM_BUFFER_FIFO, 1);
    ebm_chains *chains = test_chains(context, 16, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_write_back_add),
        cmocka_unit_test(test_write_back_slots),
        cmocka_unit_test(test_write_back_refusals),
        cmocka_unit_test(test_what_travels),
        cmocka_unit_test(test_fill_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
