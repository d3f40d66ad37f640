/* Transitions made of others: order, laws of what is chosen, callbacks. */
#include "ebm_test.h"

#include "transition/transition.h"

enum { N = 4000 };

/* A callback that shows in each image where it was: x <- scale x + add. */
typedef struct step {
    float scale, add;
    size_t calls, images;
    int other_thread, fails, spoils;
    pthread_t thread;
    void (*called)(void *argument);
    void *argument;
} step;

static int take(float *x, const int32_t *labels, size_t n, size_t height,
                size_t width, size_t channels, const uint64_t *keys,
                void *user)
{
    step *s = user;
    (void)labels, (void)keys;
    s->calls++;
    s->images += n;
    s->other_thread |= !pthread_equal(s->thread, pthread_self());
    for (size_t i = 0; i < n * height * width * channels; i++)
        x[i] = s->scale * x[i] + s->add;
    if (s->spoils)
        x[0] = NAN;
    if (s->called)
        s->called(s->argument);
    return s->fails;
}

static step step_of(float scale, float add)
{
    return (step){.scale = scale, .add = add, .thread = pthread_self()};
}

static ebm_transition *callback(ebm_context *context, step *s)
{
    ebm_transition *transition = NULL;
    assert_ok(ebm_transition_create_callback(context, take, s, &transition));
    return transition;
}

static void set(ebm_transition *transition, ebm_transition_key key,
                double value)
{
    assert_ok(ebm_transition_set(transition, key, value));
}

static ebm_status apply(const ebm_transition *transition, float *x, size_t n,
                        uint64_t count)
{
    return ebm_transition_apply(transition, x, NULL, n, 1, 1, 1, 3, 0, count);
}

static double applied(const ebm_transition *transition)
{
    double value = NAN;
    assert_ok(ebm_transition_get_statistic(
        transition, EBM_TRANSITION_STAT_APPLIED, &value));
    return value;
}

/* Parts go in order, the same one twice if it stands there twice. */
static void sequences_keep_their_order(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(4);
    step add = step_of(1, 3), twice = step_of(2, 0);
    ebm_transition *parts[3], *sequence = NULL, *outer = NULL;
    parts[0] = parts[2] = callback(context, &add);
    parts[1] = callback(context, &twice);
    assert_ok(ebm_transition_create_sequence(context, parts, 3, &sequence));
    float x[2] = {1, 2};
    assert_ok(apply(sequence, x, 2, 0));
    assert_true(x[0] == (1 + 3) * 2 + 3 && x[1] == (2 + 3) * 2 + 3);
    assert_int_equal(add.calls, 2);
    assert_int_equal(add.images, 4);
    assert_false(add.other_thread);
    /* Nested, and after the caller gave up the parts. */
    ebm_transition *both[2] = {sequence, parts[1]};
    assert_ok(ebm_transition_create_sequence(context, both, 2, &outer));
    assert_ptr_equal(ebm_transition_part(outer, 0), sequence);
    assert_ptr_equal(ebm_transition_part(sequence, 1), parts[1]);
    ebm_transition_destroy(parts[0]);
    ebm_transition_destroy(parts[1]);
    assert_null(ebm_transition_part(sequence, 1));
    assert_ok(apply(outer, x, 1, 0));
    assert_true(x[0] == ((11 + 3) * 2 + 3) * 2);
    assert_true(applied(outer) == 1);
    assert_true(applied(sequence) == 3);
    ebm_transition_destroy(sequence);
    ebm_transition_destroy(outer);
    ebm_context_destroy(context);
}

/* How many of N images are at each of 0 .. 7. */
static void count(const float *x, double counts[8])
{
    memset(counts, 0, 8 * sizeof *counts);
    for (size_t i = 0; i < N; i++) {
        assert_true(x[i] >= 0 && x[i] <= 7);
        counts[(size_t)x[i]]++;
    }
}

/* Within 4 standard deviations of N p. */
#define assert_share(count, p) \
    assert_close(count, N *(p), 4 * sqrt(N * (p) * (1 - (p))) + 1e-9, 0)

/* Bits 1, 2, 4 with their probabilities, independently; also the same part at
   two places. */
