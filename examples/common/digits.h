/*
 * What every lesson on digits begins with: the images, the network that gives
 * them an energy, the chains' sampler, and Adam. The settings are those that
 * are common for MNIST since Du and Mordatch (2019).
 */
#ifndef EXAMPLES_COMMON_DIGITS_H
#define EXAMPLES_COMMON_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

#include "recipe.h"

/* Where the digits are: a file or a folder, or with NULL those that come with
   the examples. NULL when there are none of these; to be freed. */
char *digits_find(const char *data);

/* The model without warps that comes with the examples; NULL, or to be
   freed. */
char *digits_model(void);

/* Of the noise on data and in the chains. */
extern const double digits_noise_std;

/* Langevin steps on it, `steps` in a run. */
ebm_sampler *digits_langevin(ebm_context *context, size_t steps);

extern const recipe digits_recipe;

#endif
