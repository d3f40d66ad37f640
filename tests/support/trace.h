/*
 * What a refused backward pass must leave as it is: the gradient of a model of
 * one parameter, and the report's total.
 */
#ifndef EBM_TEST_TRACE_H
#define EBM_TEST_TRACE_H

#include <ebm/ebm.h>

typedef struct test_trace {
    float gradient;
    double total;
} test_trace;

test_trace test_trace_of(ebm_model *model, const ebm_report *report);

/* Fails the test if one of them is another now. */
void test_trace_kept(const test_trace *trace, ebm_model *model,
                     const ebm_report *report);

#endif
