/*
 * A recipe: what a lesson learns from and with. The lessons' own is that for
 * digits; improved_cd has one for colour besides.
 */
#ifndef EXAMPLES_COMMON_RECIPE_H
#define EXAMPLES_COMMON_RECIPE_H

#include <stddef.h>

#include <ebm/ebm.h>

#include "settings.h"

typedef struct recipe {
    /* Opens the images, scaled to [-1, 1], and says how many there are. NULL
       when none are named and none come with the examples. */
    ebm_dataset *(*open)(ebm_context *context, const settings *s);
    /* The energy network for images of this shape. */
    ebm_model *(*model)(ebm_context *context, const settings *s, size_t height,
                        size_t width, size_t channels);
    /* Langevin steps on it, `steps` in a run. */
    ebm_sampler *(*langevin)(ebm_context *context, size_t steps);
    /* The optimizer that goes with it. */
    ebm_optimizer *(*adam)(ebm_context *context, ebm_model *model);
} recipe;

#endif
