/*
 * What a training run measures in every iteration: metrics.csv while it runs,
 * energies.png at its end. Both are the same whenever the run is repeated;
 * what the clock says is in timings.csv.
 */
#ifndef EXAMPLES_COMMON_METRICS_H
#define EXAMPLES_COMMON_METRICS_H

#include <stddef.h>

#include <ebm/ebm.h>

#include "files.h"

typedef struct metrics {
    ebm_context *context;
    csv_file csv, clock;
    double before;         /* seconds of the run until it was stopped */
    double *e_pos, *e_neg; /* mean energies of data and chains, [count] */
    size_t count;
} metrics;

/* Begins folder/metrics.csv and timings.csv for at most `iterations` rows,
   with columns for the terms of the KL term when there is one. With `done`
   rows already there they go on behind them; rows that are missing in
   metrics.csv end the program. */
void metrics_open(metrics *m, ebm_context *context, const char *folder,
                  size_t iterations, int has_kl, size_t done);

/* What is written so far reaches the disk. */
void metrics_sync(metrics *m);

/* Adds what the parts say of the iteration that is just over. `kl` is the
   report that holds the KL term, be it the same or that of a second loss, or
   NULL. */
void metrics_row(metrics *m, double seconds, const ebm_report *report,
                 const ebm_report *kl, const ebm_sampler *sampler,
                 const ebm_optimizer *optimizer, const ebm_buffer *buffer);

/* Ends the tables and draws folder/energies.png. */
void metrics_close(metrics *m, const char *folder);

#endif
