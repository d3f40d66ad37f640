/*
 * Checkpoints when something is in the way: wrong arguments, a wrong moment, a
 * full disk, missing memory.
 */
#include "model_file.h"
#include "training.h"

enum { SEED = 3 };

static char other_path[300];

static int set_up(void **state)
{
    int failed = model_folder_make(state);
    test_folder_file(&model_folder, "now", other_path);
    return failed;
}

static int tear_down(void **state)
{
    remove(model_path);
    remove(other_path);
    return model_folder_remove(state);
}

static const test_recipe plain = {"plain", .decay = 0.9};

static void test_wrong_arguments(void **state)
{
    (void)state;
    test_run run = test_run_begin(&plain, test_context_threads(1), SEED);
    ebm_context *context = run.context, *elsewhere = test_context_threads(1);
    ebm_checkpoint *c = NULL, *foreign = NULL;
    uint64_t value = 7;
    assert_status(ebm_checkpoint_create(NULL, &c), EBM_ERROR_HANDLE);
    assert_error(context, ebm_checkpoint_create(context, NULL),
                 EBM_ERROR_ARGUMENT, "checkpoint");
    assert_ok(ebm_checkpoint_create(context, &c));
    assert_ok(ebm_checkpoint_create(elsewhere, &foreign));

    assert_status(ebm_checkpoint_add_model(NULL, "m", run.model),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_checkpoint_add_model(c, "m", NULL), EBM_ERROR_HANDLE);
    assert_status(ebm_checkpoint_add_model(c, "m", (ebm_model *)run.buffer),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_checkpoint_add_model(foreign, "m", run.model),
                  EBM_ERROR_CONTEXT);
    static const char *const names[] = {
        NULL,  "",         "a.b",
        "a b", "\xc3\xa4", "a23456789012345678901234567890123"};
    for (size_t i = 0; i < TEST_COUNT(names); i++) {
        assert_error(context, ebm_checkpoint_add_model(c, names[i], run.model),
                     EBM_ERROR_ARGUMENT, "name");
        assert_error(context, ebm_checkpoint_set_number(c, names[i], 1),
                     EBM_ERROR_ARGUMENT, "name");
        assert_error(context, ebm_checkpoint_get_number(c, names[i], &value),
                     EBM_ERROR_ARGUMENT, "name");
    }
    assert_ok(ebm_checkpoint_add_model(c, "m", run.model));
    assert_error(context, ebm_checkpoint_add_buffer(c, "m", run.buffer),
                 EBM_ERROR_ARGUMENT, "m");
    assert_error(context, ebm_checkpoint_add_model(c, "n", run.model),
                 EBM_ERROR_ARGUMENT, "as m");
    assert_ok(ebm_checkpoint_add_buffer(c, "a2345678901234567890123456789-_2",
                                        run.buffer));

    assert_status(ebm_checkpoint_set_number(NULL, "n", 1), EBM_ERROR_HANDLE);
    assert_status(ebm_checkpoint_get_number(NULL, "n", &value),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_checkpoint_get_number(c, "n", &value),
                  EBM_ERROR_NOT_COMPUTED);
    assert_true(value == 7);
    assert_ok(ebm_checkpoint_set_number(c, "n", 1));
    assert_ok(ebm_checkpoint_set_number(c, "n", 2)); /* instead */
    assert_error(context, ebm_checkpoint_get_number(c, "n", NULL),
                 EBM_ERROR_ARGUMENT, "value");
    assert_ok(ebm_checkpoint_get_number(c, "n", &value));
    assert_true(value == 2);

    assert_status(ebm_checkpoint_save(NULL, model_path), EBM_ERROR_HANDLE);
    assert_status(ebm_checkpoint_load(NULL, model_path), EBM_ERROR_HANDLE);
    assert_error(context, ebm_checkpoint_save(c, NULL), EBM_ERROR_ARGUMENT,
                 "path");
    assert_error(context, ebm_checkpoint_load(c, NULL), EBM_ERROR_ARGUMENT,
                 "path");
    assert_error(context, ebm_checkpoint_load(c, model_path), EBM_ERROR_IO,
                 "model.safetensors");
    assert_error(context, ebm_checkpoint_load(c, model_folder.path),
                 EBM_ERROR_IO, "regular");
    ebm_checkpoint_destroy(c);
    ebm_checkpoint_destroy(foreign);
    ebm_checkpoint_destroy(NULL);
    test_run_end(&run);
    ebm_context_destroy(elsewhere);
}

