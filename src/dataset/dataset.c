/* Datasets: samples, their order, and the batches made of them. */
#include "dataset/dataset.h"

#include <math.h>
#include <string.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/option.h"
#include "core/random.h"
#include "dataset/cifar.h"
#include "dataset/folder.h"
#include "dataset/idx.h"
#include "image/area.h"

static const ebm_option_row rows[EBM_DATASET_KEYS] = {
    [EBM_DATASET_RANGE_MIN] = {"range_min", EBM_OPTION_REAL,
                               -EBM_FLOAT_LARGEST, EBM_FLOAT_LARGEST, -1},
    [EBM_DATASET_RANGE_MAX] = {"range_max", EBM_OPTION_REAL,
                               -EBM_FLOAT_LARGEST, EBM_FLOAT_LARGEST, 1},
    [EBM_DATASET_NOISE_STD] = {"noise_std", EBM_OPTION_REAL, 0,
                               EBM_FLOAT_LARGEST, 0},
    [EBM_DATASET_SHUFFLE] = {"shuffle", EBM_OPTION_FLAG, 0, 1, 1},
    [EBM_DATASET_CLAMP] = {"clamp", EBM_OPTION_FLAG, 0, 1, 0},
    [EBM_DATASET_DEQUANTISE] = {"dequantise", EBM_OPTION_FLAG, 0, 1, 0},
};

/* What 0 means for a folder's cache. */
enum { CACHE_BYTES = 256 << 20 };

static void finish(void *object)
{
    ebm_dataset *dataset = object;
    ebm_context *context = ebm_context_of(dataset);
    ebm_folder_close(dataset->folder);
    ebm_free(context, dataset->bytes);
    ebm_free(context, dataset->floats);
    ebm_free(context, dataset->labels);
    ebm_free(context, dataset->order);
}

/* In double, so that 255 becomes the upper end exactly. */
static void fill_table(ebm_dataset *dataset)
{
    double low = dataset->values[EBM_DATASET_RANGE_MIN];
    double high = dataset->values[EBM_DATASET_RANGE_MAX];
    for (int i = 0; i < 256; i++)
        dataset->table[i] = (float)(low + (high - low) * i / 255);
}

/* Fisher and Yates: each order is equally likely. Place i draws from its own
   stream, so the order depends on seed, epoch and count alone. */
void ebm_dataset_begin_epoch(ebm_dataset *dataset, uint64_t epoch)
{
    size_t *order = dataset->order;
    dataset->epoch = epoch;
    dataset->position = 0;
    for (size_t i = 0; i < dataset->count; i++)
        order[i] = i;
    if (dataset->values[EBM_DATASET_SHUFFLE] == 0)
        return;
    for (size_t i = dataset->count - 1; i > 0; i--) {
        ebm_random random =
            ebm_random_at(dataset->seed, EBM_PURPOSE_DATA_ORDER, i, epoch);
        size_t j = (size_t)ebm_random_index(&random, 0, i + 1);
        size_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}

/* What all constructors have in common, once the samples are in. */
static ebm_status complete(ebm_dataset *dataset, size_t count, size_t height,
                           size_t width, size_t channels, uint64_t seed)
{
    dataset->count = count;
    dataset->height = height;
    dataset->width = width;
    dataset->channels = channels;
    dataset->elements = height * width * channels;
    dataset->seed = seed;
    dataset->order =
        ebm_alloc(ebm_context_of(dataset), count, sizeof *dataset->order);
    if (!dataset->order)
        return ebm_out_of_memory(ebm_context_of(dataset),
                                 "the order of the samples");
    ebm_option_reset(rows, EBM_DATASET_KEYS, dataset->values);
    fill_table(dataset);
    ebm_dataset_begin_epoch(dataset, 0);
    return EBM_OK;
}

static ebm_status read_labels(ebm_dataset *dataset, const char *path,
                              size_t count)
{
    ebm_context *context = ebm_context_of(dataset);
    uint8_t *bytes = NULL;
    size_t labels;
    EBM_TRY(ebm_idx_read(context, path, 1, &labels, &bytes));
    ebm_status status = EBM_OK;
    if (labels != count)
        status =
            ebm_fail(context, EBM_ERROR_SHAPE, "%s: %zu labels for %zu images",
                     ebm_file_tail(path), labels, count);
    else if (!(dataset->labels =
                   ebm_alloc(context, count, sizeof *dataset->labels)))
        status = ebm_out_of_memory(context, "the labels of a file");
    else
        for (size_t i = 0; i < count; i++)
            dataset->labels[i] = bytes[i];
    ebm_free(context, bytes);
    return status;
}

ebm_status ebm_dataset_create_idx(ebm_context *context, const char *images,
                                  const char *labels, uint64_t seed,
                                  ebm_dataset **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!images || !out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        images ? "dataset" : "images");
    ebm_dataset *dataset =
        ebm_object_create(context, EBM_TYPE_DATASET, sizeof *dataset, finish);
    if (!dataset)
        return EBM_ERROR_MEMORY;
    size_t shape[3];
    ebm_status status =
        ebm_idx_read(context, images, 3, shape, &dataset->bytes);
    if (status == EBM_OK && labels)
        status = read_labels(dataset, labels, shape[0]);
    if (status == EBM_OK)
        status = complete(dataset, shape[0], shape[1], shape[2], 1, seed);
    if (status == EBM_OK)
        *out = dataset;
    else
        ebm_object_release(dataset);
    return status;
}

