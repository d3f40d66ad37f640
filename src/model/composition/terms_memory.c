/* The workspaces of sums and mixtures. */
#include "model/composition/terms.h"

size_t ebm_terms_lay_out(const ebm_model *model, ebm_pass_mode mode, size_t n,
                         float *workspace, ebm_terms_arrays *a)
{
    const ebm_composition *self = model->self;
    size_t rows = ebm_round_up(n * model->size, EBM_LANES), parts = 1;
    ebm_carver c = {workspace, 0};
    a->stride = ebm_round_up(n, EBM_LANES);
    a->energies = ebm_carve(&c, self->count * a->stride);
    a->shares = ebm_carve_doubles(&c, self->count * a->stride);
    if (!self->kind->is_linear)
        parts = self->count; /* their shares come after their gradients */
    if (mode == EBM_PASS_INPUT_GRADIENT)
        a->gradients = ebm_carve(&c, parts * rows);
    if (mode == EBM_PASS_TANGENT) {
        a->given = ebm_carve(&c, n);
        a->hv = ebm_carve(&c, rows);
    }
    if (mode == EBM_PASS_TANGENT && !self->kind->is_linear) {
        a->dots = ebm_carve_doubles(&c, self->count * a->stride);
        a->gradients = ebm_carve(&c, parts * rows);
    }
    if (mode == EBM_PASS_PARAM_GRADIENT)
        a->scales = ebm_carve(&c, model->part_count * a->stride);
    a->workspace = ebm_carve(&c, 0);
    return c.floats;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t part_floats(const ebm_model *model, size_t k, ebm_pass_mode mode,
                          size_t n)
{
    return ebm_round_up(ebm_part_workspace(model, k, mode, n), EBM_LANES);
}

/* The largest workspace that any part needs for this mode. */
static size_t most(const ebm_model *model, ebm_pass_mode mode, size_t n)
{
    const ebm_composition *self = model->self;
    size_t floats = 0;
    for (size_t k = 0; k < self->count; k++)
        floats = larger(floats, part_floats(model, k, mode, n));
    return floats;
}

/* Those of trained parts one behind the other; the rest ran before, in the
   same place. */
static size_t nested(const ebm_model *model, size_t n)
{
    const ebm_composition *self = model->self;
    size_t before = 0, floats = 0;
    for (size_t k = 0; k < self->count; k++)
        if (ebm_is_trained(self->parts[k]))
            floats += part_floats(model, k, EBM_PASS_PARAM_GRADIENT, n);
        else
            before = larger(before, part_floats(model, k, EBM_PASS_ENERGY, n));
    return larger(before, floats);
}

void ebm_terms_place_nested(const ebm_model *model, size_t n,
                            ebm_terms_arrays *a)
{
    const ebm_composition *self = model->self;
    size_t last = 0, largest = 0;
    for (size_t k = 0; k < self->count; k++) {
        const ebm_composition *inner = ebm_composition_of(self->parts[k]);
        size_t members = inner ? inner->members : 1;
        if (!ebm_is_trained(self->parts[k]) || members <= largest)
            continue;
        largest = members;
        last = k;
    }
    float *place = a->workspace;
    for (size_t k = 0; k < self->count; k++) {
        if (k == last || !ebm_is_trained(self->parts[k]))
            continue;
        a->own[k] = place;
        place += part_floats(model, k, EBM_PASS_PARAM_GRADIENT, n);
    }
    a->own[last] = place;
}

size_t ebm_terms_workspace(const ebm_model *model, ebm_pass_mode mode,
                           size_t n)
{
    ebm_terms_arrays a;
    return ebm_terms_lay_out(model, mode, n, NULL, &a) +
           (mode == EBM_PASS_PARAM_GRADIENT ? nested(model, n)
                                            : most(model, mode, n));
}

size_t ebm_terms_tangent_workspace(const ebm_model *model, size_t n)
{
    const ebm_composition *self = model->self;
    ebm_terms_arrays a;
    size_t floats = most(model, EBM_PASS_TANGENT, n);
    if (!self->kind->is_linear) {
        floats = larger(floats, most(model, EBM_PASS_INPUT_GRADIENT, n));
        floats = larger(floats, most(model, EBM_PASS_PARAM_GRADIENT, n));
    }
    return ebm_terms_lay_out(model, EBM_PASS_TANGENT, n, NULL, &a) + floats;
}
