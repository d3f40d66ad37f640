/**
 * @file report.h
 * What a loss computed, term by term.
 *
 * A report is filled by ebm_loss_backward() and read by key. A term that was
 * not computed is a status, not 0. Signs are fixed; the clarifying paper's
 * section 3: L+ = mean E(x+), L- = -mean E(x-).
 */
#ifndef EBM_REPORT_H
#define EBM_REPORT_H

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The terms of the last loss that filled it. */
typedef struct ebm_report ebm_report;

/** Terms and what goes with them. */
typedef enum ebm_report_key {
    /** The weighted total whose gradient was added to the model. */
    EBM_REPORT_TOTAL = 0,
    /** L+ = mean E over the data: the positive phase. */
    EBM_REPORT_POSITIVE = 1,
    /** L- = -mean E over the chains: the negative phase. */
    EBM_REPORT_NEGATIVE = 2,
    /** mean E(x+)^2 + mean E(x-)^2, without its weight. */
    EBM_REPORT_ENERGY_L2 = 3,
    /** Energies of the data: the mean. */
    EBM_REPORT_DATA_ENERGY_MEAN = 4,
    /** Their standard deviation (divided by n). */
    EBM_REPORT_DATA_ENERGY_STD = 5,
    /** Energies of the chains: the mean. */
    EBM_REPORT_CHAIN_ENERGY_MEAN = 6,
    /** Their standard deviation. */
    EBM_REPORT_CHAIN_ENERGY_STD = 7,
    /** L_opt = -mean E over the chains, as the KL term sees it. */
    EBM_REPORT_OPT = 8,
    /** L_ent = H(q) in nats, by nearest neighbours. */
    EBM_REPORT_ENT = 9,
    /** L_KL = L_opt + L_ent = -D_KL(q || p) + log Z, in either direction; when
        both were computed. */
    EBM_REPORT_KL = 10,
    /** Chains that are as good as copies of their neighbour: their distance
        counts as 1e-6 sqrt(d) and has no gradient. */
    EBM_REPORT_NEAR_COPIES = 11,
    EBM_REPORT_KEY_MAX = 0x7fffffff
} ebm_report_key;

/**
 * Creates an empty report.
 *
 * Errors: HANDLE, ARGUMENT, MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_report_create(ebm_context *context,
                                     ebm_report **report);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_report_destroy(ebm_report *report);

/**
 * Reads a term of the last loss that filled the report.
 *
 * Errors: HANDLE, ARGUMENT (unknown key, value is NULL), NOT_COMPUTED.
 * Thread safety: one thread a report. Since: 0.1.
 */
EBM_API ebm_status ebm_report_get(const ebm_report *report, ebm_report_key key,
                                  double *value);

#ifdef __cplusplus
}
#endif

#endif
