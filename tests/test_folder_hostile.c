/* Folders that are not what they seem: damaged and forged files, names of
   other things, files that change, and memory that runs out. */
#include "datasets.h"
#include "ebm_test.h"
#include "folder.h"
#include "pictures.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { SIDE = 4, SIZE = SIDE * SIDE, ROOM = 4000, IHDR = 8, IHDR_DATA = 16 };

static test_folder folder;
static char path[300], other[300];
static unsigned char good[ROOM];
static size_t good_size, data_at; /* of IDAT */

/* The folder holds a good picture, b.png, and a.png is what a test makes of
   it. */
static int set_up(void **state)
{
    test_folder_make(&folder);
    test_folder_file(&folder, "a.png", path);
    test_folder_file(&folder, "b.png", other);
    for (int i = 0; i < 2; i++) {
        test_picture picture =
            test_picture_write(i ? path : other, &test_plain, 0, 6, 7, 3);
        free(picture.pixels);
    }
    good_size = test_file_read(path, good, ROOM);
    data_at = IHDR;
    while (memcmp(good + data_at + 4, "IDAT", 4))
        data_at++;
    test_dataset_set_up(state);
    /* Thousands of small calls: threads would wait more than work. */
    assert_ok(ebm_context_set(test_fixture.context, EBM_CONTEXT_THREADS, 1));
    return 0;
}

static int tear_down(void **state)
{
    test_folder_remove(&folder);
    return test_dataset_tear_down(state);
}

static ebm_status create(const char *from, size_t cache, ebm_dataset **out)
{
    return ebm_dataset_create_folder(test_fixture.context, from, SIDE, SIDE, 1,
                                     cache, 1, out);
}

/* The folder is refused, nothing comes of it, and the text names `word`. */
static void assert_refused(const char *from, ebm_status expected,
                           const char *word)
{
    ebm_dataset *const untouched = (ebm_dataset *)&folder;
    ebm_dataset *dataset = untouched;
    size_t blocks = test_fixture.memory.live_blocks;
    assert_error(test_fixture.context, create(from, 0, &dataset), expected,
                 word);
    assert_ptr_equal(dataset, untouched);
    assert_int_equal(test_fixture.memory.live_blocks, blocks);
}

/* a.png is refused when its pixels are read: nothing is written, b.png can be
   had, and so can both once a.png is whole again. */
static void assert_pixels_refused(ebm_dataset *dataset, ebm_status expected,
                                  const char *word)
{
    float x[2 * SIZE], kept[2 * SIZE];
    int32_t labels[2] = {7, 8};
    size_t blocks = test_fixture.memory.live_blocks;
    for (int i = 0; i < 2 * SIZE; i++)
        x[i] = kept[i] = (float)i;
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 0, 2, x, labels), expected, word);
    assert_error(test_fixture.context, ebm_dataset_next(dataset, 2, x, labels),
                 expected, "a.png");
    assert_same_bits(x, kept, 2 * SIZE);
    assert_true(labels[0] == 7 && labels[1] == 8);
    assert_int_equal(ebm_dataset_epoch(dataset), 0);
    assert_ok(ebm_dataset_read(dataset, 1, 1, x, labels));
    assert_int_equal(test_fixture.memory.live_blocks, blocks);
    remove(path);
    test_file_write(path, good, good_size);
    assert_ok(ebm_dataset_next(dataset, 2, x, labels));
    assert_int_equal(ebm_dataset_epoch(dataset), 1);
    assert_same_bits(x, x + SIZE, SIZE);
}

/* a.png becomes these bytes: refused at once, or when its pixels are read. */
static void assert_bytes_refused(const unsigned char *bytes, size_t size,
                                 int at_once)
{
    ebm_dataset *dataset = NULL;
    test_file_write(path, bytes, size);
    if (at_once) {
        assert_refused(folder.path, EBM_ERROR_FORMAT, "a.png: ");
        return;
    }
    assert_ok(create(folder.path, 0, &dataset));
    assert_pixels_refused(dataset, EBM_ERROR_FORMAT, "a.png: ");
    ebm_dataset_destroy(dataset);
}

