/*
 * Checkpoints that were damaged, or made to do harm, or are of another run: a
 * status that says what is wrong, and every object as it was.
 */
#include "apart.h"
#include "model_file.h"
#include "training.h"

enum { SEED = 3 };

static char other_path[300];

static json_t *object(test_apart *t, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(t->objects, i, entry)
    {
        if (!strcmp(json_string_value(json_object_get(entry, "name")), name))
            return entry;
    }
    fail();
    return NULL;
}

static void set_text(test_apart *t, const char *name, const char *key,
                     const char *value)
{
    json_object_set_new(object(t, name), key, json_string(value));
}

static void set_entry(test_apart *t, const char *name, const char *key,
                      json_t *value)
{
    json_object_set_new(json_object_get(t->root, name), key, value);
}

/* ---- What may be wrong with one ---------------------------------------- */

static void version(test_apart *t)
{
    json_object_set_new(t->metadata, "libebm.checkpoint", json_string("2"));
}

static void no_version(test_apart *t)
{
    json_object_del(t->metadata, "libebm.checkpoint");
}

static void unknown_metadata(test_apart *t)
{
    json_object_set_new(t->metadata, "libebm.more", json_string("1"));
}

static void no_numbers(test_apart *t)
{
    json_object_del(t->metadata, "libebm.numbers");
}

static void bad_number(test_apart *t)
{
    json_object_set_new(t->metadata, "libebm.numbers",
                        json_string("{\"iteration\":\"07\"}"));
}

static void bad_number_name(test_apart *t)
{
    json_object_set_new(t->metadata, "libebm.numbers",
                        json_string("{\"a.b\":\"7\"}"));
}

static void duplicate_key(test_apart *t)
{
    json_object_set_new(t->metadata, "libebm.numbers",
                        json_string("{\"a\":\"7\",\"a\":\"8\"}"));
}

static void no_array(test_apart *t)
{
    json_object_set_new(t->metadata, "libebm.objects", json_string("{}"));
    json_decref(t->objects);
    t->objects = NULL;
}

static void kind(test_apart *t)
{
    set_text(t, "buffer", "kind", "chains");
}

static void name(test_apart *t)
{
    set_text(t, "buffer", "name", "buffet");
}

static void one_less(test_apart *t)
{
    json_array_remove(t->objects, 0);
}

static void one_twice(test_apart *t)
{
    json_array_set(t->objects, 0, json_array_get(t->objects, 1));
}

static void missing_key(test_apart *t)
{
    json_object_del(object(t, "buffer"), "draws");
}

static void more_keys(test_apart *t)
{
    set_text(t, "buffer", "mood", "1");
}

static void number_as_number(test_apart *t)
{
    json_object_set_new(object(t, "buffer"), "draws", json_integer(3));
}

static void number_too_large(test_apart *t)
{
    set_text(t, "buffer", "draws", "18446744073709551616");
}

static void negative_number(test_apart *t)
{
    set_text(t, "buffer", "draws", "-1");
}

static void text_as_real(test_apart *t)
{
    set_text(t, "sampler", "step_size", "0.1");
}

static void capacity(test_apart *t)
{
    set_text(t, "buffer", "capacity", "25");
}

static void too_many_states(test_apart *t)
{
    set_text(t, "buffer", "count", "25");
}

static void huge_count(test_apart *t)
{
    set_text(t, "buffer", "count", "18446744073709551615");
}

static void fewer_states(test_apart *t)
{
    set_text(t, "buffer", "count", "7");
}

static void source(test_apart *t)
{
    set_text(t, "buffer", "source", "4");
}

static void source_law(test_apart *t)
{
    json_object_set_new(object(t, "buffer"), "source_a", json_real(9));
}

static void source_of_data(test_apart *t)
{
    set_text(t, "buffer", "source", "3");
}

static void order_twice(test_apart *t)
{
    unsigned char *order = test_tensor(t, "buffer.order");
    memcpy(order, order + 8, 8);
}

static void order_outside(test_apart *t)
{
    memset(test_tensor(t, "buffer.order"), 0x7f, 8);
}

static void origin(test_apart *t)
{
    test_tensor(t, "buffer.origins")[0] = 4;
}

