/*
 * The backward pass of a loss.
 *
 * The two phases, with weights w+ and w-,
 *
 *     L = w+/n sum E(x+_i) - w-/m sum E(x-_j)
 *       + alpha (1/n sum E(x+_i)^2 + 1/m sum E(x-_j)^2)
 *
 * so dL/dE(x+_i) = w+/n + (2 alpha / n) E(x+_i), and with -w-/m and m for the
 * chains: a constant and a slope for each batch, which is how the model takes
 * them, since the energies are known only inside its pass. The KL term is in
 * kl.c.
 */
#include "loss/loss.h"

#include <math.h>

#include "chains/tail.h"
#include "core/memory.h"
#include "core/report.h"

static ebm_status check_shape(const ebm_model *model, const ebm_chains *chains)
{
    if (chains->height == model->height && chains->width == model->width &&
        chains->channels == model->channels)
        return EBM_OK;
    return ebm_fail(ebm_context_of(model), EBM_ERROR_SHAPE,
                    "the chains have states [%zu, %zu, %zu], the model takes "
                    "[%zu, %zu, %zu]",
                    chains->height, chains->width, chains->channels,
                    model->height, model->width, model->channels);
}

/* A KL term on its own belongs to the divergence that it is part of. */
static unsigned origins_of(const ebm_loss *loss)
{
    if (!loss->kind->has_phases &&
        loss->values[EBM_LOSS_KL_DIRECTION] == EBM_KL_MINIMISE)
        return EBM_ORIGIN_BIT(EBM_ORIGIN_NOISE) |
               EBM_ORIGIN_BIT(EBM_ORIGIN_PERSISTED_NOISE);
    return loss->kind->origins;
}

static ebm_status check_origins(const ebm_loss *loss, const ebm_chains *chains)
{
    if (loss->values[EBM_LOSS_ALLOW_ANY_ORIGIN] != 0)
        return EBM_OK;
    const char *why = loss->kind->why;
    if (origins_of(loss) != loss->kind->origins)
        why = "minimised a term for chains that began at noise";
    for (size_t i = 0; i < chains->n; i++)
        if (!(origins_of(loss) & EBM_ORIGIN_BIT(chains->origins[i])))
            return ebm_fail(ebm_context_of(loss), EBM_ERROR_ORIGIN,
                            "chain %zu began at %s, which makes %s %s; set "
                            "EBM_LOSS_ALLOW_ANY_ORIGIN to want that",
                            i, ebm_origin_text(chains->origins[i]),
                            loss->kind->name, why);
    return EBM_OK;
}

ebm_status ebm_loss_check_idle(const ebm_loss *loss)
{
    if (!loss->is_running)
        return EBM_OK;
    return ebm_fail(ebm_context_of(loss), EBM_ERROR_STATE,
                    "the loss is in the middle of a pass");
}

static ebm_status check_data(const ebm_loss *loss, const ebm_model *model,
                             const float *data, size_t n)
{
    const ebm_context *context = ebm_context_of(loss);
    size_t elements;
    if (!data || !n)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "data is NULL or n is 0");
    EBM_TRY(ebm_check_size(context, n, model->height, model->width,
                           model->channels, &elements));
    return ebm_check_finite(context, "data", data, n, model->size);
}

