/*
 * The context's inside. Other rooms see only the accessors below.
 */
#ifndef EBM_CORE_CONTEXT_H
#define EBM_CORE_CONTEXT_H

#include <pthread.h>

#include <ebm/context.h>

#include "core/object.h"

struct ebm_kernels;

struct ebm_context {
    ebm_object object;
    ebm_allocator allocator;
    int uses_libc; /* the allocator is malloc and free */
    double threads;
    ebm_log_fn log;
    void *log_user;
    /* Chosen once, when the context is created, by what the processor has. */
    const struct ebm_kernels *kernels;
    pthread_mutex_t error_lock;
    char error[256];
    char machinery[128];
};

/* Number of threads of a parallel loop. */
int ebm_context_threads(const ebm_context *context);

#endif
