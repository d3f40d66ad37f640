/* PNG files, read back by libpng's own simplified reader. */
#include "ebm_test.h"
#include "folder.h"

#include <png.h>
#include <sys/stat.h>

static test_folder folder;
static char path[300];
static test_allocator memory;
static ebm_context *context;

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    test_folder_file(&folder, "picture.png", path);
    memset(&memory, 0, sizeof memory);
    context = test_context(&memory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
    return 0;
}

/* The file holds exactly these bytes [height, width, channels], 8 bits. */
static void assert_picture(const uint8_t *expected, size_t height,
                           size_t width, size_t channels)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path))
        fail_msg("%s", image.message);
    png_uint_32 format = channels == 1   ? PNG_FORMAT_GRAY
                         : channels == 3 ? PNG_FORMAT_RGB
                                         : PNG_FORMAT_RGBA;
    assert_int_equal(image.format, format);
    assert_int_equal(image.height, height);
    assert_int_equal(image.width, width);
    uint8_t *pixels = test_memory(PNG_IMAGE_SIZE(image));
    if (!png_image_finish_read(&image, NULL, pixels, 0, NULL))
        fail_msg("%s", image.message);
    assert_memory_equal(pixels, expected, height * width * channels);
    free(pixels);
}

static void every_byte_survives(void **state)
{
    (void)state;
    enum { HEIGHT = 16, WIDTH = 48 };
    static const size_t channels[] = {1, 3, 4};
    static float pixels[HEIGHT * WIDTH * 4];
    static uint8_t expected[HEIGHT * WIDTH * 4];
    for (size_t i = 0; i < TEST_COUNT(expected); i++) {
        expected[i] = (uint8_t)(i * 167 + i / 256);
        pixels[i] = (float)(-1 + 2 * expected[i] / 255.0);
    }
    for (size_t i = 0; i < TEST_COUNT(channels); i++) {
        assert_ok(ebm_image_write_png(context, path, pixels, HEIGHT, WIDTH,
                                      channels[i], -1, 1));
        assert_picture(expected, HEIGHT, WIDTH, channels[i]);
    }
    assert_int_equal(test_folder_count(&folder), 1);
}

/* The nearest byte, halves upwards, ends clamped. */
static void values_are_rounded_and_clamped(void **state)
{
    (void)state;
    const float pixels[] = {-1e30f,  -5,      -0.6f,  -0.4f,  0,
                            0.49f,   0.5f,    1.49f,  1.5f,   127.4f,
                            254.49f, 254.51f, 255.4f, 255.6f, 1e30f};
    const uint8_t expected[] = {0, 0,   0,   0,   0,   0,   1,  1,
                                2, 127, 254, 255, 255, 255, 255};
    assert_ok(ebm_image_write_png(context, path, pixels, 1, TEST_COUNT(pixels),
                                  1, 0, 255));
    assert_picture(expected, 1, TEST_COUNT(pixels), 1);
}

/* No step may become NaN or run into an undefined conversion. */
static void extreme_ranges_work(void **state)
{
    (void)state;
    const float pixels[] = {-3e38f, -1, 0, 1, 3e38f};
    const uint8_t tiny[] = {0, 0, 0, 255, 255};
    const uint8_t large[] = {128, 128, 128, 128, 128};
    assert_ok(ebm_image_write_png(context, path, pixels, 1, 5, 1, 0, 5e-324));
    assert_picture(tiny, 1, 5, 1);
    assert_ok(
        ebm_image_write_png(context, path, pixels, 1, 5, 1, -8e307, 8e307));
    assert_picture(large, 1, 5, 1);
}

/* The layout by the opposite way: each source pixel is put where it goes. */
static void assert_grid(size_t n, size_t height, size_t width, size_t channels,
                        size_t columns, size_t zoom)
{
    size_t rows = (n + columns - 1) / columns;
    size_t tall = rows * (height * zoom + 1) + 1;
    size_t wide = columns * (width * zoom + 1) + 1;
    size_t size = n * height * width * channels;
    float *images = test_floats(size);
    uint8_t *expected = test_memory(tall * wide * channels);
    memset(expected, 128, tall * wide * channels);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(i * 101 + 13);
        images[i] = (float)(byte / 255.0);
        size_t c = i % channels, x = i / channels % width;
        size_t y = i / channels / width % height;
        size_t image = i / channels / width / height;
        size_t top = 1 + image / columns * (height * zoom + 1) + y * zoom;
        size_t left = 1 + image % columns * (width * zoom + 1) + x * zoom;
        for (size_t a = 0; a < zoom; a++)
            for (size_t b = 0; b < zoom; b++)
                expected[((top + a) * wide + left + b) * channels + c] = byte;
    }
    assert_ok(ebm_image_write_grid(context, path, images, n, height, width,
                                   channels, columns, zoom, 0, 1));
    assert_picture(expected, tall, wide, channels);
    free(images);
    free(expected);
}

