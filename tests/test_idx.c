/* IDX files: what is read, and how forged or damaged ones are refused. */
#include "ebm_test.h"
#include "folder.h"

#include <zlib.h>

/* Five images of 3 x 4 pixels, byte i being 7 i mod 256, with labels. */
enum { N = 5, ROWS = 3, COLUMNS = 4, DATA = N * ROWS * COLUMNS };
enum { HEAD = 16, SIZE = HEAD + DATA, LABEL_SIZE = 8 + N, ROOM = 1000 };

static test_folder folder;
static char image_path[300], label_path[300];
static test_allocator memory;
static ebm_context *context;
static unsigned char images[SIZE], labels[LABEL_SIZE];

static void put_word(unsigned char *bytes, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(word >> (24 - 8 * i));
}

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    test_folder_file(&folder, "images", image_path);
    test_folder_file(&folder, "labels", label_path);
    memset(&memory, 0, sizeof memory);
    context = test_context(&memory);
    const uint32_t head[4] = {0x803, N, ROWS, COLUMNS};
    for (int i = 0; i < 4; i++)
        put_word(images + 4 * i, head[i]);
    for (int i = 0; i < DATA; i++)
        images[HEAD + i] = (unsigned char)(7 * i);
    put_word(labels, 0x801);
    put_word(labels + 4, N);
    for (int i = 0; i < N; i++)
        labels[8 + i] = (unsigned char)(60 * i);
    return 0;
}

/* Whatever the test did, every byte of memory must have come back. */
static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
    return 0;
}

/* As gzip would do it. */
static size_t compress_gzip(const void *bytes, size_t size, unsigned char *out)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY))
        fail();
    stream.next_in = (unsigned char *)(uintptr_t)bytes;
    stream.avail_in = (uInt)size;
    stream.next_out = out;
    stream.avail_out = ROOM;
    int code = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    if (code != Z_STREAM_END)
        fail();
    return stream.total_out;
}

/* Writes the images as they are or as gzip. */
static void write_images(const void *bytes, size_t size, int gzip)
{
    unsigned char packed[ROOM];
    if (gzip) {
        size = compress_gzip(bytes, size, packed);
        bytes = packed;
    }
    test_file_write(image_path, bytes, size);
}

/* The file of images is refused, and nothing comes of it. */
static void assert_refused(ebm_status expected, const char *word)
{
    ebm_dataset *const untouched = (ebm_dataset *)&folder;
    ebm_dataset *dataset = untouched;
    size_t blocks = memory.live_blocks;
    assert_error(
        context,
        ebm_dataset_create_idx(context, image_path, NULL, 1, &dataset),
        expected, word);
    assert_error(
        context,
        ebm_dataset_create_idx(context, image_path, NULL, 1, &dataset),
        expected, "images");
    assert_ptr_equal(dataset, untouched);
    assert_int_equal(memory.live_blocks, blocks);
}

/* Both forms of a damaged file. */
static void assert_both_refused(const void *bytes, size_t size,
                                ebm_status expected, const char *word)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        write_images(bytes, size, gzip);
        assert_refused(expected, word);
    }
}

