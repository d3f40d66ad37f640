/* The settings of every object, as published: names, kinds, ranges and
   initial values are part of the API, and all setters keep to them. */
#include "ebm_test.h"

#include <float.h>

typedef ebm_status (*set_fn)(void *object, int key, double value);
typedef ebm_status (*get_fn)(const void *object, int key, double *value);
typedef ebm_status (*describe_fn)(int key, const char **name,
                                  ebm_option_kind *kind, double *minimum,
                                  double *maximum, double *initial);

/* The three calls of an object with the types of another forgotten. */
#define ADAPT(object)                                                       \
    static ebm_status object##_set(void *o, int key, double value)          \
    {                                                                       \
        return ebm_##object##_set(o, (ebm_##object##_key)key, value);       \
    }                                                                       \
    static ebm_status object##_get(const void *o, int key, double *value)   \
    {                                                                       \
        return ebm_##object##_get(o, (ebm_##object##_key)key, value);       \
    }                                                                       \
    static ebm_status object##_describe(                                    \
        int key, const char **name, ebm_option_kind *kind, double *minimum, \
        double *maximum, double *initial)                                   \
    {                                                                       \
        return ebm_##object##_option((ebm_##object##_key)key, name, kind,   \
                                     minimum, maximum, initial);            \
    }
ADAPT(context)
ADAPT(network)
ADAPT(sampler)
ADAPT(buffer)
ADAPT(loss)
ADAPT(optimizer)
ADAPT(dataset)
ADAPT(preset)

typedef struct row {
    int key;
    const char *name;
    ebm_option_kind kind;
    double minimum, maximum, initial;
} row;

#define REAL EBM_OPTION_REAL
#define INTEGER EBM_OPTION_INTEGER
#define FLAG EBM_OPTION_FLAG
#define CHOICE EBM_OPTION_CHOICE
/* Ends of open intervals. */
#define ABOVE_0 ((double)FLT_MIN)
#define BELOW_1 0.9999999
#define LARGEST ((double)FLT_MAX)

