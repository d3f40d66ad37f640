/*
 * Chains from the inside, for sampler, buffer and loss.
 */
#ifndef EBM_CHAINS_CHAINS_H
#define EBM_CHAINS_CHAINS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <ebm/chains.h>
#include <ebm/model.h>

#include "core/object.h"
#include "core/record.h"

/* In slots: the chain came from no slot. */
#define EBM_NO_SLOT SIZE_MAX

/* The tail of the last run's trajectory: see tail.h, which alone writes it.
   The model is referred to (counted), so that its address names it. */
typedef struct ebm_tail {
    size_t kept;       /* steps: 0 when nothing is kept */
    size_t room;       /* steps there is memory for */
    float *states;     /* [room, n, size]: y of each step */
    uint8_t *masks;    /* [room, n, size]: EBM_MASK_ bits of each element */
    float *step_sizes; /* [room] */
    ebm_model *model;
    uint64_t version; /* of the model's parameters, when the run began */
    int is_complete;
} ebm_tail;

struct ebm_chains {
    ebm_object object;
    size_t n;
    size_t height, width, channels;
    size_t size; /* height width channels */
    uint64_t seed;
    uint64_t first_stream;
    uint64_t steps; /* Langevin steps since creation, never reset */
    uint64_t inits; /* keys the draws of init_normal and init_uniform */
    float *states;  /* [n, size], at its end room for whole vectors */
    int32_t *labels;
    ebm_origin *origins;
    uint64_t *ages;
    uint64_t *transitions; /* that each went through since it began */
    uint64_t *diverged;    /* step number from 1 on, or 0 */
    /* Steps since the chains were last started, drawn, or moved by a sampler's
       transition: the next one is due when there are enough. */
    uint64_t since_jump;

    /* The last draw: from which buffer, in which layout of its slots, and
       which slot of each chain. The buffer is referred to (counted), so that
       its address names it for as long as it is remembered; NULL before a
       draw, and after an init or set_states. Only the buffer's own room looks
       into it. */
    ebm_object *buffer;
    uint64_t buffer_layout;
    size_t *slots;

    ebm_tail tail;

    /* A run is moving them, or losses are reading them, several threads'
       perhaps: callbacks of these must not move them. */
    int is_moving;
    atomic_size_t readers;
};

/* STATE with a text while a run is moving the chains: for what reads them. */
ebm_status ebm_chains_check_still(const ebm_chains *chains);

/* The same while a loss is reading them too: for what writes them. */
ebm_status ebm_chains_check_free(const ebm_chains *chains);

/* Around a pass that calls back while it reads; const is about the states. */
void ebm_chains_begin_read(const ebm_chains *chains);
void ebm_chains_end_read(const ebm_chains *chains);

/* Frees the tail's memory: tail.c. */
void ebm_tail_free(ebm_chains *chains);

/* Index of the first marked chain, or n. */
size_t ebm_chains_first_diverged(const ebm_chains *chains);

/* DIVERGED with a text that names the chain and the step, if any is marked. */
ebm_status ebm_chains_check_healthy(const ebm_chains *chains);

/* Whether there is an origin of that number; ARGUMENT with a text if not. */
ebm_status ebm_check_origin(const ebm_context *context, ebm_origin origin);

/* "noise", "data", "persisted from noise", "persisted from data". */
const char *ebm_origin_text(ebm_origin origin);

/* Whether all elements of `what` [n, size] are finite; NON_FINITE with a text
   that names sample and element if not. */
ebm_status ebm_check_finite(const ebm_context *context, const char *what,
                            const float *x, size_t n, size_t size);

/* Whether draws from [minimum, maximum), or from N(mean, std^2), are finite
   floats; RANGE with a text if not. */
ebm_status ebm_check_uniform_law(const ebm_context *context, double minimum,
                                 double maximum);
ebm_status ebm_check_normal_law(const ebm_context *context, double mean,
                                double std);

/* What chains remember, in the types of a record: record.c. No slot is
   UINT64_MAX. Which buffer the slots are of is not in it: after a commit the
   chains know none. */
typedef struct ebm_chains_image {
    uint64_t seed, first_stream, steps, inits, since_jump;
    float *states;
    int32_t *labels, *origins;
    uint64_t *ages, *transitions, *diverged, *slots;
} ebm_chains_image;

extern const ebm_record_ops ebm_chains_record;

#endif
