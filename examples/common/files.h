/*
 * Files that other tools read: tables as CSV, arrays as NumPy's .npy.
 * What can not be written ends the program with a message.
 */
#ifndef EXAMPLES_COMMON_FILES_H
#define EXAMPLES_COMMON_FILES_H

#include <stddef.h>
#include <stdio.h>

#include <ebm/ebm.h>

/* Makes a folder and those above it; one that is there is fine. A path that
   can not be one is a usage error. */
void make_folder(const char *path);

/* Says now, as a usage error, what would keep a file from being written when
   minutes of work are over. Nothing in the folder changes. */
void check_writable(const char *folder, const char *name);

/* "folder/name", good until the next call. */
const char *path_in(const char *folder, const char *name);

/*
 * Finds the data that a path means: the path itself when it is a file, else
 * the images in that folder ("idx3" in the name), a training set before a
 * test set. Returns NULL when there are none; to be freed.
 */
char *find_idx_images(const char *path);

/*
 * The digits that come with the examples: examples/data seen from here, or
 * data in the folder above that of a source file (__FILE__). NULL, or to be
 * freed.
 */
char *find_shipped_images(const char *source_file);

/* The labels that belong to an image file: "labels-idx1" where that has
   "images-idx3". NULL when there is no such file; to be freed. */
char *find_idx_labels(const char *images);

typedef struct csv_file {
    FILE *file;
    char *path;
    size_t columns;
} csv_file;

/* Begins a table with the columns' names. Each row is on the disk when
   csv_row() returns, so a run that dies leaves what it knew. */
void csv_open(csv_file *csv, const char *path, const char *const *columns,
              size_t count);
void csv_row(csv_file *csv, const double *values);
void csv_close(csv_file *csv);

/* Writes a float array with the given shape for numpy.load(). */
void npy_write(const char *path, const float *values, const size_t *shape,
               size_t rank);

/* Writes all states of a replay buffer, oldest first, float32 [n, height,
   width, channels]. */
ebm_status npy_write_buffer(const char *path, const ebm_buffer *buffer,
                            size_t height, size_t width, size_t channels);

#endif
