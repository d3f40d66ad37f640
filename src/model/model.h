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
    const int32_t *labels; /* [n] or NULL */
    float *energy;         /* [n], out */
    float *grad;           /* [n, size], out; EBM_PASS_INPUT_GRADIENT */
    float *param_grad;     /* [parameter_count], added to; or NULL */
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
                           or NULL */
    float *workspace;
} ebm_tangent_slab;

/* Called by a model between the phases of EBM_PASS_PARAM_GRADIENT: turns the
   slab's energies into scales. */
typedef void (*ebm_scale_fn)(void *argument, const ebm_slab *slab,
                             float *scale);

/* A kind of model. Functions may be NULL where the kind has no such thing. */
typedef struct ebm_model_ops {
    const char *kind;
    /* Frees what the kind owns. */
    void (*finish)(ebm_model *model);
    /* Brings up to date what is derived from the parameters. */
    void (*parameters_written)(ebm_model *model);
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
} ebm_model_ops;

/* A named part of the flat arrays. */
typedef struct ebm_view {
    char name[32];
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
    float *parameters; /* padded to whole vectors, with zeros */
    float *gradient;
    ebm_view *views;
    size_t view_count;
    int has_param_gradient;
    int has_tangent;
    uint64_t version; /* grows with every write of the parameters */
    int lent;         /* between begin_write and end_write */
};

/* Allocates a model with its flat arrays at zero and no kind yet; the caller
   fills in ops, self, slab and views. */
ebm_status ebm_model_allocate(ebm_context *context, size_t height,
                              size_t width, size_t channels,
                              size_t parameter_count, size_t view_count,
                              ebm_model **model);

/* Tells the model that its parameters were written: the optimizer calls this
   after each step. Refreshes what is derived from them. */
void ebm_model_parameters_written(ebm_model *model);

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

#endif
