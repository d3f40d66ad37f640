/*
 * Two moons: points on two half circles that reach into each other.
 */
#ifndef EXAMPLES_COMMON_MOONS_H
#define EXAMPLES_COMMON_MOONS_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

/* n points [n, 2] with noise of 0.12, n at least 4. To be freed. */
float *moons_create(ebm_context *context, size_t n, uint64_t seed);

#endif
