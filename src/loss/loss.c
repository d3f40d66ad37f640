/* Losses: creation and settings. */
#include "loss/loss.h"

#include "core/memory.h"
#include "core/option.h"

/* A new kind is a row here, and its terms in backward.c. */
#define FROM_DATA                      \
    (EBM_ORIGIN_BIT(EBM_ORIGIN_DATA) | \
     EBM_ORIGIN_BIT(EBM_ORIGIN_PERSISTED_DATA))
#define NOT_CD "an objective of chains that did not begin at the data"
static const ebm_loss_row kinds[] = {
    [EBM_LOSS_NLL] = {"NLL",
                      EBM_ORIGIN_BIT(EBM_ORIGIN_NOISE) |
                          EBM_ORIGIN_BIT(EBM_ORIGIN_PERSISTED_NOISE) |
                          EBM_ORIGIN_BIT(EBM_ORIGIN_PERSISTED_DATA),
                      "contrastive divergence without its KL term", 1, 0,
                      EBM_KL_UNSET},
    [EBM_LOSS_CD_STAR] = {"CD_STAR", FROM_DATA, NOT_CD, 1, 0, EBM_KL_UNSET},
    [EBM_LOSS_CD] = {"CD", FROM_DATA, NOT_CD, 1, 1, EBM_KL_MAXIMISE},
    [EBM_LOSS_KL] = {"KL", FROM_DATA, NOT_CD, 0, 1, EBM_KL_UNSET},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The bound leaves room for 2 alpha / n in float. */
static const ebm_option_row rows[EBM_LOSS_KEYS] = {
    [EBM_LOSS_ENERGY_L2] = {"energy_l2", EBM_OPTION_REAL, 0,
                            EBM_FLOAT_LARGEST / 2, 0},
    [EBM_LOSS_ALLOW_ANY_ORIGIN] = {"allow_any_origin", EBM_OPTION_FLAG, 0, 1,
                                   0},
    [EBM_LOSS_POSITIVE_WEIGHT] = {"positive_weight", EBM_OPTION_REAL, 0,
                                  EBM_FLOAT_LARGEST / 2, 1},
    [EBM_LOSS_NEGATIVE_WEIGHT] = {"negative_weight", EBM_OPTION_REAL, 0,
                                  EBM_FLOAT_LARGEST / 2, 1},
    [EBM_LOSS_KL_DIRECTION] = {"kl_direction", EBM_OPTION_CHOICE, EBM_KL_UNSET,
                               EBM_KL_MINIMISE, EBM_KL_UNSET},
    [EBM_LOSS_OPT_WEIGHT] = {"opt_weight", EBM_OPTION_REAL, 0,
                             EBM_FLOAT_LARGEST / 2, 1},
    [EBM_LOSS_ENT_WEIGHT] = {"ent_weight", EBM_OPTION_REAL, 0,
                             EBM_FLOAT_LARGEST / 2, 1},
    [EBM_LOSS_ENT_NEIGHBOUR] = {"ent_neighbour", EBM_OPTION_INTEGER, 1, 1e6,
                                1},
    [EBM_LOSS_PARTS] = {"parts", EBM_OPTION_CHOICE, EBM_PARTS_SUM,
                        EBM_PARTS_MEAN, EBM_PARTS_SUM},
};

static void finish(void *object)
{
    ebm_loss *loss = object;
    const ebm_context *context = ebm_context_of(loss);
    ebm_gradient_sum_destroy(loss->sum);
    ebm_kl_finish(loss);
    ebm_free(context, loss->data.values);
    ebm_free(context, loss->chains.values);
}

ebm_status ebm_loss_create(ebm_context *context, ebm_loss_kind kind,
                           ebm_loss **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "loss is NULL");
    if ((unsigned)kind >= KINDS)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no kind of loss %d", (int)kind);
    ebm_loss *loss =
        ebm_object_create(context, EBM_TYPE_LOSS, sizeof *loss, finish);
    if (!loss)
        return EBM_ERROR_MEMORY;
    loss->kind = kinds + kind;
    ebm_option_reset(rows, EBM_LOSS_KEYS, loss->values);
    loss->values[EBM_LOSS_KL_DIRECTION] = loss->kind->direction;
    *out = loss;
    return EBM_OK;
}

void ebm_loss_destroy(ebm_loss *loss)
{
    ebm_object_destroy(loss, EBM_TYPE_LOSS);
}

ebm_status ebm_loss_set(ebm_loss *loss, ebm_loss_key key, double value)
{
    EBM_CHECK_HANDLE(loss, EBM_TYPE_LOSS);
    EBM_TRY(ebm_loss_check_idle(loss));
    if (key == EBM_LOSS_KL_DIRECTION &&
        loss->kind->direction != EBM_KL_UNSET &&
        value != loss->kind->direction)
        return ebm_fail(ebm_context_of(loss), EBM_ERROR_RANGE,
                        "the KL term of %s is maximised, its direction can "
                        "not be %g",
                        loss->kind->name, value);
    return ebm_option_set(ebm_context_of(loss), rows, EBM_LOSS_KEYS,
                          loss->values, (unsigned)key, value);
}

ebm_status ebm_loss_get(const ebm_loss *loss, ebm_loss_key key, double *value)
{
    EBM_CHECK_HANDLE(loss, EBM_TYPE_LOSS);
    return ebm_option_get(ebm_context_of(loss), EBM_LOSS_KEYS, loss->values,
                          (unsigned)key, value);
}

ebm_status ebm_loss_option(ebm_loss_key key, const char **name,
                           ebm_option_kind *kind, double *minimum,
                           double *maximum, double *initial)
{
    return ebm_option_describe(rows, EBM_LOSS_KEYS, (unsigned)key, name, kind,
                               minimum, maximum, initial);
}