/* There is an end to both lists. */
static void test_too_many(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_checkpoint *c = NULL;
    char name[20];
    assert_ok(ebm_checkpoint_create(context, &c));
    for (int i = 0; i <= 256; i++) {
        ebm_sampler *sampler = NULL;
        ebm_status expected = i < 256 ? EBM_OK : EBM_ERROR_UNSUPPORTED;
        snprintf(name, sizeof name, "s%d", i);
        assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
        assert_status(ebm_checkpoint_add_sampler(c, name, sampler), expected);
        assert_status(ebm_checkpoint_set_number(c, name, 1), expected);
        ebm_sampler_destroy(sampler);
    }
    assert_ok(ebm_checkpoint_save(c, model_path));
    assert_ok(ebm_checkpoint_load(c, model_path));
    ebm_checkpoint_destroy(c);
    ebm_context_destroy(context);
}

/* An empty one is a file too. */
static void test_nothing_in_it(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_checkpoint *c = NULL;
    uint64_t value = 0;
    assert_ok(ebm_checkpoint_create(context, &c));
    assert_ok(ebm_checkpoint_set_number(c, "n", 5));
    assert_ok(ebm_checkpoint_save(c, model_path));
    assert_ok(ebm_checkpoint_set_number(c, "n", 6));
    assert_ok(ebm_checkpoint_load(c, model_path));
    assert_ok(ebm_checkpoint_get_number(c, "n", &value));
    assert_true(value == 5);
    assert_ok(ebm_checkpoint_set_number(c, "more", 6));
    ebm_checkpoint_destroy(c);
    ebm_context_destroy(context);
}

/* The objects live as long as the checkpoint that holds them. */
static void test_objects_that_were_given_up(void **state)
{
    (void)state;
    test_run run = test_run_begin(&plain, test_context_threads(1), SEED);
    test_run_train(&run, 2);
    test_run_save(&run, model_path);
    ebm_checkpoint *c = run.checkpoint;
    run.checkpoint = NULL;
    test_run_end(&run);
    assert_ok(ebm_checkpoint_load(c, model_path));
    assert_ok(ebm_checkpoint_save(c, other_path));
    ebm_checkpoint_destroy(c);
}

/* ---- The wrong moment -------------------------------------------------- */

typedef struct moment {
    test_run *run;
    ebm_status saved, loaded;
} moment;

static int save_and_load(size_t step, const ebm_chains *chains, void *user)
{
    moment *m = user;
    (void)step, (void)chains;
    m->saved = ebm_checkpoint_save(m->run->checkpoint, other_path);
    m->loaded = ebm_checkpoint_load(m->run->checkpoint, model_path);
    return 0;
}

static void test_in_the_middle_of_a_run(void **state)
{
    (void)state;
    test_run run = test_run_begin(&plain, test_context_threads(1), SEED);
    moment m = {&run, EBM_OK, EBM_OK};
    test_run_save(&run, model_path);
    assert_ok(ebm_buffer_draw(run.buffer, run.chains));
    assert_ok(ebm_sampler_set_observer(run.sampler, 2, save_and_load, &m));
    assert_ok(ebm_sampler_run(run.sampler, run.model, run.chains));
    assert_status(m.saved, EBM_ERROR_STATE);
    assert_status(m.loaded, EBM_ERROR_STATE);
    test_run_end(&run);
}

static void test_a_gradient_that_waits(void **state)
{
    (void)state;
    float x[TEST_BATCH * TEST_SIDE * TEST_SIDE] = {0.5f};
    float gradient[4] = {0};
    test_run run = test_run_begin(&plain, test_context_threads(1), SEED);
    test_run_save(&run, model_path);
    assert_ok(ebm_buffer_draw(run.buffer, run.chains));
    assert_ok(ebm_loss_backward(run.loss, run.model, x, NULL, TEST_BATCH,
                                run.chains, run.report));
    assert_error(run.context, ebm_checkpoint_save(run.checkpoint, other_path),
                 EBM_ERROR_STATE, "gradient");
    assert_ok(ebm_checkpoint_load(run.checkpoint, model_path));
    assert_ok(ebm_model_get_gradient(run.model, 0, gradient, 4));
    for (size_t i = 0; i < 4; i++)
        assert_true(gradient[i] == 0);
    assert_ok(ebm_checkpoint_save(run.checkpoint, other_path));
    test_run_end(&run);
}

static void test_lent_parameters(void **state)
{
    (void)state;
    float *theta = NULL;
    test_run run = test_run_begin(&plain, test_context_threads(1), SEED);
    test_run_save(&run, model_path);
    assert_ok(ebm_model_begin_write(run.model, &theta));
    assert_status(ebm_checkpoint_save(run.checkpoint, other_path),
                  EBM_ERROR_STATE);
    assert_status(ebm_checkpoint_load(run.checkpoint, model_path),
                  EBM_ERROR_STATE);
    assert_ok(ebm_model_end_write(run.model));
    ((float *)(uintptr_t)ebm_model_parameters(run.model))[2] = NAN;
    assert_error(run.context, ebm_checkpoint_save(run.checkpoint, other_path),
                 EBM_ERROR_NON_FINITE, "0.weight");
    test_run_end(&run);
}

