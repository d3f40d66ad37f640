/*
 * The names of a folder's PNG files, in an order of their own: file systems
 * have none that lasts.
 */
#ifndef EBM_DATASET_NAMES_H
#define EBM_DATASET_NAMES_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef struct ebm_names {
    char *text;         /* name after name, each with its NUL */
    const char **names; /* [count], sorted byte by byte; into text */
    size_t count;
} ebm_names;

/* Lists what ends in ".png" in any case and does not begin with a dot.
   descriptor is an open folder and stays so; path is for texts. A folder
   without such names gives count 0. Errors: IO, MEMORY; then nothing is
   held. */
ebm_status ebm_names_list(const ebm_context *context, int descriptor,
                          const char *path, ebm_names *names);

/* Does nothing to an all-zero one. */
void ebm_names_free(const ebm_context *context, ebm_names *names);

#endif