static void assert_is_what_was_written(const ebm_dataset *dataset,
                                       int has_labels)
{
    size_t height, width, channels;
    float x[DATA];
    int32_t numbers[N];
    assert_int_equal(ebm_dataset_count(dataset), N);
    assert_ok(ebm_dataset_shape(dataset, &height, &width, &channels));
    assert_int_equal(height, ROWS);
    assert_int_equal(width, COLUMNS);
    assert_int_equal(channels, 1);
    assert_int_equal(ebm_dataset_has_labels(dataset), has_labels);
    assert_ok(ebm_dataset_read(dataset, 0, N, x, numbers));
    for (int i = 0; i < DATA; i++)
        assert_close(x[i], -1 + 2 * (7 * i % 256) / 255.0, 1e-7, 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(numbers[i], has_labels ? 60 * i : 0);
}

static void raw_and_gzip_are_read(void **state)
{
    (void)state;
    for (int gzip = 0; gzip < 2; gzip++)
        for (int with_labels = 0; with_labels < 2; with_labels++) {
            ebm_dataset *dataset = NULL;
            write_images(images, SIZE, gzip);
            test_file_write(label_path, labels, LABEL_SIZE);
            assert_ok(ebm_dataset_create_idx(context, image_path,
                                             with_labels ? label_path : NULL,
                                             1, &dataset));
            assert_is_what_was_written(dataset, with_labels);
            ebm_dataset_destroy(dataset);
        }
}

/* A gzip file may consist of several members. */
static void joined_gzip_files_are_read(void **state)
{
    (void)state;
    unsigned char packed[2 * ROOM];
    for (size_t cut = 0; cut <= SIZE; cut += 19) {
        size_t size = compress_gzip(images, cut, packed);
        size += compress_gzip(images + cut, SIZE - cut, packed + size);
        test_file_write(image_path, packed, size);
        ebm_dataset *dataset = NULL;
        assert_ok(
            ebm_dataset_create_idx(context, image_path, NULL, 1, &dataset));
        assert_is_what_was_written(dataset, 0);
        ebm_dataset_destroy(dataset);
    }
}

static void wrong_headers_are_refused(void **state)
{
    (void)state;
    const struct {
        size_t offset;
        uint32_t word;
        ebm_status status;
        const char *text;
    } cases[] = {
        {0, 0x89504e47, EBM_ERROR_FORMAT, "0x89504e47"},
        {0, 0x00010803, EBM_ERROR_FORMAT, "magic"},
        {0, 0x03080000, EBM_ERROR_FORMAT, "magic"},
        {0, 0x00000d03, EBM_ERROR_FORMAT, "type 0x0d"},
        {0, 0x00000003, EBM_ERROR_FORMAT, "type 0x00"},
        {0, 0x00000801, EBM_ERROR_FORMAT, "rank 1"},
        {0, 0x00000804, EBM_ERROR_FORMAT, "rank 4"},
        {0, 0x000008ff, EBM_ERROR_FORMAT, "rank 255"},
        {4, 0, EBM_ERROR_FORMAT, "dimension 0"},
        {8, 0, EBM_ERROR_FORMAT, "dimension 1"},
        {12, 0, EBM_ERROR_FORMAT, "dimension 2"},
        {4, N + 1, EBM_ERROR_FORMAT, "72 bytes of data, the file holds 60"},
        {8, ROWS + 1, EBM_ERROR_FORMAT, "holds 60"},
        {12, COLUMNS + 1, EBM_ERROR_FORMAT, "holds 60"},
        {12, 0xffffffff, EBM_ERROR_FORMAT, "holds 60"},
        {4, N - 1, EBM_ERROR_FORMAT, "goes on"},
        {8, 1, EBM_ERROR_FORMAT, "goes on"},
    };
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        unsigned char forged[SIZE];
        memcpy(forged, images, SIZE);
        put_word(forged + cases[i].offset, cases[i].word);
        assert_both_refused(forged, SIZE, cases[i].status, cases[i].text);
    }
}

static void wrong_lengths_are_refused(void **state)
{
    (void)state;
    unsigned char longer[SIZE + 1] = {0};
    memcpy(longer, images, SIZE);
    assert_both_refused(longer, SIZE + 1, EBM_ERROR_FORMAT, "goes on");
    for (size_t size = 0; size < SIZE; size++)
        assert_both_refused(images, size, EBM_ERROR_FORMAT,
                            size < 4      ? "too few"
                            : size < HEAD ? "header"
                                          : "claims 60 bytes");
}

/* Three dimensions of 32 bits each are more than 64 bits can count. What can
   be counted but is not there must not be allocated either. */
static void huge_dimensions_cost_nothing(void **state)
{
    (void)state;
    const uint32_t cases[][3] = {{0xffffffff, 0xffffffff, 0xffffffff},
                                 {0x80000000, 0x80000000, 4},
                                 {0x80000000, 0x40000000, 1},
                                 {0xffffffff, 28, 28},
                                 {1, 65535, 0xffffffff}};
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        unsigned char forged[SIZE];
        memcpy(forged, images, SIZE);
        for (int d = 0; d < 3; d++)
            put_word(forged + 4 + 4 * d, cases[i][d]);
        if (i < 3)
            assert_both_refused(forged, SIZE, EBM_ERROR_OVERFLOW,
                                "more than memory can hold");
        else
            assert_both_refused(forged, SIZE, EBM_ERROR_FORMAT, "holds 60");
    }
    assert_true(memory.peak_bytes < 3 << 20);
}

static void truncated_gzip_is_refused(void **state)
{
    (void)state;
    unsigned char packed[ROOM];
    size_t size = compress_gzip(images, SIZE, packed);
    for (size_t cut = 2; cut < size; cut++) {
        test_file_write(image_path, packed, cut);
        assert_refused(EBM_ERROR_FORMAT, "truncated gzip");
    }
    for (size_t cut = 0; cut < 2; cut++) {
        test_file_write(image_path, packed, cut);
        assert_refused(EBM_ERROR_FORMAT, "too few");
    }
}

/* Every bit of the checksum and the length counts. A byte in the middle may
   break the format of the compressed data, forge the header (even to sizes
   that overflow), or show in the checksum alone. */
