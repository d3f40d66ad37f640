/* What reading and writing a header share. */
#include "checkpoint/header.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/file.h"
#include "core/memory.h"

void ebm_header_clear(ebm_context *context, ebm_header *header)
{
    ebm_network_destroy(header->network);
    ebm_free(context, header->tensors);
    memset(header, 0, sizeof *header);
}

ebm_status ebm_header_refuse(const ebm_context *context, const char *path,
                             const char *format, ...)
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
    return ebm_fail(context, EBM_ERROR_FORMAT, "%s: %s", ebm_file_tail(path),
                    text);
}

ebm_status ebm_header_blame(const ebm_context *context, const char *path,
                            ebm_status status)
{
    char reason[160];
    if (status != EBM_ERROR_ARGUMENT && status != EBM_ERROR_RANGE &&
        status != EBM_ERROR_SHAPE && status != EBM_ERROR_UNSUPPORTED)
        return status;
    ebm_context_copy_last_error(context, reason, sizeof reason);
    return ebm_header_refuse(context, path, "%s", reason);
}

void ebm_tensor_name(const ebm_layer *layers, const ebm_tensor *tensor,
                     char name[EBM_TENSOR_NAME])
{
    const ebm_layer *layer = layers + tensor->layer;
    ebm_layer_view_name(layer, layer->views + tensor->view, name,
                        EBM_TENSOR_NAME);
}
