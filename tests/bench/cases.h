/*
 * The cases that ebm_bench measures. A new case is a row in cases.c; a new
 * sort of work is a function that sets it up and one that does it once, and
 * only the second is timed.
 */
#ifndef EBM_TESTS_BENCH_CASES_H
#define EBM_TESTS_BENCH_CASES_H

#include <stddef.h>

#include <ebm/ebm.h>

typedef struct bench_case {
    const char *name;
    const char *text;
    const char *preset; /* at its own width unless `width` says otherwise */
    size_t batch;       /* chains, and as many data */
    size_t steps;       /* of a run */
    size_t kept;        /* steps that a KL term goes back through */
    void *(*create)(const struct bench_case *bench, ebm_context *context);
    void (*run)(void *work);
    void (*destroy)(void *work);
    size_t scales; /* 0: the full one only */
    size_t width;
    int on_request; /* minutes or gigabytes: only when it is named */
} bench_case;

extern const bench_case bench_cases[];
extern const size_t bench_case_count;

/* Samples that go through the network in one run of a case. */
size_t bench_samples(const bench_case *bench);

/* transitions.c */
void *bench_elastic_create(const bench_case *bench, ebm_context *context);
void *bench_simclr_create(const bench_case *bench, ebm_context *context);
void bench_images_run(void *work);
void bench_images_destroy(void *work);

/* Ends the program when a call of the library fails; the macro needs a
   variable `context` in sight. */
void bench_try(const ebm_context *context, ebm_status status,
               const char *call);
#define BENCH_TRY(call) bench_try(context, (call), #call)

#endif
