/*
 * The recipe for colour: a folder of PNG files, one of the library's preset
 * networks, and the settings of Du et al. 2020. `preset`, `width` and
 * `variant` of the settings say which network.
 */
#ifndef EXAMPLES_COMMON_COLOUR_H
#define EXAMPLES_COMMON_COLOUR_H

#include "recipe.h"

extern const recipe colour_recipe;

#endif
