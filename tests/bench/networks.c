/* Cases that send samples through a network. */
#include <stdlib.h>

#include "cases.h"
#include "flop.h"

/* What a training iteration needs; a case uses some of it. */
typedef struct work {
    const bench_case *bench;
    ebm_context *context;
    ebm_model *model;
    ebm_chains *chains;
    ebm_sampler *sampler;
    ebm_loss *loss, *kl;
    ebm_optimizer *adam;
    ebm_ais *ais;
    float *data;     /* [batch, height, width, channels] */
    bench_flop flop; /* of the model, for a sample */
} work;

static void destroy(void *argument)
{
    work *w = argument;
    ebm_ais_destroy(w->ais);
    ebm_optimizer_destroy(w->adam);
    ebm_loss_destroy(w->loss);
    ebm_loss_destroy(w->kl);
    ebm_sampler_destroy(w->sampler);
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
    work *w = bench_zeros(context, sizeof *w);
    ebm_preset *preset = NULL;
    BENCH_TRY(ebm_preset_create(context, bench->preset, &preset));
    BENCH_TRY(ebm_preset_set(preset, EBM_PRESET_SCALES,
                             bench->scales ? (double)bench->scales : 1.0));
    BENCH_TRY(ebm_preset_set(preset, EBM_PRESET_WIDTH, (double)bench->width));
    BENCH_TRY(ebm_preset_make_model(preset, 1, &w->model));
    ebm_preset_destroy(preset);
    w->flop = bench_flop_of(w->model);
    w->bench = bench;
    w->context = context;
    w->chains = create_chains(w, 1);
    return w;
}

/* Samplers with settings of published recipes, from uniform noise: the free
   step of the digits recipe; for the others only the time counts, so their
   steps are short enough for any network that was not trained. */

typedef struct setting {
    ebm_sampler_key key;
    double value;
} setting;

enum { MOST_SETTINGS = 5, LEAPFROGS = 5 };

static const struct {
    ebm_sampler_kind kind;
    setting settings[MOST_SETTINGS];
} recipes[] = {
    {EBM_SAMPLER_LANGEVIN,
     {{EBM_SAMPLER_STEP_SIZE, 10.0},
      {EBM_SAMPLER_NOISE_STD, 0.005},
      {EBM_SAMPLER_GRADIENT_CLIP, 0.03},
      {EBM_SAMPLER_STATE_MIN, -1.0},
      {EBM_SAMPLER_STATE_MAX, 1.0}}},
    {EBM_SAMPLER_MALA, {{EBM_SAMPLER_STEP_SIZE, 1e-3}}},
    {EBM_SAMPLER_HMC,
     {{EBM_SAMPLER_STEP_SIZE, 0.01}, {EBM_SAMPLER_LEAPFROG_STEPS, LEAPFROGS}}},
    {EBM_SAMPLER_BAOAB,
     {{EBM_SAMPLER_STEP_SIZE, 0.01}, {EBM_SAMPLER_FRICTION, 1.0}}},
};

static ebm_sampler *create_sampler(const bench_case *bench,
                                   ebm_context *context)
{
    ebm_sampler *s = NULL;
    size_t i = 0;
    BENCH_TRY(ebm_sampler_create(context, bench->sampler, &s));
    while (recipes[i].kind != bench->sampler)
        i++;
    for (size_t j = 0; j < MOST_SETTINGS; j++) {
        const setting *now = recipes[i].settings + j;
        if (now->key != EBM_SAMPLER_STEPS) /* the rest of the row is empty */
            BENCH_TRY(ebm_sampler_set(s, now->key, now->value));
    }
    BENCH_TRY(ebm_sampler_set(s, EBM_SAMPLER_STEPS, (double)bench->steps));
    if (bench->kept)
        BENCH_TRY(
            ebm_sampler_set(s, EBM_SAMPLER_KEEP_STEPS, (double)bench->kept));
    return s;
}

