#include "metrics.h"

#include <math.h>
#include <stdlib.h>

#include "plot.h"
#include "try.h"

/*
 * The shares of clipped and clamped coordinates tell how far the chains are
 * from plain Langevin dynamics, the age how many steps the states of the
 * buffer have lived on average.
 */
enum {
    ITERATION,
    LOSS,
    E_POS,
    E_NEG,
    E_POS_STD,
    E_NEG_STD,
    GRADIENT_NORM,
    CLIPPED,
    CLAMPED_NOISE,
    CLAMPED_STEP,
    STATES,
    AGE,
    COLUMNS,
    /* What the KL term adds. */
    L_OPT = COLUMNS,
    L_ENT,
    L_KL,
    NEAR_COPIES,
    COLUMNS_WITH_KL
};

static const char *const names[COLUMNS_WITH_KL] = {
    "iteration",     "loss",         "e_pos",         "e_neg",
    "e_pos_std",     "e_neg_std",    "gradient_norm", "clipped",
    "clamped_noise", "clamped_step", "buffer_states", "buffer_age",
    "l_opt",         "l_ent",        "l_kl",          "near_copies"};

static const char *const clock_names[] = {"iteration", "seconds"};
enum { CLOCK_COLUMNS = sizeof clock_names / sizeof clock_names[0] };

/* The plot shows the numbers of the table, to its last digit, so that a run
   that was stopped draws the same one. */
static void note_row(const double *row, void *user)
{
    metrics *m = user;
    m->e_pos[m->count] = csv_rounded(row[E_POS]);
    m->e_neg[m->count++] = csv_rounded(row[E_NEG]);
}

static void note_time(const double *row, void *user)
{
    metrics *m = user;
    m->before = row[1];
}

void metrics_open(metrics *m, ebm_context *context, const char *folder,
                  size_t iterations, int has_kl, size_t done)
{
    size_t columns = has_kl ? COLUMNS_WITH_KL : COLUMNS;
    const char *path = path_in(folder, "metrics.csv");
    *m = (metrics){.context = context};
    m->e_pos = try_allocate(iterations, sizeof *m->e_pos);
    m->e_neg = try_allocate(iterations, sizeof *m->e_neg);
    if (done == 0) {
        csv_open(&m->csv, path, names, columns);
        csv_open(&m->clock, path_in(folder, "timings.csv"), clock_names,
                 CLOCK_COLUMNS);
        return;
    }
    if (csv_resume(&m->csv, path, names, columns, done, note_row, m) < done)
        fail(EXIT_USAGE,
             "--resume: %s has %zu rows, the checkpoint is at iteration %zu; "
             "is --out the folder of that run?",
             path, m->count, done);
    path = path_in(folder, "timings.csv");
    if (csv_resume(&m->clock, path, clock_names, CLOCK_COLUMNS, done,
                   note_time, m) < done)
        csv_open(&m->clock, path, clock_names, CLOCK_COLUMNS);
}

void metrics_sync(metrics *m)
{
    csv_sync(&m->csv);
}

static void measure_chains(ebm_context *context, const ebm_sampler *sampler,
                           double *row)
{
    double moved = 0.0, clipped = 0.0, noise = 0.0, step = 0.0;
    TRY(ebm_sampler_get_statistic(sampler, EBM_SAMPLER_STAT_COORDINATES,
                                  &moved));
    TRY(ebm_sampler_get_statistic(sampler, EBM_SAMPLER_STAT_CLIPPED,
                                  &clipped));
    TRY(ebm_sampler_get_statistic(sampler, EBM_SAMPLER_STAT_CLAMPED_NOISE,
                                  &noise));
    TRY(ebm_sampler_get_statistic(sampler, EBM_SAMPLER_STAT_CLAMPED_STEP,
                                  &step));
    row[CLIPPED] = clipped / moved;
    row[CLAMPED_NOISE] = noise / moved;
    row[CLAMPED_STEP] = step / moved;
}

/* Terms that were not computed, as their weight was 0, are nan. */
static void measure_kl(ebm_context *context, const ebm_report *kl, double *row)
{
    static const struct {
        size_t column;
        ebm_report_key key;
    } terms[] = {{L_OPT, EBM_REPORT_OPT},
                 {L_ENT, EBM_REPORT_ENT},
                 {L_KL, EBM_REPORT_KL},
                 {NEAR_COPIES, EBM_REPORT_NEAR_COPIES}};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        double *value = &row[terms[i].column];
        ebm_status status = ebm_report_get(kl, terms[i].key, value);
        if (status == EBM_ERROR_NOT_COMPUTED)
            *value = NAN;
        else
            TRY(status);
    }
}

void metrics_row(metrics *m, double seconds, const ebm_report *report,
                 const ebm_report *kl, const ebm_sampler *sampler,
                 const ebm_optimizer *optimizer, const ebm_buffer *buffer)
{
    ebm_context *context = m->context;
    double row[COLUMNS_WITH_KL];
    TRY(ebm_report_get(report, EBM_REPORT_TOTAL, &row[LOSS]));
    TRY(ebm_report_get(report, EBM_REPORT_DATA_ENERGY_MEAN, &row[E_POS]));
    TRY(ebm_report_get(report, EBM_REPORT_CHAIN_ENERGY_MEAN, &row[E_NEG]));
    TRY(ebm_report_get(report, EBM_REPORT_DATA_ENERGY_STD, &row[E_POS_STD]));
    TRY(ebm_report_get(report, EBM_REPORT_CHAIN_ENERGY_STD, &row[E_NEG_STD]));
    TRY(ebm_optimizer_get_statistic(
        optimizer, EBM_OPTIMIZER_STAT_GRADIENT_NORM, &row[GRADIENT_NORM]));
    TRY(ebm_buffer_get_statistic(buffer, EBM_BUFFER_STAT_SIZE, &row[STATES]));
    TRY(ebm_buffer_get_statistic(buffer, EBM_BUFFER_STAT_AGE_MEAN, &row[AGE]));
    measure_chains(context, sampler, row);
    if (kl != NULL)
        measure_kl(context, kl, row);
    if (kl != NULL && kl != report) {
        double more;
        TRY(ebm_report_get(kl, EBM_REPORT_TOTAL, &more));
        row[LOSS] += more;
    }
    note_row(row, m);
    row[ITERATION] = (double)m->count;
    csv_row(&m->csv, row);
    csv_row(&m->clock, (double[]){(double)m->count, m->before + seconds});
}

void metrics_close(metrics *m, const char *folder)
{
    ebm_context *context = m->context;
    const plot_series series[2] = {
        {"data", m->e_pos, {0.12f, 0.47f, 0.71f}},
        {"chains", m->e_neg, {0.84f, 0.37f, 0.05f}}};
    csv_close(&m->csv);
    csv_close(&m->clock);
    TRY(plot_write(context, path_in(folder, "energies.png"), "mean energy",
                   "iteration", 1.0, series, 2, m->count));
    free(m->e_pos);
    free(m->e_neg);
}
