/**
 * @file loss.h
 * Losses: what the energies of data and chains should do.
 *
 * The terms, with x+ data, x- the final states of the chains, q their law,
 * Omega the parameters held constant (clarifying paper, sections 3 to 5):
 *
 *     L+     mean E(x+)          gradient through theta
 *     L-     -mean E(x-)         gradient through theta, x- constant
 *     L_opt  -mean E_Omega(x-)   gradient through the sampling path x-(theta)
 *     L_ent  H(q)                gradient through the sampling path
 *     L_KL   L_opt + L_ent = -D_KL(q || p_Omega) + log Z_Omega
 *
 * and the kinds, each to be minimised:
 *
 *     NLL      L+ + L-             maximum likelihood
 *     CD_STAR  L+ + L-             contrastive divergence less its KL term
 *     CD       L+ + L- + L_KL      contrastive divergence
 *     KL       L_KL, or -L_KL      the KL term alone
 *
 * NLL and CD_STAR are one formula and two objectives: what differs is where
 * the chains began. Contrastive divergence *maximises* D_KL(q || p) along the
 * sampling path: energy up, entropy down. Du et al. (2020) minimise it on top
 * of the likelihood, which is NLL and then KL with EBM_KL_MINIMISE; gradients
 * add up. log Z has no gradient along the path and is not estimated, so no
 * report ever claims to hold D_KL.
 *
 * Each kind says which origins its chains may have; every other pair is
 * EBM_ERROR_ORIGIN unless EBM_LOSS_ALLOW_ANY_ORIGIN is 1:
 *
 *                      noise  data  persisted noise  persisted data
 *     NLL              yes    -     yes              yes
 *     CD_STAR, CD      -      yes   -                yes
 *     KL, maximised    -      yes   -                yes
 *     KL, minimised    yes    -     yes              -
 *
 * L_opt and L_ent need the tail of the trajectory: EBM_SAMPLER_KEEP_STEPS.
 */
#ifndef EBM_LOSS_H
#define EBM_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/buffer.h>
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

/** A loss: a kind, weights, workspace. */
typedef struct ebm_loss ebm_loss;

/** The objectives above. */
typedef enum ebm_loss_kind {
    /** Negative log-likelihood: data energies down, chain energies up. */
    EBM_LOSS_NLL = 0,
    /** The same on chains from data: CD without its KL term. */
    EBM_LOSS_CD_STAR = 1,
    /** Contrastive divergence, KL term included and maximised. */
    EBM_LOSS_CD = 2,
    /** The KL term alone; its direction must be set. Takes no data. */
    EBM_LOSS_KL = 3,
    EBM_LOSS_KIND_MAX = 0x7fffffff
} ebm_loss_kind;

/** What the KL term is for, a value of EBM_LOSS_KL_DIRECTION. */
typedef enum ebm_kl_direction {
    /** Not said yet: the initial value of EBM_LOSS_KL. */
    EBM_KL_UNSET = 0,
    /** D_KL(q || p) up: + L_KL. True contrastive divergence. */
    EBM_KL_MAXIMISE = 1,
    /** D_KL(q || p) down: - L_KL. Du et al. 2020. */
    EBM_KL_MINIMISE = 2,
    EBM_KL_DIRECTION_MAX = 0x7fffffff
} ebm_kl_direction;

/** How a loss takes the energy of a sum of S parts (composition.h), a value of
    EBM_LOSS_PARTS. Models of one part know no difference. */
typedef enum ebm_loss_parts {
    /** E is the sum, which is also what the sampler follows. */
    EBM_PARTS_SUM = 0,
    /** Everywhere E stands, the mean over the parts: L+, L- and L_opt see
        E / S, and the squares are those of the parts, each on its own. Du et
        al. 2020's multi-scale training: the loss sees a third of what the
        sampler sees. */
    EBM_PARTS_MEAN = 1,
    EBM_LOSS_PARTS_MAX = 0x7fffffff
} ebm_loss_parts;