/* chain-*, sampler-*: chains from uniform noise through some steps. */

static void *create_chain(const bench_case *bench, ebm_context *context)
{
    work *w = create(bench, context);
    w->sampler = create_sampler(bench, context);
    return w;
}

static void run_chain(void *argument)
{
    work *w = argument;
    ebm_context *context = w->context;
    BENCH_TRY(ebm_chains_init_uniform(w->chains, -1.0, 1.0));
    BENCH_TRY(ebm_sampler_run(w->sampler, w->model, w->chains));
}

/* update-*: one step of learning from as many data as chain states. */

static void *create_update(const bench_case *bench, ebm_context *context)
{
    work *w = create(bench, context);
    size_t shape[3];
    BENCH_TRY(ebm_model_shape(w->model, shape, shape + 1, shape + 2));
    size_t elements = bench->batch * shape[0] * shape[1] * shape[2];
    /* Values do not matter here: data and chains are uniform noise. */
    w->data = bench_uniform(context, elements, 2);
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
    w->sampler = create_sampler(bench, context);
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

/* ais-*: forward annealed importance sampling from the box [-1, 1]. */

enum { AIS_LEVELS = 11 };

static void *create_ais(const bench_case *bench, ebm_context *context)
{
    work *w = create_chain(bench, context);
    BENCH_TRY(ebm_ais_create(context, EBM_AIS_BOX, &w->ais));
    BENCH_TRY(ebm_ais_set(w->ais, EBM_AIS_LEVELS, AIS_LEVELS));
    BENCH_TRY(ebm_ais_set(w->ais, EBM_AIS_BOX_MIN, -1.0));
    BENCH_TRY(ebm_ais_set(w->ais, EBM_AIS_BOX_MAX, 1.0));
    return w;
}

static void run_ais(void *argument)
{
    work *w = argument;
    ebm_context *context = w->context;
    BENCH_TRY(ebm_ais_forward(w->ais, w->sampler, w->model, w->chains));
}

/* Operations: what each piece needs at least. */

static double gradients_of(const bench_case *bench)
{
    size_t a_step = bench->sampler == EBM_SAMPLER_HMC ? LEAPFROGS : 1;
    return (double)(bench->batch * bench->steps * a_step);
}

static void count_chain(const void *argument, bench_amount *amount)
{
    const work *w = argument;
    amount->gflop +=
        1e-9 * gradients_of(w->bench) * bench_flop_gradient(&w->flop);
}

static void count_ais(const void *argument, bench_amount *amount)
{
    count_chain(argument, amount);
    amount->gflop *= AIS_LEVELS - 1;
}

static void count_update(const void *argument, bench_amount *amount)
{
    const work *w = argument;
    amount->gflop +=
        2e-9 * (double)w->bench->batch * bench_flop_learning(&w->flop);
}

/* The gradient where the path ends, and a tangent pass for each kept step. */
static void count_path(const work *w, bench_amount *amount)
{
    amount->gflop += 1e-9 * (double)w->bench->batch *
                     (bench_flop_gradient(&w->flop) +
                      (double)w->bench->kept * bench_flop_tangent(&w->flop));
}

static void count_kl(const void *argument, bench_amount *amount)
{
    count_chain(argument, amount);
    count_path(argument, amount);
}

static void count_training(const void *argument, bench_amount *amount)
{
    const work *w = argument;
    count_chain(w, amount);
    count_update(w, amount);
    if (w->kl != NULL)
        count_path(w, amount);
}

const bench_work bench_chain = {create_chain, run_chain, destroy, count_chain,
                                0};
const bench_work bench_update = {create_update, run_update, destroy,
                                 count_update, 0};
const bench_work bench_kl = {create_kl, run_kl, destroy, count_kl, 0};
const bench_work bench_training = {create_training, run_training, destroy,
                                   count_training, 0};
const bench_work bench_ais = {create_ais, run_ais, destroy, count_ais, 0};
