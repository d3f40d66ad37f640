/* The cache of a folder's images: what it holds, what it costs, and that
   nothing else depends on it; nor on threads. */
#include "datasets.h"
#include "ebm_test.h"
#include "folder.h"
#include "pictures.h"

#include "dataset/cache.h"

enum { N = 30, SIDE = 8, SIZE = SIDE * SIDE * 3 };
static const size_t shape[3] = {SIDE, SIDE, 3};

static test_folder folder;
static float expected[N * SIZE];

static const char *image_path(int i, char path[300])
{
    char name[20];
    snprintf(name, sizeof name, "%02d.png", i);
    return test_folder_file(&folder, name, path);
}

static void write_images(void)
{
    char path[300];
    for (int i = 0; i < N; i++) {
        size_t f = (size_t)i % TEST_FORMATS;
        size_t height = 5 + (size_t)i % 7, width = 4 + (size_t)i % 11;
        test_picture picture =
            test_picture_write(image_path(i, path), &test_formats[f], i % 3,
                               height, width, 50 + (uint64_t)i);
        free(picture.pixels);
    }
}

static void remove_images(void)
{
    char path[300];
    for (int i = 0; i < N; i++)
        remove(image_path(i, path));
}

/* expected: the images as a dataset without a cache has them. */
static int set_up(void **state)
{
    test_folder_make(&folder);
    test_dataset_set_up(state);
    write_images();
    assert_ok(ebm_context_set(test_fixture.context, EBM_CONTEXT_THREADS, 1));
    ebm_dataset *dataset =
        test_picture_dataset(test_fixture.context, folder.path, shape, 1);
    for (size_t i = 0; i < N; i++)
        assert_ok(ebm_dataset_read(dataset, i, 1, expected + i * SIZE, NULL));
    ebm_dataset_destroy(dataset);
    return 0;
}

static int tear_down(void **state)
{
    test_folder_remove(&folder);
    return test_dataset_tear_down(state);
}

/* Caches of none to all, threads, batches of one to all: the same bits. */
static void bits_depend_on_nothing(void **state)
{
    (void)state;
    static const size_t caches[] = {1,         SIZE - 1, SIZE, 3 * SIZE,
                                    29 * SIZE, N * SIZE, 0,    SIZE_MAX};
    static const int threads[] = {1, 2, 4};
    static float first[3 * N * SIZE], x[3 * N * SIZE];
    int has_first = 0;
    for (size_t c = 0; c < TEST_COUNT(caches); c++)
        for (size_t t = 0; t < TEST_COUNT(threads); t++) {
            assert_ok(ebm_context_set(test_fixture.context,
                                      EBM_CONTEXT_THREADS, threads[t]));
            ebm_dataset *dataset = test_picture_dataset(
                test_fixture.context, folder.path, shape, caches[c]);
            for (int round = 0; round < 2; round++) {
                assert_ok(ebm_dataset_read(dataset, 0, N, x, NULL));
                assert_same_bits(x, expected, N * SIZE);
                for (size_t i = 0; i + 7 <= N; i += 5) {
                    assert_ok(ebm_dataset_read(dataset, i, 7, x, NULL));
                    assert_same_bits(x, expected + i * SIZE, 7 * SIZE);
                }
            }
            assert_ok(ebm_dataset_set(dataset, EBM_DATASET_NOISE_STD, 3));
            assert_ok(ebm_dataset_set(dataset, EBM_DATASET_DEQUANTISE, 1));
            for (size_t i = 0; i < 3 * N; i += 6)
                assert_ok(ebm_dataset_next(dataset, 6, x + i * SIZE, NULL));
            if (has_first)
                assert_same_bits(x, first, 3 * N * SIZE);
            memcpy(first, x, sizeof x);
            has_first = 1;
            ebm_dataset_destroy(dataset);
        }
}

/* Bytes that live once the dataset is made, and at most in reading it all. */
static size_t measure(size_t cache_bytes, size_t *peak)
{
    static float x[N * SIZE];
    test_allocator *memory = &test_fixture.memory;
    size_t before = memory->live_bytes;
    ebm_dataset *dataset = test_picture_dataset(
        test_fixture.context, folder.path, shape, cache_bytes);
    size_t live = memory->live_bytes;
    memory->peak_bytes = live;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < N; i += 5) {
            assert_ok(ebm_dataset_read(dataset, i, 5, x, NULL));
            assert_ok(ebm_dataset_next(dataset, 5, x, NULL));
            assert_int_equal(memory->live_bytes, live);
        }
    *peak = memory->peak_bytes - live;
    ebm_dataset_destroy(dataset);
    assert_int_equal(memory->live_bytes, before);
    return live - before;
}