static ebm_status check_all(const ebm_loss *loss, const ebm_model *model,
                            const float *data, const int32_t *labels, size_t n,
                            const ebm_chains *chains, const ebm_report *report)
{
    EBM_CHECK_HANDLE(loss, EBM_TYPE_LOSS);
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    EBM_CHECK_HANDLE(chains, EBM_TYPE_CHAINS);
    EBM_CHECK_SAME_CONTEXT(loss, model);
    EBM_CHECK_SAME_CONTEXT(loss, chains);
    EBM_TRY(ebm_loss_check_idle(loss));
    EBM_TRY(ebm_chains_check_still(chains));
    if (report) {
        EBM_CHECK_HANDLE(report, EBM_TYPE_REPORT);
        EBM_CHECK_SAME_CONTEXT(loss, report);
    }
    EBM_TRY(check_shape(model, chains));
    if (loss->kind->has_phases) {
        EBM_TRY(ebm_model_check_mode(model, EBM_PASS_PARAM_GRADIENT));
        EBM_TRY(check_data(loss, model, data, n));
        EBM_TRY(ebm_model_check_labels(model, "data sample", labels, n));
    }
    EBM_TRY(ebm_model_check_labels(model, "chain", chains->labels, chains->n));
    EBM_TRY(ebm_model_check_ready(model));
    EBM_TRY(ebm_chains_check_healthy(chains));
    if (loss->kind->has_kl)
        EBM_TRY(ebm_kl_check(loss, model, chains));
    return check_origins(loss, chains);
}

/* Room for the energies of n samples, and of their parts when those count. */
static ebm_status grow(const ebm_loss *loss, const ebm_model *model, size_t n,
                       ebm_energies *energies, const char *what)
{
    const ebm_context *context = ebm_context_of(loss);
    size_t parts = ebm_loss_part_count(loss, model), floats;
    if (!ebm_multiply(n, parts + (parts > 1), &floats))
        return ebm_out_of_memory(context, what);
    energies->parts = parts;
    return ebm_grow_floats(context, &energies->values, &energies->held, floats,
                           what);
}

/* Brings the workspace to size; a failure leaves at most a larger array
   behind. */
static ebm_status prepare(ebm_loss *loss, const ebm_model *model, size_t n,
                          const ebm_chains *chains)
{
    size_t m = chains->n, most = n > m ? n : m;
    if (!loss->kind->has_phases)
        return ebm_gradient_sum_prepare(model, EBM_PASS_TANGENT, m,
                                        ebm_tail_extra(chains, model),
                                        &loss->sum);
    EBM_TRY(grow(loss, model, n, &loss->data, "the energies of the data"));
    EBM_TRY(grow(loss, model, m, &loss->chains, "the energies of the chains"));
    return ebm_gradient_sum_prepare(model, EBM_PASS_PARAM_GRADIENT, most, 0,
                                    &loss->sum);
}

/* Mean, standard deviation and mean square, or NON_FINITE. */
static ebm_status summarise(const ebm_context *context, const char *what,
                            size_t n, ebm_energies *energies)
{
    double sum = 0, squares = 0, spread = 0;
    size_t parts = energies->parts;
    n *= parts;
    for (size_t i = 0; i < n; i++) {
        double e = (double)energies->values[i];
        if (!isfinite(e))
            return ebm_fail(context, EBM_ERROR_NON_FINITE,
                            "the energy of %s %zu is %g", what, i / parts, e);
        sum += e;
        squares += e * e;
    }
    energies->mean = sum / (double)n;
    energies->mean_square = squares / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = (double)energies->values[i] - energies->mean;
        spread += d * d;
    }
    energies->std = sqrt(spread / (double)n);
    return EBM_OK;
}

static void write_report(const ebm_loss *loss, ebm_report *report)
{
    const ebm_energies *data = &loss->data, *chains = &loss->chains;
    const double *v = loss->values;
    double total = 0;
    ebm_report_clear(report);
    if (loss->kind->has_phases) {
        double l2 = data->mean_square + chains->mean_square;
        total = v[EBM_LOSS_POSITIVE_WEIGHT] * data->mean -
                v[EBM_LOSS_NEGATIVE_WEIGHT] * chains->mean +
                v[EBM_LOSS_ENERGY_L2] * l2;
        ebm_report_put(report, EBM_REPORT_POSITIVE, data->mean);
        ebm_report_put(report, EBM_REPORT_NEGATIVE, -chains->mean);
        ebm_report_put(report, EBM_REPORT_ENERGY_L2, l2);
        ebm_report_put(report, EBM_REPORT_DATA_ENERGY_MEAN, data->mean);
        ebm_report_put(report, EBM_REPORT_DATA_ENERGY_STD, data->std);
        ebm_report_put(report, EBM_REPORT_CHAIN_ENERGY_MEAN, chains->mean);
        ebm_report_put(report, EBM_REPORT_CHAIN_ENERGY_STD, chains->std);
    }
    if (loss->kind->has_kl)
        total += ebm_kl_report(loss, report);
    ebm_report_put(report, EBM_REPORT_TOTAL, total);
}

