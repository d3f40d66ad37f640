/*
 * The cases that ebm_bench measures. A new case is a row in cases.c, with a
 * function that sets it up, one that does the work once, and one that cleans
 * up; only the second is timed.
 */
#ifndef EBM_TESTS_BENCH_CASES_H
#define EBM_TESTS_BENCH_CASES_H

#include <stddef.h>

#include <ebm/ebm.h>

typedef struct bench_case {
    const char *name;
    const char *text;
    void *(*create)(ebm_context *context);
    void (*run)(void *work);
    void (*destroy)(void *work);
} bench_case;

extern const bench_case bench_cases[];
extern const size_t bench_case_count;

/* transitions.c */
void *bench_elastic_create(ebm_context *context);
void *bench_simclr_create(ebm_context *context);
void bench_images_run(void *work);
void bench_images_destroy(void *work);

/* Ends the program when a call of the library fails; the macro needs a
   variable `context` in sight. */
void bench_try(const ebm_context *context, ebm_status status,
               const char *call);
#define BENCH_TRY(call) bench_try(context, (call), #call)

#endif
