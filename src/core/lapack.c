/*
 * LAPACK through its Fortran symbols: Debian's OpenBLAS has them and no
 * lapacke.h. Compilers pass the lengths of CHARACTER arguments behind all
 * others; they are 1 here and LAPACK does not look at them.
 */
#include "core/lapack.h"

#include "core/blas.h"
#include "core/memory.h"
#include "core/object.h"

extern void dsyevd_(const char *jobz, const char *uplo, const int *n,
                    double *a, const int *lda, double *w, double *work,
                    const int *lwork, int *iwork, const int *liwork, int *info,
                    size_t jobz_length, size_t uplo_length);

/* Divide and conquer (Cuppen; Gu and Eisenstat 1995). Row-major and
   column-major are the same for a symmetric matrix; its eigenvectors, columns
   for Fortran, are rows here. */
ebm_status ebm_eigen_symmetric(const ebm_context *context, int vectors,
                               size_t n, double *a, double *values)
{
    /* What dsyevd needs with vectors, from its documentation: 1 + 6 n + 2 n^2
       doubles, 3 + 5 n integers. */
    size_t doubles = 1 + 6 * n + 2 * n * n, integers = 3 + 5 * n;
    if (n > 30000)
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "a matrix of %zu rows is more than LAPACK's integers "
                        "can count",
                        n);
    double *work = ebm_alloc(context, doubles, sizeof *work);
    int *iwork = ebm_alloc(context, integers, sizeof *iwork);
    ebm_status status = EBM_OK;
    if (!work || !iwork) {
        status = ebm_out_of_memory(context, "eigenvalues");
    } else {
        int size = (int)n, lwork = (int)doubles, liwork = (int)integers;
        int info = 0;
        ebm_blas_hold hold = ebm_blas_enter();
        int locked = ebm_blas_lock();
        dsyevd_(vectors ? "V" : "N", "L", &size, a, &size, values, work,
                &lwork, iwork, &liwork, &info, 1, 1);
        ebm_blas_unlock(locked);
        ebm_blas_leave(hold);
        if (info)
            status = ebm_fail(context, EBM_ERROR_NON_FINITE,
                              "the eigenvalues of a [%zu, %zu] matrix did not "
                              "converge",
                              n, n);
    }
    ebm_free(context, work);
    ebm_free(context, iwork);
    return status;
}
