/*
 * Analytic energies from the inside: one sample at a time, in double. The
 * shell (analytic.c) makes slabs of them.
 */
#ifndef EBM_MODEL_ANALYTIC_ANALYTIC_H
#define EBM_MODEL_ANALYTIC_ANALYTIC_H

#include <ebm/analytic.h>

#include "core/memory.h"
#include "model/model.h"

typedef struct ebm_analytic ebm_analytic;

/* A kind. `work` is of ebm_analytic.work doubles. */
typedef struct ebm_analytic_kind {
    ebm_model_ops ops;
    /* E(x), and its gradient unless that is NULL. */
    double (*energy)(const ebm_analytic *self, const double *x, double *grad,
                     double *work);
    /* hv = H(x) v. */
    void (*hessian)(const ebm_analytic *self, const double *x, const double *v,
                    double *hv, double *work);
    /* log integral exp(-beta E), or 0: not known. */
    int (*log_normaliser)(const ebm_analytic *self, double beta,
                          double *log_z);
} ebm_analytic_kind;

struct ebm_analytic {
    const ebm_analytic_kind *kind;
    size_t dimension;
    size_t count;  /* of components */
    size_t work;   /* doubles that the functions need */
    double a, b;   /* the kind's own numbers */
    double *array; /* and its own array */
};

/* Makes a model of [1, 1, dimension] with room for `doubles` in the array;
   the kind fills it in. */
ebm_status ebm_analytic_create(ebm_context *context,
                               const ebm_analytic_kind *kind, size_t dimension,
                               size_t doubles, ebm_model **model,
                               ebm_analytic **self);

/* The checks that all creators share. */
ebm_status ebm_analytic_check_dimension(const ebm_context *context,
                                        size_t dimension);
ebm_status ebm_analytic_check_count(const ebm_context *context, size_t count);
/* NON_FINITE unless all are finite. */
ebm_status ebm_analytic_check_finite(const ebm_context *context,
                                     const char *what, const double *values,
                                     size_t n);
/* NON_FINITE, and RANGE for one that is not above 0; a width's square and its
   inverse must be there too. */
ebm_status ebm_analytic_check_positive(const ebm_context *context,
                                       const char *what, const double *values,
                                       size_t n, int is_width);

/* Turns n logarithms into shares that add up to 1; returns log sum exp. Where
   all are -inf there is no density: then no share is above 0. */
double ebm_analytic_softmax(double *logs, size_t n);

/* The shell's half of a kind's ops. */
void ebm_analytic_finish(ebm_model *model);
size_t ebm_analytic_workspace(const ebm_model *model, ebm_pass_mode mode,
                              size_t n);
ebm_status ebm_analytic_pass(const ebm_model *model, ebm_pass_mode mode,
                             const ebm_slab *slab, ebm_scale_fn scale_of,
                             void *argument);
size_t ebm_analytic_tangent_workspace(const ebm_model *model, size_t n);
ebm_status ebm_analytic_tangent(const ebm_model *model,
                                const ebm_tangent_slab *slab);
int ebm_analytic_log_normaliser(const ebm_model *model, double beta,
                                double *log_z);
#define EBM_ANALYTIC_OPS(name)                                      \
    .kind = (name), .finish = ebm_analytic_finish,                  \
    .workspace = ebm_analytic_workspace, .pass = ebm_analytic_pass, \
    .tangent_workspace = ebm_analytic_tangent_workspace,            \
    .tangent = ebm_analytic_tangent,                                \
    .log_normaliser = ebm_analytic_log_normaliser

#endif
