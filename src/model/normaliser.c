/* The public question for log Z. */
#include <ebm/analytic.h>

#include <math.h>

#include "model/model.h"

ebm_status ebm_model_log_normaliser(const ebm_model *model,
                                    double *log_normaliser)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    if (!log_normaliser)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "log_normaliser is NULL");
    double value;
    if (!ebm_model_find_log_normaliser(model, 1, &value) || !isfinite(value))
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "the normaliser of this %s model is not known",
                        model->ops->kind);
    *log_normaliser = value;
    return EBM_OK;
}
