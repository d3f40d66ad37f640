/*
 * Memory runs out at every point of every public call: at the n-th allocation,
 * once and from then on, for every n. Each time the call returns MEMORY with a
 * text, has leaked nothing and written no output, and every object is what it
 * was: all that can be read of it, the same call's result afterwards, and its
 * end. Calls that take no memory succeed without any.
 *
 * What is swept is in the tables of allocation/; a public call that is in none
 * of them fails the last test.
 */
#include "allocation/sweep.h"
#include "folder.h"
#include "pictures.h"

#include "core/context.h"

/* Public calls that no table can have. */
static const char *const elsewhere[] = {
    /* Takes the C library's memory, and is ebm_context_create_with() apart
       from that, whose points are swept below. */
    "ebm_context_create",
    "ebm_context_create_with",
    /* All of them end each world here, half of them while no memory is to be
       had: sweep_end(). */
    "ebm_context_destroy",
    "ebm_model_destroy",
    "ebm_network_destroy",
    "ebm_preset_destroy",
    "ebm_chains_destroy",
    "ebm_sampler_destroy",
    "ebm_buffer_destroy",
    "ebm_loss_destroy",
    "ebm_report_destroy",
    "ebm_optimizer_destroy",
    "ebm_dataset_destroy",
    "ebm_transition_destroy",
    "ebm_check_destroy",
    "ebm_ais_destroy",
    "ebm_checkpoint_destroy",
};

static test_folder files, pictures;
static const char *covered[400];
static size_t covered_count, swept_count, point_count;
/* Every so manyth point only: EBM_SWEEP_EVERY, for valgrind's sake. */
static size_t every = 1;

static int is_in(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i], name))
            return 1;
    return 0;
}

size_t sweep_note(world *w, const char *name)
{
    if (!is_in(name, covered, covered_count)) {
        assert_true(covered_count < TEST_COUNT(covered));
        covered[covered_count++] = name;
    }
    return w->memory.allocations;
}

static int make_files(void **state)
{
    (void)state;
    unsigned char cifar[3073] = {3};
    static const unsigned char idx[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0,
                                        0, 1, 0, 0, 0, 2, 1, 2, 3, 4};
    const char *thin = getenv("EBM_SWEEP_EVERY");
    uint64_t random = 1;
    if (thin && atoi(thin) > 1)
        every = (size_t)atoi(thin);
    ebm_context *context = test_context_threads(1);
    ebm_model *model = NULL;
    ebm_network *net = NULL;
    test_fill_uniform(&random, sweep_x, CHAINS * SIZE, -1, 1);
    for (int i = 0; i < CHAINS; i++)
        sweep_labels[i] = i % CLASSES;
    for (size_t i = 0; i < TEST_COUNT(sweep_series); i++)
        sweep_series[i] = test_random_normal(&random);
    test_folder_make(&files);
    test_folder_make(&pictures);
    snprintf(sweep_folder_path, sizeof sweep_folder_path, "%s", pictures.path);
    test_folder_file(&files, "model", sweep_model_path);
    test_folder_file(&files, "run", sweep_run_path);
    test_folder_file(&files, "idx", sweep_idx_path);
    test_folder_file(&files, "cifar", sweep_cifar_path);
    test_folder_file(&files, "out", sweep_out_path);
    test_file_write(sweep_idx_path, idx, sizeof idx);
    test_file_write(sweep_cifar_path, cifar, sizeof cifar);
    for (int i = 0; i < 2; i++) {
        char path[300];
        test_folder_file(&pictures, i ? "b.png" : "a.png", path);
        test_picture made =
            test_picture_write(path, &test_plain, 0, 5, 4, (uint64_t)i + 1);
        free(made.pixels);
    }
    assert_ok(ebm_network_create(context, H, W, C, &net));
    assert_ok(ebm_network_res_block(net, C, EBM_RES_DOWN));
    assert_ok(ebm_network_flatten(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, 1, &model));
    assert_ok(ebm_model_save(model, sweep_model_path));
    ebm_model_destroy(model);
    ebm_network_destroy(net);
    ebm_context_destroy(context);
    world *w = sweep_world();
    assert_ok(ebm_sampler_run(w->mala, w->model, w->chains));
    assert_ok(ebm_buffer_fill_uniform(w->buffer, 3, 0, 1));
    assert_ok(ebm_checkpoint_set_number(w->run, "other", 8));
    assert_ok(ebm_checkpoint_save(w->run, sweep_run_path));
    sweep_end(w, 0);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    test_folder_remove(&files);
    test_folder_remove(&pictures);
    return 0;
}

static world *prepared(const sweep_row *row)
{
    world *w = sweep_world();
    if (row->prepare)
        row->prepare(w);
    return w;
}

/* How many allocations the call makes, and what a world is after it. */
static size_t measure(const sweep_row *row, uint64_t *after)
{
    world *w = prepared(row);
    size_t before = sweep_note(w, row->name);
    assert_ok(row->call(w));
    size_t points = w->memory.allocations - before;
    *after = sweep_hash(w);
    sweep_end(w, 0);
    return points;
}

