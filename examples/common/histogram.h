/*
 * Histograms one below the other on a common axis, each over the outline of
 * the first: where a quantity of several sets lies.
 */
#ifndef EXAMPLES_COMMON_HISTOGRAM_H
#define EXAMPLES_COMMON_HISTOGRAM_H

#include <stddef.h>

#include <ebm/ebm.h>

typedef struct histogram_set {
    const char *name; /* in the letters of font.h, as the note */
    char note[32];    /* stands below it */
    const float *values;
    size_t count;
    float colour[3]; /* red, green, blue in [0, 1] */
} histogram_set;

/*
 * Writes the picture of finite values, of at least one set. The axis is linear
 * around the first set and logarithmic further out (asinh of the distance from
 * its median in units of its spread), so that far-off sets do not squeeze it
 * into one bar. What a set has beyond its outer two thousandths goes into the
 * outermost bars. Each set's tallest bar is as high as its row.
 */
ebm_status histogram_write(ebm_context *context, const char *path,
                           const char *title, const char *x_label,
                           const histogram_set *sets, size_t count);

#endif
