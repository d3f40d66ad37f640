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

/* Where the digits are: a file or a folder, or with NULL those that come with
   the examples. NULL when there are none of these; to be freed. */
char *digits_find(const char *data);

/* Opens them, scaled to [-1, 1], and says how many there are. */
ebm_dataset *digits_open(ebm_context *context, const char *path,
                         uint64_t seed);

/* The energy network for images of this shape. */
ebm_model *digits_model(ebm_context *context, size_t height, size_t width,
                        size_t channels, uint64_t seed);

/* Langevin steps on it, `steps` in a run. */
ebm_sampler *digits_langevin(ebm_context *context, size_t steps);

/* The optimizer that goes with it. */
ebm_optimizer *digits_adam(ebm_context *context, ebm_model *model);

#endif