/** Settings of a loss. */
typedef enum ebm_loss_key {
    /** alpha, the weight of the squared energies. Real, >= 0, initially 0. */
    EBM_LOSS_ENERGY_L2 = 0,
    /** Whether chains of every origin are taken. Flag, initially 0. */
    EBM_LOSS_ALLOW_ANY_ORIGIN = 1,
    /** Weight of L+. Real, >= 0, initially 1. */
    EBM_LOSS_POSITIVE_WEIGHT = 2,
    /** Weight of L-. Real, >= 0, initially 1. */
    EBM_LOSS_NEGATIVE_WEIGHT = 3,
    /** An ebm_kl_direction. Choice; initially EBM_KL_UNSET, with EBM_LOSS_CD
        fixed at EBM_KL_MAXIMISE. */
    EBM_LOSS_KL_DIRECTION = 4,
    /** Weight of L_opt. Real, >= 0, initially 1; at 0 it is not computed. (The
        tail and second derivatives are asked for all the same.) */
    EBM_LOSS_OPT_WEIGHT = 5,
    /** Weight of L_ent, on nats. Real, >= 0, initially 1; at 0 it is not
        computed. A weight c on the papers' mean log distance is c / d here, d
        the elements of a state. */
    EBM_LOSS_ENT_WEIGHT = 6,
    /** k: distances are those to the k-th nearest. Integer, 1 to 1e6, 1. */
    EBM_LOSS_ENT_NEIGHBOUR = 7,
    /** An ebm_loss_parts: what the loss of a sum of energies sees. Choice,
        initially EBM_PARTS_SUM. */
    EBM_LOSS_PARTS = 8,
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
 * Changes a setting. Those of the KL term have no effect on kinds without one.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE (also a direction other than
 * EBM_KL_MAXIMISE for EBM_LOSS_CD), STATE (from a callback of this loss's own
 * backward pass). Thread safety: one thread a loss. Since: 0.1.
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
 * What the entropy's distances are measured to: `count` states drawn from a
 * buffer at each backward pass, with replacement. The loss keeps the buffer
 * alive. NULL (the initial state) means the batch itself, each chain against
 * the others: only then is the gradient unbiased. A constant set makes it that
 * of a cross-entropy, in high dimension about half of the true one.
 *
 * @param count  at least 1 with a buffer.
 *
 * Errors: HANDLE, CONTEXT, ARGUMENT (count is 0 with a buffer), UNSUPPORTED (a
 * kind without KL term), STATE (the loss is in the middle of a pass).
 * Thread safety: one thread a loss. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_set_entropy_reference(ebm_loss *loss,
                                                  ebm_buffer *buffer,
                                                  size_t count);

/**
 * The same with an array of the caller's, [n, size], which is copied.
 *
 * @param size  elements of a state: height width channels.
 * @param x     [n, size], finite.
 *
 * Errors: HANDLE, ARGUMENT (NULL, 0), NON_FINITE, OVERFLOW, UNSUPPORTED (a
 * kind without KL term), STATE (the loss is in the middle of a pass), MEMORY.
 * Thread safety: one thread a loss. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_set_entropy_array(ebm_loss *loss, const float *x,
                                              size_t n, size_t size);

/**
 * Computes the loss and adds dL/dtheta to the model's gradient.
 *
 * @param data    [n, height, width, channels], finite.
 * @param labels  [n], or NULL.
 * @param n       data samples, at least 1; may differ from the chain count.
 *                EBM_LOSS_KL looks at none: NULL, NULL, 0.
 * @param chains  the negative phase.
 * @param report  filled with every term, or NULL.
 *
 * Gradient and report change only when every term is finite. The bits do not
 * depend on the number of threads. Workspace is kept between calls.
 *
 * Errors: HANDLE, CONTEXT, ARGUMENT, SHAPE, RANGE (a label), NON_FINITE (data,
 * an energy, the gradient, the tail), DIVERGED (a chain is marked), ORIGIN,
 * STATE (the parameters are lent, before or by a callback of this pass; the KL
 * term's direction is not set; the chains keep no tail of this model and these
 * parameters; the entropy's buffer is empty or the batch is too small for its
 * neighbours; a callback of this loss's pass or of a run of these chains),
 * UNSUPPORTED (a model without the derivatives that are needed), OVERFLOW,
 * MEMORY, CALLBACK. Thread safety: one thread a loss, a model and the
 * entropy's buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_loss_backward(ebm_loss *loss, ebm_model *model,
                                     const float *data, const int32_t *labels,
                                     size_t n, const ebm_chains *chains,
                                     ebm_report *report);

#ifdef __cplusplus
}
#endif

#endif
