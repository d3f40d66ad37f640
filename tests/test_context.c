/* The context: life, allocator, settings, error text, log, handles. */
#include "ebm_test.h"

#include "core/context.h"

static void *no_memory(size_t size, size_t alignment, void *user)
{
    (void)size;
    (void)alignment;
    ++*(int *)user;
    return NULL;
}

static void *any_memory(size_t size, size_t alignment, void *user)
{
    (void)alignment;
    (void)user;
    return malloc(size);
}

static void any_release(void *memory, size_t size, void *user)
{
    (void)size;
    (void)user;
    free(memory);
}

static void creation_checks_its_arguments(void **state)
{
    (void)state;
    ebm_context *const untouched = (ebm_context *)&state;
    ebm_context *context = untouched;
    int calls = 0;
    ebm_allocator good = {sizeof good, any_memory, any_release, &calls};
    ebm_allocator bad = good;
    assert_status(ebm_context_create(NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_context_create_with(&good, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_context_create_with(NULL, &context), EBM_ERROR_ARGUMENT);
    bad.struct_size--;
    assert_status(ebm_context_create_with(&bad, &context), EBM_ERROR_ARGUMENT);
    bad = good;
    bad.allocate = NULL;
    assert_status(ebm_context_create_with(&bad, &context), EBM_ERROR_ARGUMENT);
    bad = good;
    bad.release = NULL;
    assert_status(ebm_context_create_with(&bad, &context), EBM_ERROR_ARGUMENT);
    bad = good;
    bad.allocate = no_memory;
    assert_status(ebm_context_create_with(&bad, &context), EBM_ERROR_MEMORY);
    assert_int_equal(calls, 1);
    assert_ptr_equal(context, untouched);
    /* A table of a later version is longer. */
    good.struct_size += 64;
    assert_ok(ebm_context_create_with(&good, &context));
    ebm_context_destroy(context);
    ebm_context_destroy(NULL);
}

static void objects_keep_the_context_alive(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_network *first = NULL, *second = NULL;
    assert_ok(ebm_network_create(context, 4, 4, 1, &first));
    assert_ok(ebm_network_create(context, 4, 4, 1, &second));
    ebm_context_destroy(context);
    assert_true(memory.live_blocks > 0);
    /* The handle is stale although its memory lives. */
    double value = 5;
    ebm_network *none = first;
    assert_status(ebm_context_get(context, EBM_CONTEXT_THREADS, &value),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_network_create(context, 4, 4, 1, &none),
                  EBM_ERROR_HANDLE);
    assert_ptr_equal(none, first);
    ebm_context_destroy(context);
    assert_ok(ebm_network_swish(first));
    ebm_network_destroy(first);
    assert_ok(ebm_network_swish(second));
    ebm_network_destroy(second);
    assert_no_leaks(&memory);
}

static void wrong_handles_are_a_status(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    assert_ok(ebm_network_create(context, 4, 4, 1, &network));
    ebm_context *wrong[] = {NULL, (ebm_context *)(void *)network};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        char text[8] = "as is";
        double value = 5;
        ebm_context_destroy(wrong[i]);
        assert_status(ebm_context_set(wrong[i], EBM_CONTEXT_THREADS, 1),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_context_get(wrong[i], EBM_CONTEXT_THREADS, &value),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_context_set_log(wrong[i], NULL, NULL),
                      EBM_ERROR_HANDLE);
        assert_status(ebm_context_copy_last_error(wrong[i], text, 8),
                      EBM_ERROR_HANDLE);
        assert_string_equal(ebm_context_last_error(wrong[i]), "");
        assert_string_equal(ebm_context_machinery(wrong[i]), "");
        assert_string_equal(text, "as is");
        assert_true(value == 5);
    }
    assert_ok(ebm_network_swish(network));
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

static void threads_are_a_setting(void **state)
{
    (void)state;
    ebm_context *context = NULL;
    double value = 0;
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_get(context, EBM_CONTEXT_THREADS, &value));
    assert_true(value >= 1 && value <= 1024);
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, 3));
    assert_ok(ebm_context_get(context, EBM_CONTEXT_THREADS, &value));
    assert_true(value == 3);
    assert_int_equal(ebm_context_threads(context), 3);
    double wrong[] = {0, -1, 1025, 1.5, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++)
        assert_error(context,
                     ebm_context_set(context, EBM_CONTEXT_THREADS, wrong[i]),
                     EBM_ERROR_RANGE, "threads");
    assert_error(context, ebm_context_set(context, (ebm_context_key)1, 1),
                 EBM_ERROR_ARGUMENT, "key 1");
    assert_error(context, ebm_context_set(context, (ebm_context_key)-1, 1),
                 EBM_ERROR_ARGUMENT, "key");
    assert_error(context, ebm_context_get(context, (ebm_context_key)1, &value),
                 EBM_ERROR_ARGUMENT, "key 1");
    assert_error(context, ebm_context_get(context, EBM_CONTEXT_THREADS, NULL),
                 EBM_ERROR_ARGUMENT, "NULL");
    assert_ok(ebm_context_get(context, EBM_CONTEXT_THREADS, &value));
    assert_true(value == 3);
    ebm_context_destroy(context);
}

