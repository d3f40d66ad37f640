/* Before an application: checks, the plan, and memory. */
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "transition/tree.h"

int ebm_transition_is_idle(const ebm_transition *transition)
{
    if (transition->values[EBM_TRANSITION_PROBABILITY] == 0)
        return 1;
    const ebm_transition_ops *ops = ebm_transition_ops_of(transition->kind);
    if (ops)
        return ops->is_identity && ops->is_identity(transition->values);
    if (!transition->part_count)
        return 0; /* a callback */
    for (size_t i = 0; i < transition->part_count; i++)
        if (!ebm_transition_is_idle(transition->parts[i]))
            return 0;
    return 1;
}

int ebm_transition_has_callbacks(const ebm_transition *transition)
{
    if (transition->kind == EBM_TRANSITION_CALLBACK)
        return 1;
    for (size_t i = 0; i < transition->part_count; i++)
        if (ebm_transition_has_callbacks(transition->parts[i]))
            return 1;
    return 0;
}

void ebm_plan_build(ebm_plan *plan, const ebm_transition *transition)
{
    ebm_plan_node *node = plan->nodes + plan->count++;
    node->transition = transition;
    node->ops = ebm_transition_ops_of(transition->kind);
    node->is_skipped = ebm_transition_is_idle(transition);
    memcpy(node->values, transition->values, sizeof node->values);
    node->applied = node->folded = 0;
    for (size_t i = 0; i < transition->part_count; i++)
        ebm_plan_build(plan, transition->parts[i]);
    node->end = plan->count;
}

/* All leaves that may act must take the shape. */
static ebm_status check_tree(const ebm_transition *transition,
                             const ebm_transition_shape *shape)
{
    if (ebm_transition_is_idle(transition))
        return EBM_OK;
    const ebm_transition_ops *ops = ebm_transition_ops_of(transition->kind);
    if (ops && ops->check)
        EBM_TRY(
            ops->check(ebm_context_of(transition), transition->values, shape));
    for (size_t i = 0; i < transition->part_count; i++)
        EBM_TRY(check_tree(transition->parts[i], shape));
    return EBM_OK;
}

/* What the leaves are told, if the root's range makes sense. */
static ebm_status shape_of(const ebm_transition *transition, size_t height,
                           size_t width, size_t channels,
                           ebm_transition_shape *shape)
{
    const ebm_context *context = ebm_context_of(transition);
    size_t size;
    EBM_TRY(ebm_check_size(context, 1, height, width, channels, &size));
    /* A generator has 2^34 elements, and pixels are numbered by 32 bits. */
    if (size > UINT32_MAX)
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "images [%zu, %zu, %zu] are too large to transform",
                        height, width, channels);
    *shape = (ebm_transition_shape){
        .height = height,
        .width = width,
        .channels = channels,
        .minimum = (float)transition->values[EBM_TRANSITION_RANGE_MIN],
        .maximum = (float)transition->values[EBM_TRANSITION_RANGE_MAX],
        .kernels = context->kernels};
    /* Values in units of the range are (x - minimum) / span. */
    float span = shape->maximum - shape->minimum;
    if (!(span > 0 && isfinite(span) && isfinite(1 / span)))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the range [%g, %g] is empty, or too narrow or too "
                        "wide for a float",
                        transition->values[EBM_TRANSITION_RANGE_MIN],
                        transition->values[EBM_TRANSITION_RANGE_MAX]);
    return EBM_OK;
}

ebm_status ebm_transition_check_shape(const ebm_transition *transition,
                                      size_t height, size_t width,
                                      size_t channels)
{
    ebm_transition_shape shape;
    EBM_TRY(shape_of(transition, height, width, channels, &shape));
    return check_tree(transition, &shape);
}

ebm_status ebm_transition_check(const ebm_transition *transition,
                                size_t height, size_t width, size_t channels)
{
    EBM_CHECK_HANDLE(transition, EBM_TYPE_TRANSITION);
    return ebm_transition_check_shape(transition, height, width, channels);
}

/* The most scratch that one leaf wants, rounded so that no two workers share
   a line of the cache. */
static size_t scratch_of(const ebm_plan *plan,
                         const ebm_transition_shape *shape)
{
    size_t most = 0;
    for (size_t k = 0; k < plan->count; k++) {
        const ebm_plan_node *node = plan->nodes + k;
        if (node->is_skipped || !node->ops || !node->ops->scratch)
            continue;
        size_t size = node->ops->scratch(node->values, shape);
        most = size > most ? size : most;
    }
    return ebm_round_up(most, 16);
}

