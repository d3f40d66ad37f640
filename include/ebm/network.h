/**
 * @file network.h
 * Builds an energy network layer by layer, one call a layer.
 *
 * The builder knows the shape that the layers so far produce, so each call
 * says only what is new. It ends in a single number, the energy:
 *
 *     ebm_network_create(context, 28, 28, 1, &network);
 *     ebm_network_conv2d(network, 16, 5, 2, 4);
 *     ebm_network_swish(network);
 *     ebm_network_flatten(network);
 *     ebm_network_dense(network, 1);
 *     ebm_model_create_network(network, seed, &model);
 *
 * A call that fails leaves the builder as it was. A builder can make any
 * number of models, and go on growing in between.
 */
#ifndef EBM_NETWORK_H
#define EBM_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/option.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_network ebm_network;

/** Sticky settings: they hold for the calls that follow. */
typedef enum ebm_network_key {
    /** Whether convolutions and dense layers have a bias. Flag, 1. */
    EBM_NETWORK_BIAS = 0,
    /** Samples that go through the network together, as a slab; 0 lets the
        library choose from the layers' sizes. Integer, 0 to 1024, 0. Read by
        ebm_model_create_network(). Another slab size may change last bits. */
    EBM_NETWORK_SLAB = 1,
    EBM_NETWORK_KEY_MAX = 0x7fffffff
} ebm_network_key;

/**
 * Begins a network for samples of [height, width, channels].
 *
 * Errors: HANDLE, ARGUMENT (a size of 0), OVERFLOW, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_network_create(ebm_context *context, size_t height,
                                      size_t width, size_t channels,
                                      ebm_network **network);

/**
 * Ends the builder; models made from it live on. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_network_destroy(ebm_network *network);

/**
 * Changes a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE.
 * Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_set(ebm_network *network, ebm_network_key key,
                                   double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_get(const ebm_network *network,
                                   ebm_network_key key, double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_network_option(ebm_network_key key, const char **name,
                                      ebm_option_kind *kind, double *minimum,
                                      double *maximum, double *initial);

/**
 * The shape that the next layer will see. Any output may be NULL.
 *
 * Errors: HANDLE. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_shape(const ebm_network *network,
                                     size_t *height, size_t *width,
                                     size_t *channels);

/**
 * A convolution with a square kernel and zeros around the image,
 *
 *     y[i, j, o] = b[o] + sum_{a, e, c} w[a, e, c, o]
 *                         x[i stride + a - padding, j stride + e - padding, c]
 *
 * (what the field calls convolution: no kernel is flipped). The output has
 * floor((size + 2 padding - kernel) / stride) + 1 rows and columns.
 *
 * @param channels  output channels, at least 1.
 * @param kernel    rows and columns of the kernel, at least 1.
 * @param stride    at least 1.
 * @param padding   rows and columns of zeros on each side.
 *
 * Errors: HANDLE, ARGUMENT (a size of 0), SHAPE (the
 * kernel does not fit into the padded image; after flatten), OVERFLOW,
 * MEMORY. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_conv2d(ebm_network *network, size_t channels,
                                      size_t kernel, size_t stride,
                                      size_t padding);

/**
 * A dense layer y = x W + b over a flat sample.
 *
 * Errors: HANDLE, ARGUMENT (units is 0), SHAPE (the sample still has rows and
 * columns: ebm_network_flatten() first), OVERFLOW, MEMORY.
 * Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_dense(ebm_network *network, size_t units);

/**
 * y = x sigmoid(x), element by element (also called SiLU).
 *
 * Errors: HANDLE, MEMORY. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_swish(ebm_network *network);

/**
 * y = max(x, 0). The derivative at 0 is taken as 0.
 *
 * Errors: HANDLE, MEMORY. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_relu(ebm_network *network);

/**
 * y = x for x > 0, slope x otherwise.
 *
 * @param slope  finite, in [0, 1].
 *
 * Errors: HANDLE, RANGE, MEMORY. Thread safety: one thread a builder.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_network_leaky_relu(ebm_network *network, double slope);

/**
 * Turns [height, width, channels] into [1, 1, height width channels]; element
 * order stays (row, column, channel). Costs nothing.
 *
 * Errors: HANDLE, MEMORY. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_flatten(ebm_network *network);

/**
 * Makes a model of the layers so far, which must end in a single number.
 * Weights and biases are uniform in +-1/sqrt(fan_in), PyTorch's default;
 * the same seed gives the same parameters.
 *
 * Errors: HANDLE, ARGUMENT, SHAPE (no scalar at the end, or no layer),
 * UNSUPPORTED (more than 256 layers), OVERFLOW, MEMORY. Thread safety: one
 * thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_network(const ebm_network *network,
                                            uint64_t seed, ebm_model **model);

#ifdef __cplusplus
}
#endif

#endif
