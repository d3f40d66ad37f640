/**
 * @file dataset.h
 * Training data: where batches come from.
 *
 * A dataset has n samples [height, width, channels], as bytes from files or
 * floats from the caller, and optional labels. Batches come shuffled by a
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

/** Samples, their labels, and a position in their order. */
typedef struct ebm_dataset ebm_dataset;

/** Settings of a dataset. */
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
    /** Whether ebm_dataset_next() spreads each byte over its bin, so that a
        density can be fitted to what is discrete. Flag, initially 0. With 1,
        a byte b becomes MIN + (MAX - MIN) (b + u) / 256, u uniform in [0, 1)
        and drawn anew for each sample and epoch; rounding to float may reach
        the bin's upper end. EBM_DATASET_NOISE_STD adds to that. Floats of the
        caller's stay as they are. */
    EBM_DATASET_DEQUANTISE = 5,
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
 * Errors: HANDLE, ARGUMENT (NULL), IO (no regular file, can not be opened or
 * read), FORMAT (wrong magic, a dimension of 0, lengths that contradict the
 * header, data after the end, broken or truncated gzip), OVERFLOW
 * (dimensions), SHAPE (label count differs), MEMORY. Thread safety: any
 * thread. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_create_idx(ebm_context *context,
                                          const char *images,
                                          const char *labels, uint64_t seed,
                                          ebm_dataset **dataset);

/**
 * Reads the binary version of CIFAR-10: colour images [32, 32, 3], channels
 * last, with labels 0 to 9. A file is a row of records, each a label byte and
 * the planes R, G, B of 32 x 32 bytes; it may be compressed by gzip. (Not the
 * tar archive in which the files are handed out.) Source: A. Krizhevsky,
 * "Learning multiple layers of features from tiny images", 2009.
 *
 * @param paths  [count] paths, such as data_batch_1.bin to data_batch_5.bin;
 *               samples are numbered through in this order.
 * @param count  at least 1.
 * @param seed   of the order and the noise.
 *
 * Errors: HANDLE, ARGUMENT (NULL, count is 0), IO (no regular file, can not be
 * opened or read), FORMAT (an empty file, a length that is no multiple of
 * 3073, a label above 9, broken or truncated gzip), OVERFLOW, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_create_cifar10(ebm_context *context,
                                              const char *const *paths,
                                              size_t count, uint64_t seed,
                                              ebm_dataset **dataset);

/**
 * Takes every PNG file of a folder as a sample of one shape.
 *
 * Samples are the files whose names end in .png (or .PNG), but do not begin
 * with a dot, sorted by name byte by byte. Folders within are not visited. Of
 * any size (up to 16384 pixels a side), depth, palette and interlacing, each
 * is laid over white where it is transparent and resized by area: a pixel of
 * the sample is the mean of the rectangle of the picture that it covers, each
 * source pixel weighing as much as the part of it inside. Proportions are not
 * kept. One channel is the luma of Rec. 601, 0.299 R + 0.587 G + 0.114 B.
 * Means are taken of the values as they are stored (gamma and colour profiles
 * are not looked at) and rounded to the nearest byte, halves upwards; they
 * are exact, so a sample is the same bytes on every machine.
 *
 * Here all headers are read; pixels are read when a batch asks for them, on
 * the context's threads, from the folder as it was opened (a change of the
 * working directory does not matter). They are held as bytes in a cache that
 * never exceeds cache_bytes; when it is full, the next image replaces one
 * that was not used lately (the CLOCK rule). Batches hold the same bits
 * whatever the cache, the threads and the order of calls. Besides, a call
 * that reads n samples takes n height width channels bytes for its own time,
 * and about 24 height width bytes a thread.
 *
 * The files should stay as they are. One that is broken, missing or of
 * another size when its pixels are read makes that call fail; see
 * ebm_dataset_next().
 *
 * @param path         of the folder.
 * @param height       of the samples, 1 to 16384.
 * @param width        likewise.
 * @param channels     1 or 3.
 * @param cache_bytes  bytes of pixels held at most, allocated here as far as
 *                     there are images; 0 for 256 MiB. Less than one image
 *                     takes: nothing is held.
 * @param seed         of the order and the noise.
 *
 * Errors: HANDLE, ARGUMENT (NULL, a size of 0), SHAPE (a side is too long,
 * channels is neither 1 nor 3), IO (the folder or a file can not be read, a
 * name belongs to something else than a file), FORMAT (no PNG file in the
 * folder; a file is no PNG, broken before its pixels, or too large: the text
 * names the first by name), OVERFLOW, MEMORY. Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_create_folder(ebm_context *context,
                                             const char *path, size_t height,
                                             size_t width, size_t channels,
                                             size_t cache_bytes, uint64_t seed,
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

/**
 * Number of samples.
 *
 * Errors: none (0 for a wrong handle). Thread safety: any thread. Since: 0.1.
 */
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
 * Whether the dataset has labels: 1 or 0.
 *
 * Errors: none (0 for a wrong handle). Thread safety: any thread. Since: 0.1.
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
 * Errors: HANDLE, ARGUMENT, RANGE (n); for a folder also IO, FORMAT (a file
 * that is broken or has changed; the text names the first by name), MEMORY.
 * On an error nothing is written, and the next call asks for the same batch
 * again: a file may be repaired in between. Thread safety: one thread a
 * dataset. Since: 0.1.
 */
EBM_API ebm_status ebm_dataset_next(ebm_dataset *dataset, size_t n, float *x,
                                    int32_t *labels);

/**
 * Samples first .. first + n - 1 in the order of the file, or of the files,
 * without noise and whatever EBM_DATASET_DEQUANTISE: a byte b gives
 * MIN + (MAX - MIN) b / 255, a point of the bin that dequantisation would
 * spread it over (0 the lower end of the first, 255 the upper of the last).
 *
 * @param first  0 .. ebm_dataset_count() - n.
 * @param[out] x       [n, height, width, channels].
 * @param[out] labels  [n], or NULL; 0 for a dataset without labels.
 *
 * Errors: HANDLE, ARGUMENT, RANGE (beyond the end); for a folder also IO,
 * FORMAT and MEMORY, as ebm_dataset_next(). On an error nothing is written.
 * Thread safety: several threads may read, also one dataset. Since: 0.1.
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
