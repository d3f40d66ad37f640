/**
 * @file context.h
 * The context: what all objects of a program share.
 *
 * A context holds the number of threads, the allocator, the log callback and
 * the text of the last error. Two contexts in one process do not know of each
 * other: there is no global state, but for one number that some BLAS libraries
 * keep and this one restores (docs/threading.md). Every other object is
 * created from a context and keeps it alive, so destroying in any order is
 * valid.
 */
#ifndef EBM_CONTEXT_H
#define EBM_CONTEXT_H

#include <stddef.h>

#include <ebm/export.h>
#include <ebm/option.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What all objects of a program share. */
typedef struct ebm_context ebm_context;

/** Settings of a context. */
typedef enum ebm_context_key {
    /** Threads of every parallel loop, the calling one included. Integer,
        1 to 1024; initially what OpenMP would use (OMP_NUM_THREADS, else the
        processors this process may run on). Results do not depend on it. */
    EBM_CONTEXT_THREADS = 0,
    EBM_CONTEXT_KEY_MAX = 0x7fffffff
} ebm_context_key;

/** How important a log line is. */
typedef enum ebm_log_level {
    /** Good to know. */
    EBM_LOG_INFO = 0,
    /** Something was refused or lost; the work goes on. */
    EBM_LOG_WARNING = 1,
    /** The work can not go on. */
    EBM_LOG_ERROR = 2,
    EBM_LOG_LEVEL_MAX = 0x7fffffff
} ebm_log_level;

/**
 * Receives one line of text, without a line end. Runs on the thread that made
 * the library call, never inside a parallel region. The text is borrowed.
 *
 * @param text  ended by NUL, valid during the call.
 */
typedef void (*ebm_log_fn)(ebm_log_level level, const char *text, void *user);

/**
 * Memory of the caller's choice. Both functions may run on any thread that
 * calls the library, several at once. Sizes are never 0.
 */
typedef struct ebm_allocator {
    /** sizeof(ebm_allocator) of the caller. */
    size_t struct_size;
    /** Returns size bytes at a multiple of alignment (a power of two, at
        most 64), or NULL. The library asks for 64 bytes more than it needs
        and begins at the next multiple itself, so that memory aligned as
        malloc()'s is will do as well. */
    void *(*allocate)(size_t size, size_t alignment, void *user);
    /** Takes back what allocate returned; size as it was asked for. */
    void (*release)(void *memory, size_t size, void *user);
    /** Handed to both; may be NULL. */
    void *user;
} ebm_allocator;

/**
 * Creates a context with the C library's memory.
 *
 * @param[out] context  owned by the caller, see ebm_context_destroy().
 *
 * Errors: ARGUMENT (context is NULL), MEMORY. Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_context_create(ebm_context **context);

/**
 * Creates a context whose memory, and that of every object made from it,
 * comes from the caller's allocator. The table is copied; what its user
 * pointer points to must outlive the last object. (OpenBLAS, zlib, libpng and
 * the threads of OpenMP keep their own memory.)
 *
 * @param allocator  both functions are required.
 *
 * Errors: ARGUMENT (NULL, a function missing, struct_size too small), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_context_create_with(const ebm_allocator *allocator,
                                           ebm_context **context);

/**
 * Gives up the caller's hold. The memory goes when the last object made from
 * the context is destroyed. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this context.
 * Since: 0.1.
 */
EBM_API void ebm_context_destroy(ebm_context *context);

/**
 * Changes a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE.
 * Thread safety: not while another thread uses this context. Since: 0.1.
 */
EBM_API ebm_status ebm_context_set(ebm_context *context, ebm_context_key key,
                                   double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key, value is NULL).
 * Thread safety: as ebm_context_set(). Since: 0.1.
 */
EBM_API ebm_status ebm_context_get(const ebm_context *context,
                                   ebm_context_key key, double *value);

/**
 * Describes a setting. Any output may be NULL. The initial value of
 * EBM_CONTEXT_THREADS is reported as 1 here, since it depends on the machine.
 *
 * @param[out] name     "threads"; static storage.
 * @param[out] kind     what values it takes.
 * @param[out] minimum  smallest value allowed.
 * @param[out] maximum  largest value allowed.
 * @param[out] initial  the value of a new object.
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_context_option(ebm_context_key key, const char **name,
                                      ebm_option_kind *kind, double *minimum,
                                      double *maximum, double *initial);

/**
 * Sends log lines to a function; NULL (the initial state) drops them. The
 * library prints nothing by itself. What is logged: chains that diverged and
 * optimizer steps that were refused, as warnings.
 *
 * Errors: HANDLE. Thread safety: not while another thread uses this context.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_context_set_log(ebm_context *context, ebm_log_fn log,
                                       void *user);

/**
 * One line that says what the last failed call on this context, or on an
 * object made from it, found wrong; "" when none failed. Never NULL. The
 * pointer is borrowed and the next failure overwrites the text: programs that
 * use one context from several threads take ebm_context_copy_last_error().
 *
 * Errors: none. Thread safety: not while another thread uses this context.
 * Since: 0.1.
 */
EBM_API const char *ebm_context_last_error(const ebm_context *context);

/**
 * Copies that line into text[size], cut if need be, always ended by NUL.
 *
 * @param[out] text  [size] bytes of the caller's.
 * @param size       at least 1, the NUL included.
 *
 * Errors: HANDLE, ARGUMENT (text is NULL, size is 0).
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_context_copy_last_error(const ebm_context *context,
                                               char *text, size_t size);

/**
 * One line about the machinery in use, for benchmark records and bug reports:
 * the BLAS library, how it uses threads, and the instruction set of the
 * kernels chosen for this processor. Borrowed, valid while the context lives.
 *
 * Errors: none ("" for a wrong handle). Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API const char *ebm_context_machinery(const ebm_context *context);

#ifdef __cplusplus
}
#endif

#endif
