#include "try.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void try_status(const ebm_context *context, ebm_status status,
                const char *file, int line)
{
    if (status == EBM_OK)
        return;
    const char *text = ebm_context_last_error(context);
    fail(EXIT_RUN, "%s (%s at %s:%d)",
         text[0] != '\0' ? text : ebm_status_text(status),
         ebm_status_name(status), file, line);
}

void *try_allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        fail(EXIT_RUN, "no memory for %zu elements of %zu bytes", count, size);
    return memory;
}

char *try_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(try_allocate(size, 1), text, size);
}

void try_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        fail(EXIT_RUN, "standard output can not be written");
}

void fail(int exit_code, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("error: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(exit_code);
}
