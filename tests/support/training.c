#include "training.h"

const test_recipe test_recipes[] = {
    {"fifo", .policy = EBM_BUFFER_FIFO, .loss = EBM_LOSS_NLL},
    {"reservoir, average", .policy = EBM_BUFFER_RESERVOIR, .decay = 0.9},
    {"write-back, SGD", .policy = EBM_BUFFER_WRITE_BACK,
     .optimizer = EBM_OPTIMIZER_SGD, .momentum = 0.9,
     .sampler = EBM_SAMPLER_TIED_LANGEVIN},
    {"write-back of data, resets", .policy = EBM_BUFFER_WRITE_BACK,
     .from_data = 1, .reset = 3, .loss = EBM_LOSS_CD_STAR,
     .optimizer = EBM_OPTIMIZER_SGD, .momentum = 0.5, .decay = 0.5},
    {"spectral, KL against the buffer", .energy = ENERGY_SPECTRAL, .kl = 1},
    {"conditional, CD", .energy = ENERGY_CONDITIONAL, .from_data = 1,
     .loss = EBM_LOSS_CD},
    {"sum, KL", .energy = ENERGY_SUM, .kl = 1, .decay = 0.9},
    {"custom, MALA with a warm-up", .energy = ENERGY_CUSTOM,
     .sampler = EBM_SAMPLER_MALA, .warmup = 11},
    {"HMC with a warm-up", .sampler = EBM_SAMPLER_HMC, .warmup = 500},
    {"BAOAB with a schedule", .sampler = EBM_SAMPLER_BAOAB, .schedule = 1},
    {"descent", .sampler = EBM_SAMPLER_GRADIENT_DESCENT, .schedule = 1},
    {"jumps", .jumps = 1, .kl = 1, .policy = EBM_BUFFER_RESERVOIR},
};
const size_t test_recipe_count = TEST_COUNT(test_recipes);

enum { SIZE = TEST_SIDE * TEST_SIDE, CLASSES = 3, STEPS = 4, REFERENCES = 5 };

/* E(x) = sum_j (x_j - theta_j)^2 / 2 */
static int custom_energy(const float *theta, const float *x,
                         const int32_t *labels, size_t n, float *energy,
                         float *grad, void *user)
{
    (void)labels, (void)user;
    for (size_t i = 0; i < n; i++) {
        energy[i] = 0;
        for (size_t j = 0; j < SIZE; j++) {
            float d = x[i * SIZE + j] - theta[j];
            energy[i] += d * d / 2;
            grad[i * SIZE + j] = d;
        }
    }
    return 0;
}

static int custom_param_grad(const float *theta, const float *x,
                             const int32_t *labels, size_t n,
                             const float *scale, float *grad, void *user)
{
    (void)labels, (void)user;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < SIZE; j++)
            grad[j] -= scale[i] * (x[i * SIZE + j] - theta[j]);
    return 0;
}

static ebm_model *make_network(ebm_context *context, size_t side,
                               test_energy energy, uint64_t seed)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, side, side, 1, &net));
    if (energy == ENERGY_SPECTRAL)
        assert_ok(
            ebm_network_set(net, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_SPECTRAL));
    assert_ok(ebm_network_conv2d(net, 4, 3, 1, 1));
    if (energy == ENERGY_CONDITIONAL)
        assert_ok(ebm_network_class_affine(net, CLASSES));
    assert_ok(ebm_network_swish(net));
    assert_ok(ebm_network_flatten(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, seed, &model));
    ebm_network_destroy(net);
    return model;
}

static ebm_model *make_model(ebm_context *context, test_energy energy,
                             uint64_t seed)
{
    ebm_model *model = NULL, *parts[2] = {NULL, NULL}, *small;
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .parameter_count = SIZE,
                          .energy_grad = custom_energy,
                          .param_grad = custom_param_grad};
    if (energy == ENERGY_CUSTOM) {
        assert_ok(ebm_model_create_custom(context, TEST_SIDE, TEST_SIDE, 1,
                                          &ops, NULL, &model));
        return model;
    }
    if (energy != ENERGY_SUM)
        return make_network(context, TEST_SIDE, energy, seed);
    parts[0] = make_network(context, TEST_SIDE, ENERGY_PLAIN, seed);
    small = make_network(context, TEST_SIDE / 2, ENERGY_SPECTRAL, seed + 1);
    assert_ok(ebm_model_create_downsampled(small, 2, &parts[1]));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &model));
    ebm_model_destroy(small);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    return model;
}

