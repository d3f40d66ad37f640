/**
 * @file dataset.h
 * Training data: where batches come from.
 *
 * A dataset holds n samples [height, width, channels], as bytes from a file
 * or floats from the caller, and optional labels. Batches come shuffled by a
 * seed, scaled to a value range, with noise added if wanted.
 *
 * The order is a pure function of (seed, epoch) and the noise of (seed,
 * epoch, sample), so a position is two numbers and nothing else.
 */
#ifndef EBM_DATASET_H
#define EBM_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/option.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_dataset ebm_dataset;

typedef enum ebm_dataset_key {
    /** What byte 0 becomes. Real, finite, initially -1. Bytes b become
        MIN + (MAX - MIN) b / 255. Floats of the caller's are not scaled. */
    EBM_DATASET_RANGE_MIN = 0,
    /** What byte 255 becomes. Real, finite, initially 1. */
    EBM_DATASET_RANGE_MAX = 1,
    /** Standard deviation of the noise that ebm_dataset_next() adds. Real,
        finite, >= 0, initially 0. The sum is clamped to the range for bytes;
        for floats of the caller's to [RANGE_MIN, RANGE_MAX] only when
        EBM_DATASET_CLAMP is 1. */
    EBM_DATASET_NOISE_STD = 2,
    /** Whether each epoch is a new random order. Flag, initially 1. */
    EBM_DATASET_SHUFFLE = 3,
    /** Whether noisy floats of the caller's are clamped to the range. Flag,
        initially 0. Bytes always are. */
    EBM_DATASET_CLAMP = 4,
    EBM_DATASET_KEY_MAX = 0x7fffffff
} ebm_dataset_key;

/**
 * Reads images, and labels if wanted, from IDX files (the format of MNIST),
 * raw or gzip: unsigned bytes, images of rank 3 [n, rows, columns], labels of
 * rank 1 [n].
 *
 * @param images  path of the image file.
 * @param labels  path of the label file, or NULL.
 * @param seed    of the order and the noise.
 *
 * Errors: HANDLE, ARGUMENT (NULL), IO (can not be opened or read), FORMAT
 * (wrong magic, a dimension of 0, lengths that contradict the header, data
 * after the end, broken or truncated gzip), OVERFLOW (dimensions), SHAPE
 * (label count differs), MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_create_idx(ebm_context *context,
                                          const char *images,
                                          const char *labels, uint64_t seed,
                                          ebm_dataset **dataset);

/**
 * Takes samples from the caller's array, as they are.
 *
 * @param x       [n, height, width, channels], finite; copied.
 * @param labels  [n], copied, or NULL.
 *
 * Errors: HANDLE, ARGUMENT (NULL, a size of 0), OVERFLOW, NON_FINITE, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_create_array(ebm_context *context,
                                            const float *x,
                                            const int32_t *labels, size_t n,
                                            size_t height, size_t width,
                                            size_t channels, uint64_t seed,
                                            ebm_dataset **dataset);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_dataset_destroy(ebm_dataset *dataset);

/**
 * Changes a setting. Changing SHUFFLE begins the current epoch anew.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE.
 * Thread safety: one thread a dataset. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_set(ebm_dataset *dataset, ebm_dataset_key key,
                                   double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a dataset. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_get(const ebm_dataset *dataset,
                                   ebm_dataset_key key, double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_option(ebm_dataset_key key, const char **name,
                                      ebm_option_kind *kind, double *minimum,
                                      double *maximum, double *initial);

/** Number of samples; 0 for a wrong handle. Since: 0.1. */
EBM_API size_t ebm_dataset_count(const ebm_dataset *dataset);

/**
 * The shape of one sample. Any output may be NULL.
 *
 * Errors: HANDLE. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_shape(const ebm_dataset *dataset,
                                     size_t *height, size_t *width,
                                     size_t *channels);

/**
 * Whether the dataset has labels: 1 or 0 (0 for a wrong handle). Since: 0.1.
 */
EBM_API int ebm_dataset_has_labels(const ebm_dataset *dataset);

/**
 * The next batch of the training order. When fewer than n samples are left in
 * the epoch they are dropped and the next epoch begins.
 *
 * @param n            1 to the number of samples.
 * @param[out] x       [n, height, width, channels].
 * @param[out] labels  [n], or NULL; 0 for a dataset without labels.
 *
 * Errors: HANDLE, ARGUMENT, RANGE (n). Thread safety: one thread a dataset.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_next(ebm_dataset *dataset, size_t n, float *x,
                                    int32_t *labels);

/**
 * Samples first .. first + n - 1 in the order of the file, without noise.
 *
 * Errors: HANDLE, ARGUMENT, RANGE (beyond the end). Thread safety: several
 * threads may read. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_read(const ebm_dataset *dataset, size_t first,
                                    size_t n, float *x, int32_t *labels);

/**
 * Full epochs completed or cut short so far: 0 during the first.
 *
 * Errors: none (0 for a wrong handle). Thread safety: one thread a dataset.
 * Since: 0.1.
 */
EBM_API uint64_t ebm_dataset_epoch(const ebm_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
