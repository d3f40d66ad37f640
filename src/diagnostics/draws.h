/*
 * Recorded draws of one quantity, and what is estimated from them.
 *
 * Nothing here fails or allocates: memory is laid out once and used for any
 * number of quantities.
 */
#ifndef EBM_DIAGNOSTICS_DRAWS_H
#define EBM_DIAGNOSTICS_DRAWS_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/diagnostics.h>
#include <ebm/status.h>

#include "diagnostics/rank.h"

typedef struct ebm_draws {
    size_t chains, n;   /* as recorded */
    double *values;     /* [chains, n] */
    double *work;       /* [2 chains, n / 2], or [chains, n] */
    double *rho;        /* [n] */
    ebm_ranked *ranked; /* [chains n] */
} ebm_draws;

/* Fewest draws of a chain for R-hat and autocorrelation times, and for ESS,
   where each half must do. */
enum { EBM_FEWEST_DRAWS = 4 };

/* Bytes that draws of that size need; OVERFLOW with a text. */
ebm_status ebm_draws_bytes(const ebm_context *context, size_t chains, size_t n,
                           size_t *bytes);

/* Lays the arrays out in a block of so many bytes. */
ebm_draws ebm_draws_in(void *block, size_t chains, size_t n);

/* Whether all values are equal. */
int ebm_is_constant(const double *values, size_t count);

/* Takes the mean of all n values away and scales them so that the largest is
   1 or -1: squares can neither overflow nor vanish. They are not all equal. */
void ebm_normalise(double *values, size_t n);

/* 1 + 2 sum of autocorrelations of x[chains, n], n >= 4, cut as Geyer does. x
   is spoiled; it is not constant. rho[n] is workspace. */
double ebm_geyer_time(double *x, size_t chains, size_t n, double *rho);

/* Of values that are not all equal. */
double ebm_draws_time(const ebm_draws *draws);
double ebm_draws_ess(const ebm_draws *draws, ebm_ess_kind kind);
double ebm_draws_r_hat(const ebm_draws *draws);

#endif