static void probabilities_are_kept(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    step one = step_of(1, 1), two = step_of(1, 2), four = step_of(1, 4);
    ebm_transition *parts[3] = {callback(context, &one),
                                callback(context, &two), NULL};
    ebm_transition *inner = callback(context, &four), *all = NULL;
    static float x[N];
    double c[8];
    set(parts[0], EBM_TRANSITION_PROBABILITY, 0.2);
    set(parts[1], EBM_TRANSITION_PROBABILITY, 0.7);
    set(inner, EBM_TRANSITION_PROBABILITY, 0.8);
    assert_ok(ebm_transition_create_with_probability(inner, 0.5, &parts[2]));
    assert_ok(ebm_transition_create_sequence(context, parts, 3, &all));
    memset(x, 0, sizeof x);
    assert_ok(apply(all, x, N, 0));
    count(x, c);
    for (int k = 0; k < 8; k++)
        assert_share(c[k], (k & 1 ? 0.2 : 0.8) * (k & 2 ? 0.7 : 0.3) *
                               (k & 4 ? 0.4 : 0.6));
    assert_true(applied(all) == N);
    assert_true(applied(parts[0]) == c[1] + c[3] + c[5] + c[7]);
    assert_true(one.images == applied(parts[0]));
    /* The next count: independent of the first. */
    assert_ok(ebm_transition_set(all, EBM_TRANSITION_PROBABILITY, 1));
    static float y[N];
    memset(y, 0, sizeof y);
    assert_ok(apply(all, y, N, 1));
    double same = 0;
    for (size_t i = 0; i < N; i++)
        same += ((int)x[i] & 1) && ((int)y[i] & 1);
    assert_share(same, 0.04);
    /* Twice the same part. */
    ebm_transition *twins[2] = {parts[0], parts[0]}, *pair = NULL;
    assert_ok(ebm_transition_create_sequence(context, twins, 2, &pair));
    memset(x, 0, sizeof x);
    assert_ok(apply(pair, x, N, 0));
    count(x, c);
    assert_share(c[2], 0.04);
    assert_share(c[0], 0.64);
    ebm_transition_destroy(pair);
    for (int i = 0; i < 3; i++)
        ebm_transition_destroy(parts[i]);
    ebm_transition_destroy(inner);
    ebm_transition_destroy(all);
    ebm_context_destroy(context);
}

static void shares_are_kept(void **state)
{
    (void)state;
    static const double weights[2][4] = {{1, 3, 0, 4}, {2, 1, 1, 0}};
    ebm_context *context = test_context_threads(1);
    static float x[N];
    double c[8];
    for (int k = 0; k < 3; k++) {
        step steps[4];
        ebm_transition *parts[4], *choice = NULL;
        for (int i = 0; i < 4; i++) {
            steps[i] = step_of(1, (float)i);
            parts[i] = callback(context, steps + i);
        }
        assert_ok(ebm_transition_create_one_of(
            context, parts, k < 2 ? weights[k] : NULL, 4, &choice));
        memset(x, 0, sizeof x);
        assert_ok(apply(choice, x, N, 0));
        count(x, c);
        for (int i = 0; i < 4; i++) {
            double share = k == 2 ? 0.25 : weights[k][i] / (k ? 4 : 8);
            assert_share(c[i], share);
            assert_true(applied(parts[i]) == c[i]);
            ebm_transition_destroy(parts[i]);
        }
        ebm_transition_destroy(choice);
    }
    ebm_context_destroy(context);
}

/* ---- Callbacks ------------------------------------------------------------
 */

/* Keys and labels of the images that passed. */
typedef struct seen {
    size_t n;
    uint64_t keys[64];
    int32_t labels[64];
    int has_labels;
} seen;

static int look(float *x, const int32_t *labels, size_t n, size_t height,
                size_t width, size_t channels, const uint64_t *keys,
                void *user)
{
    seen *s = user;
    (void)x;
    s->has_labels = labels != NULL;
    for (size_t i = 0; i < n && s->n < 64; i++, s->n++) {
        s->keys[s->n] = keys[i];
        s->labels[s->n] = labels ? labels[i] : -1;
    }
    return height != 2 || width != 3 || channels != 1;
}

