/*
 * The replay buffer's inside.
 *
 * Each state held has a slot, 0 .. count - 1. All policies keep the slots in
 * the order in which they were written, as a doubly linked ring of slot
 * numbers whose anchor is the number `capacity`: the oldest is found in one
 * step after any mixture of policies, and reading needs no sorting.
 */
#ifndef EBM_BUFFER_BUFFER_H
#define EBM_BUFFER_BUFFER_H

#include <ebm/buffer.h>

#include "core/object.h"
#include "core/random.h"
#include "core/record.h"
#include "transition/transition.h"

enum { EBM_BUFFER_KEYS = 3 };

/* The law of fresh states. */
typedef enum ebm_source_kind {
    EBM_SOURCE_NONE,
    EBM_SOURCE_UNIFORM,
    EBM_SOURCE_NORMAL,
    EBM_SOURCE_DATA
} ebm_source_kind;

typedef struct ebm_source {
    ebm_source_kind kind;
    float a, b; /* minimum and maximum, or mean and std */
    ebm_dataset *dataset;
    size_t samples;
} ebm_source;

struct ebm_buffer {
    ebm_object object;
    double values[EBM_BUFFER_KEYS];
    size_t capacity;
    size_t height, width, channels;
    size_t size; /* height width channels */
    uint64_t seed;
    ebm_source source;

    /* The slots. Origins are kept as the chain had them; what a draw makes of
       them depends on the age. */
    size_t count;
    float *states; /* [capacity, size] */
    int32_t *labels;
    ebm_origin *origins;
    uint64_t *ages;
    uint64_t *transitions;
    uint64_t *written; /* value of `stores` when the slot was written */
    size_t *newer;     /* [capacity + 1]; newer[capacity] is the oldest */
    size_t *older;     /* [capacity + 1]; older[capacity] is the newest */
    size_t *order;     /* [capacity], scratch of a draw */

    uint64_t seen;    /* states offered since creation: keys the reservoir */
    uint64_t offered; /* states offered since the buffer was last emptied */
    uint64_t fresh;   /* chains drawn fresh */
    uint64_t draws;   /* calls of draw: keys them */
    uint64_t fills;   /* fills, resets among them: keys them */
    uint64_t stores;  /* calls of store */
    uint64_t references; /* calls of ebm_buffer_reference: keys them */
    uint64_t layout;     /* changes when slots no longer hold what was drawn */

    ebm_transition *transition; /* referred to, or NULL */
    ebm_transition_work work;
    int is_applying; /* a callback of it must not begin another */
};

/* Takes the place of a state: everything but where it is put. */
typedef struct ebm_state {
    const float *x;
    int32_t label;
    ebm_origin origin;
    uint64_t age;
    uint64_t transitions;
} ebm_state;

/* Begins with an empty ring. */
void ebm_buffer_clear(ebm_buffer *buffer);

/* Writes a state into a slot, < count or equal to it (which appends), and
   makes the slot the newest. */
void ebm_buffer_write(ebm_buffer *buffer, size_t slot, const ebm_state *state);

/* Offers a state under FIFO, which is also how WRITE_BACK adds, or RESERVOIR,
   as the policy says. */
void ebm_buffer_offer(ebm_buffer *buffer, const ebm_state *state);

/* Samples that the next draws from the source will ask for, read beforehand,
   since reading files can fail and draws must not. For sources in memory it
   stays empty. To be given to ebm_free(). */
typedef struct ebm_stock {
    uint8_t *bytes; /* [.., size] in the order of the draws, or NULL */
    size_t taken;
} ebm_stock;

/* The generator of the i-th state of the next fill, a reset being one, and of
   chain i when it is drawn fresh next. */
ebm_random ebm_buffer_fill_random(const ebm_buffer *buffer, size_t i);
ebm_random ebm_buffer_fresh_random(const ebm_buffer *buffer, size_t i);

/* The sample that such a generator chooses, of a source of data. */
size_t ebm_source_sample(const ebm_source *source, const ebm_random *random);

/* One draw from the source: writes x[size] and *label. */
void ebm_buffer_fresh(const ebm_buffer *buffer, const ebm_random *random,
                      ebm_stock *stock, float *x, int32_t *label);

/* Origin of what the source gives. */
ebm_origin ebm_buffer_fresh_origin(const ebm_buffer *buffer);

/* Replaces every state held by a new one from the source. */
void ebm_buffer_reset(ebm_buffer *buffer, ebm_stock *stock);

/*
 * Copies `count` states, each drawn uniformly and with replacement from those
 * held, never fresh, into x[count, size]: what an entropy is measured against.
 * A counter of its own keys the draw, so that measuring never changes which
 * chains are drawn. They pass the buffer's transition, as drawn states do.
 *
 * The handle is not checked: an object that holds on to the buffer may ask
 * after the caller gave it up.
 *
 * Errors: ARGUMENT (x is NULL, count is 0), STATE (empty; a callback of the
 * transition), and those of a transition: SHAPE, RANGE, MEMORY, before x is
 * written; CALLBACK, NON_FINITE, after.
 */
ebm_status ebm_buffer_reference(ebm_buffer *buffer, size_t count, float *x);

/* What a buffer remembers, in the types of a record: record.c. The slots come
   as they stand; `order` names them, the oldest first. A source of data is not
   in it, only how many samples it has. */
typedef struct ebm_buffer_image {
    uint64_t count, seed, seen, offered, fresh, draws, fills, stores;
    uint64_t references, source, samples;
    double a, b;
    float *states;
    int32_t *labels, *origins;
    uint64_t *ages, *transitions, *written, *order;
} ebm_buffer_image;

extern const ebm_record_ops ebm_buffer_record;

/* Whether the chains could be stored back into the slots that they were drawn
   from, and making them believe so. */
int ebm_buffer_holds_slots(const ebm_buffer *buffer, const ebm_chains *chains);
void ebm_buffer_give_slots(ebm_buffer *buffer, ebm_chains *chains);

#endif