static const row context_rows[] = {
    {EBM_CONTEXT_THREADS, "threads", INTEGER, 1, 1024, 1},
};
static const row network_rows[] = {
    {EBM_NETWORK_BIAS, "bias", FLAG, 0, 1, 1},
    {EBM_NETWORK_SLAB, "slab", INTEGER, 0, 1024, 0},
    {EBM_NETWORK_NORM, "norm", CHOICE, 0, 2, 1},
    {EBM_NETWORK_GROUPS, "groups", INTEGER, 0, 65536, 0},
    {EBM_NETWORK_NORM_EPSILON, "norm_epsilon", REAL, ABOVE_0, LARGEST, 1e-5},
    {EBM_NETWORK_WEIGHTS, "weights", CHOICE, 0, 2, 0},
    {EBM_NETWORK_CLASSES, "classes", INTEGER, 0, 65536, 0},
    {EBM_NETWORK_CONVOLUTION, "convolution", CHOICE, 0, 4, 0},
};
static const row sampler_rows[] = {
    {EBM_SAMPLER_STEPS, "steps", INTEGER, 1, 1e9, 60},
    {EBM_SAMPLER_STEP_SIZE, "step_size", REAL, 0, LARGEST, 10},
    {EBM_SAMPLER_NOISE_STD, "noise_std", REAL, 0, LARGEST, 0.005},
    {EBM_SAMPLER_GRADIENT_CLIP, "gradient_clip", REAL, ABOVE_0, INFINITY,
     INFINITY},
    {EBM_SAMPLER_STATE_MIN, "state_min", REAL, -INFINITY, LARGEST, -INFINITY},
    {EBM_SAMPLER_STATE_MAX, "state_max", REAL, -LARGEST, INFINITY, INFINITY},
    {EBM_SAMPLER_KEEP_STEPS, "keep_steps", INTEGER, 0, 1e9, 0},
};
static const row hmc_rows[] = {
    {EBM_SAMPLER_TEMPERATURE, "temperature", REAL, ABOVE_0, LARGEST, 1},
    {EBM_SAMPLER_LEAPFROG_STEPS, "leapfrog_steps", INTEGER, 1, 1e9, 10},
    {EBM_SAMPLER_WARMUP_STEPS, "warmup_steps", INTEGER, 0, 1e9, 0},
    {EBM_SAMPLER_TARGET_ACCEPTANCE, "target_acceptance", REAL, 0, BELOW_1, 0},
};
static const row baoab_rows[] = {
    {EBM_SAMPLER_FRICTION, "friction", REAL, ABOVE_0, LARGEST, 1},
};
static const row buffer_rows[] = {
    {EBM_BUFFER_POLICY, "policy", CHOICE, 0, 2, 0},
    {EBM_BUFFER_FRESH_RATE, "fresh_rate", REAL, 0, 1, 0.05},
    {EBM_BUFFER_RESET_INTERVAL, "reset_interval", INTEGER, 0, 1e9, 0},
};
static const row loss_rows[] = {
    {EBM_LOSS_ENERGY_L2, "energy_l2", REAL, 0, LARGEST / 2, 0},
    {EBM_LOSS_ALLOW_ANY_ORIGIN, "allow_any_origin", FLAG, 0, 1, 0},
    {EBM_LOSS_POSITIVE_WEIGHT, "positive_weight", REAL, 0, LARGEST / 2, 1},
    {EBM_LOSS_NEGATIVE_WEIGHT, "negative_weight", REAL, 0, LARGEST / 2, 1},
    {EBM_LOSS_KL_DIRECTION, "kl_direction", CHOICE, 0, 2, 0},
    {EBM_LOSS_OPT_WEIGHT, "opt_weight", REAL, 0, LARGEST / 2, 1},
    {EBM_LOSS_ENT_WEIGHT, "ent_weight", REAL, 0, LARGEST / 2, 1},
    {EBM_LOSS_ENT_NEIGHBOUR, "ent_neighbour", INTEGER, 1, 1e6, 1},
    {EBM_LOSS_PARTS, "parts", CHOICE, 0, 1, 0},
};
static const row adam_rows[] = {
    {EBM_OPTIMIZER_LEARNING_RATE, "learning_rate", REAL, 0, LARGEST, 1e-4},
    {EBM_OPTIMIZER_BETA1, "beta1", REAL, 0, BELOW_1, 0.9},
    {EBM_OPTIMIZER_BETA2, "beta2", REAL, 0, BELOW_1, 0.999},
    {EBM_OPTIMIZER_EPSILON, "epsilon", REAL, ABOVE_0, LARGEST, 1e-8},
    {EBM_OPTIMIZER_CLIP_NORM, "clip_norm", REAL, ABOVE_0, INFINITY, INFINITY},
    {EBM_OPTIMIZER_CLIP_VALUE, "clip_value", REAL, ABOVE_0, INFINITY,
     INFINITY},
    {EBM_OPTIMIZER_EMA_DECAY, "ema_decay", REAL, 0, BELOW_1, 0},
};
static const row sgd_rows[] = {
    {EBM_OPTIMIZER_LEARNING_RATE, "learning_rate", REAL, 0, LARGEST, 1e-4},
    {EBM_OPTIMIZER_MOMENTUM, "momentum", REAL, 0, BELOW_1, 0},
    {EBM_OPTIMIZER_EMA_DECAY, "ema_decay", REAL, 0, BELOW_1, 0},
};
static const row dataset_rows[] = {
    {EBM_DATASET_RANGE_MIN, "range_min", REAL, -LARGEST, LARGEST, -1},
    {EBM_DATASET_RANGE_MAX, "range_max", REAL, -LARGEST, LARGEST, 1},
    {EBM_DATASET_NOISE_STD, "noise_std", REAL, 0, LARGEST, 0},
    {EBM_DATASET_SHUFFLE, "shuffle", FLAG, 0, 1, 1},
    {EBM_DATASET_CLAMP, "clamp", FLAG, 0, 1, 0},
    {EBM_DATASET_DEQUANTISE, "dequantise", FLAG, 0, 1, 0},
};
static const row preset_rows[] = {
    {EBM_PRESET_WIDTH, "width", INTEGER, 0, 4096, 0},
    {EBM_PRESET_VARIANT, "variant", CHOICE, 0, 1, 0},
    {EBM_PRESET_CLASSES, "classes", INTEGER, 0, 65536, 0},
    {EBM_PRESET_SCALES, "scales", INTEGER, 0, 3, 0},
};

/* One object of every kind with settings. */
typedef struct world {
    ebm_context *context;
    ebm_network *network;
    ebm_model *model;
    ebm_sampler *sampler, *hmc, *baoab;
    ebm_buffer *buffer;
    ebm_loss *loss;
    ebm_optimizer *adam, *sgd;
    ebm_dataset *dataset;
    ebm_preset *preset;
} world;

