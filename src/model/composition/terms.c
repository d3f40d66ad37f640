/*
 * The passes of sums and mixtures.
 *
 * Both are functions of their parts' energies, E = f(E_1 .. E_m), so with the
 * shares r_k = dE/dE_k
 *
 *     grad E     = sum_k r_k grad E_k
 *     dE/dtheta  = sum_k r_k dE_k/dtheta.
 *
 * A sum's shares are its weights. A mixture's are its responsibilities, which
 * move along a direction v. With a dash for the derivative along v, E_k' =
 * <grad E_k, v>,
 *
 *     r_k'              = r_k (sum_j r_j E_j' - E_k')
 *     H v               = sum_k r_k H_k v + r_k' grad E_k
 *     d/dtheta <grad E, v> = sum_k r_k d/dtheta <grad E_k, v>
 *                          + r_k' dE_k/dtheta.
 *
 * To train, each part's forward pass runs once: the passes nest. Part k asks
 * between its phases for the scales of its energies, and gets them when part
 * k + 1 has come to the same place; the last one knows all energies and asks
 * the caller. Then all go backward, last first. Each needs a workspace of its
 * own for that.
 */
#include <string.h>

#include "model/composition/terms.h"

static void begin_shares(const ebm_composition *self,
                         const ebm_terms_arrays *a)
{
    for (size_t k = 0; k < self->count; k++)
        for (size_t i = 0; i < a->stride; i++)
            a->shares[k * a->stride + i] = self->weights[k];
}

/* The whole's energies from the parts', and those of the parts if it is a sum
   of several. */
static void combine(const ebm_model *model, const ebm_terms_arrays *a,
                    const ebm_slab *slab, size_t count)
{
    const ebm_composition *self = model->self;
    self->kind->combine(model, count, a->stride, a->energies, a->shares,
                        slab->energy);
    if (!slab->part_energy || model->part_count == 1)
        return;
    for (size_t k = 0; k < self->count; k++)
        for (size_t i = 0; i < count; i++)
            slab->part_energy[k * slab->n + i] =
                (float)(self->weights[k] *
                        (double)a->energies[k * a->stride + i]);
}

/* to (+)= factor_i from_i, the rows of `count` samples. A part without a share
   in a sample adds nothing, finite or not; a sum's weights are never 0. */
static void add_rows(float *to, const float *from, const double *factor,
                     size_t count, size_t size, int is_first)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = i * size; j < (i + 1) * size; j++) {
            float term =
                factor[i] == 0 ? 0 : (float)(factor[i] * (double)from[j]);
            to[j] = is_first ? term : to[j] + term;
        }
}

/* One part's pass, without its parameters; its gradient where it is wanted. */
static ebm_status run_part(const ebm_model *model, size_t k,
                           ebm_pass_mode mode, const ebm_terms_arrays *a,
                           const ebm_slab *slab, size_t count, float *gradient)
{
    const ebm_composition *self = model->self;
    ebm_slab part = ebm_part_slab(model, k, slab, count);
    part.energy = a->energies + k * a->stride;
    if (gradient)
        part.grad = gradient;
    part.param_grad = NULL;
    part.workspace = a->workspace;
    return self->parts[k]->ops->pass(self->parts[k], mode, &part, NULL, NULL);
}

/* A factor of 0 is that of a part without a share. */
static float scaled(double factor, float scale)
{
    return factor == 0 ? 0 : (float)(factor * (double)scale);
}

/* ---- Parameter gradients: passes within passes ------------------------- */

typedef struct nest {
    const ebm_model *model;
    const ebm_composition *self;
    const ebm_slab *slab;
    size_t count;
    const ebm_terms_arrays *a;
    ebm_scale_fn scale_of;
    void *argument;
    int by_part;
} nest;

/* A part's place in it. */
typedef struct level {
    const nest *nest;
    size_t k;
    ebm_status status; /* of all that is deeper */
} level;

