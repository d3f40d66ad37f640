/**
 * @file transition.h
 * Transitions: jumps of a chain that change an image and keep its meaning.
 *
 * Langevin steps are short; chains mix badly. Du et al. (2021, "Improved
 * contrastive divergence", section 3.2) let a chain jump by data augmentation:
 * each state drawn from the replay buffer is flipped, cropped, recoloured. At
 * sampling time the same is done every so many steps. A transition is attached
 * with ebm_buffer_set_transition() and ebm_sampler_set_transition(), or
 * applied to the caller's own images with ebm_transition_apply().
 *
 * These jumps are not reversible, and do not leave exp(-E) invariant: a chain
 * that jumps has no known stationary law. They belong to the method; what they
 * did to a chain is counted (ebm_chains_transitions()).
 *
 * Leaves act on images; a sequence, and one of several, are made of parts,
 * which may themselves be made of parts. Every transition has the setting
 * EBM_TRANSITION_PROBABILITY: an image passes it with that probability, else
 * it is left alone. Draws are independent for each image and are a pure
 * function of (seed, stream, count, place in the tree).
 *
 * Images are float [height, width, channels] of values in a range [minimum,
 * maximum]: that of the outermost transition, EBM_TRANSITION_RANGE_MIN and
 * _MAX, holds for all its parts, whose own are not looked at. What an
 * operation would throw out of the range is clamped into it; jitter, grayscale
 * and blur take values beyond the range for its ends to begin with. Finite
 * images stay finite. An operation whose settings make it the identity is
 * skipped and changes no bit.
 */
#ifndef EBM_TRANSITION_H
#define EBM_TRANSITION_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/option.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A transition, alone or made of parts. */
typedef struct ebm_transition ebm_transition;

/** What a transition does. */
typedef enum ebm_transition_kind {
    /** Mirrors left and right. PROBABILITY is initially 0.5. */
    EBM_TRANSITION_FLIP = 0,
    /** Random resized crop: a box of random area and aspect, scaled up to the
        whole image. AREA_, ASPECT_, INTERPOLATION. */
    EBM_TRANSITION_CROP = 1,
    /** Scales the image about its centre. SCALE_, INTERPOLATION, BOUNDARY. */
    EBM_TRANSITION_RESCALE = 2,
    /** Brightness, contrast, saturation and hue, in random order. STRENGTH,
        BRIGHTNESS, CONTRAST, SATURATION, HUE. */
    EBM_TRANSITION_JITTER = 3,
    /** Every channel becomes 0.299 R + 0.587 G + 0.114 B: grey stays as it is
        (torchvision's weight of R is 0.2989). PROBABILITY is initially 0.2. */
    EBM_TRANSITION_GRAYSCALE = 4,
    /** Gaussian blur. BLUR_. */
    EBM_TRANSITION_BLUR = 5,
    /** Adds N(0, NOISE_STD^2) to every element. */
    EBM_TRANSITION_NOISE = 6,
    /** Elastic deformation. GRID_POINTS, DISPLACEMENT_STD, INTERPOLATION,
        BOUNDARY. */
    EBM_TRANSITION_ELASTIC = 7,
    /** The caller's own: ebm_transition_create_callback(). */
    EBM_TRANSITION_CALLBACK = 8,
    /** One part after the other: ebm_transition_create_sequence(). */
    EBM_TRANSITION_SEQUENCE = 9,
    /** One part by lot: ebm_transition_create_one_of(). */
    EBM_TRANSITION_ONE_OF = 10,
    EBM_TRANSITION_KIND_MAX = 0x7fffffff
} ebm_transition_kind;