static void create_world(world *w)
{
    const float x[4] = {0, 1, 2, 3};
    w->context = test_context_threads(1);
    assert_ok(ebm_network_create(w->context, 1, 1, 2, &w->network));
    assert_ok(ebm_network_dense(w->network, 1));
    assert_ok(ebm_model_create_network(w->network, 1, &w->model));
    assert_ok(
        ebm_sampler_create(w->context, EBM_SAMPLER_LANGEVIN, &w->sampler));
    assert_ok(ebm_sampler_create(w->context, EBM_SAMPLER_HMC, &w->hmc));
    assert_ok(ebm_sampler_create(w->context, EBM_SAMPLER_BAOAB, &w->baoab));
    assert_ok(ebm_buffer_create(w->context, 4, 1, 1, 2, 1, &w->buffer));
    assert_ok(ebm_loss_create(w->context, EBM_LOSS_NLL, &w->loss));
    assert_ok(ebm_optimizer_create(w->context, EBM_OPTIMIZER_ADAM, w->model,
                                   &w->adam));
    assert_ok(ebm_optimizer_create(w->context, EBM_OPTIMIZER_SGD, w->model,
                                   &w->sgd));
    assert_ok(ebm_dataset_create_array(w->context, x, NULL, 2, 1, 1, 2, 1,
                                       &w->dataset));
    assert_ok(ebm_preset_create(w->context, "du2020-cifar", &w->preset));
}

static void destroy_world(world *w)
{
    ebm_preset_destroy(w->preset);
    ebm_dataset_destroy(w->dataset);
    ebm_optimizer_destroy(w->sgd);
    ebm_optimizer_destroy(w->adam);
    ebm_loss_destroy(w->loss);
    ebm_buffer_destroy(w->buffer);
    ebm_sampler_destroy(w->baoab);
    ebm_sampler_destroy(w->hmc);
    ebm_sampler_destroy(w->sampler);
    ebm_model_destroy(w->model);
    ebm_network_destroy(w->network);
    ebm_context_destroy(w->context);
}

typedef struct table {
    void *object;
    const row *rows;
    size_t count;
    int key_count; /* of the enumeration */
    set_fn set;
    get_fn get;
    describe_fn describe;
} table;

#define TABLE(object, rows, keys, call)                               \
    {                                                                 \
        object, rows, TEST_COUNT(rows), keys, call##_set, call##_get, \
            call##_describe                                           \
    }

static void for_each_table(void (*check)(const table *t, const world *w))
{
    world w;
    create_world(&w);
    const table tables[] = {
        TABLE(w.context, context_rows, 1, context),
        TABLE(w.network, network_rows, 8, network),
        TABLE(w.sampler, sampler_rows, 12, sampler),
        TABLE(w.hmc, hmc_rows, 12, sampler),
        TABLE(w.baoab, baoab_rows, 12, sampler),
        TABLE(w.buffer, buffer_rows, 3, buffer),
        TABLE(w.loss, loss_rows, 9, loss),
        TABLE(w.adam, adam_rows, 8, optimizer),
        TABLE(w.sgd, sgd_rows, 8, optimizer),
        TABLE(w.dataset, dataset_rows, 6, dataset),
        TABLE(w.preset, preset_rows, 4, preset),
    };
    for (size_t i = 0; i < TEST_COUNT(tables); i++)
        check(tables + i, &w);
    destroy_world(&w);
}

static void check_description(const table *t, const world *w)
{
    for (size_t i = 0; i < t->count; i++) {
        const row *r = t->rows + i;
        const char *name = NULL;
        ebm_option_kind kind = EBM_OPTION_KIND_MAX;
        double minimum = NAN, maximum = NAN, initial = NAN, value = NAN;
        assert_ok(
            t->describe(r->key, &name, &kind, &minimum, &maximum, &initial));
        assert_string_equal(name, r->name);
        assert_int_equal(kind, r->kind);
        assert_true(minimum == r->minimum && maximum == r->maximum);
        assert_true(initial == r->initial);
        assert_ok(t->describe(r->key, NULL, NULL, NULL, NULL, NULL));
        assert_ok(t->get(t->object, r->key, &value));
        /* The number of threads is the machine's at first; here it was set
           to 1. */
        assert_true(value == r->initial);
    }
    int wrong[] = {t->key_count, -1, 1000, 0x7fffffff};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        const char *name = "as is";
        double value = 5;
        assert_status(t->describe(wrong[i], &name, NULL, NULL, NULL, &value),
                      EBM_ERROR_ARGUMENT);
        assert_error(w->context, t->set(t->object, wrong[i], 1),
                     EBM_ERROR_ARGUMENT, "key");
        assert_error(w->context, t->get(t->object, wrong[i], &value),
                     EBM_ERROR_ARGUMENT, "key");
        assert_string_equal(name, "as is");
        assert_true(value == 5);
    }
    /* All keys are described, whichever kind of object takes them. */
    for (int key = 0; key < t->key_count; key++)
        assert_ok(t->describe(key, NULL, NULL, NULL, NULL, NULL));
}