static void grids_are_laid_out(void **state)
{
    (void)state;
    assert_grid(1, 1, 1, 1, 1, 1);
    assert_grid(6, 3, 5, 1, 3, 1);
    assert_grid(5, 3, 5, 1, 2, 3);
    assert_grid(7, 4, 2, 3, 4, 2);
    assert_grid(3, 2, 2, 4, 5, 2);
    assert_grid(64, 28, 28, 1, 8, 2);
}

static void the_same_picture_is_the_same_file(void **state)
{
    (void)state;
    static float pixels[64 * 64];
    static unsigned char first[10000], second[10000];
    uint64_t random = 3;
    test_fill_uniform(&random, pixels, 64 * 64, 0, 1);
    assert_ok(ebm_image_write_png(context, path, pixels, 64, 64, 1, 0, 1));
    size_t size = test_file_read(path, first, sizeof first);
    test_folder_file(&folder, "second.png", path);
    assert_ok(ebm_image_write_png(context, path, pixels, 64, 64, 1, 0, 1));
    assert_int_equal(test_file_read(path, second, sizeof second), size);
    assert_memory_equal(first, second, size);
    for (size_t i = 0; i + 4 <= size; i++)
        assert_memory_not_equal(first + i, "tIME", 4);
}

static void the_longest_side_works(void **state)
{
    (void)state;
    static float pixels[65536];
    static uint8_t expected[65535];
    assert_ok(ebm_image_write_png(context, path, pixels, 1, 65535, 1, 0, 1));
    assert_picture(expected, 1, 65535, 1);
    assert_error(context,
                 ebm_image_write_png(context, path, pixels, 65536, 1, 1, 0, 1),
                 EBM_ERROR_SHAPE, "65536 x 1");
    assert_error(context,
                 ebm_image_write_png(context, path, pixels, 1, 65536, 1, 0, 1),
                 EBM_ERROR_SHAPE, "1 x 65536");
}

static void bad_pictures_are_refused(void **state)
{
    (void)state;
    float x[48] = {0};
    const struct {
        size_t height, width, channels;
        double minimum, maximum;
        ebm_status status;
        const char *word;
    } cases[] = {
        {0, 4, 1, 0, 1, EBM_ERROR_ARGUMENT, "[0, 4, 1]"},
        {4, 0, 1, 0, 1, EBM_ERROR_ARGUMENT, "[4, 0, 1]"},
        {4, 4, 0, 0, 1, EBM_ERROR_ARGUMENT, "[4, 4, 0]"},
        {4, 4, 2, 0, 1, EBM_ERROR_SHAPE, "2 channels"},
        {1, 1, 5, 0, 1, EBM_ERROR_SHAPE, "5 channels"},
        {SIZE_MAX, SIZE_MAX, 1, 0, 1, EBM_ERROR_SHAPE, "65535"},
        {4, 4, 1, 1, 1, EBM_ERROR_RANGE, "[1, 1]"},
        {4, 4, 1, 1, 0, EBM_ERROR_RANGE, "[1, 0]"},
        {4, 4, 1, NAN, 1, EBM_ERROR_RANGE, "nan"},
        {4, 4, 1, 0, NAN, EBM_ERROR_RANGE, "nan"},
        {4, 4, 1, -INFINITY, 1, EBM_ERROR_RANGE, "inf"},
        {4, 4, 1, 0, INFINITY, EBM_ERROR_RANGE, "inf"},
        {4, 4, 1, -1e308, 1e308, EBM_ERROR_RANGE, "1e+308"},
    };
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        assert_error(context,
                     ebm_image_write_png(context, path, x, cases[i].height,
                                         cases[i].width, cases[i].channels,
                                         cases[i].minimum, cases[i].maximum),
                     cases[i].status, cases[i].word);
        ebm_status status = ebm_image_write_grid(
            context, path, x, 1, cases[i].height, cases[i].width,
            cases[i].channels, 1, 1, cases[i].minimum, cases[i].maximum);
        assert_true(
            status == cases[i].status ||
            (cases[i].height == SIZE_MAX && status == EBM_ERROR_OVERFLOW));
    }
    assert_error(context, ebm_image_write_png(context, NULL, x, 4, 4, 1, 0, 1),
                 EBM_ERROR_ARGUMENT, "path");
    assert_error(context,
                 ebm_image_write_png(context, path, NULL, 4, 4, 1, 0, 1),
                 EBM_ERROR_ARGUMENT, "pixels");
    assert_status(ebm_image_write_png(NULL, path, x, 4, 4, 1, 0, 1),
                  EBM_ERROR_HANDLE);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        x[15 - i] = bad[i];
        assert_error(context,
                     ebm_image_write_png(context, path, x, 4, 4, 1, 0, 1),
                     EBM_ERROR_NON_FINITE, "not finite");
        assert_error(
            context,
            ebm_image_write_grid(context, path, x, 3, 4, 4, 1, 2, 1, 0, 1),
            EBM_ERROR_NON_FINITE, "not finite");
        x[15 - i] = 0;
    }
    assert_int_equal(test_folder_count(&folder), 0);
}

