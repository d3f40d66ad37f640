/*
 * The KL term: L_opt and L_ent along the sampling path.
 *
 * With the final states x_i, i = 1 .. n, the adjoint of the path is
 *
 *     a_i = sign (w_opt (-1/n) grad E(x_i) + w_ent dH/dx_i),
 *
 * sign + where D_KL is maximised (L_KL is minimised: energy up, entropy down)
 * and - where it is minimised. The parameters see the term only through a:
 * the energy at the end of the path counts as constant in theta (Omega). What
 * follows is the derivative of the path, chains/tail.c.
 */
#include <math.h>
#include <string.h>

#include "buffer/buffer.h"
#include "chains/tail.h"
#include "core/memory.h"
#include "core/report.h"
#include "loss/loss.h"
#include "model/evaluate.h"

void ebm_kl_finish(ebm_loss *loss)
{
    const ebm_context *context = ebm_context_of(loss);
    ebm_kl_term *kl = &loss->kl;
    ebm_object_release(kl->buffer);
    ebm_free(context, kl->reference);
    ebm_free(context, kl->energies);
    ebm_free(context, kl->adjoint);
    ebm_free(context, kl->entropy_grad);
    ebm_slab_memory_free(&kl->memory);
    ebm_nearest_free(context, &kl->entropy);
}

static ebm_status check_has_kl(const ebm_loss *loss)
{
    if (loss->kind->has_kl)
        return EBM_OK;
    return ebm_fail(ebm_context_of(loss), EBM_ERROR_UNSUPPORTED,
                    "%s has no entropy term", loss->kind->name);
}

ebm_status ebm_loss_set_entropy_reference(ebm_loss *loss, ebm_buffer *buffer,
                                          size_t count)
{
    EBM_CHECK_HANDLE(loss, EBM_TYPE_LOSS);
    EBM_TRY(check_has_kl(loss));
    EBM_TRY(ebm_loss_check_idle(loss));
    ebm_kl_term *kl = &loss->kl;
    if (buffer) {
        EBM_CHECK_HANDLE(buffer, EBM_TYPE_BUFFER);
        EBM_CHECK_SAME_CONTEXT(loss, buffer);
        if (!count)
            return ebm_fail(ebm_context_of(loss), EBM_ERROR_ARGUMENT,
                            "0 draws from the buffer");
        ebm_object_retain(buffer);
    }
    ebm_object_release(kl->buffer);
    kl->buffer = buffer;
    kl->count = buffer ? count : 0;
    kl->size = buffer ? buffer->size : 0;
    return EBM_OK;
}

ebm_status ebm_loss_set_entropy_array(ebm_loss *loss, const float *x, size_t n,
                                      size_t size)
{
    EBM_CHECK_HANDLE(loss, EBM_TYPE_LOSS);
    EBM_TRY(check_has_kl(loss));
    EBM_TRY(ebm_loss_check_idle(loss));
    const ebm_context *context = ebm_context_of(loss);
    ebm_kl_term *kl = &loss->kl;
    size_t elements;
    if (!x)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "x is NULL");
    EBM_TRY(ebm_check_size(context, n, size, 1, 1, &elements));
    EBM_TRY(ebm_check_finite(context, "entropy's reference", x, n, size));
    EBM_TRY(ebm_grow_floats(context, &kl->reference, &kl->held, elements,
                            "the entropy's reference"));
    memcpy(kl->reference, x, elements * sizeof *x);
    ebm_object_release(kl->buffer);
    kl->buffer = NULL;
    kl->count = n;
    kl->size = size;
    return EBM_OK;
}

ebm_status ebm_kl_check(const ebm_loss *loss, const ebm_model *model,
                        const ebm_chains *chains)
{
    const ebm_context *context = ebm_context_of(loss);
    const ebm_kl_term *kl = &loss->kl;
    const double *v = loss->values;
    EBM_TRY(ebm_model_check_mode(model, EBM_PASS_TANGENT));
    if (v[EBM_LOSS_KL_DIRECTION] == EBM_KL_UNSET)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "say whether the KL term is maximised or minimised: "
                        "EBM_LOSS_KL_DIRECTION");
    if (v[EBM_LOSS_ENT_WEIGHT] > 0) {
        size_t candidates = kl->count ? kl->count : chains->n - 1;
        if (kl->count && kl->size != model->size)
            return ebm_fail(context, EBM_ERROR_SHAPE,
                            "the entropy's reference has states of %zu "
                            "elements, the model takes %zu",
                            kl->size, model->size);
        if ((double)candidates < v[EBM_LOSS_ENT_NEIGHBOUR])
            return ebm_fail(context, EBM_ERROR_STATE,
                            "there is no neighbour number %g among %zu "
                            "candidates",
                            v[EBM_LOSS_ENT_NEIGHBOUR], candidates);
        if (kl->buffer && !kl->buffer->count)
            return ebm_fail(context, EBM_ERROR_STATE,
                            "the entropy's buffer is empty");
    }
    return ebm_tail_check(chains, model);
}

/* L_opt = -mean E(x), and its adjoint; over the parts too if the loss says
   so. */
