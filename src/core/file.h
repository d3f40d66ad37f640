/*
 * Files that are never seen half written.
 *
 * What is written goes into a temporary beside the target, is made durable,
 * and takes the target's name in one step. Until then, and when anything
 * fails, the target is what it was and no temporary stays behind (unless the
 * process is killed). A symbolic link at the target is replaced, not
 * followed; a target that is not a regular file (a device, a folder) is
 * refused.
 *
 *     ebm_file file = {0};
 *     EBM_TRY(ebm_file_begin(context, path, &file));
 *     ebm_file_write(&file, bytes, size);     or stdio on file.stream
 *     return ebm_file_commit(&file);          or ebm_file_abandon(&file)
 */
#ifndef EBM_CORE_FILE_H
#define EBM_CORE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef struct ebm_file {
    FILE *stream; /* for writing; NULL when nothing is open */
    const ebm_context *context;
    char *target;
    char *temporary;
    int error; /* errno of the first failed ebm_file_write(), or 0 */
} ebm_file;

/* Opens a temporary beside path. On failure *file is all zero.
   Errors: IO, MEMORY. */
ebm_status ebm_file_begin(const ebm_context *context, const char *path,
                          ebm_file *file);

/* Writes size bytes. Once a write has failed, later ones do nothing and the
   commit fails: a caller may look only there. Errors: IO. */
ebm_status ebm_file_write(ebm_file *file, const void *bytes, size_t size);

/* Flushes, syncs, renames, and syncs the folder. *file is all zero afterwards,
   whatever comes back. Errors: IO. */
ebm_status ebm_file_commit(ebm_file *file);

/* Closes and removes the temporary. Does nothing to an all-zero file. */
void ebm_file_abandon(ebm_file *file);

/* IO with the text "can not DO PATH: reason", error being an errno. */
ebm_status ebm_file_fail(const ebm_context *context, const char *action,
                         const char *path, int error);

/* Opens a regular file to read, and says how long it is (size may be NULL). A
   pipe or a device would keep us waiting, or never end. Errors: IO. */
ebm_status ebm_file_open(const ebm_context *context, const char *path,
                         FILE **stream, uint64_t *size);

/* The end of a path that fits into an error text with words around it. */
const char *ebm_file_tail(const char *path);

#endif
