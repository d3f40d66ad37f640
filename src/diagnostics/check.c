/* The gradient checker: settings, a run, and its results. */
#include "diagnostics/check.h"

#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/option.h"
#include "model/evaluate.h"
#include "model/model.h"

static const ebm_option_row rows[EBM_CHECK_KEYS] = {
    [EBM_CHECK_ELEMENTS] = {"elements", EBM_OPTION_INTEGER, 1, 1e6, 32},
    [EBM_CHECK_DIRECTIONS] = {"directions", EBM_OPTION_INTEGER, 1, 1e6, 4},
    [EBM_CHECK_STEP] = {"step", EBM_OPTION_REAL, EBM_ABOVE_ZERO, 1e3, 0.5},
    [EBM_CHECK_TOLERANCE] = {"tolerance", EBM_OPTION_REAL, EBM_ABOVE_ZERO, 1,
                             0.01},
};

static const char *const derivatives[EBM_DERIVATIVES] = {
    [EBM_DERIVATIVE_INPUT] = "input gradient",
    [EBM_DERIVATIVE_PARAMETERS] = "parameter gradient",
    [EBM_DERIVATIVE_HESSIAN] = "Hessian-vector product",
};

ebm_status ebm_check_create(ebm_context *context, uint64_t seed,
                            ebm_check **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "check is NULL");
    ebm_check *check =
        ebm_object_create(context, EBM_TYPE_CHECK, sizeof *check, NULL);
    if (!check)
        return EBM_ERROR_MEMORY;
    check->seed = seed;
    ebm_option_reset(rows, EBM_CHECK_KEYS, check->values);
    *out = check;
    return EBM_OK;
}

void ebm_check_destroy(ebm_check *check)
{
    ebm_object_destroy(check, EBM_TYPE_CHECK);
}

ebm_status ebm_check_set(ebm_check *check, ebm_check_key key, double value)
{
    EBM_CHECK_HANDLE(check, EBM_TYPE_CHECK);
    return ebm_option_set(ebm_context_of(check), rows, EBM_CHECK_KEYS,
                          check->values, (unsigned)key, value);
}

ebm_status ebm_check_get(const ebm_check *check, ebm_check_key key,
                         double *value)
{
    EBM_CHECK_HANDLE(check, EBM_TYPE_CHECK);
    return ebm_option_get(ebm_context_of(check), EBM_CHECK_KEYS, check->values,
                          (unsigned)key, value);
}

ebm_status ebm_check_option(ebm_check_key key, const char **name,
                            ebm_option_kind *kind, double *minimum,
                            double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_CHECK_KEYS, (unsigned)key, name, kind,
                               minimum, maximum, initial);
}

/* One block for all arrays of a run. Each begins at a whole vector. */
static ebm_status allocate(ebm_check_run_state *run, float **block)
{
    const ebm_context *context = ebm_context_of(run->check);
    size_t steps = 2 * EBM_STEPS, parameters = run->model->parameter_count;
    const struct {
        float **array;
        size_t count, each;
    } arrays[] = {
        {&run->grad, run->n, run->size}, {&run->moved, steps, run->size},
        {&run->at, steps, run->size},    {&run->v, 1, run->size},
        {&run->hv, 1, run->size},        {&run->energy, 1, run->n + steps},
        {&run->theta, 1, parameters},    {&run->dtheta, 1, parameters},
        {&run->kept, 1, parameters},     {&run->aim, 1, parameters},
        {&run->scale, 1, run->n},
    };
    enum { ARRAYS = sizeof arrays / sizeof *arrays, VECTOR = 16 };
    size_t total = 0, offsets[ARRAYS];
    for (size_t i = 0; i < ARRAYS; i++) {
        size_t count;
        offsets[i] = total;
        if (!ebm_multiply(arrays[i].count, arrays[i].each, &count) ||
            count > SIZE_MAX / 256 - total)
            return ebm_fail(context, EBM_ERROR_OVERFLOW,
                            "a check of %zu samples of %zu elements does not "
                            "fit into memory",
                            run->n, run->size);
        total += ebm_round_up(count, VECTOR);
    }
    *block = ebm_alloc_zero(context, total, sizeof **block);
    if (!*block)
        return ebm_out_of_memory(context, "a gradient check");
    for (size_t i = 0; i < ARRAYS; i++)
        *arrays[i].array = *block + offsets[i];
    return EBM_OK;
}