static void options_are_as_published(void **state)
{
    (void)state;
    for_each_table(check_description);
}

static void check_setting(const table *t, const world *w)
{
    for (size_t i = 0; i < t->count; i++) {
        const row *r = t->rows + i;
        double value = NAN;
        double good[] = {r->maximum, r->minimum};
        for (size_t g = 0; g < TEST_COUNT(good); g++) {
            assert_ok(t->set(t->object, r->key, good[g]));
            assert_ok(t->get(t->object, r->key, &value));
            assert_true(value == good[g]);
        }
        double bad[] = {NAN,
                        nextafter(r->minimum, -INFINITY),
                        nextafter(r->maximum, INFINITY),
                        -INFINITY,
                        INFINITY,
                        r->minimum + 0.5};
        for (size_t b = 0; b < TEST_COUNT(bad); b++) {
            int inside = bad[b] >= r->minimum && bad[b] <= r->maximum;
            if (inside && (r->kind == REAL || bad[b] == floor(bad[b])))
                continue;
            assert_error(w->context, t->set(t->object, r->key, bad[b]),
                         EBM_ERROR_RANGE, r->name);
            assert_ok(t->get(t->object, r->key, &value));
            assert_true(value == r->minimum);
        }
        assert_error(w->context, t->get(t->object, r->key, NULL),
                     EBM_ERROR_ARGUMENT, "NULL");
        assert_ok(t->set(t->object, r->key, r->initial));
        assert_ok(t->get(t->object, r->key, &value));
        assert_true(value == r->initial);
    }
}

/* What is said of a value tells it from the bound that it crosses. */
static void texts_name_the_value(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_error(
        context, ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 1000000001),
        EBM_ERROR_RANGE, "steps = 1000000001 is outside [1, 1000000000]");
    assert_error(context,
                 ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 123456.75),
                 EBM_ERROR_RANGE, "steps = 123456.75 is not a whole number");
    ebm_sampler_destroy(sampler);
    ebm_context_destroy(context);
}

static void setters_keep_to_the_ranges(void **state)
{
    (void)state;
    for_each_table(check_setting);
}

static void check_handles(const table *t, const world *w)
{
    /* A handle of another type: no object here is both. */
    const void *other = t->object == w->context ? (const void *)w->model
                                                : (const void *)w->context;
    void *wrong[] = {NULL, (void *)(uintptr_t)other};
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        double value = 5;
        assert_status(t->set(wrong[i], t->rows->key, t->rows->initial),
                      EBM_ERROR_HANDLE);
        assert_status(t->get(wrong[i], t->rows->key, &value),
                      EBM_ERROR_HANDLE);
        assert_true(value == 5);
    }
}

static void wrong_handles_are_a_status(void **state)
{
    (void)state;
    for_each_table(check_handles);
}

static void keys_of_another_optimizer_are_refused(void **state)
{
    (void)state;
    static const int only_adam[] = {EBM_OPTIMIZER_BETA1, EBM_OPTIMIZER_BETA2,
                                    EBM_OPTIMIZER_EPSILON};
    world w;
    create_world(&w);
    for (size_t i = 0; i < TEST_COUNT(only_adam); i++)
        assert_status(optimizer_set(w.sgd, only_adam[i], 0.5),
                      EBM_ERROR_UNSUPPORTED);
    assert_status(optimizer_set(w.adam, EBM_OPTIMIZER_MOMENTUM, 0.5),
                  EBM_ERROR_UNSUPPORTED);
    destroy_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_as_published),
        cmocka_unit_test(setters_keep_to_the_ranges),
        cmocka_unit_test(texts_name_the_value),
        cmocka_unit_test(wrong_handles_are_a_status),
        cmocka_unit_test(keys_of_another_optimizer_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
