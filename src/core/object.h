/*
 * What all handles have in common: a type word that public calls check, a
 * count of references, and the context that owns the memory.
 *
 * The caller's hold is one reference; every object that was given the handle
 * has another. ebm_object_destroy() ends the caller's hold and spoils the
 * type word, so a stale handle is a status at the next public call while the
 * objects that still refer to it go on unharmed.
 */
#ifndef EBM_CORE_OBJECT_H
#define EBM_CORE_OBJECT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef enum ebm_type {
    EBM_TYPE_DEAD = 0x4d424500,
    EBM_TYPE_CONTEXT,
    EBM_TYPE_NETWORK,
    EBM_TYPE_MODEL,
    EBM_TYPE_CHAINS,
    EBM_TYPE_SAMPLER,
    EBM_TYPE_BUFFER,
    EBM_TYPE_LOSS,
    EBM_TYPE_REPORT,
    EBM_TYPE_OPTIMIZER,
    EBM_TYPE_DATASET,
    EBM_TYPE_PRESET,
    EBM_TYPE_TRANSITION,
    EBM_TYPE_CHECK,
    EBM_TYPE_AIS,
    EBM_TYPE_CHECKPOINT
} ebm_type;

/* First member of every handle. */
typedef struct ebm_object {
    uint32_t word; /* an ebm_type; EBM_TYPE_DEAD after the caller's destroy */
    atomic_size_t references;
    ebm_context *context;         /* referred to; itself for a context */
    void (*finish)(void *object); /* frees what the object owns; may be NULL */
} ebm_object;

/* Allocates a zeroed object of `size` bytes with one reference. finish must
   cope with a half-built (zeroed) object. NULL when memory runs out: then the
   error text is set. */
void *ebm_object_create(ebm_context *context, ebm_type type, size_t size,
                        void (*finish)(void *object));

/* Adds and drops a reference. Both allow NULL; retain returns its argument. */
void *ebm_object_retain(void *object);
void ebm_object_release(void *object);

/* Around what may call back into the caller's code: the callback may let go of
   the handles that the call works with. const is about the object, not about
   who holds it. */
static inline void ebm_object_hold(const void *object)
{
    ebm_object_retain((void *)(uintptr_t)object);
}

static inline void ebm_object_let_go(const void *object)
{
    ebm_object_release((void *)(uintptr_t)object);
}

/* The public destroy: ignores NULL, a wrong type and a second call. */
void ebm_object_destroy(void *object, ebm_type type);

/* Whether this is a live handle of that type. */
static inline int ebm_object_is(const void *object, ebm_type type)
{
    return object && ((const ebm_object *)object)->word == (uint32_t)type;
}

/* The context of any handle. */
static inline ebm_context *ebm_context_of(const void *object)
{
    return ((const ebm_object *)object)->context;
}

/* Opening lines of public calls: wrong handles have no context to report to,
   so the status must say it all. */
#define EBM_CHECK_HANDLE(handle, type)        \
    do {                                      \
        if (!ebm_object_is((handle), (type))) \
            return EBM_ERROR_HANDLE;          \
    } while (0)

/* Two handles that work together must share a context. */
#define EBM_CHECK_SAME_CONTEXT(a, b)                                     \
    do {                                                                 \
        if (ebm_context_of(a) != ebm_context_of(b))                      \
            return ebm_fail(ebm_context_of(a), EBM_ERROR_CONTEXT,        \
                            "the handles belong to different contexts"); \
    } while (0)

/* Hands a status on. */
#define EBM_TRY(call)                       \
    do {                                    \
        ebm_status ebm_try_status = (call); \
        if (ebm_try_status != EBM_OK)       \
            return ebm_try_status;          \
    } while (0)

/* Stores the one-line text of a failure with the context and returns the
   status. The text names what is wrong with which value, in lower case and
   without a full stop. context may be NULL. */
ebm_status ebm_fail(const ebm_context *context, ebm_status status,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and the text goes to the log as a warning. The log callback may
   let go of every handle that the call does not hold itself. */
ebm_status ebm_fail_loudly(const ebm_context *context, ebm_status status,
                           const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sends a line to the log callback. */
void ebm_log(const ebm_context *context, ebm_log_level level,
             const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