/* All energies are there: asks the caller for the scales. */
static ebm_status ask(const nest *in)
{
    const ebm_terms_arrays *a = in->a;
    combine(in->model, a, in->slab, in->count);
    if (!in->by_part)
        return in->scale_of(in->argument, in->slab, a->scales);
    size_t parts = in->model->part_count, n = in->slab->n;
    for (size_t k = 0; k < parts; k++) {
        ebm_slab part = *in->slab;
        float *scales = a->scales + k * a->stride;
        part.energy = in->slab->part_energy + k * n;
        EBM_TRY(in->scale_of(in->argument, &part, scales));
        for (size_t i = 0; i < n; i++)
            scales[i] /= (float)parts;
    }
    return EBM_OK;
}

static ebm_status enter(const nest *in, size_t k);

/* Part k has its energies. */
static ebm_status between(void *argument, const ebm_slab *slab, float *scale)
{
    level *l = argument;
    const nest *in = l->nest;
    const ebm_terms_arrays *a = in->a;
    size_t row = l->k * a->stride;
    if (slab->energy != a->energies + row)
        memcpy(a->energies + row, slab->energy,
               in->count * sizeof *a->energies);
    l->status = enter(in, l->k + 1);
    const float *scales = a->scales + (in->by_part ? row : 0);
    for (size_t i = 0; i < slab->n; i++)
        scale[i] = i < in->count && l->status == EBM_OK
                       ? scaled(a->shares[row + i], scales[i])
                       : 0;
    return l->status;
}

/* From part k on. */
static ebm_status enter(const nest *in, size_t k)
{
    const ebm_composition *self = in->self;
    while (k < self->count && !ebm_is_trained(self->parts[k]))
        k++; /* ran before */
    if (k == self->count)
        return ask(in);
    level l = {in, k, EBM_OK};
    ebm_slab part = ebm_part_slab(in->model, k, in->slab, in->count);
    part.energy = in->a->energies + k * in->a->stride;
    part.workspace = in->a->own[k];
    ebm_status status = self->parts[k]->ops->pass(
        self->parts[k], EBM_PASS_PARAM_GRADIENT, &part, between, &l);
    return l.status != EBM_OK ? l.status : status;
}

/* ---- The passes -------------------------------------------------------- */

ebm_status ebm_terms_pass(const ebm_model *model, ebm_pass_mode mode,
                          const ebm_slab *slab, size_t count,
                          ebm_scale_fn scale_of, void *argument)
{
    const ebm_composition *self = model->self;
    size_t size = model->size;
    int wants_grad = mode == EBM_PASS_INPUT_GRADIENT;
    int is_linear = self->kind->is_linear;
    size_t rows = is_linear ? 0 : ebm_round_up(slab->n * size, EBM_LANES);
    ebm_terms_arrays a = {0};
    ebm_terms_lay_out(model, mode, slab->n, slab->workspace, &a);
    begin_shares(self, &a);
    if (mode == EBM_PASS_PARAM_GRADIENT) {
        ebm_terms_place_nested(model, slab->n, &a);
        for (size_t k = 0; k < self->count; k++)
            if (!ebm_is_trained(self->parts[k]))
                EBM_TRY(run_part(model, k, EBM_PASS_ENERGY, &a, slab, count,
                                 NULL));
        nest in = {model, self,     slab,     count,
                   &a,    scale_of, argument, slab->by_part};
        in.by_part = slab->by_part && model->part_count > 1;
        return enter(&in, 0);
    }
    for (size_t k = 0; k < self->count; k++) {
        float *gradient = wants_grad ? a.gradients + k * rows : NULL;
        EBM_TRY(run_part(model, k, mode, &a, slab, count, gradient));
        if (wants_grad && is_linear)
            add_rows(slab->grad, gradient, a.shares + k * a.stride, count,
                     size, k == 0);
    }
    combine(model, &a, slab, count);
    for (size_t k = 0; wants_grad && !is_linear && k < self->count; k++)
        add_rows(slab->grad, a.gradients + k * rows, a.shares + k * a.stride,
                 count, size, k == 0);
    return EBM_OK;
}

