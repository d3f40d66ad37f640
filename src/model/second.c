/* Second derivatives of a batch: the public calls, for every kind. */
#include <stdatomic.h>
#include <string.h>

#include "core/memory.h"
#include "kernel/kernels.h"
#include "model/evaluate.h"
#include "model/gradient_sum.h"

/* A batch cut into slabs. hv and scale may be NULL. */
typedef struct batch {
    const ebm_model *model;
    const ebm_slab_memory *memory;
    const float *x, *v, *scale;
    const int32_t *labels;
    size_t n;
    float *hv;
    atomic_int status;
} batch;

/* A worker's extra array: directions, then scales. */
static size_t extra_floats(const ebm_model *model, size_t n)
{
    size_t slab = ebm_model_slab(model, n);
    return ebm_round_up(slab * model->size, EBM_LANES) + slab;
}

static ebm_status slab_tangent(void *argument, const ebm_slab_memory *memory,
                               size_t index, float *param_grad, int worker)
{
    batch *b = argument;
    size_t size = memory->size, first = index * memory->slab;
    size_t count = b->n - first < memory->slab ? b->n - first : memory->slab;
    float *v;
    ebm_slab slab = ebm_slab_of(memory, worker, NULL, &v);
    float *scale = v + ebm_round_up(memory->slab * size, EBM_LANES);
    ebm_slab_load(memory, &slab, 0, count, b->x + first * size,
                  b->labels ? b->labels + first : NULL);
    memset(v, 0, slab.n * size * sizeof *v);
    memcpy(v, b->v + first * size, count * size * sizeof *v);
    memset(scale, 0, slab.n * sizeof *scale);
    if (b->scale)
        memcpy(scale, b->scale + first, count * sizeof *scale);
    ebm_tangent_slab tangent = {.n = slab.n,
                                .x = slab.x,
                                .v = v,
                                .labels = slab.labels,
                                .hv = slab.grad,
                                .scale = scale,
                                .param_grad = param_grad,
                                .root = slab.root,
                                .workspace = slab.workspace};
    EBM_TRY(b->model->ops->tangent(b->model, &tangent));
    if (b->hv)
        memcpy(b->hv + first * size, slab.grad, count * size * sizeof *b->hv);
    return EBM_OK;
}

static void task_tangent(void *argument, size_t task, int worker)
{
    batch *b = argument;
    ebm_status status = slab_tangent(b, b->memory, task, NULL, worker);
    if (status != EBM_OK)
        atomic_store(&b->status, (int)status);
}

/* What both calls ask of their input. */
static ebm_status check(const ebm_model *model, const float *x,
                        const int32_t *labels, size_t n, const float *v)
{
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(ebm_model_check_mode(model, EBM_PASS_TANGENT));
    EBM_TRY(ebm_model_check_batch(model, x, labels, n));
    if (!v)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "v is NULL");
    if (!ebm_all_finite(v, n * model->size))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "v holds a value that is not finite");
    return EBM_OK;
}

ebm_status ebm_model_hessian_vector(const ebm_model *model, const float *x,
                                    const int32_t *labels, size_t n,
                                    const float *v, float *hv)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(check(model, x, labels, n, v));
    if (!hv)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "hv is NULL");
    ebm_slab_memory memory = {0};
    EBM_TRY(ebm_slab_memory_prepare(&memory, model, EBM_PASS_TANGENT, n,
                                    ebm_model_slab_count(model, n),
                                    extra_floats(model, n)));
    ebm_object_hold(model);
    batch b = {model, &memory, x, v, NULL, labels, n, hv, EBM_OK};
    ebm_slab_for(model, &memory, ebm_slab_count(&memory, n), task_tangent, &b);
    ebm_slab_memory_free(&memory);
    ebm_status status = (ebm_status)atomic_load(&b.status);
    if (status != EBM_OK)
        ebm_fail(context, status, "the energy's callback returned an error");
    ebm_object_let_go(model);
    return status;
}

ebm_status ebm_model_mixed_backward(ebm_model *model, const float *x,
                                    const int32_t *labels, size_t n,
                                    const float *v, const float *scale,
                                    float *hv)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(check(model, x, labels, n, v));
    if (!scale)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "scale is NULL");
    if (!ebm_all_finite(scale, n))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "scale holds a value that is not finite");
    ebm_gradient_sum *sum = NULL;
    /* Whether the gradient is finite is known only at the end. */
    float *products =
        hv ? ebm_alloc(context, n * model->size, sizeof *hv) : hv;
    if (hv && !products)
        return ebm_out_of_memory(context, "Hessian-vector products");
    ebm_object_hold(model);
    batch b = {model, NULL, x, v, scale, labels, n, products, EBM_OK};
    ebm_status status = ebm_gradient_sum_prepare(model, EBM_PASS_TANGENT, n,
                                                 extra_floats(model, n), &sum);
    if (status == EBM_OK)
        status = ebm_gradient_sum_for(
            sum, model, ebm_gradient_sum_slabs(sum, n), slab_tangent, &b);
    if (status == EBM_OK)
        status = ebm_gradient_sum_commit(sum, model);
    if (status == EBM_OK && hv)
        memcpy(hv, products, n * model->size * sizeof *hv);
    ebm_gradient_sum_destroy(sum);
    ebm_free(context, products);
    ebm_object_let_go(model);
    return status;
}
