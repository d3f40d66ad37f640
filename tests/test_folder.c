/* A folder of PNG files as a dataset: formats, resizing, names, and the
   buffer that draws from it. The cache is in test_folder_cache.c, damaged
   files in test_folder_hostile.c. */
#include "datasets.h"
#include "ebm_test.h"
#include "folder.h"
#include "pictures.h"

#include <unistd.h>

static test_folder folder;

static int set_up(void **state)
{
    test_folder_make(&folder);
    return test_dataset_set_up(state);
}

static int tear_down(void **state)
{
    test_folder_remove(&folder);
    return test_dataset_tear_down(state);
}

/* The only file of the folder, read as [height, width, channels], is what the
   reference says, rounded. */
static void assert_shows(const test_picture *picture, const size_t shape[3])
{
    size_t size = shape[0] * shape[1] * shape[2];
    float *x = test_floats(size);
    double *expected = test_doubles(size);
    ebm_dataset *dataset =
        test_picture_dataset(test_fixture.context, folder.path, shape, 0);
    assert_int_equal(ebm_dataset_count(dataset), 1);
    assert_int_equal(ebm_dataset_has_labels(dataset), 0);
    assert_ok(ebm_dataset_read(dataset, 0, 1, x, NULL));
    test_picture_resize(picture, shape[0], shape[1], shape[2], expected);
    for (size_t i = 0; i < size; i++) {
        assert_true(x[i] == floorf(x[i]) && x[i] >= 0 && x[i] <= 255);
        assert_close(x[i], expected[i], 0.5 + 1e-9, 0);
    }
    free(expected);
    free(x);
    ebm_dataset_destroy(dataset);
}

static void all_formats_are_read(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{5, 4, 3}, {5, 4, 1}, {13, 11, 3}};
    char path[300];
    test_folder_file(&folder, "a.png", path);
    for (size_t f = 0; f < TEST_FORMATS; f++)
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            test_picture picture = test_picture_write(
                path, &test_formats[f], interlaced, 13, 11, 100 + f);
            for (size_t i = 0; i < TEST_COUNT(shapes); i++)
                assert_shows(&picture, shapes[i]);
            free(picture.pixels);
        }
}

/* Of every size to every size, interlaced passes without pixels among them;
   larger, smaller, and one side each. */
static void all_sizes_are_resized(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {1, 9}, {2, 1},  {3, 5},
                                      {8, 8}, {9, 4}, {17, 33}};
    char path[300];
    test_folder_file(&folder, "a.png", path);
    for (size_t i = 0; i < TEST_COUNT(sizes); i++)
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            test_picture picture =
                test_picture_write(path, &test_plain, interlaced, sizes[i][0],
                                   sizes[i][1], 7 + i);
            for (size_t j = 0; j < TEST_COUNT(sizes); j++) {
                size_t shape[3] = {sizes[j][0], sizes[j][1], 3};
                assert_shows(&picture, shape);
            }
            free(picture.pixels);
        }
}

/* Exact means where they can be said: white stays white at any size, and
   halves are rounded upwards. */
static void the_longest_sides_work(void **state)
{
    (void)state;
    char path[300];
    static const size_t sides[][2] = {{16384, 1}, {1, 16384}, {16384, 3}};
    static const size_t shapes[][3] = {{3, 7, 3}, {1, 1, 1}};
    test_folder_file(&folder, "a.png", path);
    for (size_t i = 0; i < TEST_COUNT(sides); i++) {
        float *white = test_floats(sides[i][0] * sides[i][1]), x[63];
        for (size_t k = 0; k < sides[i][0] * sides[i][1]; k++)
            white[k] = 1;
        assert_ok(ebm_image_write_png(test_fixture.context, path, white,
                                      sides[i][0], sides[i][1], 1, 0, 1));
        free(white);
        for (size_t j = 0; j < TEST_COUNT(shapes); j++) {
            ebm_dataset *dataset = test_picture_dataset(
                test_fixture.context, folder.path, shapes[j], 0);
            assert_ok(ebm_dataset_read(dataset, 0, 1, x, NULL));
            for (size_t k = 0; k < shapes[j][0] * shapes[j][1] * shapes[j][2];
                 k++)
                assert_true(x[k] == 255);
            ebm_dataset_destroy(dataset);
        }
    }
    static const size_t point[3] = {1, 1, 1};
    const float half[2] = {0, 1};
    float x;
    assert_ok(
        ebm_image_write_png(test_fixture.context, path, half, 1, 2, 1, 0, 1));
    ebm_dataset *dataset =
        test_picture_dataset(test_fixture.context, folder.path, point, 0);
    assert_ok(ebm_dataset_read(dataset, 0, 1, &x, NULL));
    assert_true(x == 128);
    ebm_dataset_destroy(dataset);
}

