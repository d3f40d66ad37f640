/*
 * Annealed importance sampling: the walk along the path, in both directions.
 *
 * Level t of n has b_t; a chain at x gains
 *
 *     (b_t - b_(t-1)) (E_0 - E / T)(x)
 *
 * forward for t = 1 to n, with a run on p_(b_t) after each but the last, and
 * in reverse for t = n to 1, with a run on p_(b_(t-1)) after each but the
 * last. Every run leaves its distribution as it is, which is all that either
 * direction asks of it.
 */
#include <math.h>
#include <string.h>

#include "chains/chains.h"
#include "core/context.h"
#include "core/memory.h"
#include "core/random.h"
#include "diagnostics/ais.h"
#include "model/evaluate.h"
#include "sampler/sampler.h"

typedef struct walk {
    ebm_ais *ais;
    ebm_sampler *sampler;
    const ebm_model *model;
    ebm_chains *chains;
    ebm_ais_direction direction;
    ebm_ais_path path;
    ebm_model *bridge;
    ebm_slab_memory memory; /* of the target's energies */
    float *energy;          /* [n] */
    double *log_weights;    /* [n] */
    int32_t *labels;        /* [n] */
    double saved[EBM_SAMPLER_KEYS];
    size_t dead, diverged; /* chains whose weight is 0, by what */
    double proposals, accepted, least;
} walk;

/* ---- What can be wrong ------------------------------------------------- */

/* What is attached to the sampler and would spoil the law. */
static ebm_status check_attached(const ebm_ais *ais,
                                 const ebm_sampler *sampler)
{
    const ebm_context *context = ebm_context_of(sampler);
    int is_free = ebm_sampler_has(sampler->ops, EBM_SAMPLER_NOISE_STD);
    int steps_vary = ebm_schedule_is_set(sampler, EBM_SAMPLER_STEP_SIZE);
    const char *what = NULL;
    if (sampler->observer)
        what = "an observer";
    else if (sampler->transition)
        what = "a transition";
    else if (ebm_adapt_is_on(sampler))
        what = "a warm-up that is not over";
    else if (ebm_schedule_is_set(sampler, EBM_SAMPLER_TEMPERATURE))
        what = "a schedule of its temperature";
    else if (ebm_schedule_is_set(sampler, EBM_SAMPLER_NOISE_STD))
        what = "a schedule of its noise";
    else if (is_free && steps_vary)
        what = "a schedule of its step size but not of its noise";
    else if (steps_vary && ais->values[EBM_AIS_STEP_FACTOR] != 1)
        what = "a schedule of its step size beside a step_factor";
    if (what)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "the sampler (%s) has %s", sampler->ops->name, what);
    return EBM_OK;
}

/* Whether the sampler is after exp(-E / T). */
static ebm_status check_law(const ebm_ais *ais, const ebm_sampler *sampler)
{
    const ebm_context *context = ebm_context_of(sampler);
    const double *v = sampler->values;
    double T = ais->values[EBM_AIS_TEMPERATURE], implied;
    int is_free = ebm_sampler_has(sampler->ops, EBM_SAMPLER_NOISE_STD);
    if (!is_free && !ebm_sampler_has(sampler->ops, EBM_SAMPLER_TEMPERATURE))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED, "%s is after no law",
                        sampler->ops->name);
    if (v[EBM_SAMPLER_STEP_SIZE] == 0 &&
        !ebm_schedule_is_set(sampler, EBM_SAMPLER_STEP_SIZE))
        return ebm_fail(context, EBM_ERROR_RANGE, "step_size 0 under %s",
                        sampler->ops->name);
    if (ebm_sampler_has(sampler->ops, EBM_SAMPLER_GRADIENT_CLIP) &&
        isfinite(v[EBM_SAMPLER_GRADIENT_CLIP]))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "with a gradient_clip of %g %s is after no law",
                        v[EBM_SAMPLER_GRADIENT_CLIP], sampler->ops->name);
    EBM_TRY(check_attached(ais, sampler));
    if (!is_free)
        return EBM_OK;
    EBM_TRY(ebm_sampler_implied_temperature(sampler, &implied));
    if (!(fabs(implied - T) <= 1e-6 * T))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "noise_std %g and step_size %g imply temperature %g, "
                        "asked for is %g",
                        v[EBM_SAMPLER_NOISE_STD], v[EBM_SAMPLER_STEP_SIZE],
                        implied, T);
    return EBM_OK;
}