/** Settings. A kind has the first three and those named with it. */
typedef enum ebm_transition_key {
    /** That an image passes. Real, 0 to 1, initially 1 unless the kind says
        otherwise. */
    EBM_TRANSITION_PROBABILITY = 0,
    /** The range of the images' values: real, initially -1 and 1. */
    EBM_TRANSITION_RANGE_MIN = 1,
    /** Its upper end. */
    EBM_TRANSITION_RANGE_MAX = 2,
    /** An ebm_interpolation. Choice, initially LINEAR for crop and rescale,
        CUBIC for elastic deformations. */
    EBM_TRANSITION_INTERPOLATION = 3,
    /** An ebm_boundary: what is seen beyond the edge. Choice, initially
        EBM_BOUNDARY_CONSTANT. */
    EBM_TRANSITION_BOUNDARY = 4,
    /** Share of the image's area that a crop keeps: uniform between these.
        Real, above 0 to 1, initially 0.08 and 1. */
    EBM_TRANSITION_AREA_MIN = 5,
    /** The most. */
    EBM_TRANSITION_AREA_MAX = 6,
    /** Width over height of a crop, in pixels: the logarithm is uniform
        between theirs. Real, 0.01 to 100, initially 3/4 and 4/3. */
    EBM_TRANSITION_ASPECT_MIN = 7,
    /** The widest. */
    EBM_TRANSITION_ASPECT_MAX = 8,
    /** Factor by which the image grows: the logarithm is uniform between
        theirs. Real, 0.1 to 10, initially 0.8 and 1.25. */
    EBM_TRANSITION_SCALE_MIN = 9,
    /** The largest. */
    EBM_TRANSITION_SCALE_MAX = 10,
    /** Real, >= 0, in units of the values, initially 0.05. */
    EBM_TRANSITION_NOISE_STD = 11,
    /** Strength s of a jitter: multiplies the four below. Real, 0 to 2,
        initially 1. */
    EBM_TRANSITION_STRENGTH = 12,
    /** Brightness, contrast and saturation are multiplied by a uniform draw
        from [max(0, 1 - s b), 1 + s b]. Real, 0 to 1, initially 0.8. */
    EBM_TRANSITION_BRIGHTNESS = 13,
    /** Likewise. */
    EBM_TRANSITION_CONTRAST = 14,
    /** Likewise. */
    EBM_TRANSITION_SATURATION = 15,
    /** The hue turns by a uniform draw from [-s h, s h] of a full circle; s h
        at most 0.5. Real, 0 to 0.5, initially 0.2 (SimCLR; 0.4 in the code of
        Du et al.). */
    EBM_TRANSITION_HUE = 16,
    /** Width of the blur in pixels: uniform between these. Real, 0 to 100,
        initially 0.1 and 2. A width of 0 is no blur. */
    EBM_TRANSITION_BLUR_SIGMA_MIN = 17,
    /** The widest. */
    EBM_TRANSITION_BLUR_SIGMA_MAX = 18,
    /** Side of the blur's window in pixels: odd, or 0 for a tenth of the
        image's height, made odd. Integer, 0 to 255, initially 0. */
    EBM_TRANSITION_BLUR_KERNEL = 19,
    /** Control points along each side of the image. Integer, 2 to 32,
        initially 3. */
    EBM_TRANSITION_GRID_POINTS = 20,
    /** Standard deviation of each control point's displacement along each
        axis, in pixels. Real, 0 to 1000, initially 1. */
    EBM_TRANSITION_DISPLACEMENT_STD = 21,
    EBM_TRANSITION_KEY_MAX = 0x7fffffff
} ebm_transition_key;

/** How values between pixels are found. */
typedef enum ebm_interpolation {
    /** Of the nearest pixel; elastic deformations only. */
    EBM_INTERPOLATION_NEAREST = 0,
    /** Linear, along rows and columns. */
    EBM_INTERPOLATION_LINEAR = 1,
    /** Crop and rescale: Keys' cubic convolution, a = -0.5. Elastic: the
        interpolating cubic B-spline. */
    EBM_INTERPOLATION_CUBIC = 2,
    EBM_INTERPOLATION_MAX = 0x7fffffff
} ebm_interpolation;

/** What lies beyond a row a b c d of pixels. */
typedef enum ebm_boundary {
    /** The range's minimum everywhere. */
    EBM_BOUNDARY_CONSTANT = 0,
    /** a a a | a b c d | d d d */
    EBM_BOUNDARY_NEAREST = 1,
    /** c b a | a b c d | d c b */
    EBM_BOUNDARY_REFLECT = 2,
    /** d c b | a b c d | c b a */
    EBM_BOUNDARY_MIRROR = 3,
    /** b c d | a b c d | a b c */
    EBM_BOUNDARY_WRAP = 4,
    EBM_BOUNDARY_MAX = 0x7fffffff
} ebm_boundary;

