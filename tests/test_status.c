/* Status codes: numbers, names and texts, and the version. */
#include "ebm_test.h"

/* The published numbers. A change here is a change of the ABI. */
static const struct {
    int number;
    ebm_status status;
    const char *name;
} golden[] = {
    {0, EBM_OK, "EBM_OK"},
    {1, EBM_ERROR_ARGUMENT, "EBM_ERROR_ARGUMENT"},
    {2, EBM_ERROR_HANDLE, "EBM_ERROR_HANDLE"},
    {3, EBM_ERROR_RANGE, "EBM_ERROR_RANGE"},
    {4, EBM_ERROR_SHAPE, "EBM_ERROR_SHAPE"},
    {5, EBM_ERROR_NON_FINITE, "EBM_ERROR_NON_FINITE"},
    {6, EBM_ERROR_OVERFLOW, "EBM_ERROR_OVERFLOW"},
    {7, EBM_ERROR_CONTEXT, "EBM_ERROR_CONTEXT"},
    {20, EBM_ERROR_UNSUPPORTED, "EBM_ERROR_UNSUPPORTED"},
    {21, EBM_ERROR_STATE, "EBM_ERROR_STATE"},
    {22, EBM_ERROR_NOT_COMPUTED, "EBM_ERROR_NOT_COMPUTED"},
    {23, EBM_ERROR_MEMORY, "EBM_ERROR_MEMORY"},
    {40, EBM_ERROR_IO, "EBM_ERROR_IO"},
    {41, EBM_ERROR_FORMAT, "EBM_ERROR_FORMAT"},
    {60, EBM_ERROR_DIVERGED, "EBM_ERROR_DIVERGED"},
    {61, EBM_ERROR_ORIGIN, "EBM_ERROR_ORIGIN"},
    {80, EBM_ERROR_CALLBACK, "EBM_ERROR_CALLBACK"},
};

static void numbers_and_names_are_fixed(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(golden); i++) {
        assert_int_equal(golden[i].status, golden[i].number);
        assert_string_equal(ebm_status_name(golden[i].status), golden[i].name);
    }
}

static int is_known(int number)
{
    for (size_t i = 0; i < TEST_COUNT(golden); i++)
        if (golden[i].number == number)
            return 1;
    return 0;
}

static void other_numbers_are_unknown(void **state)
{
    (void)state;
    int others[] = {-1, EBM_STATUS_MAX, INT32_MIN};
    for (int i = 0; i < 300; i++)
        if (!is_known(i))
            assert_string_equal(ebm_status_name((ebm_status)i),
                                "EBM_STATUS_UNKNOWN");
    for (size_t i = 0; i < TEST_COUNT(others); i++) {
        assert_string_equal(ebm_status_name((ebm_status)others[i]),
                            "EBM_STATUS_UNKNOWN");
        assert_true(strlen(ebm_status_text((ebm_status)others[i])) > 0);
    }
}

static void texts_are_short_and_distinct(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(golden); i++) {
        const char *text = ebm_status_text(golden[i].status);
        size_t length = strlen(text);
        assert_in_range(length, 1, 80);
        assert_true(text[length - 1] != '.' && !strchr(text, '\n'));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(text, ebm_status_text(golden[j].status));
    }
}

static void version_agrees_with_the_headers(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", EBM_VERSION_MAJOR,
             EBM_VERSION_MINOR, EBM_VERSION_PATCH);
    assert_int_equal(ebm_version_number(), EBM_VERSION_NUMBER);
    assert_string_equal(ebm_version_string(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_names_are_fixed),
        cmocka_unit_test(other_numbers_are_unknown),
        cmocka_unit_test(texts_are_short_and_distinct),
        cmocka_unit_test(version_agrees_with_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
