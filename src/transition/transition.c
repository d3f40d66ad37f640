/* Transitions: the kinds, creation of leaves, settings, statistics. */
#include "transition/transition.h"

#include "core/context.h"
#include "core/memory.h"
#include "transition/tree.h"

typedef struct kind_row {
    const char *name;
    const ebm_transition_ops *ops; /* NULL: not a leaf of the library's */
} kind_row;

/* A kind is a row. */
static const kind_row kinds[] = {
    [EBM_TRANSITION_FLIP] = {"flip", &ebm_transition_flip},
    [EBM_TRANSITION_CROP] = {"crop", &ebm_transition_crop},
    [EBM_TRANSITION_RESCALE] = {"rescale", &ebm_transition_rescale},
    [EBM_TRANSITION_JITTER] = {"jitter", &ebm_transition_jitter},
    [EBM_TRANSITION_GRAYSCALE] = {"grayscale", &ebm_transition_grayscale},
    [EBM_TRANSITION_BLUR] = {"blur", &ebm_transition_blur},
    [EBM_TRANSITION_NOISE] = {"noise", &ebm_transition_noise},
    [EBM_TRANSITION_ELASTIC] = {"elastic", &ebm_transition_elastic},
    [EBM_TRANSITION_CALLBACK] = {"callback", NULL},
    [EBM_TRANSITION_SEQUENCE] = {"sequence", NULL},
    [EBM_TRANSITION_ONE_OF] = {"one of", NULL},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The settings of all kinds. */
static const ebm_option_row common[] = {
    [EBM_TRANSITION_PROBABILITY] = {"probability", EBM_OPTION_REAL, 0, 1, 1},
    [EBM_TRANSITION_RANGE_MIN] = {"range_min", EBM_OPTION_REAL,
                                  -EBM_FLOAT_LARGEST, EBM_FLOAT_LARGEST, -1},
    [EBM_TRANSITION_RANGE_MAX] = {"range_max", EBM_OPTION_REAL,
                                  -EBM_FLOAT_LARGEST, EBM_FLOAT_LARGEST, 1},
};
enum { COMMON = sizeof common / sizeof *common };

const char *ebm_transition_kind_text(ebm_transition_kind kind)
{
    return (unsigned)kind < KINDS ? kinds[kind].name : "unknown";
}

const ebm_transition_ops *ebm_transition_ops_of(ebm_transition_kind kind)
{
    return kinds[kind].ops;
}

/* The row of a key, or NULL when the kind does not have it. */
static const ebm_option_row *row_of(ebm_transition_kind kind, unsigned key)
{
    const ebm_transition_ops *ops = kinds[kind].ops;
    for (size_t i = 0; ops && i < ops->row_count; i++)
        if ((unsigned)ops->rows[i].key == key)
            return &ops->rows[i].option;
    return key < COMMON ? common + key : NULL;
}

static void finish(void *object)
{
    ebm_transition *transition = object;
    const ebm_context *context = ebm_context_of(transition);
    for (size_t i = 0; i < transition->part_count; i++)
        ebm_object_release(transition->parts[i]);
    ebm_free(context, transition->parts);
    ebm_free(context, transition->shares);
}

ebm_transition *ebm_transition_make(ebm_context *context,
                                    ebm_transition_kind kind)
{
    ebm_transition *transition = ebm_object_create(
        context, EBM_TYPE_TRANSITION, sizeof *transition, finish);
    if (!transition)
        return NULL;
    transition->kind = kind;
    transition->nodes = 1;
    for (unsigned key = 0; key < EBM_TRANSITION_KEYS; key++) {
        const ebm_option_row *row = row_of(kind, key);
        transition->values[key] = row ? row->initial : 0;
    }
    return transition;
}

ebm_status ebm_transition_create(ebm_context *context,
                                 ebm_transition_kind kind,
                                 ebm_transition **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "transition is NULL");
    if ((unsigned)kind >= KINDS)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no transition kind %u", (unsigned)kind);
    if (!kinds[kind].ops)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "a transition \"%s\" has a create of its own",
                        kinds[kind].name);
    ebm_transition *transition = ebm_transition_make(context, kind);
    if (!transition)
        return EBM_ERROR_MEMORY;
    *out = transition;
    return EBM_OK;
}

