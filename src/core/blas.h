/*
 * CBLAS, behind one door: blas.c alone includes cblas.h.
 *
 * Every GEMM of the library runs on one thread, the slab's own. How a BLAS is
 * kept from starting more depends on how it was built, which is found at run
 * time: Debian's alternatives may run another build than was linked.
 */
#ifndef EBM_CORE_BLAS_H
#define EBM_CORE_BLAS_H

#include <stddef.h>

/* What ebm_blas_leave() must restore. */
typedef struct ebm_blas_hold {
    int openmp_threads;
} ebm_blas_hold;

/* Holds BLAS calls of this process to one thread each, until the matching
   leave. Holds nest and may come from several threads: the setting is
   process-wide for OpenBLAS with pthreads and for BLIS, so holds are counted
   and the old number comes back with the last one. */
ebm_blas_hold ebm_blas_enter(void);
void ebm_blas_leave(ebm_blas_hold hold);

/* Around what calls BLAS by itself, such as LAPACK: one at a time where that
   BLAS can not stand more. The products below do it themselves. */
int ebm_blas_lock(void);
void ebm_blas_unlock(int locked);

/* Row-major C[m, n] = A op B + beta C, where A is [m, k], or [k, m] when
   transpose_a; B is [k, n], or [n, k] when transpose_b. Leading dimensions
   are the row lengths in memory. Sizes were checked to fit an int. */
void ebm_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k,
               const float *a, size_t lda, const float *b, size_t ldb,
               float beta, float *c, size_t ldc);

/* The same in double. */
void ebm_dgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k,
               const double *a, size_t lda, const double *b, size_t ldb,
               double beta, double *c, size_t ldc);

/* Largest size that ebm_sgemm and ebm_dgemm take. */
size_t ebm_blas_largest(void);

/* One line: name and threading of the BLAS in use. */
void ebm_blas_describe(char *text, size_t size);

#endif
