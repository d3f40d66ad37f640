/*
 * A checkpoint from the inside: objects by name, and the caller's numbers.
 *
 * In the file each object is an entry of the metadata libebm.objects, which
 * holds its numbers, and tensors whose names begin with its own:
 * docs/checkpoints.md.
 */
#ifndef EBM_CHECKPOINT_PART_H
#define EBM_CHECKPOINT_PART_H

#include <jansson.h>

#include <ebm/checkpoint.h>

#include "core/record.h"

#define EBM_CHECKPOINT_FORMAT "libebm.checkpoint"
#define EBM_CHECKPOINT_OBJECTS "libebm.objects"
#define EBM_CHECKPOINT_NUMBERS "libebm.numbers"
#define EBM_CHECKPOINT_VERSION "1"

/* Longest name of an object or a number, and with its end; the longest name of
   a tensor; most objects, and most numbers. */
enum {
    EBM_PART_LONGEST = 32,
    EBM_PART_NAME = EBM_PART_LONGEST + 1,
    EBM_PART_TENSOR = 240,
    EBM_MOST_PARTS_OF_CHECKPOINT = 256
};

typedef struct ebm_part {
    char name[EBM_PART_NAME];
    const ebm_record_ops *ops;
    void *object; /* referred to */
} ebm_part;

typedef struct ebm_part_number {
    char name[EBM_PART_NAME];
    uint64_t value;
} ebm_part_number;

struct ebm_checkpoint {
    ebm_object object;
    ebm_part *parts;
    size_t part_count, part_room;
    ebm_part_number *numbers;
    size_t number_count, number_room;
};

/* A record on its way to or from a file, whose object it is at. */
typedef struct ebm_part_record {
    ebm_record record; /* first */
    const ebm_checkpoint *checkpoint;
    const ebm_part *part;
    json_t *entry; /* of the part, in libebm.objects */
} ebm_part_record;

/* The record of a model: model_part.c. */
extern const ebm_record_ops ebm_model_record;

/* 1 to 32 letters, digits, "-" and "_". */
int ebm_part_name_is_good(const char *name);

/* The part of that name, or NULL. */
const ebm_part *ebm_part_find(const ebm_checkpoint *checkpoint,
                              const char *name);

/* "buffer.states"; ebm_record_fail() with OVERFLOW when it is too long. */
void ebm_part_tensor_name(ebm_part_record *record, const char *array,
                          char name[EBM_PART_TENSOR]);

/* What a type of array is called in files, and bytes of an element. */
const char *ebm_array_dtype(ebm_array_type type);
size_t ebm_array_element(ebm_array_type type);

/* Number of elements. */
size_t ebm_array_count(const ebm_array *array);

/* Elements from and to bytes, `count` of them from number `first` on. */
void ebm_array_store(const ebm_array *array, size_t first, size_t count,
                     unsigned char *bytes);
void ebm_array_load(const ebm_array *array, size_t first, size_t count,
                    const unsigned char *bytes);

/* Chains and the buffer that they were drawn from last: which buffer of the
   checkpoint it is, "" for none, while their slots are good. Objects of other
   kinds pass. */
void ebm_part_write_link(ebm_part_record *record);

/* The same from a file, once all parts are staged: the part of the buffer, or
   NULL. The staged slots must be slots of that buffer. */
const ebm_part *ebm_part_read_link(ebm_part_record *record, void **images,
                                   const void *image);

/* Once all parts are committed; no buffer is fine. */
void ebm_part_restore_link(const ebm_part *chains, const ebm_part *buffer);

#endif
