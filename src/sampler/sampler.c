/* Samplers: the run that is common to all kinds. */
#include "sampler/sampler.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/random.h"
#include "sampler/jump.h"

/* A kind is a row. */
static const ebm_sampler_ops *const kinds[] = {
    [EBM_SAMPLER_LANGEVIN] = &ebm_sampler_langevin,
    [EBM_SAMPLER_TIED_LANGEVIN] = &ebm_sampler_tied,
    [EBM_SAMPLER_MALA] = &ebm_sampler_mala,
    [EBM_SAMPLER_HMC] = &ebm_sampler_hmc,
    [EBM_SAMPLER_BAOAB] = &ebm_sampler_baoab,
    [EBM_SAMPLER_GRADIENT_DESCENT] = &ebm_sampler_descent,
};

ebm_sampler_kind ebm_sampler_kind_of(const ebm_sampler *sampler)
{
    unsigned kind = 0;
    while (kinds[kind] != sampler->ops)
        kind++;
    return (ebm_sampler_kind)kind;
}

static void finish(void *object)
{
    ebm_sampler *sampler = object;
    ebm_object_release(sampler->transition);
    ebm_transition_work_free(ebm_context_of(sampler), &sampler->jump_work);
    ebm_slab_memory_free(&sampler->memory);
    ebm_schedule_free(sampler);
    ebm_free(ebm_context_of(sampler), sampler->carried);
    ebm_free(ebm_context_of(sampler), sampler->records);
}

ebm_status ebm_sampler_create(ebm_context *context, ebm_sampler_kind kind,
                              ebm_sampler **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "sampler is NULL");
    if ((unsigned)kind >= sizeof kinds / sizeof *kinds)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no sampler kind %u", (unsigned)kind);
    ebm_sampler *sampler =
        ebm_object_create(context, EBM_TYPE_SAMPLER, sizeof *sampler, finish);
    if (!sampler)
        return EBM_ERROR_MEMORY;
    sampler->ops = kinds[kind];
    ebm_sampler_reset(sampler);
    *out = sampler;
    return EBM_OK;
}

void ebm_sampler_destroy(ebm_sampler *sampler)
{
    ebm_object_destroy(sampler, EBM_TYPE_SAMPLER);
}

ebm_status ebm_sampler_set_observer(ebm_sampler *sampler, size_t every,
                                    ebm_sampler_observer_fn observer,
                                    void *user)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    if (observer && !every)
        return ebm_fail(ebm_context_of(sampler), EBM_ERROR_ARGUMENT,
                        "an observer after every 0 steps");
    sampler->observe_every = every;
    sampler->observer = observer;
    sampler->observer_user = user;
    return EBM_OK;
}

ebm_slab_place ebm_sampler_place(const ebm_segment *segment, size_t task)
{
    const ebm_chains *chains = segment->chains;
    if (segment->sampler->memory.is_whole)
        return (ebm_slab_place){0, chains->n, 0};
    size_t slab = segment->sampler->memory.slab;
    size_t lead = (size_t)(chains->first_stream % slab);
    ebm_slab_place place = {0, slab - lead, lead};
    if (task) {
        place.first = task * slab - lead;
        place.count = slab;
        place.first_slot = 0;
    }
    if (place.count > chains->n - place.first)
        place.count = chains->n - place.first;
    return place;
}

size_t ebm_sampler_tasks(const ebm_model *model, const ebm_chains *chains)
{
    if (!model->slab)
        return 1;
    size_t lead = (size_t)(chains->first_stream % model->slab);
    return ebm_model_slab_count(model, lead + chains->n);
}

/* What may change in the middle of a run, too. */
static ebm_status check_settings(const ebm_sampler *sampler)
{
    const double *v = sampler->values;
    if (sampler->ops->divides_by_step && v[EBM_SAMPLER_STEP_SIZE] == 0 &&
        !ebm_schedule_is_set(sampler, EBM_SAMPLER_STEP_SIZE))
        return ebm_fail(ebm_context_of(sampler), EBM_ERROR_RANGE,
                        "step_size 0 under %s", sampler->ops->name);
    if (v[EBM_SAMPLER_STATE_MIN] > v[EBM_SAMPLER_STATE_MAX])
        return ebm_fail(ebm_context_of(sampler), EBM_ERROR_RANGE,
                        "state_min %g is above state_max %g",
                        v[EBM_SAMPLER_STATE_MIN], v[EBM_SAMPLER_STATE_MAX]);
    return EBM_OK;
}

