/*
 * What a training run measures in every iteration: metrics.csv while it runs,
 * energies.png at its end.
 */
#ifndef EXAMPLES_COMMON_METRICS_H
#define EXAMPLES_COMMON_METRICS_H

#include <stddef.h>

#include <ebm/ebm.h>

#include "files.h"

typedef struct metrics {
    ebm_context *context;
    csv_file csv;
    double *e_pos, *e_neg; /* mean energies of data and chains, [count] */
    size_t count;
} metrics;

/* Begins folder/metrics.csv for at most `iterations` rows, with columns for
   the terms of the KL term when there is one. */
void metrics_open(metrics *m, ebm_context *context, const char *folder,
                  size_t iterations, int has_kl);

/* Adds what the parts say of the iteration that is just over. `kl` is the
   report that holds the KL term, be it the same or that of a second loss, or
   NULL. */
void metrics_row(metrics *m, double seconds, const ebm_report *report,
                 const ebm_report *kl, const ebm_sampler *sampler,
                 const ebm_optimizer *optimizer, const ebm_buffer *buffer);

/* Ends the table and draws folder/energies.png. */
void metrics_close(metrics *m, const char *folder);

#endif
