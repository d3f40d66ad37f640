/* The shell of all compositions: their parts and parameters. */
#include "model/composition/composition.h"

#include <stdio.h>
#include <string.h>

#include "core/context.h"

const ebm_composition *ebm_composition_of(const ebm_model *model)
{
    return model->ops->pass == ebm_compose_pass ? model->self : NULL;
}

void ebm_compose_finish(ebm_model *model)
{
    ebm_composition *self = model->self;
    const ebm_context *context = ebm_context_of(model);
    if (!self)
        return;
    for (size_t k = 0; k < self->count; k++)
        ebm_object_release(self->parts[k]);
    ebm_free(context, self->parts);
    ebm_free(context, self->weights);
    ebm_free(context, self->given);
    ebm_free(context, self);
}

/* ---- Creation ---------------------------------------------------------- */

ebm_status ebm_compose_check(ebm_model *const *parts, size_t count,
                             ebm_model **model)
{
    if (!parts || !count)
        return EBM_ERROR_ARGUMENT; /* no context to leave a text with */
    EBM_CHECK_HANDLE(parts[0], EBM_TYPE_MODEL);
    const ebm_model *first = parts[0];
    const ebm_context *context = ebm_context_of(first);
    if (!model)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "model is NULL");
    if (count > EBM_MOST_PARTS)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%zu parts, at most %d",
                        count, EBM_MOST_PARTS);
    size_t classes = 0;
    for (size_t k = 0; k < count; k++) {
        const ebm_model *part = parts[k];
        if (!ebm_object_is(part, EBM_TYPE_MODEL))
            return ebm_fail(context, EBM_ERROR_HANDLE,
                            "part %zu is no live model", k);
        EBM_CHECK_SAME_CONTEXT(first, part);
        if (part->height != first->height || part->width != first->width ||
            part->channels != first->channels)
            return ebm_fail(context, EBM_ERROR_SHAPE,
                            "part 0 takes [%zu, %zu, %zu], part %zu takes "
                            "[%zu, %zu, %zu]",
                            first->height, first->width, first->channels, k,
                            part->height, part->width, part->channels);
        if (part->classes && classes && part->classes != classes)
            return ebm_fail(context, EBM_ERROR_ARGUMENT,
                            "part %zu has %zu classes, a part before it %zu",
                            k, part->classes, classes);
        classes = part->classes ? part->classes : classes;
    }
    return EBM_OK;
}

/* The parts' leaves that have parameters, each once, in the order in which
   they first appear. */
typedef struct gathered {
    ebm_leaf *leaves;
    size_t count, views, parameters, padded;
} gathered;

static void gather(gathered *g, const ebm_model *part)
{
    for (size_t i = 0; i < part->leaf_count; i++) {
        ebm_model *leaf = part->leaves[i].model;
        size_t j = 0;
        while (j < g->count && g->leaves[j].model != leaf)
            j++;
        if (j < g->count || !leaf->parameter_count)
            continue;
        g->leaves[g->count++] = (ebm_leaf){leaf, g->parameters, g->padded};
        g->views += leaf->view_count;
        g->parameters += leaf->parameter_count;
        g->padded += ebm_round_up(leaf->parameter_count, EBM_LANES);
    }
}

/* "2.0.weight": the leaf's number, then its own name for it. */
static void name_views(ebm_model *model, const gathered *g)
{
    ebm_view *view = model->views;
    for (size_t i = 0; i < g->count; i++) {
        const ebm_model *leaf = g->leaves[i].model;
        for (size_t v = 0; v < leaf->view_count; v++, view++) {
            *view = leaf->views[v];
            view->offset += g->leaves[i].offset;
            int at = snprintf(view->name, sizeof view->name, "%zu.", i);
            size_t room = sizeof view->name - (size_t)at - 1;
            size_t length = strlen(leaf->views[v].name);
            length = length < room ? length : room;
            memcpy(view->name + at, leaf->views[v].name, length);
            view->name[(size_t)at + length] = 0;
        }
    }
}

/* What a composition takes over from its parts. */
static void inherit(ebm_model *model, ebm_composition *self)
{
    size_t smallest = 0;
    int whole = 0;
    model->has_param_gradient = model->has_tangent = 1;
    for (size_t k = 0; k < self->count; k++) {
        const ebm_model *part = self->parts[k];
        const ebm_composition *inner = ebm_composition_of(part);
        size_t chunk = part->slab ? part->slab : inner ? inner->chunk : 0;
        if (chunk && (!smallest || chunk < smallest))
            smallest = chunk;
        whole |= !part->slab;
        if (part->parameter_count && !part->has_param_gradient)
            model->has_param_gradient = 0;
        if (!part->has_tangent)
            model->has_tangent = 0;
        if (part->classes)
            model->classes = part->classes;
    }
    self->chunk = smallest;
    model->slab = whole ? 0 : smallest;
}

