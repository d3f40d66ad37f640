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
 * OVERFLOW is a layer whose output or parameters would be too large for
 * memory. A call that fails leaves the builder as it was. A builder can make
 * any number of models, and go on growing in between.
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

/** A network that is being built. */
typedef struct ebm_network ebm_network;

/** Sticky settings: they hold for the calls that follow. */
typedef enum ebm_network_key {
    /** Whether convolutions and dense layers have a bias. Flag, 1. */
    EBM_NETWORK_BIAS = 0,
    /** Samples that go through the network together, as a slab; 0 lets the
        library choose from the layers' sizes. Integer, 0 to 1024, 0. Read by
        ebm_model_create_network(). Another slab size may change last bits. */
    EBM_NETWORK_SLAB = 1,
    /** An ebm_network_norm: what normalises inside residual blocks. Choice,
        initially EBM_NORM_GROUP. */
    EBM_NETWORK_NORM = 2,
    /** Groups of the group norms inside residual blocks; 0 stands for
        min(32, channels / 2). Integer, 0 to 65536, 0. */
    EBM_NETWORK_GROUPS = 3,
    /** What norms add to a variance. Real, > 0, initially 1e-5. */
    EBM_NETWORK_NORM_EPSILON = 4,
    /** An ebm_network_weights: how the weights of convolutions and dense
        layers, and of the two 3 x 3 convolutions of a residual block, are made
        from the parameters. Choice, initially EBM_WEIGHTS_PLAIN. */
    EBM_NETWORK_WEIGHTS = 5,
    /** Classes of conditional residual blocks: with N > 0 each norm is
        followed by a gain and a bias per channel that depend on the sample's
        label, 0 .. N - 1. Integer, 0 to 65536, 0. */
    EBM_NETWORK_CLASSES = 6,
    /** An ebm_network_convolution: how convolutions are computed, those of
        residual blocks included. Choice, initially EBM_CONVOLUTION_AUTOMATIC.
        Another way changes rounding and speed, nothing else. */
    EBM_NETWORK_CONVOLUTION = 7,
    EBM_NETWORK_KEY_MAX = 0x7fffffff
} ebm_network_key;

/** What normalises inside a residual block. */
typedef enum ebm_network_norm {
    /** Nothing. */
    EBM_NORM_NONE = 0,
    /** ebm_network_group_norm() of EBM_NETWORK_GROUPS. */
    EBM_NORM_GROUP = 1,
    /** ebm_network_instance_norm(). */
    EBM_NORM_INSTANCE = 2,
    EBM_NETWORK_NORM_MAX = 0x7fffffff
} ebm_network_norm;

/**
 * How weights W[taps, out] are made from the parameters of the same shape.
 * They are made anew when parameters are written, never inside a pass, so an
 * energy is a fixed function along a chain; gradients are with respect to the
 * parameters.
 */
typedef enum ebm_network_weights {
    /** The parameters themselves. */
    EBM_WEIGHTS_PLAIN = 0,
    /** Weight standardisation, for each output channel: (W - mean) /
        (std + 1e-5), with the unbiased std over the taps (Qiao et al. 2019,
        arXiv:1903.10520). */
    EBM_WEIGHTS_STANDARDISED = 1,
    /** Spectral norm: W / sigma with sigma = v^T W u for unit vectors u and v
        that power iteration leads to the first singular vectors: 15 rounds
        when the model is made, one in each ebm_optimizer_step(), none
        elsewhere. u and v are part of the model's state and constants in every
        derivative (Miyato et al. 2018, arXiv:1802.05957). After writing very
        different parameters by hand see ebm_model_iterate(). */
    EBM_WEIGHTS_SPECTRAL = 2,
    EBM_NETWORK_WEIGHTS_MAX = 0x7fffffff
} ebm_network_weights;

/**
 * How a convolution is computed. A way that a layer's shape does not allow is
 * replaced by the one that the library would choose.
 *
 * Errors are relative to the largest value of a result, measured against
 * double precision; what is promised, and tested, is 5e-5 for a network of one
 * convolution. A deep network can magnify the rounding of any way, F(4x4)'s
 * being the largest: docs/numerics.md has figures, docs/performance.md says
 * what pays where.
 */