/* All that can be wrong, before anything moves. */
static ebm_status check_run(const ebm_sampler *sampler, const ebm_model *model,
                            const ebm_chains *chains)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    EBM_CHECK_SAME_CONTEXT(sampler, model);
    EBM_CHECK_SAME_CONTEXT(sampler, chains);
    const ebm_context *context = ebm_context_of(sampler);
    if (sampler->is_running)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the sampler is in the middle of a run");
    EBM_TRY(ebm_chains_check_free(chains));
    if (model->height != chains->height || model->width != chains->width ||
        model->channels != chains->channels)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "the model takes [%zu, %zu, %zu], the chains are "
                        "[%zu, %zu, %zu]",
                        model->height, model->width, model->channels,
                        chains->height, chains->width, chains->channels);
    const double *v = sampler->values;
    EBM_TRY(check_settings(sampler));
    if (v[EBM_SAMPLER_KEEP_STEPS] > v[EBM_SAMPLER_STEPS])
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "keep_steps %g is more than the %g steps of a run",
                        v[EBM_SAMPLER_KEEP_STEPS], v[EBM_SAMPLER_STEPS]);
    if (chains->steps + (uint64_t)v[EBM_SAMPLER_STEPS] > EBM_RANDOM_LIMIT)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the chains have used up their step numbers");
    EBM_TRY(ebm_model_check_labels(model, "chain", chains->labels, chains->n));
    return ebm_model_check_ready(model);
}

/* Room for what the chains carry from one segment of a run to the next. */
static ebm_status prepare_carried(ebm_sampler *sampler,
                                  const ebm_chains *chains)
{
    size_t floats;
    sampler->carries = 0;
    if (!ebm_multiply4(sampler->ops->carried, chains->n, chains->size, 1,
                       &floats))
        return ebm_out_of_memory(ebm_context_of(sampler), "gradients");
    if (!floats)
        return EBM_OK;
    return ebm_grow_floats(ebm_context_of(sampler), &sampler->carried,
                           &sampler->carried_room, floats, "gradients");
}

static ebm_status prepare(ebm_sampler *sampler, const ebm_model *model,
                          ebm_chains *chains)
{
    size_t slab = ebm_model_slab(model, chains->n);
    EBM_TRY(ebm_slab_memory_prepare(
        &sampler->memory, model, EBM_PASS_INPUT_GRADIENT, chains->n,
        ebm_sampler_tasks(model, chains), sampler->ops->extra(model, slab)));
    if (sampler->record_count < chains->n) {
        const ebm_context *context = ebm_context_of(sampler);
        ebm_chain_record *records =
            ebm_alloc_zero(context, chains->n, sizeof *records);
        if (!records)
            return ebm_out_of_memory(context, "the sampler's counters");
        ebm_free(context, sampler->records);
        sampler->records = records;
        sampler->record_count = chains->n;
    }
    EBM_TRY(prepare_carried(sampler, chains));
    memset(sampler->records, 0, chains->n * sizeof *sampler->records);
    EBM_TRY(ebm_sampler_prepare_jumps(sampler, chains));
    sampler->moved = chains->n;
    return ebm_tail_prepare(chains, model,
                            (size_t)sampler->values[EBM_SAMPLER_KEEP_STEPS]);
}

typedef struct moving {
    ebm_segment segment;
    atomic_int status;
} moving;

static void move_task(void *argument, size_t task, int worker)
{
    moving *m = argument;
    ebm_status status =
        m->segment.sampler->ops->move_slab(&m->segment, task, worker);
    if (status != EBM_OK)
        atomic_store(&m->status, (int)status);
}

/* A run on its way. What the observer may change in between (step size,
   noise, clip, bounds) is read anew for each segment; the rest is fixed. */
