/* What a refused backward pass must leave as it is. */
#include "trace.h"

#include "ebm_test.h"

test_trace test_trace_of(ebm_model *model, const ebm_report *report)
{
    test_trace trace = {*ebm_model_gradient(model), NAN};
    assert_ok(ebm_report_get(report, EBM_REPORT_TOTAL, &trace.total));
    return trace;
}

void test_trace_kept(const test_trace *trace, ebm_model *model,
                     const ebm_report *report)
{
    test_trace now = test_trace_of(model, report);
    assert_true(now.total == trace->total);
    assert_true(now.gradient == trace->gradient);
}
