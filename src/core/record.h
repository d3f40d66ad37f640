/*
 * What an object remembers from one call to the next, by name: whole numbers,
 * real numbers and arrays. An object that is given back what it remembered
 * goes on as if nothing had happened, to the bit.
 *
 * A room says what that is in one function, which serves both ways: a record
 * that writes takes down what the pointers point to, one that reads puts there
 * what it finds under the name. How, and where to, is the affair of whoever
 * made the record.
 *
 * A record keeps the first failure and does nothing more: a room looks at
 * `status` before it relies on numbers, and hands it on in the end.
 */
#ifndef EBM_CORE_RECORD_H
#define EBM_CORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "core/object.h"

typedef enum ebm_array_type {
    EBM_ARRAY_F32, /* finite */
    EBM_ARRAY_I32,
    EBM_ARRAY_U64
} ebm_array_type;

typedef struct ebm_array {
    const char *name;
    ebm_array_type type;
    size_t rank, shape[4];
    void *data;
    /* Where element i of the record stands in data; NULL: at i. */
    size_t (*place)(const void *layout, size_t number, size_t i);
    const void *layout;
    size_t number;
} ebm_array;

typedef struct ebm_record ebm_record;

/* One of the two ways. All set the status when something is wrong. */
typedef struct ebm_record_way {
    int is_reading;
    void (*whole)(ebm_record *record, const char *name, uint64_t *value);
    void (*real)(ebm_record *record, const char *name, double *value);
    void (*array)(ebm_record *record, const ebm_array *array);
} ebm_record_way;

struct ebm_record {
    const ebm_context *context;
    const ebm_record_way *way;
    ebm_status status;
    char place[200]; /* in front of error texts */
    struct ebm_record_block *blocks;
};

/* What a room has for a kind of object. */
typedef struct ebm_record_ops {
    const char *kind; /* "buffer" */
    ebm_type type;
    size_t image; /* bytes of what stage() leaves for commit() */
    /* Takes down the object. STATE: it is in the middle of something. */
    ebm_status (*save)(const void *object, ebm_record *record);
    /* Everything about giving it back that can fail: reads into the image,
       which is zeroed memory, checks it as if somebody had made it to do harm,
       and allocates. The object stays as it is. */
    ebm_status (*stage)(const void *object, ebm_record *record, void *image);
    /* Gives it back. Called at most once for a stage. */
    void (*commit)(void *object, void *image);
} ebm_record_ops;

void ebm_record_whole(ebm_record *record, const char *name, uint64_t *value);
void ebm_record_real(ebm_record *record, const char *name, double *value);

/* The forms below are for the usual arrays. */
void ebm_record_array(ebm_record *record, const ebm_array *array);
void ebm_record_floats(ebm_record *record, const char *name,
                       const size_t *shape, size_t rank, float *data);
void ebm_record_integers(ebm_record *record, const char *name, size_t count,
                         int32_t *data);
void ebm_record_wholes(ebm_record *record, const char *name, size_t count,
                       uint64_t *data);

/* A number that the object was made with: a record that reads must have the
   same. Errors: SHAPE. */
void ebm_record_same(ebm_record *record, const char *name, uint64_t value);

/* Zeroed memory that lives as long as the record; NULL when there is none or
   the record has failed before. */
void *ebm_record_memory(ebm_record *record, size_t count, size_t size);

/* Makes this the record's failure unless it has one; returns the first. FORMAT
   is for what no object could have written. */
ebm_status ebm_record_fail(ebm_record *record, ebm_status status,
                           const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Frees what ebm_record_memory() gave. */
void ebm_record_free(ebm_record *record);

#endif