/* weight / n + (2 alpha / n) E. */
static ebm_energy_scale scale_of(const ebm_loss *loss, double weight, size_t n)
{
    double alpha = loss->values[EBM_LOSS_ENERGY_L2];
    return (ebm_energy_scale){.constant = (float)(weight / (double)n),
                              .slope = (float)(2 * alpha / (double)n)};
}

/* One batch's part of the gradient, and the energies that go with it. */
static ebm_status add_batch(ebm_loss *loss, const ebm_model *model,
                            const float *x, const int32_t *labels, size_t n,
                            ebm_energy_scale scale, ebm_energies *energies)
{
    float *sums = energies->values;
    if (energies->parts > 1) {
        scale.by_part = 1;
        scale.part_energy = energies->values;
        sums += n * energies->parts;
    }
    return ebm_gradient_sum_add(loss->sum, model, x, labels, n, &scale, sums);
}

/* L+ and L-. */
static ebm_status add_phases(ebm_loss *loss, const ebm_model *model,
                             const float *data, const int32_t *labels,
                             size_t n, const ebm_chains *chains)
{
    const ebm_context *context = ebm_context_of(loss);
    const double *v = loss->values;
    size_t m = chains->n;
    ebm_energy_scale positive = scale_of(loss, v[EBM_LOSS_POSITIVE_WEIGHT], n);
    ebm_energy_scale negative =
        scale_of(loss, -v[EBM_LOSS_NEGATIVE_WEIGHT], m);
    EBM_TRY(add_batch(loss, model, data, labels, n, positive, &loss->data));
    EBM_TRY(add_batch(loss, model, chains->states, chains->labels, m, negative,
                      &loss->chains));
    EBM_TRY(summarise(context, "data sample", n, &loss->data));
    return summarise(context, "chain", m, &loss->chains);
}

/* Everything up to the model's gradient. */
static ebm_status compute(ebm_loss *loss, ebm_model *model, const float *data,
                          const int32_t *labels, size_t n,
                          const ebm_chains *chains)
{
    EBM_TRY(prepare(loss, model, loss->kind->has_phases ? n : 1, chains));
    ebm_gradient_sum_clear(loss->sum);
    if (loss->kind->has_phases)
        EBM_TRY(add_phases(loss, model, data, labels, n, chains));
    if (loss->kind->has_kl)
        EBM_TRY(ebm_kl_add(loss, model, chains));
    /* A callback may have borrowed the parameters: what they are is open. */
    EBM_TRY(ebm_model_check_ready(model));
    return ebm_gradient_sum_commit(loss->sum, model);
}

ebm_status ebm_loss_backward(ebm_loss *loss, ebm_model *model,
                             const float *data, const int32_t *labels,
                             size_t n, const ebm_chains *chains,
                             ebm_report *report)
{
    EBM_TRY(check_all(loss, model, data, labels, n, chains, report));
    const void *held[] = {loss, model, chains, report};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        ebm_object_hold(held[i]);
    loss->is_running = 1;
    ebm_chains_begin_read(chains);
    loss->kl.has_drawn = 0;
    ebm_status status = compute(loss, model, data, labels, n, chains);
    if (status != EBM_OK)
        ebm_kl_undo(loss);
    else if (report)
        write_report(loss, report);
    ebm_chains_end_read(chains);
    loss->is_running = 0;
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        ebm_object_let_go(held[i]);
    return status;
}
