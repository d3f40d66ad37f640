/*
 * Elastic deformation from the inside: the kind draws a grid of displacements
 * and hands it to the arithmetic, which knows no handle.
 *
 * P x P control points span the image, corners included: pixel j of an axis of
 * N pixels is at (P - 1) j / (N - 1) of the grid. Each has a displacement in
 * pixels along y and x; between them the displacement d is the interpolating
 * cubic B-spline, mirrored at the grid's edge. The new image reads the old
 * one at displaced places, out(p) = in(p + d(p)). The field and the semantics
 * of the boundaries are those of elasticdeform (van Tulder 2021) and
 * scipy.ndimage.map_coordinates.
 */
#ifndef EBM_TRANSITION_ELASTIC_H
#define EBM_TRANSITION_ELASTIC_H

#include "kernel/kernels.h"
#include "transition/transition.h"

enum { EBM_ELASTIC_POINTS_MAX = 32 };

typedef struct ebm_elastic {
    size_t points; /* P, 2 to EBM_ELASTIC_POINTS_MAX */
    ebm_interpolation interpolation;
    ebm_boundary boundary;
} ebm_elastic;

/* The kind's draw: controls[2][P][P], first along y, then along x, N(0, std^2)
   pixels; element (axis P + i) P + j of the generator. */
void ebm_elastic_draw(const ebm_random *random, size_t points, double std,
                      float *controls);

/* Floats of scratch of ebm_elastic_map() and of ebm_elastic_warp(). */
size_t ebm_elastic_map_scratch(size_t points, size_t width);
size_t ebm_elastic_scratch(const ebm_elastic *elastic, size_t height,
                           size_t width);

/* Where each pixel is read, [height, round_up(width, EBM_LANES)]: u across, v
   down. Returns at how many pixels the map folds: where its Jacobian
   determinant du/dx dv/dy - du/dy dv/dx is not positive. */
size_t ebm_elastic_map(const ebm_kernels *kernels, size_t points,
                       size_t height, size_t width, const float *controls,
                       float *scratch, float *u, float *v);

/* Warps one image in place; what SciPy calls orders 0, 1 and 3 with prefilter.
   Returns the folded pixels. */
size_t ebm_elastic_warp(const ebm_elastic *elastic,
                        const ebm_transition_shape *shape,
                        const float *controls, float *image, float *scratch);

#endif
