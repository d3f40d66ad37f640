/* Annealed importance sampling: settings, schedules and results. */
#include "diagnostics/ais.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/option.h"

static const ebm_option_row rows[EBM_AIS_KEYS] = {
    [EBM_AIS_LEVELS] = {"levels", EBM_OPTION_INTEGER, 1, 1e7, 100},
    [EBM_AIS_SCHEDULE] = {"schedule", EBM_OPTION_CHOICE, EBM_AIS_LINEAR,
                          EBM_AIS_GEOMETRIC, EBM_AIS_SIGMOID},
    [EBM_AIS_FIRST_BETA] = {"first_beta", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                            EBM_BELOW_ONE, 1e-4},
    [EBM_AIS_TEMPERATURE] = {"temperature", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                             EBM_FLOAT_LARGEST, 1},
    [EBM_AIS_STEP_FACTOR] = {"step_factor", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                             1e6, 1},
    [EBM_AIS_BOX_MIN] = {"box_min", EBM_OPTION_REAL, -EBM_FLOAT_LARGEST,
                         EBM_FLOAT_LARGEST, 0},
    [EBM_AIS_BOX_MAX] = {"box_max", EBM_OPTION_REAL, -EBM_FLOAT_LARGEST,
                         EBM_FLOAT_LARGEST, 1},
    [EBM_AIS_GAUSSIAN_MEAN] = {"gaussian_mean", EBM_OPTION_REAL,
                               -EBM_FLOAT_LARGEST, EBM_FLOAT_LARGEST, 0},
    [EBM_AIS_GAUSSIAN_STD] = {"gaussian_std", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                              EBM_FLOAT_LARGEST, 1},
    [EBM_AIS_CONFIDENCE] = {"confidence", EBM_OPTION_REAL, EBM_ABOVE_ZERO,
                            EBM_BELOW_ONE, 0.95},
};

static const char *const base_names[] = {
    [EBM_AIS_BOX] = "a box",
    [EBM_AIS_GAUSSIAN] = "a Gaussian",
};

static const char *const direction_names[EBM_AIS_DIRECTIONS] = {
    [EBM_AIS_FORWARD] = "forward",
    [EBM_AIS_REVERSE] = "reverse",
};

static const char *const result_names[EBM_AIS_RESULTS] = {
    [EBM_AIS_LOG_Z] = "log Z",
    [EBM_AIS_STANDARD_ERROR] = "standard error",
    [EBM_AIS_LOW] = "confidence interval",
    [EBM_AIS_HIGH] = "confidence interval",
    [EBM_AIS_ESS] = "effective number of weights",
    [EBM_AIS_BOUND] = "mean log weight",
    [EBM_AIS_BOUND_ERROR] = "error of the mean log weight",
    [EBM_AIS_LOG_Z_BASE] = "log Z of the base",
    [EBM_AIS_RUN_TEMPERATURE] = "temperature",
    [EBM_AIS_CHAINS] = "number of chains",
    [EBM_AIS_ZERO_WEIGHTS] = "number of weights that are 0",
    [EBM_AIS_DIVERGED] = "number of diverged chains",
    [EBM_AIS_ACCEPTANCE] = "acceptance",
    [EBM_AIS_LEAST_ACCEPTANCE] = "least acceptance",
};

static void finish(void *object)
{
    ebm_ais *ais = object;
    for (size_t i = 0; i < EBM_AIS_DIRECTIONS; i++)
        ebm_free(ebm_context_of(ais), ais->outcomes[i].log_weights);
}

ebm_status ebm_ais_create(ebm_context *context, ebm_ais_base base,
                          ebm_ais **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "ais is NULL");
    if ((unsigned)base > EBM_AIS_GAUSSIAN)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no base distribution %u", (unsigned)base);
    ebm_ais *ais =
        ebm_object_create(context, EBM_TYPE_AIS, sizeof *ais, finish);
    if (!ais)
        return EBM_ERROR_MEMORY;
    ais->base = base;
    ebm_option_reset(rows, EBM_AIS_KEYS, ais->values);
    *out = ais;
    return EBM_OK;
}

void ebm_ais_destroy(ebm_ais *ais)
{
    ebm_object_destroy(ais, EBM_TYPE_AIS);
}

/* Whether the base has the key. */
static int has(const ebm_ais *ais, ebm_ais_key key)
{
    if (key == EBM_AIS_BOX_MIN || key == EBM_AIS_BOX_MAX)
        return ais->base == EBM_AIS_BOX;
    if (key == EBM_AIS_GAUSSIAN_MEAN || key == EBM_AIS_GAUSSIAN_STD)
        return ais->base == EBM_AIS_GAUSSIAN;
    return 1;
}

ebm_status ebm_ais_set(ebm_ais *ais, ebm_ais_key key, double value)
{
    EBM_CHECK_HANDLE(ais, EBM_TYPE_AIS);
    const ebm_context *context = ebm_context_of(ais);
    EBM_TRY(
        ebm_option_check(context, rows, EBM_AIS_KEYS, (unsigned)key, value));
    if (!has(ais, key))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "%s is no setting of %s as the base", rows[key].name,
                        base_names[ais->base]);
    if (ais->is_running)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the estimator is in the middle of a run");
    ais->values[key] = value;
    return EBM_OK;
}

ebm_status ebm_ais_get(const ebm_ais *ais, ebm_ais_key key, double *value)
{
    EBM_CHECK_HANDLE(ais, EBM_TYPE_AIS);
    return ebm_option_get(ebm_context_of(ais), EBM_AIS_KEYS, ais->values,
                          (unsigned)key, value);
}

