/*
 * Models from the inside: what sampler and loss call, in slabs.
 *
 * A slab is a fixed number of samples that go through the model together.
 * A sample's place in its slab (its slot) is part of what fixes its bits, so
 * slots are given out by sample number or random stream, and empty slots are
 * padding. A model made of callbacks takes whole batches instead, on
 * the caller's thread: its slab is 0.
 *
 * A pass may run on many slabs at once. It needs a workspace of its own,
 * sized once, and only reads the model.
 */
#ifndef EBM_MODEL_MODEL_H
#define EBM_MODEL_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/model.h>

#include "core/object.h"

/* What a pass computes: this decides how much workspace it needs. */
typedef enum ebm_pass_mode {
    EBM_PASS_ENERGY,         /* E */
    EBM_PASS_INPUT_GRADIENT, /* E and dE/dx */
    EBM_PASS_PARAM_GRADIENT, /* E and sum scale dE/dtheta */
    EBM_PASS_TANGENT         /* E, H v, sum scale d/dtheta <grad E, v> */
} ebm_pass_mode;

/* One slab on its way through a model. Arrays extend to whole vectors. */
typedef struct ebm_slab {
    size_t n;              /* samples, padding included */
    const float *x;        /* [n, size] */
    const int32_t *labels; /* [n] or NULL; in range for a conditional model */
    float *energy;         /* [n], out */
    float *part_energy;    /* [part_count, n], out for a sum; NULL: unwanted */
    float *grad;           /* [n, size], out; EBM_PASS_INPUT_GRADIENT */
    float *param_grad;     /* added to; or NULL. In the layout of the root: see
                              ebm_model_own_gradient() */
    const struct ebm_model *root; /* the model that the call is about */
    int by_part; /* EBM_PASS_PARAM_GRADIENT of a sum: scale_of is asked for
                    each part with the part's energies, and the loss is the
                    mean over parts (see ebm_scale_fn) */
    float *workspace;
} ebm_slab;

/* One slab of second derivatives, for directions v. */
typedef struct ebm_tangent_slab {
    size_t n;
    const float *x, *v; /* [n, size] */
    const int32_t *labels;
    float *hv;          /* [n, size], out: H(x_i) v_i */
    const float *scale; /* [n] */
    float *param_grad;  /* sum_i scale_i d/dtheta <grad E(x_i), v_i> is added;
                           or NULL. As in ebm_slab */
    const struct ebm_model *root;
    float *workspace;
} ebm_tangent_slab;

/* Called by a model between the phases of EBM_PASS_PARAM_GRADIENT: turns the
   slab's energies into scales dL/dE, from slab->energy alone. With by_part a
   sum calls it for each of its part_count parts P with energy = w_P E_P, and
   divides the scales by part_count. The answer, scale[slab->n], comes from the
   energies of that slab, of which only those count that are no padding. When
   it is not EBM_OK the pass has failed elsewhere and the scales are 0: a model
   of callbacks then stops at once. */
typedef ebm_status (*ebm_scale_fn)(void *argument, const ebm_slab *slab,
                                   float *scale);

/* A kind of model. Functions may be NULL where the kind has no such thing. */
typedef struct ebm_model_ops {
    const char *kind;
    /* Frees what the kind owns. */
    void (*finish)(ebm_model *model);
    /* Brings up to date what is derived from the parameters. */
    void (*parameters_written)(ebm_model *model);
    /* One round of power iteration on the state; 0 if there is none. */
    int (*iterate)(ebm_model *model);
    /* Turns a gradient with respect to derived weights, in place, into that
       with respect to the parameters (the model's own ones). */
    void (*fold_gradient)(const ebm_model *model, float *gradient);
    /* Floats of workspace for a pass over n samples; 0 if that overflows. */
    size_t (*workspace)(const ebm_model *model, ebm_pass_mode mode, size_t n);
    /* One pass over a slab; slab->energy is always written. Network kinds
       always return EBM_OK; kinds made of callbacks may return CALLBACK. */
    ebm_status (*pass)(const ebm_model *model, ebm_pass_mode mode,
                       const ebm_slab *slab, ebm_scale_fn scale_of,
                       void *argument);
    /* The tangent pass, and its workspace for n samples. NULL: the kind has
       no second derivatives. */
    size_t (*tangent_workspace)(const ebm_model *model, size_t n);
    ebm_status (*tangent)(const ebm_model *model,
                          const ebm_tangent_slab *slab);
    /* Writes log integral exp(-beta E) and returns 1, or 0 when it is not
       known. NULL: it is not. */
    int (*log_normaliser)(const ebm_model *model, double beta,
                          double *log_normaliser);
} ebm_model_ops;

