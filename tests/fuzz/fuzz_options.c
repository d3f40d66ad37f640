/*
 * Settings. The input is a row of records of 10 bytes: the object, the key and
 * a double; each is set and then read back. What is accepted lies within what
 * the query says, what is refused changes nothing, and at the end everything
 * runs with the settings that came of it.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"

enum { RECORD = 10, MOST_RECORDS = 64, SIDE = 4, ELEMENTS = 2 * SIDE * SIDE };

typedef enum kind {
    CONTEXT,
    SAMPLER,
    BUFFER = SAMPLER + 6, /* behind the six kinds of sampler */
    LOSS,
    OPTIMIZER,
    DATASET,
    NETWORK,
    PRESET,
    CHECK,
    AIS,
    TRANSITION,
    KINDS = TRANSITION + 8 /* leaves */
} kind;

/* One of each. */
typedef struct world {
    ebm_context *context;
    ebm_model *model;
    ebm_chains *chains;
    ebm_sampler *samplers[6];
    ebm_buffer *buffer;
    ebm_loss *loss;
    ebm_optimizer *optimizer;
    ebm_dataset *dataset;
    ebm_network *network;
    ebm_preset *preset;
    ebm_check *check;
    ebm_ais *ais;
    ebm_transition *transitions[8];
} world;

static void must(ebm_status status)
{
    FUZZ_CHECK(status == EBM_OK);
}

static void build(world *w)
{
    float x[2 * ELEMENTS] = {0};
    memset(w, 0, sizeof *w);
    w->context = fuzz_begin();
    must(ebm_network_create(w->context, SIDE, SIDE, 2, &w->network));
    must(ebm_network_flatten(w->network));
    must(ebm_network_dense(w->network, 1));
    must(ebm_network_square(w->network));
    must(ebm_model_create_network(w->network, 1, &w->model));
    must(ebm_chains_create(w->context, 3, SIDE, SIDE, 2, 1, &w->chains));
    for (int i = 0; i < 6; i++)
        must(ebm_sampler_create(w->context, (ebm_sampler_kind)i,
                                &w->samplers[i]));
    must(ebm_buffer_create(w->context, 5, SIDE, SIDE, 2, 1, &w->buffer));
    must(ebm_buffer_fill_uniform(w->buffer, 5, -1, 1));
    must(ebm_loss_create(w->context, EBM_LOSS_NLL, &w->loss));
    must(ebm_optimizer_create(w->context, EBM_OPTIMIZER_ADAM, w->model,
                              &w->optimizer));
    must(ebm_dataset_create_array(w->context, x, NULL, 2, SIDE, SIDE, 2, 1,
                                  &w->dataset));
    must(ebm_preset_create(w->context, ebm_preset_name(0), &w->preset));
    must(ebm_check_create(w->context, 1, &w->check));
    must(ebm_ais_create(w->context, EBM_AIS_BOX, &w->ais));
    for (int i = 0; i < 8; i++)
        must(ebm_transition_create(w->context, (ebm_transition_kind)i,
                                   &w->transitions[i]));
}

static void tear_down(world *w)
{
    ebm_model_destroy(w->model);
    ebm_chains_destroy(w->chains);
    for (int i = 0; i < 6; i++)
        ebm_sampler_destroy(w->samplers[i]);
    ebm_buffer_destroy(w->buffer);
    ebm_loss_destroy(w->loss);
    ebm_optimizer_destroy(w->optimizer);
    ebm_dataset_destroy(w->dataset);
    ebm_network_destroy(w->network);
    ebm_preset_destroy(w->preset);
    ebm_check_destroy(w->check);
    ebm_ais_destroy(w->ais);
    for (int i = 0; i < 8; i++)
        ebm_transition_destroy(w->transitions[i]);
    fuzz_end(w->context);
}

/* CALL(object, handle) of the object in question, other than transitions. */
#define DISPATCH(CALL, w, at)                              \
    switch ((kind)(at)) {                                  \
    case CONTEXT:                                          \
        return CALL(context, (w)->context);                \
    case BUFFER:                                           \
        return CALL(buffer, (w)->buffer);                  \
    case LOSS:                                             \
        return CALL(loss, (w)->loss);                      \
    case OPTIMIZER:                                        \
        return CALL(optimizer, (w)->optimizer);            \
    case DATASET:                                          \
        return CALL(dataset, (w)->dataset);                \
    case NETWORK:                                          \
        return CALL(network, (w)->network);                \
    case PRESET:                                           \
        return CALL(preset, (w)->preset);                  \
    case CHECK:                                            \
        return CALL(check, (w)->check);                    \
    case AIS:                                              \
        return CALL(ais, (w)->ais);                        \
    default:                                               \
        return CALL(sampler, (w)->samplers[(at)-SAMPLER]); \
    }

static ebm_status set(const world *w, unsigned at, int key, double value)
{
#define SET(object, handle) ebm_##object##_set((handle), key, value)
    if (at >= TRANSITION)
        return SET(transition, w->transitions[at - TRANSITION]);
    DISPATCH(SET, w, at)
}

