#include "cases.h"

#include <stdlib.h>

enum { BATCH = 128, SIZE = 28, STEPS = 60, KL_STEPS = 40 };

/* What the digits cases share: the network of the du_mordatch example and
   everything that one training iteration needs. */
typedef struct digits {
    ebm_context *context;
    ebm_model *model;
    ebm_chains *chains;
    ebm_sampler *langevin;
    ebm_loss *loss;
    ebm_optimizer *adam;
    float *data; /* [BATCH, SIZE, SIZE, 1] */
} digits;

static ebm_model *create_network(ebm_context *context)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    BENCH_TRY(ebm_network_create(context, SIZE, SIZE, 1, &net));
    BENCH_TRY(ebm_network_conv2d(net, 16, 5, 2, 4));
    BENCH_TRY(ebm_network_swish(net));
    BENCH_TRY(ebm_network_conv2d(net, 32, 3, 2, 1));
    BENCH_TRY(ebm_network_swish(net));
    BENCH_TRY(ebm_network_conv2d(net, 64, 3, 2, 1));
    BENCH_TRY(ebm_network_swish(net));
    BENCH_TRY(ebm_network_conv2d(net, 64, 3, 2, 1));
    BENCH_TRY(ebm_network_swish(net));
    BENCH_TRY(ebm_network_flatten(net));
    BENCH_TRY(ebm_network_dense(net, 64));
    BENCH_TRY(ebm_network_swish(net));
    BENCH_TRY(ebm_network_dense(net, 1));
    BENCH_TRY(ebm_model_create_network(net, 1, &model));
    ebm_network_destroy(net);
    return model;
}

static void digits_destroy(void *work)
{
    digits *w = work;
    ebm_optimizer_destroy(w->adam);
    ebm_loss_destroy(w->loss);
    ebm_sampler_destroy(w->langevin);
    ebm_chains_destroy(w->chains);
    ebm_model_destroy(w->model);
    free(w->data);
    free(w);
}

static digits *digits_create(ebm_context *context)
{
    digits *w = calloc(1, sizeof *w);
    if (w == NULL)
        bench_try(context, EBM_ERROR_MEMORY, "calloc");
    w->context = context;
    w->model = create_network(context);
    BENCH_TRY(ebm_chains_create(context, BATCH, SIZE, SIZE, 1, 1, &w->chains));
    return w;
}

/* chain-small: 128 chains from uniform noise through 60 Langevin steps. */

static void *chain_small_create(ebm_context *context)
{
    digits *w = digits_create(context);
    ebm_sampler *s = NULL;
    BENCH_TRY(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &s));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STEPS, STEPS));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STEP_SIZE, 10.0));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_NOISE_STD, 0.005));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_GRADIENT_CLIP, 0.03));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MIN, -1.0));
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MAX, 1.0));
    w->langevin = s;
    return w;
}

static void chain_small_run(void *work)
{
    digits *w = work;
    ebm_context *context = w->context;
    BENCH_TRY(ebm_chains_init_uniform(w->chains, -1.0, 1.0));
    BENCH_TRY(ebm_sampler_run(w->langevin, w->model, w->chains));
}

/* update-small: one step of learning from 128 data and 128 chain states. */

static void *update_small_create(ebm_context *context)
{
    const size_t elements = (size_t)BATCH * SIZE * SIZE;
    digits *w = digits_create(context);
    ebm_chains *noise = NULL;
    w->data = malloc(elements * sizeof *w->data);
    if (w->data == NULL)
        bench_try(context, EBM_ERROR_MEMORY, "malloc");
    /* Values do not matter here: data and chains are uniform noise. */
    BENCH_TRY(ebm_chains_create(context, BATCH, SIZE, SIZE, 1, 2, &noise));
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

static void update_small_run(void *work)
{
    digits *w = work;
    ebm_context *context = w->context;
    BENCH_TRY(ebm_loss_backward(w->loss, w->model, w->data, NULL, BATCH,
                                w->chains, NULL));
    BENCH_TRY(ebm_optimizer_step(w->adam));
}

/* kl1-small, klall-small: 40 steps, then L_opt and its parameter gradient
   through the last one or all of them. */

static digits *kl_create(ebm_context *context, size_t kept)
{
    digits *w = chain_small_create(context);
    ebm_loss *kl = NULL;
    BENCH_TRY(ebm_sampler_set(w->langevin, EBM_SAMPLER_STEPS, KL_STEPS));
    BENCH_TRY(
        ebm_sampler_set(w->langevin, EBM_SAMPLER_KEEP_STEPS, (double)kept));
    BENCH_TRY(ebm_loss_create(context, EBM_LOSS_KL, &kl));
    BENCH_TRY(ebm_loss_set(kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    BENCH_TRY(ebm_loss_set(kl, EBM_LOSS_ENT_WEIGHT, 0.0));
    w->loss = kl;
    return w;
}

static void *kl1_small_create(ebm_context *context)
{
    return kl_create(context, 1);
}

static void *klall_small_create(ebm_context *context)
{
    return kl_create(context, KL_STEPS);
}

static void kl_run(void *work)
{
    digits *w = work;
    ebm_context *context = w->context;
    chain_small_run(w);
    BENCH_TRY(
        ebm_loss_backward(w->loss, w->model, NULL, NULL, 0, w->chains, NULL));
    BENCH_TRY(ebm_model_zero_gradient(w->model));
}

const bench_case bench_cases[] = {
    {"chain-small", "28x28 network, 128 chains from noise, 60 Langevin steps",
     chain_small_create, chain_small_run, digits_destroy},
    {"update-small", "28x28 network, NLL gradient of 128 + 128, clip, Adam",
     update_small_create, update_small_run, digits_destroy},
    {"kl1-small",
     "28x28 network, 128 chains, 40 steps, L_opt through the last",
     kl1_small_create, kl_run, digits_destroy},
    {"klall-small", "28x28 network, 128 chains, 40 steps, L_opt through all",
     klall_small_create, kl_run, digits_destroy},
    {"transition-elastic-28",
     "128 images 28x28, elastic deformation, 3x3 grid, cubic",
     bench_elastic_create, bench_images_run, bench_images_destroy},
    {"transition-simclr-32",
     "128 images 32x32x3: crop, flip, jitter, grayscale, blur",
     bench_simclr_create, bench_images_run, bench_images_destroy},
};
const size_t bench_case_count = sizeof bench_cases / sizeof bench_cases[0];
