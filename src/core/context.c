/* The context: threads, allocator, log, last error. */
#include "core/context.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/blas.h"
#include "core/memory.h"
#include "core/option.h"
#include "kernel/kernels.h"

static const ebm_option_row rows[] = {
    [EBM_CONTEXT_THREADS] = {"threads", EBM_OPTION_INTEGER, 1, 1024, 1},
};
enum { KEYS = sizeof rows / sizeof *rows };

static void *libc_allocate(size_t size, size_t alignment, void *user)
{
    (void)user;
    return aligned_alloc(alignment, ebm_round_up(size, alignment));
}

static void libc_release(void *memory, size_t size, void *user)
{
    (void)size;
    (void)user;
    free(memory);
}

static void finish(void *object)
{
    ebm_context *context = object;
    ebm_allocator allocator = context->allocator;
    pthread_mutex_destroy(&context->error_lock);
    allocator.release(context, sizeof *context, allocator.user);
}

ebm_status ebm_context_create(ebm_context **context)
{
    ebm_allocator allocator = {sizeof allocator, libc_allocate, libc_release,
                               NULL};
    EBM_TRY(ebm_context_create_with(&allocator, context));
    (*context)->uses_libc = 1;
    return EBM_OK;
}

ebm_status ebm_context_create_with(const ebm_allocator *allocator,
                                   ebm_context **out)
{
    if (!out || !allocator || allocator->struct_size < sizeof *allocator ||
        !allocator->allocate || !allocator->release)
        return EBM_ERROR_ARGUMENT;
    ebm_context *context =
        allocator->allocate(sizeof *context, 64, allocator->user);
    if (!context)
        return EBM_ERROR_MEMORY;
    memset(context, 0, sizeof *context);
    if (pthread_mutex_init(&context->error_lock, NULL)) {
        allocator->release(context, sizeof *context, allocator->user);
        return EBM_ERROR_MEMORY;
    }
    context->allocator = *allocator;
    context->object.word = EBM_TYPE_CONTEXT;
    atomic_init(&context->object.references, 1);
    context->object.context = context;
    context->object.finish = finish;
    context->threads = omp_get_max_threads();
    if (context->threads > rows[EBM_CONTEXT_THREADS].maximum)
        context->threads = rows[EBM_CONTEXT_THREADS].maximum;
    context->kernels = ebm_kernels_best();
    char blas[80];
    ebm_blas_describe(blas, sizeof blas);
    snprintf(context->machinery, sizeof context->machinery, "%s, %s kernels",
             blas, context->kernels->name);
    *out = context;
    return EBM_OK;
}

void ebm_context_destroy(ebm_context *context)
{
    ebm_object_destroy(context, EBM_TYPE_CONTEXT);
}

ebm_status ebm_context_set(ebm_context *context, ebm_context_key key,
                           double value)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    return ebm_option_set(context, rows, KEYS, &context->threads,
                          (unsigned)key, value);
}

ebm_status ebm_context_get(const ebm_context *context, ebm_context_key key,
                           double *value)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    return ebm_option_get(context, KEYS, &context->threads, (unsigned)key,
                          value);
}

ebm_status ebm_context_option(ebm_context_key key, const char **name,
                              ebm_option_kind *kind, double *minimum,
                              double *maximum, double *initial)
{
    return ebm_option_describe(rows, KEYS, (unsigned)key, name, kind, minimum,
                               maximum, initial);
}

int ebm_context_threads(const ebm_context *context)
{
    return (int)context->threads;
}

ebm_status ebm_context_set_log(ebm_context *context, ebm_log_fn log,
                               void *user)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    context->log = log;
    context->log_user = user;
    return EBM_OK;
}

const char *ebm_context_last_error(const ebm_context *context)
{
    return ebm_object_is(context, EBM_TYPE_CONTEXT) ? context->error : "";
}

ebm_status ebm_context_copy_last_error(const ebm_context *context, char *text,
                                       size_t size)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!text || !size)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "text is NULL or its size is 0");
    ebm_context *writable = (ebm_context *)(uintptr_t)context;
    pthread_mutex_lock(&writable->error_lock);
    snprintf(text, size, "%s", context->error);
    pthread_mutex_unlock(&writable->error_lock);
    return EBM_OK;
}

const char *ebm_context_machinery(const ebm_context *context)
{
    return ebm_object_is(context, EBM_TYPE_CONTEXT) ? context->machinery : "";
}