static void bad_grids_are_refused(void **state)
{
    (void)state;
    float x[4] = {0};
    const struct {
        size_t n, height, columns, zoom;
        ebm_status status;
        const char *word;
    } cases[] = {
        {0, 2, 1, 1, EBM_ERROR_ARGUMENT, "[0, 2, 2, 1]"},
        {1, 2, 0, 1, EBM_ERROR_ARGUMENT, "0 columns"},
        {1, 2, 1, 0, EBM_ERROR_ARGUMENT, "zoom 0"},
        {1, 2, 1, SIZE_MAX, EBM_ERROR_OVERFLOW, "too many"},
        {1, 2, SIZE_MAX / 3, 1, EBM_ERROR_OVERFLOW, "too many"},
        {1, SIZE_MAX, 1, 1, EBM_ERROR_OVERFLOW, "too many"},
        {SIZE_MAX, 2, 1, 1, EBM_ERROR_OVERFLOW, "too many"},
        {1, 2, 30000, 1, EBM_ERROR_SHAPE, "90001"},
        {1, 2, 1, 40000, EBM_ERROR_SHAPE, "80002"},
        {30000, 2, 1, 1, EBM_ERROR_SHAPE, "90001"},
    };
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        assert_error(
            context,
            ebm_image_write_grid(context, path, x, cases[i].n, cases[i].height,
                                 2, 1, cases[i].columns, cases[i].zoom, 0, 1),
            cases[i].status, cases[i].word);
    assert_int_equal(test_folder_count(&folder), 0);
}

static void unwritable_paths_leave_nothing(void **state)
{
    (void)state;
    float x[4] = {0};
    char bad[300];
    test_folder_file(&folder, "absent/picture.png", bad);
    assert_error(context, ebm_image_write_png(context, bad, x, 2, 2, 1, 0, 1),
                 EBM_ERROR_IO, "absent/picture.png: No such file");
    test_folder_file(&folder, "folder.png", bad);
    assert_int_equal(mkdir(bad, 0777), 0);
    assert_error(context,
                 ebm_image_write_grid(context, bad, x, 1, 2, 2, 1, 1, 1, 0, 1),
                 EBM_ERROR_IO, "folder.png");
    assert_int_equal(test_folder_count(&folder), 1);
}

/* libpng leaves by longjmp here; the old picture stays. */
static void a_full_disk_leaves_the_old_picture(void **state)
{
    (void)state;
    enum { SIDE = 400 };
    const uint8_t old_bytes[4] = {0, 0, 0, 255};
    const float old_pixels[4] = {0, 0, 0, 1};
    float *pixels = test_floats(SIDE * SIDE);
    uint64_t random = 5;
    test_fill_uniform(&random, pixels, SIDE * SIDE, 0, 1);
    assert_ok(ebm_image_write_png(context, path, old_pixels, 2, 2, 1, 0, 1));
    static const size_t limits[] = {1, 5000, 50000, 150000};
    for (size_t i = 0; i < TEST_COUNT(limits); i++) {
        test_file_limit(limits[i]);
        ebm_status status =
            ebm_image_write_png(context, path, pixels, SIDE, SIDE, 1, 0, 1);
        test_file_limit(0);
        assert_error(context, status, EBM_ERROR_IO, "File too large");
        assert_picture(old_bytes, 2, 2, 1);
        assert_int_equal(test_folder_count(&folder), 1);
    }
    assert_ok(ebm_image_write_png(context, path, pixels, SIDE, SIDE, 1, 0, 1));
    free(pixels);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    float x[4] = {0};
    ebm_status status = EBM_ERROR_MEMORY;
    size_t n = 0, blocks = memory.live_blocks;
    while (status == EBM_ERROR_MEMORY) {
        assert_int_equal(test_folder_count(&folder), 0);
        test_fail_at(&memory, ++n, 0);
        status = ebm_image_write_png(context, path, x, 2, 2, 1, 0, 1);
        assert_int_equal(memory.live_blocks, blocks);
    }
    test_fail_at(&memory, 0, 0);
    assert_ok(status);
    assert_true(n > 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_byte_survives),
        TEST(values_are_rounded_and_clamped),
        TEST(extreme_ranges_work),
        TEST(grids_are_laid_out),
        TEST(the_same_picture_is_the_same_file),
        TEST(the_longest_side_works),
        TEST(bad_pictures_are_refused),
        TEST(bad_grids_are_refused),
        TEST(unwritable_paths_leave_nothing),
        TEST(a_full_disk_leaves_the_old_picture),
        TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
