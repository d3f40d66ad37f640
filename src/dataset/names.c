/* Listing a folder. */
#include "dataset/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/file.h"
#include "core/memory.h"

enum { FIRST_ROOM = 4096 };

static int is_png(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 4 &&
           !strcasecmp(name + length - 4, ".png");
}

/* Appends a name to text[*held] of *room bytes. */
static ebm_status append(const ebm_context *context, const char *name,
                         char **text, size_t *held, size_t *room)
{
    size_t length = strlen(name) + 1;
    if (length > *room - *held) {
        size_t more = *room ? 2 * *room : FIRST_ROOM;
        char *grown = ebm_alloc(context, more, 1);
        if (!grown)
            return ebm_out_of_memory(context, "the names of files");
        if (*held)
            memcpy(grown, *text, *held);
        ebm_free(context, *text);
        *text = grown;
        *room = more;
    }
    memcpy(*text + *held, name, length);
    *held += length;
    return EBM_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two names are never the same, so the order is one whatever qsort() does. */
static ebm_status sort(const ebm_context *context, ebm_names *names)
{
    const char *name = names->text;
    names->names = ebm_alloc(context, names->count, sizeof *names->names);
    if (!names->names)
        return ebm_out_of_memory(context, "the names of files");
    for (size_t i = 0; i < names->count; i++) {
        names->names[i] = name;
        name += strlen(name) + 1;
    }
    if (names->count)
        qsort(names->names, names->count, sizeof *names->names, by_bytes);
    return EBM_OK;
}

ebm_status ebm_names_list(const ebm_context *context, int descriptor,
                          const char *path, ebm_names *out)
{
    ebm_names names = {0};
    size_t held = 0, room = 0;
    ebm_status status = EBM_OK;
    /* closedir() closes what it was given. */
    int own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = own < 0 ? NULL : fdopendir(own);
    if (!folder) {
        int error = errno;
        if (own >= 0)
            close(own);
        return ebm_file_fail(context, "list", path, error);
    }
    while (status == EBM_OK) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            if (errno)
                status = ebm_file_fail(context, "list", path, errno);
            break;
        }
        if (!is_png(entry->d_name))
            continue;
        status = append(context, entry->d_name, &names.text, &held, &room);
        names.count += status == EBM_OK;
    }
    closedir(folder);
    if (status == EBM_OK)
        status = sort(context, &names);
    if (status == EBM_OK)
        *out = names;
    else
        ebm_names_free(context, &names);
    return status;
}

void ebm_names_free(const ebm_context *context, ebm_names *names)
{
    ebm_free(context, names->text);
    ebm_free(context, (void *)names->names);
    memset(names, 0, sizeof *names);
}
