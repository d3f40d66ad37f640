/* Batches: samples as floats, with noise. */
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/random.h"
#include "dataset/dataset.h"
#include "dataset/folder.h"
#include "kernel/kernels.h"

int ebm_dataset_needs_stage(const ebm_dataset *dataset)
{
    return dataset->folder != NULL;
}

ebm_status ebm_dataset_stage(const ebm_dataset *dataset, const size_t *numbers,
                             size_t n, uint8_t **out)
{
    const ebm_context *context = ebm_context_of(dataset);
    *out = NULL;
    if (!ebm_dataset_needs_stage(dataset) || !n)
        return EBM_OK;
    uint8_t *staged = ebm_alloc(context, n, dataset->elements);
    if (!staged)
        return ebm_out_of_memory(context, "a batch of images");
    ebm_status status = ebm_folder_fetch(dataset->folder, numbers, n, staged);
    if (status == EBM_OK)
        *out = staged;
    else
        ebm_free(context, staged);
    return status;
}

/* A sample's bytes, or NULL when it is of floats. */
static const uint8_t *bytes_of(const ebm_dataset *dataset, size_t index,
                               const uint8_t *staged)
{
    if (staged || !dataset->bytes)
        return staged;
    return dataset->bytes + index * dataset->elements;
}

void ebm_dataset_sample(const ebm_dataset *dataset, size_t index,
                        const uint8_t *staged, float *x, int32_t *label)
{
    size_t elements = dataset->elements;
    const uint8_t *bytes = bytes_of(dataset, index, staged);
    if (bytes) {
        for (size_t i = 0; i < elements; i++)
            x[i] = dataset->table[bytes[i]];
    } else {
        memcpy(x, dataset->floats + index * elements, elements * sizeof *x);
    }
    if (label)
        *label = dataset->labels ? dataset->labels[index] : 0;
}

/* x <- noise + sample, in place of a second array. */
static void add_sample(const ebm_dataset *dataset, size_t index,
                       const uint8_t *bytes, float *x)
{
    size_t elements = dataset->elements;
    if (bytes) {
        for (size_t i = 0; i < elements; i++)
            x[i] += dataset->table[bytes[i]];
    } else {
        const float *floats = dataset->floats + index * elements;
        for (size_t i = 0; i < elements; i++)
            x[i] += floats[i];
    }
}

/* x <- a point of each byte's bin, uniform in it, added to the noise there if
   is_noisy: the density that a continuous model has of these bounds the bytes'
   likelihood from below (Theis, van den Oord and Bethge 2016, section 3.1).
   With noise in x there is no room for the kernel's uniforms: the same ones
   are drawn one at a time. */
static void dequantise(const ebm_dataset *dataset, size_t index,
                       const uint8_t *bytes, int is_noisy, float *x)
{
    double low = dataset->values[EBM_DATASET_RANGE_MIN];
    double step = (dataset->values[EBM_DATASET_RANGE_MAX] - low) / 256;
    size_t elements = dataset->elements;
    ebm_random random = ebm_random_at(
        dataset->seed, EBM_PURPOSE_DATA_DEQUANTISE, index, dataset->epoch);
    if (!is_noisy) {
        ebm_context_of(dataset)->kernels->uniform(&random, elements, 0, 1, x);
        for (size_t i = 0; i < elements; i++)
            x[i] = (float)(low + step * (bytes[i] + (double)x[i]));
        return;
    }
    for (size_t i = 0; i < elements; i++) {
        double u = ebm_random_uniform(&random, i);
        x[i] += (float)(low + step * (bytes[i] + u));
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
static void noisy_sample(const ebm_dataset *dataset, size_t index,
                         const uint8_t *staged, float *x, int32_t *label)
{
    const double *values = dataset->values;
    const uint8_t *bytes = bytes_of(dataset, index, staged);
    float std = (float)values[EBM_DATASET_NOISE_STD];
    int spread = bytes && values[EBM_DATASET_DEQUANTISE] != 0;
    if (std > 0) {
        ebm_random random = ebm_random_at(
            dataset->seed, EBM_PURPOSE_DATA_NOISE, index, dataset->epoch);
        ebm_context_of(dataset)->kernels->normal(&random, dataset->elements, 0,
                                                 std, x);
    }
    if (spread)
        dequantise(dataset, index, bytes, std > 0, x);
    else if (std > 0)
        add_sample(dataset, index, bytes, x);
    else
        ebm_dataset_sample(dataset, index, staged, x, NULL);
    if (label)
        *label = dataset->labels ? dataset->labels[index] : 0;
    if (bytes ? std > 0 : values[EBM_DATASET_CLAMP] != 0)
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
    uint64_t epoch = dataset->epoch;
    size_t position = dataset->position, elements = dataset->elements;
    uint8_t *staged = NULL;
    if (dataset->count - position < n)
        ebm_dataset_begin_epoch(dataset, epoch + 1);
    const size_t *order = dataset->order + dataset->position;
    ebm_status status = ebm_dataset_stage(dataset, order, n, &staged);
    if (status != EBM_OK) {
        /* Back to where it stood: an order is a function of its epoch. */
        if (dataset->epoch != epoch)
            ebm_dataset_begin_epoch(dataset, epoch);
        dataset->position = position;
        return status;
    }
    for (size_t i = 0; i < n; i++)
        noisy_sample(dataset, order[i], staged ? staged + i * elements : NULL,
                     x + i * elements, labels ? labels + i : NULL);
    ebm_free(context, staged);
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
    size_t *numbers = NULL, elements = dataset->elements;
    uint8_t *staged = NULL;
    if (ebm_dataset_needs_stage(dataset)) {
        numbers = ebm_alloc(context, n, sizeof *numbers);
        if (!numbers)
            return ebm_out_of_memory(context, "a list of images");
        for (size_t i = 0; i < n; i++)
            numbers[i] = first + i;
    }
    ebm_status status = ebm_dataset_stage(dataset, numbers, n, &staged);
    for (size_t i = 0; i < n && status == EBM_OK; i++)
        ebm_dataset_sample(dataset, first + i,
                           staged ? staged + i * elements : NULL,
                           x + i * elements, labels ? labels + i : NULL);
    ebm_free(context, staged);
    ebm_free(context, numbers);
    return status;
}