static ebm_dataset *make_data(ebm_context *context, uint64_t seed)
{
    float x[TEST_SAMPLES * SIZE];
    int32_t labels[TEST_SAMPLES];
    uint64_t state = 5; /* the samples are the same whatever the seed */
    ebm_dataset *data = NULL;
    test_fill_uniform(&state, x, TEST_COUNT(x), -1, 1);
    for (size_t i = 0; i < TEST_SAMPLES; i++)
        labels[i] = (int32_t)(i % CLASSES);
    assert_ok(ebm_dataset_create_array(context, x, labels, TEST_SAMPLES,
                                       TEST_SIDE, TEST_SIDE, 1, seed, &data));
    assert_ok(ebm_dataset_set(data, EBM_DATASET_NOISE_STD, 0.01));
    return data;
}

static void make_sampler(test_run *run)
{
    const test_recipe *r = run->recipe;
    assert_ok(ebm_sampler_create(run->context, r->sampler, &run->sampler));
    assert_ok(ebm_sampler_set(run->sampler, EBM_SAMPLER_STEPS, STEPS));
    assert_ok(ebm_sampler_set(run->sampler, EBM_SAMPLER_STEP_SIZE, 0.05));
    if (r->kl || r->loss == EBM_LOSS_CD)
        assert_ok(ebm_sampler_set(run->sampler, EBM_SAMPLER_KEEP_STEPS, 1));
    if (r->warmup)
        assert_ok(ebm_sampler_set(run->sampler, EBM_SAMPLER_WARMUP_STEPS,
                                  r->warmup));
    if (r->schedule)
        assert_ok(ebm_sampler_set_schedule(run->sampler, EBM_SAMPLER_STEP_SIZE,
                                           EBM_SCHEDULE_COSINE, 0.1, 0.01));
}

static void make_jumps(test_run *run)
{
    ebm_transition *jump = NULL;
    assert_ok(ebm_transition_create(run->context, EBM_TRANSITION_FLIP, &jump));
    assert_ok(ebm_buffer_set_transition(run->buffer, jump));
    assert_ok(ebm_sampler_set_transition(run->sampler, jump, 3));
    ebm_transition_destroy(jump);
}

static void make_buffer(test_run *run, uint64_t seed)
{
    const test_recipe *r = run->recipe;
    ebm_context *context = run->context;
    size_t first =
        r->policy == EBM_BUFFER_WRITE_BACK ? TEST_CAPACITY - 4 : TEST_BATCH;
    assert_ok(ebm_buffer_create(context, TEST_CAPACITY, TEST_SIDE, TEST_SIDE,
                                1, seed, &run->buffer));
    assert_ok(ebm_buffer_set(run->buffer, EBM_BUFFER_POLICY, r->policy));
    assert_ok(ebm_buffer_set(run->buffer, EBM_BUFFER_FRESH_RATE, 0.3));
    assert_ok(
        ebm_buffer_set(run->buffer, EBM_BUFFER_RESET_INTERVAL, r->reset));
    if (r->from_data)
        assert_ok(ebm_buffer_fill_data(run->buffer, run->data, first));
    else if (r->policy == EBM_BUFFER_RESERVOIR)
        assert_ok(ebm_buffer_fill_normal(run->buffer, first, 0, 0.3));
    else
        assert_ok(ebm_buffer_fill_uniform(run->buffer, first, -1, 1));
    assert_ok(ebm_chains_create(context, TEST_BATCH, TEST_SIDE, TEST_SIDE, 1,
                                seed + 1, &run->chains));
    assert_ok(ebm_chains_set_first_stream(run->chains, seed % 7));
}