static void chain_origin(test_apart *t)
{
    memset(test_tensor(t, "chains.origins"), 0xff, 4);
}

static void state_of_nan(test_apart *t)
{
    memset(test_tensor(t, "buffer.states"), 0xff, 4);
}

static void parameter_of_nan(test_apart *t)
{
    memset(test_tensor(t, "model.0.weight"), 0xff, 4);
}

static void slot(test_apart *t)
{
    unsigned char *slots = test_tensor(t, "chains.slots");
    memset(slots, 0, 8);
    slots[0] = 24;
    set_text(t, "chains", "drawn_from", "buffer");
}

static void link_to_chains(test_apart *t)
{
    set_text(t, "chains", "drawn_from", "chains");
}

static void no_link(test_apart *t)
{
    json_object_del(object(t, "chains"), "drawn_from");
}

static void steps(test_apart *t)
{
    set_text(t, "chains", "steps", "18446744073709551000");
}

static void first_stream(test_apart *t)
{
    set_text(t, "chains", "first_stream", "17592186044416");
}

static void position(test_apart *t)
{
    set_text(t, "data", "position", "21");
}

static void epoch(test_apart *t)
{
    set_text(t, "data", "epoch", "17592186044417");
}

static void second_moment(test_apart *t)
{
    test_tensor(t, "optimizer.second.0.weight")[3] |= 0x80;
}

static void swapped(test_apart *t)
{
    set_text(t, "optimizer", "has_average", "0");
    set_text(t, "optimizer", "swapped", "1");
}

static void no_average(test_apart *t)
{
    set_text(t, "optimizer", "has_average", "0");
}

static void layers(test_apart *t)
{
    json_t *network =
        json_array_get(json_object_get(object(t, "model"), "networks"), 0);
    json_t *layer = json_array_get(json_object_get(network, "layers"), 1);
    json_object_set_new(layer, "kind", json_string("relu"));
}

static void step_size(test_apart *t)
{
    json_object_set_new(object(t, "sampler"), "step_size", json_real(-1));
}

static void missing_tensor(test_apart *t)
{
    json_object_del(t->root, "chains.ages");
}

/* Under another name all of the data is still covered. */
static void renamed_tensor(test_apart *t)
{
    json_object_set(t->root, "chains.sages",
                    json_object_get(t->root, "chains.ages"));
    json_object_del(t->root, "chains.ages");
}

static void tensor_of_nothing(test_apart *t)
{
    json_object_set_new(t->root, "more",
                        json_pack("{s:s,s:[i],s:[i,i]}", "dtype", "F32",
                                  "shape", 0, "data_offsets", 0, 0));
}

static void dtype(test_apart *t)
{
    set_entry(t, "buffer.labels", "dtype", json_string("F32"));
}

static void shape(test_apart *t)
{
    set_entry(t, "chains.states", "shape", json_pack("[i,i]", 6, 36));
}

static void entry_key(test_apart *t)
{
    set_entry(t, "chains.states", "more", json_integer(1));
}

static void overlap(test_apart *t)
{
    json_t *first = json_object_get(json_object_get(t->root, "buffer.ages"),
                                    "data_offsets");
    set_entry(t, "buffer.written", "data_offsets", json_deep_copy(first));
}

static void offsets_backwards(test_apart *t)
{
    set_entry(t, "buffer.ages", "data_offsets", json_pack("[i,i]", 8, 0));
}

static void more_data(test_apart *t)
{
    memset(t->data + t->size, 0, 8);
    t->size += 8;
}

typedef struct fault {
    const char *what;
    void (*damage)(test_apart *t);
    ebm_status status;
    const char *word; /* of the text */
} fault;

#define FORMAT(damage, word)                    \
    {                                           \
#damage, damage, EBM_ERROR_FORMAT, word \
    }
#define SHAPE(damage, word)                    \
    {                                          \
#damage, damage, EBM_ERROR_SHAPE, word \
    }