static ebm_status check_base(const walk *w)
{
    const ebm_context *context = ebm_context_of(w->ais);
    const ebm_ais_path *p = &w->path;
    const ebm_chains *chains = w->chains;
    if (p->base == EBM_AIS_GAUSSIAN)
        return ebm_check_normal_law(context, p->mean, p->std);
    if (!(p->minimum < p->maximum))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the box from %g to %g is empty", (double)p->minimum,
                        (double)p->maximum);
    EBM_TRY(ebm_check_uniform_law(context, p->minimum, p->maximum));
    if (w->direction == EBM_AIS_FORWARD)
        return EBM_OK;
    for (size_t i = 0; i < chains->n * chains->size; i++)
        if (chains->states[i] < p->minimum || chains->states[i] > p->maximum)
            return ebm_fail(context, EBM_ERROR_RANGE,
                            "element %zu of chain %zu is %g, outside the box "
                            "from %g to %g",
                            i % chains->size, i / chains->size,
                            (double)chains->states[i], (double)p->minimum,
                            (double)p->maximum);
    return EBM_OK;
}

static ebm_status check_chains(const walk *w)
{
    const ebm_context *context = ebm_context_of(w->ais);
    const ebm_model *model = w->model;
    const ebm_chains *chains = w->chains;
    double steps = w->sampler->values[EBM_SAMPLER_STEPS];
    EBM_TRY(ebm_chains_check_free(chains));
    if (model->height != chains->height || model->width != chains->width ||
        model->channels != chains->channels)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "the model takes [%zu, %zu, %zu], the chains are "
                        "[%zu, %zu, %zu]",
                        model->height, model->width, model->channels,
                        chains->height, chains->width, chains->channels);
    steps *= w->ais->values[EBM_AIS_LEVELS];
    if ((double)chains->steps + steps > (double)EBM_RANDOM_LIMIT)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "%g steps are more than the chains have numbers for",
                        steps);
    EBM_TRY(ebm_model_check_labels(model, "chain", chains->labels, chains->n));
    for (size_t i = 1; model->classes && i < chains->n; i++)
        if (chains->labels[i] != chains->labels[0])
            return ebm_fail(context, EBM_ERROR_ARGUMENT,
                            "chain 0 has label %ld, chain %zu label %ld: each "
                            "label has a Z of its own",
                            (long)chains->labels[0], i,
                            (long)chains->labels[i]);
    if (w->direction == EBM_AIS_REVERSE)
        EBM_TRY(ebm_chains_check_healthy(chains));
    return ebm_model_check_ready(model);
}

static ebm_status check(const walk *w)
{
    EBM_CHECK_HANDLE(w->ais, EBM_TYPE_AIS);
    EBM_CHECK_HANDLE(w->sampler, EBM_TYPE_SAMPLER);
    EBM_CHECK_HANDLE(w->model, EBM_TYPE_MODEL);
    EBM_CHECK_HANDLE(w->chains, EBM_TYPE_CHAINS);
    EBM_CHECK_SAME_CONTEXT(w->ais, w->sampler);
    EBM_CHECK_SAME_CONTEXT(w->ais, w->model);
    EBM_CHECK_SAME_CONTEXT(w->ais, w->chains);
    if (w->ais->is_running || w->sampler->is_running)
        return ebm_fail(ebm_context_of(w->ais), EBM_ERROR_STATE,
                        "the %s is in the middle of a run",
                        w->ais->is_running ? "estimator" : "sampler");
    return EBM_OK;
}

/* ---- The walk ---------------------------------------------------------- */

static ebm_status allocate(walk *w)
{
    const ebm_context *context = ebm_context_of(w->ais);
    size_t n = w->chains->n;
    w->energy = ebm_alloc(context, n, sizeof *w->energy);
    w->log_weights = ebm_alloc_zero(context, n, sizeof *w->log_weights);
    w->labels = ebm_alloc(context, n, sizeof *w->labels);
    if (!w->energy || !w->log_weights || !w->labels)
        return ebm_out_of_memory(context, "the weights of chains");
    EBM_TRY(ebm_slab_memory_prepare(&w->memory, w->model, EBM_PASS_ENERGY, n,
                                    ebm_model_slab_count(w->model, n), 0));
    return ebm_ais_bridge_create(w->model, &w->path, &w->bridge);
}