static void make_losses(test_run *run)
{
    const test_recipe *r = run->recipe;
    ebm_context *context = run->context;
    assert_ok(ebm_loss_create(context, r->loss, &run->loss));
    assert_ok(ebm_loss_set(run->loss, EBM_LOSS_ENERGY_L2, 0.1));
    if (!r->kl)
        return;
    assert_ok(ebm_loss_create(context, EBM_LOSS_KL, &run->kl));
    assert_ok(ebm_loss_set(run->kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    assert_ok(ebm_loss_set(run->kl, EBM_LOSS_ENT_WEIGHT, 0.01));
    assert_ok(
        ebm_loss_set_entropy_reference(run->kl, run->buffer, REFERENCES));
}

static void make_optimizer(test_run *run)
{
    const test_recipe *r = run->recipe;
    assert_ok(ebm_optimizer_create(run->context, r->optimizer, run->model,
                                   &run->optimizer));
    assert_ok(
        ebm_optimizer_set(run->optimizer, EBM_OPTIMIZER_LEARNING_RATE, 0.01));
    if (r->momentum > 0)
        assert_ok(ebm_optimizer_set(run->optimizer, EBM_OPTIMIZER_MOMENTUM,
                                    r->momentum));
    if (r->decay > 0)
        assert_ok(ebm_optimizer_set(run->optimizer, EBM_OPTIMIZER_EMA_DECAY,
                                    r->decay));
}

static void make_checkpoint(test_run *run)
{
    ebm_checkpoint *c = NULL;
    assert_ok(ebm_checkpoint_create(run->context, &c));
    assert_ok(ebm_checkpoint_add_dataset(c, "data", run->data));
    assert_ok(ebm_checkpoint_add_model(c, "model", run->model));
    assert_ok(ebm_checkpoint_add_optimizer(c, "optimizer", run->optimizer));
    /* Before its buffer: the order does not matter. */
    assert_ok(ebm_checkpoint_add_chains(c, "chains", run->chains));
    assert_ok(ebm_checkpoint_add_buffer(c, "buffer", run->buffer));
    assert_ok(ebm_checkpoint_add_sampler(c, "sampler", run->sampler));
    run->checkpoint = c;
}

test_run test_run_begin(const test_recipe *recipe, ebm_context *context,
                        uint64_t seed)
{
    test_run run = {.recipe = recipe, .context = context};
    run.data = make_data(context, seed);
    run.model = make_model(context, recipe->energy, seed);
    make_sampler(&run);
    make_buffer(&run, seed);
    make_losses(&run);
    make_optimizer(&run);
    if (recipe->jumps)
        make_jumps(&run);
    assert_ok(ebm_report_create(context, &run.report));
    make_checkpoint(&run);
    return run;
}

void test_run_train(test_run *run, size_t iterations)
{
    float x[TEST_BATCH * SIZE];
    int32_t y[TEST_BATCH];
    for (size_t i = 0; i < iterations; i++, run->done++) {
        assert_ok(ebm_dataset_next(run->data, TEST_BATCH, x, y));
        assert_ok(ebm_buffer_draw(run->buffer, run->chains));
        assert_ok(ebm_sampler_run(run->sampler, run->model, run->chains));
        assert_ok(ebm_loss_backward(run->loss, run->model, x, y, TEST_BATCH,
                                    run->chains, run->report));
        if (run->kl)
            assert_ok(ebm_loss_backward(run->kl, run->model, NULL, NULL, 0,
                                        run->chains, run->report));
        assert_ok(ebm_optimizer_step(run->optimizer));
        assert_ok(ebm_buffer_store(run->buffer, run->chains));
    }
}

void test_run_save(test_run *run, const char *path)
{
    assert_ok(
        ebm_checkpoint_set_number(run->checkpoint, "iteration", run->done));
    assert_ok(ebm_checkpoint_save(run->checkpoint, path));
}

void test_run_load(test_run *run, const char *path)
{
    assert_ok(ebm_checkpoint_load(run->checkpoint, path));
    assert_ok(
        ebm_checkpoint_get_number(run->checkpoint, "iteration", &run->done));
}

void test_run_end(test_run *run)
{
    ebm_checkpoint_destroy(run->checkpoint);
    ebm_report_destroy(run->report);
    ebm_optimizer_destroy(run->optimizer);
    ebm_loss_destroy(run->kl);
    ebm_loss_destroy(run->loss);
    ebm_chains_destroy(run->chains);
    ebm_buffer_destroy(run->buffer);
    ebm_sampler_destroy(run->sampler);
    ebm_model_destroy(run->model);
    ebm_dataset_destroy(run->data);
    ebm_context_destroy(run->context);
}
