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

/* The same for a path of its own. */
void check_file_writable(const char *path);

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

/*
 * Goes on with a table that csv_open() began, after so many rows: what comes
 * behind them, the torn line of a run that was killed perhaps, is cut off. The
 * first column counts the rows from 1. Each row that stays is handed to `row`
 * with the user's pointer. Returns how many there are; when there are fewer
 * than `rows`, or no such table at all, nothing is opened or changed.
 */
size_t csv_resume(csv_file *csv, const char *path, const char *const *columns,
                  size_t count, size_t rows,
                  void (*row)(const double *values, void *user), void *user);

/* What is written so far reaches the disk. */
void csv_sync(csv_file *csv);

/* A number as the table holds it, with the digits that are written. */
double csv_rounded(double value);

/* Writes a float array with the given shape for numpy.load(). */
void npy_write(const char *path, const float *values, const size_t *shape,
               size_t rank);

/* Writes all states of a replay buffer, oldest first, float32 [n, height,
   width, channels]. */
ebm_status npy_write_buffer(const char *path, const ebm_buffer *buffer,
                            size_t height, size_t width, size_t channels);

#endif
