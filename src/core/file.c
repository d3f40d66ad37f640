/* Files that are never seen half written: temporary, fsync, rename, and fsync
   of the folder, without which the rename itself may be lost. */
#define _FILE_OFFSET_BITS 64

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/object.h"

/* Longest part of a path in an error text, and most names tried for a
   temporary: each one taken is a file left by a killed process of the same
   number, or another thread's. */
enum { LONGEST_PATH = 120, TRIES = 1000, NAME_SIZE = 64 };

const char *ebm_file_tail(const char *path)
{
    size_t length = strlen(path);
    return length > LONGEST_PATH ? path + length - LONGEST_PATH : path;
}

ebm_status ebm_file_fail(const ebm_context *context, const char *action,
                         const char *path, int error)
{
    char reason[80];
    if (strerror_r(error, reason, sizeof reason))
        snprintf(reason, sizeof reason, "error %d", error);
    return ebm_fail(context, EBM_ERROR_IO, "can not %s %s: %s", action,
                    ebm_file_tail(path), reason);
}

static void forget(ebm_file *file)
{
    ebm_free(file->context, file->target);
    ebm_free(file->context, file->temporary);
    memset(file, 0, sizeof *file);
}

/* Creates the temporary in the target's folder. mkstemp would make it private
   to the user; this way the umask decides, as for any other file. The name
   does not grow from the target's, which may be as long as a name can be. */
static int create(char *temporary, size_t folder)
{
    for (int i = 0; i < TRIES; i++) {
        snprintf(temporary + folder, NAME_SIZE, ".ebm-%ld-%d.tmp",
                 (long)getpid(), i);
        int descriptor =
            open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

ebm_status ebm_file_begin(const ebm_context *context, const char *path,
                          ebm_file *file)
{
    struct stat status;
    memset(file, 0, sizeof *file);
    if (!*path)
        return ebm_file_fail(context, "write to", "an empty path", ENOENT);
    /* Renaming onto a device would put a file in its place. */
    if (!stat(path, &status) && !S_ISREG(status.st_mode))
        return ebm_fail(context, EBM_ERROR_IO,
                        "can not write %s: it is not a regular file",
                        ebm_file_tail(path));
    size_t length = strlen(path);
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    file->context = context;
    file->target = ebm_alloc(context, length + 1, 1);
    file->temporary = ebm_alloc(context, folder + NAME_SIZE, 1);
    if (!file->target || !file->temporary) {
        forget(file);
        return ebm_out_of_memory(context, "a path");
    }
    memcpy(file->target, path, length + 1);
    memcpy(file->temporary, path, folder);
    int descriptor = create(file->temporary, folder);
    if (descriptor >= 0)
        file->stream = fdopen(descriptor, "wb");
    if (!file->stream) {
        int error = errno;
        if (descriptor >= 0) {
            close(descriptor);
            unlink(file->temporary);
        }
        forget(file);
        return ebm_file_fail(context, "create a file for", path, error);
    }
    return EBM_OK;
}

ebm_status ebm_file_write(ebm_file *file, const void *bytes, size_t size)
{
    if (!file->error && fwrite(bytes, 1, size, file->stream) != size)
        file->error = errno ? errno : EIO;
    if (file->error)
        return ebm_file_fail(file->context, "write", file->target,
                             file->error);
    return EBM_OK;
}

/* Makes the rename durable. A folder that may be written but not read can not
   be opened, and some file systems know no fsync of a folder: neither spoils
   the file, which is complete and in place. Returns an errno. */
static int sync_folder(char *temporary)
{
    char *slash = strrchr(temporary, '/');
    if (slash)
        slash[1] = 0;
    int error = 0;
    int folder =
        open(slash ? temporary : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return 0;
    if (fsync(folder) && errno != EINVAL && errno != ENOTSUP)
        error = errno;
    close(folder);
    return error;
}

ebm_status ebm_file_commit(ebm_file *file)
{
    const ebm_context *context = file->context;
    FILE *stream = file->stream;
    ebm_status status = EBM_OK;
    int error = file->error;
    if (!error && ferror(stream))
        error = EIO;
    if (!error && (fflush(stream) || fsync(fileno(stream))))
        error = errno;
    /* Closed in any case; after a clean fsync a failure still counts. */
    if (fclose(stream) && !error)
        error = errno;
    if (!error && rename(file->temporary, file->target))
        error = errno;
    if (error)
        unlink(file->temporary);
    else
        error = sync_folder(file->temporary);
    if (error)
        status = ebm_file_fail(context, "write", file->target, error);
    forget(file);
    return status;
}

void ebm_file_abandon(ebm_file *file)
{
    if (!file->stream)
        return;
    fclose(file->stream);
    unlink(file->temporary);
    forget(file);
}

/* Without O_NONBLOCK a pipe would hold us up until somebody writes to it. */
ebm_status ebm_file_open(const ebm_context *context, const char *path,
                         FILE **stream, uint64_t *size)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status))
        goto fail;
    if (!S_ISREG(status.st_mode)) {
        close(descriptor);
        return ebm_fail(context, EBM_ERROR_IO,
                        "can not read %s: it is not a regular file",
                        ebm_file_tail(path));
    }
    *stream = fdopen(descriptor, "rb");
    if (!*stream)
        goto fail;
    if (size)
        *size = (uint64_t)status.st_size;
    return EBM_OK;
fail:;
    int error = errno;
    if (descriptor >= 0)
        close(descriptor);
    return ebm_file_fail(context, "open", path, error);
}
