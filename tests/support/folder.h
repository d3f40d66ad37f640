/*
 * A folder of a test's own, and whole files in it.
 */
#ifndef EBM_TEST_FOLDER_H
#define EBM_TEST_FOLDER_H

#include <stddef.h>

typedef struct test_folder {
    char path[200];
} test_folder;

/* Makes an empty folder; fails the test if that fails. */
void test_folder_make(test_folder *folder);

/* The path of a file in it, in buffer[300]; returns buffer. */
const char *test_folder_file(const test_folder *folder, const char *name,
                             char buffer[300]);

/* How many entries it has, hidden ones included. */
size_t test_folder_count(const test_folder *folder);

/* Removes it with its files and empty folders. */
void test_folder_remove(test_folder *folder);

/* Whole files. test_file_read() fails the test when the file is missing or
   longer than `room`, and returns its length. */
void test_file_write(const char *path, const void *bytes, size_t size);
size_t test_file_read(const char *path, void *bytes, size_t room);

/* From now on the process can not write files longer than this; 0 lifts
   that. Writes beyond fail as on a full disk. */
void test_file_limit(size_t bytes);

#endif