static void truncated_files_are_refused(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < good_size; cut++)
        assert_bytes_refused(good, cut, cut < data_at + 8);
}

/* Every byte is under a checksum, or is one, or breaks what follows. */
static void damaged_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < good_size; i++) {
        unsigned char forged[ROOM];
        ebm_dataset *dataset = NULL;
        memcpy(forged, good, good_size);
        forged[i] ^= (unsigned char)(1 << i % 8);
        test_file_write(path, forged, good_size);
        if (create(folder.path, 0, &dataset) == EBM_OK)
            assert_pixels_refused(dataset, EBM_ERROR_FORMAT, "a.png: ");
        else
            assert_refused(folder.path, EBM_ERROR_FORMAT, "a.png: ");
        ebm_dataset_destroy(dataset);
    }
}

/* A header with other numbers and a right checksum. */
static void forge_header(unsigned char *bytes, size_t at, uint32_t value,
                         size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[IHDR_DATA + at + i] =
            (unsigned char)(value >> (8 * (size - 1 - i)));
    uint32_t sum = (uint32_t)crc32(0, bytes + IHDR + 4, 17);
    for (size_t i = 0; i < 4; i++)
        bytes[IHDR_DATA + 13 + i] = (unsigned char)(sum >> (24 - 8 * i));
}

static void forged_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at, size;
        uint32_t value;
        const char *word;
    } cases[] = {
        {0, 4, 0, "a.png: "},
        {4, 4, 0, "a.png: "},
        {0, 4, 0x80000000, "a.png: "},
        {0, 4, 0xffffffff, "a.png: "},
        {0, 4, 0x7fffffff, "6 x 2147483647 pixels"},
        {4, 4, 0x7fffffff, "2147483647 x 7 pixels"},
        {0, 4, 16385, "at most 16384"},
        {4, 4, 16385, "at most 16384"},
        {8, 1, 3, "a.png: "},
        {8, 1, 32, "a.png: "},
        {9, 1, 1, "a.png: "},
        {9, 1, 3, "PLTE"},
        {10, 1, 1, "a.png: "},
        {11, 1, 1, "a.png: "},
        {12, 1, 2, "a.png: "},
    };
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        unsigned char forged[ROOM];
        memcpy(forged, good, good_size);
        forge_header(forged, cases[i].at, cases[i].value, cases[i].size);
        test_file_write(path, forged, good_size);
        assert_refused(folder.path, EBM_ERROR_FORMAT, cases[i].word);
    }
    /* The largest size is allowed, but its pixels are not there. */
    unsigned char forged[ROOM];
    float x[SIZE];
    ebm_dataset *dataset = NULL;
    memcpy(forged, good, good_size);
    forge_header(forged, 0, 16384, 4);
    forge_header(forged, 4, 16384, 4);
    test_file_write(path, forged, good_size);
    assert_ok(create(folder.path, 0, &dataset));
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 0, 1, x, NULL), EBM_ERROR_FORMAT,
                 "a.png: ");
    ebm_dataset_destroy(dataset);
    assert_true(test_fixture.memory.peak_bytes < 1 << 20);
}