/* The average's room comes with the decay, so a run without can not take it;
   and an optimizer of another kind is another one. */
static void test_settings_that_do_not_fit(void **state)
{
    (void)state;
    static const test_recipe without = {.name = "without"};
    test_run run = test_run_begin(&plain, test_context_threads(1), SEED);
    test_run_train(&run, 1);
    test_run_save(&run, model_path);
    test_run_end(&run);
    run = test_run_begin(&without, test_context_threads(1), SEED);
    assert_error(run.context, ebm_checkpoint_load(run.checkpoint, model_path),
                 EBM_ERROR_STATE, "ema_decay");
    test_run_save(&run, model_path);
    test_run_end(&run);
    /* The other way round the average begins with the next step. */
    run = test_run_begin(&plain, test_context_threads(1), SEED);
    test_run_load(&run, model_path);
    assert_status(ebm_optimizer_swap_average(run.optimizer), EBM_ERROR_STATE);
    test_run_end(&run);
}

/* ---- Disk and memory --------------------------------------------------- */

static void assert_file_is(const char *path, const unsigned char *bytes,
                           size_t size)
{
    size_t now;
    unsigned char *found = test_slurp(path, &now);
    assert_int_equal(now, size);
    assert_memory_equal(found, bytes, size);
    free(found);
}

static void test_a_full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    size_t size;
    char elsewhere[400];
    test_run run = test_run_begin(&plain, test_context_threads(1), SEED);
    test_run_save(&run, model_path);
    unsigned char *bytes = test_slurp(model_path, &size);
    test_run_train(&run, 1);
    for (size_t limit = 1; limit < size; limit += size / 7) {
        test_file_limit(limit);
        ebm_status status = ebm_checkpoint_save(run.checkpoint, model_path);
        test_file_limit(0);
        assert_error(run.context, status, EBM_ERROR_IO, "model.safetensors");
        assert_file_is(model_path, bytes, size);
        assert_int_equal(test_folder_count(&model_folder), 1);
    }
    snprintf(elsewhere, sizeof elsewhere, "%s/missing/run", model_folder.path);
    assert_error(run.context, ebm_checkpoint_save(run.checkpoint, elsewhere),
                 EBM_ERROR_IO, "missing");
    free(bytes);
    test_run_end(&run);
}

/* Every allocation of a save and of a load fails once, and for ever. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    for (int rest = 0; rest < 2; rest++) {
        test_allocator memory = {.lock = PTHREAD_MUTEX_INITIALIZER};
        test_run run = test_run_begin(&plain, test_context(&memory), SEED);
        size_t size, saves = 0, loads = 0;
        test_run_train(&run, 2);
        test_run_save(&run, model_path);
        test_run_train(&run, 1);
        test_run_save(&run, other_path);
        unsigned char *bytes = test_slurp(other_path, &size);
        ebm_status status = EBM_ERROR_MEMORY;
        for (size_t n = 1; status != EBM_OK; n++, saves++) {
            test_fail_at(&memory, n, rest);
            status = ebm_checkpoint_save(run.checkpoint, other_path);
            test_fail_at(&memory, 0, 0);
            if (status != EBM_OK)
                assert_status(status, EBM_ERROR_MEMORY);
            assert_file_is(other_path, bytes, size);
        }
        status = EBM_ERROR_MEMORY;
        for (size_t n = 1; status != EBM_OK; n++, loads++) {
            test_fail_at(&memory, n, rest);
            status = ebm_checkpoint_load(run.checkpoint, model_path);
            test_fail_at(&memory, 0, 0);
            if (status == EBM_OK)
                break;
            assert_status(status, EBM_ERROR_MEMORY);
            assert_ok(ebm_checkpoint_save(run.checkpoint, other_path));
            assert_file_is(other_path, bytes, size);
        }
        assert_true(saves > 10 && loads > 20);
        free(bytes);
        test_run_end(&run);
        assert_no_leaks(&memory);
    }
}

int main(void)
{
#define FAULTY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FAULTY(test_wrong_arguments),
        FAULTY(test_too_many),
        FAULTY(test_nothing_in_it),
        FAULTY(test_objects_that_were_given_up),
        FAULTY(test_in_the_middle_of_a_run),
        FAULTY(test_a_gradient_that_waits),
        FAULTY(test_lent_parameters),
        FAULTY(test_settings_that_do_not_fit),
        FAULTY(test_a_full_disk_keeps_the_old_file),
        FAULTY(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