typedef enum ebm_network_convolution {
    /** Chosen from the layer's shape. */
    EBM_CONVOLUTION_AUTOMATIC = 0,
    /** A matrix product with a column matrix, through CBLAS. Error about
        1e-6. */
    EBM_CONVOLUTION_COLUMNS = 1,
    /** Sums gathered where the pixels stand. Error about 1e-6. */
    EBM_CONVOLUTION_DIRECT = 2,
    /** Winograd's F(2x2, 3x3): 4 products an output instead of 9, for 3 x 3
        kernels of stride 1 between multiples of 16 channels. Error about
        1e-6. */
    EBM_CONVOLUTION_WINOGRAD_2 = 3,
    /** F(4x4, 3x3): 2.25 products an output, likewise. Error about 5e-6. */
    EBM_CONVOLUTION_WINOGRAD_4 = 4,
    EBM_NETWORK_CONVOLUTION_MAX = 0x7fffffff
} ebm_network_convolution;

/** What a residual block does to the image. */
typedef enum ebm_res_kind {
    /** Nothing: rows, columns and channels stay. */
    EBM_RES_PLAIN = 0,
    /** Halves rows and columns (rounding up). */
    EBM_RES_DOWN = 1,
    /** Halves rows and columns and doubles the channels. */
    EBM_RES_DOWN_WIDEN = 2,
    EBM_RES_KIND_MAX = 0x7fffffff
} ebm_res_kind;

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
 * @param units  output numbers, at least 1.
 *
 * Errors: HANDLE, ARGUMENT (units is 0), SHAPE (the sample still has rows and
 * columns: ebm_network_flatten() first), OVERFLOW, MEMORY.
 * Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_dense(ebm_network *network, size_t units);

