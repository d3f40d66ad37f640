/*
 * LAPACK, behind one door, as BLAS is behind blas.h.
 */
#ifndef EBM_CORE_LAPACK_H
#define EBM_CORE_LAPACK_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/status.h>

/* Eigenvalues of the symmetric a[n, n], ascending, into values[n]. With
   `vectors` the rows of a become the eigenvectors, in the same order and of
   length 1; without, a is spoiled. One half of a is read, and it must be
   finite. Runs on one thread.
   Errors: OVERFLOW (n), MEMORY, NON_FINITE (it did not converge). */
ebm_status ebm_eigen_symmetric(const ebm_context *context, int vectors,
                               size_t n, double *a, double *values);

#endif