ebm_status ebm_ais_option(ebm_ais_key key, const char **name,
                          ebm_option_kind *kind, double *minimum,
                          double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_AIS_KEYS, (unsigned)key, name, kind,
                               minimum, maximum, initial);
}

ebm_ais_path ebm_ais_path_of(const ebm_ais *ais)
{
    const double *v = ais->values;
    return (ebm_ais_path){.base = ais->base,
                          .minimum = (float)v[EBM_AIS_BOX_MIN],
                          .maximum = (float)v[EBM_AIS_BOX_MAX],
                          .mean = (float)v[EBM_AIS_GAUSSIAN_MEAN],
                          .std = (float)v[EBM_AIS_GAUSSIAN_STD],
                          .temperature = v[EBM_AIS_TEMPERATURE]};
}

/* As 1 / (1 + exp(-v)) is (1 + tanh(v / 2)) / 2, the sigmoid's factors and
   constants fall out of its schedule. */
double ebm_ais_beta_at(const ebm_ais *ais, size_t level)
{
    double n = ais->values[EBM_AIS_LEVELS], t = (double)level;
    if (level == 0 || t >= n)
        return level ? 1 : 0;
    switch ((ebm_ais_schedule)ais->values[EBM_AIS_SCHEDULE]) {
    case EBM_AIS_SIGMOID:
        return (tanh(4 * t / n - 2) + tanh(2)) / (2 * tanh(2));
    case EBM_AIS_GEOMETRIC:
        return pow(ais->values[EBM_AIS_FIRST_BETA], (n - t) / (n - 1));
    default:
        return t / n;
    }
}

ebm_status ebm_ais_beta(const ebm_ais *ais, size_t level, double *beta)
{
    EBM_CHECK_HANDLE(ais, EBM_TYPE_AIS);
    const ebm_context *context = ebm_context_of(ais);
    if (!beta)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "beta is NULL");
    if ((double)level > ais->values[EBM_AIS_LEVELS])
        return ebm_fail(context, EBM_ERROR_RANGE, "level %zu of %g", level,
                        ais->values[EBM_AIS_LEVELS]);
    *beta = ebm_ais_beta_at(ais, level);
    return EBM_OK;
}

/* ---- Results ----------------------------------------------------------- */

static ebm_status find(const ebm_ais *ais, ebm_ais_direction direction,
                       const void *out, const ebm_ais_outcome **outcome)
{
    EBM_CHECK_HANDLE(ais, EBM_TYPE_AIS);
    const ebm_context *context = ebm_context_of(ais);
    if ((unsigned)direction >= EBM_AIS_DIRECTIONS)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no direction %u", (unsigned)direction);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "the output is NULL");
    *outcome = ais->outcomes + direction;
    if (!(*outcome)->n)
        return ebm_fail(context, EBM_ERROR_NOT_COMPUTED,
                        "there was no %s run yet", direction_names[direction]);
    return EBM_OK;
}

ebm_status ebm_ais_get_result(const ebm_ais *ais, ebm_ais_direction direction,
                              ebm_ais_result result, double *value)
{
    const ebm_ais_outcome *outcome = NULL;
    if (ebm_object_is(ais, EBM_TYPE_AIS) &&
        (unsigned)result >= EBM_AIS_RESULTS)
        return ebm_fail(ebm_context_of(ais), EBM_ERROR_ARGUMENT,
                        "there is no result %u", (unsigned)result);
    EBM_TRY(find(ais, direction, value, &outcome));
    if (isnan(outcome->values[result]))
        return ebm_fail(ebm_context_of(ais), EBM_ERROR_NOT_COMPUTED,
                        "the %s run of %zu chains, %g of weight 0, has no %s",
                        direction_names[direction], outcome->n,
                        outcome->values[EBM_AIS_ZERO_WEIGHTS],
                        result_names[result]);
    *value = outcome->values[result];
    return EBM_OK;
}

ebm_status ebm_ais_log_weights(const ebm_ais *ais, ebm_ais_direction direction,
                               double *log_weights, size_t n)
{
    const ebm_ais_outcome *outcome = NULL;
    EBM_TRY(find(ais, direction, log_weights, &outcome));
    if (n != outcome->n)
        return ebm_fail(ebm_context_of(ais), EBM_ERROR_SHAPE,
                        "%zu weights of a run of %zu chains", n, outcome->n);
    memcpy(log_weights, outcome->log_weights, n * sizeof *log_weights);
    return EBM_OK;
}

ebm_status ebm_ais_bits_per_dimension(const ebm_ais *ais,
                                      ebm_ais_direction direction,
                                      double mean_energy, double bin_width,
                                      double *bits, double *temperature)
{
    const ebm_ais_outcome *outcome = NULL;
    double log_z;
    EBM_TRY(find(ais, direction, bits, &outcome));
    const ebm_context *context = ebm_context_of(ais);
    if (!isfinite(mean_energy))
        return ebm_fail(context, EBM_ERROR_NON_FINITE, "mean_energy is %g",
                        mean_energy);
    if (!(bin_width > 0) || !isfinite(bin_width))
        return ebm_fail(context, EBM_ERROR_RANGE, "a bin_width of %g",
                        bin_width);
    EBM_TRY(ebm_ais_get_result(ais, direction, EBM_AIS_LOG_Z, &log_z));
    double T = outcome->values[EBM_AIS_RUN_TEMPERATURE];
    double nats = (mean_energy / T + log_z) / (double)outcome->size;
    *bits = nats / log(2) - log2(bin_width);
    if (temperature)
        *temperature = T;
    return EBM_OK;
}
