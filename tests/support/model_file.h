/*
 * For the tests of model files: some networks, a folder for their files, and
 * a reader of its own. The energies that a file stands for are computed here
 * a second time, in double precision, channels first, by plain loops over the
 * file's layers and tensors. This shares no code with the library, so it
 * proves names, shapes and the order of every array.
 */
#ifndef EBM_TEST_MODEL_FILE_H
#define EBM_TEST_MODEL_FILE_H

#include <jansson.h>

#include "ebm_test.h"
#include "folder.h"

/* Where the test at hand keeps its file; made and removed for each test.
   Removing fails when something else was left there. */
extern test_folder model_folder;
extern char model_path[300];
int model_folder_make(void **state);
int model_folder_remove(void **state);
#define TEST_WITH_FOLDER(name)                               \
    cmocka_unit_test_setup_teardown(name, model_folder_make, \
                                    model_folder_remove)

/* Networks that differ in what can go wrong. */
typedef struct test_net {
    size_t shape[3];
    ebm_status (*build)(ebm_network *network);
} test_net;
enum { ALL_KINDS, FLAT_TWICE, CONV_ONLY, POINTS, DIGITS, NETS };
extern const test_net test_nets[NETS];

ebm_model *test_make_model(ebm_context *context, const test_net *net);

/* A whole file; free() it. */
unsigned char *test_slurp(const char *path, size_t *size);

/* A model file, taken apart. */
typedef struct test_saved {
    unsigned char *bytes;
    size_t size, header; /* bytes of the file, of the JSON text */
    json_t *root, *layers;
} test_saved;

test_saved test_read_saved(const char *path);
void test_free_saved(test_saved *file);

/* The energy of one sample [height, width, channels]. */
double test_saved_energy(const test_saved *file, const float *sample,
                         const size_t input[3]);

#endif
