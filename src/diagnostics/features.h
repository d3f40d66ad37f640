/*
 * Sets of features in double, as Frechet distance and MMD take them.
 */
#ifndef EBM_DIAGNOSTICS_FEATURES_H
#define EBM_DIAGNOSTICS_FEATURES_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/status.h>

/* What both ask of x[n, d] and y[m, d]: there, finite, of 2 samples at least,
   and not too large. */
ebm_status ebm_check_features(const ebm_context *context, const float *x,
                              size_t n, const float *y, size_t m, size_t d,
                              const double *output);

/* mean[d] of x[n, d]. */
void ebm_feature_mean(const float *x, size_t n, size_t d, double *mean);

#endif
