/* Sums of energies: products of experts. */
#include "model/composition/composition.h"

#include <math.h>
#include <string.h>

static void combine(const ebm_model *model, size_t count, size_t stride,
                    const float *energies, double *shares, float *energy)
{
    const ebm_composition *self = model->self;
    (void)shares;
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t k = 0; k < self->count; k++)
            sum += self->weights[k] * (double)energies[k * stride + i];
        energy[i] = (float)sum;
    }
}

/* One part with a weight is a temperature. */
static int log_normaliser(const ebm_model *model, double beta, double *log_z)
{
    const ebm_composition *self = model->self;
    return self->count == 1 && self->weights[0] > 0 &&
           ebm_model_find_log_normaliser(self->parts[0],
                                         beta * self->weights[0], log_z);
}

static const ebm_composition_kind kind = {
    .ops = {EBM_COMPOSE_OPS("sum"), .log_normaliser = log_normaliser},
    .workspace = ebm_terms_workspace,
    .pass = ebm_terms_pass,
    .tangent_workspace = ebm_terms_tangent_workspace,
    .tangent = ebm_terms_tangent,
    .combine = combine,
    .is_linear = 1,
};

ebm_status ebm_model_create_sum(ebm_model *const *parts, const double *weights,
                                size_t count, ebm_model **out)
{
    EBM_TRY(ebm_compose_check(parts, count, out));
    const ebm_model *first = parts[0];
    for (size_t k = 0; weights && k < count; k++)
        if (!isfinite(weights[k]) || weights[k] == 0)
            return ebm_fail(ebm_context_of(first), EBM_ERROR_RANGE,
                            "weight %zu is %g, which is no finite number "
                            "other than 0",
                            k, weights[k]);
    ebm_model *model = NULL;
    EBM_TRY(ebm_compose(&kind, parts, count, first->height, first->width,
                        first->channels, &model));
    ebm_composition *self = model->self;
    for (size_t k = 0; weights && k < count; k++)
        self->weights[k] = self->given[k] = weights[k];
    model->part_count = count;
    *out = model;
    return EBM_OK;
}
