/* How a composition stands in a header:

       {"kind":"sum","weights":[1,0.5],"parts":[
           {"network":0},
           {"kind":"downsampled","factor":2,"parts":[{"network":1}]}]} */
#include <math.h>

#include "checkpoint/reader.h"
#include "core/memory.h"

json_t *ebm_number_json(double value)
{
    return fabs(value) < 9007199254740992.0 && value == floor(value)
               ? json_integer((json_int_t)value)
               : json_real(value);
}

/* ---- Writing -----------------------------------------------------------
 */

static ebm_node_kind kind_of(const char *name)
{
    int kind = 0;
    while (kind < EBM_NODE_KINDS && strcmp(ebm_node_names[kind], name) != 0)
        kind++;
    return (ebm_node_kind)kind;
}

/* Non-zero when memory ran out. */
static int set_numbers(json_t *object, const ebm_composition *composition)
{
    json_t *weights;
    int bad = 0;
    switch (kind_of(composition->kind->ops.kind)) {
    case EBM_NODE_SUM:
    case EBM_NODE_MIXTURE:
        weights = json_array();
        for (size_t k = 0; k < composition->count; k++)
            bad |= json_array_append_new(
                weights, ebm_number_json(composition->given[k]));
        return json_object_set_new(object, "weights", weights) | bad;
    case EBM_NODE_DOWNSAMPLED:
        return json_object_set_new(
            object, "factor", json_integer((json_int_t)composition->factor));
    case EBM_NODE_TEMPERED:
        return json_object_set_new(object, "temperature",
                                   ebm_number_json(composition->given[0]));
    case EBM_NODE_NEGATED:
    case EBM_NODE_NETWORK:
        break;
    }
    return 0;
}

json_t *ebm_tree_json(const ebm_model *model, const ebm_network_list *networks)
{
    const ebm_composition *composition = ebm_composition_of(model);
    json_t *object = json_object();
    if (!composition) {
        size_t number = ebm_network_number(networks, model);
        if (!json_object_set_new(object, "network",
                                 json_integer((json_int_t)number)))
            return object;
        json_decref(object);
        return NULL;
    }
    json_t *parts = json_array();
    int bad = json_object_set_new(object, "kind",
                                  json_string(composition->kind->ops.kind));
    bad |= set_numbers(object, composition);
    for (size_t k = 0; k < composition->count && !bad; k++)
        bad |= json_array_append_new(
            parts, ebm_tree_json(composition->parts[k], networks));
    bad |= json_object_set_new(object, "parts", parts);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- Reading -----------------------------------------------------------
 */

typedef struct tree_reader {
    const ebm_header_reader *header;
    ebm_tree *tree;
    char used[EBM_MOST_MEMBERS]; /* which networks are in the tree */
} tree_reader;

static int read_size(const json_t *json, size_t most, size_t *size)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0 ||
        (uint64_t)json_integer_value(json) > most)
        return 0;
    *size = (size_t)json_integer_value(json);
    return 1;
}

static ebm_status read_leaf(tree_reader *reader, const json_t *object,
                            ebm_node *node)
{
    size_t count = reader->header->header->network_count;
    const json_t *number = json_object_get(object, "network");
    if (!read_size(number, count - 1, &node->network))
        return EBM_REFUSE(reader->header,
                          EBM_HEADER_MODEL
                          " names a network that is not one of the %zu",
                          count);
    if (json_object_size(object) != 1)
        return EBM_REFUSE(reader->header,
                          "network %zu in " EBM_HEADER_MODEL
                          " has an unknown key",
                          node->network);
    reader->used[node->network] = 1;
    return EBM_OK;
}