static ebm_status get(const world *w, unsigned at, int key, double *value)
{
#define GET(object, handle) ebm_##object##_get((handle), key, value)
    if (at >= TRANSITION)
        return GET(transition, w->transitions[at - TRANSITION]);
    DISPATCH(GET, w, at)
}

static ebm_status describe(unsigned at, int key, ebm_option_kind *what,
                           double *low, double *high)
{
#define ASK(object, handle) \
    ebm_##object##_option(key, NULL, what, low, high, NULL)
    if (at >= TRANSITION)
        return ebm_transition_option((ebm_transition_kind)(at - TRANSITION),
                                     key, NULL, what, low, high, NULL);
    DISPATCH(ASK, (const world *)NULL, at)
}

/* What run() could not finish, or a machine does not have, is kept small. */
static double tame(unsigned at, int key, double value)
{
    int is_sampler = at >= SAMPLER && at < BUFFER;
    if ((at == CONTEXT && key == EBM_CONTEXT_THREADS) ||
        (is_sampler &&
         (key == EBM_SAMPLER_STEPS || key == EBM_SAMPLER_LEAPFROG_STEPS)))
        return value > 8 ? fmod(value, 8) : value;
    return value;
}

static void apply(const world *w, const uint8_t *record)
{
    unsigned at = record[0] % KINDS;
    int key = record[1] > 0xf0 ? 0x7fffff00 + record[1] : record[1] % 32;
    double value, before = 0, after = 0, low = 0, high = 0;
    ebm_option_kind what = EBM_OPTION_REAL;
    memcpy(&value, record + 2, sizeof value);
    value = tame(at, key, value);
    ebm_status known = describe(at, key, &what, &low, &high);
    ebm_status had = get(w, at, key, &before);
    ebm_status status = set(w, at, key, value);
    ebm_status has = get(w, at, key, &after);
    FUZZ_CHECK(had == has);
    FUZZ_CHECK(known == EBM_OK || status != EBM_OK);
    if (status == EBM_OK) {
        FUZZ_CHECK(has == EBM_OK && after == value);
        FUZZ_CHECK(after >= low && after <= high);
        FUZZ_CHECK(what == EBM_OPTION_REAL || after == floor(after));
    } else if (has == EBM_OK) {
        FUZZ_CHECK(after == before);
    }
}

/* No result of any setting is a crash or, with success, a value that is not
   finite. */
static void run(world *w)
{
    float x[ELEMENTS], data[ELEMENTS] = {0}, image[6 * 5 * 3];
    for (int i = 0; i < 6; i++) {
        must(ebm_chains_init_uniform(w->chains, -1, 1));
        ebm_status status =
            ebm_sampler_run(w->samplers[i], w->model, w->chains);
        FUZZ_CHECK(status != EBM_ERROR_MEMORY);
        fuzz_check_floats(ebm_chains_states(w->chains), 3 * ELEMENTS, -3.5e38,
                          3.5e38);
    }
    for (int i = 0; i < 8; i++) {
        for (size_t k = 0; k < 6 * 5 * 3; k++)
            image[k] = (float)(k % 7) / 7;
        ebm_status status = ebm_transition_apply(w->transitions[i], image,
                                                 NULL, 1, 6, 5, 3, 1, 0, 0);
        if (status == EBM_OK)
            fuzz_check_floats(image, 6 * 5 * 3, -3.5e38, 3.5e38);
    }
    if (ebm_buffer_draw(w->buffer, w->chains) == EBM_OK)
        ebm_buffer_store(w->buffer, w->chains);
    if (ebm_dataset_next(w->dataset, 1, x, NULL) == EBM_OK)
        fuzz_check_floats(x, ELEMENTS, -3.5e38, 3.5e38);
    ebm_loss_backward(w->loss, w->model, data, NULL, 1, w->chains, NULL);
    ebm_optimizer_step(w->optimizer);
    fuzz_check_floats(ebm_model_parameters(w->model),
                      ebm_model_parameter_count(w->model), -3.5e38, 3.5e38);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w;
    build(&w);
    for (size_t n = 0; n < MOST_RECORDS && size >= RECORD; n++) {
        apply(&w, data);
        data += RECORD;
        size -= RECORD;
    }
    run(&w);
    tear_down(&w);
    return 0;
}

/* For each object its keys with values at and beyond their ends, and those
   that are always wrong. */
size_t fuzz_seed(size_t index, unsigned char *out)
{
    size_t size = 0;
    if (index >= KINDS)
        return 0;
    for (int key = 0; key < 24; key++) {
        double low = 0, high = 1;
        describe((unsigned)index, key, NULL, &low, &high);
        const double values[] = {low, high, (low + high) / 2, low - 1,
                                 0.5, NAN,  INFINITY};
        size_t which = ((size_t)key + index) % 7;
        out[size] = (unsigned char)index;
        out[size + 1] = (unsigned char)key;
        memcpy(out + size + 2, &values[which], sizeof *values);
        size += RECORD;
    }
    return size;
}

/* Nothing stands in the way. */
void fuzz_repair(unsigned char *data, size_t size)
{
    (void)data, (void)size;
}
