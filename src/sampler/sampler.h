/*
 * Samplers from the inside: a kind is a file with a table of functions and a
 * row in sampler.c.
 */
#ifndef EBM_SAMPLER_SAMPLER_H
#define EBM_SAMPLER_SAMPLER_H

#include <ebm/sampler.h>

#include "chains/tail.h"
#include "core/object.h"
#include "core/record.h"
#include "kernel/kernels.h"
#include "model/slab.h"
#include "transition/transition.h"

enum { EBM_SAMPLER_KEYS = 12, EBM_SAMPLER_STATISTICS = 11 };

/* Why a chain takes no part in the step in progress. */
typedef enum ebm_refusal {
    EBM_REFUSED_NOT,
    EBM_REFUSED_STOPPED, /* it had diverged before */
    EBM_REFUSED_NON_FINITE,
    EBM_REFUSED_OUTSIDE
} ebm_refusal;

/* What one chain measured in a run: written by whoever moves its slab, added
   up afterwards. Only completed steps count. */
typedef struct ebm_chain_record {
    ebm_langevin_counts counts;
    uint64_t clamped_noise; /* of the step in progress; BAOAB: reflections */
    uint64_t steps;
    /* Metropolis decisions, and what the refused ones failed by. */
    uint64_t accepted, non_finite, outside;
    double acceptance;   /* probability of the last decision */
    double kinetic;      /* |p|^2 / 2 at the start of the step */
    float energy;        /* of the present state */
    ebm_refusal refused; /* of the step in progress */
} ebm_chain_record;

/* Some steps of a run, for all chains. */
typedef struct ebm_segment {
    const ebm_sampler *sampler;
    const ebm_model *model;
    ebm_chains *chains;
    size_t steps;
    size_t before;    /* steps of this run before the segment */
    size_t total;     /* steps of this run */
    size_t kept_from; /* the first step of the run that the tail keeps */
    ebm_chain_record *records; /* [n] */
    /* Steps that were completed: fewer than `steps` when a callback failed,
       which only a model of callbacks, one slab in all, can do. */
    size_t completed;
} ebm_segment;

typedef struct ebm_sampler_ops {
    const char *name;
    unsigned keys; /* bit k: there is a key k */
    /* The step must not be 0: it stands in a denominator, or a chain that
       never moves would pass for one that samples. */
    int divides_by_step;
    /* Acceptance that a warm-up aims at; 0: not a Metropolis kind. */
    double target;
    /* Arrays [n, size] that live from one segment of a run to the next: the
       gradient of the present states first. */
    size_t carried;
    /* Floats that a worker needs beside a slab's own arrays. */
    size_t (*extra)(const ebm_model *model, size_t slab);
    /* Moves the chains of one slab through a segment. `task` counts slabs
       from the one that holds the first stream. */
    ebm_status (*move_slab)(ebm_segment *segment, size_t task, int worker);
} ebm_sampler_ops;

extern const ebm_sampler_ops ebm_sampler_langevin;
extern const ebm_sampler_ops ebm_sampler_tied;
extern const ebm_sampler_ops ebm_sampler_mala;
extern const ebm_sampler_ops ebm_sampler_hmc;
extern const ebm_sampler_ops ebm_sampler_baoab;
extern const ebm_sampler_ops ebm_sampler_descent;

/* The keys of every kind. */
#define EBM_SAMPLER_COMMON_KEYS                              \
    (1u << EBM_SAMPLER_STEPS | 1u << EBM_SAMPLER_STEP_SIZE | \
     1u << EBM_SAMPLER_STATE_MIN | 1u << EBM_SAMPLER_STATE_MAX)

static inline int ebm_sampler_has(const ebm_sampler_ops *ops,
                                  ebm_sampler_key key)
{
    return (ops->keys >> key & 1u) != 0;
}

/* How a setting runs over the steps of a run: schedule.c. */
typedef struct ebm_schedule {
    ebm_schedule_kind kind;
    double from, to;
    ebm_sampler_schedule_fn callback; /* or NULL */
    void *user;
    double *table; /* the callback's values for the steps of this run */
    size_t room;
} ebm_schedule;

/* Step size, noise and temperature can have one. */
enum { EBM_SCHEDULES = 3 };

/* A warm-up on its way: adapt.c. */
typedef struct ebm_adaptation {
    uint64_t done;    /* steps */
    double center;    /* mu */
    double shortfall; /* H bar */
    double log_mean;  /* log of the averaged step size */
} ebm_adaptation;

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
    size_t moved; /* chains of the last run */

    ebm_schedule schedules[EBM_SCHEDULES];
    ebm_adaptation adaptation;
    float *carried; /* [ops->carried, n, size] */
    size_t carried_room;
    int carries; /* the gradients in it are those of the chains' states */
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
size_t ebm_sampler_tasks(const ebm_model *model, const ebm_chains *chains);

/* Fills in the initial settings. */
void ebm_sampler_reset(ebm_sampler *sampler);

/* RANGE with a text unless the key takes the value. */
ebm_status ebm_sampler_check_value(const ebm_sampler *sampler,
                                   ebm_sampler_key key, double value);

/* Whether the key has a schedule. */
int ebm_schedule_is_set(const ebm_sampler *sampler, ebm_sampler_key key);

/* What the key is at the segment's step k: by its schedule, or as it was set.
   Of those keys alone that can have a schedule. */
double ebm_sampler_value(const ebm_segment *segment, ebm_sampler_key key,
                         size_t k);

/* The least of its values over a run, after ebm_schedule_fill(). */
double ebm_schedule_least(const ebm_sampler *sampler, ebm_sampler_key key,
                          size_t steps);

/* Calls the callbacks of schedules for all steps of a run. */
ebm_status ebm_schedule_fill(ebm_sampler *sampler, size_t steps);
void ebm_schedule_free(ebm_sampler *sampler);

/* Whether the next step is one of the warm-up, and what follows it. */
int ebm_adapt_is_on(const ebm_sampler *sampler);
void ebm_adapt_restart(ebm_sampler *sampler);
void ebm_adapt_update(ebm_sampler *sampler, const ebm_chains *chains);

/* The enumerator of its kind. */
ebm_sampler_kind ebm_sampler_kind_of(const ebm_sampler *sampler);

extern const ebm_record_ops ebm_sampler_record; /* record.c */

#endif
