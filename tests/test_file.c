/* Writing files that are never seen half written. */
#include "ebm_test.h"
#include "folder.h"

#include "core/file.h"

#include <sys/stat.h>
#include <unistd.h>

static const char old_text[] = "what was there before";
static const char new_text[] = "what is written now";

static test_folder folder;
static char target[300];

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    test_folder_file(&folder, "target", target);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static void assert_holds(const char *path, const char *text)
{
    char bytes[100];
    size_t size = test_file_read(path, bytes, sizeof bytes);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
}

static void assert_all_zero(const ebm_file *file)
{
    static const ebm_file zero;
    assert_memory_equal(file, &zero, sizeof zero);
}

static void a_commit_replaces_the_target(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_file file;
    test_file_write(target, old_text, strlen(old_text));
    assert_ok(ebm_file_begin(context, target, &file));
    assert_int_equal(test_folder_count(&folder), 2);
    assert_ok(ebm_file_write(&file, new_text, 5));
    assert_int_equal(
        fwrite(new_text + 5, 1, strlen(new_text) - 5, file.stream),
        strlen(new_text) - 5);
    fflush(file.stream);
    assert_holds(target, old_text);
    assert_ok(ebm_file_commit(&file));
    assert_all_zero(&file);
    assert_holds(target, new_text);
    assert_int_equal(test_folder_count(&folder), 1);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void the_umask_decides_on_access(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_file file;
    mode_t mask = umask(027);
    ebm_status status = ebm_file_begin(context, target, &file);
    umask(mask);
    assert_ok(status);
    assert_ok(ebm_file_commit(&file));
    struct stat facts;
    assert_int_equal(stat(target, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0640);
    ebm_context_destroy(context);
}

static void abandoning_leaves_nothing(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_file file = {0};
    ebm_file_abandon(&file);
    test_file_write(target, old_text, strlen(old_text));
    assert_ok(ebm_file_begin(context, target, &file));
    assert_ok(ebm_file_write(&file, new_text, sizeof new_text));
    ebm_file_abandon(&file);
    assert_all_zero(&file);
    assert_holds(target, old_text);
    assert_int_equal(test_folder_count(&folder), 1);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void two_writers_have_two_temporaries(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_file first, second;
    assert_ok(ebm_file_begin(context, target, &first));
    assert_ok(ebm_file_begin(context, target, &second));
    assert_ok(ebm_file_write(&first, "first", 5));
    assert_ok(ebm_file_write(&second, "second", 6));
    assert_ok(ebm_file_commit(&second));
    assert_holds(target, "second");
    assert_ok(ebm_file_commit(&first));
    assert_holds(target, "first");
    assert_int_equal(test_folder_count(&folder), 1);
    ebm_context_destroy(context);
}

/* The temporary's name must not be longer than a name can be either. */
static void the_longest_name_works(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    char name[256], path[300 + 256];
    memset(name, 'n', 255);
    name[255] = 0;
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    ebm_file file;
    assert_ok(ebm_file_begin(context, path, &file));
    assert_ok(ebm_file_write(&file, new_text, strlen(new_text)));
    assert_ok(ebm_file_commit(&file));
    assert_holds(path, new_text);
    ebm_context_destroy(context);
}

static void a_path_without_a_folder_works(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder.path), 0);
    ebm_file file;
    ebm_status status = ebm_file_begin(context, "target", &file);
    if (status == EBM_OK)
        status = ebm_file_write(&file, new_text, strlen(new_text));
    if (status == EBM_OK)
        status = ebm_file_commit(&file);
    assert_int_equal(chdir(before), 0);
    assert_ok(status);
    assert_holds(target, new_text);
    ebm_context_destroy(context);
}

static void impossible_targets_are_refused(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    char path[300], bad[400];
    ebm_file file;
    assert_error(context, ebm_file_begin(context, "", &file), EBM_ERROR_IO,
                 "empty");
    assert_error(context, ebm_file_begin(context, "/dev/null", &file),
                 EBM_ERROR_IO, "/dev/null");
    assert_error(context, ebm_file_begin(context, folder.path, &file),
                 EBM_ERROR_IO, "regular");
    test_folder_file(&folder, "absent/target", path);
    assert_error(context, ebm_file_begin(context, path, &file), EBM_ERROR_IO,
                 "No such file");
    assert_error(context, ebm_file_begin(context, path, &file), EBM_ERROR_IO,
                 "absent/target");
    assert_all_zero(&file);
    test_file_write(target, old_text, strlen(old_text));
    snprintf(bad, sizeof bad, "%s/below", target);
    assert_error(context, ebm_file_begin(context, bad, &file), EBM_ERROR_IO,
                 "Not a directory");
    assert_int_equal(test_folder_count(&folder), 1);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* The reason must not be pushed out of the text by the path. */
static void long_paths_leave_room_for_the_reason(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    char path[1200];
    memset(path, '/', sizeof path - 1);
    memcpy(path + sizeof path - 8, "no/such", 8);
    ebm_file file;
    assert_error(context, ebm_file_begin(context, path, &file), EBM_ERROR_IO,
                 "No such file");
    assert_error(context, ebm_file_begin(context, path, &file), EBM_ERROR_IO,
                 "no/such");
    ebm_context_destroy(context);
}

/* Someone makes a folder where the file should go, after the beginning. */
static void a_failed_commit_leaves_nothing(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_file file;
    assert_ok(ebm_file_begin(context, target, &file));
    assert_ok(ebm_file_write(&file, new_text, sizeof new_text));
    assert_int_equal(mkdir(target, 0777), 0);
    assert_error(context, ebm_file_commit(&file), EBM_ERROR_IO, "target");
    assert_all_zero(&file);
    assert_int_equal(test_folder_count(&folder), 1);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* On a full disk, whether the write itself fails or the flush at the end. */
static void a_full_disk_is_reported(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    static char much[1 << 20];
    test_file_write(target, old_text, strlen(old_text));
    for (int large = 0; large < 2; large++) {
        ebm_file file;
        assert_ok(ebm_file_begin(context, target, &file));
        test_file_limit(100);
        ebm_status written =
            ebm_file_write(&file, much, large ? sizeof much : 200);
        ebm_status again = ebm_file_write(&file, much, 1);
        ebm_status committed = ebm_file_commit(&file);
        test_file_limit(0);
        assert_status(written, large ? EBM_ERROR_IO : EBM_OK);
        assert_status(again, large ? EBM_ERROR_IO : EBM_OK);
        assert_error(context, committed, EBM_ERROR_IO, "File too large");
        assert_holds(target, old_text);
        assert_int_equal(test_folder_count(&folder), 1);
    }
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* Who writes past ebm_file_write() and looks at nothing is caught, too. */
static void a_full_disk_is_seen_in_the_stream(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    static char much[1 << 20];
    ebm_file file;
    test_file_write(target, old_text, strlen(old_text));
    assert_ok(ebm_file_begin(context, target, &file));
    test_file_limit(100);
    size_t written = fwrite(much, 1, sizeof much, file.stream);
    ebm_status committed = ebm_file_commit(&file);
    test_file_limit(0);
    assert_true(written < sizeof much);
    assert_error(context, committed, EBM_ERROR_IO, "target");
    assert_holds(target, old_text);
    assert_int_equal(test_folder_count(&folder), 1);
    ebm_context_destroy(context);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    for (size_t n = 1; n <= 2; n++) {
        ebm_file file;
        test_fail_at(&memory, n, 0);
        assert_error(context, ebm_file_begin(context, target, &file),
                     EBM_ERROR_MEMORY, "path");
        assert_all_zero(&file);
        assert_int_equal(test_folder_count(&folder), 0);
    }
    test_fail_at(&memory, 0, 0);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_replaces_the_target),
        TEST(the_umask_decides_on_access),
        TEST(abandoning_leaves_nothing),
        TEST(two_writers_have_two_temporaries),
        TEST(the_longest_name_works),
        TEST(a_path_without_a_folder_works),
        TEST(impossible_targets_are_refused),
        TEST(long_paths_leave_room_for_the_reason),
        TEST(a_failed_commit_leaves_nothing),
        TEST(a_full_disk_is_reported),
        TEST(a_full_disk_is_seen_in_the_stream),
        TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