void ebm_transition_destroy(ebm_transition *transition)
{
    ebm_object_destroy(transition, EBM_TYPE_TRANSITION);
}

ebm_transition_kind ebm_transition_get_kind(const ebm_transition *transition)
{
    return ebm_object_is(transition, EBM_TYPE_TRANSITION)
               ? transition->kind
               : EBM_TRANSITION_KIND_MAX;
}

size_t ebm_transition_part_count(const ebm_transition *transition)
{
    return ebm_object_is(transition, EBM_TYPE_TRANSITION)
               ? transition->part_count
               : 0;
}

ebm_transition *ebm_transition_part(const ebm_transition *transition,
                                    size_t index)
{
    if (index >= ebm_transition_part_count(transition))
        return NULL;
    ebm_transition *part = transition->parts[index];
    return ebm_object_is(part, EBM_TYPE_TRANSITION) ? part : NULL;
}

/* Finds the row of a key: ARGUMENT where no kind has such a key. */
static ebm_status find_row(const ebm_context *context,
                           ebm_transition_kind kind, unsigned key,
                           const ebm_option_row **row)
{
    if (key >= EBM_TRANSITION_KEYS)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no key %u",
                        key);
    *row = row_of(kind, key);
    if (!*row)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "a transition \"%s\" does not have the key %u",
                        kinds[kind].name, key);
    return EBM_OK;
}

ebm_status ebm_transition_set(ebm_transition *transition,
                              ebm_transition_key key, double value)
{
    EBM_CHECK_HANDLE(transition, EBM_TYPE_TRANSITION);
    const ebm_context *context = ebm_context_of(transition);
    const ebm_option_row *row;
    EBM_TRY(find_row(context, transition->kind, (unsigned)key, &row));
    EBM_TRY(ebm_option_check(context, row, 1, 0, value));
    transition->values[key] = value;
    return EBM_OK;
}

ebm_status ebm_transition_get(const ebm_transition *transition,
                              ebm_transition_key key, double *value)
{
    EBM_CHECK_HANDLE(transition, EBM_TYPE_TRANSITION);
    const ebm_context *context = ebm_context_of(transition);
    const ebm_option_row *row;
    EBM_TRY(find_row(context, transition->kind, (unsigned)key, &row));
    return ebm_option_get(context, EBM_TRANSITION_KEYS, transition->values,
                          (unsigned)key, value);
}

ebm_status ebm_transition_option(ebm_transition_kind kind,
                                 ebm_transition_key key, const char **name,
                                 ebm_option_kind *option_kind, double *minimum,
                                 double *maximum, double *initial)
{
    if ((unsigned)kind >= KINDS)
        return EBM_ERROR_ARGUMENT;
    const ebm_option_row *row;
    EBM_TRY(find_row(NULL, kind, (unsigned)key, &row));
    return ebm_option_describe(row, 1, 0, name, option_kind, minimum, maximum,
                               initial);
}

/* Adds up pixels that folded, and all that could, over a tree. */
static void add_folds(const ebm_transition *transition, double *folded,
                      double *warped)
{
    *folded += (double)atomic_load(&transition->folded);
    *warped += (double)atomic_load(&transition->warped);
    for (size_t i = 0; i < transition->part_count; i++)
        add_folds(transition->parts[i], folded, warped);
}

ebm_status ebm_transition_get_statistic(const ebm_transition *transition,
                                        ebm_transition_statistic statistic,
                                        double *value)
{
    EBM_CHECK_HANDLE(transition, EBM_TYPE_TRANSITION);
    const ebm_context *context = ebm_context_of(transition);
    if (!value)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "value is NULL");
    double folded = 0, warped = 0;
    switch (statistic) {
    case EBM_TRANSITION_STAT_APPLIED:
        *value = (double)atomic_load(&transition->applied);
        return EBM_OK;
    case EBM_TRANSITION_STAT_FOLDED:
        add_folds(transition, &folded, &warped);
        *value = warped > 0 ? folded / warped : 0;
        return EBM_OK;
    case EBM_TRANSITION_STATISTIC_MAX:
        break;
    }
    return ebm_fail(context, EBM_ERROR_ARGUMENT, "there is no statistic %d",
                    (int)statistic);
}
