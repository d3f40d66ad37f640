/* Memory and sizes: alignment, overflow, failure, and the tests' own
   allocator, on which other tests rely. */
#include "ebm_test.h"

#include "core/context.h"
#include "core/memory.h"

static void blocks_are_aligned_and_counted(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    size_t before = memory.live_blocks;
    for (size_t n = 0; n < 300; n++) {
        unsigned char *block = ebm_alloc(context, n, 1);
        unsigned char *zeros = ebm_alloc_zero(context, n, 3);
        assert_non_null(block);
        assert_non_null(zeros);
        assert_int_equal((uintptr_t)block % 64, 0);
        assert_int_equal((uintptr_t)zeros % 64, 0);
        assert_int_equal(memory.live_blocks, before + 2);
        memset(block, 1, n ? n : 1);
        for (size_t i = 0; i < 3 * n; i++)
            assert_int_equal(zeros[i], 0);
        ebm_free(context, block);
        ebm_free(context, zeros);
    }
    ebm_free(context, NULL);
    assert_int_equal(memory.live_blocks, before);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void sizes_do_not_wrap(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    size_t before = memory.allocations;
    size_t pairs[][2] = {{SIZE_MAX, 1},        {SIZE_MAX / 2 + 1, 2},
                         {1, SIZE_MAX - 1},    {SIZE_MAX - 64, 1},
                         {SIZE_MAX, SIZE_MAX}, {SIZE_MAX / 4 + 2, 4}};
    for (size_t i = 0; i < TEST_COUNT(pairs); i++) {
        assert_null(ebm_alloc(context, pairs[i][0], pairs[i][1]));
        assert_null(ebm_alloc_zero(context, pairs[i][0], pairs[i][1]));
    }
    assert_int_equal(memory.allocations, before);
    size_t product = 5;
    assert_true(ebm_multiply(SIZE_MAX / 3, 3, &product));
    assert_int_equal(product, SIZE_MAX / 3 * 3);
    assert_false(ebm_multiply(SIZE_MAX / 3 + 1, 3, &product));
    assert_true(ebm_multiply4(2, 3, 5, 7, &product));
    assert_int_equal(product, 210);
    assert_false(ebm_multiply4(SIZE_MAX / 2, 3, 0, 1, &product));
    assert_false(ebm_multiply4(2, 2, 2, SIZE_MAX / 4, &product));
    assert_int_equal(ebm_round_up(0, 16), 0);
    assert_int_equal(ebm_round_up(1, 16), 16);
    assert_int_equal(ebm_round_up(32, 16), 32);
    ebm_context_destroy(context);
}

static void shapes_are_checked(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    size_t elements = 5;
    assert_ok(ebm_check_size(context, 2, 3, 5, 7, &elements));
    assert_int_equal(elements, 210);
    for (int zero = 0; zero < 4; zero++) {
        size_t s[4] = {11, 12, 13, 14};
        s[zero] = 0;
        assert_error(
            context,
            ebm_check_size(context, s[0], s[1], s[2], s[3], &elements),
            EBM_ERROR_ARGUMENT, " 0");
        s[zero] = SIZE_MAX / 8;
        assert_error(
            context,
            ebm_check_size(context, s[0], s[1], s[2], s[3], &elements),
            EBM_ERROR_OVERFLOW, "fit");
        assert_int_equal(elements, 210);
        if (zero == 0)
            continue;
        /* Wraps to a small number. */
        s[zero] = 1;
        s[0] = (size_t)1 << 63;
        assert_error(
            context,
            ebm_check_size(context, s[0], s[1], s[2], s[3], &elements),
            EBM_ERROR_OVERFLOW, "fit");
    }
    assert_status(ebm_check_size(context, SIZE_MAX / 4, 1, 1, 1, &elements),
                  EBM_ERROR_OVERFLOW);
    ebm_context_destroy(context);
}

static void growing_keeps_what_is_there_on_failure(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    float *array = NULL;
    size_t held = 0;
    assert_ok(ebm_grow_floats(context, &array, &held, 100, "a test"));
    assert_int_equal(held, 100);
    float *first = array;
    size_t allocations = memory.allocations;
    assert_ok(ebm_grow_floats(context, &array, &held, 100, "a test"));
    assert_ok(ebm_grow_floats(context, &array, &held, 3, "a test"));
    assert_ptr_equal(array, first);
    assert_int_equal(memory.allocations, allocations);
    array[99] = 3;
    test_fail_at(&memory, 1, 0);
    assert_error(context,
                 ebm_grow_floats(context, &array, &held, 101, "a test"),
                 EBM_ERROR_MEMORY, "a test");
    assert_ptr_equal(array, first);
    assert_int_equal(held, 100);
    assert_true(array[99] == 3);
    assert_ok(ebm_grow_floats(context, &array, &held, 101, "a test"));
    assert_int_equal(held, 101);
    ebm_free(context, array);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void finiteness_is_seen_everywhere(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    float values[70];
    for (size_t i = 0; i < 70; i++)
        values[i] = i < 35 ? 3e38f : -3e38f; /* a plain sum would overflow */
    for (size_t n = 0; n <= 70; n++)
        assert_true(ebm_all_finite(values, n));
    for (size_t i = 0; i < 70; i++)
        for (size_t b = 0; b < TEST_COUNT(bad); b++) {
            float kept = values[i];
            values[i] = bad[b];
            assert_true(ebm_all_finite(values, i));
            assert_false(ebm_all_finite(values, i + 1));
            assert_false(ebm_all_finite(values, 70));
            values[i] = kept;
        }
}

/* An allocator that knows nothing of alignment beyond malloc()'s, and looks at
   the bytes around what it gave. */
enum { FENCE = 64, FENCE_BYTE = 0x5a };

typedef struct careless {
    size_t given, taken, broken;
} careless;

static void *careless_allocate(size_t size, size_t alignment, void *user)
{
    careless *c = user;
    (void)alignment;
    /* 16, 32 and 48 bytes beyond a multiple of 64. */
    size_t late = FENCE + 16 * (1 + c->given++ % 3), all = late + size + FENCE;
    unsigned char *block =
        aligned_alloc(64, (sizeof late + all + 127) / 64 * 64);
    assert_non_null(block);
    memset(block, FENCE_BYTE, all);
    memcpy(block, &late, sizeof late);
    memset(block + late, 0xff, size);
    return block + late;
}

static void careless_release(void *memory, size_t size, void *user)
{
    careless *c = user;
    unsigned char *at = memory;
    size_t late = FENCE + (uintptr_t)at % 64, kept;
    c->taken++;
    memcpy(&kept, at - late, sizeof kept);
    c->broken += kept != late;
    for (size_t i = 0; i < FENCE; i++)
        c->broken += at[size + i] != FENCE_BYTE;
    for (size_t i = sizeof late; i < late; i++)
        c->broken += at[(ptrdiff_t)i - (ptrdiff_t)late] != FENCE_BYTE;
    free(at - late);
}

static void an_allocator_need_not_align(void **state)
{
    (void)state;
    careless c = {0};
    ebm_allocator table = {sizeof table, careless_allocate, careless_release,
                           &c};
    ebm_context *context;
    assert_ok(ebm_context_create_with(&table, &context));
    for (size_t n = 1; n < 300; n++) {
        unsigned char *block = ebm_alloc(context, n, 1);
        unsigned char *zeros = ebm_alloc_zero(context, n, 3);
        assert_int_equal((uintptr_t)block % 64, 0);
        assert_int_equal((uintptr_t)zeros % 64, 0);
        for (size_t i = 0; i < 3 * n; i++)
            assert_int_equal(zeros[i], 0);
        /* Kernels read and write whole lanes. */
        memset(block, 1, (n + 63) / 64 * 64);
        memset(zeros, 1, (3 * n + 63) / 64 * 64);
        ebm_free(context, block);
        ebm_free(context, zeros);
    }
    assert_true(c.given > 500);
    ebm_context_destroy(context);
    assert_int_equal(c.given, c.taken);
    assert_int_equal(c.broken, 0);
}

/* The tests' allocator refuses, notices, and counts as it says. */
static void the_tests_allocator_works(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    const ebm_allocator *table = &context->allocator;
    test_fail_at(&memory, 2, 0);
    void *first = table->allocate(10, 64, table->user);
    assert_non_null(first);
    float nan_inside;
    memcpy(&nan_inside, first, sizeof nan_inside);
    assert_true(isnan(nan_inside));
    assert_null(table->allocate(10, 64, table->user));
    void *third = table->allocate(20, 64, table->user);
    assert_non_null(third);
    test_fail_at(&memory, 1, 1);
    assert_null(table->allocate(10, 64, table->user));
    assert_null(table->allocate(10, 64, table->user));
    test_fail_at(&memory, 0, 0);
    table->release(first, 10, table->user);
    assert_int_equal(memory.faults, 0);
    table->release(third, 19, table->user);
    assert_int_equal(memory.faults, 1);
    table->release(third, 20, table->user);
    memory.faults = 0;
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* The comparators refuse what they should: tests stand on them. */
static void the_tests_comparators_work(void **state)
{
    (void)state;
    const float a[] = {1, 2, 3}, b[] = {1, 2, 3.0003f}, c[] = {1, NAN, 3};
    const float zero[] = {0, 0, 0}, minus[] = {0, -0.0f, 0};
    const double d[] = {1, 2, 3.0003}, e[] = {1, 2, NAN};
    assert_true(test_close(1, 1.001, 0, 1.1e-3, "expected failure"));
    assert_true(test_arrays_close(a, b, 3, 1.1e-4, "expected failure"));
    assert_true(test_arrays_near(a, d, 3, 1.1e-4, "expected failure"));
    assert_true(test_same_bits(a, a, 3, "expected failure"));
    print_message("(the following failures are expected)\n");
    assert_false(test_close(1, 1.001, 0, 0.9e-3, "expected failure"));
    assert_false(test_close(NAN, NAN, 1, 1, "expected failure"));
    assert_false(test_close(INFINITY, INFINITY, 1, 1, "expected failure"));
    assert_false(test_close(0, 1, NAN, 0, "expected failure"));
    assert_false(test_arrays_close(a, b, 3, 0.9e-4, "expected failure"));
    assert_false(test_arrays_close(c, c, 3, 1, "expected failure"));
    assert_false(test_arrays_close(a, zero, 3, 1, "expected failure"));
    assert_false(test_arrays_near(a, d, 3, 0.9e-4, "expected failure"));
    assert_false(test_arrays_near(a, e, 3, 1, "expected failure"));
    assert_false(test_same_bits(c, c, 3, "expected failure"));
    assert_false(test_same_bits(zero, minus, 3, "expected failure"));
    assert_false(test_status_is(EBM_OK, EBM_ERROR_IO, "expected failure"));
    assert_true(isinf(test_array_error(a, e, 3)));
    assert_true(test_ulps(1, 1 + 0x1p-23f) == 1);
    assert_true(test_ulps(1, 1 - 0x1p-24f) == 0.5);
    assert_true(test_ulps(NAN, NAN) > 1e30);
    assert_true(test_ulps(0, 0x1p-149f) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_counted),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(shapes_are_checked),
        cmocka_unit_test(growing_keeps_what_is_there_on_failure),
        cmocka_unit_test(finiteness_is_seen_everywhere),
        cmocka_unit_test(an_allocator_need_not_align),
        cmocka_unit_test(the_tests_allocator_works),
        cmocka_unit_test(the_tests_comparators_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
