/*
 * ebm_bench: how long a piece of work takes.
 *
 *     ebm_bench --case NAME --threads T --repeat R
 *
 * prints one line of JSON a case. Each case runs once to warm up (workspace,
 * caches, threads) and then R times; the median is the figure to quote, the
 * minimum says how quiet the machine was. Memory a sample is what the case
 * added to the process's peak, by the samples of a run: the model, its
 * gradient and moments, and the workspace of all threads are in it.
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

#include "cases.h"

enum { EXIT_USAGE = 2, MAX_REPEAT = 100000 };

typedef struct settings {
    const char *name; /* NULL: all cases */
    long threads;     /* 0: the library's choice */
    long repeat;
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

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* Of the whole process: the cases before this one count too, so memory is
   measured with one --case. */
static double peak_rss_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024.0; /* Linux counts in KiB */
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static void run_case(const bench_case *bench, const settings *s)
{
    ebm_context *context = NULL;
    bench_try(context, ebm_context_create(&context), "ebm_context_create");
    if (s->threads > 0)
        BENCH_TRY(
            ebm_context_set(context, EBM_CONTEXT_THREADS, (double)s->threads));
    double threads = 0.0;
    BENCH_TRY(ebm_context_get(context, EBM_CONTEXT_THREADS, &threads));

    size_t repeat = (size_t)s->repeat;
    double *ms = calloc(repeat, sizeof *ms);
    if (ms == NULL)
        fail(EXIT_FAILURE, "no memory for %zu times", repeat);
    double before = peak_rss_mb();
    void *work = bench->create(bench, context);
    bench->run(work);
    for (size_t i = 0; i < repeat; i++) {
        double start = now_ms();
        bench->run(work);
        ms[i] = now_ms() - start;
    }
    qsort(ms, repeat, sizeof *ms, compare);
    double median = (ms[(repeat - 1) / 2] + ms[repeat / 2]) / 2.0;

    printf("{\"case\": \"%s\", \"threads\": %.0f, \"median_ms\": %.3f, "
           "\"min_ms\": %.3f, \"peak_rss_mb\": %.1f, "
           "\"peak_mb_per_sample\": %.2f, \"repeat\": %zu, "
           "\"machinery\": ",
           bench->name, threads, median, ms[0], peak_rss_mb(),
           (peak_rss_mb() - before) / (double)bench_samples(bench), repeat);
    print_json_text(ebm_context_machinery(context));
    puts("}");
    fflush(stdout);
    bench->destroy(work);
    free(ms);
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

static void list_cases(void)
{
    for (size_t i = 0; i < bench_case_count; i++)
        printf("%-22s %s\n", bench_cases[i].name, bench_cases[i].text);
}

static void parse(int argc, char **argv, settings *s)
{
    static const struct option table[] = {
        {"case", required_argument, NULL, 'c'},
        {"threads", required_argument, NULL, 't'},
        {"repeat", required_argument, NULL, 'r'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    for (int found;
         (found = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        switch (found) {
        case 'c':
            s->name = optarg;
            break;
        case 't':
            s->threads = parse_number("threads", optarg, 1024);
            break;
        case 'r':
            s->repeat = parse_number("repeat", optarg, MAX_REPEAT);
            break;
        case 'l':
            list_cases();
            exit(EXIT_SUCCESS);
        case 'h':
            puts("Usage: ebm_bench [--case NAME] [--threads T] [--repeat R]"
                 " [--list]\n\nPrints one line of JSON a case; without --case"
                 " all but train-*, which\ntake minutes.");
            exit(EXIT_SUCCESS);
        default: /* getopt_long has said what is wrong */
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc)
        fail(EXIT_USAGE, "'%s' is not an option", argv[optind]);
}

int main(int argc, char **argv)
{
    settings s = {.repeat = 7};
    parse(argc, argv, &s);
    int found = 0;
    for (size_t i = 0; i < bench_case_count; i++) {
        if (s.name == NULL ? !bench_cases[i].on_request
                           : strcmp(s.name, bench_cases[i].name) == 0) {
            run_case(&bench_cases[i], &s);
            found = 1;
        }
    }
    if (!found)
        fail(EXIT_USAGE, "--case: no case '%s'; see --list", s.name);
    return EXIT_SUCCESS;
}
