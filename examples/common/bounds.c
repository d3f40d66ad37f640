#include "bounds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "try.h"

enum { LOOKS = 200 }; /* at the energies, at most */

static ebm_sampler *create_hmc(ebm_context *context, const bounds_plan *plan)
{
    ebm_sampler *hmc = NULL;
    TRY(ebm_sampler_create(context, EBM_SAMPLER_HMC, &hmc));
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_LEAPFROG_STEPS,
                        (double)plan->leapfrog));
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_STEP_SIZE, plan->step));
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_TEMPERATURE, plan->temperature));
    if (plan->std == 0.0) {
        TRY(ebm_sampler_set(hmc, EBM_SAMPLER_STATE_MIN, plan->low));
        TRY(ebm_sampler_set(hmc, EBM_SAMPLER_STATE_MAX, plan->high));
    }
    return hmc;
}

static ebm_ais *create_ais(ebm_context *context, const bounds_plan *plan)
{
    ebm_ais *ais = NULL;
    TRY(ebm_ais_create(
        context, plan->std == 0.0 ? EBM_AIS_BOX : EBM_AIS_GAUSSIAN, &ais));
    TRY(ebm_ais_set(ais, EBM_AIS_LEVELS, (double)plan->levels));
    TRY(ebm_ais_set(ais, EBM_AIS_TEMPERATURE, plan->temperature));
    TRY(ebm_ais_set(ais, EBM_AIS_STEP_FACTOR, plan->step_factor));
    if (plan->std == 0.0) {
        TRY(ebm_ais_set(ais, EBM_AIS_BOX_MIN, plan->low));
        TRY(ebm_ais_set(ais, EBM_AIS_BOX_MAX, plan->high));
    } else {
        TRY(ebm_ais_set(ais, EBM_AIS_GAUSSIAN_STD, plan->std));
    }
    return ais;
}

static size_t size_of(ebm_context *context, const ebm_model *model)
{
    size_t height, width, channels;
    TRY(ebm_model_shape(model, &height, &width, &channels));
    return height * width * channels;
}

/* Chains at the base. */
static ebm_chains *create_chains(ebm_context *context, const ebm_model *model,
                                 const bounds_plan *plan, uint64_t seed)
{
    size_t height, width, channels;
    ebm_chains *chains = NULL;
    TRY(ebm_model_shape(model, &height, &width, &channels));
    TRY(ebm_chains_create(context, plan->chains, height, width, channels, seed,
                          &chains));
    if (plan->std == 0.0)
        TRY(ebm_chains_init_uniform(chains, plan->low, plan->high));
    else
        TRY(ebm_chains_init_normal(chains, 0.0, plan->std));
    return chains;
}

/* Puts the first half of them at data: chains that begin apart and end alike
   have forgotten where they began. */
static void start_at_data(ebm_context *context, const bounds_plan *plan,
                          ebm_chains *chains, size_t size)
{
    float *x = try_allocate(plan->chains * size, sizeof *x);
    memcpy(x, ebm_chains_states(chains), plan->chains * size * sizeof *x);
    memcpy(x, plan->data, plan->chains / 2 * size * sizeof *x);
    TRY(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
    free(x);
}

/* An observer: the energies of all chains, again and again. */
typedef struct record {
    const ebm_model *model;
    size_t chains, looks, taken;
    float *energy; /* [chains] */
    double *draws; /* [chains, looks] */
} record;

static int look(size_t step, const ebm_chains *chains, void *user)
{
    record *r = user;
    (void)step;
    if (r->taken == r->looks)
        return 0;
    if (ebm_model_energy(r->model, ebm_chains_states(chains), NULL, r->chains,
                         r->energy) != EBM_OK)
        return 1;
    for (size_t i = 0; i < r->chains; i++)
        r->draws[i * r->looks + r->taken] = (double)r->energy[i];
    r->taken++;
    return 0;
}

static double watch(ebm_context *context, const ebm_model *model,
                    const bounds_plan *plan, ebm_sampler *hmc,
                    ebm_chains *chains)
{
    size_t every = (plan->watch + LOOKS - 1) / LOOKS;
    record r = {
        .model = model, .chains = plan->chains, .looks = plan->watch / every};
    double r_hat = 1.0;
    r.energy = try_allocate(r.chains, sizeof *r.energy);
    r.draws = try_allocate(r.chains * r.looks, sizeof *r.draws);
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_STEPS, (double)plan->watch));
    TRY(ebm_sampler_set_observer(hmc, every, look, &r));
    TRY(ebm_sampler_run(hmc, model, chains));
    TRY(ebm_sampler_set_observer(hmc, 1, NULL, NULL));
    /* Not of one energy that all states have. */
    ebm_status status =
        ebm_diagnostics_r_hat(context, r.draws, r.chains, r.taken, &r_hat);
    if (status != EBM_ERROR_NOT_COMPUTED)
        TRY(status);
    free(r.draws);
    free(r.energy);
    return r_hat;
}

