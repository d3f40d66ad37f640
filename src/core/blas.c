/*
 * CBLAS and its threads. See docs/threading.md for the measured cases.
 *
 * The functions of a particular BLAS are weak references: absent ones are
 * NULL, whatever was linked.
 */
#include "core/blas.h"

#include <limits.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>

#include <cblas.h>

extern int openblas_get_parallel(void) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));
extern long bli_thread_get_num_threads(void) __attribute__((weak));
extern void bli_thread_set_num_threads(long threads) __attribute__((weak));
extern char *bli_info_get_version_str(void) __attribute__((weak));

/* What openblas_get_parallel() returns. */
enum { FLAVOUR_SERIAL = 0, FLAVOUR_PTHREAD = 1, FLAVOUR_OPENMP = 2 };

/* A LAPACK beside BLIS may bring OpenBLAS into the process, so what is there
   does not say whose products these are: the build does. */
static int is_openblas(void)
{
#ifdef EBM_BLAS_IS_BLIS
    return 0;
#else
    return openblas_get_parallel != NULL;
#endif
}

/* The one piece of process-wide state: it mirrors one inside BLAS. */
static struct {
    pthread_mutex_t lock;
    size_t holds;
    int threads; /* BLAS's own number before the first hold */
} process = {PTHREAD_MUTEX_INITIALIZER, 0, 0};

/* A BLAS whose thread count is one number for the whole process. */
static int is_process_wide(void)
{
    if (is_openblas())
        return openblas_get_parallel() == FLAVOUR_PTHREAD &&
               openblas_get_num_threads && openblas_set_num_threads;
    return bli_thread_get_num_threads && bli_thread_set_num_threads;
}

static int get_threads(void)
{
    if (is_openblas())
        return openblas_get_num_threads();
    return (int)bli_thread_get_num_threads();
}

static void set_threads(int threads)
{
    if (is_openblas())
        openblas_set_num_threads(threads);
    else
        bli_thread_set_num_threads(threads);
}

/*
 * OpenBLAS on OpenMP runs a call on one thread inside an active parallel
 * region, but a region of one thread is not active. There it asks for
 * omp_get_max_threads(), a number that belongs to the calling thread: setting
 * that to 1 holds the calls of this thread and disturbs nobody else. (Its own
 * setter would change the number for good.)
 */
ebm_blas_hold ebm_blas_enter(void)
{
    ebm_blas_hold hold = {omp_get_max_threads()};
    omp_set_num_threads(1);
    if (is_process_wide()) {
        pthread_mutex_lock(&process.lock);
        if (process.holds++ == 0) {
            process.threads = get_threads();
            if (process.threads != 1)
                set_threads(1);
        }
        pthread_mutex_unlock(&process.lock);
    }
    return hold;
}

void ebm_blas_leave(ebm_blas_hold hold)
{
    if (is_process_wide()) {
        pthread_mutex_lock(&process.lock);
        if (--process.holds == 0 && process.threads != 1)
            set_threads(process.threads);
        pthread_mutex_unlock(&process.lock);
    }
    omp_set_num_threads(hold.openmp_threads);
}

/*
 * OpenBLAS built without threads hands out its packing buffers without a lock
 * (unless built with USE_LOCKING, which can not be asked for): two products at
 * once may get the same one, and both come out wrong. So one at a time there,
 * whoever's threads they are.
 */
static pthread_mutex_t one_product = PTHREAD_MUTEX_INITIALIZER;

int ebm_blas_lock(void)
{
    int needed = is_openblas() && openblas_get_parallel() == FLAVOUR_SERIAL;
    if (needed)
        pthread_mutex_lock(&one_product);
    return needed;
}

void ebm_blas_unlock(int locked)
{
    if (locked)
        pthread_mutex_unlock(&one_product);
}

void ebm_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k,
               const float *a, size_t lda, const float *b, size_t ldb,
               float beta, float *c, size_t ldc)
{
    int locked = ebm_blas_lock();
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n,
                (int)k, 1.0f, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
    ebm_blas_unlock(locked);
}

void ebm_dgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k,
               const double *a, size_t lda, const double *b, size_t ldb,
               double beta, double *c, size_t ldc)
{
    int locked = ebm_blas_lock();
    cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n,
                (int)k, 1.0, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
    ebm_blas_unlock(locked);
}

size_t ebm_blas_largest(void)
{
    return INT_MAX;
}

void ebm_blas_describe(char *text, size_t size)
{
    static const char *const flavours[] = {"serial", "pthread", "openmp"};
    if (is_openblas()) {
        int flavour = openblas_get_parallel();
        snprintf(text, size, "OpenBLAS %s (%s)",
                 flavour >= FLAVOUR_SERIAL && flavour <= FLAVOUR_OPENMP
                     ? flavours[flavour]
                     : "unknown",
                 openblas_get_corename ? openblas_get_corename() : "?");
    } else if (bli_info_get_version_str) {
        snprintf(text, size, "BLIS %s", bli_info_get_version_str());
    } else {
        snprintf(text, size, "CBLAS");
    }
}
