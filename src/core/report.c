/* Reports: values by key, and which of them there are. */
#include "core/report.h"

#include <string.h>

static const char *const names[] = {
    [EBM_REPORT_TOTAL] = "total",
    [EBM_REPORT_POSITIVE] = "positive",
    [EBM_REPORT_NEGATIVE] = "negative",
    [EBM_REPORT_ENERGY_L2] = "energy_l2",
    [EBM_REPORT_DATA_ENERGY_MEAN] = "data_energy_mean",
    [EBM_REPORT_DATA_ENERGY_STD] = "data_energy_std",
    [EBM_REPORT_CHAIN_ENERGY_MEAN] = "chain_energy_mean",
    [EBM_REPORT_CHAIN_ENERGY_STD] = "chain_energy_std",
    [EBM_REPORT_OPT] = "opt",
    [EBM_REPORT_ENT] = "ent",
    [EBM_REPORT_KL] = "kl",
    [EBM_REPORT_NEAR_COPIES] = "near_copies",
};
enum { KEYS = sizeof names / sizeof *names };

struct ebm_report {
    ebm_object object;
    double values[KEYS];
    unsigned char present[KEYS];
};

ebm_status ebm_report_create(ebm_context *context, ebm_report **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "report is NULL");
    ebm_report *report =
        ebm_object_create(context, EBM_TYPE_REPORT, sizeof *report, NULL);
    if (!report)
        return EBM_ERROR_MEMORY;
    *out = report;
    return EBM_OK;
}

void ebm_report_destroy(ebm_report *report)
{
    ebm_object_destroy(report, EBM_TYPE_REPORT);
}

ebm_status ebm_report_get(const ebm_report *report, ebm_report_key key,
                          double *value)
{
    EBM_CHECK_HANDLE(report, EBM_TYPE_REPORT);
    const ebm_context *context = ebm_context_of(report);
    if ((unsigned)key >= KEYS)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no key %d",
                        (int)key);
    if (!value)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "value is NULL");
    if (!report->present[key])
        return ebm_fail(context, EBM_ERROR_NOT_COMPUTED,
                        "the report does not hold %s", names[key]);
    *value = report->values[key];
    return EBM_OK;
}

void ebm_report_clear(ebm_report *report)
{
    memset(report->present, 0, sizeof report->present);
}

void ebm_report_put(ebm_report *report, ebm_report_key key, double value)
{
    report->values[key] = value;
    report->present[key] = 1;
}
