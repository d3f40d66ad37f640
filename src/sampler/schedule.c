/* Schedules: settings that run from one value to another over a run. */
#include <math.h>

#include "core/context.h"
#include "core/memory.h"
#include "sampler/sampler.h"

static const ebm_sampler_key scheduled[EBM_SCHEDULES] = {
    EBM_SAMPLER_STEP_SIZE, EBM_SAMPLER_NOISE_STD, EBM_SAMPLER_TEMPERATURE};

/* The key's number among the schedules, or EBM_SCHEDULES. */
static size_t index_of(ebm_sampler_key key)
{
    size_t i = 0;
    while (i < EBM_SCHEDULES && scheduled[i] != key)
        i++;
    return i;
}

static int is_set(const ebm_schedule *schedule)
{
    return schedule->callback || schedule->kind != EBM_SCHEDULE_CONSTANT;
}

int ebm_schedule_is_set(const ebm_sampler *sampler, ebm_sampler_key key)
{
    size_t i = index_of(key);
    return i < EBM_SCHEDULES && is_set(sampler->schedules + i);
}

/* Both ends come out as they were given, to the bit. */
static double value_at(const ebm_schedule *s, size_t step, size_t steps)
{
    const double pi = 3.14159265358979323846;
    if (!step)
        return s->from;
    if (step + 1 == steps)
        return s->to;
    double t = (double)step / (double)(steps - 1);
    if (s->kind == EBM_SCHEDULE_LINEAR)
        return s->from + (s->to - s->from) * t;
    if (s->kind == EBM_SCHEDULE_COSINE)
        return s->to + (s->from - s->to) * (1 + cos(pi * t)) / 2;
    return s->from * pow(s->to / s->from, t);
}

double ebm_sampler_value(const ebm_segment *segment, ebm_sampler_key key,
                         size_t k)
{
    const ebm_sampler *sampler = segment->sampler;
    const ebm_schedule *schedule = sampler->schedules + index_of(key);
    if (!is_set(schedule))
        return sampler->values[key];
    size_t step = segment->before + k;
    return schedule->callback ? schedule->table[step]
                              : value_at(schedule, step, segment->total);
}

/* What both setters ask first. */
static ebm_status find(ebm_sampler *sampler, ebm_sampler_key key,
                       ebm_schedule **schedule)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    const ebm_context *context = ebm_context_of(sampler);
    size_t i = index_of(key);
    if (i == EBM_SCHEDULES || !ebm_sampler_has(sampler->ops, key))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "key %u of %s takes no schedule", (unsigned)key,
                        sampler->ops->name);
    if (sampler->is_running)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the sampler is in the middle of a run");
    *schedule = sampler->schedules + i;
    return EBM_OK;
}

ebm_status ebm_sampler_set_schedule(ebm_sampler *sampler, ebm_sampler_key key,
                                    ebm_schedule_kind kind, double from,
                                    double to)
{
    ebm_schedule *schedule = NULL;
    EBM_TRY(find(sampler, key, &schedule));
    const ebm_context *context = ebm_context_of(sampler);
    if ((unsigned)kind > EBM_SCHEDULE_GEOMETRIC)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no schedule kind %u", (unsigned)kind);
    if (kind != EBM_SCHEDULE_CONSTANT) {
        EBM_TRY(ebm_sampler_check_value(sampler, key, from));
        EBM_TRY(ebm_sampler_check_value(sampler, key, to));
    }
    if (kind == EBM_SCHEDULE_GEOMETRIC && !(from > 0 && to > 0))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "a geometric schedule from %g to %g", from, to);
    schedule->kind = kind;
    schedule->from = from;
    schedule->to = to;
    schedule->callback = NULL;
    return EBM_OK;
}

ebm_status ebm_sampler_set_schedule_callback(ebm_sampler *sampler,
                                             ebm_sampler_key key,
                                             ebm_sampler_schedule_fn callback,
                                             void *user)
{
    ebm_schedule *schedule = NULL;
    EBM_TRY(find(sampler, key, &schedule));
    schedule->kind = EBM_SCHEDULE_CONSTANT;
    schedule->callback = callback;
    schedule->user = user;
    return EBM_OK;
}

static ebm_status fill(ebm_sampler *sampler, ebm_sampler_key key,
                       ebm_schedule *schedule, size_t steps)
{
    const ebm_context *context = ebm_context_of(sampler);
    if (schedule->room < steps) {
        double *table = ebm_alloc(context, steps, sizeof *table);
        if (!table)
            return ebm_out_of_memory(context, "a schedule");
        ebm_free(context, schedule->table);
        schedule->table = table;
        schedule->room = steps;
    }
    for (size_t k = 0; k < steps; k++) {
        double value = NAN;
        if (schedule->callback(k, steps, &value, schedule->user))
            return ebm_fail(context, EBM_ERROR_CALLBACK,
                            "the schedule stopped the run at its step %zu", k);
        EBM_TRY(ebm_sampler_check_value(sampler, key, value));
        schedule->table[k] = value;
    }
    return EBM_OK;
}

ebm_status ebm_schedule_fill(ebm_sampler *sampler, size_t steps)
{
    for (size_t i = 0; i < EBM_SCHEDULES; i++)
        if (sampler->schedules[i].callback)
            EBM_TRY(
                fill(sampler, scheduled[i], sampler->schedules + i, steps));
    return EBM_OK;
}

/* Between its ends a schedule of ours is monotone. */
double ebm_schedule_least(const ebm_sampler *sampler, ebm_sampler_key key,
                          size_t steps)
{
    const ebm_schedule *schedule = sampler->schedules + index_of(key);
    if (!is_set(schedule))
        return sampler->values[key];
    if (!schedule->callback)
        return fmin(schedule->from, schedule->to);
    double least = INFINITY;
    for (size_t k = 0; k < steps; k++)
        least = fmin(least, schedule->table[k]);
    return least;
}

void ebm_schedule_free(ebm_sampler *sampler)
{
    for (size_t i = 0; i < EBM_SCHEDULES; i++)
        ebm_free(ebm_context_of(sampler), sampler->schedules[i].table);
}