/* r_k' of all parts, from their energies and gradients along v. */
static ebm_status find_turns(const ebm_model *model, const ebm_terms_arrays *a,
                             const ebm_tangent_slab *slab, size_t count)
{
    const ebm_composition *self = model->self;
    size_t size = model->size, stride = a->stride;
    size_t rows = ebm_round_up(slab->n * size, EBM_LANES);
    ebm_slab whole = {.n = slab->n,
                      .x = slab->x,
                      .labels = slab->labels,
                      .energy = a->given,
                      .root = slab->root};
    for (size_t k = 0; k < self->count; k++) {
        const float *g = a->gradients + k * rows;
        EBM_TRY(run_part(model, k, EBM_PASS_INPUT_GRADIENT, a, &whole, count,
                         a->gradients + k * rows));
        for (size_t i = 0; i < count; i++) {
            double dot = 0;
            for (size_t j = i * size; j < (i + 1) * size; j++)
                dot += (double)g[j] * (double)slab->v[j];
            a->dots[k * stride + i] = dot;
        }
    }
    combine(model, a, &whole, count);
    for (size_t i = 0; i < count; i++) {
        double mean = 0;
        for (size_t k = i; k < self->count * stride; k += stride)
            mean += a->shares[k] == 0 ? 0 : a->shares[k] * a->dots[k];
        for (size_t k = i; k < self->count * stride; k += stride)
            a->dots[k] =
                a->shares[k] == 0 ? 0 : a->shares[k] * (mean - a->dots[k]);
    }
    return EBM_OK;
}

/* Scales that are known before the pass. */
static ebm_status as_given(void *argument, const ebm_slab *slab, float *scale)
{
    memcpy(scale, argument, slab->n * sizeof *scale);
    return EBM_OK;
}

/* Part k's parameters see dE_k/dtheta, scaled by r_k'. */
static ebm_status add_turn(const ebm_model *model, size_t k,
                           const ebm_terms_arrays *a,
                           const ebm_tangent_slab *slab, size_t count)
{
    const ebm_composition *self = model->self;
    ebm_slab whole = {.n = slab->n,
                      .x = slab->x,
                      .labels = slab->labels,
                      .grad = a->hv,
                      .param_grad = slab->param_grad,
                      .root = slab->root};
    ebm_slab part = ebm_part_slab(model, k, &whole, count);
    part.energy = a->energies + k * a->stride;
    part.workspace = a->workspace;
    for (size_t i = 0; i < slab->n; i++)
        a->given[i] =
            i < count ? scaled(a->dots[k * a->stride + i], slab->scale[i]) : 0;
    return self->parts[k]->ops->pass(self->parts[k], EBM_PASS_PARAM_GRADIENT,
                                     &part, as_given, a->given);
}

ebm_status ebm_terms_tangent(const ebm_model *model,
                             const ebm_tangent_slab *slab, size_t count)
{
    const ebm_composition *self = model->self;
    size_t size = model->size;
    size_t rows = ebm_round_up(slab->n * size, EBM_LANES);
    int is_linear = self->kind->is_linear;
    ebm_terms_arrays a = {0};
    ebm_terms_lay_out(model, EBM_PASS_TANGENT, slab->n, slab->workspace, &a);
    begin_shares(self, &a);
    if (!is_linear)
        EBM_TRY(find_turns(model, &a, slab, count));
    for (size_t k = 0; k < self->count; k++) {
        const ebm_model *part = self->parts[k];
        const double *shares = a.shares + k * a.stride;
        ebm_tangent_slab of = ebm_part_tangent(model, k, slab, count);
        for (size_t i = 0; i < slab->n; i++)
            a.given[i] = i < count ? scaled(shares[i], slab->scale[i]) : 0;
        of.hv = a.hv;
        of.scale = a.given;
        of.workspace = a.workspace;
        if (!ebm_is_trained(part))
            of.param_grad = NULL;
        EBM_TRY(part->ops->tangent(part, &of));
        add_rows(slab->hv, a.hv, shares, count, size, k == 0);
        if (is_linear)
            continue;
        add_rows(slab->hv, a.gradients + k * rows, a.dots + k * a.stride,
                 count, size, 0);
        if (slab->param_grad && ebm_is_trained(part))
            EBM_TRY(add_turn(model, k, &a, slab, count));
    }
    return EBM_OK;
}
