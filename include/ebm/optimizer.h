/**
 * @file optimizer.h
 * Optimizers: how a gradient becomes a change of the parameters.
 *
 * One step, in this order: each element of the gradient is clipped to
 * +-CLIP_VALUE; the whole is scaled by min(1, CLIP_NORM / (|g| + 1e-6)); then
 *
 *     SGD:   u <- momentum u + g,   theta <- theta - rate u
 *     Adam:  m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,
 *            theta <- theta - rate m / (1 - beta1^t)
 *                             / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * (Kingma & Ba 2015; PyTorch's conventions), and the running average
 * ema <- decay ema + (1 - decay) theta, which begins at the parameters of the
 * first step taken with it.
 */
#ifndef EBM_OPTIMIZER_H
#define EBM_OPTIMIZER_H

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/option.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An optimizer: settings, moments, and the average, of one model. */
typedef struct ebm_optimizer ebm_optimizer;

/** The rules above. */
typedef enum ebm_optimizer_kind {
    /** Adaptive moments. */
    EBM_OPTIMIZER_ADAM = 0,
    /** Gradient descent with momentum. */
    EBM_OPTIMIZER_SGD = 1,
    EBM_OPTIMIZER_KIND_MAX = 0x7fffffff
} ebm_optimizer_kind;

/** Settings of an optimizer. */
typedef enum ebm_optimizer_key {
    /** Real, finite, >= 0, initially 1e-4. */
    EBM_OPTIMIZER_LEARNING_RATE = 0,
    /** Adam. Real, 0 to 1 (excluded), initially 0.9. With 0 (as a float), m is
        the gradient and neither kept nor taken from a checkpoint; it begins at
        0 when beta1 becomes positive again. */
    EBM_OPTIMIZER_BETA1 = 1,
    /** Adam. Real, 0 to 1 (excluded), initially 0.999. */
    EBM_OPTIMIZER_BETA2 = 2,
    /** Adam. Real, finite, > 0, initially 1e-8. */
    EBM_OPTIMIZER_EPSILON = 3,
    /** SGD. Real, 0 to 1 (excluded), initially 0. */
    EBM_OPTIMIZER_MOMENTUM = 4,
    /** Largest Euclidean norm. Real, > 0, initially infinity: no clip. */
    EBM_OPTIMIZER_CLIP_NORM = 5,
    /** Largest size of an element. Real, > 0, initially infinity. */
    EBM_OPTIMIZER_CLIP_VALUE = 6,
    /** Decay of the running average; 0 keeps none. Real, 0 to 1 (excluded),
        initially 0. */
    EBM_OPTIMIZER_EMA_DECAY = 7,
    EBM_OPTIMIZER_KEY_MAX = 0x7fffffff
} ebm_optimizer_key;

/** What an optimizer counted and measured. */
typedef enum ebm_optimizer_statistic {
    /** Steps taken. */
    EBM_OPTIMIZER_STAT_STEPS = 0,
    /** |g| of the last step: after the value clip, before the norm clip. */
    EBM_OPTIMIZER_STAT_GRADIENT_NORM = 1,
    /** Steps refused because the gradient was not finite. */
    EBM_OPTIMIZER_STAT_REFUSED = 2,
    EBM_OPTIMIZER_STATISTIC_MAX = 0x7fffffff
} ebm_optimizer_statistic;

/**
 * Creates an optimizer of a model, which it keeps alive.
 *
 * Errors: HANDLE, CONTEXT, ARGUMENT (no such kind), UNSUPPORTED (a model
 * without parameters), MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_optimizer_create(ebm_context *context,
                                        ebm_optimizer_kind kind,
                                        ebm_model *model,
                                        ebm_optimizer **optimizer);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_optimizer_destroy(ebm_optimizer *optimizer);

/**
 * Changes a setting; it holds from the next step on.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE, UNSUPPORTED (a key of
 * another kind of optimizer), STATE (EMA_DECAY while the average is in the
 * model's place), MEMORY (a first EMA_DECAY).
 * Thread safety: one thread an optimizer. Since: 0.1.
 */
EBM_API ebm_status ebm_optimizer_set(ebm_optimizer *optimizer,
                                     ebm_optimizer_key key, double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread an optimizer.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_optimizer_get(const ebm_optimizer *optimizer,
                                     ebm_optimizer_key key, double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_optimizer_option(ebm_optimizer_key key,
                                        const char **name,
                                        ebm_option_kind *kind, double *minimum,
                                        double *maximum, double *initial);

/**
 * Takes one step with the gradient that has added up, and sets it to 0. A
 * gradient that is not finite, or a step that would make a parameter so, is
 * refused: parameters, moments and average stay as they were; the gradient is
 * set to 0 all the same, so that one bad batch does not spoil the next.
 *
 * A step that is taken ends with one round of power iteration on the new
 * parameters, as ebm_model_iterate() does it, for all spectral norms of the
 * model (EBM_WEIGHTS_SPECTRAL); a refused one does none.
 *
 * Errors: HANDLE, STATE (the parameters are lent, or the average is in the
 * model's place), NON_FINITE (refused).
 * Thread safety: one thread an optimizer and its model. Since: 0.1.
 */
EBM_API ebm_status ebm_optimizer_step(ebm_optimizer *optimizer);

/**
 * Exchanges the model's parameters and their running average, so that the
 * model samples with the averaged weights; a second call exchanges them back.
 *
 * Errors: HANDLE, STATE (no average yet, or the parameters are lent).
 * Thread safety: one thread an optimizer and its model. Since: 0.1.
 */
EBM_API ebm_status ebm_optimizer_swap_average(ebm_optimizer *optimizer);

/**
 * Reads a statistic.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread an optimizer.
 * Since: 0.1.
 */
EBM_API ebm_status
ebm_optimizer_get_statistic(const ebm_optimizer *optimizer,
                            ebm_optimizer_statistic statistic, double *value);

#ifdef __cplusplus
}
#endif

#endif