static void broken_gzip_is_refused(void **state)
{
    (void)state;
    unsigned char packed[ROOM];
    size_t size = compress_gzip(images, SIZE, packed);
    for (size_t bit = 8 * (size - 8); bit < 8 * size; bit++) {
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        test_file_write(image_path, packed, size);
        assert_refused(EBM_ERROR_FORMAT, "broken gzip");
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t byte = 10; byte < size; byte++) {
        ebm_dataset *dataset = NULL;
        packed[byte] ^= 0x55;
        test_file_write(image_path, packed, size);
        ebm_status status =
            ebm_dataset_create_idx(context, image_path, NULL, 1, &dataset);
        assert_true(status == EBM_ERROR_FORMAT ||
                    status == EBM_ERROR_OVERFLOW);
        assert_null(dataset);
        packed[byte] ^= 0x55;
    }
}

static void garbage_behind_gzip_is_refused(void **state)
{
    (void)state;
    unsigned char packed[ROOM] = {0};
    const unsigned char garbage[][3] = {
        {0, 0, 0}, {'a', 'b', 'c'}, {0x1f, 0x8b, 0}};
    size_t size = compress_gzip(images, SIZE, packed);
    for (size_t i = 0; i < TEST_COUNT(garbage); i++)
        for (size_t more = 1; more <= 3; more++) {
            memcpy(packed + size, garbage[i], more);
            test_file_write(image_path, packed, size + more);
            assert_refused(EBM_ERROR_FORMAT, "gzip");
        }
    /* A second file behind the first is data behind the end. */
    size += compress_gzip(images, SIZE, packed + size);
    test_file_write(image_path, packed, size);
    assert_refused(EBM_ERROR_FORMAT, "goes on");
}

static void labels_must_fit(void **state)
{
    (void)state;
    ebm_dataset *dataset = NULL;
    write_images(images, SIZE, 0);
    put_word(labels + 4, N - 1);
    test_file_write(label_path, labels, LABEL_SIZE - 1);
    assert_error(
        context,
        ebm_dataset_create_idx(context, image_path, label_path, 1, &dataset),
        EBM_ERROR_SHAPE, "4 labels for 5 images");
    test_file_write(label_path, images, SIZE);
    assert_error(
        context,
        ebm_dataset_create_idx(context, image_path, label_path, 1, &dataset),
        EBM_ERROR_FORMAT, "rank 3");
    test_file_write(label_path, labels, LABEL_SIZE - 2);
    assert_error(
        context,
        ebm_dataset_create_idx(context, image_path, label_path, 1, &dataset),
        EBM_ERROR_FORMAT, "labels");
    assert_null(dataset);
}

static void what_can_not_be_read_is_refused(void **state)
{
    (void)state;
    char absent[300];
    ebm_dataset *dataset = NULL;
    test_folder_file(&folder, "absent", absent);
    assert_error(context,
                 ebm_dataset_create_idx(context, absent, NULL, 1, &dataset),
                 EBM_ERROR_IO, "absent: No such file");
    assert_error(
        context,
        ebm_dataset_create_idx(context, folder.path, NULL, 1, &dataset),
        EBM_ERROR_IO, "not a regular file");
    assert_error(
        context,
        ebm_dataset_create_idx(context, "/dev/zero", NULL, 1, &dataset),
        EBM_ERROR_IO, "not a regular file");
    write_images(images, SIZE, 0);
    assert_error(
        context,
        ebm_dataset_create_idx(context, image_path, absent, 1, &dataset),
        EBM_ERROR_IO, "absent");
    assert_error(context,
                 ebm_dataset_create_idx(context, NULL, NULL, 1, &dataset),
                 EBM_ERROR_ARGUMENT, "images");
    assert_error(context,
                 ebm_dataset_create_idx(context, image_path, NULL, 1, NULL),
                 EBM_ERROR_ARGUMENT, "dataset");
    assert_status(ebm_dataset_create_idx(NULL, image_path, NULL, 1, &dataset),
                  EBM_ERROR_HANDLE);
    assert_null(dataset);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    ebm_dataset *dataset = NULL;
    ebm_status status = EBM_ERROR_MEMORY;
    size_t n = 0, blocks = memory.live_blocks;
    write_images(images, SIZE, 1);
    test_file_write(label_path, labels, LABEL_SIZE);
    while (status == EBM_ERROR_MEMORY) {
        assert_null(dataset);
        assert_int_equal(memory.live_blocks, blocks);
        test_fail_at(&memory, ++n, 0);
        status = ebm_dataset_create_idx(context, image_path, label_path, 1,
                                        &dataset);
    }
    test_fail_at(&memory, 0, 0);
    assert_ok(status);
    assert_true(n > 5);
    assert_is_what_was_written(dataset, 1);
    ebm_dataset_destroy(dataset);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raw_and_gzip_are_read),
        TEST(joined_gzip_files_are_read),
        TEST(wrong_headers_are_refused),
        TEST(wrong_lengths_are_refused),
        TEST(huge_dimensions_cost_nothing),
        TEST(truncated_gzip_is_refused),
        TEST(broken_gzip_is_refused),
        TEST(garbage_behind_gzip_is_refused),
        TEST(labels_must_fit),
        TEST(what_can_not_be_read_is_refused),
        TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