/* Writes a picture of one pixel whose grey is `value`. */
static void write_point(const char *name, int value)
{
    char path[600];
    float grey = (float)value;
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    assert_ok(ebm_image_write_png(test_fixture.context, path, &grey, 1, 1, 1,
                                  0, 255));
}

static void names_are_sorted_by_bytes(void **state)
{
    (void)state;
    static const size_t point[3] = {1, 1, 1};
    static const char *const sorted[] = {
        " .png",   "\n.png",       "%s%n.png", "-rf.png", "B.PNG",
        "a b.png", "a'\".pNg",     "a10.png",  "a2.png",  "b.png.png",
        "x y.png", "\xc3\xbc.png", "\xff.png"};
    static const char *const others[] = {".png", ".hidden.png", "a.jpg",
                                         "png",  "a.png.txt",   "a.pn"};
    enum { N = TEST_COUNT(sorted) + 1 };
    char longest[256];
    memset(longest, 'm', 255);
    memcpy(longest + 251, ".png", 5);
    /* "\n" is before " "; the rest is in order, the longest name after "b". */
    int order[N] = {1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 100, 10, 11, 12};
    for (int i = N - 2; i >= 0; i--)
        write_point(sorted[i], i);
    write_point(longest, 100);
    for (size_t i = 0; i < TEST_COUNT(others); i++)
        write_point(others[i], 200);
    ebm_dataset *dataset =
        test_picture_dataset(test_fixture.context, folder.path, point, 0);
    float x[N];
    int32_t labels[N];
    memset(labels, 1, sizeof labels);
    assert_int_equal(ebm_dataset_count(dataset), N);
    assert_ok(ebm_dataset_read(dataset, 0, N, x, labels));
    for (int i = 0; i < N; i++) {
        assert_true(x[i] == (float)order[i]);
        assert_int_equal(labels[i], 0);
    }
    ebm_dataset_destroy(dataset);
    char text[700];
    snprintf(text, sizeof text, "%s/%s", folder.path, longest);
    remove(text);
}

/* Shuffled epochs, as of any dataset; a relative path stays good. */
static void epochs_are_permutations(void **state)
{
    (void)state;
    enum { N = 23 };
    static const size_t point[3] = {1, 1, 1};
    char name[20], before[1000];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "%02d.png", i);
        write_point(name, i);
    }
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder.path), 0);
    ebm_dataset *dataset =
        test_picture_dataset(test_fixture.context, ".", point, 5);
    assert_int_equal(chdir(before), 0);
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        float x[N];
        int seen[N] = {0};
        assert_int_equal(ebm_dataset_epoch(dataset), epoch);
        assert_ok(ebm_dataset_next(dataset, 11, x, NULL));
        assert_ok(ebm_dataset_next(dataset, 12, x + 11, NULL));
        for (int i = 0; i < N; i++)
            seen[(int)x[i]]++;
        for (int i = 0; i < N; i++)
            assert_int_equal(seen[i], 1);
    }
    ebm_dataset_destroy(dataset);
}

/* What the buffer draws from a folder is what it draws from the same images
   as an array. */