static void the_bound_is_held(void **state)
{
    (void)state;
    size_t peak, none = measure(1, &peak);
    for (size_t images = 0; images <= N + 2; images += 4) {
        size_t live = measure(images * SIZE + SIZE - 1, &peak);
        size_t held = images < N ? images : N;
        /* Pixels; two words and a byte an image; four blocks' heads and
           the rounding of their ends. */
        assert_true(live - none >= held * SIZE);
        assert_true(live - none <= held * (SIZE + 17) + N * 8 + 4 * 192);
        /* For a call of its own: the batch, and one thread's room. */
        assert_true(peak >= 5 * SIZE);
        assert_true(peak <= 5 * SIZE + 24 * SIDE * (SIDE + 1) + 2000);
    }
}

/* What is held needs no file any more: exactly as many images as fit. */
static void the_cache_holds_what_it_may(void **state)
{
    (void)state;
    static float x[N * SIZE];
    for (size_t places = 0; places <= N; places += 6) {
        size_t held = 0;
        write_images();
        ebm_dataset *dataset = test_picture_dataset(
            test_fixture.context, folder.path, shape, places * SIZE + 1);
        for (int round = 0; round < 2; round++)
            assert_ok(ebm_dataset_read(dataset, 0, N, x, NULL));
        remove_images();
        for (size_t i = 0; i < N; i++) {
            ebm_status status = ebm_dataset_read(dataset, i, 1, x, NULL);
            if (status == EBM_OK)
                assert_same_bits(x, expected + i * SIZE, SIZE);
            else
                assert_status(status, EBM_ERROR_IO);
            held += status == EBM_OK;
        }
        assert_int_equal(held, places);
        ebm_dataset_destroy(dataset);
    }
}

/* What CLOCK does with three places, by hand. */
static void the_clock_spares_what_was_used(void **state)
{
    (void)state;
    ebm_cache cache = {0};
    uint8_t bytes[6][2];
    for (int i = 0; i < 6; i++)
        bytes[i][0] = bytes[i][1] = (uint8_t)(10 + i);
    assert_ok(ebm_cache_create(test_fixture.context, 6, 2, 7, &cache));
    assert_int_equal(cache.places, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_null(ebm_cache_find(&cache, i));
        ebm_cache_put(&cache, i, bytes[i]);
    }
    assert_memory_equal(ebm_cache_find(&cache, 0), bytes[0], 2);
    ebm_cache_put(&cache, 3, bytes[3]); /* spares 0, replaces 1 */
    assert_null(ebm_cache_find(&cache, 1));
    ebm_cache_put(&cache, 4, bytes[4]); /* replaces 2 */
    assert_null(ebm_cache_find(&cache, 2));
    ebm_cache_put(&cache, 5, bytes[5]); /* 0 was spared once: it goes */
    assert_null(ebm_cache_find(&cache, 0));
    for (size_t i = 3; i < 6; i++)
        assert_memory_equal(ebm_cache_find(&cache, i), bytes[i], 2);
    ebm_cache_put(&cache, 0, bytes[0]); /* all were used: a whole round */
    assert_memory_equal(ebm_cache_find(&cache, 0), bytes[0], 2);
    ebm_cache_put(&cache, 0, bytes[1]); /* held already */
    assert_memory_equal(ebm_cache_find(&cache, 0), bytes[0], 2);
    ebm_cache_destroy(test_fixture.context, &cache);
    ebm_cache_destroy(test_fixture.context, &cache);
}

typedef struct reader {
    const ebm_dataset *dataset;
    uint64_t seed;
    int wrong;
} reader;

static void *read_around(void *argument)
{
    reader *mine = argument;
    float x[4 * SIZE];
    for (int i = 0; i < 60; i++) {
        size_t first = test_random_word(&mine->seed) % (N - 3);
        if (ebm_dataset_read(mine->dataset, first, 4, x, NULL) != EBM_OK ||
            memcmp(x, expected + first * SIZE, sizeof x))
            mine->wrong++;
    }
    return NULL;
}

static void several_threads_may_read(void **state)
{
    (void)state;
    enum { READERS = 4 };
    static const size_t caches[] = {1, 5 * SIZE, N * SIZE};
    for (size_t c = 0; c < TEST_COUNT(caches); c++) {
        ebm_dataset *dataset = test_picture_dataset(
            test_fixture.context, folder.path, shape, caches[c]);
        pthread_t threads[READERS];
        reader readers[READERS];
        int started[READERS];
        for (int i = 0; i < READERS; i++) {
            readers[i] = (reader){dataset, 70 + (uint64_t)i, 0};
            started[i] =
                !pthread_create(&threads[i], NULL, read_around, &readers[i]);
        }
        for (int i = 0; i < READERS; i++)
            if (started[i])
                pthread_join(threads[i], NULL);
        for (int i = 0; i < READERS; i++)
            assert_true(started[i] && !readers[i].wrong);
        ebm_dataset_destroy(dataset);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bits_depend_on_nothing),
        TEST(the_bound_is_held),
        TEST(the_cache_holds_what_it_may),
        TEST(the_clock_spares_what_was_used),
        TEST(several_threads_may_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