typedef struct run {
    ebm_sampler *sampler;
    const ebm_model *model;
    ebm_chains *chains;
    size_t total, done;
    size_t unobserved; /* steps since the observer's last call */
    size_t kept_from;
} run;

/* Moves all chains by some steps and brings ages and the count up to date. */
static ebm_status run_segment(run *r, size_t steps)
{
    ebm_sampler *sampler = r->sampler;
    const ebm_model *model = r->model;
    ebm_chains *chains = r->chains;
    moving m = {{.sampler = sampler,
                 .model = model,
                 .chains = chains,
                 .steps = steps,
                 .before = r->done,
                 .total = r->total,
                 .kept_from = r->kept_from,
                 .records = sampler->records,
                 .completed = steps},
                EBM_OK};
    for (size_t i = 0; i < chains->n; i++)
        chains->ages[i] -= sampler->records[i].steps;
    ebm_slab_for(model, &sampler->memory, ebm_sampler_tasks(model, chains),
                 move_task, &m);
    for (size_t i = 0; i < chains->n; i++)
        chains->ages[i] += sampler->records[i].steps;
    chains->steps += m.segment.completed;
    chains->since_jump += m.segment.completed;
    r->done += m.segment.completed;
    sampler->carries = sampler->ops->carried != 0;
    return (ebm_status)atomic_load(&m.status);
}

static void add_statistics(ebm_sampler *sampler, const ebm_chains *chains,
                           size_t steps, size_t diverged)
{
    double *s = sampler->statistics;
    memset(s, 0, sizeof sampler->statistics);
    for (size_t i = 0; i < chains->n; i++) {
        const ebm_chain_record *r = sampler->records + i;
        s[EBM_SAMPLER_STAT_COORDINATES] +=
            (double)r->steps * (double)chains->size;
        s[EBM_SAMPLER_STAT_CLIPPED] += (double)r->counts.clipped;
        s[EBM_SAMPLER_STAT_CLAMPED_NOISE] += (double)r->counts.clamped_noise;
        s[EBM_SAMPLER_STAT_CLAMPED_STEP] += (double)r->counts.clamped_step;
        s[EBM_SAMPLER_STAT_ACCEPTED] += (double)r->accepted;
        s[EBM_SAMPLER_STAT_NON_FINITE] += (double)r->non_finite;
        s[EBM_SAMPLER_STAT_OUTSIDE] += (double)r->outside;
        if (sampler->ops->target > 0)
            s[EBM_SAMPLER_STAT_PROPOSALS] += (double)r->steps;
    }
    if (s[EBM_SAMPLER_STAT_PROPOSALS] > 0)
        s[EBM_SAMPLER_STAT_ACCEPTANCE] =
            s[EBM_SAMPLER_STAT_ACCEPTED] / s[EBM_SAMPLER_STAT_PROPOSALS];
    s[EBM_SAMPLER_STAT_STEPS] = (double)steps;
    s[EBM_SAMPLER_STAT_DIVERGED] = (double)diverged;
}

/* Schedules are known before the first step. */
static ebm_status begin_schedules(const run *r)
{
    const ebm_sampler *sampler = r->sampler;
    const ebm_context *context = ebm_context_of(sampler);
    EBM_TRY(ebm_schedule_fill(r->sampler, r->total));
    if (sampler->ops->divides_by_step &&
        !(ebm_schedule_least(sampler, EBM_SAMPLER_STEP_SIZE, r->total) > 0))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "a scheduled step_size of 0 under %s",
                        sampler->ops->name);
    if (ebm_adapt_is_on(sampler) &&
        ebm_schedule_is_set(sampler, EBM_SAMPLER_STEP_SIZE))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "a step_size that has a schedule can not be adapted");
    /* Their callbacks may have changed what was checked before. */
    EBM_TRY(ebm_model_check_ready(r->model));
    return check_settings(sampler);
}

/* The steps up to the next join: a jump, the observer's turn, or after each
   step of a warm-up. */
static size_t next_join(const run *r)
{
    const ebm_sampler *sampler = r->sampler;
    size_t steps =
        ebm_sampler_until_jump(sampler, r->chains, r->total - r->done);
    size_t left = 1;
    if (ebm_adapt_is_on(sampler))
        return 1;
    if (!sampler->observer)
        return steps;
    if (r->unobserved < sampler->observe_every)
        left = sampler->observe_every - r->unobserved;
    return left < steps ? left : steps;
}

