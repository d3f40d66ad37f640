#include "values.h"

#include "ebm_test.h"

enum { ARRAYS = 256 };

void test_values_read(test_values *values, const char *path)
{
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", EBM_SOURCE_DIR, path);
    FILE *from = fopen(full, "r");
    assert_non_null(from);
    values->arrays = test_memory(ARRAYS * sizeof *values->arrays);
    values->count = 0;
    test_array *a = values->arrays;
    while (fscanf(from, "%31s %zu", a->name, &a->count) == 2) {
        a->numbers = test_doubles(a->count);
        a->floats = test_floats(a->count);
        for (size_t i = 0; i < a->count; i++) {
            assert_int_equal(fscanf(from, "%lf", &a->numbers[i]), 1);
            a->floats[i] = (float)a->numbers[i];
        }
        a++;
        assert_true(++values->count < ARRAYS);
    }
    assert_true(feof(from));
    fclose(from);
}

void test_values_free(test_values *values)
{
    for (size_t k = 0; k < values->count; k++) {
        free(values->arrays[k].numbers);
        free(values->arrays[k].floats);
    }
    free(values->arrays);
}

const test_array *test_values_find(const test_values *values, const char *name)
{
    for (size_t k = 0; k < values->count; k++)
        if (!strcmp(values->arrays[k].name, name))
            return &values->arrays[k];
    return NULL;
}

static const test_array *find(const test_values *values, const char *name)
{
    const test_array *array = test_values_find(values, name);
    if (!array)
        fail_msg("no array %s", name);
    return array;
}

const test_array *test_values_get(const test_values *values, const char *name,
                                  const char *part)
{
    char full[2 * TEST_VALUES_NAME];
    snprintf(full, sizeof full, "%s%s", name, part);
    return find(values, full);
}

const float *test_values_floats(const test_values *values, const char *name,
                                size_t count)
{
    const test_array *array = find(values, name);
    assert_int_equal(array->count, count);
    return array->floats;
}

const double *test_values_doubles(const test_values *values, const char *name,
                                  size_t count)
{
    const test_array *array = find(values, name);
    assert_int_equal(array->count, count);
    return array->numbers;
}

const test_array *test_values_numbered(const test_values *values,
                                       const char *name, size_t index)
{
    char full[TEST_VALUES_NAME];
    snprintf(full, sizeof full, "%s_%zu", name, index);
    return find(values, full);
}