static void buffers_draw_from_folders(void **state)
{
    (void)state;
    enum { N = 9, CHAINS = 40, SLOTS = 30 };
    static const size_t point[3] = {1, 1, 1};
    char name[20];
    float values[N], states[2][SLOTS], drawn[2][CHAINS];
    ebm_dataset *sets[2] = {NULL, NULL};
    ebm_buffer *buffers[2] = {NULL, NULL};
    ebm_chains *chains[2] = {NULL, NULL};
    ebm_context *context = test_fixture.context;
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "%02d.png", i);
        write_point(name, 20 * i);
        values[i] = (float)(20 * i);
    }
    sets[0] = test_picture_dataset(context, folder.path, point, 3);
    assert_ok(ebm_dataset_create_array(context, values, NULL, N, 1, 1, 1, 1,
                                       &sets[1]));
    for (int i = 0; i < 2; i++) {
        assert_ok(ebm_buffer_create(context, SLOTS, 1, 1, 1, 5, &buffers[i]));
        assert_ok(ebm_chains_create(context, CHAINS, 1, 1, 1, 6, &chains[i]));
        assert_ok(ebm_buffer_set(buffers[i], EBM_BUFFER_RESET_INTERVAL, 2));
        assert_ok(ebm_buffer_set(buffers[i], EBM_BUFFER_FRESH_RATE, 0.5));
        assert_ok(ebm_buffer_fill_data(buffers[i], sets[i], SLOTS));
        ebm_dataset_destroy(sets[i]); /* the buffer keeps it */
    }
    for (int draw = 0; draw < 6; draw++) {
        for (int i = 0; i < 2; i++) {
            assert_ok(ebm_buffer_read(buffers[i], 0, SLOTS, states[i]));
            assert_ok(ebm_buffer_draw(buffers[i], chains[i]));
            memcpy(drawn[i], ebm_chains_states(chains[i]), sizeof drawn[i]);
            assert_ok(ebm_buffer_store(buffers[i], chains[i]));
        }
        assert_same_bits(states[0], states[1], SLOTS);
        assert_same_bits(drawn[0], drawn[1], CHAINS);
    }
    for (int i = 0; i < 2; i++) {
        ebm_chains_destroy(chains[i]);
        ebm_buffer_destroy(buffers[i]);
    }
}

/* Draws and fills that can not read a file leave the buffer as it was. */
static void failed_draws_change_nothing(void **state)
{
    (void)state;
    enum { SLOTS = 12, CHAINS = 10 };
    /* Three bytes do not fit into a cache of one. */
    static const size_t point[3] = {1, 1, 3};
    ebm_context *context = test_fixture.context;
    ebm_buffer *buffer = NULL;
    ebm_chains *chains = NULL;
    float before[3 * SLOTS], after[3 * SLOTS];
    char path[300];
    test_folder_file(&folder, "a.png", path);
    write_point("a.png", 10);
    write_point("b.png", 20);
    ebm_dataset *dataset =
        test_picture_dataset(context, folder.path, point, 1);
    assert_ok(ebm_buffer_create(context, SLOTS, 1, 1, 3, 5, &buffer));
    assert_ok(ebm_chains_create(context, CHAINS, 1, 1, 3, 6, &chains));
    assert_ok(ebm_buffer_set(buffer, EBM_BUFFER_RESET_INTERVAL, 1));
    assert_ok(ebm_buffer_fill_data(buffer, dataset, SLOTS));
    assert_ok(ebm_buffer_draw(buffer, chains)); /* the next one resets */
    assert_ok(ebm_buffer_fill_uniform(buffer, SLOTS, 0, 1));
    assert_ok(ebm_buffer_read(buffer, 0, SLOTS, before));
    remove(path);
    assert_error(context, ebm_buffer_fill_data(buffer, dataset, SLOTS),
                 EBM_ERROR_IO, "a.png");
    assert_ok(ebm_buffer_read(buffer, 0, SLOTS, after));
    assert_same_bits(before, after, 3 * SLOTS);
    assert_ok(ebm_buffer_fill_data(buffer, dataset, 0)); /* needs no file */
    write_point("a.png", 10);
    assert_ok(ebm_buffer_fill_data(buffer, dataset, SLOTS));
    remove(path);
    assert_ok(ebm_buffer_read(buffer, 0, SLOTS, before));
    memcpy(after, ebm_chains_states(chains), 3 * CHAINS * sizeof *after);
    assert_error(context, ebm_buffer_draw(buffer, chains), EBM_ERROR_IO,
                 "a.png");
    assert_same_bits(ebm_chains_states(chains), after, 3 * CHAINS);
    assert_ok(ebm_buffer_read(buffer, 0, SLOTS, after));
    assert_same_bits(before, after, 3 * SLOTS);
    write_point("a.png", 10);
    assert_ok(ebm_buffer_draw(buffer, chains));
    ebm_chains_destroy(chains);
    ebm_buffer_destroy(buffer);
    ebm_dataset_destroy(dataset);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_formats_are_read),        TEST(all_sizes_are_resized),
        TEST(the_longest_sides_work),      TEST(names_are_sorted_by_bytes),
        TEST(epochs_are_permutations),     TEST(buffers_draw_from_folders),
        TEST(failed_draws_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