static void other_things_are_refused(void **state)
{
    (void)state;
    char missing[300];
    test_folder empty;
    assert_refused("/nonexistent/folder", EBM_ERROR_IO, "/nonexistent/folder");
    assert_refused(other, EBM_ERROR_IO, "b.png");
    assert_refused("", EBM_ERROR_IO, "folder");
    test_folder_make(&empty);
    assert_refused(empty.path, EBM_ERROR_FORMAT, "no PNG files");
    test_folder_remove(&empty);
    test_file_write(path, "GIF89a, really", 14);
    assert_refused(folder.path, EBM_ERROR_FORMAT, "a.png");
    remove(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(folder.path, EBM_ERROR_IO, "a.png: it is not a regular");
    rmdir(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(folder.path, EBM_ERROR_IO, "a.png: it is not a regular");
    remove(path);
    test_folder_file(&folder, "missing", missing);
    assert_int_equal(symlink(missing, path), 0);
    assert_refused(folder.path, EBM_ERROR_IO, "a.png");
    remove(path);
    assert_int_equal(symlink(path, path), 0);
    assert_refused(folder.path, EBM_ERROR_IO, "a.png");
    remove(path);
    test_file_write(path, good, good_size);
    chmod(path, 0);
    if (access(path, R_OK)) /* root may read all the same */
        assert_refused(folder.path, EBM_ERROR_IO, "a.png");
}

/* One line, whatever the name; of several broken files the first by name,
   however many threads look. */
static void the_first_broken_file_is_named(void **state)
{
    (void)state;
    char name[300];
    for (int i = 0; i < 20; i++) {
        char number[30];
        snprintf(number, sizeof number, "c\n\t%02d.png", i);
        test_file_write(test_folder_file(&folder, number, name), good,
                        i < 13 ? good_size : 20);
    }
    for (int threads = 1; threads <= 4; threads++) {
        assert_ok(ebm_context_set(test_fixture.context, EBM_CONTEXT_THREADS,
                                  threads));
        assert_refused(folder.path, EBM_ERROR_FORMAT, "c??13.png: ");
    }
}

static void changed_files_are_refused(void **state)
{
    (void)state;
    ebm_dataset *dataset = NULL;
    assert_ok(create(folder.path, 1, &dataset));
    test_picture picture = test_picture_write(path, &test_plain, 0, 6, 300, 3);
    free(picture.pixels);
    assert_pixels_refused(dataset, EBM_ERROR_FORMAT, "size has changed");
    remove(path);
    assert_error(test_fixture.context,
                 ebm_dataset_read(dataset, 0, 1, NULL, NULL),
                 EBM_ERROR_ARGUMENT, "x is NULL");
    ebm_dataset_destroy(dataset);
    /* Gone, and back. */
    test_file_write(path, good, good_size);
    assert_ok(create(folder.path, 1, &dataset));
    remove(path);
    assert_pixels_refused(dataset, EBM_ERROR_IO, "a.png: ");
    ebm_dataset_destroy(dataset);
}

/* A batch that would begin a new epoch and fails leaves the old one where it
   was. */
static void a_failed_batch_keeps_the_place(void **state)
{
    (void)state;
    enum { N = 5 };
    float x[N * SIZE], kept[N * SIZE];
    char name[300];
    ebm_dataset *dataset = NULL, *calm = NULL;
    for (int i = 0; i < N; i++) {
        char number[20];
        snprintf(number, sizeof number, "%d.png", i);
        test_picture picture =
            test_picture_write(test_folder_file(&folder, number, name),
                               &test_plain, 0, 4, 4, 60 + (uint64_t)i);
        free(picture.pixels);
    }
    remove(other);
    remove(path);
    assert_ok(create(folder.path, 1, &dataset));
    assert_ok(create(folder.path, 1, &calm));
    assert_ok(ebm_dataset_next(dataset, 3, x, NULL));
    assert_ok(ebm_dataset_next(calm, 3, x, NULL));
    good_size = test_file_read(name, good, ROOM);
    remove(name);
    assert_error(test_fixture.context, ebm_dataset_next(dataset, N, x, NULL),
                 EBM_ERROR_IO, "4.png");
    test_file_write(name, good, good_size);
    assert_int_equal(ebm_dataset_epoch(dataset), 0);
    assert_ok(ebm_dataset_next(dataset, 2, x, NULL));
    assert_ok(ebm_dataset_next(calm, 2, kept, NULL));
    assert_same_bits(x, kept, 2 * SIZE);
    assert_int_equal(ebm_dataset_epoch(dataset), 1);
    ebm_dataset_destroy(calm);
    ebm_dataset_destroy(dataset);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    ebm_context *context = test_fixture.context;
    ebm_dataset *dataset = NULL;
    static const struct {
        size_t shape[3];
        ebm_status status;
        const char *word;
    } cases[] = {
        {{0, 4, 1}, EBM_ERROR_ARGUMENT, "size is 0"},
        {{4, 0, 1}, EBM_ERROR_ARGUMENT, "size is 0"},
        {{4, 4, 0}, EBM_ERROR_ARGUMENT, "size is 0"},
        {{4, 4, 2}, EBM_ERROR_SHAPE, "2 channels"},
        {{4, 4, 4}, EBM_ERROR_SHAPE, "4 channels"},
        {{16385, 4, 3}, EBM_ERROR_SHAPE, "16385 x 4"},
        {{4, 16385, 3}, EBM_ERROR_SHAPE, "4 x 16385"},
        {{SIZE_MAX, SIZE_MAX, 3}, EBM_ERROR_OVERFLOW, "do not fit"},
    };
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        assert_error(context,
                     ebm_dataset_create_folder(
                         context, folder.path, cases[i].shape[0],
                         cases[i].shape[1], cases[i].shape[2], 0, 1, &dataset),
                     cases[i].status, cases[i].word);
    assert_error(context, create(NULL, 0, &dataset), EBM_ERROR_ARGUMENT,
                 "path");
    assert_error(context, create(folder.path, 0, NULL), EBM_ERROR_ARGUMENT,
                 "dataset");
    assert_status(
        ebm_dataset_create_folder(NULL, folder.path, 4, 4, 1, 0, 1, &dataset),
        EBM_ERROR_HANDLE);
    assert_null(dataset);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    test_allocator *memory = &test_fixture.memory;
    ebm_context *context = test_fixture.context;
    ebm_dataset *dataset = NULL;
    ebm_buffer *buffer = NULL;
    ebm_status status = EBM_ERROR_MEMORY;
    float x[2 * SIZE], kept[2 * SIZE];
    size_t n = 0, blocks = memory->live_blocks;
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, 2));
    while (status == EBM_ERROR_MEMORY) {
        assert_null(dataset);
        assert_int_equal(memory->live_blocks, blocks);
        test_fail_at(memory, ++n, 0);
        status = create(folder.path, SIZE, &dataset);
    }
    test_fail_at(memory, 0, 0);
    assert_ok(status);
    assert_true(n > 10);
    assert_ok(ebm_buffer_create(context, 4, SIDE, SIDE, 1, 5, &buffer));
    blocks = memory->live_blocks;
    for (int i = 0; i < 2 * SIZE; i++)
        x[i] = kept[i] = (float)i;
    for (int call = 0; call < 3; call++) {
        status = EBM_ERROR_MEMORY;
        for (n = 0; status == EBM_ERROR_MEMORY;) {
            assert_same_bits(x, kept, 2 * SIZE);
            test_fail_at(memory, ++n, 0);
            status = call == 0   ? ebm_dataset_next(dataset, 2, x, NULL)
                     : call == 1 ? ebm_dataset_read(dataset, 0, 2, x, NULL)
                                 : ebm_buffer_fill_data(buffer, dataset, 4);
            test_fail_at(memory, 0, 0);
            assert_int_equal(memory->live_blocks, blocks);
            assert_int_equal(ebm_dataset_epoch(dataset),
                             call > 0 || status == EBM_OK);
        }
        assert_ok(status);
        assert_true(n > 5);
        memcpy(kept, x, sizeof x);
    }
    ebm_buffer_destroy(buffer);
    ebm_dataset_destroy(dataset);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(truncated_files_are_refused),
        TEST(damaged_files_are_refused),
        TEST(forged_headers_are_refused),
        TEST(other_things_are_refused),
        TEST(the_first_broken_file_is_named),
        TEST(changed_files_are_refused),
        TEST(a_failed_batch_keeps_the_place),
        TEST(wrong_arguments_are_refused),
        TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
