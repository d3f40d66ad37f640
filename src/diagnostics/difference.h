/*
 * Central differences at several steps, extrapolated to a step of 0.
 */
#ifndef EBM_DIAGNOSTICS_DIFFERENCE_H
#define EBM_DIAGNOSTICS_DIFFERENCE_H

#include <stddef.h>

/* Steps: each half of the one before. */
enum { EBM_STEPS = 10 };

/* A derivative and how far off it may be. */
typedef struct ebm_slope {
    double value, error;
} ebm_slope;

/* From the values ahead[k] and behind[k] of a function at the two ends of a
   span[k] > 0, and a bound of the rounding error of each such value. Values
   that are not finite are left out; an error of infinity when too few are
   left. */
ebm_slope ebm_richardson(const double *ahead, const double *behind,
                         const double *span, double rounding);

#endif
