/* Writing JSON. Jansson dumps members in the order they were set, so equal
   content gives equal bytes. */
#include <string.h>

#include "checkpoint/container.h"
#include "core/memory.h"

ebm_status ebm_json_dump(const ebm_context *context, const json_t *json,
                         char **text, size_t *length)
{
    /* 17 digits bring every double back. */
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(17);
    char nothing;
    size_t used = json_dumpb(json, &nothing, 0, flags);
    size_t padded = ebm_round_up(used, 8);
    char *block = used ? ebm_alloc(context, padded + 1, 1) : NULL;
    if (!block || json_dumpb(json, block, used, flags) != used) {
        ebm_free(context, block);
        return ebm_out_of_memory(context, "a file's header");
    }
    memset(block + used, ' ', padded - used);
    block[padded] = 0;
    *text = block;
    *length = padded;
    return EBM_OK;
}

/* In what follows NULL and non-zero mean that memory ran out: Jansson's
   setters take NULL for that, and let go of what they could not set. */

json_t *ebm_json_sizes(const size_t *sizes, size_t count)
{
    json_t *array = json_array();
    int bad = 0;
    for (size_t i = 0; i < count; i++)
        bad |=
            json_array_append_new(array, json_integer((json_int_t)sizes[i]));
    if (!bad)
        return array;
    json_decref(array);
    return NULL;
}

ebm_status ebm_json_set_text(const ebm_context *context, json_t *metadata,
                             const char *key, json_t *value)
{
    char *text = NULL;
    size_t length = 0;
    ebm_status status = ebm_json_dump(context, value, &text, &length);
    json_decref(value);
    if (status != EBM_OK)
        return status;
    while (text[length - 1] == ' ')
        length--;
    if (json_object_set_new(metadata, key, json_stringn(text, length)))
        status = ebm_out_of_memory(context, "a file's header");
    ebm_free(context, text);
    return status;
}

int ebm_json_set_tensor(json_t *root, const char *name, const char *dtype,
                        const size_t *shape, size_t rank, size_t begin,
                        size_t end)
{
    json_t *object = json_object();
    int bad = json_object_set_new(object, "dtype", json_string(dtype));
    bad |= json_object_set_new(object, "shape", ebm_json_sizes(shape, rank));
    bad |= json_object_set_new(object, "data_offsets",
                               ebm_json_sizes((size_t[]){begin, end}, 2));
    bad |= json_object_set(root, name, object);
    json_decref(object);
    return bad;
}
