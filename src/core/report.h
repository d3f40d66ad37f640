/*
 * Reports from the inside: what a loss writes.
 */
#ifndef EBM_CORE_REPORT_H
#define EBM_CORE_REPORT_H

#include <ebm/report.h>

#include "core/object.h"

/* Forgets all terms. */
void ebm_report_clear(ebm_report *report);

/* Holds a term from now on. */
void ebm_report_put(ebm_report *report, ebm_report_key key, double value);

#endif
