/*
 * One application of a prepared transition.
 *
 * The nodes are gone through in order, all images at a time. A parent stands
 * before its parts: it writes into their masks which images they are given.
 * The images of a leaf are shared out between threads.
 */
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "transition/tree.h"

/* Elements of a node's own generator: each has a block of its own. */
enum { ELEMENT_PASS = 0, ELEMENT_PART = 1 };

/* The two generators of a node: the tree's and the kind's. */
enum { OF_TREE = 0, OF_KIND = 1 };

typedef struct run {
    ebm_transition_work *work;
    const ebm_transition_batch *batch;
    float *x; /* [n, size]: the caller's, or a copy if callbacks can fail */
    size_t size;
} run;

static ebm_random random_of(const run *r, size_t node, int use, size_t i)
{
    const ebm_transition_batch *batch = r->batch;
    uint64_t step =
        (batch->count * EBM_TRANSITION_NODES + node) * 2 + (uint64_t)use;
    return ebm_random_at(batch->seed, batch->purpose, batch->first_stream + i,
                         step);
}

static uint8_t *mask_of(const run *r, size_t node)
{
    return r->work->masks + node * r->work->n;
}

/* Takes out of the node's mask the images that do not pass; returns how many
   are left. */
static size_t draw_passes(const run *r, size_t k)
{
    double probability =
        r->work->plan->nodes[k].values[EBM_TRANSITION_PROBABILITY];
    uint8_t *mask = mask_of(r, k);
    size_t left = 0;
    for (size_t i = 0; i < r->work->n; i++) {
        if (mask[i] && probability < 1) {
            ebm_random random = random_of(r, k, OF_TREE, i);
            mask[i] = ebm_random_uniform(&random, ELEMENT_PASS) < probability;
        }
        left += mask[i];
    }
    return left;
}

/* Hands the images of an inner node to its parts. */
static void hand_down(const run *r, size_t k)
{
    const ebm_plan_node *node = r->work->plan->nodes + k;
    const ebm_transition *transition = node->transition;
    const uint8_t *mask = mask_of(r, k);
    size_t n = r->work->n;
    int is_choice = transition->kind == EBM_TRANSITION_ONE_OF;
    for (size_t part = k + 1; part < node->end;
         part = r->work->plan->nodes[part].end)
        if (is_choice)
            memset(mask_of(r, part), 0, n);
        else
            memcpy(mask_of(r, part), mask, n);
    for (size_t i = 0; is_choice && i < n; i++) {
        if (!mask[i])
            continue;
        ebm_random random = random_of(r, k, OF_TREE, i);
        double u = ebm_random_uniform(&random, ELEMENT_PART);
        size_t part = k + 1;
        for (size_t j = 0; u >= transition->shares[j]; j++)
            part = r->work->plan->nodes[part].end;
        mask_of(r, part)[i] = 1;
    }
}

typedef struct leaf {
    const run *run;
    size_t node;
} leaf;

static void apply_leaf(void *argument, size_t i, int worker)
{
    const leaf *l = argument;
    const run *r = l->run;
    ebm_transition_work *work = r->work;
    const ebm_plan_node *node = work->plan->nodes + l->node;
    if (!mask_of(r, l->node)[i])
        return;
    ebm_random random = random_of(r, l->node, OF_KIND, i);
    work->facts[i] = (ebm_transition_facts){0};
    node->ops->apply(node->values, &work->shape, &random, r->x + i * r->size,
                     work->scratch + (size_t)worker * work->scratch_size,
                     work->facts + i);
}

static void run_leaf(const run *r, size_t k)
{
    ebm_transition_work *work = r->work;
    ebm_plan_node *node = work->plan->nodes + k;
    leaf l = {r, k};
    ebm_parallel_for_at_most(ebm_context_of(node->transition), work->workers,
                             work->n, apply_leaf, &l);
    const uint8_t *mask = mask_of(r, k);
    for (size_t i = 0; i < work->n; i++)
        if (mask[i])
            node->folded += work->facts[i].folded;
}

/* Gathers the images that pass, calls, and puts them back. */
static ebm_status run_callback(const run *r, size_t k)
{
    ebm_transition_work *work = r->work;
    const ebm_transition *transition = work->plan->nodes[k].transition;
    const ebm_context *context = ebm_context_of(transition);
    const ebm_transition_shape *shape = &work->shape;
    const int32_t *labels = r->batch->labels;
    const uint8_t *mask = mask_of(r, k);
    size_t n = 0, bytes = r->size * sizeof *r->x;
    for (size_t i = 0; i < work->n; i++) {
        if (!mask[i])
            continue;
        ebm_random random = random_of(r, k, OF_KIND, i);
        memcpy(work->gathered + n * r->size, r->x + i * r->size, bytes);
        work->labels[n] = labels ? labels[i] : 0;
        work->keys[n++] = (uint64_t)ebm_random_word(&random, 0) << 32 |
                          ebm_random_word(&random, 1);
    }
    if (transition->function(work->gathered, labels ? work->labels : NULL, n,
                             shape->height, shape->width, shape->channels,
                             work->keys, transition->user))
        return ebm_fail(context, EBM_ERROR_CALLBACK,
                        "a transition's callback returned an error");
    if (!ebm_all_finite(work->gathered, n * r->size))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a transition's callback gave an image that is not "
                        "finite");
    n = 0;
    for (size_t i = 0; i < work->n; i++)
        if (mask[i])
            memcpy(r->x + i * r->size, work->gathered + n++ * r->size, bytes);
    return EBM_OK;
}

