/* Compositions: what is refused, memory that runs out, and handles that go in
   any order. */
#include "ebm_test.h"
#include "parts.h"

enum { SIZE = TEST_PART_SIZE, N = 5 };
static ebm_model *const NOTHING = (ebm_model *)(uintptr_t)64;

/* ---- Creation ---------------------------------------------------------- */

#define assert_refused(call, status, word)                         \
    do {                                                           \
        assert_error(context, (call), EBM_ERROR_##status, (word)); \
        assert_ptr_equal(m, NOTHING);                              \
    } while (0)

typedef ebm_status (*creator)(ebm_model *const *parts, const double *weights,
                              size_t count, ebm_model **model);

static void check_joint(creator create, int is_sum)
{
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_context *strange = test_context_threads(1);
    ebm_model *m = NOTHING, *dead = test_part_points(context, SIZE);
    ebm_model *parts[65], *good = test_part_points(context, SIZE);
    ebm_model *wide = test_part_points(context, SIZE + 1);
    ebm_model *other = test_part_points(strange, SIZE);
    ebm_model *two = test_part_network(context, 1, 2),
              *three = test_part_network(context, 1, 3);
    double weights[65];
    size_t before = memory.live_blocks;
    for (size_t k = 0; k < 65; k++) {
        parts[k] = good;
        weights[k] = 1;
    }
    assert_refused(create(parts, NULL, 65, &m), ARGUMENT, "65 parts");
    assert_refused(create(parts, NULL, SIZE_MAX, &m), ARGUMENT, "parts");
    assert_error(context, create(parts, NULL, 2, NULL), EBM_ERROR_ARGUMENT,
                 "model");
    assert_status(create(NULL, NULL, 2, &m), EBM_ERROR_ARGUMENT);
    assert_status(create(parts, NULL, 0, &m), EBM_ERROR_ARGUMENT);
    static const double bad[] = {NAN, INFINITY, 0, -INFINITY};
    for (size_t i = 0; i < 4; i++) {
        weights[1] = bad[i];
        assert_refused(create(parts, weights, 3, &m), RANGE, "weight 1");
    }
    weights[1] = -1;
    if (is_sum) {
        assert_ok(create(parts, weights, 3, &m));
        ebm_model_destroy(m);
        m = NOTHING;
    } else {
        assert_refused(create(parts, weights, 3, &m), RANGE, "weight 1");
    }
    parts[1] = wide;
    assert_refused(create(parts, NULL, 2, &m), SHAPE, "part 1");
    parts[1] = other;
    assert_refused(create(parts, NULL, 2, &m), CONTEXT, "context");
    parts[1] = (ebm_model *)context;
    assert_status(create(parts, NULL, 2, &m), EBM_ERROR_HANDLE);
    parts[1] = NULL;
    assert_refused(create(parts, NULL, 2, &m), HANDLE, "part 1");
    parts[0] = NULL;
    assert_status(create(parts, NULL, 1, &m), EBM_ERROR_HANDLE);
    parts[0] = two;
    parts[1] = good;
    parts[2] = three;
    assert_refused(create(parts, NULL, 3, &m), ARGUMENT, "part 2 has 3");
    assert_ptr_equal(m, NOTHING);
    assert_int_equal(memory.live_blocks, before);
    for (size_t k = 0; k < 64; k++)
        parts[k] = good;
    assert_ok(create(parts, NULL, 64, &m));
    assert_int_equal(ebm_model_part_count(m), is_sum ? 64 : 1);
    /* Nested, it is 65 members each time. */
    ebm_model *deep = NOTHING;
    for (size_t k = 0; k < 64; k++)
        parts[k] = m;
    assert_error(context, create(parts, NULL, 8, &deep), EBM_ERROR_RANGE,
                 "nested");
    assert_ptr_equal(deep, NOTHING);
    assert_ok(create(parts, NULL, 7, &deep));
    ebm_model_destroy(deep);
    ebm_model_destroy(m);
    ebm_model_destroy(dead);
    ebm_model_destroy(good);
    ebm_model_destroy(wide);
    ebm_model_destroy(other);
    ebm_model_destroy(two);
    ebm_model_destroy(three);
    ebm_context_destroy(strange);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void test_joint_creation(void **state)
{
    (void)state;
    check_joint(ebm_model_create_sum, 1);
    check_joint(ebm_model_create_mixture, 0);
}

static void test_single_creation(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_model *m = NOTHING, *part = test_part_points(context, SIZE);
    static const double bad[] = {0, -1, NAN, INFINITY, 1e-310};
    assert_status(ebm_model_create_negated(NULL, &m), EBM_ERROR_HANDLE);
    assert_status(ebm_model_create_tempered(NULL, 1, &m), EBM_ERROR_HANDLE);
    assert_status(ebm_model_create_downsampled(NULL, 2, &m), EBM_ERROR_HANDLE);
    assert_status(ebm_model_create_negated(part, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_model_create_tempered(part, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_model_create_downsampled(part, 2, NULL),
                  EBM_ERROR_ARGUMENT);
    for (size_t i = 0; i < 5; i++)
        assert_refused(ebm_model_create_tempered(part, bad[i], &m), RANGE,
                       "temperature");
    assert_refused(ebm_model_create_downsampled(part, 0, &m), RANGE, "0");
    assert_refused(ebm_model_create_downsampled(part, 65, &m), RANGE, "65");
    /* Views of views until there is no room for a sample. */
    ebm_status status = EBM_OK;
    while (status == EBM_OK) {
        ebm_model *next = NOTHING;
        status = ebm_model_create_downsampled(part, 64, &next);
        if (status == EBM_OK) {
            ebm_model_destroy(part);
            part = next;
        } else {
            assert_ptr_equal(next, NOTHING);
        }
    }
    assert_status(status, EBM_ERROR_OVERFLOW);
    ebm_model_destroy(part);
    /* A chain of signs ends before the stack does. */
    part = test_part_points(context, SIZE);
    size_t length = 0;
    for (status = EBM_OK; status == EBM_OK && length < 10000; length++) {
        ebm_model *next = NOTHING;
        status = ebm_model_create_negated(part, &next);
        if (status == EBM_OK) {
            ebm_model_destroy(part);
            part = next;
        }
    }
    assert_status(status, EBM_ERROR_RANGE);
    float x[SIZE] = {0.5f, 1, 2}, energy;
    assert_ok(ebm_model_energy(part, x, NULL, 1, &energy));
    ebm_model_destroy(part);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static ebm_status make(ebm_model *const *parts, int kind, ebm_model **m)
{
    switch (kind) {
    case 0:
        return ebm_model_create_sum(parts, NULL, 3, m);
    case 1:
        return ebm_model_create_mixture(parts, NULL, 3, m);
    case 2:
        return ebm_model_create_negated(parts[1], m);
    case 3:
        return ebm_model_create_tempered(parts[1], 2, m);
    default:
        return ebm_model_create_downsampled(parts[1], 2, m);
    }
}

/* Each allocation of a creation fails once, and then of every use. */
static void test_out_of_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        test_allocator memory;
        test_quadratic q = {0};
        ebm_context *context = test_context(&memory);
        ebm_model *m = NOTHING, *parts[3];
        float x[4 * N * SIZE], v[4 * N * SIZE], out[4 * N * SIZE];
        float scale[N] = {1, 2, 3, 4, 5};
        parts[0] = test_part_points(context, SIZE);
        parts[1] = test_part_network(context, 2, 0);
        parts[2] = test_part_custom(context, &q);
        test_part_fill(x, 4 * N * SIZE);
        test_part_fill(v, 4 * N * SIZE);
        size_t before = memory.live_blocks;
        for (size_t n = 1;; n++) {
            test_fail_at(&memory, n, 0);
            ebm_status status = make(parts, kind, &m);
            if (status == EBM_OK)
                break;
            assert_error(context, status, EBM_ERROR_MEMORY, "memory");
            assert_ptr_equal(m, NOTHING);
            assert_int_equal(memory.live_blocks, before);
        }
        test_fail_at(&memory, 0, 0);
        before = memory.live_blocks;
        for (int call = 0; call < 4; call++)
            for (size_t n = 1, done = 0; !done; n++) {
                test_fail_at(&memory, n, 0);
                ebm_status status =
                    call == 0   ? ebm_model_energy(m, x, NULL, N, out)
                    : call == 1 ? ebm_model_backward(m, x, NULL, N, scale, out)
                    : call == 2
                        ? ebm_model_hessian_vector(m, x, NULL, N, v, out)
                        : ebm_model_mixed_backward(m, x, NULL, N, v, scale,
                                                   out);
                done = status == EBM_OK;
                if (!done)
                    assert_error(context, status, EBM_ERROR_MEMORY, "memory");
                assert_int_equal(memory.live_blocks, before);
            }
        test_fail_at(&memory, 0, 0);
        /* The whole is the last to go. */
        for (size_t k = 0; k < 3; k++)
            ebm_model_destroy(parts[k]);
        ebm_context_destroy(context);
        assert_ok(ebm_model_energy(m, x, NULL, N, out));
        ebm_model_destroy(m);
        assert_no_leaks(&memory);
    }
}

/* A pass allocates its workspace, and nothing as it goes: as many blocks for
   many samples as for one. */
static void test_passes_do_not_allocate(void **state)
{
    (void)state;
    enum { MANY = 200 };
    test_allocator memory;
    test_quadratic q = {0};
    ebm_context *context = test_context(&memory);
    ebm_model *parts[3] = {test_part_points(context, SIZE),
                           test_part_network(context, 2, 0),
                           test_part_custom(context, &q)};
    ebm_model *m = NULL;
    static float x[MANY * SIZE], energy[MANY];
    test_part_fill(x, MANY * SIZE);
    for (size_t count = 2; count <= 3; count++) {
        size_t used[2];
        assert_ok(ebm_model_create_mixture(parts, NULL, count, &m));
        for (int many = 0; many < 2; many++) {
            size_t before = memory.allocations;
            assert_ok(ebm_model_energy(m, x, NULL, many ? MANY : 1, energy));
            used[many] = memory.allocations - before;
        }
        assert_int_equal(used[0], used[1]);
        ebm_model_destroy(m);
    }
    for (size_t k = 0; k < 3; k++)
        ebm_model_destroy(parts[k]);
    ebm_context_destroy(context);
}

/* ---- Handles ----------------------------------------------------------- */

typedef struct hands {
    ebm_context *context;
    ebm_model *models[8];
    size_t count;
} hands;

static void let_go(void *argument)
{
    hands *h = argument;
    for (size_t i = 0; i < h->count; i++)
        ebm_model_destroy(h->models[i]);
    h->count = 0;
    ebm_context_destroy(h->context);
    h->context = NULL;
}

/* A callback lets go of everything in the middle of each kind of call. */
static void test_handles_go_in_callbacks(void **state)
{
    (void)state;
    for (int call = 0; call < 5; call++) {
        test_allocator memory;
        hands h = {.context = test_context(&memory)};
        test_quadratic q = {.called = let_go, .argument = &h};
        float x[N * SIZE], out[N * SIZE];
        const float scale[N] = {1, 1, 1, 1, 1};
        test_part_fill(x, N * SIZE);
        ebm_model **m = h.models;
        m[0] = test_part_points(h.context, SIZE);
        m[1] = test_part_network(h.context, 2, 0);
        m[2] = test_part_custom(h.context, &q);
        assert_ok(ebm_model_create_sum(m, NULL, 3, m + 3));
        assert_ok(ebm_model_create_negated(m[3], m + 4));
        assert_ok(ebm_model_create_mixture(m, NULL, 5, m + 5));
        h.count = 6;
        ebm_model *whole = m[5];
        assert_ok(
            call == 0   ? ebm_model_energy(whole, x, NULL, N, out)
            : call == 1 ? ebm_model_energy_grad(whole, x, NULL, N, NULL, out)
            : call == 2 ? ebm_model_backward(whole, x, NULL, N, scale, out)
            : call == 3
                ? ebm_model_hessian_vector(whole, x, NULL, N, x, out)
                : ebm_model_mixed_backward(whole, x, NULL, N, x, scale, out));
        assert_int_equal(h.count, 0);
        assert_no_leaks(&memory);
    }
}

/* The caller's hold on the parts can end first, last, or in between. */
static void test_any_order(void **state)
{
    (void)state;
    for (size_t first = 0; first < 6; first++) {
        test_allocator memory;
        ebm_context *context = test_context(&memory);
        test_quadratic q = {0};
        ebm_model *m[6];
        float x[N * SIZE], energy[N];
        test_part_fill(x, N * SIZE);
        m[0] = test_part_points(context, SIZE);
        m[1] = test_part_network(context, 2, 0);
        m[2] = test_part_custom(context, &q);
        assert_ok(ebm_model_create_sum(m, NULL, 3, m + 3));
        assert_ok(ebm_model_create_tempered(m[3], 2, m + 4));
        assert_ok(ebm_model_create_mixture(m, NULL, 5, m + 5));
        ebm_context_destroy(context);
        for (size_t i = 0; i < 6; i++) {
            for (size_t k = i; k < 6; k++)
                assert_ok(
                    ebm_model_energy(m[(first + k) % 6], x, NULL, N, energy));
            ebm_model *gone = m[(first + i) % 6];
            ebm_model_destroy(gone);
        }
        assert_no_leaks(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joint_creation),
        cmocka_unit_test(test_single_creation),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_passes_do_not_allocate),
        cmocka_unit_test(test_handles_go_in_callbacks),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