static ebm_status add_opt(ebm_loss *loss, const ebm_model *model,
                          const ebm_chains *chains, double weight)
{
    const ebm_context *context = ebm_context_of(loss);
    ebm_kl_term *kl = &loss->kl;
    size_t n = chains->n;
    EBM_TRY(ebm_grow_floats(context, &kl->energies, &kl->energies_held, n,
                            "the energies of the chains"));
    EBM_TRY(ebm_model_evaluate(model, &kl->memory, EBM_PASS_INPUT_GRADIENT,
                               chains->states, chains->labels, n, kl->energies,
                               kl->adjoint));
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(kl->energies[i]))
            return ebm_fail(context, EBM_ERROR_NON_FINITE,
                            "the energy of chain %zu is not finite", i);
        sum += (double)kl->energies[i];
    }
    EBM_TRY(ebm_check_finite(context, "energy's gradient", kl->adjoint, n,
                             chains->size));
    double count = (double)n * (double)ebm_loss_part_count(loss, model);
    kl->opt = -sum / count;
    float scale = (float)(-weight / count);
    for (size_t i = 0; i < n * chains->size; i++)
        kl->adjoint[i] *= scale;
    return EBM_OK;
}

/* L_ent = H(q), and its adjoint. */
static ebm_status add_ent(ebm_loss *loss, const ebm_chains *chains,
                          double weight)
{
    const ebm_context *context = ebm_context_of(loss);
    ebm_kl_term *kl = &loss->kl;
    size_t elements = chains->n * chains->size;
    EBM_TRY(ebm_grow_floats(context, &kl->entropy_grad, &kl->entropy_grad_held,
                            elements, "the gradient of the entropy"));
    if (kl->buffer) {
        size_t drawn;
        EBM_TRY(ebm_check_size(context, kl->count, kl->size, 1, 1, &drawn));
        EBM_TRY(ebm_grow_floats(context, &kl->reference, &kl->held, drawn,
                                "the entropy's reference"));
        EBM_TRY(ebm_buffer_reference(kl->buffer, kl->count, kl->reference));
        kl->has_drawn = 1;
    }
    EBM_TRY(ebm_entropy_nearest(
        context, chains->states, chains->n, chains->size,
        kl->count ? kl->reference : NULL, kl->count,
        (size_t)loss->values[EBM_LOSS_ENT_NEIGHBOUR], &kl->entropy, &kl->ent,
        kl->entropy_grad, &kl->near_copies));
    for (size_t i = 0; i < elements; i++)
        kl->adjoint[i] += (float)weight * kl->entropy_grad[i];
    return EBM_OK;
}

static double sign_of(const ebm_loss *loss)
{
    return loss->values[EBM_LOSS_KL_DIRECTION] == EBM_KL_MAXIMISE ? 1 : -1;
}

ebm_status ebm_kl_add(ebm_loss *loss, const ebm_model *model,
                      const ebm_chains *chains)
{
    const ebm_context *context = ebm_context_of(loss);
    const double *v = loss->values;
    ebm_kl_term *kl = &loss->kl;
    size_t elements = chains->n * chains->size;
    double sign = sign_of(loss);
    if (v[EBM_LOSS_OPT_WEIGHT] == 0 && v[EBM_LOSS_ENT_WEIGHT] == 0)
        return EBM_OK;
    EBM_TRY(ebm_grow_floats(context, &kl->adjoint, &kl->adjoint_held, elements,
                            "the adjoint of the chains"));
    memset(kl->adjoint, 0, elements * sizeof *kl->adjoint);
    if (v[EBM_LOSS_OPT_WEIGHT] > 0)
        EBM_TRY(add_opt(loss, model, chains, sign * v[EBM_LOSS_OPT_WEIGHT]));
    if (v[EBM_LOSS_ENT_WEIGHT] > 0)
        EBM_TRY(add_ent(loss, chains, sign * v[EBM_LOSS_ENT_WEIGHT]));
    EBM_TRY(ebm_gradient_sum_prepare(model, EBM_PASS_TANGENT, chains->n,
                                     ebm_tail_extra(chains, model),
                                     &loss->sum));
    /* A callback may have written the parameters in this pass. */
    EBM_TRY(ebm_tail_check_current(chains, model));
    return ebm_tail_backward(chains, model, kl->adjoint, loss->sum);
}

void ebm_kl_undo(ebm_loss *loss)
{
    if (loss->kl.has_drawn)
        loss->kl.buffer->references--;
    loss->kl.has_drawn = 0;
}

double ebm_kl_report(const ebm_loss *loss, ebm_report *report)
{
    const ebm_kl_term *kl = &loss->kl;
    double opt_weight = loss->values[EBM_LOSS_OPT_WEIGHT];
    double ent_weight = loss->values[EBM_LOSS_ENT_WEIGHT];
    double total = 0;
    if (opt_weight > 0) {
        ebm_report_put(report, EBM_REPORT_OPT, kl->opt);
        total += opt_weight * kl->opt;
    }
    if (ent_weight > 0) {
        ebm_report_put(report, EBM_REPORT_ENT, kl->ent);
        ebm_report_put(report, EBM_REPORT_NEAR_COPIES,
                       (double)kl->near_copies);
        total += ent_weight * kl->ent;
    }
    if (opt_weight > 0 && ent_weight > 0)
        ebm_report_put(report, EBM_REPORT_KL, kl->opt + kl->ent);
    return sign_of(loss) * total;
}
