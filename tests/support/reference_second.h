/*
 * Second derivatives of the double-precision reference network, by central
 * differences of its first ones along a direction:
 *
 *     f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / (12 h) + O(h^4)
 *
 * with f(h) = dE/dx(x + h v) or dE/dtheta(x + h v). In double both errors are
 * below 1e-9; nothing here knows how the library computes the same.
 */
#ifndef EBM_TEST_REFERENCE_SECOND_H
#define EBM_TEST_REFERENCE_SECOND_H

#include "reference.h"

/* hv[size] = H(x) v unless NULL, and dtheta[parameter_count] +=
   scale d/dtheta <grad_x E(x), v> unless NULL. Returns how near to a kink of a
   ReLU the difference came; REF_KINK and more is far enough. */
double ref_second(const ref_network *ref, const double *x, const double *v,
                  double scale, double *hv, double *dtheta);

/* Each difference moves an input by 2e-4 at most, an input of a ReLU by a few
   times that: one that stays this far away crossed no kink in between. */
#define REF_KINK 2e-3

#endif