static const fault faults[] = {
    FORMAT(version, "is 2"),
    FORMAT(no_version, "libebm.checkpoint"),
    FORMAT(unknown_metadata, "libebm.more"),
    FORMAT(no_numbers, "libebm.numbers"),
    FORMAT(bad_number, "iteration"),
    FORMAT(bad_number_name, "a.b"),
    FORMAT(duplicate_key, "JSON"),
    SHAPE(no_array, "objects"),
    SHAPE(kind, "buffer"),
    SHAPE(name, "buffer"),
    SHAPE(one_less, "objects"),
    SHAPE(one_twice, "name"),
    FORMAT(missing_key, "draws"),
    FORMAT(more_keys, "key"),
    FORMAT(number_as_number, "draws"),
    FORMAT(number_too_large, "draws"),
    FORMAT(negative_number, "draws"),
    FORMAT(text_as_real, "step_size"),
    SHAPE(capacity, "25"),
    FORMAT(too_many_states, "25"),
    FORMAT(huge_count, "states"),
    FORMAT(fewer_states, "states"),
    FORMAT(source, "source"),
    FORMAT(source_law, "source"),
    {"source_of_data", source_of_data, EBM_ERROR_STATE, "dataset"},
    FORMAT(order_twice, "order"),
    FORMAT(order_outside, "order"),
    FORMAT(origin, "origin 4"),
    FORMAT(chain_origin, "origin -1"),
    {"state_of_nan", state_of_nan, EBM_ERROR_NON_FINITE, "states"},
    {"parameter_of_nan", parameter_of_nan, EBM_ERROR_NON_FINITE, "0.weight"},
    FORMAT(slot, "slot"),
    FORMAT(link_to_chains, "drawn_from"),
    FORMAT(no_link, "drawn_from"),
    FORMAT(steps, "step"),
    FORMAT(first_stream, "17592186044416"),
    FORMAT(position, "21"),
    FORMAT(epoch, "epoch"),
    FORMAT(second_moment, "moment"),
    FORMAT(swapped, "average"),
    FORMAT(no_average, "average"),
    SHAPE(layers, "layers"),
    FORMAT(step_size, "step size"),
    FORMAT(missing_tensor, "byte"),
    FORMAT(renamed_tensor, "ages"),
    FORMAT(tensor_of_nothing, "more"),
    FORMAT(dtype, "labels"),
    FORMAT(shape, "states"),
    FORMAT(entry_key, "chains.states"),
    FORMAT(overlap, "byte"),
    FORMAT(offsets_backwards, "buffer.ages"),
    FORMAT(more_data, "bytes"),
};

/* ---- The tests --------------------------------------------------------- */

/* A run, and the bytes of what it holds. */
typedef struct target {
    test_run run;
    unsigned char *bytes;
    size_t size;
} target;

static target make_target(const test_recipe *recipe)
{
    target t = {.run = test_run_begin(recipe, test_context_threads(1), 99)};
    test_run_train(&t.run, 4);
    test_run_save(&t.run, other_path);
    t.bytes = test_slurp(other_path, &t.size);
    return t;
}

static void assert_untouched(target *t)
{
    size_t size;
    assert_ok(ebm_checkpoint_save(t->run.checkpoint, other_path));
    unsigned char *bytes = test_slurp(other_path, &size);
    assert_int_equal(size, t->size);
    assert_memory_equal(bytes, t->bytes, size);
    free(bytes);
}

static void end_target(target *t)
{
    test_run_end(&t->run);
    free(t->bytes);
}

/* The bytes of a run of the first recipe with an average, after 3 iterations.
 */
static unsigned char *make_file(const test_recipe *recipe, size_t *size)
{
    test_run run = test_run_begin(recipe, test_context_threads(1), SEED);
    test_run_train(&run, 3);
    test_run_save(&run, model_path);
    test_run_end(&run);
    return test_slurp(model_path, size);
}

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

/* FIFO with an average: what most faults are about. */
static const test_recipe plain = {"plain", .decay = 0.9};

