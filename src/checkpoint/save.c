/* ebm_model_save(): length, header, and the tensors in PyTorch's order. */
#include <ebm/checkpoint.h>

#include <math.h>

#include "checkpoint/header.h"
#include "core/file.h"
#include "core/memory.h"

/* A file with NaN in it could not be loaded again, and would have taken the
   place of one that can. */
static ebm_status check_finite(const ebm_model *model)
{
    for (size_t i = 0; i < model->view_count; i++) {
        const ebm_view *view = model->views + i;
        size_t count = 1;
        for (size_t k = 0; k < view->rank; k++)
            count *= view->shape[k];
        if (!ebm_all_finite(model->parameters + view->offset, count))
            return ebm_fail(ebm_context_of(model), EBM_ERROR_NON_FINITE,
                            "%s holds a number that is not finite",
                            view->name);
    }
    return EBM_OK;
}

static void write_length(ebm_file *file, uint64_t length)
{
    unsigned char bytes[EBM_HEADER_LENGTH_SIZE];
    for (int i = 0; i < EBM_HEADER_LENGTH_SIZE; i++)
        bytes[i] = (unsigned char)(length >> (8 * i));
    ebm_file_write(file, bytes, sizeof bytes);
}

static void write_tensor(ebm_file *file, const ebm_layer *layer, size_t view,
                         const float *parameters)
{
    unsigned char bytes[EBM_NUMBERS_AT_ONCE * EBM_NUMBER_SIZE];
    size_t count = layer->views[view].count;
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = ebm_torch_index(layer, view, i);
        ebm_store_number(parameters[at], bytes + held);
        held += EBM_NUMBER_SIZE;
        if (held == sizeof bytes || i + 1 == count) {
            ebm_file_write(file, bytes, held);
            held = 0;
        }
    }
}

ebm_status ebm_model_save(const ebm_model *model, const char *path)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    size_t length = 0;
    const ebm_network_model *network = ebm_network_of(model);
    char *text = NULL;
    ebm_file file = {0};
    if (!path)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "path is NULL");
    if (!network)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "a model of the kind %s can not be saved: only "
                        "networks can",
                        model->ops->kind);
    EBM_TRY(ebm_model_check_ready(model));
    EBM_TRY(check_finite(model));
    ebm_status status = ebm_header_write(model, &text, &length);
    if (status == EBM_OK)
        status = ebm_file_begin(context, path, &file);
    if (status != EBM_OK)
        goto done;
    /* Write errors stick to the file and come out of the commit. */
    write_length(&file, length);
    ebm_file_write(&file, text, length);
    const ebm_layer *layers = network->layers;
    for (size_t i = 0; i < network->count; i++)
        for (size_t v = 0; v < layers[i].view_count; v++)
            write_tensor(&file, layers + i, v,
                         model->parameters + layers[i].parameter_offset +
                             layers[i].views[v].offset);
    status = ebm_file_commit(&file);
done:
    ebm_free(context, text);
    return status;
}
