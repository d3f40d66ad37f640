/**
 * @file status.h
 * What a call returns.
 *
 * Every call that can fail returns an ebm_status and writes its outputs only
 * on EBM_OK (exceptions are named at the call: a run that ends as diverged
 * still leaves the finished chains behind). The one-line text of the last
 * failure is kept by the context: ebm_context_last_error().
 *
 * The numbers are fixed and the list only grows.
 */
#ifndef EBM_STATUS_H
#define EBM_STATUS_H

#include <ebm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a call returns; 0 is success. */
typedef enum ebm_status {
    /** The call did what it says. */
    EBM_OK = 0,

    /* What the caller passed. */

    /** A pointer is NULL that must not be, a size is zero, a word unknown. */
    EBM_ERROR_ARGUMENT = 1,
    /** Not a handle of this type, or one that was destroyed. Best effort: once
        the last object that refers to a handle is gone, so is its memory. */
    EBM_ERROR_HANDLE = 2,
    /** A number lies outside its documented range. */
    EBM_ERROR_RANGE = 3,
    /** Two shapes or counts that must agree do not. */
    EBM_ERROR_SHAPE = 4,
    /** NaN or infinity where a finite number is needed. */
    EBM_ERROR_NON_FINITE = 5,
    /** A product of sizes does not fit into size_t. */
    EBM_ERROR_OVERFLOW = 6,
    /** Handles of two different contexts in one call. */
    EBM_ERROR_CONTEXT = 7,

    /* What this build or object can not do. */

    /** This kind of object has no such operation. */
    EBM_ERROR_UNSUPPORTED = 20,
    /** The object is not in a state that allows the call. */
    EBM_ERROR_STATE = 21,
    /** The report does not hold this term: it was not computed. */
    EBM_ERROR_NOT_COMPUTED = 22,
    /** Memory ran out; every object is as it was before the call. */
    EBM_ERROR_MEMORY = 23,

    /* Files. */

    /** A file can not be opened, read or written. */
    EBM_ERROR_IO = 40,
    /** A file's content contradicts its format. */
    EBM_ERROR_FORMAT = 41,

    /* What happened while sampling and training. */

    /** At least one chain turned non-finite and was stopped and marked. */
    EBM_ERROR_DIVERGED = 60,
    /** The loss is not valid for chains of this origin. */
    EBM_ERROR_ORIGIN = 61,

    /** A callback of the caller returned non-zero. The library itself never
        makes this status up. */
    EBM_ERROR_CALLBACK = 80,

    EBM_STATUS_MAX = 0x7fffffff
} ebm_status;

/**
 * The enumerator's name, "EBM_ERROR_SHAPE"; "EBM_STATUS_UNKNOWN" for a number
 * that is not in the list. Static storage.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API const char *ebm_status_name(ebm_status status);

/**
 * A short sentence for people, without a full stop. Static storage.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API const char *ebm_status_text(ebm_status status);

#ifdef __cplusplus
}
#endif

#endif
