/* Compositions as lists, taken apart and put together. */
#include "checkpoint/tree.h"

#include "core/context.h"
#include "core/memory.h"
#include "model/network/network.h"

const char *const ebm_node_names[EBM_NODE_KINDS] = {
    [EBM_NODE_SUM] = "sum",
    [EBM_NODE_MIXTURE] = "mixture",
    [EBM_NODE_DOWNSAMPLED] = "downsampled",
    [EBM_NODE_NEGATED] = "negated",
    [EBM_NODE_TEMPERED] = "tempered",
};

size_t ebm_network_number(const ebm_network_list *list,
                          const ebm_model *network)
{
    size_t k = 0;
    while (k < list->count && list->models[k] != network)
        k++;
    return k;
}

/* Nested no deeper than EBM_MOST_MEMBERS. */
static ebm_status gather(const ebm_model *model, ebm_network_list *list)
{
    const ebm_composition *composition = ebm_composition_of(model);
    if (!composition && !ebm_network_of(model))
        return ebm_fail(ebm_context_of(model), EBM_ERROR_UNSUPPORTED,
                        "a model of the kind %s can not be saved: only "
                        "networks can, and compositions of them",
                        model->ops->kind);
    for (size_t k = 0; composition && k < composition->count; k++)
        EBM_TRY(gather(composition->parts[k], list));
    if (!composition && ebm_network_number(list, model) == list->count)
        list->models[list->count++] = model;
    return EBM_OK;
}

ebm_status ebm_tree_networks(const ebm_model *model, ebm_network_list *list)
{
    const ebm_context *context = ebm_context_of(model);
    const ebm_composition *composition = ebm_composition_of(model);
    size_t most = composition ? composition->members : 1;
    ebm_network_list found = {ebm_alloc(context, most, sizeof *found.models),
                              0};
    if (!found.models)
        return ebm_out_of_memory(context, "the networks of a model");
    ebm_status status = gather(model, &found);
    if (status == EBM_OK)
        *list = found;
    else
        ebm_free(context, found.models);
    return status;
}

static ebm_status make_node(const ebm_node *node, const ebm_node *const *inner,
                            ebm_model *const *parts, ebm_model **model)
{
    double weights[EBM_MOST_PARTS];
    for (size_t k = 0; k < node->count; k++)
        weights[k] = inner[k]->weight;
    switch (node->kind) {
    case EBM_NODE_SUM:
        return ebm_model_create_sum(parts, weights, node->count, model);
    case EBM_NODE_MIXTURE:
        return ebm_model_create_mixture(parts, weights, node->count, model);
    case EBM_NODE_DOWNSAMPLED:
        return ebm_model_create_downsampled(parts[0], node->factor, model);
    case EBM_NODE_NEGATED:
        return ebm_model_create_negated(parts[0], model);
    case EBM_NODE_TEMPERED:
        return ebm_model_create_tempered(parts[0], node->temperature, model);
    case EBM_NODE_NETWORK:
        break;
    }
    *model = ebm_object_retain(parts[0]);
    return EBM_OK;
}

/* Backwards through the list, parts come before what they are part of. They
   wait on a stack, the first of them on top. */
ebm_status ebm_tree_make_model(const ebm_context *context,
                               const ebm_tree *tree,
                               ebm_model *const *networks, ebm_model **out)
{
    struct {
        const ebm_node *node;
        ebm_model *model;
    } *waiting = ebm_alloc(context, tree->count, sizeof *waiting);
    if (!waiting)
        return ebm_out_of_memory(context, "the parts of a model");
    ebm_status status = EBM_OK;
    size_t depth = 0;
    for (size_t i = tree->count; status == EBM_OK && i-- > 0;) {
        const ebm_node *node = tree->nodes + i;
        const ebm_node *inner[EBM_MOST_PARTS];
        ebm_model *parts[EBM_MOST_PARTS], *made = NULL;
        for (size_t k = 0; k < node->count; k++) {
            inner[k] = waiting[depth - 1 - k].node;
            parts[k] = waiting[depth - 1 - k].model;
        }
        if (node->kind == EBM_NODE_NETWORK)
            parts[0] = networks[node->network];
        status = make_node(node, inner, parts, &made);
        if (status != EBM_OK)
            break;
        /* The composition keeps its parts. */
        for (size_t k = 0; k < node->count; k++)
            ebm_object_release(waiting[--depth].model);
        waiting[depth].node = node;
        waiting[depth++].model = made;
    }
    if (status == EBM_OK)
        *out = waiting[--depth].model;
    while (depth > 0)
        ebm_object_release(waiting[--depth].model);
    ebm_free(context, waiting);
    return status;
}
