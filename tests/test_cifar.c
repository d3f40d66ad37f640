/* CIFAR-10 files: what is read, and how damaged ones are refused. */
#include "datasets.h"
#include "ebm_test.h"
#include "folder.h"

#include <zlib.h>

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, RECORD = 1 + PIXELS, N = 7 };

static test_folder folder;
static char paths[2][300];
static const char *const both[2] = {paths[0], paths[1]};
static unsigned char records[N * RECORD];

/* The byte of a pixel, and the label, of record i. */
static unsigned char pixel(size_t i, size_t y, size_t x, size_t c)
{
    return (unsigned char)(31 * i + 7 * y + 3 * x + 85 * c + x * y);
}
static int label(size_t i)
{
    return (int)(9 - i);
}

static int set_up(void **state)
{
    test_folder_make(&folder);
    test_folder_file(&folder, "one.bin", paths[0]);
    test_folder_file(&folder, "two.bin", paths[1]);
    for (size_t i = 0; i < N; i++) {
        unsigned char *record = records + i * RECORD;
        *record++ = (unsigned char)label(i);
        for (size_t c = 0; c < 3; c++)
            for (size_t y = 0; y < SIDE; y++)
                for (size_t x = 0; x < SIDE; x++)
                    *record++ = pixel(i, y, x, c);
    }
    return test_dataset_set_up(state);
}

static int tear_down(void **state)
{
    test_folder_remove(&folder);
    return test_dataset_tear_down(state);
}

static void write_part(const char *path, const unsigned char *bytes,
                       size_t size, int gzip)
{
    if (!gzip) {
        test_file_write(path, bytes, size);
        return;
    }
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

static ebm_status create(size_t count, ebm_dataset **dataset)
{
    return ebm_dataset_create_cifar10(test_fixture.context, both, count, 3,
                                      dataset);
}

static void assert_is_all(const ebm_dataset *dataset)
{
    static float x[N * PIXELS];
    int32_t labels[N];
    size_t height, width, channels;
    assert_int_equal(ebm_dataset_count(dataset), N);
    assert_int_equal(ebm_dataset_has_labels(dataset), 1);
    assert_ok(ebm_dataset_shape(dataset, &height, &width, &channels));
    assert_true(height == SIDE && width == SIDE && channels == 3);
    assert_ok(ebm_dataset_read(dataset, 0, N, x, labels));
    const float *value = x;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(labels[i], label(i));
        for (size_t y = 0; y < SIDE; y++)
            for (size_t column = 0; column < SIDE; column++)
                for (size_t c = 0; c < 3; c++)
                    assert_close(*value++, -1 + pixel(i, y, column, c) / 127.5,
                                 1e-6, 0);
    }
}

/* One file or two, raw or gzip, cut anywhere between records. */
static void files_are_read_in_order(void **state)
{
    (void)state;
    for (int gzip = 0; gzip < 4; gzip++)
        for (size_t cut = 1; cut <= N; cut++) {
            ebm_dataset *dataset = NULL;
            write_part(paths[0], records, cut * RECORD, gzip & 1);
            if (cut < N)
                write_part(paths[1], records + cut * RECORD,
                           (N - cut) * RECORD, gzip & 2);
            assert_ok(create(cut < N ? 2 : 1, &dataset));
            assert_is_all(dataset);
            ebm_dataset_destroy(dataset);
        }
}

