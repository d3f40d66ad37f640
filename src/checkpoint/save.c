/* ebm_model_save(): length, header, and the tensors in PyTorch's order. */
#include <ebm/checkpoint.h>

#include <math.h>

#include "checkpoint/container.h"
#include "checkpoint/header.h"
#include "core/file.h"
#include "core/memory.h"

/* The numbers of a parameter array or a state. */
static const float *array_of(const ebm_model *model, const ebm_tensor *tensor)
{
    const ebm_network_model *network = ebm_network_of(model);
    const ebm_layer *layer = network->layers + tensor->layer;
    const float *array = tensor->view < EBM_LAYER_VIEWS
                             ? model->parameters + layer->parameter_offset
                             : network->state + layer->state_offset;
    return array + ebm_layer_find(layer, tensor->view)->offset;
}

/* A file with NaN in it could not be loaded again, and would have taken the
   place of one that can. */
static ebm_status check_finite(const ebm_model *model,
                               const ebm_network_list *networks)
{
    int is_composition = ebm_composition_of(model) != NULL;
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
                if (ebm_all_finite(array_of(networks->models[k], &tensor),
                                   view->count))
                    continue;
                ebm_tensor_name(layer, &tensor, is_composition, name);
                return ebm_fail(ebm_context_of(model), EBM_ERROR_NON_FINITE,
                                "%s holds a number that is not finite", name);
            }
        }
    }
    return EBM_OK;
}

static void write_tensor(ebm_file *file, const ebm_layer *layer, size_t view,
                         const float *array)
{
    unsigned char bytes[EBM_NUMBERS_AT_ONCE * EBM_NUMBER_SIZE];
    size_t count = ebm_layer_find(layer, view)->count;
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        ebm_store_number(array[ebm_torch_index(layer, view, i)], bytes + held);
        held += EBM_NUMBER_SIZE;
        if (held == sizeof bytes || i + 1 == count) {
            ebm_file_write(file, bytes, held);
            held = 0;
        }
    }
}

static void write_network(ebm_file *file, const ebm_model *model)
{
    const ebm_network_model *network = ebm_network_of(model);
    for (size_t i = 0; i < network->count; i++) {
        const ebm_layer *layer = network->layers + i;
        for (size_t a = 0; a < ebm_layer_arrays(layer); a++) {
            ebm_tensor tensor = {.layer = i,
                                 .view = ebm_layer_array(layer, a)};
            write_tensor(file, layer, tensor.view, array_of(model, &tensor));
        }
    }
}

static ebm_status save(const ebm_model *model,
                       const ebm_network_list *networks, const char *path)
{
    const ebm_context *context = ebm_context_of(model);
    size_t length = 0;
    char *text = NULL;
    ebm_file file = {0};
    EBM_TRY(check_finite(model, networks));
    EBM_TRY(ebm_header_write(model, networks, &text, &length));
    ebm_status status = ebm_file_begin(context, path, &file);
    if (status == EBM_OK) {
        /* Write errors stick to the file and come out of the commit. */
        ebm_container_begin(&file, text, length);
        for (size_t k = 0; k < networks->count; k++)
            write_network(&file, networks->models[k]);
        status = ebm_file_commit(&file);
    }
    ebm_free(context, text);
    return status;
}

ebm_status ebm_model_save(const ebm_model *model, const char *path)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    ebm_network_list networks = {0};
    if (!path)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "path is NULL");
    EBM_TRY(ebm_tree_networks(model, &networks));
    ebm_status status = ebm_model_check_ready(model);
    if (status == EBM_OK)
        status = save(model, &networks, path);
    ebm_free(context, networks.models);
    return status;
}
