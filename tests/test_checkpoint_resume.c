/*
 * A run that stops, and goes on elsewhere, gives the bits of one that did not
 * stop: whatever it is made of, wherever it stops, on any number of threads.
 */
#include "apart.h"
#include "model_file.h"
#include "training.h"

enum { ITERATIONS = 9, SEED = 3, OTHER_SEED = 4711 };

static char other_path[300];

/* What a run is after all its iterations: the bytes of its checkpoint. */
static unsigned char *finish(test_run *run, size_t *size)
{
    test_run_train(run, ITERATIONS - run->done);
    test_run_save(run, model_path);
    test_run_end(run);
    return test_slurp(model_path, size);
}

/* Stops after `stop` iterations. Nothing is left of the first run when the
   second one begins, and every seed of that is another. */
static void assert_resumes(const test_recipe *recipe, size_t stop,
                           int threads_before, int threads_after,
                           const unsigned char *bytes, size_t size)
{
    size_t now;
    test_run run =
        test_run_begin(recipe, test_context_threads(threads_before), SEED);
    test_run_train(&run, stop);
    test_run_save(&run, other_path);
    test_run_end(&run);

    run = test_run_begin(recipe, test_context_threads(threads_after),
                         OTHER_SEED);
    test_run_train(&run, stop % 3); /* what it was before does not matter */
    test_run_load(&run, other_path);
    assert_int_equal(run.done, stop);
    unsigned char *found = finish(&run, &now);
    if (now != size || memcmp(found, bytes, size) != 0)
        print_message("%s, stopped after %zu:\n", recipe->name, stop);
    assert_int_equal(now, size);
    assert_memory_equal(found, bytes, size);
    free(found);
}

static void test_every_recipe_resumes_to_the_bit(void **state)
{
    (void)state;
    test_folder_file(&model_folder, "stopped", other_path);
    for (size_t i = 0; i < test_recipe_count; i++) {
        const test_recipe *recipe = test_recipes + i;
        size_t size;
        test_run run = test_run_begin(recipe, test_context_threads(1), SEED);
        unsigned char *bytes = finish(&run, &size);
        for (size_t stop = 0; stop <= ITERATIONS; stop++)
            assert_resumes(recipe, stop, 1 + (int)(stop % 2),
                           2 - (int)(stop % 2), bytes, size);
        free(bytes);
        remove(model_path);
    }
    remove(other_path);
}

/* The test above compares files, so files must tell runs apart: every
   iteration changes what is in them. */
static void test_files_differ_from_iteration_to_iteration(void **state)
{
    (void)state;
    for (size_t i = 0; i < test_recipe_count; i++) {
        test_run run =
            test_run_begin(test_recipes + i, test_context_threads(1), SEED);
        size_t sizes[2];
        unsigned char *bytes[2];
        for (size_t k = 0; k < 2; k++) {
            test_run_save(&run, model_path);
            bytes[k] = test_slurp(model_path, &sizes[k]);
            run.done = 0; /* the number is not what differs */
            test_run_train(&run, 1);
            run.done = 0;
        }
        assert_true(sizes[0] != sizes[1] ||
                    memcmp(bytes[0], bytes[1], sizes[0]) != 0);
        free(bytes[0]);
        free(bytes[1]);
        test_run_end(&run);
    }
    remove(model_path);
}

/* Between the draw and the store: under write-back the chains must find their
   slots again. */
static void test_chains_keep_their_slots(void **state)
{
    (void)state;
    float x[2][(TEST_CAPACITY - 4) * TEST_SIDE * TEST_SIDE];
    for (int is_resumed = 0; is_resumed < 2; is_resumed++) {
        test_run run =
            test_run_begin(test_recipes + 2, test_context_threads(1), SEED);
        test_run_train(&run, 2);
        assert_ok(ebm_buffer_draw(run.buffer, run.chains));
        assert_ok(ebm_sampler_run(run.sampler, run.model, run.chains));
        test_run_save(&run, model_path);
        if (is_resumed) {
            test_run_end(&run);
            run = test_run_begin(test_recipes + 2, test_context_threads(1),
                                 OTHER_SEED);
            assert_ok(ebm_buffer_draw(run.buffer, run.chains));
            test_run_load(&run, model_path);
        }
        assert_ok(ebm_buffer_store(run.buffer, run.chains));
        assert_ok(ebm_buffer_read(run.buffer, 0, ebm_buffer_size(run.buffer),
                                  x[is_resumed]));
        test_run_end(&run);
    }
    assert_same_bits(x[0], x[1], sizeof x[0] / sizeof x[0][0]);
    remove(model_path);
}

/* Chains of before the load are of a buffer that is no more. */
static void test_other_chains_lose_their_slots(void **state)
{
    (void)state;
    ebm_chains *others = NULL;
    test_run run =
        test_run_begin(test_recipes + 2, test_context_threads(1), SEED);
    test_run_save(&run, model_path);
    assert_ok(ebm_chains_create(run.context, 2, TEST_SIDE, TEST_SIDE, 1, 1,
                                &others));
    assert_ok(ebm_buffer_draw(run.buffer, others));
    test_run_load(&run, model_path);
    assert_status(ebm_buffer_store(run.buffer, others), EBM_ERROR_STATE);
    ebm_chains_destroy(others);
    test_run_end(&run);
    remove(model_path);
}

/* With the average in the model's place the file holds both, and the run goes
   on when they are swapped back. */
