/* Transitions depend on seed, stream and count alone: not on threads, not on
   how a batch is cut, not on who else applies them. */
#include "ebm_test.h"

enum { N = 13, H = 9, W = 8, C = 3, IMAGE = H * W * C, SIZE = N * IMAGE };

static ebm_transition *make(ebm_context *context, ebm_transition_kind kind)
{
    ebm_transition *transition = NULL;
    assert_ok(ebm_transition_create(context, kind, &transition));
    return transition;
}

static void set(ebm_transition *transition, ebm_transition_key key,
                double value)
{
    assert_ok(ebm_transition_set(transition, key, value));
}

static void fill(float *x, size_t n)
{
    uint64_t random = 9;
    test_fill_uniform(&random, x, n, -1, 1);
}

/* What the caller's own does: adds a number that the key gives. */
static int add_key(float *x, const int32_t *labels, size_t n, size_t height,
                   size_t width, size_t channels, const uint64_t *keys,
                   void *user)
{
    size_t size = height * width * channels;
    (void)user;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < size; j++)
            x[i * size + j] +=
                (float)(keys[i] >> 40) * 0x1p-26f + (float)labels[i];
    return 0;
}

/* All kinds, with all that is drawn for the tree. */
static ebm_transition *make_all(ebm_context *context)
{
    ebm_transition *parts[5], *inner[2], *all = NULL;
    assert_ok(ebm_transition_create_simclr(context, 1, &parts[0]));
    parts[1] = make(context, EBM_TRANSITION_ELASTIC);
    inner[0] = make(context, EBM_TRANSITION_RESCALE);
    inner[1] = make(context, EBM_TRANSITION_NOISE);
    assert_ok(
        ebm_transition_create_one_of(context, inner, NULL, 2, &parts[2]));
    assert_ok(
        ebm_transition_create_with_probability(inner[0], 0.5, &parts[3]));
    assert_ok(
        ebm_transition_create_callback(context, add_key, NULL, &parts[4]));
    set(parts[4], EBM_TRANSITION_PROBABILITY, 0.5);
    assert_ok(ebm_transition_create_sequence(context, parts, 5, &all));
    for (size_t i = 0; i < 5; i++)
        ebm_transition_destroy(parts[i]);
    ebm_transition_destroy(inner[0]);
    ebm_transition_destroy(inner[1]);
    return all;
}

static void bits_depend_on_nothing_else(void **state)
{
    (void)state;
    int32_t labels[N];
    float x[SIZE], y[SIZE], z[SIZE];
    for (size_t i = 0; i < N; i++)
        labels[i] = (int32_t)i;
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        ebm_transition *all = make_all(context);
        fill(z, SIZE);
        assert_ok(ebm_transition_apply(all, z, labels, N, H, W, C, 7, 100, 5));
        if (threads == 1)
            memcpy(y, z, sizeof y);
        assert_same_bits(z, y, SIZE);
        /* One image, two, three, the rest: as in one batch. */
        fill(x, SIZE);
        for (size_t i = 0, n = 1; i < N; i += n, n = n == 3 ? N - i : n + 1)
            assert_ok(ebm_transition_apply(all, x + i * IMAGE, labels + i, n,
                                           H, W, C, 7, 100 + i, 5));
        assert_same_bits(x, y, SIZE);
        /* Another seed, stream, count: another result for every image. */
        for (uint64_t k = 0; k < 3; k++) {
            fill(z, SIZE);
            assert_ok(ebm_transition_apply(all, z, labels, N, H, W, C,
                                           7 + (k == 0), 100 + 50 * (k == 1),
                                           5 + (k == 2)));
            for (size_t i = 0; i < N; i++)
                assert_other_bits(z + i * IMAGE, y + i * IMAGE, IMAGE);
        }
        ebm_transition_destroy(all);
        ebm_context_destroy(context);
    }
}

/* One transition in the hands of several threads. */
typedef struct hand {
    const ebm_transition *transition;
    const int32_t *labels;
    float *x;
    ebm_status status;
} hand;

static void *apply_often(void *argument)
{
    hand *h = argument;
    for (uint64_t count = 0; count < 20 && h->status == EBM_OK; count++)
        h->status = ebm_transition_apply(h->transition, h->x, h->labels, N, H,
                                         W, C, 7, 0, count);
    return NULL;
}

static void threads_may_share_one(void **state)
{
    (void)state;
    enum { HANDS = 3 };
    ebm_context *context = test_context_threads(2);
    ebm_transition *all = make_all(context);
    int32_t labels[N] = {0};
    hand hands[HANDS];
    pthread_t threads[HANDS];
    for (size_t i = 0; i < HANDS; i++) {
        hands[i] = (hand){all, labels, test_floats(SIZE), EBM_OK};
        fill(hands[i].x, SIZE);
        assert_int_equal(
            pthread_create(&threads[i], NULL, apply_often, &hands[i]), 0);
    }
    for (size_t i = 0; i < HANDS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < HANDS; i++) {
        assert_ok(hands[i].status);
        assert_same_bits(hands[i].x, hands[0].x, SIZE);
    }
    double applied = NAN;
    assert_ok(ebm_transition_get_statistic(all, EBM_TRANSITION_STAT_APPLIED,
                                           &applied));
    assert_true(applied == HANDS * 20 * N);
    for (size_t i = 0; i < HANDS; i++)
        free(hands[i].x);
    ebm_transition_destroy(all);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_depend_on_nothing_else),
        cmocka_unit_test(threads_may_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