static void callbacks_are_told(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    seen whole = {0}, halves = {0};
    ebm_transition *look_whole = NULL, *look_halves = NULL;
    float x[40 * 6] = {0};
    int32_t labels[40];
    for (int i = 0; i < 40; i++)
        labels[i] = 100 + i;
    assert_ok(
        ebm_transition_create_callback(context, look, &whole, &look_whole));
    assert_ok(
        ebm_transition_create_callback(context, look, &halves, &look_halves));
    set(look_whole, EBM_TRANSITION_PROBABILITY, 0.5);
    set(look_halves, EBM_TRANSITION_PROBABILITY, 0.5);
    assert_ok(ebm_transition_apply(look_whole, x, labels, 40, 2, 3, 1, 1,
                                   ((uint64_t)1 << 44) - 40,
                                   ((uint64_t)1 << 36) - 1));
    for (size_t i = 0; i < 40; i += 20)
        assert_ok(ebm_transition_apply(look_halves, x, labels + i, 20, 2, 3, 1,
                                       1, ((uint64_t)1 << 44) - 40 + i,
                                       ((uint64_t)1 << 36) - 1));
    assert_true(whole.n > 8 && whole.n < 32);
    assert_int_equal(whole.n, halves.n);
    for (size_t i = 0; i < whole.n; i++) {
        assert_true(whole.keys[i] == halves.keys[i]);
        assert_int_equal(whole.labels[i], halves.labels[i]);
        assert_true(whole.labels[i] >= 100 && whole.labels[i] < 140);
        assert_true(!i || whole.labels[i] > whole.labels[i - 1]);
        for (size_t j = 0; j < i; j++)
            assert_true(whole.keys[i] != whole.keys[j]);
    }
    assert_true(whole.has_labels);
    whole.n = 0;
    assert_ok(ebm_transition_apply(look_whole, x, NULL, 40, 2, 3, 1, 1, 0, 0));
    assert_false(whole.has_labels);
    ebm_transition_destroy(look_whole);
    ebm_transition_destroy(look_halves);
    ebm_context_destroy(context);
}

/* A failed callback leaves everything as it was, also what parts before it
   did, and statistics. */
static void callbacks_can_fail(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    step good = step_of(2, 1), bad = step_of(1, 0);
    ebm_transition *parts[2] = {callback(context, &good),
                                callback(context, &bad)};
    ebm_transition *all = NULL;
    assert_ok(ebm_transition_create_sequence(context, parts, 2, &all));
    float x[3] = {1, 2, 3}, y[3] = {1, 2, 3};
    bad.fails = 1;
    assert_error(context, apply(all, x, 3, 0), EBM_ERROR_CALLBACK, "callback");
    assert_same_bits(x, y, 3);
    bad.fails = 0;
    bad.spoils = 1;
    assert_error(context, apply(all, x, 3, 0), EBM_ERROR_NON_FINITE,
                 "not finite");
    assert_same_bits(x, y, 3);
    assert_true(applied(all) == 0 && applied(parts[0]) == 0);
    assert_int_equal(good.calls, 2);
    ebm_transition_destroy(parts[0]);
    ebm_transition_destroy(parts[1]);
    ebm_transition_destroy(all);
    ebm_context_destroy(context);
}

/* What a callback does to what called it. */
typedef struct meddler {
    ebm_context *context;
    ebm_transition *whole, *other;
    ebm_status answer;
} meddler;

static void meddle(void *argument)
{
    meddler *m = argument;
    float x[64] = {0};
    /* Larger windows, more threads, applied within itself; then let go. */
    ebm_transition_set(m->other, EBM_TRANSITION_BLUR_KERNEL, 15);
    ebm_context_set(m->context, EBM_CONTEXT_THREADS, 4);
    m->answer = ebm_transition_apply(m->other, x, NULL, 1, 8, 8, 1, 0, 0, 0);
    ebm_transition_destroy(m->whole);
    ebm_transition_destroy(m->other);
}

static void callbacks_may_meddle(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    step s = step_of(1, 0.5f);
    meddler m = {.context = context};
    s.called = meddle;
    s.argument = &m;
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, 1));
    assert_ok(ebm_transition_create(context, EBM_TRANSITION_BLUR, &m.other));
    ebm_transition *parts[2] = {callback(context, &s), m.other};
    assert_ok(ebm_transition_create_sequence(context, parts, 2, &m.whole));
    ebm_transition_destroy(parts[0]);
    float x[64] = {0};
    assert_ok(ebm_transition_apply(m.whole, x, NULL, 1, 8, 8, 1, 0, 0, 0));
    assert_ok(m.answer);
    for (int i = 0; i < 64; i++)
        assert_close(x[i], 0.5, 1e-6, 0);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_keep_their_order),
        cmocka_unit_test(probabilities_are_kept),
        cmocka_unit_test(shares_are_kept),
        cmocka_unit_test(callbacks_are_told),
        cmocka_unit_test(callbacks_can_fail),
        cmocka_unit_test(callbacks_may_meddle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