/* The n-th allocation fails. */
static void fail_at(const sweep_row *row, size_t n, int rest, uint64_t after)
{
    world *w = prepared(row);
    uint64_t before = sweep_hash(w);
    test_fail_at(&w->memory, n, rest);
    ebm_status status = row->call(w);
    test_fail_at(&w->memory, 0, 0);
    if (status != EBM_ERROR_MEMORY)
        fail_msg("%s, allocation %zu: %s", row->name, n,
                 ebm_status_name(status));
    assert_non_null(strstr(ebm_context_last_error(w->context), "memory"));
    if (sweep_hash(w) != before)
        fail_msg("%s, allocation %zu: something has changed", row->name, n);
    if (n % 2) { /* half of the worlds go on, half end without memory */
        assert_ok(row->call(w));
        if (!w->chains_move && sweep_hash(w) != after)
            fail_msg("%s, allocation %zu: another result afterwards",
                     row->name, n);
    }
    sweep_end(w, n % 2 == 0);
}

static void sweep(const sweep_row *rows)
{
    for (const sweep_row *row = rows; row->name; row++) {
        uint64_t after;
        size_t points = measure(row, &after);
        if (!points)
            fail_msg("%s takes no memory: it belongs to the quiet calls",
                     row->name);
        for (size_t n = 1 + swept_count % every; n <= points; n += every)
            for (int rest = 0; rest < 2; rest++)
                fail_at(row, n, rest, after);
        swept_count++;
        point_count += points;
    }
}

static void models(void **state)
{
    (void)state;
    sweep(sweep_models);
}

static void networks(void **state)
{
    (void)state;
    sweep(sweep_networks);
}

static void chains(void **state)
{
    (void)state;
    sweep(sweep_chains);
}

static void data(void **state)
{
    (void)state;
    sweep(sweep_data);
}

static void checkpoints(void **state)
{
    (void)state;
    sweep(sweep_checkpoints);
}

/* Without memory, and all that they need was made before. */
static void quiet(void (*calls)(world *w))
{
    world *w = sweep_world();
    assert_ok(ebm_optimizer_set(w->optimizer, EBM_OPTIMIZER_EMA_DECAY, 0.9));
    assert_ok(ebm_optimizer_step(w->optimizer));
    assert_ok(ebm_check_run(w->check, w->model, sweep_x, NULL, 1));
    assert_ok(ebm_ais_forward(w->ais, w->mala, w->model, w->chains));
    assert_ok(ebm_chains_init_uniform(w->chains, -1, 1));
    assert_ok(ebm_loss_backward(w->nll, w->model, sweep_x, NULL, N, w->chains,
                                w->report));
    assert_ok(ebm_sampler_run(w->mala, w->model, w->chains));
    assert_ok(ebm_sampler_run(w->sampler, w->model, w->chains));
    assert_ok(ebm_chains_init_uniform(w->chains, -1, 1));
    test_fail_at(&w->memory, 1, 1);
    calls(w);
    test_fail_at(&w->memory, 0, 0);
    sweep_end(w, 1);
}

static void quiet_calls(void **state)
{
    (void)state;
    quiet(sweep_quiet_models);
    quiet(sweep_quiet_chains);
    quiet(sweep_quiet_data);
    quiet(sweep_quiet_checkpoints);
}

/* A context that can not be made has no text, and there is nothing yet that it
   could have changed. */
static void contexts(void **state)
{
    (void)state;
    world *w = sweep_world();
    ebm_allocator table = w->context->allocator;
    size_t before = w->memory.live_blocks, n;
    ebm_context *made = (ebm_context *)(void *)w, *const nothing = made;
    for (n = 1;; n++) {
        test_fail_at(&w->memory, n, (int)(n % 2));
        ebm_status status = ebm_context_create_with(&table, &made);
        test_fail_at(&w->memory, 0, 0);
        if (status == EBM_OK)
            break;
        assert_status(status, EBM_ERROR_MEMORY);
        assert_ptr_equal(made, nothing);
        assert_int_equal(w->memory.live_blocks, before);
    }
    assert_true(n > 1);
    point_count += n - 1;
    swept_count++;
    ebm_context_destroy(made);
    assert_int_equal(w->memory.live_blocks, before);
    sweep_end(w, 0);
}

/* The list of what is public is the linker's. */
static void no_call_is_left_out(void **state)
{
    (void)state;
    char line[200], name[200];
    size_t public_count = 0, missing = 0;
    FILE *map = fopen(EBM_SOURCE_DIR "/src/libebm.map", "r");
    assert_non_null(map);
    while (fgets(line, sizeof line, map)) {
        if (sscanf(line, " ebm_%190[a-z0-9_];", name) != 1)
            continue;
        memmove(name + 4, name, strlen(name) + 1);
        memcpy(name, "ebm_", 4);
        public_count++;
        if (is_in(name, covered, covered_count) ||
            is_in(name, elsewhere, TEST_COUNT(elsewhere)))
            continue;
        print_error("%s is in no table of tests/allocation\n", name);
        missing++;
    }
    fclose(map);
    assert_int_equal(missing, 0);
    assert_int_equal(public_count, covered_count + TEST_COUNT(elsewhere));
    print_message("%zu public calls; %zu rows with %zu allocation points, "
                  "each failing once and for ever%s\n",
                  public_count, swept_count, point_count,
                  every > 1 ? "; of them every n-th" : "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models),      cmocka_unit_test(networks),
        cmocka_unit_test(chains),      cmocka_unit_test(data),
        cmocka_unit_test(checkpoints), cmocka_unit_test(quiet_calls),
        cmocka_unit_test(contexts),    cmocka_unit_test(no_call_is_left_out),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
