/* The memory of slabs. */
#include "model/slab.h"

#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/kernels.h"

/* A worker's share: x, grad, energy, labels, the parts' energies, extra,
   workspace. */
static size_t rows_floats(size_t slab, size_t size)
{
    return ebm_round_up(slab * size, EBM_LANES);
}

static size_t workspace_of(const ebm_model *model, ebm_pass_mode mode,
                           size_t n)
{
    size_t floats = 0;
    if (mode == EBM_PASS_TANGENT) {
        if (model->ops->tangent_workspace)
            floats = model->ops->tangent_workspace(model, n);
    } else if (model->ops->workspace) {
        floats = model->ops->workspace(model, mode, n);
    }
    return ebm_round_up(floats, EBM_LANES);
}

/* A thread without a task needs no share. */
static int workers_for(const ebm_model *model, size_t tasks)
{
    int threads = model->slab ? ebm_context_threads(ebm_context_of(model)) : 1;
    if (tasks < (size_t)threads)
        threads = tasks ? (int)tasks : 1;
    return threads;
}

ebm_status ebm_slab_memory_prepare(ebm_slab_memory *memory,
                                   const ebm_model *model, ebm_pass_mode mode,
                                   size_t n, size_t tasks, size_t extra)
{
    const ebm_context *context = ebm_context_of(model);
    ebm_slab_memory wanted = {.context = context, .mode = mode};
    wanted.slab = ebm_model_slab(model, n);
    wanted.is_whole = !model->slab;
    wanted.size = model->size;
    wanted.parts = model->part_count;
    wanted.root = model;
    wanted.extra = ebm_round_up(extra, EBM_LANES);
    wanted.workers = workers_for(model, tasks);
    wanted.workspace = workspace_of(model, mode, wanted.slab);
    wanted.stride = 2 * rows_floats(wanted.slab, wanted.size) +
                    2 * rows_floats(wanted.slab, 1) +
                    rows_floats(wanted.slab, wanted.parts) + wanted.extra +
                    wanted.workspace;
    if (!ebm_multiply((size_t)wanted.workers, wanted.stride, &wanted.held))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "the workspace of %d threads is too large",
                        wanted.workers);
    if (!memory->floats || memory->held < wanted.held) {
        wanted.floats =
            ebm_alloc_zero(context, wanted.held, sizeof *wanted.floats);
        if (!wanted.floats)
            return ebm_out_of_memory(context, "the workspace of a model");
        ebm_free(context, memory->floats);
    } else {
        wanted.floats = memory->floats;
        wanted.held = memory->held;
    }
    *memory = wanted;
    return EBM_OK;
}

void ebm_slab_memory_free(ebm_slab_memory *memory)
{
    if (memory->floats)
        ebm_free(memory->context, memory->floats);
    memset(memory, 0, sizeof *memory);
}

ebm_slab ebm_slab_of(const ebm_slab_memory *memory, int worker, float **x,
                     float **extra)
{
    size_t rows = rows_floats(memory->slab, memory->size);
    size_t column = rows_floats(memory->slab, 1);
    size_t parts = rows_floats(memory->slab, memory->parts);
    float *share = memory->floats + (size_t)worker * memory->stride;
    ebm_slab slab = {.n = memory->slab,
                     .x = share,
                     .grad = share + rows,
                     .root = memory->root};
    slab.energy = share + 2 * rows;
    slab.labels = (const int32_t *)(slab.energy + column);
    slab.part_energy = slab.energy + 2 * column;
    float *own = slab.part_energy + parts;
    if (x)
        *x = share;
    if (extra)
        *extra = own;
    slab.workspace = own + memory->extra;
    return slab;
}

void ebm_slab_load(const ebm_slab_memory *memory, ebm_slab *slab,
                   size_t first_slot, size_t count, const float *x,
                   const int32_t *labels)
{
    size_t size = memory->size, after = first_slot + count;
    if (memory->is_whole)
        slab->n = after;
    float *rows = (float *)(uintptr_t)slab->x;
    memcpy(rows + first_slot * size, x, count * size * sizeof *rows);
    /* Padding repeats the first sample, so that it is finite where that is:
       a scale of 0 makes nothing of infinity vanish. */
    for (size_t i = 0; i < slab->n; i++)
        if (i < first_slot || i >= after)
            memcpy(rows + i * size, x, size * sizeof *rows);
    if (!labels) {
        slab->labels = NULL;
        return;
    }
    int32_t *tags = (int32_t *)(uintptr_t)slab->labels;
    for (size_t i = 0; i < slab->n; i++)
        tags[i] = labels[0]; /* as padding is finite only with its own */
    memcpy(tags + first_slot, labels, count * sizeof *tags);
}

void ebm_slab_for(const ebm_model *model, const ebm_slab_memory *memory,
                  size_t tasks,
                  void (*body)(void *argument, size_t task, int worker),
                  void *argument)
{
    if (model->slab) {
        ebm_parallel_for_at_most(ebm_context_of(model), memory->workers, tasks,
                                 body, argument);
        return;
    }
    for (size_t i = 0; i < tasks; i++)
        body(argument, i, 0);
}