/* The observer's turn, when it is. */
static ebm_status observe(run *r)
{
    ebm_sampler *sampler = r->sampler;
    if (!sampler->observer ||
        (r->unobserved < sampler->observe_every && r->done < r->total))
        return EBM_OK;
    r->unobserved = 0;
    if (sampler->observer(r->done, r->chains, sampler->observer_user))
        return ebm_fail(ebm_context_of(sampler), EBM_ERROR_CALLBACK,
                        "the observer stopped the run after step %zu",
                        r->done);
    /* It may have changed the energy, which can be a function of its own. */
    sampler->carries = 0;
    return EBM_OK;
}

/* Chains jump when it is time to; what they carried belongs to where they
   were. */
static ebm_status jump(run *r)
{
    ebm_sampler *sampler = r->sampler;
    if (ebm_sampler_until_jump(sampler, r->chains, 1))
        return EBM_OK;
    sampler->carries = 0;
    EBM_TRY(ebm_sampler_jump(sampler, r->chains));
    EBM_TRY(ebm_model_check_ready(r->model));
    return check_settings(sampler);
}

/* All segments, with jumps and the observer in between. */
static ebm_status run_all(run *r)
{
    ebm_sampler *sampler = r->sampler;
    const ebm_context *context = ebm_context_of(sampler);
    EBM_TRY(begin_schedules(r));
    while (r->done < r->total) {
        EBM_TRY(jump(r));
        size_t steps = next_join(r);
        ebm_status status = run_segment(r, steps);
        if (status != EBM_OK)
            return ebm_fail(context, status,
                            "the energy's callback returned an error at step "
                            "%zu",
                            r->done + 1);
        r->unobserved += steps;
        if (ebm_adapt_is_on(sampler))
            ebm_adapt_update(sampler, r->chains);
        EBM_TRY(observe(r));
        EBM_TRY(ebm_model_check_ready(r->model));
        EBM_TRY(check_settings(sampler));
    }
    return EBM_OK;
}

/* Says which chains turned non-finite in this run. */
static ebm_status report_diverged(const ebm_chains *chains, size_t diverged)
{
    const ebm_context *context = ebm_context_of(chains);
    size_t first = ebm_chains_first_diverged(chains);
    return ebm_fail_loudly(
        context, EBM_ERROR_DIVERGED,
        "%zu of %zu chains turned non-finite, chain %zu at step %llu",
        diverged, chains->n, first,
        (unsigned long long)chains->diverged[first]);
}

ebm_status ebm_sampler_run(ebm_sampler *sampler, const ebm_model *model,
                           ebm_chains *chains)
{
    EBM_TRY(check_run(sampler, model, chains));
    EBM_TRY(prepare(sampler, model, chains));
    const double *v = sampler->values;
    run r = {.sampler = sampler,
             .model = model,
             .chains = chains,
             .total = (size_t)v[EBM_SAMPLER_STEPS],
             .kept_from =
                 (size_t)(v[EBM_SAMPLER_STEPS] - v[EBM_SAMPLER_KEEP_STEPS])};
    size_t marked = ebm_chains_diverged_count(chains);
    /* A callback may let go of any handle; this call holds on to its own. */
    const void *held[] = {sampler, model, chains};
    for (size_t i = 0; i < 3; i++)
        ebm_object_hold(held[i]);
    sampler->is_running = chains->is_moving = 1;
    ebm_status status = run_all(&r);
    sampler->is_running = chains->is_moving = 0;
    if (status == EBM_OK)
        ebm_tail_complete(chains, model);
    else
        ebm_tail_forget(chains);
    size_t diverged = 0;
    for (size_t i = 0; i < chains->n; i++)
        diverged += chains->diverged[i] != 0;
    diverged -= marked;
    add_statistics(sampler, chains, r.done, diverged);
    if (status == EBM_OK && diverged)
        status = report_diverged(chains, diverged);
    for (size_t i = 0; i < 3; i++)
        ebm_object_let_go(held[i]);
    return status;
}