/* What a kind has besides its parts. The range is the composition's affair. */
static ebm_status read_numbers(const tree_reader *reader, const json_t *object,
                               ebm_node *node, const json_t **weights)
{
    const char *kind = ebm_node_names[node->kind];
    const json_t *factor = json_object_get(object, "factor");
    const json_t *temperature = json_object_get(object, "temperature");
    size_t keys = 3;
    *weights = NULL;
    switch (node->kind) {
    case EBM_NODE_SUM:
    case EBM_NODE_MIXTURE:
        *weights = json_object_get(object, "weights");
        if (!json_is_array(*weights) ||
            json_array_size(*weights) != node->count)
            return EBM_REFUSE(reader->header,
                              "a %s of %zu parts has not as many weights",
                              kind, node->count);
        break;
    case EBM_NODE_DOWNSAMPLED:
        if (!read_size(factor, 1 << 16, &node->factor))
            return EBM_REFUSE(reader->header, "a %s has no factor", kind);
        break;
    case EBM_NODE_TEMPERED:
        if (!json_is_number(temperature))
            return EBM_REFUSE(reader->header, "a %s has no temperature", kind);
        node->temperature = json_number_value(temperature);
        break;
    case EBM_NODE_NEGATED:
    case EBM_NODE_NETWORK:
        keys = 2;
        break;
    }
    if (json_object_size(object) != keys)
        return EBM_REFUSE(reader->header, "a %s has an unknown key", kind);
    return EBM_OK;
}

/* Each level is an entry of the list, so its length bounds the depth. */
static ebm_status read_node(tree_reader *reader, const json_t *object,
                            double weight)
{
    ebm_tree *tree = reader->tree;
    if (tree->count == EBM_MOST_MEMBERS)
        return EBM_REFUSE(reader->header,
                          EBM_HEADER_MODEL " has more than %d parts",
                          EBM_MOST_MEMBERS);
    ebm_node *node = tree->nodes + tree->count++;
    *node = (ebm_node){.kind = EBM_NODE_NETWORK, .weight = weight};
    if (json_object_get(object, "network"))
        return read_leaf(reader, object, node);
    const char *kind = json_string_value(json_object_get(object, "kind"));
    if (!kind)
        return EBM_REFUSE(reader->header, EBM_HEADER_MODEL
                          " has a part without kind or network");
    node->kind = kind_of(kind);
    if (node->kind == EBM_NODE_KINDS)
        return EBM_REFUSE(reader->header,
                          EBM_HEADER_MODEL
                          " has a part of the kind %.40s, which this version "
                          "of the library does not know",
                          kind);
    const json_t *parts = json_object_get(object, "parts"), *weights;
    int many = node->kind == EBM_NODE_SUM || node->kind == EBM_NODE_MIXTURE;
    node->count = json_array_size(parts);
    if (node->count < 1 || node->count > (many ? EBM_MOST_PARTS : 1))
        return EBM_REFUSE(reader->header, "a %s of %zu parts", kind,
                          node->count);
    EBM_TRY(read_numbers(reader, object, node, &weights));
    size_t count = node->count;
    for (size_t k = 0; k < count; k++) {
        const json_t *number = weights ? json_array_get(weights, k) : NULL;
        if (weights && !json_is_number(number))
            return EBM_REFUSE(reader->header,
                              "weight %zu of a %s is not a number", k, kind);
        EBM_TRY(read_node(reader, json_array_get(parts, k),
                          json_number_value(number)));
    }
    return EBM_OK;
}

ebm_status ebm_read_tree(const ebm_header_reader *reader, const json_t *json)
{
    ebm_header *header = reader->header;
    tree_reader tree = {.header = reader, .tree = &header->tree};
    header->tree.nodes = ebm_alloc(reader->context, EBM_MOST_MEMBERS,
                                   sizeof *header->tree.nodes);
    if (!header->tree.nodes)
        return ebm_out_of_memory(reader->context, "the parts of a model");
    EBM_TRY(read_node(&tree, json, 1));
    for (size_t k = 0; k < header->network_count; k++)
        if (!tree.used[k])
            return EBM_REFUSE(reader, "network %zu is no part of the model",
                              k);
    return EBM_OK;
}
