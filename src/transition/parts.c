/* Transitions that are made of others, and those of the caller's. */
#include "transition/tree.h"

#include <math.h>

#include "core/memory.h"

ebm_status ebm_transition_create_callback(ebm_context *context,
                                          ebm_transition_fn function,
                                          void *user, ebm_transition **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out || !function)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "function or transition is NULL");
    ebm_transition *transition =
        ebm_transition_make(context, EBM_TRANSITION_CALLBACK);
    if (!transition)
        return EBM_ERROR_MEMORY;
    transition->function = function;
    transition->user = user;
    *out = transition;
    return EBM_OK;
}

/* Checks the parts and counts the nodes of the tree above them. */
static ebm_status check_parts(ebm_context *context,
                              ebm_transition *const *parts, size_t count,
                              size_t *nodes)
{
    if (!parts || !count)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "parts is NULL or count is 0");
    *nodes = 1;
    for (size_t i = 0; i < count; i++) {
        EBM_CHECK_HANDLE(parts[i], EBM_TYPE_TRANSITION);
        EBM_CHECK_SAME_CONTEXT(context, parts[i]);
        *nodes += parts[i]->nodes;
        if (*nodes > EBM_TRANSITION_NODES)
            return ebm_fail(context, EBM_ERROR_RANGE,
                            "the tree has more than %d transitions",
                            EBM_TRANSITION_NODES);
    }
    return EBM_OK;
}

static ebm_status create(ebm_context *context, ebm_transition_kind kind,
                         ebm_transition *const *parts, size_t count,
                         ebm_transition **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "transition is NULL");
    size_t nodes = 0;
    EBM_TRY(check_parts(context, parts, count, &nodes));
    ebm_transition *transition = ebm_transition_make(context, kind);
    if (!transition)
        return EBM_ERROR_MEMORY;
    transition->nodes = nodes;
    transition->parts = ebm_alloc(context, count, sizeof *parts);
    transition->shares = ebm_alloc(context, count, sizeof *transition->shares);
    if (!transition->parts || !transition->shares) {
        ebm_object_release(transition);
        return ebm_out_of_memory(context, "a transition's parts");
    }
    for (size_t i = 0; i < count; i++) {
        transition->parts[i] = ebm_object_retain(parts[i]);
        transition->shares[i] = 1;
    }
    transition->part_count = count;
    *out = transition;
    return EBM_OK;
}

ebm_status ebm_transition_create_sequence(ebm_context *context,
                                          ebm_transition *const *parts,
                                          size_t count, ebm_transition **out)
{
    return create(context, EBM_TRANSITION_SEQUENCE, parts, count, out);
}

/* Whether weights are shares of something; their sum. */
static ebm_status check_weights(const ebm_context *context,
                                const double *weights, size_t count,
                                double *sum)
{
    *sum = 0;
    for (size_t i = 0; i < count; i++) {
        /* Written so that NaN fails. */
        if (!(weights[i] >= 0 && weights[i] < INFINITY))
            return ebm_fail(context, EBM_ERROR_RANGE,
                            "weight %zu is %g: not finite and >= 0", i,
                            weights[i]);
        *sum += weights[i];
    }
    if (!(*sum > 0 && *sum < INFINITY))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the %zu weights add up to %g", count, *sum);
    return EBM_OK;
}

ebm_status ebm_transition_create_one_of(ebm_context *context,
                                        ebm_transition *const *parts,
                                        const double *weights, size_t count,
                                        ebm_transition **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    double sum = (double)count;
    if (weights && count) /* none are no parts, which create() refuses */
        EBM_TRY(check_weights(context, weights, count, &sum));
    ebm_transition *transition = NULL;
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "transition is NULL");
    EBM_TRY(create(context, EBM_TRANSITION_ONE_OF, parts, count, &transition));
    double below = 0;
    size_t last = count - 1;
    for (size_t i = 0; i < count; i++) {
        double weight = weights ? weights[i] : 1;
        below += weight;
        transition->shares[i] = below / sum;
        if (weight > 0)
            last = i;
    }
    /* Rounding may leave the sum below 1: a draw above it goes to the last
       part that has a share. */
    for (size_t i = last; i < count; i++)
        transition->shares[i] = 1;
    *out = transition;
    return EBM_OK;
}

ebm_status ebm_transition_create_with_probability(ebm_transition *part,
                                                  double probability,
                                                  ebm_transition **out)
{
    EBM_CHECK_HANDLE(part, EBM_TYPE_TRANSITION);
    ebm_context *context = ebm_context_of(part);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "transition is NULL");
    ebm_transition *transition = NULL;
    EBM_TRY(create(context, EBM_TRANSITION_SEQUENCE, &part, 1, &transition));
    ebm_status status = ebm_transition_set(
        transition, EBM_TRANSITION_PROBABILITY, probability);
    if (status != EBM_OK) {
        ebm_object_release(transition);
        return status;
    }
    *out = transition;
    return EBM_OK;
}