static void test_a_swapped_average_stays_swapped(void **state)
{
    (void)state;
    const test_recipe *recipe = test_recipes + 1;
    size_t sizes[2];
    unsigned char *bytes[2];
    for (int is_resumed = 0; is_resumed < 2; is_resumed++) {
        test_run run = test_run_begin(recipe, test_context_threads(1), SEED);
        test_run_train(&run, 3);
        assert_ok(ebm_optimizer_swap_average(run.optimizer));
        test_run_save(&run, model_path);
        if (is_resumed) {
            test_run_end(&run);
            run = test_run_begin(recipe, test_context_threads(1), OTHER_SEED);
            test_run_load(&run, model_path);
            assert_status(ebm_optimizer_step(run.optimizer), EBM_ERROR_STATE);
        }
        assert_ok(ebm_optimizer_swap_average(run.optimizer));
        bytes[is_resumed] = finish(&run, &sizes[is_resumed]);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
    remove(model_path);
}

/* Diverged chains stay marked, and numbers keep all bits. */
static void test_marks_and_large_numbers(void **state)
{
    (void)state;
    uint64_t step = 0, now = 0, number = 0;
    float *theta = NULL;
    test_run run = test_run_begin(test_recipes, test_context_threads(1), SEED);
    assert_ok(ebm_buffer_draw(run.buffer, run.chains));
    assert_ok(ebm_model_begin_write(run.model, &theta));
    for (size_t i = 0; i < ebm_model_parameter_count(run.model); i++)
        theta[i] = 1e30f;
    assert_ok(ebm_model_end_write(run.model));
    assert_status(ebm_sampler_run(run.sampler, run.model, run.chains),
                  EBM_ERROR_DIVERGED);
    assert_ok(ebm_chains_diverged(run.chains, 0, &step));
    assert_true(step > 0);
    assert_ok(ebm_checkpoint_set_number(run.checkpoint, "large", UINT64_MAX));
    assert_ok(ebm_checkpoint_set_number(run.checkpoint, "odd",
                                        (UINT64_C(1) << 53) + 1));
    test_run_save(&run, model_path);
    test_run_end(&run);

    run = test_run_begin(test_recipes, test_context_threads(1), OTHER_SEED);
    assert_ok(ebm_checkpoint_set_number(run.checkpoint, "mine", 1));
    test_run_load(&run, model_path);
    assert_ok(ebm_chains_diverged(run.chains, 0, &now));
    assert_int_equal(now, step);
    assert_status(ebm_buffer_store(run.buffer, run.chains),
                  EBM_ERROR_DIVERGED);
    assert_ok(ebm_checkpoint_get_number(run.checkpoint, "large", &number));
    assert_true(number == UINT64_MAX);
    assert_ok(ebm_checkpoint_get_number(run.checkpoint, "odd", &number));
    assert_true(number == (UINT64_C(1) << 53) + 1);
    /* They are those of the file, and no others. */
    assert_error(run.context,
                 ebm_checkpoint_get_number(run.checkpoint, "mine", &number),
                 EBM_ERROR_NOT_COMPUTED, "mine");
    test_run_end(&run);
    remove(model_path);
}

/* A model's tensors are those of its own file, which other tests compare with
   PyTorch, and an optimizer's have the same shapes. */
static void test_tensors_are_those_of_a_model_file(void **state)
{
    (void)state;
    static const size_t which[] = {1, 4, 5, 6}; /* energies of all kinds */
    for (size_t i = 0; i < TEST_COUNT(which); i++) {
        test_run run = test_run_begin(test_recipes + which[i],
                                      test_context_threads(1), SEED);
        size_t size, compared = 0;
        test_run_train(&run, 2);
        test_run_save(&run, model_path);
        unsigned char *bytes = test_slurp(model_path, &size);
        test_apart run_file = test_take_apart(bytes, size);
        free(bytes);
        assert_ok(ebm_model_save(run.model, model_path));
        bytes = test_slurp(model_path, &size);
        test_apart model_file = test_take_apart(bytes, size);
        free(bytes);

        const char *key;
        json_t *entry;
        json_object_foreach(model_file.root, key, entry)
        {
            char name[80], first[80];
            if (!strcmp(key, "__metadata__"))
                continue;
            snprintf(name, sizeof name, "model.%s", key);
            snprintf(first, sizeof first, "optimizer.first.%s", key);
            json_t *offsets = json_object_get(entry, "data_offsets");
            json_t *shape = json_object_get(entry, "shape");
            json_t *same = json_object_get(run_file.root, name);
            json_t *moment = json_object_get(run_file.root, first);
            assert_non_null(same);
            assert_true(json_equal(shape, json_object_get(same, "shape")));
            assert_memory_equal(
                test_tensor(&run_file, name), test_tensor(&model_file, key),
                json_integer_value(json_array_get(offsets, 1)) -
                    json_integer_value(json_array_get(offsets, 0)));
            if (!strstr(key, "weight_"))
                assert_true(
                    json_equal(shape, json_object_get(moment, "shape")));
            compared++;
        }
        assert_true(compared >= 4);
        test_put_together(&run_file, model_path);
        test_put_together(&model_file, model_path);
        test_run_end(&run);
    }
    remove(model_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FOLDER(test_every_recipe_resumes_to_the_bit),
        TEST_WITH_FOLDER(test_files_differ_from_iteration_to_iteration),
        TEST_WITH_FOLDER(test_chains_keep_their_slots),
        TEST_WITH_FOLDER(test_other_chains_lose_their_slots),
        TEST_WITH_FOLDER(test_a_swapped_average_stays_swapped),
        TEST_WITH_FOLDER(test_marks_and_large_numbers),
        TEST_WITH_FOLDER(test_tensors_are_those_of_a_model_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
