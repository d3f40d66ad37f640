#include "cases.h"

#include <stdlib.h>

/* What a training iteration needs; a case uses some of it. */
typedef struct work {
    const bench_case *bench;
    ebm_context *context;
    ebm_model *model;
    ebm_chains *chains;
    ebm_sampler *langevin;
    ebm_loss *loss, *kl;
    ebm_optimizer *adam;
    float *data; /* [batch, height, width, channels] */
} work;

static void destroy(void *argument)
{
    work *w = argument;
    ebm_optimizer_destroy(w->adam);
    ebm_loss_destroy(w->loss);
    ebm_loss_destroy(w->kl);
    ebm_sampler_destroy(w->langevin);
    ebm_chains_destroy(w->chains);
    ebm_model_destroy(w->model);
    free(w->data);
    free(w);
}

static ebm_chains *create_chains(const work *w, uint64_t seed)
{
    ebm_context *context = w->context;
    size_t shape[3];
    ebm_chains *chains = NULL;
    BENCH_TRY(ebm_model_shape(w->model, shape, shape + 1, shape + 2));
    BENCH_TRY(ebm_chains_create(context, w->bench->batch, shape[0], shape[1],
                                shape[2], seed, &chains));
    return chains;
}

static work *create(const bench_case *bench, ebm_context *context)
{
    work *w = calloc(1, sizeof *w);
    if (w == NULL)
        bench_try(context, EBM_ERROR_MEMORY, "calloc");
    ebm_preset *preset = NULL;
    BENCH_TRY(ebm_preset_create(context, bench->preset, &preset));
    BENCH_TRY(ebm_preset_set(preset, EBM_PRESET_SCALES,
                             bench->scales ? (double)bench->scales : 1.0));
    BENCH_TRY(ebm_preset_set(preset, EBM_PRESET_WIDTH, (double)bench->width));
    BENCH_TRY(ebm_preset_make_model(preset, 1, &w->model));
    ebm_preset_destroy(preset);
    w->bench = bench;
    w->context = context;
    w->chains = create_chains(w, 1);
    return w;
}

/* chain-*: chains from uniform noise through some Langevin steps. */

static void *create_chain(const bench_case *bench, ebm_context *context)
{
    work *w = create(bench, context);
    ebm_sampler *s = NULL;
    BENCH_TRY(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &s));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STEPS, (double)bench->steps));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STEP_SIZE, 10.0));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_NOISE_STD, 0.005));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_GRADIENT_CLIP, 0.03));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MIN, -1.0));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MAX, 1.0));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_KEEP_STEPS, (double)bench->kept));
    w->langevin = s;
    return w;
}

static void run_chain(void *argument)
{
    work *w = argument;
    ebm_context *context = w->context;
    BENCH_TRY(ebm_chains_init_uniform(w->chains, -1.0, 1.0));
    BENCH_TRY(ebm_sampler_run(w->langevin, w->model, w->chains));
}

/* update-*: one step of learning from as many data as chain states. */

static void *create_update(const bench_case *bench, ebm_context *context)
{
    work *w = create(bench, context);
    size_t shape[3];
    BENCH_TRY(ebm_model_shape(w->model, shape, shape + 1, shape + 2));
    size_t elements = bench->batch * shape[0] * shape[1] * shape[2];
    w->data = malloc(elements * sizeof *w->data);
    if (w->data == NULL)
        bench_try(context, EBM_ERROR_MEMORY, "malloc");
    /* Values do not matter here: data and chains are uniform noise. */
    ebm_chains *noise = create_chains(w, 2);
    BENCH_TRY(ebm_chains_init_uniform(noise, -1.0, 1.0));
    for (size_t i = 0; i < elements; i++)
        w->data[i] = ebm_chains_states(noise)[i];
    ebm_chains_destroy(noise);
    BENCH_TRY(ebm_chains_init_uniform(w->chains, -1.0, 1.0));

    BENCH_TRY(ebm_loss_create(context, EBM_LOSS_NLL, &w->loss));
    BENCH_TRY(ebm_loss_set(w->loss, EBM_LOSS_ENERGY_L2, 0.1));
    ebm_optimizer *adam = NULL;
    BENCH_TRY(
        ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, w->model, &adam));
    BENCH_TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_LEARNING_RATE, 1e-4));
    BENCH_TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_BETA1, 0.0));
    BENCH_TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_BETA2, 0.999));
    BENCH_TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_CLIP_NORM, 0.1));
    w->adam = adam;
    return w;
}

static void run_update(void *argument)
{
    work *w = argument;
    ebm_context *context = w->context;
    BENCH_TRY(ebm_loss_backward(w->loss, w->model, w->data, NULL,
                                w->bench->batch, w->chains, NULL));
    BENCH_TRY(ebm_optimizer_step(w->adam));
}

/* kl*: a run, then L_opt and its parameter gradient through the kept steps. */

