/*
 * The cases that ebm_bench measures. A new case is a row in cases.c; a new
 * sort of work is a table of functions: one sets it up, one does it once, and
 * only the second is timed.
 */
#ifndef EBM_TESTS_BENCH_CASES_H
#define EBM_TESTS_BENCH_CASES_H

#include <stddef.h>

#include <ebm/ebm.h>

/* How much a run of a case is; 0 for what is not counted. */
typedef struct bench_amount {
    double gflop;     /* by the rules in flop.h */
    double gigabytes; /* that the arithmetic has to read and write */
    double items;
    const char *item; /* what these are */
} bench_amount;

typedef struct bench_case bench_case;

typedef struct bench_work {
    void *(*create)(const bench_case *bench, ebm_context *context);
    void (*run)(void *work);
    void (*destroy)(void *work);
    /* Fills in what it counts; the rest is 0. NULL: nothing. */
    void (*count)(const void *work, bench_amount *amount);
    int is_product; /* matrix products alone: no share of their own speed */
} bench_work;

struct bench_case {
    const char *name;
    const char *text;
    const bench_work *work;
    const char *preset; /* at its own width unless `width` says otherwise */
    size_t batch;       /* chains, and as many data; rows of an array */
    size_t steps;       /* of a run */
    size_t kept;        /* steps that a KL term goes back through */
    size_t scales;      /* 0: the full one only */
    size_t width;
    ebm_sampler_kind sampler;
    size_t shape[3]; /* of a matrix product: m, n, k; of arrays: columns,
                        and rows of the second one */
    int on_request;  /* minutes or gigabytes: only when it is named */
};

extern const bench_case bench_cases[];
extern const size_t bench_case_count;

/* Samples that go through the network in one run of a case, or rows. */
size_t bench_samples(const bench_case *bench);

/* networks.c: chains, steps of learning, KL terms, whole iterations, AIS */
extern const bench_work bench_chain, bench_update, bench_kl, bench_training,
    bench_ais;
/* transitions.c */
extern const bench_work bench_elastic, bench_simclr;
/* arrays.c: what diagnostics and losses do with two arrays of rows */
extern const bench_work bench_nearest, bench_entropy, bench_frechet, bench_mmd;
/* memory.c: randomness and the Langevin update, and a plain copy beside */
extern const bench_work bench_copy, bench_normals, bench_langevin;
/* product.c: matrix products as the library calls them, and with the threads
   of the BLAS left as they are */
extern const bench_work bench_product, bench_free_product;
/* start.c: a program from its start to its first energy */
extern const bench_work bench_start;

/* The GFLOP/s of the fastest shape among the cases of bench_product, on the
   context's threads: the peak that shares are of. */
double bench_peak_gflops(ebm_context *context);

double bench_now_ms(void);
int bench_compare(const void *a, const void *b); /* doubles, for qsort */
double bench_median(double *values, size_t n);   /* sorts them */

/* Ends the program when a call of the library fails; the macro needs a
   variable `context` in sight. */
void bench_try(const ebm_context *context, ebm_status status,
               const char *call);
#define BENCH_TRY(call) bench_try(context, (call), #call)
/* calloc() and malloc() that end the program instead of failing. */
void *bench_zeros(const ebm_context *context, size_t size);
/* n numbers of [-1, 1), for arrays whose values do not matter. */
float *bench_uniform(ebm_context *context, size_t n, uint64_t seed);

#endif