/* The text names the first value that is not finite. */
static ebm_status check_finite(const ebm_context *context, const float *x,
                               size_t size, size_t elements)
{
    if (ebm_all_finite(x, size))
        return EBM_OK;
    size_t i = 0;
    while (i + 1 < size && isfinite(x[i]))
        i++;
    return ebm_fail(context, EBM_ERROR_NON_FINITE,
                    "x is %g at element %zu of sample %zu", (double)x[i],
                    i % elements, i / elements);
}

static ebm_status copy_samples(ebm_dataset *dataset, const float *x,
                               size_t size, const int32_t *labels,
                               size_t count)
{
    ebm_context *context = ebm_context_of(dataset);
    dataset->floats = ebm_alloc(context, size, sizeof *x);
    if (!dataset->floats)
        return ebm_out_of_memory(context, "the samples");
    memcpy(dataset->floats, x, size * sizeof *x);
    if (!labels)
        return EBM_OK;
    dataset->labels = ebm_alloc(context, count, sizeof *labels);
    if (!dataset->labels)
        return ebm_out_of_memory(context, "the labels");
    memcpy(dataset->labels, labels, count * sizeof *labels);
    return EBM_OK;
}

ebm_status ebm_dataset_create_array(ebm_context *context, const float *x,
                                    const int32_t *labels, size_t n,
                                    size_t height, size_t width,
                                    size_t channels, uint64_t seed,
                                    ebm_dataset **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!x || !out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        x ? "dataset" : "x");
    size_t size;
    EBM_TRY(ebm_check_size(context, n, height, width, channels, &size));
    EBM_TRY(check_finite(context, x, size, size / n));
    ebm_dataset *dataset =
        ebm_object_create(context, EBM_TYPE_DATASET, sizeof *dataset, finish);
    if (!dataset)
        return EBM_ERROR_MEMORY;
    ebm_status status = copy_samples(dataset, x, size, labels, n);
    if (status == EBM_OK)
        status = complete(dataset, n, height, width, channels, seed);
    if (status == EBM_OK)
        *out = dataset;
    else
        ebm_object_release(dataset);
    return status;
}

ebm_status ebm_dataset_create_cifar10(ebm_context *context,
                                      const char *const *paths, size_t count,
                                      uint64_t seed, ebm_dataset **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!paths || !count || !out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s",
                        !paths  ? "paths is NULL"
                        : count ? "dataset is NULL"
                                : "count is 0");
    for (size_t i = 0; i < count; i++)
        if (!paths[i])
            return ebm_fail(context, EBM_ERROR_ARGUMENT, "path %zu is NULL",
                            i);
    ebm_dataset *dataset =
        ebm_object_create(context, EBM_TYPE_DATASET, sizeof *dataset, finish);
    if (!dataset)
        return EBM_ERROR_MEMORY;
    size_t n;
    ebm_status status = ebm_cifar10_read(context, paths, count, &n,
                                         &dataset->bytes, &dataset->labels);
    if (status == EBM_OK)
        status = complete(dataset, n, EBM_CIFAR_SIDE, EBM_CIFAR_SIDE,
                          EBM_CIFAR_CHANNELS, seed);
    if (status == EBM_OK)
        *out = dataset;
    else
        ebm_object_release(dataset);
    return status;
}