/* Exact draws of the base; the chains keep their labels. */
static ebm_status draw(walk *w)
{
    ebm_chains *chains = w->chains;
    const ebm_ais_path *p = &w->path;
    memcpy(w->labels, chains->labels, chains->n * sizeof *w->labels);
    if (p->base == EBM_AIS_BOX)
        EBM_TRY(ebm_chains_init_uniform(chains, p->minimum, p->maximum));
    else
        EBM_TRY(ebm_chains_init_normal(chains, p->mean, p->std));
    memcpy(chains->labels, w->labels, chains->n * sizeof *w->labels);
    return EBM_OK;
}

static int is_dead(const walk *w, size_t i)
{
    return isinf(w->log_weights[i]);
}

/* The chain's weight is 0 from here on, or in reverse its inverse. */
static void bury(walk *w, size_t i, int has_diverged)
{
    w->log_weights[i] = w->direction == EBM_AIS_FORWARD ? -INFINITY : INFINITY;
    w->dead++;
    w->diverged += has_diverged != 0;
}

/* The gain from level t - 1 to t of all chains, where they are. An energy of
   +infinity is a density of 0, so the weight forward is 0 by right. */
static ebm_status weigh(walk *w, size_t level)
{
    ebm_chains *chains = w->chains;
    double gain =
        ebm_ais_beta_at(w->ais, level) - ebm_ais_beta_at(w->ais, level - 1);
    EBM_TRY(ebm_model_check_ready(w->model));
    ebm_chains_begin_read(chains);
    ebm_status status = ebm_model_evaluate(
        w->model, &w->memory, EBM_PASS_ENERGY, chains->states, chains->labels,
        chains->n, w->energy, NULL);
    ebm_chains_end_read(chains);
    EBM_TRY(status);
    for (size_t i = 0; i < chains->n; i++) {
        double energy = w->energy[i];
        if (is_dead(w, i))
            continue;
        if (!isfinite(energy)) {
            chains->diverged[i] = chains->steps + 1;
            bury(w, i, energy != INFINITY || w->direction == EBM_AIS_REVERSE);
            continue;
        }
        double base = ebm_ais_base_energy(
            &w->path, chains->states + i * chains->size, chains->size);
        w->log_weights[i] += gain * (base - energy / w->path.temperature);
    }
    return EBM_OK;
}

/* The sampler's settings at a level. */
static void set_sampler(const walk *w)
{
    const ebm_ais_path *p = &w->path;
    const ebm_sampler_ops *ops = w->sampler->ops;
    double *v = w->sampler->values;
    double factor = pow(w->ais->values[EBM_AIS_STEP_FACTOR], 1 - p->beta);
    int is_box = p->base == EBM_AIS_BOX;
    memcpy(v, w->saved, sizeof w->saved);
    v[EBM_SAMPLER_STATE_MIN] = is_box ? (double)p->minimum : -INFINITY;
    v[EBM_SAMPLER_STATE_MAX] = is_box ? (double)p->maximum : INFINITY;
    v[EBM_SAMPLER_STEP_SIZE] *= factor;
    v[EBM_SAMPLER_NOISE_STD] *= sqrt(factor); /* the same temperature */
    v[EBM_SAMPLER_KEEP_STEPS] = 0;
    if (ebm_sampler_has(ops, EBM_SAMPLER_TEMPERATURE))
        v[EBM_SAMPLER_TEMPERATURE] = p->temperature;
}

/* A run on the distribution of a level. */
static ebm_status move(walk *w, size_t level)
{
    const double *s = w->sampler->statistics;
    w->path.beta = ebm_ais_beta_at(w->ais, level);
    /* The energy's or a schedule's callback may have changed anything. */
    if (!ebm_object_is(w->sampler, EBM_TYPE_SAMPLER) ||
        !ebm_object_is(w->chains, EBM_TYPE_CHAINS))
        return ebm_fail(ebm_context_of(w->ais), EBM_ERROR_STATE,
                        "a callback destroyed the sampler or the chains");
    EBM_TRY(check_attached(w->ais, w->sampler));
    EBM_TRY(ebm_model_check_ready(w->model));
    set_sampler(w);
    ebm_status status = ebm_sampler_run(w->sampler, w->bridge, w->chains);
    if (status != EBM_OK && status != EBM_ERROR_DIVERGED)
        return status;
    w->proposals += s[EBM_SAMPLER_STAT_PROPOSALS];
    w->accepted += s[EBM_SAMPLER_STAT_ACCEPTED];
    if (s[EBM_SAMPLER_STAT_PROPOSALS] > 0)
        w->least = fmin(w->least, s[EBM_SAMPLER_STAT_ACCEPTANCE]);
    for (size_t i = 0; i < w->chains->n; i++)
        if (w->chains->diverged[i] && !is_dead(w, i))
            bury(w, i, 1);
    return EBM_OK;
}

