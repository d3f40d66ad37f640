/**
 * @file loss.h
 * Losses: what the energies of data and chains should do.
 *
 * EBM_LOSS_NLL is the sampled gradient of the negative log-likelihood,
 *
 *     L = L+ + L- + alpha (mean E(x+)^2 + mean E(x-)^2),
 *     L+ = mean E(x+) over data,  L- = -mean E(x-) over chains, x- constant.
 *
 * Each kind says which origins its chains may have. The likelihood needs
 * chains that forget where they began: noise, persisted from noise, persisted
 * from data. Chains fresh from data make it contrastive divergence without
 * its KL term, which is another objective: EBM_ERROR_ORIGIN, unless
 * EBM_LOSS_ALLOW_ANY_ORIGIN is 1.
 */
#ifndef EBM_LOSS_H
#define EBM_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/chains.h>
#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/option.h>
#include <ebm/report.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_loss ebm_loss;

typedef enum ebm_loss_kind {
    /** Negative log-likelihood: data energies down, chain energies up. */
    EBM_LOSS_NLL = 0,
    EBM_LOSS_KIND_MAX = 0x7fffffff
} ebm_loss_kind;

typedef enum ebm_loss_key {
    /** alpha, the weight of the squared energies. Real, >= 0, initially 0. */
    EBM_LOSS_ENERGY_L2 = 0,
    /** Whether chains of every origin are taken. Flag, initially 0. */
    EBM_LOSS_ALLOW_ANY_ORIGIN = 1,
    EBM_LOSS_KEY_MAX = 0x7fffffff
} ebm_loss_key;

/**
 * Creates a loss.
 *
 * Errors: HANDLE, ARGUMENT (no such kind), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_create(ebm_context *context, ebm_loss_kind kind,
                                   ebm_loss **loss);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_loss_destroy(ebm_loss *loss);

/**
 * Changes a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE.
 * Thread safety: one thread a loss. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_set(ebm_loss *loss, ebm_loss_key key,
                                double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a loss. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_get(const ebm_loss *loss, ebm_loss_key key,
                                double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_option(ebm_loss_key key, const char **name,
                                   ebm_option_kind *kind, double *minimum,
                                   double *maximum, double *initial);

/**
 * Computes the loss and adds dL/dtheta to the model's gradient.
 *
 * @param data    [n, height, width, channels], finite.
 * @param labels  [n], or NULL.
 * @param n       data samples, at least 1; may differ from the chain count.
 * @param chains  the negative phase; held constant.
 * @param report  filled with every term, or NULL.
 *
 * Gradient and report change only when every term is finite. The bits do not
 * depend on the number of threads. Workspace is kept between calls.
 *
 * Errors: HANDLE, CONTEXT, ARGUMENT, SHAPE, NON_FINITE (data, an energy, the
 * gradient), DIVERGED (a chain is marked), ORIGIN, STATE (the parameters are
 * lent), UNSUPPORTED (a model without parameter gradient), MEMORY, CALLBACK.
 * Thread safety: one thread a loss and a model. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_backward(ebm_loss *loss, ebm_model *model,
                                     const float *data, const int32_t *labels,
                                     size_t n, const ebm_chains *chains,
                                     ebm_report *report);

#ifdef __cplusplus
}
#endif

#endif