/* Compares one derivative. */
static ebm_status compare(ebm_check_run_state *run, ebm_derivative which,
                          ebm_findings *findings)
{
    static ebm_status (*const compares[EBM_DERIVATIVES])(ebm_check_run_state *,
                                                         ebm_tally *) = {
        [EBM_DERIVATIVE_INPUT] = ebm_check_input,
        [EBM_DERIVATIVE_PARAMETERS] = ebm_check_parameters,
        [EBM_DERIVATIVE_HESSIAN] = ebm_check_hessian,
    };
    ebm_tally tally = {0};
    EBM_TRY(compares[which](run, &tally));
    ebm_tally_finish(&tally, run->check->values[EBM_CHECK_TOLERANCE],
                     which != EBM_DERIVATIVE_HESSIAN, findings + which);
    return EBM_OK;
}

/* Whether the model has it. */
static int has(const ebm_model *model, ebm_derivative which)
{
    if (which == EBM_DERIVATIVE_PARAMETERS)
        return model->parameter_count && model->has_param_gradient;
    return which == EBM_DERIVATIVE_INPUT || model->has_tangent;
}

static ebm_status run_all(ebm_check_run_state *run, ebm_findings *findings)
{
    EBM_TRY(ebm_model_energy_grad(run->model, run->x, run->labels, run->n,
                                  run->energy, run->grad));
    EBM_TRY(ebm_check_is_finite(run, run->energy, run->n, "the energy"));
    EBM_TRY(ebm_check_is_finite(run, run->grad, run->n * run->size,
                                "the input gradient"));
    for (int which = 0; which < EBM_DERIVATIVES; which++)
        if (has(run->model, (ebm_derivative)which))
            EBM_TRY(compare(run, (ebm_derivative)which, findings));
    return EBM_OK;
}

ebm_status ebm_check_run(ebm_check *check, ebm_model *model, const float *x,
                         const int32_t *labels, size_t n)
{
    EBM_CHECK_HANDLE(check, EBM_TYPE_CHECK);
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_CHECK_SAME_CONTEXT(check, model);
    EBM_TRY(ebm_model_check_batch(model, x, labels, n));
    int32_t same[2 * EBM_STEPS];
    ebm_check_run_state run = {
        .check = check,
        .model = model,
        .x = x,
        .labels = labels,
        .n = n,
        .size = model->size,
        .elements = (size_t)check->values[EBM_CHECK_ELEMENTS],
        .directions = (size_t)check->values[EBM_CHECK_DIRECTIONS],
        .step = check->values[EBM_CHECK_STEP],
        .same = same,
    };
    float *block = NULL;
    EBM_TRY(allocate(&run, &block));
    ebm_findings findings[EBM_DERIVATIVES] = {{0}};
    /* The callbacks may let go of both. */
    ebm_object_hold(check);
    ebm_object_hold(model);
    ebm_status status = run_all(&run, findings);
    if (status == EBM_OK)
        memcpy(check->findings, findings, sizeof findings);
    ebm_free(ebm_context_of(check), block);
    ebm_object_let_go(model);
    ebm_object_let_go(check);
    return status;
}

ebm_status ebm_check_get_result(const ebm_check *check,
                                ebm_derivative derivative,
                                ebm_check_result result, double *value)
{
    EBM_CHECK_HANDLE(check, EBM_TYPE_CHECK);
    const ebm_context *context = ebm_context_of(check);
    if ((unsigned)derivative >= EBM_DERIVATIVES ||
        (unsigned)result >= EBM_CHECK_RESULTS)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no result %d of derivative %d", (int)result,
                        (int)derivative);
    if (!value)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "value is NULL");
    const ebm_findings *findings = check->findings + derivative;
    if (!findings->is_computed)
        return ebm_fail(context, EBM_ERROR_NOT_COMPUTED,
                        "the %s was not checked", derivatives[derivative]);
    if (derivative == EBM_DERIVATIVE_HESSIAN &&
        result == EBM_CHECK_DIRECTION_ERROR)
        return ebm_fail(context, EBM_ERROR_NOT_COMPUTED,
                        "the %s is compared element by element",
                        derivatives[derivative]);
    *value = findings->values[result];
    return EBM_OK;
}