/**
 * y = x sigmoid(x), element by element (also called SiLU).
 *
 * Errors: HANDLE, OVERFLOW, MEMORY. Thread safety: one thread a builder.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_network_swish(ebm_network *network);

/**
 * y = max(x, 0). The derivative at 0 is taken as 0.
 *
 * Errors: HANDLE, OVERFLOW, MEMORY. Thread safety: one thread a builder.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_network_relu(ebm_network *network);

/**
 * y = x for x > 0, slope x otherwise.
 *
 * @param slope  finite, in [0, 1].
 *
 * Errors: HANDLE, RANGE, OVERFLOW, MEMORY. Thread safety: one thread a
 * builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_leaky_relu(ebm_network *network, double slope);

/**
 * Turns [height, width, channels] into [1, 1, height width channels]; element
 * order stays (row, column, channel). Costs nothing.
 *
 * Errors: HANDLE, OVERFLOW, MEMORY. Thread safety: one thread a builder.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_network_flatten(ebm_network *network);

/**
 * y = x^2, element by element: as the last layer an energy that is not
 * negative.
 *
 * Errors: HANDLE, OVERFLOW, MEMORY. Thread safety: one thread a builder.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_network_square(ebm_network *network);

/**
 * y = log(1 + exp(x)), element by element.
 *
 * Errors: HANDLE, OVERFLOW, MEMORY. Thread safety: one thread a builder.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_network_softplus(ebm_network *network);

/**
 * The mean over a kernel x kernel window with zeros around the image. The
 * output has floor((size + 2 padding - kernel) / stride) + 1 rows and columns.
 *
 * @param kernel   rows and columns of the window, at least 1.
 * @param stride   at least 1.
 * @param padding  at most kernel / 2.
 * @param count_include_pad  1: divide by kernel^2 everywhere; 0: divide by
 *                 the number of pixels of the image in the window.
 *
 * Errors: HANDLE, ARGUMENT (a size of 0, padding, a flag that is not 0 or 1),
 * SHAPE (the window does not fit; after flatten), OVERFLOW, MEMORY.
 * Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_avg_pool(ebm_network *network, size_t kernel,
                                        size_t stride, size_t padding,
                                        int count_include_pad);

/**
 * The mean of each channel over the image: [height, width, C] becomes
 * [1, 1, C], ready for a dense layer.
 *
 * Errors: HANDLE, SHAPE (after flatten), OVERFLOW, MEMORY. Thread safety: one
 * thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_global_mean_pool(ebm_network *network);

/**
 * The sum of each channel over the image, likewise.
 *
 * Errors: as ebm_network_global_mean_pool().
 * Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_global_sum_pool(ebm_network *network);

/**
 * Group norm: within each sample and each group of neighbouring channels,
 *
 *     y = gain (x - mean) / sqrt(variance + epsilon) + bias
 *
 * with gain (initially 1) and bias (initially 0) per channel, and the biased
 * variance (Wu and He 2018, arXiv:1803.08494). epsilon is
 * EBM_NETWORK_NORM_EPSILON.
 *
 * @param groups  divides the number of channels; 0: min(32, channels / 2).
 *
 * Errors: HANDLE, SHAPE (the channels are not divisible; after flatten; a
 * group of a single number), OVERFLOW, MEMORY. Thread safety: one thread a
 * builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_group_norm(ebm_network *network, size_t groups);

/**
 * Instance norm: group norm with a group for each channel.
 *
 * Errors: as ebm_network_group_norm(). Thread safety: one thread a builder.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_network_instance_norm(ebm_network *network);

/**
 * A gain and a bias per channel that depend on the sample's label y,
 *
 *     out[.., c] = x[.., c] (G[y, c] + g[c]) + (B[y, c] + b[c]),
 *
 * a linear map of the one-hot label as in Du et al. 2020. Parameters are
 * "weight" [classes, 2 C] (gains, then biases) and "bias" [2 C]. The model is
 * conditional: its calls need labels in 0 .. classes - 1.
 *
 * @param classes  at least 1; the same in all layers of a network.
 *
 * Errors: HANDLE, ARGUMENT (classes is 0 or differs), SHAPE (after flatten),
 * OVERFLOW, MEMORY. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_class_affine(ebm_network *network,
                                            size_t classes);

/**
 * Self-attention over the positions of the image, with a residual,
 *
 *     out = x + gamma softmax(Q K^T) V,
 *
 * Q, K (C / 8 channels, at least 1) and V (C channels) by a 1 x 1 convolution
 * of x, one row of the softmax for each position, no scaling by 1 / sqrt(d),
 * and one number gamma that begins at 0 (Zhang et al. 2019,
 * arXiv:1805.08318, as in Du et al. 2020). Parameters: "qkv.weight"
 * [1, 1, C, 2 C / 8 + C], "qkv.bias", "gamma".
 *
 * Takes room for (height width)^2 numbers a sample.
 *
 * Errors: HANDLE, SHAPE (after flatten), OVERFLOW, MEMORY. Thread safety: one
 * thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_self_attention(ebm_network *network);

/**
 * A residual block of Du et al. 2020:
 *
 *     h = swish(norm(conv(x)));  h = swish(norm(conv(h)));  h = h + x
 *     down:  h = swish(avg_pool(conv(h)))
 *
 * with 3 x 3 convolutions of padding 1 and the average over 3 x 3 with stride
 * 2, padding 1 and zeros counted. EBM_NETWORK_NORM, _GROUPS, _CLASSES (a
 * class_affine after each norm), _WEIGHTS (of the first two convolutions; the
 * third is plain) and _BIAS say the rest.
 *
 * @param channels  of the image so far, said to read like the tables of the
 *                  papers.
 *
 * Errors: HANDLE, ARGUMENT (no such kind), SHAPE (the image has not that many
 * channels, they are not divisible by the groups, after flatten), OVERFLOW,
 * MEMORY. Thread safety: one thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_network_res_block(ebm_network *network, size_t channels,
                                         ebm_res_kind kind);

/**
 * Makes a model of the layers so far, which must end in a single number.
 * Weights and biases are uniform in +-1/sqrt(fan_in), PyTorch's default;
 * the same seed gives the same parameters.
 *
 * Errors: HANDLE, ARGUMENT, SHAPE (no scalar at the end, or no layer),
 * UNSUPPORTED (more than 256 layers,
 * counted with those inside blocks), OVERFLOW, MEMORY. Thread safety: one
 * thread a builder. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_network(const ebm_network *network,
                                            uint64_t seed, ebm_model **model);

#ifdef __cplusplus
}
#endif

#endif
