/* One object of each kind. */
#include "sweep.h"

float sweep_x[CHAINS * SIZE];
int32_t sweep_labels[CHAINS];
double sweep_series[2 * 16];
char sweep_model_path[300], sweep_run_path[300], sweep_idx_path[300],
    sweep_cifar_path[300], sweep_folder_path[300], sweep_out_path[300];

static uint64_t nothing[64];

#define NO_ONE(member) made->member = (void *)nothing
static void make_nothing(sweep_made *made)
{
    NO_ONE(context), NO_ONE(model), NO_ONE(network), NO_ONE(preset);
    NO_ONE(chains), NO_ONE(sampler), NO_ONE(buffer), NO_ONE(loss);
    NO_ONE(report), NO_ONE(optimizer), NO_ONE(dataset), NO_ONE(transition);
    NO_ONE(check), NO_ONE(ais), NO_ONE(checkpoint);
}

static void build_models(world *w)
{
    ebm_network *net = NULL;
    const size_t n = 1;
    const float theta = 0.5f;
    assert_ok(ebm_network_create(w->context, H, W, C, &w->network));
    assert_ok(ebm_network_conv2d(w->network, 4, 3, 1, 1));
    assert_ok(ebm_network_create(w->context, H, W, C, &net));
    assert_ok(ebm_network_conv2d(net, 3, 3, 2, 1));
    assert_ok(ebm_network_swish(net));
    assert_ok(ebm_network_flatten(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, 1, &w->model));
    ebm_network_destroy(net);
    assert_ok(ebm_network_create(w->context, H, W, C, &net));
    assert_ok(ebm_network_class_affine(net, CLASSES));
    assert_ok(ebm_network_flatten(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, 2, &w->classes));
    ebm_network_destroy(net);
    w->quadratic.size = SIZE;
    assert_ok(ebm_model_create_custom(w->context, H, W, C, &test_quadratic_ops,
                                      &w->quadratic, &w->custom));
    assert_ok(ebm_model_set_parameters(w->custom, 0, &theta, n));
    ebm_model *const parts[2] = {w->model, w->custom};
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &w->sum));
    assert_ok(ebm_model_create_double_well(w->context, 3, 1, &w->well));
    assert_ok(ebm_preset_create(w->context, "digits-small", &w->preset));
    assert_ok(ebm_preset_set(w->preset, EBM_PRESET_WIDTH, 2));
}

static void build_samplers(world *w)
{
    assert_ok(
        ebm_sampler_create(w->context, EBM_SAMPLER_LANGEVIN, &w->sampler));
    assert_ok(ebm_sampler_set(w->sampler, EBM_SAMPLER_STEPS, 4));
    assert_ok(ebm_sampler_set(w->sampler, EBM_SAMPLER_STEP_SIZE, 0.1));
    assert_ok(ebm_sampler_create(w->context, EBM_SAMPLER_MALA, &w->mala));
    assert_ok(ebm_sampler_set(w->mala, EBM_SAMPLER_STEPS, 2));
    assert_ok(ebm_sampler_set(w->mala, EBM_SAMPLER_STEP_SIZE, 0.01));
    assert_ok(ebm_ais_create(w->context, EBM_AIS_GAUSSIAN, &w->ais));
    assert_ok(ebm_ais_set(w->ais, EBM_AIS_LEVELS, 3));
    assert_ok(ebm_check_create(w->context, 1, &w->check));
    assert_ok(
        ebm_transition_create(w->context, EBM_TRANSITION_FLIP, &w->flip));
    assert_ok(ebm_transition_create(w->context, EBM_TRANSITION_ELASTIC,
                                    &w->elastic));
}

