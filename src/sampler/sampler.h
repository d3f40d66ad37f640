/*
 * Samplers from the inside: a kind is a file with a table of functions and a
 * row in sampler.c.
 */
#ifndef EBM_SAMPLER_SAMPLER_H
#define EBM_SAMPLER_SAMPLER_H

#include <ebm/sampler.h>

#include "chains/tail.h"
#include "core/object.h"
#include "kernel/kernels.h"
#include "model/slab.h"
#include "transition/transition.h"

enum { EBM_SAMPLER_KEYS = 7, EBM_SAMPLER_STATISTICS = 6 };

/* What one chain measured in a run: written by whoever moves its slab, added
   up afterwards. Only completed steps count. */
typedef struct ebm_chain_record {
    ebm_langevin_counts counts;
    uint64_t clamped_noise; /* of the step in progress */
    uint64_t steps;
} ebm_chain_record;

/* Some steps of a run, for all chains. */
typedef struct ebm_segment {
    const ebm_sampler *sampler;
    const ebm_model *model;
    ebm_chains *chains;
    size_t steps;
    size_t before;    /* steps of this run before the segment */
    size_t kept_from; /* the first step of the run that the tail keeps */
    ebm_chain_record *records; /* [n] */
    /* Steps that were completed: fewer than `steps` when a callback failed,
       which only a model of callbacks, one slab in all, can do. */
    size_t completed;
} ebm_segment;

typedef struct ebm_sampler_ops {
    /* Floats that a worker needs beside a slab's own arrays. */
    size_t (*extra)(const ebm_model *model, size_t slab);
    /* Moves the chains of one slab through a segment. `task` counts slabs
       from the one that holds the first stream. */
    ebm_status (*move_slab)(ebm_segment *segment, size_t task, int worker);
} ebm_sampler_ops;

extern const ebm_sampler_ops ebm_sampler_langevin;

struct ebm_sampler {
    ebm_object object;
    const ebm_sampler_ops *ops;
    double values[EBM_SAMPLER_KEYS];
    int is_running; /* a callback of the run must not begin another */
    size_t observe_every;
    ebm_sampler_observer_fn observer;
    void *observer_user;
    double statistics[EBM_SAMPLER_STATISTICS];

    ebm_transition *transition; /* referred to, or NULL: jump.c */
    size_t jump_every;
    ebm_transition_work jump_work;

    ebm_slab_memory memory;
    ebm_chain_record *records;
    size_t record_count;
};

/* The chains of a slab: those whose stream number, divided by the slab size,
   gives the slab's number; a chain's slot is the remainder. */
typedef struct ebm_slab_place {
    size_t first;      /* chain */
    size_t count;      /* chains */
    size_t first_slot; /* of the first chain */
} ebm_slab_place;

ebm_slab_place ebm_sampler_place(const ebm_segment *segment, size_t task);

/* Number of slabs that the chains touch. */
size_t ebm_sampler_tasks(const ebm_sampler *sampler, const ebm_chains *chains);

#endif
