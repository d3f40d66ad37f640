#include "mlp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "interrupt.h"
#include "progress.h"
#include "try.h"

ebm_model *mlp_create(ebm_context *context, size_t dimension, size_t units,
                      uint64_t seed)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    TRY(ebm_network_create(context, 1, 1, dimension, &net));
    TRY(ebm_network_dense(net, units));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_dense(net, units));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_dense(net, 1));
    TRY(ebm_model_create_network(net, seed, &model));
    ebm_network_destroy(net);
    return model;
}

ebm_model *mlp_with_gaussian(ebm_context *context, ebm_model *network,
                             double std)
{
    size_t d = 0;
    ebm_model *parts[2] = {network, NULL}, *sum = NULL;
    TRY(ebm_model_shape(network, NULL, NULL, &d));
    double *covariance = try_allocate(d * d, sizeof *covariance);
    for (size_t i = 0; i < d * d; i++)
        covariance[i] = i % (d + 1) == 0 ? std * std : 0.0;
    TRY(ebm_model_create_gaussian(context, d, NULL, covariance, &parts[1]));
    TRY(ebm_model_create_sum(parts, NULL, 2, &sum));
    ebm_model_destroy(parts[1]); /* the sum keeps it */
    free(covariance);
    return sum;
}

/* What an iteration is made of. */
typedef struct bench {
    ebm_sampler *mala;
    ebm_chains *chains;
    ebm_loss *nll;
    ebm_optimizer *adam;
    ebm_report *report;
    float *data;
} bench;

static bench bench_create(ebm_context *context, ebm_model *model,
                          ebm_dataset *points, const mlp_fit *fit)
{
    bench b = {0};
    size_t d = 0;
    TRY(ebm_model_shape(model, NULL, NULL, &d));
    TRY(ebm_sampler_create(context, EBM_SAMPLER_MALA, &b.mala));
    TRY(ebm_sampler_set(b.mala, EBM_SAMPLER_STEPS, (double)fit->steps));
    TRY(ebm_sampler_set(b.mala, EBM_SAMPLER_STEP_SIZE, fit->step_size));
    TRY(ebm_chains_create(context, fit->batch, 1, 1, d, fit->seed, &b.chains));
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &b.nll));
    TRY(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, model, &b.adam));
    TRY(ebm_optimizer_set(b.adam, EBM_OPTIMIZER_CLIP_NORM, 1.0));
    TRY(ebm_report_create(context, &b.report));
    b.data = try_allocate(fit->batch * d, sizeof *b.data);
    if (fit->spread > 0.0) {
        TRY(ebm_chains_init_normal(b.chains, 0.0, fit->spread));
    } else {
        TRY(ebm_dataset_next(points, fit->batch, b.data, NULL));
        TRY(ebm_chains_set_states(b.chains, b.data, NULL,
                                  EBM_ORIGIN_PERSISTED_DATA));
    }
    return b;
}

static void bench_destroy(bench *b)
{
    free(b->data);
    ebm_report_destroy(b->report);
    ebm_optimizer_destroy(b->adam);
    ebm_loss_destroy(b->nll);
    ebm_chains_destroy(b->chains);
    ebm_sampler_destroy(b->mala);
}

/* Chains go on where they were, and move with a Metropolis test: a step that
   overshoots is how such a training goes wrong. The chain lands far out, the
   energy is raised there, the slope becomes steeper and the next step
   longer. */
static void iterate(ebm_context *context, ebm_model *model,
                    ebm_dataset *points, const mlp_fit *fit, bench *b,
                    size_t i)
{
    double left = (double)(fit->iterations - i) / (double)fit->iterations;
    TRY(ebm_optimizer_set(b->adam, EBM_OPTIMIZER_LEARNING_RATE,
                          fit->rate * fmin(1.0, 2.0 * left)));
    TRY(ebm_dataset_next(points, fit->batch, b->data, NULL));
    TRY(ebm_sampler_run(b->mala, model, b->chains));
    TRY(ebm_loss_backward(b->nll, model, b->data, NULL, fit->batch, b->chains,
                          b->report));
    TRY(ebm_optimizer_step(b->adam));
}

void mlp_learn(ebm_context *context, ebm_model *model, ebm_dataset *points,
               const mlp_fit *fit)
{
    progress bar;
    bench b = bench_create(context, model, points, fit);
    interrupt_catch();
    progress_begin(&bar, fit->iterations, 0);
    for (size_t i = 0; i < fit->iterations && !interrupted(); i++) {
        double e_pos = 0.0, e_neg = 0.0;
        iterate(context, model, points, fit, &b, i);
        TRY(ebm_report_get(b.report, EBM_REPORT_DATA_ENERGY_MEAN, &e_pos));
        TRY(ebm_report_get(b.report, EBM_REPORT_CHAIN_ENERGY_MEAN, &e_neg));
        progress_update(&bar, i + 1, e_pos, e_neg);
    }
    progress_end(&bar);
    if (interrupted())
        puts("interrupted: going on with what is learnt");
    double acceptance = 0.0;
    TRY(ebm_sampler_get_statistic(b.mala, EBM_SAMPLER_STAT_ACCEPTANCE,
                                  &acceptance));
    printf("the last chains accepted %.2f of their steps\n", acceptance);
    bench_destroy(&b);
}
