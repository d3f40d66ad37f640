/* Reading arrays of numbers. */
#include "values.h"

void test_values_read(test_values *values, const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", EBM_SOURCE_DIR, path);
    FILE *from = fopen(full, "r");
    assert_non_null(from);
    memset(values, 0, sizeof *values);
    for (;;) {
        assert_true(values->count < TEST_ARRAYS);
        test_array *a = values->arrays + values->count;
        if (fscanf(from, "%31s %zu", a->name, &a->count) != 2)
            break;
        values->count++;
        a->numbers = test_doubles(a->count);
        a->floats = test_floats(a->count);
        for (size_t i = 0; i < a->count; i++) {
            assert_int_equal(fscanf(from, "%lf", a->numbers + i), 1);
            a->floats[i] = (float)a->numbers[i];
        }
    }
    assert_true(feof(from));
    assert_true(values->count > 0);
    fclose(from);
}

void test_values_free(test_values *values)
{
    for (size_t i = 0; i < values->count; i++) {
        free(values->arrays[i].numbers);
        free(values->arrays[i].floats);
    }
    values->count = 0;
}

const test_array *test_values_find(const test_values *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++)
        if (!strcmp(values->arrays[i].name, name))
            return values->arrays + i;
    return NULL;
}

const test_array *test_values_get(const test_values *values, const char *name,
                                  const char *part)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", name, part);
    const test_array *a = test_values_find(values, full);
    if (!a)
        fail_msg("there is no array %s", full);
    return a;
}
