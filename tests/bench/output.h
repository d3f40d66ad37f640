/* What ebm_bench prints: a table for people, a line of JSON a case for
   programs. */
#ifndef EBM_TESTS_BENCH_OUTPUT_H
#define EBM_TESTS_BENCH_OUTPUT_H

#include "cases.h"

typedef struct bench_result {
    const bench_case *bench;
    double threads;
    size_t repeat;
    double median_ms, min_ms;
    double peak_rss_mb; /* of the process so far */
    double mb_per_sample;
    bench_amount amount;
    double gemm_gflops; /* measured after the case; 0: it was not */
    const char *machinery;
} bench_result;

void bench_print_json(const bench_result *result);
void bench_print_head(void);
void bench_print_row(const bench_result *result);
void bench_print_list(int json);

#endif
