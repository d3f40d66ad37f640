/* Batches: samples as floats, with noise. */
#include <string.h>

#include "core/context.h"
#include "core/random.h"
#include "dataset/dataset.h"
#include "kernel/kernels.h"

void ebm_dataset_sample(const ebm_dataset *dataset, size_t index, float *x,
                        int32_t *label)
{
    size_t elements = dataset->elements;
    if (dataset->bytes) {
        const uint8_t *bytes = dataset->bytes + index * elements;
        for (size_t i = 0; i < elements; i++)
            x[i] = dataset->table[bytes[i]];
    } else {
        memcpy(x, dataset->floats + index * elements, elements * sizeof *x);
    }
    if (label)
        *label = dataset->labels ? dataset->labels[index] : 0;
}

/* x <- noise + sample, in place of a second array. */
static void add_sample(const ebm_dataset *dataset, size_t index, float *x)
{
    size_t elements = dataset->elements;
    if (dataset->bytes) {
        const uint8_t *bytes = dataset->bytes + index * elements;
        for (size_t i = 0; i < elements; i++)
            x[i] += dataset->table[bytes[i]];
    } else {
        const float *floats = dataset->floats + index * elements;
        for (size_t i = 0; i < elements; i++)
            x[i] += floats[i];
    }
}

/* To the value range, whichever of its ends is the lower one. */
static void clamp(const ebm_dataset *dataset, float *x)
{
    float a = (float)dataset->values[EBM_DATASET_RANGE_MIN];
    float b = (float)dataset->values[EBM_DATASET_RANGE_MAX];
    float low = a < b ? a : b, high = a < b ? b : a;
    for (size_t i = 0; i < dataset->elements; i++) {
        float value = x[i] < low ? low : x[i];
        x[i] = value > high ? high : value;
    }
}

/* A training sample: the noise depends on seed, sample and epoch, and not on
   the place in the order or the size of the batch. */
static void noisy_sample(const ebm_dataset *dataset, size_t index, float *x,
                         int32_t *label)
{
    float std = (float)dataset->values[EBM_DATASET_NOISE_STD];
    if (std > 0) {
        ebm_random random = ebm_random_at(
            dataset->seed, EBM_PURPOSE_DATA_NOISE, index, dataset->epoch);
        ebm_context_of(dataset)->kernels->normal(&random, dataset->elements, 0,
                                                 std, x);
        add_sample(dataset, index, x);
        if (label)
            *label = dataset->labels ? dataset->labels[index] : 0;
    } else {
        ebm_dataset_sample(dataset, index, x, label);
    }
    if (dataset->bytes ? std > 0 : dataset->values[EBM_DATASET_CLAMP] != 0)
        clamp(dataset, x);
}

ebm_status ebm_dataset_next(ebm_dataset *dataset, size_t n, float *x,
                            int32_t *labels)
{
    EBM_CHECK_HANDLE(dataset, EBM_TYPE_DATASET);
    ebm_context *context = ebm_context_of(dataset);
    if (!x)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "x is NULL");
    if (!n || n > dataset->count)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "a batch of %zu is outside [1, %zu], the number of "
                        "samples",
                        n, dataset->count);
    if (dataset->count - dataset->position < n)
        ebm_dataset_begin_epoch(dataset, dataset->epoch + 1);
    const size_t *order = dataset->order + dataset->position;
    for (size_t i = 0; i < n; i++)
        noisy_sample(dataset, order[i], x + i * dataset->elements,
                     labels ? labels + i : NULL);
    dataset->position += n;
    /* Here rather than at the next call, so that the count of epochs is right
       in between. */
    if (dataset->position == dataset->count)
        ebm_dataset_begin_epoch(dataset, dataset->epoch + 1);
    return EBM_OK;
}

ebm_status ebm_dataset_read(const ebm_dataset *dataset, size_t first, size_t n,
                            float *x, int32_t *labels)
{
    EBM_CHECK_HANDLE(dataset, EBM_TYPE_DATASET);
    ebm_context *context = ebm_context_of(dataset);
    if (!x || !n)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s",
                        x ? "n is 0" : "x is NULL");
    if (first >= dataset->count || n > dataset->count - first)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "%zu samples from number %zu on go beyond the %zu "
                        "that there are",
                        n, first, dataset->count);
    for (size_t i = 0; i < n; i++)
        ebm_dataset_sample(dataset, first + i, x + i * dataset->elements,
                           labels ? labels + i : NULL);
    return EBM_OK;
}
