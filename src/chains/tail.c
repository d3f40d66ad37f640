/*
 * The derivative of a trajectory, one step at a time from its end.
 *
 * With a = dL/dx' and the masks of a step (S: the final clamp did nothing, C:
 * the gradient was not clipped, N: the first clamp did nothing),
 *
 *     a     <- a [S]
 *     v      = a [C]
 *     theta <- theta's gradient - step d/dtheta <grad_x E(y), v>
 *     a     <- (a - step H(y) v) [N]
 *
 * The clip masks v only: where it is active y - step clip(g) still depends on
 * y by the identity. H v and the mixed derivative are one pass of the model,
 * so the memory does not grow with the number of steps beyond the tail.
 */
#include "chains/tail.h"

#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "kernel/kernels.h"

ebm_status ebm_tail_prepare(ebm_chains *chains, const ebm_model *model,
                            size_t steps)
{
    const ebm_context *context = ebm_context_of(chains);
    ebm_tail *tail = &chains->tail;
    if (steps > tail->room) {
        size_t elements;
        float *states = NULL, *sizes = NULL;
        uint8_t *masks = NULL;
        if (ebm_multiply4(steps, chains->n, chains->size, 1, &elements)) {
            states = ebm_alloc(context, elements, sizeof *states);
            masks = ebm_alloc(context, elements, sizeof *masks);
            sizes = ebm_alloc(context, steps, sizeof *sizes);
        }
        if (!states || !masks || !sizes) {
            ebm_free(context, states);
            ebm_free(context, masks);
            ebm_free(context, sizes);
            return ebm_out_of_memory(context, "the tail of a trajectory");
        }
        ebm_tail_free(chains);
        tail->states = states;
        tail->masks = masks;
        tail->step_sizes = sizes;
        tail->room = steps;
    }
    ebm_tail_forget(chains);
    if (!steps)
        return EBM_OK;
    tail->model = ebm_object_retain((ebm_model *)(uintptr_t)model);
    tail->version = ebm_model_version(model);
    tail->kept = steps;
    return EBM_OK;
}

void ebm_tail_free(ebm_chains *chains)
{
    const ebm_context *context = ebm_context_of(chains);
    ebm_tail *tail = &chains->tail;
    ebm_tail_forget(chains);
    ebm_free(context, tail->states);
    ebm_free(context, tail->masks);
    ebm_free(context, tail->step_sizes);
    memset(tail, 0, sizeof *tail);
}

static size_t place(const ebm_chains *chains, size_t k, size_t chain)
{
    return (k * chains->n + chain) * chains->size;
}

float *ebm_tail_states(const ebm_chains *chains, size_t k, size_t chain)
{
    return chains->tail.states + place(chains, k, chain);
}

uint8_t *ebm_tail_masks(const ebm_chains *chains, size_t k, size_t chain)
{
    return chains->tail.masks + place(chains, k, chain);
}

void ebm_tail_complete(ebm_chains *chains, const ebm_model *model)
{
    /* An observer may have written the parameters in between. */
    if (chains->tail.kept && chains->tail.version == ebm_model_version(model))
        chains->tail.is_complete = 1;
    else
        ebm_tail_forget(chains);
}

void ebm_tail_forget(ebm_chains *chains)
{
    ebm_object_release(chains->tail.model);
    chains->tail.model = NULL;
    chains->tail.kept = 0;
    chains->tail.is_complete = 0;
}

ebm_status ebm_tail_check_current(const ebm_chains *chains,
                                  const ebm_model *model)
{
    const ebm_context *context = ebm_context_of(chains);
    const ebm_tail *tail = &chains->tail;
    if (!tail->is_complete)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the chains keep no tail: EBM_SAMPLER_KEEP_STEPS was "
                        "0, or the run was stopped or its model written");
    if (tail->model != model)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the chains' tail was made with another model");
    if (tail->version != ebm_model_version(model))
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the model's parameters were written since the "
                        "chains' tail was made");
    return EBM_OK;
}

ebm_status ebm_tail_check(const ebm_chains *chains, const ebm_model *model)
{
    const ebm_context *context = ebm_context_of(chains);
    const ebm_tail *tail = &chains->tail;
    EBM_TRY(ebm_tail_check_current(chains, model));
    for (size_t k = 0; k < tail->kept; k++)
        EBM_TRY(ebm_check_finite(context, "tail",
                                 ebm_tail_states(chains, k, 0), chains->n,
                                 chains->size));
    return EBM_OK;
}

size_t ebm_tail_extra(const ebm_chains *chains, const ebm_model *model)
{
    size_t slab = ebm_model_slab(model, chains->n);
    /* The adjoint, the direction, and the scales. */
    return 2 * ebm_round_up(slab * model->size, EBM_LANES) +
           ebm_round_up(slab, EBM_LANES);
}

typedef struct job {
    const ebm_chains *chains;
    const ebm_model *model;
    const float *adjoint;
} job;

/* All kept steps of the chains of one slab, last to first. */
static ebm_status back_slab(void *argument, const ebm_slab_memory *memory,
                            size_t index, float *param_grad, int worker)
{
    const job *j = argument;
    const ebm_chains *chains = j->chains;
    const ebm_kernels *kernels = ebm_context_of(chains)->kernels;
    size_t size = memory->size, first = index * memory->slab;
    size_t count = chains->n - first;
    if (count > memory->slab)
        count = memory->slab;
    size_t rows = ebm_round_up(memory->slab * size, EBM_LANES);
    float *a;
    ebm_slab slab = ebm_slab_of(memory, worker, NULL, &a);
    float *v = a + rows, *scale = v + rows;
    memset(a, 0, (rows + rows) * sizeof *a);
    memset(scale, 0, memory->slab * sizeof *scale);
    memcpy(a, j->adjoint + first * size, count * size * sizeof *a);
    for (size_t k = chains->tail.kept; k-- > 0;) {
        const uint8_t *masks = ebm_tail_masks(chains, k, first);
        float step = chains->tail.step_sizes[k];
        kernels->langevin_direction(count * size, masks, a, v);
        for (size_t i = 0; i < count; i++)
            scale[i] = -step;
        ebm_slab_load(memory, &slab, 0, count,
                      ebm_tail_states(chains, k, first),
                      chains->labels + first);
        ebm_tangent_slab tangent = {.n = slab.n,
                                    .x = slab.x,
                                    .v = v,
                                    .labels = slab.labels,
                                    .hv = slab.grad,
                                    .scale = scale,
                                    .param_grad = param_grad,
                                    .root = slab.root,
                                    .workspace = slab.workspace};
        EBM_TRY(j->model->ops->tangent(j->model, &tangent));
        kernels->langevin_adjoint(count * size, masks, step, slab.grad, a);
    }
    return EBM_OK;
}

ebm_status ebm_tail_backward(const ebm_chains *chains, const ebm_model *model,
                             const float *adjoint, ebm_gradient_sum *sum)
{
    job j = {chains, model, adjoint};
    return ebm_gradient_sum_for(
        sum, model, ebm_gradient_sum_slabs(sum, chains->n), back_slab, &j);
}