/* Longest energies: parts of a sum, and leaves of a composition. */
enum { EBM_MOST_PARTS = 64, EBM_VIEW_NAME = 48 };

/* A model with parameters of its own, as part of another or of itself. Public
   offsets count parameters without gaps; arrays of ours give each leaf whole
   vectors. */
typedef struct ebm_leaf {
    ebm_model *model;
    size_t offset; /* dense */
    size_t padded; /* in our arrays */
} ebm_leaf;

/* A named part of the flat arrays. */
typedef struct ebm_view {
    char name[EBM_VIEW_NAME];
    size_t offset;
    size_t rank;
    size_t shape[4];
} ebm_view;

struct ebm_model {
    ebm_object object;
    const ebm_model_ops *ops;
    void *self; /* the kind's own part */
    size_t height, width, channels;
    size_t size; /* height width channels */
    size_t slab; /* samples of a slab; 0: whole batches, caller's thread */
    size_t parameter_count;
    size_t padded_count; /* length of gradients and moments: all leaves, whole
                            vectors each */
    /* Of a model that has parameters itself; NULL in a composition. */
    float *parameters; /* padded to whole vectors, with zeros */
    float *gradient;
    /* Where the parameters are: itself, or the parts of a composition, which
       holds a reference to each of its parts elsewhere. */
    size_t leaf_count;
    ebm_leaf own;
    ebm_leaf *leaves; /* &own, or allocated */
    ebm_view *views;
    size_t view_count;
    size_t classes;    /* 0: labels are not looked at */
    size_t part_count; /* of a sum; else 1 */
    int has_param_gradient;
    int has_tangent;
    uint64_t version; /* of a leaf: grows with every write; ask with
                         ebm_model_version() */
    int lent;         /* of a leaf: between begin_write and end_write */
};

/* Allocates a model with its flat arrays at zero and no kind yet; the caller
   fills in ops, self, slab and views, and a composition its leaves. */
ebm_status ebm_model_allocate(ebm_context *context, size_t height,
                              size_t width, size_t channels,
                              size_t parameter_count, size_t view_count,
                              ebm_model **model);

/* Tells the model that its parameters were written: the optimizer calls this
   after each step. Refreshes what is derived from them. */
void ebm_model_parameters_written(ebm_model *model);

/* A round of power iteration, without checks. What is derived from the state
   is left to ebm_model_parameters_written(). */
void ebm_model_iterate_once(ebm_model *model);

/* Differs from what it was if any parameter was written in between. */
uint64_t ebm_model_version(const ebm_model *model);

/* Copies parameters, or the gradient, from and to all leaves, without checks.
   What is derived from parameters is left to ebm_model_parameters_written().
 */
void ebm_model_copy_out(const ebm_model *model, int gradient, size_t offset,
                        float *values, size_t count);
void ebm_model_copy_in(ebm_model *model, int gradient, size_t offset,
                       const float *values, size_t count);

/* Sets the gradient to 0, whatever became of the caller's handle. */
void ebm_model_clear_gradient(ebm_model *model);

/* Where the parameters of `model`, a leaf, have their gradient in an array
   laid out for `root` (NULL: for the model itself). NULL for no array. */
float *ebm_model_own_gradient(const ebm_model *model, const ebm_model *root,
                              float *param_grad);

/* The kind's log_normaliser, or 0 without one. */
static inline int ebm_model_find_log_normaliser(const ebm_model *model,
                                                double beta,
                                                double *log_normaliser)
{
    return model->ops->log_normaliser &&
           model->ops->log_normaliser(model, beta, log_normaliser);
}

/* For a conditional model: ARGUMENT with a text when labels are missing,
   RANGE when one is out of range. `what` names the samples. */
ebm_status ebm_model_check_labels(const ebm_model *model, const char *what,
                                  const int32_t *labels, size_t n);

/* UNSUPPORTED with a text when the model has no derivatives of this mode. */
ebm_status ebm_model_check_mode(const ebm_model *model, ebm_pass_mode mode);

/* STATE with a text while the parameters are lent. */
ebm_status ebm_model_check_ready(const ebm_model *model);

/* Samples of one slab for a batch of n: model->slab, or n for whole-batch
   models. */
static inline size_t ebm_model_slab(const ebm_model *model, size_t n)
{
    return model->slab ? model->slab : n;
}

/* Number of slabs of a batch of n samples; 1 for whole-batch models. */
static inline size_t ebm_model_slab_count(const ebm_model *model, size_t n)
{
    size_t slab = ebm_model_slab(model, n);
    return n / slab + (n % slab != 0);
}

#endif