static void the_last_error_is_kept_and_copied(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    char text[300], cut[6], one[1] = {'x'};
    assert_string_equal(ebm_context_last_error(context), "");
    assert_status(ebm_context_set(context, EBM_CONTEXT_THREADS, 4711),
                  EBM_ERROR_RANGE);
    const char *said = ebm_context_last_error(context);
    assert_non_null(strstr(said, "4711"));
    /* Success does not clear it. */
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, 2));
    assert_non_null(strstr(ebm_context_last_error(context), "4711"));
    assert_ok(ebm_context_copy_last_error(context, text, sizeof text));
    assert_string_equal(text, said);
    assert_ok(ebm_context_copy_last_error(context, cut, sizeof cut));
    assert_int_equal(strlen(cut), 5);
    assert_memory_equal(cut, said, 5);
    assert_ok(ebm_context_copy_last_error(context, one, 1));
    assert_int_equal(one[0], 0);
    assert_status(ebm_context_copy_last_error(context, NULL, 5),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_context_copy_last_error(context, text, 0),
                  EBM_ERROR_ARGUMENT);
    ebm_context_destroy(context);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    char text[1000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 0;
    assert_status(ebm_fail(context, EBM_ERROR_IO, "%s", text), EBM_ERROR_IO);
    assert_in_range(strlen(ebm_context_last_error(context)), 200, 999);
    assert_status(ebm_fail(NULL, EBM_ERROR_IO, "%s", text), EBM_ERROR_IO);
    ebm_context_destroy(context);
}

typedef struct lines {
    size_t count;
    ebm_log_level level;
    char text[300];
} lines;

static void note_line(ebm_log_level level, const char *text, void *user)
{
    lines *log = user;
    log->count++;
    log->level = level;
    snprintf(log->text, sizeof log->text, "%s", text);
}

static void log_lines_reach_the_callback(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    lines log = {0};
    ebm_log(context, EBM_LOG_ERROR, "nobody hears %d", 1);
    assert_ok(ebm_context_set_log(context, note_line, &log));
    ebm_log(context, EBM_LOG_WARNING, "step %d of %s", 3, "ten");
    assert_int_equal(log.count, 1);
    assert_int_equal(log.level, EBM_LOG_WARNING);
    assert_string_equal(log.text, "step 3 of ten");
    assert_ok(ebm_context_set_log(context, NULL, NULL));
    ebm_log(context, EBM_LOG_ERROR, "nobody hears");
    assert_int_equal(log.count, 1);
    ebm_context_destroy(context);
}

static void machinery_is_one_line(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    const char *text = ebm_context_machinery(context);
    assert_non_null(strstr(text, "kernels"));
    assert_null(strchr(text, '\n'));
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_checks_its_arguments),
        cmocka_unit_test(objects_keep_the_context_alive),
        cmocka_unit_test(wrong_handles_are_a_status),
        cmocka_unit_test(threads_are_a_setting),
        cmocka_unit_test(the_last_error_is_kept_and_copied),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(log_lines_reach_the_callback),
        cmocka_unit_test(machinery_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
