/* The slab-parallel loop, on OpenMP. */
#include "core/parallel.h"

#include <omp.h>

#include "core/blas.h"
#include "core/context.h"

void ebm_parallel_for(const ebm_context *context, size_t count,
                      ebm_task_fn body, void *argument)
{
    ebm_parallel_for_at_most(context, ebm_context_threads(context), count,
                             body, argument);
}

void ebm_parallel_for_at_most(const ebm_context *context, int workers,
                              size_t count, ebm_task_fn body, void *argument)
{
    int threads = ebm_context_threads(context);
    if (threads > workers)
        threads = workers;
    if ((size_t)threads > count)
        threads = count ? (int)count : 1;
    ebm_blas_hold hold = ebm_blas_enter();
    if (threads == 1) {
        for (size_t i = 0; i < count; i++)
            body(argument, i, 0);
    } else {
        /* Tasks are few and long; whoever is free takes the next. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (size_t i = 0; i < count; i++)
            body(argument, i, omp_get_thread_num());
    }
    ebm_blas_leave(hold);
}
