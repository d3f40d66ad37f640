/*
 * Checkpoints. What is refused leaves every object as it was; what loads is
 * what a save writes, and the objects can go on with it.
 */
#include <string.h>

#include "fuzz.h"

/* As for model files. */
enum { FACTOR = 160, BASE = 1 << 18 };

enum { SIDE = 3, CHAINS = 2, CAPACITY = 4, SAMPLES = 3, STEPS = 2 };

/* One of everything, tiny. */
typedef struct run {
    ebm_model *model;
    ebm_optimizer *optimizer;
    ebm_buffer *buffer;
    ebm_chains *chains;
    ebm_dataset *data;
    ebm_sampler *sampler;
    ebm_loss *loss;
    ebm_report *report;
    ebm_checkpoint *checkpoint;
} run;

#define MAKE(call) FUZZ_CHECK((call) == EBM_OK)

static void make_model(ebm_context *context, run *r)
{
    ebm_network *net = NULL;
    MAKE(ebm_network_create(context, SIDE, SIDE, 1, &net));
    MAKE(ebm_network_set(net, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_SPECTRAL));
    MAKE(ebm_network_conv2d(net, 2, 3, 1, 1));
    MAKE(ebm_network_swish(net));
    MAKE(ebm_network_flatten(net));
    MAKE(ebm_network_dense(net, 1));
    MAKE(ebm_model_create_network(net, 1, &r->model));
    ebm_network_destroy(net);
    MAKE(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, r->model,
                              &r->optimizer));
    MAKE(ebm_optimizer_set(r->optimizer, EBM_OPTIMIZER_EMA_DECAY, 0.5));
}

static void collect(ebm_context *context, run *r)
{
    MAKE(ebm_checkpoint_create(context, &r->checkpoint));
    MAKE(ebm_checkpoint_add_dataset(r->checkpoint, "d", r->data));
    MAKE(ebm_checkpoint_add_model(r->checkpoint, "m", r->model));
    MAKE(ebm_checkpoint_add_optimizer(r->checkpoint, "o", r->optimizer));
    MAKE(ebm_checkpoint_add_buffer(r->checkpoint, "b", r->buffer));
    MAKE(ebm_checkpoint_add_chains(r->checkpoint, "c", r->chains));
    MAKE(ebm_checkpoint_add_sampler(r->checkpoint, "s", r->sampler));
}

static run make(ebm_context *context, ebm_buffer_policy policy)
{
    const float x[SAMPLES * SIDE * SIDE] = {0.5f, -0.5f, 0.25f};
    run r;
    memset(&r, 0, sizeof r);
    make_model(context, &r);
    MAKE(ebm_dataset_create_array(context, x, NULL, SAMPLES, SIDE, SIDE, 1, 1,
                                  &r.data));
    MAKE(ebm_buffer_create(context, CAPACITY, SIDE, SIDE, 1, 2, &r.buffer));
    MAKE(ebm_buffer_set(r.buffer, EBM_BUFFER_POLICY, policy));
    MAKE(ebm_buffer_fill_uniform(r.buffer, CHAINS, -1, 1));
    MAKE(ebm_chains_create(context, CHAINS, SIDE, SIDE, 1, 3, &r.chains));
    MAKE(ebm_sampler_create(context, EBM_SAMPLER_MALA, &r.sampler));
    MAKE(ebm_sampler_set(r.sampler, EBM_SAMPLER_STEPS, STEPS));
    MAKE(ebm_sampler_set(r.sampler, EBM_SAMPLER_WARMUP_STEPS, 3));
    MAKE(ebm_loss_create(context, EBM_LOSS_NLL, &r.loss));
    MAKE(ebm_report_create(context, &r.report));
    collect(context, &r);
    return r;
}

/* An iteration. Numbers from anywhere may diverge or be refused, which is a
   status; the count of steps may be used up. */
static void go_on(run *r)
{
    float x[CHAINS * SIDE * SIDE];
    MAKE(ebm_dataset_next(r->data, CHAINS, x, NULL));
    if (ebm_buffer_draw(r->buffer, r->chains) == EBM_OK &&
        ebm_sampler_run(r->sampler, r->model, r->chains) == EBM_OK &&
        ebm_loss_backward(r->loss, r->model, x, NULL, CHAINS, r->chains,
                          r->report) == EBM_OK)
        ebm_optimizer_step(r->optimizer);
    ebm_buffer_store(r->buffer, r->chains);
}

static void unmake(run *r)
{
    ebm_checkpoint_destroy(r->checkpoint);
    ebm_report_destroy(r->report);
    ebm_loss_destroy(r->loss);
    ebm_sampler_destroy(r->sampler);
    ebm_chains_destroy(r->chains);
    ebm_buffer_destroy(r->buffer);
    ebm_dataset_destroy(r->data);
    ebm_optimizer_destroy(r->optimizer);
    ebm_model_destroy(r->model);
}

/* What the run's checkpoint is now. */
static size_t save(const run *r, unsigned char *out)
{
    MAKE(ebm_checkpoint_save(r->checkpoint, fuzz_target()));
    return fuzz_target_read(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char before[FUZZ_ROOM], after[FUZZ_ROOM];
    ebm_context *context = fuzz_begin();
    run r = make(context, size % 2 ? EBM_BUFFER_WRITE_BACK : EBM_BUFFER_FIFO);
    size_t length = save(&r, before);
    ebm_status status =
        ebm_checkpoint_load(r.checkpoint, fuzz_file(0, data, size));
    fuzz_expect(size, FACTOR, BASE);
    if (status != EBM_OK) {
        FUZZ_CHECK(save(&r, after) == length);
        FUZZ_CHECK(!memcmp(before, after, length));
    } else {
        /* Once saved, it is what it is. */
        length = save(&r, before);
        MAKE(ebm_checkpoint_load(r.checkpoint, fuzz_file(1, before, length)));
        FUZZ_CHECK(save(&r, after) == length);
        FUZZ_CHECK(!memcmp(before, after, length));
        go_on(&r);
    }
    unmake(&r);
    fuzz_end(context);
    return 0;
}

/* ---- Seeds: runs after 0 to 3 iterations ---- */

size_t fuzz_seed(size_t index, unsigned char *out)
{
    ebm_context *context = NULL;
    if (index > 3)
        return 0;
    MAKE(ebm_context_create(&context));
    run r = make(context, index % 2 ? EBM_BUFFER_WRITE_BACK : EBM_BUFFER_FIFO);
    for (size_t i = 0; i < index; i++)
        go_on(&r);
    MAKE(ebm_checkpoint_set_number(r.checkpoint, "iteration", index));
    size_t size = save(&r, out);
    unmake(&r);
    ebm_context_destroy(context);
    return size;
}

void fuzz_repair(unsigned char *data, size_t size)
{
    fuzz_repair_header(data, size);
}
