/*
 * ebm_bench: how long pieces of work take.
 *
 *     ebm_bench --list
 *     ebm_bench --case NAME ... --threads T --repeat R [--json]
 *
 * Each case runs once to warm up (workspace, caches, threads) and then R
 * times; the median is the figure to quote, the minimum says how quiet the
 * machine was. docs/performance.md says how to read the other columns.
 */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "output.h"

enum { EXIT_USAGE = 2, MAX_REPEAT = 100000, MOST_NAMES = 64 };

typedef struct settings {
    const char *names[MOST_NAMES]; /* none: all cases */
    size_t name_count;
    long threads; /* 0: the library's choice */
    long repeat;
    int json;
    int cold; /* no run to warm up */
} settings;

static void fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("ebm_bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(code);
}

void bench_try(const ebm_context *context, ebm_status status, const char *call)
{
    if (status != EBM_OK)
        fail(EXIT_FAILURE, "%s: %s: %s", call, ebm_status_name(status),
             ebm_context_last_error(context));
}

void *bench_zeros(const ebm_context *context, size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        bench_try(context, EBM_ERROR_MEMORY, "calloc");
    return memory;
}

float *bench_uniform(ebm_context *context, size_t n, uint64_t seed)
{
    ebm_chains *noise = NULL;
    float *x = bench_zeros(context, n * sizeof *x);
    BENCH_TRY(ebm_chains_create(context, 1, 1, 1, n, seed, &noise));
    BENCH_TRY(ebm_chains_init_uniform(noise, -1.0, 1.0));
    memcpy(x, ebm_chains_states(noise), n * sizeof *x);
    ebm_chains_destroy(noise);
    return x;
}

double bench_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, bench_compare);
    return (values[(n - 1) / 2] + values[n / 2]) / 2.0;
}

/* Of the whole process: the cases before this one count too, so memory is
   measured with one --case. */
static double peak_rss_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024.0; /* Linux counts in KiB */
}

static void run_case(const bench_case *bench, const settings *s)
{
    ebm_context *context = NULL;
    bench_try(context, ebm_context_create(&context), "ebm_context_create");
    if (s->threads > 0)
        BENCH_TRY(
            ebm_context_set(context, EBM_CONTEXT_THREADS, (double)s->threads));
    bench_result result = {.bench = bench, .repeat = (size_t)s->repeat};
    BENCH_TRY(ebm_context_get(context, EBM_CONTEXT_THREADS, &result.threads));

    double *ms = bench_zeros(context, result.repeat * sizeof *ms);
    double before = peak_rss_mb();
    void *work = bench->work->create(bench, context);
    if (!s->cold)
        bench->work->run(work);
    for (size_t i = 0; i < result.repeat; i++) {
        double start = bench_now_ms();
        bench->work->run(work);
        ms[i] = bench_now_ms() - start;
    }
    result.median_ms = bench_median(ms, result.repeat);
    result.min_ms = ms[0];
    result.peak_rss_mb = peak_rss_mb();
    result.mb_per_sample =
        (result.peak_rss_mb - before) / (double)bench_samples(bench);
    if (bench->work->count != NULL)
        bench->work->count(work, &result.amount);
    bench->work->destroy(work);
    free(ms);
    /* Afterwards, so that its matrices do not count as the case's memory. */
    if (result.amount.gflop > 0.0 && !bench->work->is_product && !s->cold)
        result.gemm_gflops = bench_peak_gflops(context);
    result.machinery = ebm_context_machinery(context);
    (s->json ? bench_print_json : bench_print_row)(&result);
    ebm_context_destroy(context);
}

static long parse_number(const char *option, const char *text, long most)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 ||
        number < 1 || number > most)
        fail(EXIT_USAGE, "--%s: '%s' is not a whole number from 1 to %ld",
             option, text, most);
    return number;
}

static const bench_case *find_case(const char *name)
{
    for (size_t i = 0; i < bench_case_count; i++)
        if (strcmp(name, bench_cases[i].name) == 0)
            return bench_cases + i;
    fail(EXIT_USAGE, "--case: no case '%s'; see --list", name);
    return NULL;
}

static const char help[] =
    "Usage: ebm_bench [--case NAME ...] [--threads T] [--repeat R] [--json]\n"
    "                 [--cold]\n"
    "       ebm_bench --list [--json]\n\n"
    "Prints a table, or with --json a line of JSON a case; without --case "
    "all\n"
    "but the large ones, which take minutes. With --cold nothing is run to\n"
    "warm up, and the peak of matrix products is not measured.";

static void parse(int argc, char **argv, settings *s)
{
    static const struct option table[] = {
        {"case", required_argument, NULL, 'c'},
        {"threads", required_argument, NULL, 't'},
        {"repeat", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},
        {"cold", no_argument, NULL, 'C'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int list = 0;
    for (int found;
         (found = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        switch (found) {
        case 'c':
            if (s->name_count == MOST_NAMES)
                fail(EXIT_USAGE, "--case: at most %d of them", MOST_NAMES);
            s->names[s->name_count++] = optarg;
            break;
        case 't':
            s->threads = parse_number("threads", optarg, 1024);
            break;
        case 'r':
            s->repeat = parse_number("repeat", optarg, MAX_REPEAT);
            break;
        case 'j':
            s->json = 1;
            break;
        case 'C':
            s->cold = 1;
            break;
        case 'l':
            list = 1;
            break;
        case 'h':
            puts(help);
            exit(EXIT_SUCCESS);
        default: /* getopt_long has said what is wrong */
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc)
        fail(EXIT_USAGE, "'%s' is not an option", argv[optind]);
    if (list) {
        bench_print_list(s->json);
        exit(EXIT_SUCCESS);
    }
}

int main(int argc, char **argv)
{
    settings s = {.repeat = 7};
    parse(argc, argv, &s);
    for (size_t i = 0; i < s.name_count; i++)
        find_case(s.names[i]);
    if (!s.json)
        bench_print_head();
    for (size_t i = 0; i < s.name_count; i++)
        run_case(find_case(s.names[i]), &s);
    for (size_t i = 0; s.name_count == 0 && i < bench_case_count; i++)
        if (!bench_cases[i].on_request)
            run_case(bench_cases + i, &s);
    return EXIT_SUCCESS;
}
