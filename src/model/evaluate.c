/* Energies and gradients of a batch: the public calls, for every kind. */
#include <stdatomic.h>
#include <string.h>

#include "core/memory.h"
#include "model/evaluate.h"
#include "model/gradient_sum.h"
#include "model/slab.h"

/* A batch cut into slabs. */
typedef struct batch {
    const ebm_model *model;
    const ebm_slab_memory *memory;
    ebm_pass_mode mode;
    const float *x;
    const int32_t *labels;
    size_t n;
    float *energy, *grad;
    float *parts; /* [n, part_count] */
    atomic_int status;
} batch;

static void evaluate_slab(void *argument, size_t task, int worker)
{
    batch *b = argument;
    const ebm_slab_memory *memory = b->memory;
    size_t first = task * memory->slab, size = memory->size;
    size_t count = b->n - first < memory->slab ? b->n - first : memory->slab;
    ebm_slab slab = ebm_slab_of(memory, worker, NULL, NULL);
    ebm_slab_load(memory, &slab, 0, count, b->x + first * size,
                  b->labels ? b->labels + first : NULL);
    ebm_status status =
        b->model->ops->pass(b->model, b->mode, &slab, NULL, NULL);
    if (status != EBM_OK) {
        atomic_store(&b->status, (int)status);
        return;
    }
    if (b->energy)
        memcpy(b->energy + first, slab.energy, count * sizeof *b->energy);
    for (size_t i = 0; b->parts && i < count; i++)
        for (size_t p = 0; p < memory->parts; p++)
            b->parts[(first + i) * memory->parts + p] =
                memory->parts == 1 ? slab.energy[i]
                                   : slab.part_energy[p * slab.n + i];
    if (b->grad)
        memcpy(b->grad + first * size, slab.grad,
               count * size * sizeof *b->grad);
}

ebm_status ebm_model_check_batch(const ebm_model *model, const float *x,
                                 const int32_t *labels, size_t n)
{
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(ebm_model_check_ready(model));
    if (!x || !n)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        x ? "n is 0" : "x is NULL");
    size_t elements;
    EBM_TRY(ebm_check_size(context, n, model->height, model->width,
                           model->channels, &elements));
    if (!ebm_all_finite(x, elements))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "x holds a value that is not finite");
    return ebm_model_check_labels(model, "sample", labels, n);
}

ebm_status ebm_model_evaluate(const ebm_model *model, ebm_slab_memory *memory,
                              ebm_pass_mode mode, const float *x,
                              const int32_t *labels, size_t n, float *energy,
                              float *grad)
{
    return ebm_model_evaluate_parts(model, memory, mode, x, labels, n, energy,
                                    grad, NULL);
}

ebm_status ebm_model_evaluate_parts(const ebm_model *model,
                                    ebm_slab_memory *memory,
                                    ebm_pass_mode mode, const float *x,
                                    const int32_t *labels, size_t n,
                                    float *energy, float *grad, float *parts)
{
    EBM_TRY(ebm_slab_memory_prepare(memory, model, mode, n,
                                    ebm_model_slab_count(model, n), 0));
    batch b = {model, memory, mode, x, labels, n, energy, grad, parts, EBM_OK};
    ebm_slab_for(model, memory, ebm_slab_count(memory, n), evaluate_slab, &b);
    ebm_status status = (ebm_status)atomic_load(&b.status);
    if (status != EBM_OK)
        ebm_fail(ebm_context_of(model), status,
                 "the energy's callback returned an error");
    return status;
}

/* With memory for the time of the call. */
static ebm_status evaluate(const ebm_model *model, ebm_pass_mode mode,
                           const float *x, const int32_t *labels, size_t n,
                           float *energy, float *grad, float *parts)
{
    EBM_TRY(ebm_model_check_batch(model, x, labels, n));
    ebm_slab_memory memory = {0};
    ebm_object_hold(model);
    ebm_status status = ebm_model_evaluate_parts(
        model, &memory, mode, x, labels, n, energy, grad, parts);
    ebm_slab_memory_free(&memory);
    ebm_object_let_go(model);
    return status;
}

ebm_status ebm_model_energy(const ebm_model *model, const float *x,
                            const int32_t *labels, size_t n, float *energy)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    if (!energy)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_ARGUMENT,
                        "energy is NULL");
    return evaluate(model, EBM_PASS_ENERGY, x, labels, n, energy, NULL, NULL);
}

ebm_status ebm_model_energy_grad(const ebm_model *model, const float *x,
                                 const int32_t *labels, size_t n,
                                 float *energy, float *grad)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    if (!grad)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_ARGUMENT,
                        "grad is NULL");
    return evaluate(model, EBM_PASS_INPUT_GRADIENT, x, labels, n, energy, grad,
                    NULL);
}

size_t ebm_model_part_count(const ebm_model *model)
{
    return ebm_object_is(model, EBM_TYPE_MODEL) ? model->part_count : 0;
}

ebm_status ebm_model_part_energies(const ebm_model *model, const float *x,
                                   const int32_t *labels, size_t n,
                                   float *energies)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    if (!energies)
        return ebm_fail(ebm_context_of(model), EBM_ERROR_ARGUMENT,
                        "energies is NULL");
    return evaluate(model, EBM_PASS_ENERGY, x, labels, n, NULL, NULL,
                    energies);
}

ebm_status ebm_model_backward(ebm_model *model, const float *x,
                              const int32_t *labels, size_t n,
                              const float *scale, float *energy)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    if (!scale)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "scale is NULL");
    EBM_TRY(ebm_model_check_batch(model, x, labels, n));
    if (!ebm_all_finite(scale, n))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "scale holds a value that is not finite");
    ebm_gradient_sum *sum = NULL;
    ebm_object_hold(model);
    float *energies = ebm_alloc(context, n, sizeof *energies);
    ebm_energy_scale given = {.given = scale};
    ebm_status status =
        energies ? ebm_gradient_sum_prepare(model, EBM_PASS_PARAM_GRADIENT, n,
                                            0, &sum)
                 : ebm_out_of_memory(context, "the energies of a batch");
    if (status == EBM_OK)
        status =
            ebm_gradient_sum_add(sum, model, x, labels, n, &given, energies);
    if (status == EBM_OK)
        status = ebm_gradient_sum_commit(sum, model);
    if (status == EBM_OK && energy)
        memcpy(energy, energies, n * sizeof *energy);
    ebm_gradient_sum_destroy(sum);
    ebm_free(context, energies);
    ebm_object_let_go(model);
    return status;
}
