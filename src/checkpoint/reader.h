/* The parts of reading a header: header_read.c, and what it calls. */
#ifndef EBM_CHECKPOINT_READER_H
#define EBM_CHECKPOINT_READER_H

#include <jansson.h>

#include "checkpoint/header.h"

/* Sizes beyond it are no sizes, and it converts to any integer type. */
#define EBM_LARGEST_ARGUMENT 2147483647.0

typedef struct ebm_header_reader {
    ebm_context *context;
    const char *path;
    uint64_t data_size;
    ebm_header *header;
    char place[32]; /* "network 2: " in a composition, else "" */
} ebm_header_reader;

#define EBM_REFUSE(reader, ...)                                           \
    ebm_header_refuse((reader)->context, (reader)->path, (reader)->place, \
                      __VA_ARGS__)
#define EBM_BLAME(reader, status)                                        \
    ebm_header_blame((reader)->context, (reader)->path, (reader)->place, \
                     (status))

/* Parses JSON that an error text calls `what`; duplicate keys are refused.
   Errors: FORMAT, MEMORY. */
ebm_status ebm_read_json(const ebm_header_reader *reader, const char *what,
                         const char *text, size_t length, json_t **json);

/* An array of exactly count whole numbers that are not negative; else 0. */
int ebm_read_sizes(const json_t *array, uint64_t *sizes, size_t count);

/* Makes the next network of the header from what libebm.input and
   libebm.layers say: rows.c. */
ebm_status ebm_read_network(const ebm_header_reader *reader,
                            const json_t *input, const json_t *layers);

/* Turns what libebm.model says into the header's list, for its networks:
   tree_json.c. */
ebm_status ebm_read_tree(const ebm_header_reader *reader, const json_t *json);

/* The other way; NULL when memory runs out. */
json_t *ebm_tree_json(const ebm_model *model,
                      const ebm_network_list *networks);

/* [{"input":[32,32,3],"layers":[...]}, ...]; NULL when memory runs out. */
json_t *ebm_networks_json(const ebm_network_list *networks);

/* A number that is read back to the bit. */
json_t *ebm_number_json(double value);

#endif
