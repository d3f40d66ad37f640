/*
 * The slab-parallel loop: the only place where the library starts threads.
 */
#ifndef EBM_CORE_PARALLEL_H
#define EBM_CORE_PARALLEL_H

#include <stddef.h>

#include <ebm/context.h>

/* The body of a loop: does task number `task` with the workspace number
   `worker` < ebm_context_threads(). Must not fail, allocate, or call back. */
typedef void (*ebm_task_fn)(void *argument, size_t task, int worker);

/* Runs tasks 0 .. count - 1, each once, in any order, on the context's
   threads, with BLAS held to one thread a call. What a task computes must
   depend on its number alone; then results do not depend on the number of
   threads. */
void ebm_parallel_for(const ebm_context *context, size_t count,
                      ebm_task_fn body, void *argument);

/* The same with at most `workers` of them: for workspaces that were made
   before a callback could change the context's number. */
void ebm_parallel_for_at_most(const ebm_context *context, int workers,
                              size_t count, ebm_task_fn body, void *argument);

#endif
