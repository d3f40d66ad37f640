/* Settings of all objects: checking and describing. */
#include "core/option.h"

#include "core/object.h"

void ebm_option_reset(const ebm_option_row *rows, size_t count, double *values)
{
    for (size_t i = 0; i < count; i++)
        values[i] = rows[i].initial;
}

ebm_status ebm_option_check(const ebm_context *context,
                            const ebm_option_row *rows, size_t count,
                            unsigned key, double value)
{
    if (key >= count)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no key %u",
                        key);
    const ebm_option_row *row = rows + key;
    /* Written so that NaN fails. */
    if (!(value >= row->minimum && value <= row->maximum))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "%s = %.10g is outside [%.10g, %.10g]", row->name,
                        value, row->minimum, row->maximum);
    if (row->kind != EBM_OPTION_REAL && value != floor(value))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "%s = %.10g is not a whole number", row->name, value);
    return EBM_OK;
}

ebm_status ebm_option_set(const ebm_context *context,
                          const ebm_option_row *rows, size_t count,
                          double *values, unsigned key, double value)
{
    EBM_TRY(ebm_option_check(context, rows, count, key, value));
    values[key] = value;
    return EBM_OK;
}

ebm_status ebm_option_get(const ebm_context *context, size_t count,
                          const double *values, unsigned key, double *value)
{
    if (key >= count)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no key %u",
                        key);
    if (!value)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "value is NULL");
    *value = values[key];
    return EBM_OK;
}

ebm_status ebm_option_describe(const ebm_option_row *rows, size_t count,
                               unsigned key, const char **name,
                               ebm_option_kind *kind, double *minimum,
                               double *maximum, double *initial)
{
    if (key >= count)
        return EBM_ERROR_ARGUMENT;
    const ebm_option_row *row = rows + key;
    if (name)
        *name = row->name;
    if (kind)
        *kind = row->kind;
    if (minimum)
        *minimum = row->minimum;
    if (maximum)
        *maximum = row->maximum;
    if (initial)
        *initial = row->initial;
    return EBM_OK;
}
