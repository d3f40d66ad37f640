/*
 * Pictures of energies in the plane: the density exp(-E) as shades, points and
 * ways of chains on top, one panel beside the other.
 */
#ifndef EXAMPLES_COMMON_LANDSCAPE_H
#define EXAMPLES_COMMON_LANDSCAPE_H

#include <stddef.h>

#include <ebm/ebm.h>

#include "canvas.h"

typedef struct landscape {
    size_t panels;
    double reach; /* a panel shows [-reach, reach]^2, y upwards */
    canvas canvas;
} landscape;

/* An empty picture. */
void landscape_begin(landscape *l, size_t panels, double reach);

/* Shades of exp(-E), darkest at the lowest energy in sight. */
void landscape_density(landscape *l, size_t panel, ebm_context *context,
                       const ebm_model *model);

/* Dots at n points [n, 2]. */
void landscape_points(landscape *l, size_t panel, const float *points,
                      size_t n, const float *colour);

/* A line through n points. */
void landscape_way(landscape *l, size_t panel, const float *points, size_t n,
                   const float *colour);

/* A text in the upper left corner. */
void landscape_title(landscape *l, size_t panel, const char *text);

/* Writes the picture and frees it. */
ebm_status landscape_write(landscape *l, ebm_context *context,
                           const char *path);

#endif
