/*
 * An energy times a number: negated, and at another temperature.
 *
 * All is done in place, on what the part has written. The parts of a sum come
 * through, each scaled.
 */
#include "model/composition/composition.h"

#include <math.h>

/* The part's workspace, and one array of n: energies or scales. */
static size_t workspace(const ebm_model *model, ebm_pass_mode mode, size_t n)
{
    return ebm_round_up(n, EBM_LANES) + ebm_part_workspace(model, 0, mode, n);
}

static size_t tangent_workspace(const ebm_model *model, size_t n)
{
    return workspace(model, EBM_PASS_TANGENT, n);
}

static void scale_floats(float *x, double weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(weight * (double)x[i]);
}

typedef struct asking {
    double weight;
    const ebm_slab *slab;
    float *energy; /* [n] */
    ebm_scale_fn scale_of;
    void *argument;
} asking;

/* dL/dE_0 = w dL/dE, where the caller is told E = w E_0. Nothing is kept from
   one call to the next: a sum may ask for each of its parts. */
static ebm_status between(void *argument, const ebm_slab *slab, float *scale)
{
    const asking *a = argument;
    ebm_slab scaled = *slab;
    scaled.energy = a->energy;
    for (size_t i = 0; i < slab->n; i++)
        a->energy[i] = (float)(a->weight * (double)slab->energy[i]);
    EBM_TRY(a->scale_of(a->argument, &scaled, scale));
    scale_floats(scale, a->weight, slab->n);
    return EBM_OK;
}

static ebm_status pass(const ebm_model *model, ebm_pass_mode mode,
                       const ebm_slab *slab, size_t count,
                       ebm_scale_fn scale_of, void *argument)
{
    const ebm_composition *self = model->self;
    const ebm_model *inner = self->parts[0];
    double weight = self->weights[0];
    asking a = {weight, slab, slab->workspace, scale_of, argument};
    ebm_slab part = ebm_part_slab(model, 0, slab, count);
    part.part_energy = slab->part_energy;
    part.by_part = slab->by_part;
    part.workspace = slab->workspace + ebm_round_up(slab->n, EBM_LANES);
    EBM_TRY(inner->ops->pass(inner, mode, &part,
                             mode == EBM_PASS_PARAM_GRADIENT ? between : NULL,
                             &a));
    scale_floats(slab->energy, weight, count);
    if (mode == EBM_PASS_INPUT_GRADIENT)
        scale_floats(slab->grad, weight, count * model->size);
    if (!slab->part_energy || model->part_count == 1)
        return EBM_OK;
    /* The part's rows lie part.n apart, ours slab->n: not less. */
    for (size_t p = model->part_count; p-- > 0;)
        for (size_t i = count; i-- > 0;)
            slab->part_energy[p * slab->n + i] =
                (float)(weight * (double)slab->part_energy[p * part.n + i]);
    return EBM_OK;
}

static ebm_status tangent(const ebm_model *model, const ebm_tangent_slab *slab,
                          size_t count)
{
    const ebm_composition *self = model->self;
    const ebm_model *inner = self->parts[0];
    double weight = self->weights[0];
    float *scale = slab->workspace;
    ebm_tangent_slab part = ebm_part_tangent(model, 0, slab, count);
    for (size_t i = 0; i < part.n; i++)
        scale[i] = (float)(weight * (double)slab->scale[i]);
    part.scale = scale;
    part.workspace = slab->workspace + ebm_round_up(slab->n, EBM_LANES);
    EBM_TRY(inner->ops->tangent(inner, &part));
    scale_floats(slab->hv, weight, count * model->size);
    return EBM_OK;
}

static int log_normaliser(const ebm_model *model, double beta, double *log_z)
{
    const ebm_composition *self = model->self;
    return self->weights[0] > 0 &&
           ebm_model_find_log_normaliser(self->parts[0],
                                         beta * self->weights[0], log_z);
}

#define SCALED(name)                                                      \
    {                                                                     \
        .ops = {EBM_COMPOSE_OPS(name), .log_normaliser = log_normaliser}, \
        .workspace = workspace, .pass = pass,                             \
        .tangent_workspace = tangent_workspace, .tangent = tangent        \
    }
static const ebm_composition_kind negated = SCALED("negated");
static const ebm_composition_kind tempered = SCALED("tempered");

static ebm_status create(const ebm_composition_kind *kind, ebm_model *part,
                         double weight, ebm_model **out)
{
    ebm_model *model = NULL;
    EBM_TRY(ebm_compose(kind, &part, 1, part->height, part->width,
                        part->channels, &model));
    ebm_composition *self = model->self;
    self->weights[0] = weight;
    model->part_count = part->part_count;
    *out = model;
    return EBM_OK;
}

ebm_status ebm_model_create_negated(ebm_model *part, ebm_model **out)
{
    EBM_TRY(ebm_compose_check(&part, 1, out));
    return create(&negated, part, -1, out);
}

ebm_status ebm_model_create_tempered(ebm_model *part, double temperature,
                                     ebm_model **out)
{
    EBM_TRY(ebm_compose_check(&part, 1, out));
    double weight = 1 / temperature;
    if (!(temperature > 0) || !isfinite(weight) || !(weight > 0))
        return ebm_fail(ebm_context_of(part), EBM_ERROR_RANGE,
                        "a temperature of %g", temperature);
    EBM_TRY(create(&tempered, part, weight, out));
    ebm_composition *self = (*out)->self;
    self->given[0] = temperature;
    return EBM_OK;
}
