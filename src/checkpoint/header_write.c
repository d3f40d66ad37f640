/* Writing a header. Jansson dumps members in the order they were set, so the
   bytes follow from the layers alone. */
#include <jansson.h>

#include "checkpoint/container.h"
#include "checkpoint/reader.h"
#include "core/memory.h"
#include "core/option.h"

/* In what follows NULL and non-zero mean that memory ran out: Jansson's
   setters take NULL for that, and let go of what they could not set. */

/* {"kind":"conv2d","channels":16,"kernel":5,"stride":2,"padding":4,
   "bias":true} */
static json_t *row_json(const ebm_row *row)
{
    const ebm_row_ops *ops = row->ops;
    const ebm_option_row *settings = ebm_network_settings();
    json_t *object = json_object();
    int bad = json_object_set_new(object, "kind", json_string(ops->kind));
    for (int i = 0; i < EBM_ROW_ARGUMENTS && ops->argument_names[i]; i++)
        bad |= json_object_set_new(object, ops->argument_names[i],
                                   ebm_number_json(row->arguments[i]));
    for (int key = 0; key < EBM_NETWORK_KEYS; key++) {
        double value = row->settings[key];
        if (!(ops->settings & 1u << key))
            continue;
        if (key == EBM_NETWORK_BIAS)
            bad |=
                json_object_set_new(object, "bias", json_boolean(value != 0));
        else if (value != settings[key].initial)
            bad |= json_object_set_new(object, settings[key].name,
                                       ebm_number_json(value));
    }
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *rows_json(const ebm_model *model)
{
    const ebm_network_model *network = ebm_network_of(model);
    json_t *array = json_array();
    int bad = 0;
    for (size_t i = 0; i < network->row_count && !bad; i++)
        bad |= json_array_append_new(array, row_json(network->rows + i));
    if (!bad)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *input_json(const ebm_model *model)
{
    size_t input[3] = {model->height, model->width, model->channels};
    return ebm_json_sizes(input, 3);
}

json_t *ebm_networks_json(const ebm_network_list *networks)
{
    json_t *array = json_array();
    int bad = 0;
    for (size_t k = 0; k < networks->count && !bad; k++) {
        const ebm_model *model = networks->models[k];
        json_t *object = json_object();
        bad |= json_object_set_new(object, "input", input_json(model));
        bad |= json_object_set_new(object, "layers", rows_json(model));
        bad |= json_array_append_new(array, object);
    }
    if (!bad)
        return array;
    json_decref(array);
    return NULL;
}

static ebm_status set_metadata(const ebm_model *model,
                               const ebm_network_list *networks, json_t *root)
{
    const ebm_context *context = ebm_context_of(model);
    json_t *metadata = json_object();
    /* "format" is for other readers: tensors laid out as PyTorch does. */
    if (json_object_set_new(metadata, "format", json_string("pt")) ||
        json_object_set_new(metadata, EBM_HEADER_FORMAT,
                            json_string(EBM_HEADER_VERSION)) ||
        json_object_set(root, EBM_HEADER_METADATA, metadata)) {
        json_decref(metadata);
        return ebm_out_of_memory(context, "a model file's header");
    }
    json_decref(metadata); /* root holds it now */
    if (ebm_composition_of(model)) {
        EBM_TRY(ebm_json_set_text(context, metadata, EBM_HEADER_MODEL,
                                  ebm_tree_json(model, networks)));
        return ebm_json_set_text(context, metadata, EBM_HEADER_NETWORKS,
                                 ebm_networks_json(networks));
    }
    EBM_TRY(ebm_json_set_text(context, metadata, EBM_HEADER_INPUT,
                              input_json(model)));
    return ebm_json_set_text(context, metadata, EBM_HEADER_LAYERS,
                             rows_json(model));
}

static ebm_status set_tensors(const ebm_model *model,
                              const ebm_network_list *networks, json_t *root)
{
    int is_composition = ebm_composition_of(model) != NULL, bad = 0;
    size_t begin = 0;
    for (size_t k = 0; k < networks->count; k++) {
        const ebm_network_model *network = ebm_network_of(networks->models[k]);
        for (size_t i = 0; i < network->count; i++) {
            const ebm_layer *layer = network->layers + i;
            for (size_t a = 0; a < ebm_layer_arrays(layer); a++) {
                ebm_tensor tensor = {.network = k,
                                     .layer = i,
                                     .view = ebm_layer_array(layer, a)};
                const ebm_layer_view *view =
                    ebm_layer_find(layer, tensor.view);
                char name[EBM_TENSOR_NAME];
                ebm_tensor_name(layer, &tensor, is_composition, name);
                size_t end = begin + view->count * EBM_NUMBER_SIZE;
                bad |=
                    ebm_json_set_tensor(root, name, "F32", view->torch_shape,
                                        view->rank, begin, end);
                begin = end;
            }
        }
    }
    return bad ? ebm_out_of_memory(ebm_context_of(model),
                                   "a model file's header")
               : EBM_OK;
}

static ebm_status check_layers(const ebm_model *model,
                               const ebm_network_list *networks)
{
    size_t layers = 0;
    for (size_t k = 0; k < networks->count; k++)
        layers += ebm_network_of(networks->models[k])->count;
    if (layers <= EBM_HEADER_MOST_LAYERS)
        return EBM_OK;
    return ebm_fail(ebm_context_of(model), EBM_ERROR_UNSUPPORTED,
                    "a model file holds %d layers, these networks have %zu",
                    EBM_HEADER_MOST_LAYERS, layers);
}

ebm_status ebm_header_write(const ebm_model *model,
                            const ebm_network_list *networks, char **text,
                            size_t *length)
{
    const ebm_context *context = ebm_context_of(model);
    EBM_TRY(check_layers(model, networks));
    json_t *root = json_object();
    ebm_status status = set_metadata(model, networks, root);
    if (status == EBM_OK)
        status = set_tensors(model, networks, root);
    if (status == EBM_OK)
        status = ebm_json_dump(context, root, text, length);
    json_decref(root);
    if (status == EBM_OK && *length > EBM_HEADER_LONGEST) {
        status = ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                          "a model file's header holds %d bytes, these layers "
                          "need %zu",
                          EBM_HEADER_LONGEST, *length);
        ebm_free(context, *text);
        *text = NULL;
    }
    return status;
}
