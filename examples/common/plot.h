/*
 * A line plot, drawn into a float image and written as PNG: enough to see
 * whether energies hold together or drift apart.
 */
#ifndef EXAMPLES_COMMON_PLOT_H
#define EXAMPLES_COMMON_PLOT_H

#include <stddef.h>

#include <ebm/ebm.h>

typedef struct plot_series {
    const char *label;
    /* Values at x = first_x, first_x + 1, ...; not finite ones are left out
       of the line. */
    const double *y;
    float colour[3]; /* red, green, blue in [0, 1] */
} plot_series;

/*
 * Writes the plot of `count` series of n values each. Labels use the letters
 * of font.h.
 */
ebm_status plot_write(ebm_context *context, const char *path,
                      const char *title, const char *x_label, double first_x,
                      const plot_series *series, size_t count, size_t n);

#endif
