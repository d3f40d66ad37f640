/*
 * A slab of chains on its way through a segment, for the kinds that know the
 * gradient at their present states: from the segment before, where nothing
 * could have changed it, or from one pass of the model at the start.
 */
#ifndef EBM_SAMPLER_WALK_H
#define EBM_SAMPLER_WALK_H

#include "sampler/sampler.h"

enum { EBM_WALK_ARRAYS = 3 };

/* All arrays are [slab, size], and finite from the start in rows that hold no
   chain. */
typedef struct ebm_walk {
    ebm_segment *segment;
    ebm_slab_place place;
    ebm_slab slab;                  /* slab.x: where the model is asked next */
    size_t size;                    /* floats of a row */
    float *now;                     /* the present states */
    float *grad;                    /* their gradient */
    float *arrays[EBM_WALK_ARRAYS]; /* the kind's own, at first the states */
} ebm_walk;

/* Floats for a walk with so many arrays of the kind's own. */
size_t ebm_walk_extra(const ebm_model *model, size_t slab, size_t arrays);

/* Takes up the slab's chains. A chain whose energy or gradient is not finite
   is marked as diverged at the step that begins. */
ebm_status ebm_walk_begin(ebm_walk *walk, ebm_segment *segment, size_t task,
                          int worker, size_t arrays);

/* Asks the model for energies and gradients (slab.energy, slab.grad) at
   slab.x, in the segment's step k. */
ebm_status ebm_walk_pass(ebm_walk *walk, size_t k);

/* States and gradients go back to where they came from. */
void ebm_walk_end(const ebm_walk *walk);

/* The slab's share of the carried array number `index`. */
float *ebm_walk_carried(const ebm_walk *walk, size_t index);

/* The generator of the slab's chain i at the segment's step k. */
ebm_random ebm_walk_random(const ebm_walk *walk, ebm_purpose purpose, size_t i,
                           size_t k);

/* The record and the first element of the slab's chain i. */
static inline ebm_chain_record *ebm_walk_record(const ebm_walk *walk, size_t i)
{
    return walk->segment->records + walk->place.first + i;
}

static inline size_t ebm_walk_row(const ebm_walk *walk, size_t i)
{
    return (walk->place.first_slot + i) * walk->size;
}

/* p <- p - time g. */
static inline void ebm_walk_kick(size_t n, float time, const float *g,
                                 float *p)
{
    for (size_t i = 0; i < n; i++)
        p[i] -= time * g[i];
}

static inline int ebm_walk_has_stopped(const ebm_walk *walk, size_t i)
{
    return walk->segment->chains->diverged[walk->place.first + i] != 0;
}

#endif