/* A block at least `needed` items of `size` bytes long: the old one, or a new
   one in its place. NULL, and the old one as it was, when memory runs out. */
static void *grow(const ebm_context *context, void *block, size_t *held,
                  size_t needed, size_t size)
{
    if (*held >= needed && block)
        return block;
    void *grown = ebm_alloc(context, needed, size);
    if (!grown)
        return NULL;
    ebm_free(context, block);
    *held = needed;
    return grown;
}

/* Two copies of all images, and what else a callback is given. */
static ebm_status grow_images(const ebm_context *context,
                              ebm_transition_work *work, size_t n, size_t size)
{
    size_t elements;
    if (!ebm_multiply(n, size, &elements))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "%zu images of %zu do not fit into memory", n, size);
    if (work->held_images >= elements && work->held_labels >= n)
        return EBM_OK;
    float *images = ebm_alloc(context, elements, sizeof *images);
    float *gathered = ebm_alloc(context, elements, sizeof *gathered);
    int32_t *labels = ebm_alloc(context, n, sizeof *labels);
    uint64_t *keys = ebm_alloc(context, n, sizeof *keys);
    if (!images || !gathered || !labels || !keys) {
        ebm_free(context, images);
        ebm_free(context, gathered);
        ebm_free(context, labels);
        ebm_free(context, keys);
        return ebm_out_of_memory(context, "a transition's images");
    }
    ebm_free(context, work->images);
    ebm_free(context, work->gathered);
    ebm_free(context, work->labels);
    ebm_free(context, work->keys);
    work->images = images;
    work->gathered = gathered;
    work->labels = labels;
    work->keys = keys;
    work->held_images = elements;
    work->held_labels = n;
    return EBM_OK;
}

static ebm_status allocate(const ebm_context *context,
                           ebm_transition_work *work, size_t nodes, size_t n)
{
    const ebm_transition_shape *shape = &work->shape;
    size_t bytes, scratch;
    /* Masks of the nodes, then skip and touched. */
    if (!ebm_multiply(nodes + 2, n, &bytes) ||
        !ebm_multiply(work->scratch_size, (size_t)work->workers, &scratch))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "%zu images do not fit into memory", n);
    uint8_t *masks = grow(context, work->masks, &work->held_bytes, bytes, 1);
    if (!masks)
        return ebm_out_of_memory(context, "a transition's workspace");
    work->masks = masks;
    ebm_transition_facts *facts =
        grow(context, work->facts, &work->held_facts, n, sizeof *work->facts);
    if (!facts)
        return ebm_out_of_memory(context, "a transition's workspace");
    work->facts = facts;
    float *memory = grow(context, work->scratch, &work->held_scratch, scratch,
                         sizeof *work->scratch);
    if (!memory)
        return ebm_out_of_memory(context, "a transition's workspace");
    work->scratch = memory;
    if (work->plan->has_callbacks)
        EBM_TRY(grow_images(context, work, n,
                            shape->height * shape->width * shape->channels));
    work->n = n;
    work->skip = work->masks + nodes * n;
    work->touched = work->skip + n;
    memset(work->skip, 0, 2 * n);
    return EBM_OK;
}

ebm_status ebm_transition_prepare(ebm_transition_work *work,
                                  const ebm_transition *transition, size_t n,
                                  size_t height, size_t width, size_t channels)
{
    const ebm_context *context = ebm_context_of(transition);
    work->n = 0;
    EBM_TRY(shape_of(transition, height, width, channels, &work->shape));
    EBM_TRY(check_tree(transition, &work->shape));
    if (!work->plan)
        work->plan = ebm_alloc(context, 1, sizeof *work->plan);
    if (!work->plan)
        return ebm_out_of_memory(context, "a transition's plan");
    work->plan->count = 0;
    work->plan->has_callbacks = ebm_transition_has_callbacks(transition);
    ebm_plan_build(work->plan, transition);
    work->workers = ebm_context_threads(context);
    work->scratch_size = scratch_of(work->plan, &work->shape);
    return allocate(context, work, work->plan->count, n);
}

void ebm_transition_work_free(const ebm_context *context,
                              ebm_transition_work *work)
{
    ebm_free(context, work->plan);
    ebm_free(context, work->masks);
    ebm_free(context, work->facts);
    ebm_free(context, work->scratch);
    ebm_free(context, work->images);
    ebm_free(context, work->gathered);
    ebm_free(context, work->labels);
    ebm_free(context, work->keys);
    memset(work, 0, sizeof *work);
}