static ebm_status walk_path(walk *w)
{
    size_t levels = (size_t)w->ais->values[EBM_AIS_LEVELS];
    if (w->direction == EBM_AIS_FORWARD)
        EBM_TRY(draw(w));
    for (size_t k = 1; k <= levels && w->dead < w->chains->n; k++) {
        size_t level = w->direction == EBM_AIS_FORWARD ? k : levels + 1 - k;
        EBM_TRY(weigh(w, level));
        if (k < levels)
            EBM_TRY(
                move(w, w->direction == EBM_AIS_FORWARD ? level : level - 1));
    }
    return EBM_OK;
}

/* The results take the place of those of the run before. */
static ebm_status conclude(walk *w)
{
    const ebm_context *context = ebm_context_of(w->ais);
    ebm_ais_outcome *outcome = w->ais->outcomes + w->direction;
    double *values = outcome->values;
    size_t n = w->chains->n, size = w->chains->size;
    for (size_t i = 0; i < EBM_AIS_RESULTS; i++)
        values[i] = NAN;
    ebm_free(context, outcome->log_weights);
    outcome->log_weights = w->log_weights;
    outcome->n = n;
    outcome->size = size;
    w->log_weights = NULL;
    double log_z_base = ebm_ais_base_log_z(&w->path, size);
    ebm_ais_summarise(outcome->log_weights, n, w->direction, log_z_base,
                      w->ais->values[EBM_AIS_CONFIDENCE], values);
    values[EBM_AIS_LOG_Z_BASE] = log_z_base;
    values[EBM_AIS_RUN_TEMPERATURE] = w->path.temperature;
    values[EBM_AIS_CHAINS] = (double)n;
    values[EBM_AIS_ZERO_WEIGHTS] = (double)w->dead;
    values[EBM_AIS_DIVERGED] = (double)w->diverged;
    if (w->proposals > 0) {
        values[EBM_AIS_ACCEPTANCE] = w->accepted / w->proposals;
        values[EBM_AIS_LEAST_ACCEPTANCE] = w->least;
    }
    if (w->diverged)
        return ebm_fail(context, EBM_ERROR_DIVERGED,
                        "%zu of %zu chains diverged: their weights count as 0",
                        w->diverged, n);
    return EBM_OK;
}

static ebm_status run(walk *w)
{
    EBM_TRY(check(w));
    w->path = ebm_ais_path_of(w->ais);
    w->least = INFINITY;
    EBM_TRY(check_law(w->ais, w->sampler));
    EBM_TRY(check_chains(w));
    EBM_TRY(check_base(w));
    const ebm_context *context = ebm_context_of(w->ais);
    /* A callback may let go of any handle; this call holds on to its own. */
    const void *held[] = {w->ais, w->sampler, w->model, w->chains};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        ebm_object_hold(held[i]);
    w->ais->is_running = 1;
    memcpy(w->saved, w->sampler->values, sizeof w->saved);
    ebm_status status = allocate(w);
    if (status == EBM_OK)
        status = walk_path(w);
    memcpy(w->sampler->values, w->saved, sizeof w->saved);
    if (status == EBM_OK)
        status = conclude(w);
    w->ais->is_running = 0;
    ebm_object_release(w->bridge);
    ebm_slab_memory_free(&w->memory);
    ebm_free(context, w->energy);
    ebm_free(context, w->log_weights);
    ebm_free(context, w->labels);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        ebm_object_let_go(held[i]);
    return status;
}

ebm_status ebm_ais_forward(ebm_ais *ais, ebm_sampler *sampler,
                           const ebm_model *model, ebm_chains *chains)
{
    walk w = {.ais = ais,
              .sampler = sampler,
              .model = model,
              .chains = chains,
              .direction = EBM_AIS_FORWARD};
    return run(&w);
}

ebm_status ebm_ais_reverse(ebm_ais *ais, ebm_sampler *sampler,
                           const ebm_model *model, ebm_chains *chains)
{
    walk w = {.ais = ais,
              .sampler = sampler,
              .model = model,
              .chains = chains,
              .direction = EBM_AIS_REVERSE};
    return run(&w);
}
