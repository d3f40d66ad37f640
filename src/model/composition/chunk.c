/* The shell of all compositions: whole batches, cut for the networks among the
   parts. */
#include <string.h>

#include "model/composition/composition.h"

static int is_cut(const ebm_model *model)
{
    const ebm_composition *self = model->self;
    return !model->slab && self->chunk;
}

/* A chunk's own arrays, and two that are as long as the batch. */
typedef struct arrays {
    float *x, *v, *grad, *energy, *part_energy, *scale;
    int32_t *labels;
    float *all_energies, *all_scales;
    float *workspace;
} arrays;

/* The floats before the kind's workspace, which is last, so that a pass need
   not know its size. */
static size_t lay_out(const ebm_model *model, ebm_pass_mode mode, size_t n,
                      float *workspace, arrays *a)
{
    const ebm_composition *self = model->self;
    size_t chunk = self->chunk, rows = chunk * model->size;
    ebm_carver c = {workspace, 0};
    a->x = ebm_carve(&c, rows);
    a->grad = ebm_carve(&c, rows);
    a->labels = (int32_t *)(void *)ebm_carve(&c, chunk);
    a->energy = ebm_carve(&c, chunk);
    a->part_energy = ebm_carve(&c, model->part_count * chunk);
    if (mode == EBM_PASS_TANGENT) {
        a->v = ebm_carve(&c, rows);
        a->scale = ebm_carve(&c, chunk);
    } else if (mode == EBM_PASS_PARAM_GRADIENT) {
        a->all_energies = ebm_carve(&c, n);
        a->all_scales = ebm_carve(&c, n);
    }
    a->workspace = ebm_carve(&c, 0);
    return c.floats;
}

size_t ebm_compose_workspace(const ebm_model *model, ebm_pass_mode mode,
                             size_t n)
{
    const ebm_composition *self = model->self;
    arrays a;
    return is_cut(model) ? lay_out(model, mode, n, NULL, &a) +
                               self->kind->workspace(model, mode, self->chunk)
                         : self->kind->workspace(model, mode, n);
}

size_t ebm_compose_tangent_workspace(const ebm_model *model, size_t n)
{
    const ebm_composition *self = model->self;
    arrays a;
    return is_cut(model)
               ? lay_out(model, EBM_PASS_TANGENT, n, NULL, &a) +
                     self->kind->tangent_workspace(model, self->chunk)
               : self->kind->tangent_workspace(model, n);
}

/* Copies `count` rows and repeats the first up to `chunk`. */
static void load(float *to, const float *from, size_t size, size_t count,
                 size_t chunk)
{
    memcpy(to, from, count * size * sizeof *to);
    for (size_t i = count; i < chunk; i++)
        memcpy(to + i * size, from, size * sizeof *to);
}

static const int32_t *load_labels(const arrays *a, const int32_t *from,
                                  size_t count, size_t chunk)
{
    if (!from)
        return NULL;
    for (size_t i = 0; i < chunk; i++)
        a->labels[i] = from[i < count ? i : 0];
    return a->labels;
}

/* A chunk of a batch, for scale_of_chunk(). */
typedef struct cut {
    const ebm_slab *slab; /* the batch */
    const arrays *a;
    size_t first, count;
    ebm_scale_fn scale_of;
    void *argument;
} cut;

/* The caller counts samples from the beginning of the batch. It is asked for
   all of it and answers from each energy alone, so what stands in the other
   places does not matter. */
static ebm_status scale_of_chunk(void *argument, const ebm_slab *chunk,
                                 float *scale)
{
    const cut *c = argument;
    ebm_slab all = *c->slab;
    all.energy = c->a->all_energies;
    memcpy(all.energy + c->first, chunk->energy,
           c->count * sizeof *all.energy);
    ebm_status status = c->scale_of(c->argument, &all, c->a->all_scales);
    for (size_t i = 0; i < chunk->n; i++)
        scale[i] = i < c->count ? c->a->all_scales[c->first + i] : 0;
    return status;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

ebm_status ebm_compose_pass(const ebm_model *model, ebm_pass_mode mode,
                            const ebm_slab *slab, ebm_scale_fn scale_of,
                            void *argument)
{
    const ebm_composition *self = model->self;
    if (!is_cut(model))
        return self->kind->pass(model, mode, slab, slab->n, scale_of,
                                argument);
    size_t chunk = self->chunk, size = model->size, n = slab->n;
    arrays a = {0};
    lay_out(model, mode, n, slab->workspace, &a);
    if (a.all_energies)
        memset(a.all_energies, 0, n * sizeof *a.all_energies);
    for (size_t first = 0; first < n; first += chunk) {
        size_t count = least(chunk, n - first);
        cut c = {slab, &a, first, count, scale_of, argument};
        ebm_slab part = *slab;
        load(a.x, slab->x + first * size, size, count, chunk);
        part.n = chunk;
        part.x = a.x;
        part.labels = load_labels(
            &a, slab->labels ? slab->labels + first : NULL, count, chunk);
        part.energy = a.energy;
        part.part_energy = a.part_energy;
        part.grad = a.grad;
        part.workspace = a.workspace;
        EBM_TRY(
            self->kind->pass(model, mode, &part, count, scale_of_chunk, &c));
        memcpy(slab->energy + first, a.energy, count * sizeof *a.energy);
        if (mode == EBM_PASS_INPUT_GRADIENT)
            memcpy(slab->grad + first * size, a.grad,
                   count * size * sizeof *a.grad);
        if (!slab->part_energy || model->part_count == 1)
            continue;
        for (size_t p = 0; p < model->part_count; p++)
            memcpy(slab->part_energy + p * n + first,
                   a.part_energy + p * chunk, count * sizeof *a.part_energy);
    }
    return EBM_OK;
}

ebm_status ebm_compose_tangent(const ebm_model *model,
                               const ebm_tangent_slab *slab)
{
    const ebm_composition *self = model->self;
    if (!is_cut(model))
        return self->kind->tangent(model, slab, slab->n);
    size_t chunk = self->chunk, size = model->size, n = slab->n;
    arrays a = {0};
    lay_out(model, EBM_PASS_TANGENT, n, slab->workspace, &a);
    for (size_t first = 0; first < n; first += chunk) {
        size_t count = least(chunk, n - first);
        ebm_tangent_slab part = *slab;
        load(a.x, slab->x + first * size, size, count, chunk);
        load(a.v, slab->v + first * size, size, count, chunk);
        for (size_t i = 0; i < chunk; i++)
            a.scale[i] = i < count ? slab->scale[first + i] : 0;
        part.n = chunk;
        part.x = a.x;
        part.v = a.v;
        part.labels = load_labels(
            &a, slab->labels ? slab->labels + first : NULL, count, chunk);
        part.hv = a.grad;
        part.scale = a.scale;
        part.workspace = a.workspace;
        EBM_TRY(self->kind->tangent(model, &part, count));
        memcpy(slab->hv + first * size, a.grad, count * size * sizeof *a.grad);
    }
    return EBM_OK;
}