static void build_training(world *w)
{
    assert_ok(ebm_chains_create(w->context, CHAINS, H, W, C, 5, &w->chains));
    assert_ok(ebm_chains_init_uniform(w->chains, -1, 1));
    assert_ok(
        ebm_buffer_create(w->context, CHAINS + 2, H, W, C, 6, &w->buffer));
    assert_ok(ebm_buffer_fill_uniform(w->buffer, CHAINS, -1, 1));
    assert_ok(ebm_loss_create(w->context, EBM_LOSS_NLL, &w->nll));
    assert_ok(ebm_loss_create(w->context, EBM_LOSS_KL, &w->kl));
    assert_ok(ebm_loss_set(w->kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    assert_ok(ebm_report_create(w->context, &w->report));
    assert_ok(ebm_optimizer_create(w->context, EBM_OPTIMIZER_ADAM, w->model,
                                   &w->optimizer));
    assert_ok(ebm_dataset_create_array(w->context, sweep_x, sweep_labels,
                                       CHAINS, H, W, C, 7, &w->dataset));
    assert_ok(ebm_dataset_create_folder(w->context, sweep_folder_path, 3, 2, 1,
                                        1, 8, &w->folder));
}

static void build_checkpoint(world *w)
{
    assert_ok(ebm_checkpoint_create(w->context, &w->run));
    assert_ok(ebm_checkpoint_add_model(w->run, "model", w->model));
    assert_ok(ebm_checkpoint_add_optimizer(w->run, "adam", w->optimizer));
    assert_ok(ebm_checkpoint_add_buffer(w->run, "buffer", w->buffer));
    assert_ok(ebm_checkpoint_add_chains(w->run, "chains", w->chains));
    assert_ok(ebm_checkpoint_add_dataset(w->run, "data", w->dataset));
    assert_ok(ebm_checkpoint_add_sampler(w->run, "mala", w->mala));
    assert_ok(ebm_checkpoint_set_number(w->run, "iteration", 7));
}

world *sweep_world(void)
{
    world *w = test_memory(sizeof *w);
    w->context = test_context(&w->memory);
    assert_ok(ebm_context_set(w->context, EBM_CONTEXT_THREADS, 1));
    build_models(w);
    build_samplers(w);
    build_training(w);
    build_checkpoint(w);
    make_nothing(&w->made);
    memset(w->f, 0x55, sizeof w->f);
    memset(w->d, 0x55, sizeof w->d);
    memset(w->z, 0x55, sizeof w->z);
    memset(w->i, 0x55, sizeof w->i);
    memset(w->u, 0x55, sizeof w->u);
    return w;
}

static void end_made(const sweep_made *made)
{
    ebm_context_destroy(made->context);
    ebm_model_destroy(made->model);
    ebm_network_destroy(made->network);
    ebm_preset_destroy(made->preset);
    ebm_chains_destroy(made->chains);
    ebm_sampler_destroy(made->sampler);
    ebm_buffer_destroy(made->buffer);
    ebm_loss_destroy(made->loss);
    ebm_report_destroy(made->report);
    ebm_optimizer_destroy(made->optimizer);
    ebm_dataset_destroy(made->dataset);
    ebm_transition_destroy(made->transition);
    ebm_check_destroy(made->check);
    ebm_ais_destroy(made->ais);
    ebm_checkpoint_destroy(made->checkpoint);
}

void sweep_end(world *w, int starved)
{
    if (starved)
        test_fail_at(&w->memory, 1, 1);
    ebm_context_destroy(w->context);
    end_made(&w->made);
    ebm_model *const models[] = {w->model, w->classes, w->sum, w->custom,
                                 w->well};
    for (size_t i = 0; i < TEST_COUNT(models); i++)
        ebm_model_destroy(models[i]);
    ebm_network_destroy(w->network);
    ebm_preset_destroy(w->preset);
    ebm_chains_destroy(w->chains);
    ebm_sampler_destroy(w->sampler);
    ebm_sampler_destroy(w->mala);
    ebm_buffer_destroy(w->buffer);
    ebm_loss_destroy(w->nll);
    ebm_loss_destroy(w->kl);
    ebm_report_destroy(w->report);
    ebm_optimizer_destroy(w->optimizer);
    ebm_dataset_destroy(w->dataset);
    ebm_dataset_destroy(w->folder);
    ebm_transition_destroy(w->flip);
    ebm_transition_destroy(w->elastic);
    ebm_check_destroy(w->check);
    ebm_ais_destroy(w->ais);
    ebm_checkpoint_destroy(w->run);
    assert_no_leaks(&w->memory);
    free(w);
}
