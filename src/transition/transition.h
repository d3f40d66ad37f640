/*
 * Transitions from the inside: a kind is a file with a table of functions and
 * a row in transition.c.
 *
 * A transition is a tree: leaves act on images, inner nodes (sequence, one of)
 * choose which leaves act. Each application flattens the tree into a plan, a
 * list of nodes in depth-first order with copies of their settings, so that
 * nothing that a callback does can change what is on its way.
 *
 * Randomness: node number k of the plan draws for an image with
 *
 *     ebm_random_at(seed, purpose, stream, (count 128 + k) 2 + u)
 *
 * where u = 0 is the tree's own (whether the node acts, which part is chosen)
 * and u = 1 the kind's. Elements are the kind's to number, from 0 on. What
 * happens to an image is a function of these numbers alone.
 */
#ifndef EBM_TRANSITION_TRANSITION_H
#define EBM_TRANSITION_TRANSITION_H

#include <stdatomic.h>

#include <ebm/transition.h>

#include "core/object.h"
#include "core/option.h"
#include "core/random.h"
#include "kernel/kernels.h"

enum { EBM_TRANSITION_KEYS = 22, EBM_TRANSITION_NODES = 128 };

/* Counts stay below this: 128 nodes with 2 generators each take 8 of the 44
   bits of a step. */
#define EBM_TRANSITION_LIMIT ((uint64_t)1 << 36)

/* What a kind knows of the images: shape, and the range of the values, whose
   ends, width and inverse width are finite floats, minimum < maximum. */
typedef struct ebm_transition_shape {
    size_t height, width, channels;
    float minimum, maximum;
    const ebm_kernels *kernels;
} ebm_transition_shape;

/* What one application to one image is to report; zero before the call. */
typedef struct ebm_transition_facts {
    uint64_t folded; /* pixels whose Jacobian determinant is not positive */
} ebm_transition_facts;

/* A setting that a kind has. */
typedef struct ebm_transition_row {
    ebm_transition_key key;
    ebm_option_row option;
} ebm_transition_row;

/*
 * A kind of leaf. `values` is the array of all settings, indexed by key; those
 * that the kind has no row for are not to be read. All functions are pure.
 */
typedef struct ebm_transition_ops {
    /* Beside PROBABILITY, RANGE_MIN and RANGE_MAX, which all kinds have. A
       row for PROBABILITY replaces the common one. */
    const ebm_transition_row *rows;
    size_t row_count;
    /* Whether the settings make it the identity: then it is skipped, and the
       image stays as it is to the bit. NULL: never. */
    int (*is_identity)(const double *values);
    /* At set-up: whether settings and shape fit; RANGE or SHAPE with a text
       if not. Not asked when it is the identity. NULL: always. */
    ebm_status (*check)(const ebm_context *context, const double *values,
                        const ebm_transition_shape *shape);
    /* Floats of scratch that apply() needs. NULL: none. The product of the
       shape is known to fit and to be below 2^32. */
    size_t (*scratch)(const double *values, const ebm_transition_shape *shape);
    /* Changes one image [height, width, channels] in place. What can leave the
       range is clamped into it. Runs on any thread; does not fail. */
    void (*apply)(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts);
} ebm_transition_ops;

extern const ebm_transition_ops ebm_transition_flip;      /* flip.c */
extern const ebm_transition_ops ebm_transition_crop;      /* crop.c */
extern const ebm_transition_ops ebm_transition_rescale;   /* rescale.c */
extern const ebm_transition_ops ebm_transition_noise;     /* noise.c */
extern const ebm_transition_ops ebm_transition_jitter;    /* jitter.c */
extern const ebm_transition_ops ebm_transition_grayscale; /* grayscale.c */
extern const ebm_transition_ops ebm_transition_blur;      /* blur.c */
extern const ebm_transition_ops ebm_transition_elastic;   /* elastic.c */

struct ebm_transition {
    ebm_object object;
    ebm_transition_kind kind;
    double values[EBM_TRANSITION_KEYS];
    size_t nodes; /* of the tree that it is the root of */

    ebm_transition **parts; /* [part_count], referred to (counted) */
    double *shares;         /* [part_count], one of: shares added up, last 1 */
    size_t part_count;

    ebm_transition_fn function; /* a callback's */
    void *user;

    /* Since creation. Several threads may apply one transition. */
    _Atomic uint64_t applied; /* images */
    _Atomic uint64_t folded;  /* pixels */
    _Atomic uint64_t warped;  /* pixels that `folded` is a share of */
};

/* The name of a kind: "flip", ... */
const char *ebm_transition_kind_text(ebm_transition_kind kind);

/* A leaf's functions; NULL for inner nodes and callbacks. */
const ebm_transition_ops *ebm_transition_ops_of(ebm_transition_kind kind);

typedef struct ebm_plan ebm_plan;

/* What applying needs: belongs to whoever applies, begins all zero. */
typedef struct ebm_transition_work {
    ebm_plan *plan;
    size_t n; /* images */
    ebm_transition_shape shape;
    int workers;
    uint8_t *masks;   /* [nodes, n]: who passes which node */
    uint8_t *skip;    /* [n], in the same block: the caller's; 0 after a
                         prepare */
    uint8_t *touched; /* [n], likewise: to whom something was done */
    ebm_transition_facts *facts; /* [n] */
    float *scratch;              /* [workers, scratch_size] */
    size_t scratch_size;
    /* For callbacks: all images, and those that pass the node. */
    float *images, *gathered; /* [n, size] */
    int32_t *labels;          /* [n] */
    uint64_t *keys;           /* [n] */
    size_t held_bytes, held_facts, held_scratch, held_images, held_labels;
} ebm_transition_work;

/* The images of one application. */
typedef struct ebm_transition_batch {
    float *x;              /* [n, height, width, channels] */
    const int32_t *labels; /* [n] or NULL */
    size_t n;
    uint64_t seed;
    ebm_purpose purpose;
    uint64_t first_stream;
    uint64_t count; /* < EBM_TRANSITION_LIMIT */
} ebm_transition_batch;

/* Whether the tree can work on such images: SHAPE or RANGE with a text if
   not. */
ebm_status ebm_transition_check_shape(const ebm_transition *transition,
                                      size_t height, size_t width,
                                      size_t channels);

/* Checks, takes the settings as they are now, and allocates. On failure the
   work can still be prepared anew or freed. Errors: SHAPE, RANGE, OVERFLOW,
   MEMORY. */
ebm_status ebm_transition_prepare(ebm_transition_work *work,
                                  const ebm_transition *transition, size_t n,
                                  size_t height, size_t width,
                                  size_t channels);

/*
 * Applies what was prepared to the images i < n with skip[i] = 0, in place;
 * touched[i] says whether any leaf acted. The caller holds the transition.
 *
 * Fails only where a callback did (CALLBACK), or gave something that is not
 * finite (NON_FINITE); then x is as it was and touched is 0.
 */
ebm_status ebm_transition_run(ebm_transition_work *work,
                              const ebm_transition_batch *batch);

void ebm_transition_work_free(const ebm_context *context,
                              ebm_transition_work *work);

#endif