static void test_damaged_files(void **state)
{
    (void)state;
    size_t size;
    unsigned char *bytes = make_file(&plain, &size);
    target t = make_target(&plain);
    for (size_t i = 0; i < TEST_COUNT(faults); i++) {
        test_apart file = test_take_apart(bytes, size);
        faults[i].damage(&file);
        test_put_together(&file, model_path);
        ebm_status status = ebm_checkpoint_load(t.run.checkpoint, model_path);
        if (status != faults[i].status)
            print_message("%s:\n", faults[i].what);
        assert_error(t.run.context, status, faults[i].status, faults[i].word);
        assert_untouched(&t);
    }
    /* And none of this was due to the taking apart. */
    test_apart file = test_take_apart(bytes, size);
    test_put_together(&file, model_path);
    assert_ok(ebm_checkpoint_load(t.run.checkpoint, model_path));
    end_target(&t);
    free(bytes);
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    size_t size;
    unsigned char *bytes = make_file(&plain, &size);
    target t = make_target(&plain);
    for (size_t cut = 0; cut < size; cut++) {
        test_file_write(model_path, bytes, cut);
        assert_status(ebm_checkpoint_load(t.run.checkpoint, model_path),
                      EBM_ERROR_FORMAT);
    }
    assert_untouched(&t);
    end_target(&t);
    free(bytes);
}

/* Bits that flip anywhere: refused with nothing changed, or, where a bit is
   just another value, loaded. */
static void test_flipped_bits(void **state)
{
    (void)state;
    enum { FLIPS = 1500 };
    size_t size, refused = 0;
    uint64_t random = 11;
    unsigned char *bytes = make_file(&plain, &size);
    target t = make_target(&plain);
    for (size_t i = 0; i < FLIPS; i++) {
        /* Half of them in the header, which is the smaller part. */
        uint64_t word = test_random_word(&random);
        size_t at = (size_t)(word >> 8) % (i % 2 ? size : 4096);
        bytes[at] ^= (unsigned char)(1u << word % 8);
        test_file_write(model_path, bytes, size);
        bytes[at] ^= (unsigned char)(1u << word % 8);
        if (ebm_checkpoint_load(t.run.checkpoint, model_path) != EBM_OK) {
            refused++;
            if (refused % 8 == 0)
                assert_untouched(&t);
            continue;
        }
        assert_ok(ebm_checkpoint_save(t.run.checkpoint, other_path));
        free(t.bytes);
        t.bytes = test_slurp(other_path, &t.size);
    }
    assert_true(refused > FLIPS / 4 && refused < FLIPS);
    end_target(&t);
    free(bytes);
}

/* A model's file is no checkpoint, nor the other way round. */
static void test_files_of_the_other_kind(void **state)
{
    (void)state;
    ebm_model *none = NULL;
    target t = make_target(&plain);
    assert_ok(ebm_model_save(t.run.model, model_path));
    assert_error(t.run.context,
                 ebm_checkpoint_load(t.run.checkpoint, model_path),
                 EBM_ERROR_FORMAT, "libebm.checkpoint");
    assert_untouched(&t);
    assert_error(t.run.context,
                 ebm_model_load(t.run.context, other_path, &none),
                 EBM_ERROR_FORMAT, "libebm.format");
    assert_null(none);
    end_target(&t);
}

/* The file of each recipe into the run of each other one: some fit, as what
   differs are settings; the others are refused and change nothing. */
static void test_files_of_other_runs(void **state)
{
    (void)state;
    size_t refused = 0, fitted = 0;
    for (size_t i = 0; i < test_recipe_count; i++) {
        size_t size;
        unsigned char *bytes = make_file(test_recipes + i, &size);
        for (size_t k = 0; k < test_recipe_count; k++) {
            target t = make_target(test_recipes + k);
            ebm_status status =
                ebm_checkpoint_load(t.run.checkpoint, model_path);
            if (status == EBM_OK) {
                fitted++;
            } else {
                assert_true(status == EBM_ERROR_SHAPE ||
                            status == EBM_ERROR_STATE);
                assert_true(i != k);
                assert_untouched(&t);
                refused++;
            }
            end_target(&t);
        }
        free(bytes);
    }
    assert_true(fitted >= test_recipe_count);
    assert_true(refused > fitted);
}

int main(void)
{
#define HOSTILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        HOSTILE(test_damaged_files),
        HOSTILE(test_cut_at_every_byte),
        HOSTILE(test_flipped_bits),
        HOSTILE(test_files_of_the_other_kind),
        HOSTILE(test_files_of_other_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
