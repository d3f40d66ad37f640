/* The parameter gradient of a batch, in lanes. */
#include "model/gradient_sum.h"

#include <stdatomic.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/kernels.h"
#include "model/slab.h"

/* At most this many lanes, and fewer when they would take more than 128 MiB:
   a function of the model alone. */
enum { MOST_LANES = 8, LANE_FLOATS = 32 * 1024 * 1024, CHUNK = 16 * 1024 };

struct ebm_gradient_sum {
    const ebm_context *context;
    size_t lanes;
    size_t stride; /* floats of a lane */
    float *sums;   /* [lanes, stride] */
    size_t used;   /* lanes that hold a sum; the others were never written */
    ebm_slab_memory memory;
};

static size_t lanes_of(const ebm_model *model)
{
    if (!model->slab)
        return 1;
    size_t lanes = LANE_FLOATS / (model->padded_count + 1);
    return lanes < 2 ? 2 : lanes > MOST_LANES ? MOST_LANES : lanes;
}

ebm_status ebm_gradient_sum_prepare(const ebm_model *model, ebm_pass_mode mode,
                                    size_t n, size_t extra,
                                    ebm_gradient_sum **inout)
{
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(ebm_model_check_mode(model, mode));
    size_t lanes = lanes_of(model);
    size_t stride = ebm_round_up(model->padded_count, EBM_LANES);
    ebm_gradient_sum *sum = *inout;
    if (!sum || sum->lanes != lanes || sum->stride != stride) {
        sum = ebm_alloc_zero(context, 1, sizeof *sum);
        if (!sum)
            return ebm_out_of_memory(context, "a gradient sum");
        sum->context = context;
        sum->lanes = lanes;
        sum->stride = stride;
        size_t floats;
        if (ebm_multiply(lanes, stride, &floats))
            sum->sums = ebm_alloc(context, floats, sizeof *sum->sums);
        if (!sum->sums) {
            ebm_gradient_sum_destroy(sum);
            return ebm_out_of_memory(context, "a gradient sum");
        }
    }
    /* A lane beyond the slabs has nothing to do. */
    size_t slabs = ebm_model_slab_count(model, n);
    ebm_status status = ebm_slab_memory_prepare(
        &sum->memory, model, mode, n, slabs < lanes ? slabs : lanes, extra);
    if (status != EBM_OK) {
        if (sum != *inout)
            ebm_gradient_sum_destroy(sum);
        return status;
    }
    if (sum != *inout) {
        ebm_gradient_sum_destroy(*inout);
        *inout = sum;
    }
    return EBM_OK;
}

void ebm_gradient_sum_destroy(ebm_gradient_sum *sum)
{
    if (!sum)
        return;
    ebm_slab_memory_free(&sum->memory);
    ebm_free(sum->context, sum->sums);
    ebm_free(sum->context, sum);
}

void ebm_gradient_sum_clear(ebm_gradient_sum *sum)
{
    sum->used = 0;
}

static void clear_lane(ebm_gradient_sum *sum, size_t lane)
{
    memset(sum->sums + lane * sum->stride, 0, sum->stride * sizeof *sum->sums);
}

/* One call of ebm_gradient_sum_for(). */
typedef struct lanes {
    ebm_gradient_sum *sum;
    size_t slabs;
    ebm_lane_fn body;
    void *argument;
    atomic_int status;
} lanes;

/* A task is a lane: its slabs, every lanes-th of the batch, in order. */
static void run_lane(void *argument, size_t lane, int worker)
{
    lanes *l = argument;
    ebm_gradient_sum *sum = l->sum;
    if (lane >= sum->used)
        clear_lane(sum, lane);
    for (size_t i = lane; i < l->slabs; i += sum->lanes) {
        ebm_status status = l->body(l->argument, &sum->memory, i,
                                    sum->sums + lane * sum->stride, worker);
        if (status != EBM_OK)
            atomic_store(&l->status, (int)status);
    }
}

ebm_status ebm_gradient_sum_for(ebm_gradient_sum *sum, const ebm_model *model,
                                size_t slabs, ebm_lane_fn body, void *argument)
{
    lanes l = {sum, slabs, body, argument, EBM_OK};
    size_t count = slabs < sum->lanes ? slabs : sum->lanes;
    ebm_slab_for(model, &sum->memory, count, run_lane, &l);
    if (count > sum->used)
        sum->used = count;
    ebm_status status = (ebm_status)atomic_load(&l.status);
    if (status == EBM_ERROR_CALLBACK)
        ebm_fail(ebm_context_of(model), status,
                 "the energy's callback returned an error");
    return status;
}

/* One call of ebm_gradient_sum_add(). */
typedef struct addition {
    const ebm_model *model;
    const float *x;
    const int32_t *labels;
    size_t n;
    const ebm_energy_scale *scale;
    float *energy;
} addition;

/* Where a slab lies in the batch, for scale_of(). */
typedef struct place {
    const ebm_energy_scale *scale;
    size_t first, count;
} place;

