/* Reading the layers of one network into a builder. */
#include <math.h>

#include "checkpoint/reader.h"
#include "core/option.h"

static ebm_status begin(const ebm_header_reader *reader, const json_t *input,
                        ebm_network **network)
{
    uint64_t sizes[3];
    if (!ebm_read_sizes(input, sizes, 3))
        return EBM_REFUSE(reader, EBM_HEADER_INPUT
                          " is not [height, width, channels] in whole "
                          "numbers");
    for (int i = 0; i < 3; i++)
        if (!sizes[i] || (double)sizes[i] > EBM_LARGEST_ARGUMENT)
            return EBM_REFUSE(
                reader, EBM_HEADER_INPUT " holds %llu, not in [1, %.0f]",
                (unsigned long long)sizes[i], EBM_LARGEST_ARGUMENT);
    return EBM_BLAME(reader, ebm_network_create(
                                 reader->context, (size_t)sizes[0],
                                 (size_t)sizes[1], (size_t)sizes[2], network));
}

/* The numbers that the builder's call wants. The range here only keeps
   conversions defined; the builder knows what makes sense. */
static ebm_status read_arguments(const ebm_header_reader *reader,
                                 const json_t *object, size_t index,
                                 const ebm_row_ops *ops, double *arguments,
                                 size_t *count)
{
    size_t n = 0;
    for (; n < EBM_ROW_ARGUMENTS && ops->argument_names[n]; n++) {
        const char *name = ops->argument_names[n];
        const json_t *number = json_object_get(object, name);
        if (!json_is_number(number))
            return EBM_REFUSE(reader, "layer %zu (%s) has no number %s", index,
                              ops->kind, name);
        double value = json_number_value(number);
        if (!(value >= 0 && value <= EBM_LARGEST_ARGUMENT))
            return EBM_REFUSE(
                reader, "%s = %g of layer %zu (%s) is not in [0, %.0f]", name,
                value, index, ops->kind, EBM_LARGEST_ARGUMENT);
        arguments[n] = value;
    }
    *count = n;
    return EBM_OK;
}

/* Sticky settings that the layer depends on: bias always stands there, the
   others where they are not what a builder begins with. */
static ebm_status read_settings(const ebm_header_reader *reader,
                                const json_t *object, size_t index,
                                const ebm_row_ops *ops, ebm_network *network,
                                size_t *keys)
{
    const ebm_option_row *settings = ebm_network_settings();
    for (int key = 0; key < EBM_NETWORK_KEYS; key++) {
        if (!(ops->settings & 1u << key))
            continue;
        const json_t *json = json_object_get(object, settings[key].name);
        double value = settings[key].initial;
        if (key == EBM_NETWORK_BIAS && !json_is_boolean(json))
            return EBM_REFUSE(reader, "layer %zu (%s) does not say bias",
                              index, ops->kind);
        if (key == EBM_NETWORK_BIAS)
            value = json_is_true(json);
        else if (json && !json_is_number(json))
            return EBM_REFUSE(reader, "%s of layer %zu (%s) is not a number",
                              settings[key].name, index, ops->kind);
        else if (json)
            value = json_number_value(json);
        *keys += json != NULL;
        EBM_TRY(EBM_BLAME(
            reader, ebm_network_set(network, (ebm_network_key)key, value)));
    }
    return EBM_OK;
}

/* {"kind":"dense","units":64,"bias":true}: the kind, the arguments of its
   builder call, and the settings that it depends on. */
static ebm_status append(const ebm_header_reader *reader, const json_t *object,
                         size_t index, ebm_network *network)
{
    double arguments[EBM_ROW_ARGUMENTS] = {0};
    size_t count = 0;
    const char *kind = json_string_value(json_object_get(object, "kind"));
    if (!kind)
        return EBM_REFUSE(reader, "layer %zu has no kind", index);
    const ebm_row_ops *ops = ebm_row_kind(kind);
    if (!ops)
        return EBM_REFUSE(
            reader,
            "layer %zu is of the kind %.40s, which this version of the "
            "library does not know",
            index, kind);
    EBM_TRY(read_arguments(reader, object, index, ops, arguments, &count));
    size_t keys = 1 + count;
    EBM_TRY(read_settings(reader, object, index, ops, network, &keys));
    if (json_object_size(object) != keys)
        return EBM_REFUSE(reader, "layer %zu (%s) has an unknown key", index,
                          kind);
    return EBM_BLAME(reader, ebm_network_add(network, ops, arguments));
}

ebm_status ebm_read_network(const ebm_header_reader *reader,
                            const json_t *input, const json_t *layers)
{
    ebm_header *header = reader->header;
    ebm_network **network = header->networks + header->network_count;
    EBM_TRY(begin(reader, input, network));
    header->network_count++; /* from here on it is the header's to end */
    if (!json_is_array(layers))
        return EBM_REFUSE(reader, EBM_HEADER_LAYERS " is not an array");
    /* A model would refuse them, but a row takes more memory than its text. */
    size_t count = json_array_size(layers);
    if (count > EBM_MOST_LAYERS)
        return EBM_REFUSE(reader, "%zu layers, at most %d are supported",
                          count, EBM_MOST_LAYERS);
    for (size_t i = 0; i < count; i++) {
        size_t before = (*network)->end.layers;
        EBM_TRY(append(reader, json_array_get(layers, i), i, *network));
        header->layer_count += (*network)->end.layers - before;
        if (header->layer_count > EBM_HEADER_MOST_LAYERS)
            return EBM_REFUSE(reader, "more than %d layers in all",
                              EBM_HEADER_MOST_LAYERS);
    }
    return EBM_OK;
}
