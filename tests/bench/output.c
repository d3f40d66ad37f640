#include "output.h"

#include <stdio.h>

/* Amount a second, where it took so many ms. */
static double rate(double amount, double ms)
{
    return 1e3 * amount / ms;
}

static double share(const bench_result *r)
{
    return r->gemm_gflops > 0.0
               ? rate(r->amount.gflop, r->median_ms) / r->gemm_gflops
               : 0.0;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

/* What was not counted is 0 in here and null outside. */
static void print_counted(const char *key, double value)
{
    if (value > 0.0)
        printf(", \"%s\": %.4g", key, value);
    else
        printf(", \"%s\": null", key);
}

void bench_print_json(const bench_result *r)
{
    double ms = r->median_ms;
    printf("{\"case\": \"%s\", \"threads\": %.0f, \"median_ms\": %.3f, "
           "\"min_ms\": %.3f, \"peak_rss_mb\": %.1f, "
           "\"peak_mb_per_sample\": %.2f, \"repeat\": %zu",
           r->bench->name, r->threads, ms, r->min_ms, r->peak_rss_mb,
           r->mb_per_sample, r->repeat);
    print_counted("gflop", r->amount.gflop);
    print_counted("gflops", rate(r->amount.gflop, ms));
    print_counted("gemm_gflops", r->gemm_gflops);
    print_counted("gemm_share", share(r));
    print_counted("gb_per_s", rate(r->amount.gigabytes, ms));
    print_counted("items_per_s", rate(r->amount.items, ms));
    printf(", \"item\": ");
    if (r->amount.item != NULL)
        print_text(r->amount.item);
    else
        printf("null");
    printf(", \"machinery\": ");
    print_text(r->machinery);
    puts("}");
    fflush(stdout);
}

void bench_print_head(void)
{
    printf("%-22s %7s %10s %10s %8s %6s %7s %8s  %s\n", "case", "threads",
           "median ms", "min ms", "GFLOP/s", "peak", "GB/s", "RSS MB",
           "a second");
}

static void print_cell(int width, const char *format, double value)
{
    char cell[32] = "-";
    if (value > 0.0)
        snprintf(cell, sizeof cell, format, value);
    printf(" %*s", width, cell);
}

void bench_print_row(const bench_result *r)
{
    double ms = r->median_ms;
    printf("%-22s %7.0f %10.3f %10.3f", r->bench->name, r->threads, ms,
           r->min_ms);
    print_cell(8, "%.1f", rate(r->amount.gflop, ms));
    print_cell(6, "%.0f %%", 100.0 * share(r));
    print_cell(7, "%.1f", rate(r->amount.gigabytes, ms));
    print_cell(8, "%.1f", r->peak_rss_mb);
    if (r->amount.item != NULL)
        printf("  %.3g %s", rate(r->amount.items, ms), r->amount.item);
    putchar('\n');
    fflush(stdout);
}

void bench_print_list(int json)
{
    for (size_t i = 0; i < bench_case_count; i++) {
        const bench_case *bench = bench_cases + i;
        if (json) {
            printf("{\"case\": \"%s\", \"on_request\": %s, \"text\": ",
                   bench->name, bench->on_request ? "true" : "false");
            print_text(bench->text);
            puts("}");
        } else {
            printf("%-22s %s%s\n", bench->name, bench->text,
                   bench->on_request ? " (only when named)" : "");
        }
    }
}
