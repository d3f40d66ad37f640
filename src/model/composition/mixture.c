/* Mixtures: densities added. */
#include "model/composition/composition.h"

#include <math.h>

/* E = -log sum_k exp(l_k), l_k = log w_k - E_k, by the largest l; then
   r_k = exp(l_k + E). An energy of infinity is a density of 0 and has no
   share; where that leaves none, or an energy is NaN, so are the shares. */
static void combine(const ebm_model *model, size_t count, size_t stride,
                    const float *energies, double *shares, float *energy)
{
    const ebm_composition *self = model->self;
    for (size_t i = 0; i < count; i++) {
        double largest = -INFINITY, sum = 0;
        for (size_t k = 0; k < self->count; k++) {
            double e = (double)energies[k * stride + i];
            double l = self->weights[k] - e;
            if (!(l <= largest)) /* a NaN stays */
                largest = isnan(largest) ? largest : l;
        }
        for (size_t k = 0; k < self->count; k++) {
            double e = (double)energies[k * stride + i];
            double l = self->weights[k] - e;
            shares[k * stride + i] = exp(l - largest);
            sum += shares[k * stride + i];
        }
        energy[i] = (float)(isinf(largest) ? -largest : -largest - log(sum));
        for (size_t k = 0; k < self->count; k++)
            shares[k * stride + i] /= sum;
    }
}

/* Z = sum_k w_k Z_k, at temperature 1 alone. */
static int log_normaliser(const ebm_model *model, double beta, double *log_z)
{
    const ebm_composition *self = model->self;
    double largest = -INFINITY, sum = 0, logs[EBM_MOST_PARTS];
    if (beta != 1)
        return 0;
    for (size_t k = 0; k < self->count; k++) {
        if (!ebm_model_find_log_normaliser(self->parts[k], 1, logs + k))
            return 0;
        logs[k] += self->weights[k];
        largest = fmax(largest, logs[k]);
    }
    for (size_t k = 0; k < self->count; k++)
        sum += exp(logs[k] - largest);
    *log_z = largest + log(sum);
    return 1;
}

static const ebm_composition_kind kind = {
    .ops = {EBM_COMPOSE_OPS("mixture"), .log_normaliser = log_normaliser},
    .workspace = ebm_terms_workspace,
    .pass = ebm_terms_pass,
    .tangent_workspace = ebm_terms_tangent_workspace,
    .tangent = ebm_terms_tangent,
    .combine = combine,
};

ebm_status ebm_model_create_mixture(ebm_model *const *parts,
                                    const double *weights, size_t count,
                                    ebm_model **out)
{
    EBM_TRY(ebm_compose_check(parts, count, out));
    const ebm_model *first = parts[0];
    for (size_t k = 0; weights && k < count; k++)
        if (!isfinite(weights[k]) || !(weights[k] > 0))
            return ebm_fail(ebm_context_of(first), EBM_ERROR_RANGE,
                            "weight %zu is %g, which is no finite number "
                            "above 0",
                            k, weights[k]);
    ebm_model *model = NULL;
    EBM_TRY(ebm_compose(&kind, parts, count, first->height, first->width,
                        first->channels, &model));
    ebm_composition *self = model->self;
    for (size_t k = 0; k < count; k++) {
        self->given[k] = weights ? weights[k] : 1;
        self->weights[k] = log(self->given[k]);
        /* Its second derivatives need the first of every parameter. */
        if (parts[k]->parameter_count && !parts[k]->has_param_gradient)
            model->has_tangent = 0;
    }
    *out = model;
    return EBM_OK;
}
