/*
 * The k nearest neighbours of each sample of a batch, exactly.
 *
 * Candidates are ranked by |b|^2 - 2 x.b, a matrix product in float, about
 * their mean. Distances are then measured as differences in double: of the
 * 2k + 8 that rank first, or of all candidates where the float error could
 * have kept a nearer one out. So neighbours are the true ones, whatever BLAS
 * and number of threads; equal distances go by index.
 */
#ifndef EBM_LOSS_NEAREST_H
#define EBM_LOSS_NEAREST_H

#include <stddef.h>

#include <ebm/context.h>
#include <ebm/status.h>

/* Memory of ebm_nearest(), kept by the caller between calls. Begins zeroed. */
typedef struct ebm_nearest_workspace {
    void *block;
    size_t held; /* bytes */
} ebm_nearest_workspace;

/* Gives the memory back; the workspace can be used again. */
void ebm_nearest_free(const ebm_context *context,
                      ebm_nearest_workspace *workspace);

/*
 * Finds the k nearest of x[n, d] among b[m, d], or, when b is NULL, among the
 * batch itself, each sample leaving itself out (m is not looked at).
 *
 * floor       where the k-th squared distance is less, the neighbours found
 *             need not be the nearest: 0 for the true ones everywhere.
 * squares     [n, k]: squared distances, ascending.
 * neighbours  [n, k]: their indices in b. Both are in the workspace and hold
 *             until its next use.
 *
 * Errors: ARGUMENT (a size of 0, an empty b), RANGE (k < 1, fewer than k
 * candidates), OVERFLOW, NON_FINITE, MEMORY. On an error nothing is written.
 */
ebm_status ebm_nearest(const ebm_context *context, const float *x, size_t n,
                       size_t d, const float *b, size_t m, size_t k,
                       double floor, ebm_nearest_workspace *workspace,
                       double **squares, size_t **neighbours);

#endif