static ebm_status check_shape(const ebm_context *context, size_t height,
                              size_t width, size_t channels)
{
    size_t size;
    EBM_TRY(ebm_check_size(context, 1, height, width, channels, &size));
    if (height > EBM_AREA_SIDE || width > EBM_AREA_SIDE)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "images of %zu x %zu pixels; a side has at most %d",
                        height, width, EBM_AREA_SIDE);
    if (channels != 1 && channels != 3)
        return ebm_fail(context, EBM_ERROR_SHAPE,
                        "images of %zu channels instead of 1 or 3", channels);
    return EBM_OK;
}

ebm_status ebm_dataset_create_folder(ebm_context *context, const char *path,
                                     size_t height, size_t width,
                                     size_t channels, size_t cache_bytes,
                                     uint64_t seed, ebm_dataset **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!path || !out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        path ? "dataset" : "path");
    EBM_TRY(check_shape(context, height, width, channels));
    ebm_dataset *dataset =
        ebm_object_create(context, EBM_TYPE_DATASET, sizeof *dataset, finish);
    if (!dataset)
        return EBM_ERROR_MEMORY;
    size_t count = 0, size;
    ebm_status status = ebm_folder_open(
        context, path, height, width, channels,
        cache_bytes ? cache_bytes : CACHE_BYTES, &dataset->folder);
    if (status == EBM_OK) {
        count = ebm_folder_count(dataset->folder);
        status =
            ebm_check_size(context, count, height, width, channels, &size);
    }
    if (status == EBM_OK)
        status = complete(dataset, count, height, width, channels, seed);
    if (status == EBM_OK)
        *out = dataset;
    else
        ebm_object_release(dataset);
    return status;
}

void ebm_dataset_destroy(ebm_dataset *dataset)
{
    ebm_object_destroy(dataset, EBM_TYPE_DATASET);
}

ebm_status ebm_dataset_set(ebm_dataset *dataset, ebm_dataset_key key,
                           double value)
{
    EBM_CHECK_HANDLE(dataset, EBM_TYPE_DATASET);
    double shuffle = dataset->values[EBM_DATASET_SHUFFLE];
    EBM_TRY(ebm_option_set(ebm_context_of(dataset), rows, EBM_DATASET_KEYS,
                           dataset->values, (unsigned)key, value));
    fill_table(dataset);
    if (dataset->values[EBM_DATASET_SHUFFLE] != shuffle)
        ebm_dataset_begin_epoch(dataset, dataset->epoch);
    return EBM_OK;
}

ebm_status ebm_dataset_get(const ebm_dataset *dataset, ebm_dataset_key key,
                           double *value)
{
    EBM_CHECK_HANDLE(dataset, EBM_TYPE_DATASET);
    return ebm_option_get(ebm_context_of(dataset), EBM_DATASET_KEYS,
                          dataset->values, (unsigned)key, value);
}

ebm_status ebm_dataset_option(ebm_dataset_key key, const char **name,
                              ebm_option_kind *kind, double *minimum,
                              double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_DATASET_KEYS, (unsigned)key, name,
                               kind, minimum, maximum, initial);
}

size_t ebm_dataset_count(const ebm_dataset *dataset)
{
    return ebm_object_is(dataset, EBM_TYPE_DATASET) ? dataset->count : 0;
}

ebm_status ebm_dataset_shape(const ebm_dataset *dataset, size_t *height,
                             size_t *width, size_t *channels)
{
    EBM_CHECK_HANDLE(dataset, EBM_TYPE_DATASET);
    if (height)
        *height = dataset->height;
    if (width)
        *width = dataset->width;
    if (channels)
        *channels = dataset->channels;
    return EBM_OK;
}

int ebm_dataset_has_labels(const ebm_dataset *dataset)
{
    return ebm_object_is(dataset, EBM_TYPE_DATASET) && dataset->labels;
}

uint64_t ebm_dataset_epoch(const ebm_dataset *dataset)
{
    return ebm_object_is(dataset, EBM_TYPE_DATASET) ? dataset->epoch : 0;
}