static ebm_status fill(ebm_model *model, const ebm_composition_kind *kind,
                       ebm_model *const *parts, size_t count)
{
    const ebm_context *context = ebm_context_of(model);
    ebm_composition *self = ebm_alloc_zero(context, 1, sizeof *self);
    model->ops = &kind->ops;
    model->self = self;
    if (!self)
        return ebm_out_of_memory(context, "a composition");
    self->kind = kind;
    self->parts = ebm_alloc_zero(context, count, sizeof *self->parts);
    self->weights = ebm_alloc_zero(context, count, sizeof *self->weights);
    self->given = ebm_alloc_zero(context, count, sizeof *self->given);
    if (!self->parts || !self->weights || !self->given)
        return ebm_out_of_memory(context, "the parts of a composition");
    self->count = count;
    for (size_t k = 0; k < count; k++) {
        self->parts[k] = ebm_object_retain(parts[k]);
        self->weights[k] = self->given[k] = 1;
    }
    return EBM_OK;
}

static ebm_status count_members(ebm_model *const *parts, size_t count,
                                size_t *members)
{
    *members = 1;
    for (size_t k = 0; k < count; k++) {
        const ebm_composition *inner = ebm_composition_of(parts[k]);
        *members += inner ? inner->members : 1;
    }
    if (*members <= EBM_MOST_MEMBERS)
        return EBM_OK;
    return ebm_fail(ebm_context_of(parts[0]), EBM_ERROR_RANGE,
                    "%zu models nested in each other, at most %d", *members,
                    EBM_MOST_MEMBERS);
}

ebm_status ebm_compose(const ebm_composition_kind *kind,
                       ebm_model *const *parts, size_t count, size_t height,
                       size_t width, size_t channels, ebm_model **out)
{
    ebm_context *context = ebm_context_of(parts[0]);
    size_t members, most = 0;
    EBM_TRY(count_members(parts, count, &members));
    for (size_t k = 0; k < count; k++)
        most += parts[k]->leaf_count;
    gathered g = {ebm_alloc(context, most, sizeof *g.leaves), 0, 0, 0, 0};
    if (!g.leaves)
        return ebm_out_of_memory(context, "the parts of a composition");
    for (size_t k = 0; k < count; k++)
        gather(&g, parts[k]);
    ebm_model *model = NULL;
    ebm_status status = ebm_model_allocate(context, height, width, channels, 0,
                                           g.views, &model);
    if (status == EBM_OK)
        status = fill(model, kind, parts, count);
    if (status != EBM_OK) {
        ebm_free(context, g.leaves);
        ebm_object_release(model);
        return status;
    }
    ebm_composition *self = model->self;
    self->members = members;
    inherit(model, self);
    name_views(model, &g);
    if (!g.count) {
        ebm_free(context, g.leaves); /* it is its own leaf, without any */
    } else {
        model->leaves = g.leaves;
        model->leaf_count = g.count;
        model->parameter_count = g.parameters;
        model->padded_count = g.padded;
    }
    *out = model;
    return EBM_OK;
}

/* ---- Parts ------------------------------------------------------------- */

static size_t part_samples(const ebm_model *part, size_t n, size_t count)
{
    return part->slab ? n : count;
}

ebm_slab ebm_part_slab(const ebm_model *model, size_t k, const ebm_slab *slab,
                       size_t count)
{
    const ebm_composition *self = model->self;
    ebm_slab part = *slab;
    part.n = part_samples(self->parts[k], slab->n, count);
    part.part_energy = NULL;
    part.by_part = 0;
    part.workspace = NULL;
    return part;
}

ebm_tangent_slab ebm_part_tangent(const ebm_model *model, size_t k,
                                  const ebm_tangent_slab *slab, size_t count)
{
    const ebm_composition *self = model->self;
    ebm_tangent_slab part = *slab;
    part.n = part_samples(self->parts[k], slab->n, count);
    part.workspace = NULL;
    return part;
}

size_t ebm_part_workspace(const ebm_model *model, size_t k, ebm_pass_mode mode,
                          size_t n)
{
    const ebm_composition *self = model->self;
    const ebm_model *part = self->parts[k];
    if (mode == EBM_PASS_TANGENT)
        return part->ops->tangent_workspace
                   ? part->ops->tangent_workspace(part, n)
                   : 0;
    return part->ops->workspace ? part->ops->workspace(part, mode, n) : 0;
}
