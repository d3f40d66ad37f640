/* Handles: identity, reference counts, error texts. */
#include "core/object.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/context.h"
#include "core/memory.h"

void *ebm_object_create(ebm_context *context, ebm_type type, size_t size,
                        void (*finish)(void *object))
{
    ebm_object *object = ebm_alloc_zero(context, 1, size);
    if (!object) {
        ebm_out_of_memory(context, "a handle");
        return NULL;
    }
    object->word = (uint32_t)type;
    atomic_init(&object->references, 1);
    object->context = ebm_object_retain(context);
    object->finish = finish;
    return object;
}

void *ebm_object_retain(void *object)
{
    if (object)
        atomic_fetch_add(&((ebm_object *)object)->references, 1);
    return object;
}

void ebm_object_release(void *handle)
{
    ebm_object *object = handle;
    if (!object || atomic_fetch_sub(&object->references, 1) != 1)
        return;
    ebm_context *context = object->context;
    int is_context = (void *)context == (void *)object;
    object->word = EBM_TYPE_DEAD;
    if (object->finish)
        object->finish(object);
    if (is_context)
        return; /* its finish has freed it: nobody else could */
    ebm_free(context, object);
    ebm_object_release(context);
}

void ebm_object_destroy(void *handle, ebm_type type)
{
    if (!ebm_object_is(handle, type))
        return;
    ((ebm_object *)handle)->word = EBM_TYPE_DEAD;
    ebm_object_release(handle);
}

/* Paths and names from files may hold line ends and worse. */
static void keep_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

ebm_status ebm_fail(const ebm_context *context, ebm_status status,
                    const char *format, ...)
{
    if (!context)
        return status;
    /* The text is not part of what const promises not to change. */
    ebm_context *writable = (ebm_context *)(uintptr_t)context;
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&writable->error_lock);
    vsnprintf(writable->error, sizeof writable->error, format, arguments);
    keep_one_line(writable->error);
    pthread_mutex_unlock(&writable->error_lock);
    va_end(arguments);
    return status;
}

void ebm_log(const ebm_context *context, ebm_log_level level,
             const char *format, ...)
{
    if (!context->log)
        return;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    keep_one_line(text);
    context->log(level, text, context->log_user);
}

ebm_status ebm_fail_loudly(const ebm_context *context, ebm_status status,
                           const char *format, ...)
{
    /* Not read back from the context: another thread may fail meanwhile. */
    char text[sizeof context->error];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ebm_fail(context, status, "%s", text);
    ebm_log(context, EBM_LOG_WARNING, "%s", text);
    return status;
}
