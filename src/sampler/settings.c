/* What can be set and read of a sampler. */
#include <math.h>

#include "core/option.h"
#include "sampler/sampler.h"

static const ebm_option_row rows[EBM_SAMPLER_KEYS] = {
    [EBM_SAMPLER_STEPS] = {"steps", EBM_OPTION_INTEGER, 1, 1e9, 60},
    [EBM_SAMPLER_STEP_SIZE] = {"step_size", EBM_OPTION_REAL, 0,
                               EBM_FLOAT_LARGEST, 10},
    [EBM_SAMPLER_NOISE_STD] = {"noise_std", EBM_OPTION_REAL, 0,
                               EBM_FLOAT_LARGEST, 0.005},
    [EBM_SAMPLER_GRADIENT_CLIP] = {"gradient_clip", EBM_OPTION_REAL,
                                   EBM_ABOVE_ZERO, INFINITY, INFINITY},
    [EBM_SAMPLER_STATE_MIN] = {"state_min", EBM_OPTION_REAL, -INFINITY,
                               EBM_FLOAT_LARGEST, -INFINITY},
    [EBM_SAMPLER_STATE_MAX] = {"state_max", EBM_OPTION_REAL,
                               -EBM_FLOAT_LARGEST, INFINITY, INFINITY},
    [EBM_SAMPLER_KEEP_STEPS] = {"keep_steps", EBM_OPTION_INTEGER, 0, 1e9, 0},
    [EBM_SAMPLER_TEMPERATURE] = {"temperature", EBM_OPTION_REAL,
                                 EBM_ABOVE_ZERO, EBM_FLOAT_LARGEST, 1},
    [EBM_SAMPLER_LEAPFROG_STEPS] = {"leapfrog_steps", EBM_OPTION_INTEGER, 1,
                                    1e9, 10},
    [EBM_SAMPLER_FRICTION] = {"friction", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                              EBM_FLOAT_LARGEST, 1},
    [EBM_SAMPLER_WARMUP_STEPS] = {"warmup_steps", EBM_OPTION_INTEGER, 0, 1e9,
                                  0},
    [EBM_SAMPLER_TARGET_ACCEPTANCE] = {"target_acceptance", EBM_OPTION_REAL, 0,
                                       EBM_BELOW_ONE, 0},
};

void ebm_sampler_reset(ebm_sampler *sampler)
{
    ebm_option_reset(rows, EBM_SAMPLER_KEYS, sampler->values);
}

ebm_status ebm_sampler_set(ebm_sampler *sampler, ebm_sampler_key key,
                           double value)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    EBM_TRY(ebm_sampler_check_value(sampler, key, value));
    if (!ebm_sampler_has(sampler->ops, key))
        return ebm_fail(ebm_context_of(sampler), EBM_ERROR_UNSUPPORTED,
                        "%s is no setting of %s", rows[key].name,
                        sampler->ops->name);
    sampler->values[key] = value;
    if (key == EBM_SAMPLER_WARMUP_STEPS)
        ebm_adapt_restart(sampler);
    return EBM_OK;
}

ebm_status ebm_sampler_check_value(const ebm_sampler *sampler,
                                   ebm_sampler_key key, double value)
{
    return ebm_option_check(ebm_context_of(sampler), rows, EBM_SAMPLER_KEYS,
                            (unsigned)key, value);
}

ebm_status ebm_sampler_get(const ebm_sampler *sampler, ebm_sampler_key key,
                           double *value)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    return ebm_option_get(ebm_context_of(sampler), EBM_SAMPLER_KEYS,
                          sampler->values, (unsigned)key, value);
}

ebm_status ebm_sampler_option(ebm_sampler_key key, const char **name,
                              ebm_option_kind *kind, double *minimum,
                              double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_SAMPLER_KEYS, (unsigned)key, name,
                               kind, minimum, maximum, initial);
}

ebm_status ebm_sampler_implied_temperature(const ebm_sampler *sampler,
                                           double *temperature)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    const ebm_context *context = ebm_context_of(sampler);
    if (!temperature)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "temperature is NULL");
    const double *v = sampler->values;
    int is_free = ebm_sampler_has(sampler->ops, EBM_SAMPLER_NOISE_STD);
    int has_law = ebm_sampler_has(sampler->ops, EBM_SAMPLER_TEMPERATURE);
    if (ebm_schedule_is_set(sampler, EBM_SAMPLER_TEMPERATURE) ||
        (is_free && (ebm_schedule_is_set(sampler, EBM_SAMPLER_STEP_SIZE) ||
                     ebm_schedule_is_set(sampler, EBM_SAMPLER_NOISE_STD))))
        return ebm_fail(context, EBM_ERROR_STATE,
                        "a schedule implies no one temperature");
    if (!is_free) {
        *temperature = has_law ? v[EBM_SAMPLER_TEMPERATURE] : 0;
        return EBM_OK;
    }
    double step = v[EBM_SAMPLER_STEP_SIZE], std = v[EBM_SAMPLER_NOISE_STD];
    if (step == 0)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "a step size of 0 implies no temperature");
    *temperature = std * std / (2 * step);
    return EBM_OK;
}

ebm_status ebm_sampler_get_statistic(const ebm_sampler *sampler,
                                     ebm_sampler_statistic statistic,
                                     double *value)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    return ebm_option_get(ebm_context_of(sampler), EBM_SAMPLER_STATISTICS,
                          sampler->statistics, (unsigned)statistic, value);
}

ebm_status ebm_sampler_acceptance(const ebm_sampler *sampler,
                                  double *acceptance, size_t n)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    const ebm_context *context = ebm_context_of(sampler);
    if (!acceptance)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "acceptance is NULL");
    if (!(sampler->ops->target > 0))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "%s has no Metropolis test", sampler->ops->name);
    if (!sampler->moved)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the sampler has not run yet");
    if (n != sampler->moved)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "%zu acceptances of a run of %zu chains", n,
                        sampler->moved);
    for (size_t i = 0; i < n; i++) {
        const ebm_chain_record *r = sampler->records + i;
        acceptance[i] = r->steps ? (double)r->accepted / (double)r->steps : 0;
    }
    return EBM_OK;
}
