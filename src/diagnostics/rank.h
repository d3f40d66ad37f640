/*
 * Sorting, ranks and what is made of them.
 */
#ifndef EBM_DIAGNOSTICS_RANK_H
#define EBM_DIAGNOSTICS_RANK_H

#include <stddef.h>

/* A value that knows where it came from. */
typedef struct ebm_ranked {
    double value;
    size_t index;
} ebm_ranked;

/* Sorts in place, equal values by index: heap sort, since the C library's
   qsort takes memory of its own. */
void ebm_sort(ebm_ranked *ranked, size_t count);

/* Phi^-1(p) for 0 < p < 1. */
double ebm_normal_quantile(double p);

/* Each value becomes Phi^-1((r - 3/8) / (count + 1/4)), r its rank from 1 on,
   the mean of their ranks for equal values. ranked[count] is workspace. */
void ebm_rank_normalise(double *values, size_t count, ebm_ranked *ranked);

/* The quantile of sorted values that interpolates linearly between ranks, at
   1 + p (count - 1) (type 7 of Hyndman and Fan 1996). */
double ebm_quantile(const ebm_ranked *sorted, size_t count, double p);

#endif
