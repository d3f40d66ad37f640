/* Transitions by name: rows of settings. */
#include <string.h>

#include "transition/transition.h"

enum { PARTS = 5 };

/* Crop, flip, jitter, grayscale, and a blur if `blur` is above 0. */
typedef struct recipe {
    const char *name;
    double area_min;
    ebm_interpolation interpolation;
    double strength, hue;
    double blur;        /* probability */
    double blur_kernel; /* 0: a tenth of the height */
} recipe;

/* Chen et al. 2020, appendix A; Du et al. 2021, supplement B.2, and the
   settings of their published program. */
static const recipe simclr = {"simclr", 0.08, EBM_INTERPOLATION_CUBIC, 1, 0.2,
                              0.5,      0};
static const recipe papers[] = {
    {"du2020-cifar", 0.02, EBM_INTERPOLATION_LINEAR, 1, 0.2, 0, 0},
    {"du2020-celeba", 0.08, EBM_INTERPOLATION_LINEAR, 1, 0.2, 0, 0},
    {"du2020-cifar-code", 0.08, EBM_INTERPOLATION_LINEAR, 1, 0.4, 0, 0},
    {"du2020-celeba-code", 0.08, EBM_INTERPOLATION_LINEAR, 0.5, 0.4, 0.5, 5},
};

/* Creates a leaf with settings; *status keeps the first failure. */
static ebm_transition *leaf(ebm_context *context, ebm_transition_kind kind,
                            size_t count, const ebm_transition_key *keys,
                            const double *values, ebm_status *status)
{
    ebm_transition *transition = NULL;
    if (*status == EBM_OK)
        *status = ebm_transition_create(context, kind, &transition);
    for (size_t i = 0; *status == EBM_OK && i < count; i++)
        *status = ebm_transition_set(transition, keys[i], values[i]);
    return transition;
}

static ebm_status create(ebm_context *context, const recipe *r,
                         ebm_transition **out)
{
    static const ebm_transition_key crop[] = {EBM_TRANSITION_AREA_MIN,
                                              EBM_TRANSITION_INTERPOLATION};
    static const ebm_transition_key jitter[] = {EBM_TRANSITION_STRENGTH,
                                                EBM_TRANSITION_HUE,
                                                EBM_TRANSITION_PROBABILITY};
    static const ebm_transition_key blur[] = {EBM_TRANSITION_PROBABILITY,
                                              EBM_TRANSITION_BLUR_KERNEL};
    ebm_status status = EBM_OK;
    size_t count = r->blur > 0 ? PARTS : PARTS - 1;
    ebm_transition *parts[PARTS] = {NULL};
    parts[0] = leaf(context, EBM_TRANSITION_CROP, 2, crop,
                    (double[]){r->area_min, r->interpolation}, &status);
    parts[1] = leaf(context, EBM_TRANSITION_FLIP, 0, NULL, NULL, &status);
    parts[2] = leaf(context, EBM_TRANSITION_JITTER, 3, jitter,
                    (double[]){r->strength, r->hue, 0.8}, &status);
    parts[3] = leaf(context, EBM_TRANSITION_GRAYSCALE, 0, NULL, NULL, &status);
    if (count == PARTS)
        parts[4] = leaf(context, EBM_TRANSITION_BLUR, 2, blur,
                        (double[]){r->blur, r->blur_kernel}, &status);
    if (status == EBM_OK)
        status = ebm_transition_create_sequence(context, parts, count, out);
    for (size_t i = 0; i < PARTS; i++)
        ebm_object_release(parts[i]);
    return status;
}

/* One deformation, with the settings that digits stand a hundred times:
   docs/transitions.md. */
static ebm_status create_digits(ebm_context *context, ebm_transition **out)
{
    static const ebm_transition_key keys[] = {EBM_TRANSITION_GRID_POINTS,
                                              EBM_TRANSITION_DISPLACEMENT_STD,
                                              EBM_TRANSITION_INTERPOLATION};
    ebm_status status = EBM_OK;
    ebm_transition *transition =
        leaf(context, EBM_TRANSITION_ELASTIC, 3, keys,
             (double[]){3, 0.5, EBM_INTERPOLATION_CUBIC}, &status);
    if (status == EBM_OK)
        *out = transition;
    else
        ebm_object_release(transition);
    return status;
}

ebm_status ebm_transition_create_simclr(ebm_context *context, double strength,
                                        ebm_transition **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "transition is NULL");
    recipe r = simclr;
    r.strength = strength;
    return create(context, &r, out);
}

ebm_status ebm_transition_create_preset(ebm_context *context, const char *name,
                                        ebm_transition **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!out || !name)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "name or transition is NULL");
    if (!strcmp(name, simclr.name))
        return create(context, &simclr, out);
    for (size_t i = 0; i < sizeof papers / sizeof *papers; i++)
        if (!strcmp(name, papers[i].name))
            return create(context, papers + i, out);
    if (!strcmp(name, "elastic-digits"))
        return create_digits(context, out);
    return ebm_fail(context, EBM_ERROR_ARGUMENT,
                    "there is no transition named \"%.40s\"", name);
}