/** What a transition has done since it was created, in all hands. */
typedef enum ebm_transition_statistic {
    /** Images that it acted on. */
    EBM_TRANSITION_STAT_APPLIED = 0,
    /** Share of the pixels, over all images that an elastic deformation acted
        on, at which the deformation folds (its Jacobian determinant at the
        pixel's centre is not positive). Parts are added up; 0 where there was
        none. */
    EBM_TRANSITION_STAT_FOLDED = 1,
    EBM_TRANSITION_STATISTIC_MAX = 0x7fffffff
} ebm_transition_statistic;

/**
 * The caller's transition. Called with all images that pass, at once, on the
 * thread that applies, never inside a parallel region.
 *
 * @param x       [n, height, width, channels], to change in place; must be
 *                finite afterwards. Not clamped into the range.
 * @param labels  [n], or NULL when the caller of apply gave none.
 * @param keys    [n]: 64 random bits for each image, a function of (seed,
 *                stream, count, place in the tree) like all draws: seeds for
 *                the callback's own generator.
 * @return 0 to go on; anything else ends the call with EBM_ERROR_CALLBACK.
 */
typedef int (*ebm_transition_fn)(float *x, const int32_t *labels, size_t n,
                                 size_t height, size_t width, size_t channels,
                                 const uint64_t *keys, void *user);

/**
 * Creates a leaf: any kind up to EBM_TRANSITION_ELASTIC.
 *
 * Errors: HANDLE, ARGUMENT (no such kind, or one with a create of its own),
 * MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_create(ebm_context *context,
                                         ebm_transition_kind kind,
                                         ebm_transition **transition);

/**
 * Creates a transition from a function of the caller's.
 *
 * @param user  handed to the function.
 *
 * Errors: HANDLE, ARGUMENT (function is NULL), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_create_callback(ebm_context *context,
                                                  ebm_transition_fn function,
                                                  void *user,
                                                  ebm_transition **transition);

/**
 * Creates a sequence: an image that passes goes through the parts in order.
 *
 * @param parts  [count] handles, kept alive by the new one; a handle may stand
 *               there twice, and draws independently in each place.
 * @param count  at least 1.
 *
 * Errors: HANDLE (context, a part), CONTEXT, ARGUMENT (parts is NULL, count is
 * 0), RANGE (more than 128 transitions in the tree), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_create_sequence(ebm_context *context,
                                                  ebm_transition *const *parts,
                                                  size_t count,
                                                  ebm_transition **transition);

/**
 * Creates a choice: an image that passes goes to one of the parts, drawn for
 * each image.
 *
 * @param parts    as for a sequence.
 * @param weights  [count], finite, >= 0, not all 0: the parts' shares; or NULL
 *                 for equal ones. Copied.
 * @param count    at least 1.
 *
 * Errors: as ebm_transition_create_sequence(), and RANGE (weights).
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_create_one_of(ebm_context *context,
                                                ebm_transition *const *parts,
                                                const double *weights,
                                                size_t count,
                                                ebm_transition **transition);

/**
 * Creates a sequence of the one part, with EBM_TRANSITION_PROBABILITY set; the
 * part, and whoever else uses it, is unchanged.
 *
 * @param part         kept alive by the new one.
 * @param probability  0 to 1.
 *
 * Errors: HANDLE, ARGUMENT (NULL), RANGE (probability; nodes of the tree),
 * MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_create_with_probability(
    ebm_transition *part, double probability, ebm_transition **transition);

/**
 * Creates one of the transitions that papers name. Its parts can be reached
 * with ebm_transition_part() and set.
 *
 * - "simclr": ebm_transition_create_simclr() of strength 1;
 * - "du2020-cifar", "du2020-celeba": Du et al. 2021 as their supplement, B.2,
 *   says: crop of area 0.02 (CelebA: 0.08) to 1, bilinear; flip; jitter of
 *   strength 1, hue 0.2, with probability 0.8; grayscale with 0.2;
 * - "du2020-cifar-code", "du2020-celeba-code": as their program has it: crop
 *   0.08 to 1, hue 0.4; CelebA with strength 0.5 and, last, a blur of a window
 *   of 5 with probability 0.5;
 * - "elastic-digits": one elastic deformation for digits of 28 x 28: a 3 x 3
 *   grid, displacements of 0.5 pixels, cubic.
 *
 * @param name  one of the list above.
 *
 * Errors: HANDLE, ARGUMENT (no such name, NULL), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_create_preset(ebm_context *context,
                                                const char *name,
                                                ebm_transition **transition);

/**
 * Creates SimCLR's augmentation (Chen et al. 2020, appendix A) of colour
 * strength s: crop of area 0.08 to 1, bicubic; flip; jitter (0.8, 0.8, 0.8,
 * 0.2) s with probability 0.8; grayscale with 0.2; blur of width 0.1 to 2 in a
 * window of a tenth of the height with probability 0.5. On small images SimCLR
 * leaves the blur out: set the fifth part's probability to 0.
 *
 * @param strength  0 to 2.
 *
 * Errors: HANDLE, ARGUMENT (NULL), RANGE (strength), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_create_simclr(ebm_context *context,
                                                double strength,
                                                ebm_transition **transition);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_transition_destroy(ebm_transition *transition);

/**
 * The kind.
 *
 * Errors: none (EBM_TRANSITION_KIND_MAX for a wrong handle).
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_transition_kind
ebm_transition_get_kind(const ebm_transition *transition);

/**
 * Number of parts; 0 for a leaf.
 *
 * Errors: none (0 for a wrong handle). Thread safety: any thread. Since: 0.1.
 */