static ebm_status run_nodes(const run *r)
{
    ebm_transition_work *work = r->work;
    ebm_plan *plan = work->plan;
    for (size_t k = 0; k < plan->count; k++) {
        ebm_plan_node *node = plan->nodes + k;
        if (node->is_skipped) {
            k = node->end - 1;
            continue;
        }
        node->applied = draw_passes(r, k);
        if (!node->applied) {
            k = node->end - 1;
            continue;
        }
        if (node->transition->part_count) {
            hand_down(r, k);
            continue;
        }
        if (node->ops)
            run_leaf(r, k);
        else
            EBM_TRY(run_callback(r, k));
        const uint8_t *mask = mask_of(r, k);
        for (size_t i = 0; i < work->n; i++)
            work->touched[i] |= mask[i];
    }
    return EBM_OK;
}

/* Brings the statistics of the transitions up to date: they are not what
   const is about. */
static void count_up(const ebm_transition_work *work)
{
    uint64_t pixels = (uint64_t)work->shape.height * work->shape.width;
    for (size_t k = 0; k < work->plan->count; k++) {
        const ebm_plan_node *node = work->plan->nodes + k;
        ebm_transition *transition =
            (ebm_transition *)(uintptr_t)node->transition;
        atomic_fetch_add(&transition->applied, node->applied);
        atomic_fetch_add(&transition->folded, node->folded);
        if (transition->kind == EBM_TRANSITION_ELASTIC)
            atomic_fetch_add(&transition->warped, node->applied * pixels);
    }
}

ebm_status ebm_transition_run(ebm_transition_work *work,
                              const ebm_transition_batch *batch)
{
    const ebm_transition_shape *shape = &work->shape;
    size_t n = work->n;
    run r = {work, batch, batch->x,
             shape->height * shape->width * shape->channels};
    int is_copied = work->plan->has_callbacks;
    if (is_copied) {
        memcpy(work->images, batch->x, n * r.size * sizeof *batch->x);
        r.x = work->images;
    }
    for (size_t i = 0; i < n; i++)
        work->masks[i] = !work->skip[i];
    ebm_status status = run_nodes(&r);
    if (status != EBM_OK) {
        memset(work->touched, 0, n);
        return status;
    }
    if (is_copied)
        memcpy(batch->x, work->images, n * r.size * sizeof *batch->x);
    count_up(work);
    return EBM_OK;
}

ebm_status ebm_transition_apply(const ebm_transition *transition, float *x,
                                const int32_t *labels, size_t n, size_t height,
                                size_t width, size_t channels, uint64_t seed,
                                uint64_t first_stream, uint64_t count)
{
    EBM_CHECK_HANDLE(transition, EBM_TYPE_TRANSITION);
    const ebm_context *context = ebm_context_of(transition);
    if (!x || !n)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "x is NULL or n is 0");
    size_t elements;
    EBM_TRY(ebm_check_size(context, n, height, width, channels, &elements));
    if (n > EBM_RANDOM_LIMIT || first_stream > EBM_RANDOM_LIMIT - n)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "streams from %llu on leave no room for %zu images",
                        (unsigned long long)first_stream, n);
    if (count >= EBM_TRANSITION_LIMIT)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "count %llu is not below 2^36",
                        (unsigned long long)count);
    if (!ebm_all_finite(x, elements))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "the images are not all finite");
    ebm_transition_work work = {0};
    /* A callback may let go of any handle; this call holds on to its own. */
    ebm_object_hold(transition);
    ebm_status status =
        ebm_transition_prepare(&work, transition, n, height, width, channels);
    if (status == EBM_OK) {
        ebm_transition_batch batch = {.x = x,
                                      .labels = labels,
                                      .n = n,
                                      .seed = seed,
                                      .purpose = EBM_PURPOSE_TRANSITION,
                                      .first_stream = first_stream,
                                      .count = count};
        status = ebm_transition_run(&work, &batch);
    }
    ebm_transition_work_free(context, &work);
    ebm_object_let_go(transition);
    return status;
}