static void labels_come_with_batches(void **state)
{
    (void)state;
    static float x[N * PIXELS];
    int32_t labels[N];
    int seen[10] = {0};
    ebm_dataset *dataset = NULL;
    write_part(paths[0], records, sizeof records, 0);
    assert_ok(create(1, &dataset));
    assert_ok(ebm_dataset_next(dataset, N, x, labels));
    for (size_t i = 0; i < N; i++) {
        seen[labels[i]]++;
        /* The first pixel tells which sample it is. */
        size_t record = (size_t)(9 - labels[i]);
        assert_close(x[i * PIXELS], -1 + pixel(record, 0, 0, 0) / 127.5, 1e-6,
                     0);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(seen[label(i)], 1);
    ebm_dataset_destroy(dataset);
}

/* The second of two files is refused, and nothing comes of it. */
static void assert_refused(const unsigned char *bytes, size_t size, int gzip,
                           ebm_status expected, const char *word)
{
    ebm_dataset *const untouched = (ebm_dataset *)&folder;
    ebm_dataset *dataset = untouched;
    size_t blocks = test_fixture.memory.live_blocks;
    write_part(paths[0], records, RECORD, 0);
    write_part(paths[1], bytes, size, gzip);
    assert_error(test_fixture.context, create(2, &dataset), expected, word);
    assert_error(test_fixture.context, create(2, &dataset), expected,
                 "two.bin");
    assert_ptr_equal(dataset, untouched);
    assert_int_equal(test_fixture.memory.live_blocks, blocks);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,
                                   2,
                                   RECORD - 1,
                                   RECORD + 1,
                                   2 * RECORD - 1,
                                   6 * RECORD + 5,
                                   N * RECORD - 1};
    static unsigned char forged[N * RECORD];
    for (int gzip = 0; gzip < 2; gzip++) {
        assert_refused(records, 0, gzip, EBM_ERROR_FORMAT, "empty");
        for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
            char word[60];
            snprintf(word, sizeof word, "record %zu has %zu bytes",
                     sizes[i] / RECORD, sizes[i] % RECORD);
            assert_refused(records, sizes[i], gzip, EBM_ERROR_FORMAT, word);
        }
        for (int wrong = 10; wrong < 256; wrong += 49)
            for (size_t i = 0; i < N; i += 3) {
                char word[60];
                snprintf(word, sizeof word, "record %zu has the label %d", i,
                         wrong);
                memcpy(forged, records, sizeof forged);
                forged[i * RECORD] = (unsigned char)wrong;
                /* A first byte of 0x1f could not be told from gzip's. */
                assert_refused(forged, sizeof forged, gzip, EBM_ERROR_FORMAT,
                               word);
            }
    }
    /* Nothing is asked for but what reading takes. */
    assert_true(test_fixture.memory.peak_bytes < 200000);
}

static void broken_gzip_is_refused(void **state)
{
    (void)state;
    static unsigned char packed[N * RECORD];
    write_part(paths[0], records, sizeof records, 1);
    size_t size = test_file_read(paths[0], packed, sizeof packed);
    for (size_t cut = 2; cut < size; cut += 97)
        assert_refused(packed, cut, 0, EBM_ERROR_FORMAT, "truncated gzip");
    packed[size - 5] ^= 1;
    assert_refused(packed, size, 0, EBM_ERROR_FORMAT, "broken gzip");
    remove(paths[1]);
    ebm_dataset *dataset = NULL;
    assert_error(test_fixture.context, create(2, &dataset), EBM_ERROR_IO,
                 "two.bin");
    assert_null(dataset);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    ebm_context *context = test_fixture.context;
    ebm_dataset *dataset = NULL;
    const char *const holes[2] = {paths[0], NULL};
    write_part(paths[0], records, RECORD, 0);
    assert_error(context,
                 ebm_dataset_create_cifar10(context, NULL, 1, 1, &dataset),
                 EBM_ERROR_ARGUMENT, "paths is NULL");
    assert_error(context, create(0, &dataset), EBM_ERROR_ARGUMENT,
                 "count is 0");
    assert_error(context, create(1, NULL), EBM_ERROR_ARGUMENT, "dataset");
    assert_error(context,
                 ebm_dataset_create_cifar10(context, holes, 2, 1, &dataset),
                 EBM_ERROR_ARGUMENT, "path 1 is NULL");
    assert_status(ebm_dataset_create_cifar10(NULL, both, 1, 1, &dataset),
                  EBM_ERROR_HANDLE);
    assert_null(dataset);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    ebm_dataset *dataset = NULL;
    ebm_status status = EBM_ERROR_MEMORY;
    size_t n = 0, blocks = test_fixture.memory.live_blocks;
    write_part(paths[0], records, sizeof records, 0);
    while (status == EBM_ERROR_MEMORY) {
        assert_null(dataset);
        assert_int_equal(test_fixture.memory.live_blocks, blocks);
        test_fail_at(&test_fixture.memory, ++n, 0);
        status = create(1, &dataset);
    }
    test_fail_at(&test_fixture.memory, 0, 0);
    assert_ok(status);
    /* Handle, reading twice, samples, labels, order; then none. */
    assert_int_equal(n, 7);
    ebm_dataset_destroy(dataset);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_read_in_order),     TEST(labels_come_with_batches),
        TEST(damaged_files_are_refused),   TEST(broken_gzip_is_refused),
        TEST(wrong_arguments_are_refused), TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