/* dL/dE of each slot; 0 for padding, which so adds nothing. */
static ebm_status scale_of(void *argument, const ebm_slab *slab, float *scale)
{
    const place *p = argument;
    for (size_t i = 0; i < slab->n; i++) {
        if (i >= p->count)
            scale[i] = 0;
        else if (p->scale->given)
            scale[i] = p->scale->given[p->first + i];
        else
            scale[i] = p->scale->constant + p->scale->slope * slab->energy[i];
    }
    return EBM_OK;
}

static ebm_status add_slab(void *argument, const ebm_slab_memory *memory,
                           size_t index, float *param_grad, int worker)
{
    addition *a = argument;
    size_t first = index * memory->slab;
    place p = {a->scale, first, memory->slab};
    if (a->n - first < p.count)
        p.count = a->n - first;
    ebm_slab slab = ebm_slab_of(memory, worker, NULL, NULL);
    ebm_slab_load(memory, &slab, 0, p.count, a->x + first * memory->size,
                  a->labels ? a->labels + first : NULL);
    slab.param_grad = param_grad;
    slab.by_part = a->scale->by_part;
    ebm_status status = a->model->ops->pass(a->model, EBM_PASS_PARAM_GRADIENT,
                                            &slab, scale_of, &p);
    memcpy(a->energy + first, slab.energy, p.count * sizeof *a->energy);
    size_t parts = memory->parts;
    for (size_t i = 0; a->scale->part_energy && i < p.count; i++)
        for (size_t k = 0; k < parts; k++)
            a->scale->part_energy[(first + i) * parts + k] =
                parts == 1 ? slab.energy[i] : slab.part_energy[k * slab.n + i];
    return status;
}

ebm_status ebm_gradient_sum_add(ebm_gradient_sum *sum, const ebm_model *model,
                                const float *x, const int32_t *labels,
                                size_t n, const ebm_energy_scale *scale,
                                float *energy)
{
    addition a = {model, x, labels, n, scale, energy};
    return ebm_gradient_sum_for(sum, model, ebm_slab_count(&sum->memory, n),
                                add_slab, &a);
}

size_t ebm_gradient_sum_slabs(const ebm_gradient_sum *sum, size_t n)
{
    return ebm_slab_count(&sum->memory, n);
}

/* The total goes to lane 0 first, and to the model when all is finite. */
typedef struct total {
    ebm_gradient_sum *sum;
    const ebm_leaf *leaf;
    int write;
    atomic_int bad;
} total;

/* Pairs of lanes, pairs of pairs, ...: ((0+1)+(2+3))+((4+5)+(6+7)), as far as
   they are used. */
static void add_up_chunk(void *argument, size_t task, int worker)
{
    (void)worker;
    ebm_gradient_sum *sum = ((total *)argument)->sum;
    size_t begin = task * CHUNK, end = begin + CHUNK;
    if (end > sum->stride)
        end = sum->stride;
    for (size_t step = 1; step < sum->used; step *= 2)
        for (size_t l = 0; l + step < sum->used; l += 2 * step) {
            float *to = sum->sums + l * sum->stride;
            const float *from = to + step * sum->stride;
            for (size_t i = begin; i < end; i++)
                to[i] += from[i];
        }
}

static void commit_chunk(void *argument, size_t task, int worker)
{
    (void)worker;
    total *t = argument;
    ebm_model *model = t->leaf->model;
    size_t begin = task * CHUNK, end = begin + CHUNK;
    if (end > model->parameter_count)
        end = model->parameter_count;
    float *sums = t->sum->sums + t->leaf->padded, *gradient = model->gradient;
    if (t->write) {
        memcpy(gradient + begin, sums + begin, (end - begin) * sizeof *sums);
        return;
    }
    for (size_t i = begin; i < end; i++)
        sums[i] += gradient[i];
    if (!ebm_all_finite(sums + begin, end - begin))
        atomic_store(&t->bad, 1);
}

static size_t chunks_of(size_t count)
{
    return (count + CHUNK - 1) / CHUNK;
}

/* What was summed is with respect to the weights that the layers use; the
   model keeps what the parameters see. Linear, so once for the whole sum. */
ebm_status ebm_gradient_sum_commit(ebm_gradient_sum *sum, ebm_model *model)
{
    const ebm_context *context = ebm_context_of(model);
    total t = {sum, NULL, 0, 0};
    if (!sum->used) { /* nothing was summed */
        clear_lane(sum, 0);
        sum->used = 1;
    }
    ebm_parallel_for(context, chunks_of(sum->stride), add_up_chunk, &t);
    for (size_t i = 0; i < model->leaf_count; i++) {
        const ebm_model *leaf = model->leaves[i].model;
        if (leaf->ops->fold_gradient)
            leaf->ops->fold_gradient(leaf,
                                     sum->sums + model->leaves[i].padded);
    }
    for (t.write = 0; t.write < 2; t.write++) {
        for (size_t i = 0; i < model->leaf_count; i++) {
            t.leaf = model->leaves + i;
            ebm_parallel_for(context,
                             chunks_of(t.leaf->model->parameter_count),
                             commit_chunk, &t);
        }
        if (atomic_load(&t.bad))
            return ebm_fail(context, EBM_ERROR_NON_FINITE,
                            "the parameter gradient is not finite");
    }
    return EBM_OK;
}