/* Brings chains to the model's law, as far as they get. The step size is
   adapted first, and then frozen: only from there on do they have that law. */
static void walk(ebm_context *context, const ebm_model *model,
                 const bounds_plan *plan, ebm_sampler *hmc, ebm_chains *chains,
                 bounds *b)
{
    double step = 0.0, acceptance = 0.0;
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_WARMUP_STEPS, (double)plan->warmup));
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_STEPS, (double)plan->warmup));
    TRY(ebm_sampler_run(hmc, model, chains));
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_STEPS, (double)plan->walk));
    TRY(ebm_sampler_run(hmc, model, chains));
    b->r_hat = watch(context, model, plan, hmc, chains);
    TRY(ebm_sampler_get(hmc, EBM_SAMPLER_STEP_SIZE, &step));
    TRY(ebm_sampler_get_statistic(hmc, EBM_SAMPLER_STAT_ACCEPTANCE,
                                  &acceptance));
    printf("  samples: HMC, step %.4g, accepted %.2f; R-hat of their "
           "energies %.3f\n",
           step, acceptance, b->r_hat);
    size_t bytes = plan->chains * size_of(context, model) * sizeof *b->samples;
    b->samples = try_allocate(1, bytes);
    memcpy(b->samples, ebm_chains_states(chains), bytes);
}

static double result(ebm_context *context, const ebm_ais *ais,
                     ebm_ais_direction direction, ebm_ais_result what)
{
    double value = 0.0;
    TRY(ebm_ais_get_result(ais, direction, what, &value));
    return value;
}

static double report(ebm_context *context, const ebm_ais *ais,
                     ebm_ais_direction direction)
{
    double log_z = result(context, ais, direction, EBM_AIS_LOG_Z);
    printf("  log Z at %s %.3f +- %.3f (ESS %.1f of %.0f, accepted %.2f, at "
           "one level %.2f; by mean log w %.3f)\n",
           direction == EBM_AIS_FORWARD ? "least" : "most ", log_z,
           result(context, ais, direction, EBM_AIS_STANDARD_ERROR),
           result(context, ais, direction, EBM_AIS_ESS),
           result(context, ais, direction, EBM_AIS_CHAINS),
           result(context, ais, direction, EBM_AIS_ACCEPTANCE),
           result(context, ais, direction, EBM_AIS_LEAST_ACCEPTANCE),
           result(context, ais, direction, EBM_AIS_BOUND));
    fflush(stdout); /* the next walk may take minutes */
    return log_z;
}

bounds bounds_find(ebm_context *context, const ebm_model *model,
                   const bounds_plan *plan)
{
    bounds b = {.ais = create_ais(context, plan)};
    ebm_sampler *hmc = create_hmc(context, plan);
    ebm_chains *samples = create_chains(context, model, plan, plan->seed + 1);
    ebm_chains *fresh = create_chains(context, model, plan, plan->seed + 2);
    if (plan->data != NULL)
        start_at_data(context, plan, samples, size_of(context, model));
    walk(context, model, plan, hmc, samples, &b);
    /* One step a level: of a given number of steps, more levels with one each
       are better than fewer with more. */
    TRY(ebm_sampler_set(hmc, EBM_SAMPLER_STEPS, 1));
    TRY(ebm_ais_forward(b.ais, hmc, model, fresh));
    b.lower = report(context, b.ais, EBM_AIS_FORWARD);
    TRY(ebm_ais_reverse(b.ais, hmc, model, samples));
    b.upper = report(context, b.ais, EBM_AIS_REVERSE);
    ebm_chains_destroy(fresh);
    ebm_chains_destroy(samples);
    ebm_sampler_destroy(hmc);
    return b;
}

void bounds_free(bounds *b)
{
    ebm_ais_destroy(b->ais);
    free(b->samples);
    *b = (bounds){.ais = NULL};
}

int bounds_have_order(const bounds *b)
{
    return b->upper - b->lower > -1.0;
}

void bounds_print_bits(ebm_context *context, const bounds *b,
                       double mean_energy, double bin_width)
{
    double low, high, temperature;
    if (!bounds_have_order(b)) {
        puts("  no bits per dimension: there is nothing between the bounds");
        return;
    }
    TRY(ebm_ais_bits_per_dimension(b->ais, EBM_AIS_FORWARD, mean_energy,
                                   bin_width, &low, NULL));
    TRY(ebm_ais_bits_per_dimension(b->ais, EBM_AIS_REVERSE, mean_energy,
                                   bin_width, &high, &temperature));
    printf("  bits per dimension at T = %.4g: %.4f to %.4f\n", temperature,
           low, high);
}