static void *create_kl(const bench_case *bench, ebm_context *context)
{
    work *w = create_chain(bench, context);
    ebm_loss *kl = NULL;
    BENCH_TRY(ebm_loss_create(context, EBM_LOSS_KL, &kl));
    BENCH_TRY(ebm_loss_set(kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    BENCH_TRY(ebm_loss_set(kl, EBM_LOSS_ENT_WEIGHT, 0.0));
    w->loss = kl;
    return w;
}

static void run_kl(void *argument)
{
    work *w = argument;
    ebm_context *context = w->context;
    run_chain(w);
    BENCH_TRY(
        ebm_loss_backward(w->loss, w->model, NULL, NULL, 0, w->chains, NULL));
    BENCH_TRY(ebm_model_zero_gradient(w->model));
}

/* train-*: a whole iteration, chains, both phases and Adam; with kept steps
   also the KL term, entropy included. */

static void *create_training(const bench_case *bench, ebm_context *context)
{
    work *w = create_update(bench, context);
    work *chain = create_chain(bench, context);
    w->langevin = chain->langevin;
    chain->langevin = NULL;
    destroy(chain);
    BENCH_TRY(ebm_loss_set(w->loss, EBM_LOSS_PARTS, EBM_PARTS_MEAN));
    if (!bench->kept)
        return w;
    BENCH_TRY(ebm_loss_create(context, EBM_LOSS_KL, &w->kl));
    BENCH_TRY(ebm_loss_set(w->kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    BENCH_TRY(ebm_loss_set(w->kl, EBM_LOSS_PARTS, EBM_PARTS_MEAN));
    BENCH_TRY(ebm_loss_set(w->kl, EBM_LOSS_ENT_WEIGHT, 1e-4));
    return w;
}

static void run_training(void *argument)
{
    work *w = argument;
    ebm_context *context = w->context;
    run_chain(w);
    BENCH_TRY(ebm_loss_backward(w->loss, w->model, w->data, NULL,
                                w->bench->batch, w->chains, NULL));
    if (w->kl != NULL)
        BENCH_TRY(ebm_loss_backward(w->kl, w->model, NULL, NULL, 0, w->chains,
                                    NULL));
    BENCH_TRY(ebm_optimizer_step(w->adam));
}

const bench_case bench_cases[] = {
    {"chain-small", "digits-small, 128 chains from noise, 60 Langevin steps",
     "digits-small", 128, 60, 0, create_chain, run_chain, destroy, 0, 0, 0},
    {"chain-mnist-resnet", "du2020-mnist, 32 chains from noise, 10 steps",
     "du2020-mnist", 32, 10, 0, create_chain, run_chain, destroy, 0, 0, 0},
    {"chain-table1", "du2020-cifar's full scale, 8 chains, 4 steps",
     "du2020-cifar", 8, 4, 0, create_chain, run_chain, destroy, 0, 0, 0},
    {"update-small", "digits-small, NLL gradient of 128 + 128, clip, Adam",
     "digits-small", 128, 0, 0, create_update, run_update, destroy, 0, 0, 0},
    {"update-table1", "du2020-cifar's full scale, the same of 8 + 8",
     "du2020-cifar", 8, 0, 0, create_update, run_update, destroy, 0, 0, 0},
    {"kl1-small", "digits-small, 128 chains, 40 steps, L_opt through the last",
     "digits-small", 128, 40, 1, create_kl, run_kl, destroy, 0, 0, 0},
    {"klall-small", "digits-small, 128 chains, 40 steps, L_opt through all",
     "digits-small", 128, 40, 40, create_kl, run_kl, destroy, 0, 0, 0},
    {"transition-elastic-28",
     "128 images 28x28, elastic deformation, 3x3 grid, cubic", NULL, 128, 0, 0,
     bench_elastic_create, bench_images_run, bench_images_destroy, 0, 0, 0},
    {"transition-simclr-32",
     "128 images 32x32x3: crop, flip, jitter, grayscale, blur", NULL, 128, 0,
     0, bench_simclr_create, bench_images_run, bench_images_destroy, 0, 0, 0},
    {"train-cifar", "du2020-cifar, three scales, 16 + 16, 40 steps, KL on",
     "du2020-cifar", 16, 40, 1, create_training, run_training, destroy, 3, 64,
     1},
    {"train-celeba-32", "du2020-celeba of width 32, 4 + 4, 10 steps",
     "du2020-celeba", 4, 10, 0, create_training, run_training, destroy, 3, 32,
     1},
    {"train-celeba-64", "du2020-celeba, 1 + 1, 10 steps", "du2020-celeba", 1,
     10, 0, create_training, run_training, destroy, 3, 64, 1},
};
const size_t bench_case_count = sizeof bench_cases / sizeof bench_cases[0];

size_t bench_samples(const bench_case *bench)
{
    int two =
        bench->create == create_update || bench->create == create_training;
    return two ? 2 * bench->batch : bench->batch;
}