EBM_API size_t ebm_transition_part_count(const ebm_transition *transition);

/**
 * A part, to set or read: borrowed, for as long as the whole lives, and not
 * to be destroyed. NULL for a wrong handle, from part_count on, and for a part
 * whose own handle the caller destroyed.
 *
 * @param index  0 .. ebm_transition_part_count() - 1.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_transition *ebm_transition_part(const ebm_transition *transition,
                                            size_t index);

/**
 * Changes a setting. It holds from the next application on, wherever the
 * transition is attached or a part. Pairs, as AREA_MIN and AREA_MAX, are
 * compared when the transition is attached or applied.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), UNSUPPORTED (a key that this kind
 * does not have), RANGE.
 * Thread safety: one thread a transition, while none applies it. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_set(ebm_transition *transition,
                                      ebm_transition_key key, double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT, UNSUPPORTED. Thread safety: while no thread sets.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_transition_get(const ebm_transition *transition,
                                      ebm_transition_key key, double *value);

/**
 * Describes a setting of a kind, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown kind or key), UNSUPPORTED (the kind does not have
 * the key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_option(ebm_transition_kind kind,
                                         ebm_transition_key key,
                                         const char **name,
                                         ebm_option_kind *option_kind,
                                         double *minimum, double *maximum,
                                         double *initial);

/**
 * Whether the transition, with its settings as they are, can be applied to
 * images of this shape. What attaches or applies it checks the same.
 *
 * Errors: HANDLE, ARGUMENT (a size of 0), OVERFLOW, SHAPE (colour without
 * three channels; a blur of which half the window is as large as the image's
 * height or width), RANGE (a minimum above its maximum; a range that is empty,
 * or whose width or 1 / width is too large for a float; a window that is not
 * odd).
 * Thread safety: while no thread sets. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_check(const ebm_transition *transition,
                                        size_t height, size_t width,
                                        size_t channels);

/**
 * Applies the transition to images, in place.
 *
 * Image i draws from stream first_stream + i: the result is the same for any
 * number of threads, and for any split of a batch that keeps the streams.
 *
 * @param x             [n, height, width, channels], finite.
 * @param labels        [n] for callbacks, or NULL.
 * @param seed          of the draws.
 * @param first_stream  first_stream + n at most 2^44.
 * @param count         number of this application, below 2^36: another count,
 *                      other draws.
 *
 * Errors: as ebm_transition_check(), ARGUMENT (x is NULL, n is 0), RANGE
 * (first_stream, count), NON_FINITE (x, or what a callback made of it),
 * CALLBACK, MEMORY. On an error x is unchanged.
 * Thread safety: several threads may apply one transition to arrays of their
 * own. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_apply(const ebm_transition *transition,
                                        float *x, const int32_t *labels,
                                        size_t n, size_t height, size_t width,
                                        size_t channels, uint64_t seed,
                                        uint64_t first_stream, uint64_t count);

/**
 * Reads a statistic.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_transition_get_statistic(
    const ebm_transition *transition, ebm_transition_statistic statistic,
    double *value);

#ifdef __cplusplus
}
#endif

#endif
