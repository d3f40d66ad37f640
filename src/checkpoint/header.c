/* What reading and writing a header share. */
#include "checkpoint/header.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/file.h"
#include "core/memory.h"

void ebm_header_clear(ebm_context *context, ebm_header *header)
{
    for (size_t k = 0; k < header->network_count; k++)
        ebm_network_destroy(header->networks[k]);
    ebm_free(context, header->networks);
    ebm_free(context, header->tree.nodes);
    ebm_free(context, header->tensors);
    memset(header, 0, sizeof *header);
}

ebm_status ebm_header_refuse(const ebm_context *context, const char *path,
                             const char *place, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* Names come from the file: keep the text one line of plain characters. */
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return ebm_fail(context, EBM_ERROR_FORMAT, "%s: %s%s", ebm_file_tail(path),
                    place, text);
}

ebm_status ebm_header_blame(const ebm_context *context, const char *path,
                            const char *place, ebm_status status)
{
    char reason[160];
    if (status != EBM_ERROR_ARGUMENT && status != EBM_ERROR_RANGE &&
        status != EBM_ERROR_SHAPE && status != EBM_ERROR_UNSUPPORTED)
        return status;
    ebm_context_copy_last_error(context, reason, sizeof reason);
    return ebm_header_refuse(context, path, place, "%s", reason);
}

void ebm_tensor_name(const ebm_layer *layer, const ebm_tensor *tensor,
                     int is_composition, char name[EBM_TENSOR_NAME])
{
    int used = 0;
    if (is_composition)
        used = snprintf(name, EBM_TENSOR_NAME, "%zu.", tensor->network);
    ebm_layer_view_name(layer, ebm_layer_find(layer, tensor->view),
                        name + used, EBM_TENSOR_NAME - (size_t)used);
}
