/* Reports: values by key, and terms that are not there. */
#include "ebm_test.h"

#include "core/report.h"

static void test_terms(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_report *report = NULL;
    double value = -7;
    assert_ok(ebm_report_create(context, &report));
    for (int key = 0; key <= EBM_REPORT_NEAR_COPIES; key++)
        assert_status(ebm_report_get(report, (ebm_report_key)key, &value),
                      EBM_ERROR_NOT_COMPUTED);
    assert_error(context, ebm_report_get(report, EBM_REPORT_ENERGY_L2, &value),
                 EBM_ERROR_NOT_COMPUTED, "energy_l2");
    assert_true(value == -7);
    ebm_report_put(report, EBM_REPORT_POSITIVE, 0);
    ebm_report_put(report, EBM_REPORT_CHAIN_ENERGY_STD, 2.5);
    assert_ok(ebm_report_get(report, EBM_REPORT_POSITIVE, &value));
    assert_true(value == 0);
    assert_ok(ebm_report_get(report, EBM_REPORT_CHAIN_ENERGY_STD, &value));
    assert_true(value == 2.5);
    assert_status(ebm_report_get(report, EBM_REPORT_NEGATIVE, &value),
                  EBM_ERROR_NOT_COMPUTED);
    ebm_report_clear(report);
    assert_status(ebm_report_get(report, EBM_REPORT_POSITIVE, &value),
                  EBM_ERROR_NOT_COMPUTED);
    ebm_report_destroy(report);
    ebm_report_destroy(NULL);
    ebm_context_destroy(context);
}

static void test_refusals(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ebm_report *report = NULL;
    double value = -7;
    test_fail_at(&memory, 1, 0);
    assert_status(ebm_report_create(context, &report), EBM_ERROR_MEMORY);
    assert_status(ebm_report_create(context, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_report_create(NULL, &report), EBM_ERROR_HANDLE);
    assert_null(report);
    assert_ok(ebm_report_create(context, &report));
    assert_error(context, ebm_report_get(report, (ebm_report_key)12, &value),
                 EBM_ERROR_ARGUMENT, "12");
    assert_status(ebm_report_get(report, (ebm_report_key)-1, &value),
                  EBM_ERROR_ARGUMENT);
    ebm_report_put(report, EBM_REPORT_TOTAL, 1);
    assert_status(ebm_report_get(report, EBM_REPORT_TOTAL, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_report_get(NULL, EBM_REPORT_TOTAL, &value),
                  EBM_ERROR_HANDLE);
    assert_status(ebm_report_get((ebm_report *)(void *)context,
                                 EBM_REPORT_TOTAL, &value),
                  EBM_ERROR_HANDLE);
    assert_true(value == -7);
    ebm_context_destroy(context);
    ebm_report_destroy(report);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
