/*
 * Matrix products. The shapes are those of the library: a convolution's column
 * matrix by its weights, large and small, one of Winograd's 36 products of a
 * slab, and a big square as what the BLAS can do at best. Each thread
 * multiplies matrices of its own: one-thread calls in parallel.
 */
#include <omp.h>
#include <stdlib.h>

#include "cases.h"
#include "core/blas.h"
#include "core/parallel.h"

enum { PEAK_RUNS = 5 };

/* Operations of a thread in one run: some 20 ms. */
static const double run_flop = 1.5e9;

typedef struct products {
    ebm_context *context;
    int threads;
    size_t m, n, k;
    size_t calls; /* of a thread, in one run */
    float *a, *b, *c;
} products;

static double flop_of(const products *p)
{
    return 2.0 * (double)p->m * (double)p->n * (double)p->k;
}

static void *create(const bench_case *bench, ebm_context *context)
{
    products *p = bench_zeros(context, sizeof *p);
    double threads = 0.0;
    BENCH_TRY(ebm_context_get(context, EBM_CONTEXT_THREADS, &threads));
    p->context = context;
    p->threads = (int)threads;
    p->m = bench->shape[0];
    p->n = bench->shape[1];
    p->k = bench->shape[2];
    p->calls = (size_t)(run_flop / flop_of(p)) + 1;
    size_t count = (size_t)p->threads;
    p->a = bench_uniform(context, count * p->m * p->k, 1);
    p->b = bench_uniform(context, count * p->k * p->n, 2);
    p->c = bench_zeros(context, count * p->m * p->n * sizeof *p->c);
    return p;
}

static void destroy(void *work)
{
    products *p = work;
    free(p->a);
    free(p->b);
    free(p->c);
    free(p);
}

static void multiply(void *work, size_t task, int worker)
{
    products *p = work;
    const float *a = p->a + task * p->m * p->k;
    const float *b = p->b + task * p->k * p->n;
    float *c = p->c + task * p->m * p->n;
    (void)worker;
    for (size_t i = 0; i < p->calls; i++)
        ebm_sgemm(0, 0, p->m, p->n, p->k, a, p->k, b, p->n, 0.0f, c, p->n);
}

static void run(void *work)
{
    products *p = work;
    ebm_parallel_for(p->context, (size_t)p->threads, multiply, p);
}

/* The BLAS is told nothing. */
static void run_free(void *work)
{
    products *p = work;
#pragma omp parallel for num_threads(p->threads) schedule(static, 1)
    for (int i = 0; i < p->threads; i++)
        multiply(p, (size_t)i, i);
}

static void count(const void *work, bench_amount *amount)
{
    const products *p = work;
    amount->gflop = 1e-9 * flop_of(p) * (double)p->calls * p->threads;
}

const bench_work bench_product = {create, run, destroy, count, 1};
const bench_work bench_free_product = {create, run_free, destroy, count, 1};

static double gflops_of(const bench_case *bench, ebm_context *context)
{
    void *work = create(bench, context);
    bench_amount amount = {0};
    double ms[PEAK_RUNS];
    count(work, &amount);
    run(work);
    for (size_t i = 0; i < PEAK_RUNS; i++) {
        double start = bench_now_ms();
        run(work);
        ms[i] = bench_now_ms() - start;
    }
    destroy(work);
    return 1e3 * amount.gflop / bench_median(ms, PEAK_RUNS);
}

double bench_peak_gflops(ebm_context *context)
{
    double best = 0.0;
    for (size_t i = 0; i < bench_case_count; i++) {
        if (bench_cases[i].work != &bench_product)
            continue;
        double gflops = gflops_of(bench_cases + i, context);
        if (gflops > best)
            best = gflops;
    }
    return best;
}
